// The agent on a bus of the test's own: what it says of itself, its properties, methods and signals.
#include "agent/control/dbus/agent_object.hpp"

#include "fakes/fake_agent.hpp"
#include "fakes/fake_journal.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"
#include "support/private_bus.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <iostream>
#include <optional>
#include <regex>
#include <set>
#include <thread>

using namespace outpost;
using namespace outpost::test;
namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

boost::json::object status_with(const std::string& state, boost::json::array running) {
  return {{"state", state}, {"state_reason", ""}, {"jobs", {{"running", std::move(running)}, {"waiting", boost::json::array{}}}},
          {"alarms", {{{"key", "disk"}, {"kind", "degraded"}}}},
          {"reporters", {{{"name", "dci"}, {"waiting", 3}, {"parked", 1}, {"last_contact", "2026-11-26T12:00:00Z"}}}},
          {"sources", {{{"name", "dci"}, {"last_poll", "2026-11-26T12:00:01Z"}}}}};
}

/// The object on its bus, and somebody who speaks to it.
struct BusWorld {
  BusWorld() { agent.said = status_with("idle", {}); }
  ~BusWorld() { object.reset(); }

  /// False, with the line that the runner shows, where there is no dbus-daemon.
  bool start() {
    if (!bus.is_there()) {
      std::cout << "SKIPPED: the object on the bus: dbus-daemon is missing or does not start (Debian: dbus-daemon)\n";
      return false;
    }
    control::AgentObject::Options options;
    options.log = [this](const std::string& message) { offered = offered || message.starts_with("on the system bus"); };
    options.interval = std::chrono::milliseconds{1};
    options.retry = std::chrono::milliseconds{10};
    object = std::make_unique<control::AgentObject>(loop.get_executor(), agent, journal, std::move(options));
    asio::co_spawn(loop, object->run(), [](std::exception_ptr) {});
    until([this] { return offered; });
    return true;
  }
  void until(const std::function<bool()>& holds) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::minutes{1};
    while (!holds()) {
      if (std::chrono::steady_clock::now() > give_up) throw std::runtime_error{"what was waited for did not happen"};
      loop.restart();
      loop.run_one_for(std::chrono::milliseconds{50});
    }
  }
  Result<bus::Message> call(const char* interface, const char* member, const std::function<void(sd_bus_message*)>& fill = {}) {
    std::optional<Result<bus::Message>> answer;
    auto request = client.method("org.outpost.Agent1", "/org/outpost/Agent1", interface, member);
    if (!request) return request.error();
    if (fill) fill(request->get());
    asio::co_spawn(loop, client.call(std::move(*request)), [&](std::exception_ptr, Result<bus::Message> given) { answer = std::move(given); });
    until([&] { return answer.has_value(); });
    return std::move(*answer);
  }
  Result<bus::Message> call(const char* member, std::initializer_list<const char*> texts = {}) {
    return call("org.outpost.Agent1", member, [&](sd_bus_message* message) {
      for (const char* text : texts) sd_bus_message_append(message, "s", text);
    });
  }
  Result<bus::Message> property(const char* name) {
    return call("org.freedesktop.DBus.Properties", "Get", [&](sd_bus_message* message) { sd_bus_message_append(message, "ss", "org.outpost.Agent1", name); });
  }
  std::string text_property(const char* name) {
    const auto answer = property(name);
    const char* text = "";
    if (answer) sd_bus_message_read(answer->get(), "v", "s", &text);
    return text;
  }
  /// Something has happened to a job.
  void happen(const char* type) {
    job::Event event;
    event.type = type;
    event.job_id = "j1";
    std::vector<job::Event> drafts{std::move(event)};
    asio::co_spawn(loop, journal.append(std::move(drafts)), [](std::exception_ptr, const Result<std::vector<job::Event>>&) {});
  }

  PrivateBus bus;
  asio::io_context loop;
  FakeAgent agent;
  FakeJournal journal;
  std::unique_ptr<control::AgentObject> object;
  bus::Bus client{loop.get_executor()};
  bool offered = false;
};

