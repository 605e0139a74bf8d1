// The server is there and answers badly: storms of errors, "later", "not you", the same thing again and again.

#include "faults/fault_lab.hpp"

#include "agent/base/clock.hpp"
#include "agent/base/text.hpp"
#include "agent/job/event.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <csignal>
#include <numeric>
#include <thread>

using namespace outpost;
using namespace outpost::test;
using job::number_at;
using job::text_at;

namespace {

namespace json = boost::json;

Timestamp time_of(const json::object& request) {
  return parse_rfc3339(text_at(request, "time") + "Z").value_or(Timestamp{});
}

bool is_to(const json::object& request, const std::string& method, const std::string& path) {
  return text_at(request, "method") == method && text_at(request, "target").starts_with(path);
}

/// Many agents of one team, each with a remoteci of its own, as two of one are refused on a host, and a topic of its own
/// so that the server's log tells them apart.
struct Fleet {
  Fleet(SampleLab& of, unsigned size, std::chrono::milliseconds poll) : lab{of} {
    const auto products = lab.admin("GET", "/products");
    for (const auto& known : products.at("products").as_array())
      if (known.at("name").as_string() == "ACME") acme = known.at("id").as_string();
    for (unsigned number = 0; number < size; ++number) {
      const std::string name = "fleet-" + std::to_string(number);
      topics.push_back(text_at(lab.admin("POST", "/topics",
                                         {{"name", name},
                                          {"product_id", acme},
                                          {"export_control", true},
                                          {"component_types", json::array{"acme"}}})
                                   .at("topic")
                                   .as_object(),
                               "id"));
      const auto directory = lab.directory.path / name;
      std::string yaml = lab.agent_configuration();
      const auto replace = [&](const std::string& from, const std::string& to) {
        yaml.replace(yaml.find(from), from.size(), to);
      };
      replace("poll: 100ms", "poll: " + std::to_string(poll.count()) + "ms");
      replace("topic: ACME-1", "topic: " + name);
      write_file(directory / "outpost.yml", yaml);
      const auto made = lab.admin("POST", "/remotecis", {{"name", name}, {"team_id", lab.team}});
      const auto& remoteci = made.at("remoteci").as_object();
      lab.write_credentials(directory / "dcirc.sh", text_at(remoteci, "id"), text_at(remoteci, "api_secret"));
    }
  }

  void start() {
    for (std::size_t number = 0; number < topics.size(); ++number) {
      const auto directory = lab.directory.path / ("fleet-" + std::to_string(number));
      agents.push_back(std::make_unique<Process>(
          Names{OUTPOST_DAEMON, "--config", (directory / "outpost.yml").string()}, directory / "log"));
    }
  }

  /// The moments at which each agent asked for components, in seconds after `from`.
  std::vector<std::vector<double>> polls(Timestamp from) {
    std::vector<std::vector<double>> moments(topics.size());
    for (const auto& request : lab.requests()) {
      const double after = std::chrono::duration<double>{time_of(request) - from}.count();
      if (after < 0) continue;
      for (std::size_t number = 0; number < topics.size(); ++number)
        if (text_at(request, "target").find("/topics/" + topics[number] + "/components") != std::string::npos)
          moments[number].push_back(after);
    }
    return moments;
  }

  SampleLab& lab;
  std::string acme;
  Names topics;
  std::vector<std::unique_ptr<Process>> agents;
};

std::size_t fewest(const std::vector<std::vector<double>>& polls) {
  return std::min_element(polls.begin(), polls.end(), [](auto& a, auto& b) { return a.size() < b.size(); })->size();
}

}  // namespace

TEST_CASE("F10: agents that meet a storm of 5xx ask no more than before, and not in step", "[F10]") {
  SampleLab lab;
  const std::chrono::milliseconds poll{scaled(2000, 5000)};
  const double bucket = std::chrono::duration<double>{poll}.count() / 4;
  Fleet fleet{lab, scaled(30u, 100u), poll};
  fleet.start();
  lab.until("all agents to poll", [&] { return fewest(fleet.polls({})) >= 3; });
  lab.set_faults(R"([{"probability": 0.3, "seed": 5, "status": 503}])");
  const auto begin = SystemClock{}.now();
  const std::size_t rounds = scaled(8, 120);
  lab.until(
      "the storm to go on for a while", [&] { return fewest(fleet.polls(begin)) >= rounds / 2; },
      std::chrono::minutes{scaled(5, 30)});
  const auto polls = fleet.polls(begin);
  lab.set_faults("[]");

  double most = 0, end = 0;
  std::size_t all = 0;
  std::map<long, std::size_t> buckets;
  for (const auto& of_one : polls)
    for (const double moment : of_one) {
      end = std::max(end, moment);
      ++buckets[static_cast<long>(moment / bucket)];
      ++all;
    }
  for (const auto& of_one : polls) most = std::max(most, static_cast<double>(of_one.size()) / end);
  const double nominal = 1 / std::chrono::duration<double>{poll}.count();
  std::size_t burst = 0;
  for (const auto& [number, count] : buckets) burst = std::max(burst, count);
  const auto two = [](double value) { return std::to_string(value).substr(0, 4); };
  figure("F10", "agents, storm", std::to_string(fleet.topics.size()) + ", " + two(end) + " s",
         is_soak() ? "100, 600 s" : "scaled");
  figure("F10", "most polls of one agent / its usual number", two(most / nominal), "at most 2");
  CHECK(most / nominal <= 2);
  figure("F10", "most polls in a quarter of the pause / mean",
         two(static_cast<double>(burst) / (static_cast<double>(all) / (end / bucket))), "at most 3 (figure)");
  const auto after = SystemClock{}.now();
  lab.until("all agents to poll again", [&] { return fewest(fleet.polls(after)) >= 1; });
  for (const auto& agent : fleet.agents) CHECK(agent->is_running());
}

