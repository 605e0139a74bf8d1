// What labs really meet: wrong settings, broken answers, hostile archives, hooks that cannot run, a server that says
// no. Each gives one message that says what to do, the right verdict, and an agent that goes on without hurry.

#include "integration/sample_lab.hpp"

#include "agent/base/clock.hpp"
#include "agent/base/text.hpp"
#include "agent/job/event.hpp"
#include "integration/tar.hpp"
#include "support/catch.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <random>

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using namespace outpost;
using namespace outpost::test;
using job::number_at;
using job::text_at;
using Names = std::vector<std::string>;

const Names good_way{"new", "pre-run", "running", "post-run", "success"};
const Names lab_error{"new", "pre-run", "post-run", "error"};

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

/// Overrides keys of outpost.yml.
void override_configuration(SampleLab& lab, const std::string& yaml) {
  write_file(lab.directory.path / "agent/conf.d/10-test.yml", yaml);
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

json::object the_job(SampleLab& lab) {
  const auto jobs = lab.jobs();
  if (jobs.size() != 1) throw std::runtime_error{std::to_string(jobs.size()) + " jobs"};
  return jobs.front();
}

/// The comment of the verdict of the only job, which must have gone this way.
std::string verdict(SampleLab& lab, const Names& states) {
  lab.start_agent();
  const std::string id = text_at(lab.finished_job(), "id");
  CHECK(lab.states(id) == states);
  CHECK(lab.jobs().size() == 1);
  CHECK(lab.agent_is_running());
  CHECK(number_at(lab.status().at("reporters").at(0).as_object(), "parked") == 0);
  const std::string comment = text_at(lab.jobstates(id).back(), "comment");
  CHECK_THAT(lab.agent_log(), holds(comment.substr(0, comment.find(';'))));
  return comment;
}

/// What a hook or an archive may have left where it should not.
Names escaped(const fs::path& root) {
  Names found;
  for (const auto& entry : fs::recursive_directory_iterator{root})
    if (entry.path().filename().string().find("escaped") != std::string::npos) found.push_back(entry.path().string());
  return found;
}

}  // namespace

// ---- the server cannot be reached, or is not what it should be
// -------------------------------------------------------

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

// ---- components that cannot be used
// ------------------------------------------------------------------------------------

TEST_CASE("A file that is not what its list says makes an error, and is not asked for again and again", "[bad]") {
  SampleLab lab;
  lab.hook("install", "#!/bin/sh\necho never\n");
  lab.feed("1.0", {{"notes.txt", "read me\n"}}, "acme",
           [](json::object& list) { list["files"].as_array()[0].as_object()["sha256"] = std::string(64, 'a'); });
  CHECK_THAT(verdict(lab, lab_error), holds("pre-run: the components could not be downloaded: ") &&
                                          holds("notes.txt") && holds(std::string(64, 'a')));
  const auto all = lab.requests();
  CHECK(std::count_if(all.begin(), all.end(), [](const auto& one) {
          return text_at(one, "target").starts_with("/object-store") && text_at(one, "method") == "GET" &&
                 text_at(one, "target").find("notes.txt") != std::string::npos;
        }) <= 2);
}

TEST_CASE("A list of files that leads out of the component's directory is refused", "[bad]") {
  SampleLab lab;
  lab.hook("install", "#!/bin/sh\necho never\n");
  std::string words;
  std::function<void(json::object&)> change;
  SECTION("by ..") {
    change = [](json::object& list) { list["files"].as_array()[0].as_object()["path"] = "../../../.."; };
    words = "..";
  }
  SECTION("by a symbolic link") {
    change = [](json::object& list) {
      list["symlinks"] = json::array{{{"name", "escaped"}, {"path", ""}, {"destination", "../../../../../../etc"}}};
    };
    words = "escaped";
  }
  lab.feed("1.0", {{"escaped.txt", "outside\n"}}, "acme", change);
  CHECK_THAT(verdict(lab, lab_error), holds("pre-run: the components could not be downloaded: ") && holds(words));
  CHECK(escaped(lab.directory.path / "agent") == Names{});
}