/// The tags of our interface, each with its attributes in order, so that layout and comments do not matter.
std::vector<std::string> tags_of(std::string xml) {
  xml = std::regex_replace(xml, std::regex{"<!--[^>]*-->"}, "");
  static const std::regex tag{"<(/?)([a-z]+)((?:\\s+[a-zA-Z]+=\"[^\"]*\")*)\\s*(/?)>"}, attribute{"([a-zA-Z]+)=\"([^\"]*)\""};
  std::vector<std::string> tags;
  bool ours = false;
  for (std::sregex_iterator match{xml.begin(), xml.end(), tag}, end; match != end; ++match) {
    const std::string name = (*match)[2], attributes = (*match)[3];
    if (name == "interface") ours = (*match)[1] == "" && attributes.find("org.outpost.Agent1") != std::string::npos;
    if (!ours) continue;
    std::set<std::string> sorted;
    for (std::sregex_iterator each{attributes.begin(), attributes.end(), attribute}; each != end; ++each) sorted.insert((*each)[1].str() + "=" + (*each)[2].str());
    std::string line = (*match)[1].str() + name;
    for (const auto& each : sorted) line += " " + each;
    tags.push_back(line);
    if ((*match)[4] == "/") tags.push_back("/" + name);
  }
  return tags;
}

}  // namespace

TEST_CASE("the object says of itself what org.outpost.Agent1.xml says") {
  BusWorld world;
  if (!world.start()) return;
  const auto answer = world.call("org.freedesktop.DBus.Introspectable", "Introspect");
  REQUIRE(answer);
  const char* xml = "";
  REQUIRE(sd_bus_message_read(answer->get(), "s", &xml) > 0);
  const auto written = tags_of(read_file(OUTPOST_INTROSPECTION));
  REQUIRE(written.size() > 40);
  CHECK(tags_of(xml) == written);
}

TEST_CASE("properties are what the status says") {
  BusWorld world;
  if (!world.start()) return;
  world.agent.said = status_with("busy", {{{"job_id", "j1"}, {"name", "nightly"}, {"state", "running: install"}}});
  CHECK(world.text_property("State") == "busy");
  CHECK(world.text_property("Version") == OUTPOST_VERSION);
  const auto jobs = world.property("Jobs");
  REQUIRE(jobs);
  const char *id = "", *name = "", *state = "";
  REQUIRE(sd_bus_message_read(jobs->get(), "v", "a(sss)", 1, &id, &name, &state) > 0);
  CHECK(std::string{id} + name + state == "j1nightlyrunning: install");
  const auto spool = world.property("Spool");
  REQUIRE(spool);
  std::uint64_t waiting = 0, parked = 0;
  REQUIRE(sd_bus_message_read(spool->get(), "v", "a(stt)", 1, &name, &waiting, &parked) > 0);
  CHECK(waiting == 3);
  CHECK(parked == 1);
  const auto contact = world.property("LastContact");
  std::uint64_t moment = 0;
  REQUIRE(sd_bus_message_read(contact->get(), "v", "t", &moment) > 0);
  CHECK(moment == static_cast<std::uint64_t>(parse_rfc3339("2026-11-26T12:00:01Z")->time_since_epoch().count()));
}

TEST_CASE("methods do what they say, and errors have names") {
  BusWorld world;
  if (!world.start()) return;
  REQUIRE(world.call("PollNow"));
  CHECK(world.agent.polled);
  world.agent.polled = false;
  REQUIRE(world.call("Pause", {"new switch"}));
  CHECK(world.agent.steered == "paused new switch");
  REQUIRE(world.call("Resume"));
  CHECK(world.agent.steered == "resumed ");
  REQUIRE(world.call("Drain", {"x"}));
  CHECK(world.agent.steered == "draining x");
  REQUIRE(world.call("Reload"));
  REQUIRE(world.call("CancelJob", {"j1", ""}));
  CHECK(world.agent.cancelled == "j1");
  CHECK(world.agent.reason == "cancelled over the bus by uid " + std::to_string(::getuid()));
  CHECK_FALSE(world.call("CancelJob", {"ended", ""}));
  const auto made = world.call("RunJob", {"nightly"});
  REQUIRE(made);
  const char* id = "";
  sd_bus_message_read(made->get(), "s", &id);
  CHECK(std::string{id} == "new-1");
  const auto missing = world.call("RunJob", {"weekly"});
  REQUIRE_FALSE(missing);
  CHECK(missing.error().message == "RunJob: there is no job weekly");
}