TEST_CASE("F11: Retry-After is kept", "[F11]") {
  FaultLab lab;
  const int seconds = scaled(3, 120);
  std::string path;
  SECTION("of states") { path = "/api/v1/jobstates"; }
  SECTION("of uploads") { path = "/api/v1/files"; }
  // One at a time, so that none is on the way beside the one that is refused.
  lab.configure("", "spool: {uploads: 1}\n");
  lab.hook("install", "#!/bin/sh\nseq 1 100\n");
  lab.hook("test", "#!/bin/sh\nfor n in 1 2 3; do echo $n > \"$OUTPOST_ARTIFACTS/$n\"; done\n");
  lab.set_faults(R"([{"method": "POST", "path": ")" + path +
                 R"(", "times": 1, "status": 429, "headers": {"Retry-After": ")" + std::to_string(seconds) + R"("}}])");
  lab.feed("1.0", {{"notes.txt", "read me\n"}});
  lab.start_agent();
  lab.finished_job();
  std::vector<Timestamp> moments;
  for (const auto& request : lab.requests())
    if (is_to(request, "POST", path)) moments.push_back(time_of(request));
  REQUIRE(moments.size() >= 2);
  const auto pause = std::chrono::duration<double>{moments[1] - moments[0]}.count();
  figure("F11", "next request to " + path + " after 429, Retry-After: " + std::to_string(seconds),
         in_seconds(moments[1] - moments[0]), "not before " + std::to_string(seconds) + " s");
  CHECK(pause >= seconds);
  const auto content = content_of(lab, lab.the_job());
  CHECK(content.states == good_way);
  CHECK(content.files.at("3") == "3\n");
  CHECK(content.doubled == Names{});
  CHECK(content.wrong == Names{});
}