TEST_CASE("A hostile or broken archive makes an error, and nothing of it is left anywhere", "[bad]") {
  SampleLab lab;
  lab.hook("install", "#!/bin/sh\necho never\n");
  const std::string outside = (lab.directory.path / "agent/escaped-absolute").string();
  std::string archive, words, name = "product.tar";
  SECTION("a name with ..") {
    archive = tar_file("../../../../escaped-parent", "x");
    words = "..";
  }
  SECTION("an absolute name") {
    archive = tar_file(outside, "x");
    words = "absolute";
  }
  SECTION("a symbolic link out of the tree") {
    archive = tar_link("way", '2', "../../../../..") + tar_file("way/escaped-by-link", "x");
    words = "way";
  }
  SECTION("a hard link to a file outside") {
    archive = tar_link("escaped-hard", '1', "../../../job.json");
    words = "escaped-hard";
  }
  SECTION("a bomb by size") {
    lab.configure("", "downloads: {unpack: {bytes: 1MiB}}\n");
    archive = tar_file("escaped-bomb", std::string(3 << 20, '\0'));
    words = "limit";
  }
  SECTION("a bomb by ratio") {
    lab.configure("", "downloads: {unpack: {ratio: 20}}\n");
    name = "product.tar.gz";
    archive = gzip(lab.directory.path, tar_file("escaped-bomb", std::string(70 << 20, '\0')));
    words = "unpack";
  }
  SECTION("one that is cut off in the middle") {
    name = "product.tar.gz";
    std::mt19937 random;  // What does not compress, always the same.
    std::string noise(300'000, '\0');
    for (char& byte : noise) byte = static_cast<char>(random());
    const std::string whole = gzip(lab.directory.path, tar_file("escaped-cut", noise) + tar_end());
    archive = whole.substr(0, whole.size() / 2);
    words = "cut off";
  }
  SECTION("one that is cut off near its beginning") {
    name = "product.tar.gz";
    const std::string whole = gzip(lab.directory.path, tar_file("escaped-cut", std::string(100'000, 'c')) + tar_end());
    archive = whole.substr(0, whole.size() / 2);
    words = "cut off";
  }
  if (words != "cut off") archive += name.ends_with("gz") ? "" : tar_end();
  lab.feed("1.0", {{name, archive}});
  const std::string comment = verdict(lab, lab_error);
  CHECK_THAT(comment, holds("pre-run: the components could not be downloaded: ") && holds(name) && holds(words));
  CHECK(escaped(lab.directory.path / "agent") == Names{});
  CHECK_FALSE(fs::exists(outside));
}

namespace {

/// A small file system; `mounted` is false where that is not allowed.
struct TinyDisk {
  explicit TinyDisk(fs::path where) : path{std::move(where)} {
    fs::create_directories(path);
    mounted = ::mount("tmpfs", path.c_str(), "tmpfs", 0, "size=1m,mode=0750") == 0;
    if (!mounted) why = std::strerror(errno);
  }
  ~TinyDisk() {
    if (mounted) ::umount2(path.c_str(), MNT_DETACH);
  }
  fs::path path;
  bool mounted = false;
  std::string why;
};

}  // namespace

TEST_CASE("A disk that is full while an archive is unpacked makes an error that says so", "[bad]") {
  SampleLab lab;
  lab.hook("install", "#!/bin/sh\necho never\n");
  const TinyDisk disk{lab.directory.path / "agent/state/jobs"};
  if (!disk.mounted) {
    std::printf("SKIPPED: a full disk while unpacking: a tmpfs cannot be mounted (%s)\n", disk.why.c_str());
    SUCCEED();
    return;
  }
  lab.feed("1.0",
           {{"product.tar.gz", gzip(lab.directory.path, tar_file("big", std::string(5 << 20, '\0')) + tar_end())}});
  CHECK_THAT(verdict(lab, lab_error), holds("pre-run: the components could not be downloaded: ") &&
                                          holds("the disk is full") && holds("make room"));
  CHECK(lab.stop_agent(SIGTERM) == 0);
}

// ---- hooks that cannot run
// -------------------------------------------------------------------------------------------

TEST_CASE("A plugin that is not installed makes an error that says where was looked", "[bad]") {
  SampleLab lab;
  lab.feed("1.0", {});
  override_configuration(lab, "jobs: [{name: nightly, plugins: [acne]}]\n");
  CHECK_THAT(verdict(lab, lab_error),
             holds("plugin \"acne\" is not installed (looked in ") && holds("did you mean \"acme\"?"));
}

TEST_CASE("A job whose hooks would not run is not claimed until they can, and an alarm says how to repair them", "[bad]") {
  SampleLab lab;
  lab.hook("install", "#!/bin/sh\necho at last\n");
  const fs::path hooks = lab.directory.path / "plugins/acme/hooks", hook = hooks / "install";
  std::string words;
  SECTION("no hook") {
    fs::rename(hook, hooks.parent_path() / "install");
    words = "there is no hook in it; add an executable hooks/test";
  }
  SECTION("called nearly as a stage") {
    fs::rename(hook, hooks / "install.sh");
    words = "did you mean \"install\"? hooks have no extension";
  }
  SECTION("no execute bit") {
    fs::permissions(hook, fs::perms::owner_read | fs::perms::owner_write);
    words = "chmod +x ";
  }
  SECTION("CRLF line endings") {
    lab.hook("install", "#!/bin/sh\r\necho never\r\n");
    words = "CRLF line endings";
  }
  SECTION("a missing interpreter") {
    lab.hook("install", "#!/usr/bin/no-such-shell\necho never\n");
    words = "there is no interpreter \"/usr/bin/no-such-shell\"; install it";
  }
  lab.feed("1.0", {});
  lab.start_agent();
  std::string alarm;
  lab.until("an alarm", [&] {
    if (!lab.agent_is_up()) return false;
    const auto status = lab.status();
    for (const auto& each : status.at("alarms").as_array())
      if (each.at("kind").as_string() == "plugins") alarm = std::string{each.at("message").as_string()};
    return !alarm.empty();
  });
  CHECK_THAT(alarm, holds("jobs of nightly wait: ") && holds(words));
  CHECK(lab.jobs().empty());
  CHECK(lab.stop_agent(SIGTERM) == 0);
  fs::remove(hooks / "install.sh");
  lab.hook("install", "#!/bin/sh\necho at last\n");
  CHECK(verdict(lab, good_way) == "all stages went well");
}

TEST_CASE("A hook that a signal ends blames the product, unless it was SIGKILL from outside", "[bad]") {
  SampleLab lab;
  lab.feed("1.0", {});
  Names way{"new", "pre-run", "running", "post-run", "failure"};
  std::string name;
  SECTION("SIGSEGV") { name = "SEGV"; }
  SECTION("SIGKILL") {
    name = "KILL";
    way.back() = "error";
  }
  lab.hook("install", "#!/bin/sh\necho before\nkill -" + name + " $$\n");
  CHECK_THAT(verdict(lab, way), holds("install: acme/install was killed by SIG" + name));
  CHECK(lab.log_of(text_at(the_job(lab), "id"), "install/acme/install") == "before\n");
}

// ---- a server that says no
// -------------------------------------------------------------------------------------------

TEST_CASE("An artifact above the server's limit is parked with both sizes, and a log is split", "[bad]") {
  SampleLab lab{{.server = {"--max-content-length-mb", "1"}}};
  lab.hook("install",
           "#!/bin/sh\nseq 1 400000\nhead -c 2097152 /dev/zero > \"$OUTPOST_ARTIFACTS/core.bin\"\nprintf small > "
           "\"$OUTPOST_ARTIFACTS/small.txt\"\n");
  lab.feed("1.0", {});
  SECTION("learned from its answer") {}
  SECTION("as configured, without asking") { lab.configure("", "", "upload_limit: 700KiB"); }
  lab.start_agent();
  const std::string id = text_at(lab.finished_job(), "id");
  CHECK(lab.states(id) == good_way);
  std::string log;
  for (int n = 1; n <= 400'000; ++n) log += std::to_string(n) + "\n";
  CHECK(lab.log_of(id, "install/acme/install") == log);
  Names names;
  for (const auto& file : lab.files(id)) {
    CHECK(number_at(file, "size") <= 1 << 20);
    if (text_at(file, "name").find("log@") == std::string::npos) names.push_back(text_at(file, "name"));
  }
  CHECK(names == Names{"small.txt"});
  const auto status = lab.status();
  CHECK(number_at(status.at("reporters").at(0).as_object(), "parked") == 1);
  const auto& alarms = status.at("alarms").as_array();
  REQUIRE(alarms.size() == 1);
  CHECK(alarms[0].at("kind").as_string() == "parked");
  CHECK_THAT(std::string{alarms[0].at("message").as_string()},
             holds("core.bin") && holds("2.0 MiB (2097152 bytes)") && holds("MAX_CONTENT_LENGTH_MB"));
  const auto all = lab.requests();
  const auto refused =
      std::count_if(all.begin(), all.end(), [](const auto& one) { return number_at(one, "status") == 413; });
  if (lab.agent_configuration().find("upload_limit") != std::string::npos) {
    CHECK(refused == 0);
    CHECK_THAT(std::string{alarms[0].at("message").as_string()},
               holds("at most 700.0 KiB (716800 bytes), says upload_limit"));
  } else {
    CHECK(refused <= 6);
    CHECK_THAT(std::string{alarms[0].at("message").as_string()}, holds("it refused"));
  }
}

TEST_CASE("A server that says when to come back is not asked before", "[bad]") {
  SampleLab lab;
  lab.hook("install", "#!/bin/sh\nhead -c 54321 /dev/zero > \"$OUTPOST_ARTIFACTS/core.bin\"\n");
  lab.feed("1.0", {});
  lab.set_faults(
      R"([{"method": "POST", "path": "/api/v1/files", "times": 1, "status": 503, "headers": {"Retry-After": "2"}}])");
  lab.start_agent();
  const std::string id = text_at(lab.finished_job(), "id");
  CHECK(lab.states(id) == good_way);
  std::optional<Timestamp> told, again;
  std::int64_t size = 0;
  for (const auto& request : lab.requests()) {
    if (text_at(request, "target") != "/api/v1/files" || text_at(request, "method") != "POST") continue;
    const auto moment = parse_rfc3339(text_at(request, "time") + "Z");
    REQUIRE(moment);
    if (number_at(request, "status") == 503) {
      told = *moment;
      size = number_at(request, "request_bytes");
    } else if (told && number_at(request, "request_bytes") == size) {
      again = *moment;
    }
  }
  REQUIRE(told);
  REQUIRE(again);
  CHECK(*again - *told >= std::chrono::milliseconds{1990});
}

namespace {

/// What `outpost ARGUMENTS` prints; it must succeed.
std::string cli(SampleLab& lab, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), OUTPOST_PROGRAM);
  arguments.insert(arguments.end(), {"--socket", (lab.directory.path / "agent/run/api.sock").string()});
  const fs::path output = lab.directory.path / "outpost.out";
  fs::remove(output);
  Process process{arguments, output};
  const int status = process.wait();
  CAPTURE(read_file(output));
  CHECK(status == 0);
  return read_file(output);
}

}  // namespace

TEST_CASE("A parked artifact is acknowledged, and sent when the limit was raised", "[bad]") {
  SampleLab lab;
  lab.hook("install", "#!/bin/sh\nhead -c 200000 /dev/zero > \"$OUTPOST_ARTIFACTS/core.bin\"\n");
  lab.configure("", "", "upload_limit: 100KiB");
  lab.feed("1.0", {});
  lab.start_agent();
  const std::string id = text_at(lab.finished_job(), "id");
  CHECK_THAT(cli(lab, {"alarm", "list"}), holds("dci/parked/") && holds("core.bin"));
  CHECK_THAT(cli(lab, {"alarm", "ack", "--all"}), holds("acknowledged: dci/parked/"));
  CHECK(cli(lab, {"alarm", "list"}) == "no alarms\n");
  CHECK_THAT(cli(lab, {"reporter", "parked", "dci"}), holds("core.bin") && holds("says upload_limit"));
  lab.stop_agent(SIGTERM);
  lab.configure();
  lab.start_agent();
  lab.until("the agent to be up", [&] { return lab.agent_is_up(); });
  CHECK(lab.status().at("alarms").as_array().empty());
  CHECK(cli(lab, {"reporter", "retry", "dci"}) == "sending again: 1 items of dci\n");
  lab.until("the artifact", [&] {
    const auto files = lab.files(id);
    return std::any_of(files.begin(), files.end(), [](const auto& file) { return text_at(file, "name") == "core.bin"; });
  });
  CHECK(cli(lab, {"reporter", "parked", "dci"}) == "nothing is parked\n");
}

TEST_CASE("Credentials that are refused in the middle of a job are an alarm: nothing is parked or lost", "[bad]") {
  SampleLab lab;
  const fs::path running = lab.directory.path / "running", go = lab.directory.path / "go";
  lab.hook("install", "#!/bin/sh\ntouch " + running.string() + "\nn=0\nwhile [ ! -e " + go.string() +
                          " ]; do sleep 0.05; n=$((n+1)); [ $n -lt 2400 ] || exit 77; done\necho installed\n");
  lab.hook("test", "#!/bin/sh\necho '<testsuite><testcase name=\"a\"/></testsuite>' > \"$OUTPOST_RESULTS/acme.xml\"\n");
  lab.feed("1.0", {});
  lab.start_agent();
  lab.until("the hook to run", [&] { return fs::exists(running) && lab.jobs().size() == 1; });
  const std::string id = text_at(the_job(lab), "id");
  lab.until("running to be told", [&] { return lab.states(id).back() == "running"; });

  const std::string refusal =
      R"("status": 401, "json": {"message": "RemoteCI identity does not exists.", "payload": {}, "status_code": 401}})";
  bool restarted = false;
  SECTION("because the secret was replaced at the server") { lab.renew_secret(); }
  SECTION("because the server no longer knows us") {
    lab.set_faults(R"([{"method": "POST", "path": "/api/v1/*", )" + refusal + "]");
    restarted = true;
  }
  SECTION("for a while, which polling notices first") {
    lab.set_faults(R"([{"method": "POST", "path": "/api/v1/*", )" + refusal +
                   R"(, {"method": "GET", "path": "/api/v1/topics/*", )" + refusal + "]");
  }
  const auto asked_before = lab.requests().size();
  write_file(go, "");
  lab.until("the job to end and the alarm", [&] {
    const auto status = lab.status();
    const auto& reporter = status.at("reporters").as_array().at(0).as_object();
    return status.at("jobs").at("running").as_array().empty() && reporter.at("credentials_refused").as_bool() &&
           number_at(reporter, "waiting") >= 8;
  });
  const auto status = lab.status();
  CHECK(number_at(status.at("reporters").at(0).as_object(), "parked") == 0);
  bool alarmed = false;
  for (const auto& alarm : status.at("alarms").as_array())
    alarmed = alarmed || (alarm.at("kind").as_string() == "credentials" &&
                          std::string{alarm.at("message").as_string()}.find("everything is kept") != std::string::npos);
  CHECK(alarmed);
  CHECK(lab.states(id).back() == "running");
  std::size_t refused = 0;
  const auto all = lab.requests();
  for (std::size_t index = asked_before; index < all.size(); ++index)
    refused += text_at(all[index], "method") == "POST" &&
                       (number_at(all[index], "status") == 400 || number_at(all[index], "status") == 401)
                   ? 1
                   : 0;
  CHECK(refused <= 5);  // As many as were on their way at once, and one to see whether it is still so.

  if (restarted) lab.stop_agent(SIGKILL);  // Stopping it in good order would wait for the delivery.
  lab.set_faults("[]");
  if (restarted)
    lab.start_agent();
  else
    lab.configure();  // The credentials are replaced: the running agent takes them over.
  lab.finished_job();
  CHECK(lab.states(id) == good_way);
  CHECK(lab.log_of(id, "install/acme/install") == "installed\n");
  CHECK(lab.results(id).size() == 1);
  CHECK(lab.status().at("alarms").as_array().empty());
}
