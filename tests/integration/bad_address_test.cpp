// What labs really meet: a control server that cannot be reached, is something else, or does not know what was asked for.
// Each gives one message that says what to do, and an agent that goes on without hurry.

#include "agent/base/clock.hpp"
#include "agent/job/event.hpp"
#include "integration/bad_input.hpp"
#include "support/catch.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <csignal>
#include <utility>

namespace {

using namespace outpost;
using namespace outpost::test;
using job::text_at;

std::size_t occurrences(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

std::string polling_error(SampleLab& lab) {
  lab.until("polling to fail", [&] {
    return lab.agent_is_up() && !text_at(lab.status().at("sources").at(0).as_object(), "last_error").empty();
  });
  return text_at(lab.status().at("sources").at(0).as_object(), "last_error");
}

/// The moments at which the server was asked for topics for the first time in a poll.
std::vector<Timestamp> polls(SampleLab& lab) {
  std::vector<Timestamp> moments;
  for (const auto& request : lab.requests())
    if (text_at(request, "target").find("/topics?where=name") != std::string::npos)
      if (const auto moment = parse_rfc3339(text_at(request, "time") + "Z")) moments.push_back(*moment);
  return moments;
}

/// The same for credentials that are refused: the agent must wait the configured 300 ms each time.
void check_patience_with_credentials(SampleLab& lab, const std::string& words) {
  lab.until("four polls", [&] { return polls(lab).size() >= 4; });
  const auto moments = polls(lab);
  for (std::size_t index = 1; index < 4; ++index) {
    INFO("pause " << index);
    CHECK(moments[index] - moments[index - 1] >= std::chrono::milliseconds{290});
  }
  CHECK(occurrences(lab.agent_log(), "warning: dci: ") == 1);
  CHECK_THAT(lab.agent_log(), holds(words));
}

/// Waits for four polls: the agent must wait longer after each, and have said once what is wrong.
void check_patience(SampleLab& lab, const std::string& words, const std::string& told = "warning: dci: ") {
  lab.until("four polls", [&] { return polls(lab).size() >= 4; });
  const auto moments = polls(lab);
  // 100 ms is configured; it doubles with each failure, and jitter takes up to a quarter.
  for (std::size_t index = 1; index < 4; ++index) {
    INFO("pause " << index);
    CHECK(moments[index] - moments[index - 1] >= std::chrono::milliseconds{70} * (1 << index));
  }
  CHECK(occurrences(lab.agent_log(), told) == 1);
  CHECK_THAT(lab.agent_log(), holds(words));
  CHECK(lab.stop_agent(SIGTERM) == 0);
}

/// A port of this machine on which nobody listens, as long as it lives.
struct ClosedPort {
  ClosedPort() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(socket, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      throw std::runtime_error{"no port"};
    number = ntohs(address.sin_port);
  }
  ~ClosedPort() { ::close(socket); }
  int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int number = 0;
};

}  // namespace

TEST_CASE("An address at which there is no DCI API is told as such", "[bad]") {
  SampleLab lab;
  lab.configure("", "", "url: \"" + lab.url + "/wrong\"");
  lab.start_agent();
  CHECK_THAT(polling_error(lab), holds("404") && holds("there is no DCI API at this address; is the url right?"));
  check_patience(lab, "is the url right?");
}

TEST_CASE("A port on which nobody listens is told as such", "[bad]") {
  SampleLab lab;
  const ClosedPort port;
  lab.configure("", "", "url: \"http://127.0.0.1:" + std::to_string(port.number) + "\"");
  lab.start_agent();
  CHECK_THAT(polling_error(lab),
             holds("127.0.0.1:" + std::to_string(port.number)) && holds("connection refused; nothing listens there"));
  CHECK(lab.stop_agent(SIGTERM) == 0);
  CHECK(occurrences(lab.agent_log(), "warning: dci: ") == 1);
}

TEST_CASE("A host that does not exist is told as such", "[bad]") {
  SampleLab lab;
  lab.configure("", "", "url: \"http://control.invalid\"");
  lab.start_agent();
  CHECK_THAT(polling_error(lab), holds("control.invalid") && holds("unknown host") && holds("does DNS work here?"));
  CHECK(lab.stop_agent(SIGTERM) == 0);
}

TEST_CASE("A wrong secret is an alarm that says where to look", "[bad]") {
  SampleLab lab;
  lab.secret = std::string(64, 'x');
  lab.configure("", "", "credentials_retry: 300ms");
  lab.start_agent();
  CHECK_THAT(polling_error(lab), holds("400") && holds("is the API secret of remoteci/" + lab.remoteci + " right"));
  const auto alarms = lab.status().at("alarms").as_array();
  REQUIRE(alarms.size() == 1);
  CHECK(alarms[0].at("kind").as_string() == "credentials");
  CHECK(lab.agent_log().find(lab.secret) == std::string::npos);
  check_patience_with_credentials(lab, "is the API secret of");
}

TEST_CASE("A wrong secret that is replaced by the right one is noticed without a restart", "[bad]") {
  SampleLab lab;
  const std::string right = std::exchange(lab.secret, std::string(64, 'x'));
  lab.configure("", "", "credentials_retry: 24h");
  lab.feed("1.0", {});
  lab.start_agent();
  polling_error(lab);
  CHECK(polls(lab).size() == 1);
  lab.secret = right;
  lab.configure("", "", "credentials_retry: 24h");
  lab.finished_job();
  CHECK(lab.status().at("alarms").as_array().empty());
  CHECK_THAT(lab.agent_log(), holds("the credentials were replaced"));
}

TEST_CASE("Clocks that are too far apart are told with both times", "[bad]") {
  SampleLab lab{{.server = {"--clock-offset", "1200"}}};
  lab.configure("", "", "credentials_retry: 300ms");
  lab.start_agent();
  const std::string error = polling_error(lab);
  CHECK_THAT(error, holds("clock skew 1") && holds("this machine's clock says 20") && holds("the server's ") && holds(" GMT: ") &&
                        holds("apart") && holds("set the clock"));
  check_patience_with_credentials(lab, "set the clock");
}

TEST_CASE("A topic that the server does not have is told with the one that may be meant", "[bad]") {
  SampleLab lab;
  override_configuration(lab, "jobs: [{name: nightly, topic: ACME-2}]\n");
  lab.start_agent();
  CHECK_THAT(polling_error(lab),
             holds("topic \"ACME-2\": not found") && holds("no permission") && holds("did you mean \"ACME-1\"?"));
  const auto alarms = lab.status().at("alarms").as_array();
  REQUIRE(alarms.size() == 1);
  CHECK(alarms[0].at("key") == "topic:nightly");
  CHECK(alarms[0].at("kind") == "topic");
  CHECK(alarms[0].at("fix") == "outpost doctor D09");
  check_patience(lab, "did you mean \"ACME-1\"?", "error: alarm (topic): ");
}

TEST_CASE("A component type that the topic does not have is told with the one that may be meant", "[bad]") {
  SampleLab lab;
  override_configuration(lab, "jobs: [{name: nightly, components: [acne]}]\n");
  lab.start_agent();
  lab.until("the warning", [&] { return lab.agent_log().find("has no component type \"acne\"") != std::string::npos; });
  CHECK_THAT(lab.agent_log(), holds("did you mean acme?"));
  lab.until("four polls", [&] { return lab.requests().size() > 12; });
  CHECK(occurrences(lab.agent_log(), "has no component type") == 1);
  CHECK(lab.jobs().empty());
}

TEST_CASE("A topic without components is nothing to worry about", "[bad]") {
  SampleLab lab;
  lab.start_agent();
  lab.until("a poll", [&] {
    return lab.agent_is_up() && !text_at(lab.status().at("sources").at(0).as_object(), "last_poll").empty();
  });
  CHECK(text_at(lab.status().at("sources").at(0).as_object(), "last_error").empty());
  CHECK(lab.jobs().empty());
  CHECK(lab.stop_agent(SIGTERM) == 0);
  CHECK(occurrences(lab.agent_log(), "warning") == 0);
}

TEST_CASE("Answers that are not what DCI answers are survived, and the job runs once they are", "[bad]") {
  SampleLab lab;
  lab.hook("test", "#!/bin/sh\nexit 0\n");
  lab.feed("1.0", {});
  SECTION("JSON that breaks off") {
    lab.set_faults(
        R"([{"method": "GET", "path": "/api/v1/topics", "status": 200, "body": "{\"topics\": [{\"id\": \"x"}])");
  }
  SECTION("HTML") { lab.set_faults(R"([{"method": "GET", "path": "/api/v1/topics", "status": 200, "html": true}])"); }
  SECTION("JSON of another kind") {
    lab.set_faults(R"([{"method": "GET", "path": "/api/v1/topics", "status": 200, "json": ["surprise"]}])");
  }
  lab.start_agent();
  CHECK_THAT(polling_error(lab), holds("GET /api/v1/topics: 200") && holds("not what DCI answers") &&
                                     holds("something between here and the server"));
  lab.until("four polls", [&] { return polls(lab).size() >= 4; });
  CHECK(occurrences(lab.agent_log(), "warning: dci: ") == 1);
  lab.set_faults("[]");
  CHECK(lab.states(text_at(lab.finished_job(), "id")) == good_way);
  CHECK_THAT(lab.agent_log(), holds("polling works again"));
}