TEST_CASE(
    "F12: refused credentials are an alarm, not a reason to hammer; the job goes on, and all arrives once they are "
    "right",
    "[F12]") {
  FaultLab lab;
  int status = 0;
  bool replaced = false;
  SECTION("401") { status = 401; }
  SECTION("403") { status = 403; }
  SECTION("the secret is replaced") { status = 400, replaced = true; }
  INFO(status);
  const std::string name = replaced ? "replaced secret" : std::to_string(status);
  // Of a replaced secret somebody has to take notice without waiting for the next regular try.
  const auto interval = std::chrono::seconds{replaced ? 1200 : scaled(2, 1200)};
  const std::string retry = "credentials_retry: " + std::to_string(interval.count()) + "s";
  lab.configure("", "", retry);
  lab.hook("install",
           "#!/bin/sh\nuntil [ -e " + (lab.directory.path / "go").string() + " ]; do sleep 0.05; done\nseq 1 1000\n");
  lab.hook("test", "#!/bin/sh\necho testing\n");
  lab.feed("1.0", {{"notes.txt", "read me\n"}});
  lab.start_agent();
  lab.until("running to be told", [&] { return lab.last_state() == "running"; });
  if (replaced)
    lab.renew_secret();
  else
    lab.set_faults(R"([{"path": "/api/v1/*", "status": )" + std::to_string(status) + "}]");
  write_file(lab.directory.path / "go", "");
  lab.until("the alarm", [&] { return !lab.alarms("credentials").empty(); });
  lab.until("the job to end here", [&] { return lab.status().at("jobs").at("running").as_array().empty(); });
  // Polls and deliveries together, from the last of those that were on the way when the first one was refused. What is
  // asked with a refused write, to tell what a 403 is about, belongs to that.
  const auto tries = [&] {
    std::vector<Timestamp> moments;
    for (const auto& request : lab.requests())
      if (number_at(request, "status") == status && !text_at(request, "target").ends_with("/identity"))
        moments.push_back(time_of(request));
    return moments;
  };
  constexpr std::size_t on_the_way = 4 + 2;  // As many as are sent at once, a poll, and a look at the job.
  if (!replaced) lab.until("some more tries", [&] { return tries().size() >= on_the_way + 3; }, std::chrono::hours{3});
  const auto moments = tries();
  REQUIRE_FALSE(moments.empty());
  const auto elapsed = moments.back() - moments.front();
  const auto allowed = static_cast<std::size_t>(elapsed / interval) + on_the_way;
  figure("F12", name + ": tries in " + in_seconds(elapsed), std::to_string(moments.size()),
         "one in " + std::to_string(interval.count()) + " s (three an hour), and those on the way");
  CHECK(moments.size() <= allowed);
  if (replaced)
    lab.configure("", "", retry);
  else
    lab.set_faults("[]");
  const Stopwatch right;
  lab.finished_job();
  figure("F12", name + ": all there after it was right", right.text(),
         replaced ? "5 s until it is noticed (figure)" : "the next try (figure)");
  lab.until("the alarms to be over", [&] { return lab.alarms("credentials").empty(); });
  const auto content = content_of(lab, lab.the_job());
  CHECK(content.states == good_way);
  std::string numbers;
  for (int number = 1; number <= 1000; ++number) numbers += std::to_string(number) + "\n";
  check_nothing_lost("F12", lab, content, {{"install/acme/install", numbers}, {"test/acme/test", "testing\n"}});
}

TEST_CASE("F12: a 403 to one upload only is about that upload: it is parked with an alarm, and all else arrives",
          "[F12]") {
  FaultLab lab;
  lab.hook("test", "#!/bin/sh\necho testing\nfor n in 1 2 3; do echo $n > \"$OUTPOST_ARTIFACTS/$n\"; done\n");
  lab.set_faults(R"([{"method": "POST", "path": "/api/v1/files", "times": 1, "status": 403}])");
  lab.feed("1.0", {});
  lab.start_agent();
  lab.finished_job();
  const auto parked = lab.alarms("parked");
  REQUIRE(parked.size() == 1);
  CHECK_THAT(parked[0], holds("403") && holds("a proxy or a firewall") && holds("this request"));
  CHECK(lab.alarms("credentials").empty());
  const auto content = content_of(lab, lab.the_job());
  CHECK(content.states == good_way);
  figure("F12", "one 403: files parked, arrived",
         std::to_string(parked.size()) + ", " + std::to_string(content.files.size() + content.logs.size()), "1, 4");
  CHECK(content.files.size() + content.logs.size() == 4);
}

TEST_CASE("F32: a server that says the same again and again starts one job and ends it once", "[F32]") {
  FaultLab lab;
  lab.hook("install", "#!/bin/sh\necho run >> " + (lab.directory.path / "runs").string() + "\nexec sleep 600\n");
  lab.configure("    grace: 1s\n");
  lab.feed("1.0", {{"notes.txt", "read me\n"}});
  lab.start_agent();
  lab.until("running to be told", [&] { return lab.has("runs") && lab.last_state() == "running"; });
  // The component is offered at each of ten polls a second; the cancellation comes a thousand times.
  const int times = scaled(200, 1000);
  const std::string id = lab.the_job();
  const Stopwatch storm;
  const double before = processor_seconds(lab.agent_pid());
  for (int number = 0; number < times; ++number)
    lab.admin("POST", "/jobstates", {{"job_id", id}, {"status", "killed"}, {"comment", "again"}});
  lab.finished_job();
  const double share =
      (processor_seconds(lab.agent_pid()) - before) / std::chrono::duration<double>{storm.elapsed()}.count();
  const auto polls = [&] {
    const auto all = lab.requests();
    return std::count_if(all.begin(), all.end(), [](const auto& one) {
      return text_at(one, "target").find("/components?") != std::string::npos;
    });
  };
  const auto seen = polls();
  lab.until("many more polls", [&] { return polls() > seen + 20; });
  CHECK(lab.jobs().size() == 1);
  CHECK(read_file(lab.directory.path / "runs") == "run\n");
  const auto states = lab.states(id);
  // Ours is the last one; all the others are the server's own.
  CHECK(states.size() == static_cast<std::size_t>(times) + 5);
  CHECK(states.back() == "killed");
  CHECK(std::count(states.begin(), states.end(), "post-run") == 1);
  const std::string log = lab.agent_log();
  std::size_t lines = 0;
  for (const auto& line : split(log, '\n'))
    if (line.find("killed") != line.npos || line.find("cancel") != line.npos) ++lines;
  figure("F32", "cancelled so often", std::to_string(times), is_soak() ? "1000" : "scaled");
  figure("F32", "jobs, lines in the log", std::to_string(lab.jobs().size()) + ", " + std::to_string(lines),
         "1, at most 2");
  CHECK(lines <= 2);
  figure("F32", "processor", std::to_string(static_cast<int>(share * 100)) + " %", "at most 5 % (figure)");
}