TEST_CASE("who asks for a change that is made is noted") {
  BusWorld world;
  if (!world.start()) return;
  REQUIRE(world.call("Pause", {"new switch"}));
  REQUIRE(world.call("CancelJob", {"j1", "no use"}));
  REQUIRE_FALSE(world.call("CancelJob", {"ended", ""}));
  REQUIRE(world.call("RunJob", {"nightly"}));
  REQUIRE_FALSE(world.call("RunJob", {"weekly"}));
  REQUIRE(world.property("State"));
  const std::string by = "uid " + std::to_string(::getuid()) + " org.outpost.Agent1.";
  CHECK(world.agent.asked == std::vector<std::string>{by + "Pause ", by + "CancelJob j1", by + "RunJob nightly"});
}

TEST_CASE("a job that changes is told, and so are the properties that do") {
  BusWorld world;
  if (!world.start()) return;
  Wakeup job_changed{world.loop.get_executor()}, properties_changed{world.loop.get_executor()};
  const auto jobs = world.client.watch("org.outpost.Agent1", "/org/outpost/Agent1", "org.outpost.Agent1", "JobChanged", job_changed);
  const auto properties = world.client.watch("org.outpost.Agent1", "/org/outpost/Agent1", properties_changed);
  REQUIRE((jobs && properties));
  REQUIRE(world.property("State"));  // The bus knows of the matches by now.
  const auto told = [&](Wakeup& wakeup) {
    bool came = false;
    asio::co_spawn(world.loop, wakeup.wait(), [&](std::exception_ptr, bool notified) { came = notified; });
    world.until([&] { return came; });
  };
  world.agent.said = status_with("busy", {{{"job_id", "j1"}, {"name", "nightly"}, {"state", "running: install"}}});
  world.happen("stage.started");
  told(job_changed);
  told(properties_changed);
  world.agent.said = status_with("idle", {});
  world.happen("job.ended");
  told(job_changed);
}

TEST_CASE("a call that is cancelled leaves nothing for its connection to wake") {
  BusWorld world;
  if (!world.start()) return;
  sd_bus* silent = nullptr;
  const char* name = nullptr;
  REQUIRE(sd_bus_open_system(&silent) >= 0);
  REQUIRE(sd_bus_get_unique_name(silent, &name) >= 0);
  auto request = world.client.method(name, "/", "org.outpost.Test", "Wait");
  REQUIRE(request);
  asio::cancellation_signal stop;
  std::optional<bool> thrown;
  asio::co_spawn(world.loop, world.client.call(std::move(*request)),
                 asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr error, const Result<bus::Message>&) { thrown = error != nullptr; }));
  world.loop.restart();
  world.loop.poll();
  stop.emit(asio::cancellation_type::terminal);
  world.until([&] { return thrown.has_value(); });
  CHECK(*thrown);
  sd_bus_flush_close_unref(silent);
}

TEST_CASE("without a bus the agent works, and it is there when the bus is") {
  BusWorld world;
  if (!world.bus.is_there()) return;
  world.bus.stop();
  std::string why;
  control::AgentObject::Options options;
  options.log = [&](const std::string& message) { why = message; };
  options.retry = std::chrono::milliseconds{1};
  control::AgentObject object{world.loop.get_executor(), world.agent, world.journal, std::move(options)};
  asio::co_spawn(world.loop, object.run(), [](std::exception_ptr) {});
  world.until([&] { return !why.empty(); });
  CHECK_THAT(why, holds("not on the system bus"));
}
