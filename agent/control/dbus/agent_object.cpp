#include "agent/control/dbus/agent_object.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <cstring>

namespace outpost::control {

namespace asio = boost::asio;
namespace json = boost::json;
using job::text_at;
using Snapshot = AgentObject::Snapshot;

namespace {

constexpr const char* bus_name = "org.outpost.Agent1";
constexpr const char* object_path = "/org/outpost/Agent1";
constexpr const char* interface_name = "org.outpost.Agent1";
constexpr std::string_view steer = "org.outpost.Agent1.steer", manage_jobs = "org.outpost.Agent1.manage-jobs";

// ---- properties ------------------------------------------------------------------------------------------------------

int get_version(sd_bus*, const char*, const char*, const char*, sd_bus_message* reply, void*, sd_bus_error*) {
  return sd_bus_message_append(reply, "s", OUTPOST_VERSION);
}

Snapshot look_at(void* object) { return static_cast<AgentObject*>(object)->look(); }

int get_state(sd_bus*, const char*, const char*, const char*, sd_bus_message* reply, void* object, sd_bus_error*) {
  return sd_bus_message_append(reply, "s", look_at(object).state.c_str());
}

int get_state_reason(sd_bus*, const char*, const char*, const char*, sd_bus_message* reply, void* object, sd_bus_error*) {
  return sd_bus_message_append(reply, "s", look_at(object).state_reason.c_str());
}

int get_jobs(sd_bus*, const char*, const char*, const char*, sd_bus_message* reply, void* object, sd_bus_error*) {
  const Snapshot snapshot = look_at(object);
  int done = sd_bus_message_open_container(reply, 'a', "(sss)");
  for (const auto& id : snapshot.order) {
    const auto& job = snapshot.jobs.at(id);
    if (done >= 0) done = sd_bus_message_append(reply, "(sss)", id.c_str(), job.name.c_str(), job.state.c_str());
  }
  return done < 0 ? done : sd_bus_message_close_container(reply);
}

int get_alarms(sd_bus*, const char*, const char*, const char*, sd_bus_message* reply, void* object, sd_bus_error*) {
  int done = sd_bus_message_open_container(reply, 'a', "(ss)");
  for (const auto& [key, kind] : look_at(object).alarms)
    if (done >= 0) done = sd_bus_message_append(reply, "(ss)", key.c_str(), kind.c_str());
  return done < 0 ? done : sd_bus_message_close_container(reply);
}

int get_spool(sd_bus*, const char*, const char*, const char*, sd_bus_message* reply, void* object, sd_bus_error*) {
  int done = sd_bus_message_open_container(reply, 'a', "(stt)");
  for (const auto& each : look_at(object).reporters)
    if (done >= 0) done = sd_bus_message_append(reply, "(stt)", each.name.c_str(), each.waiting, each.parked);
  return done < 0 ? done : sd_bus_message_close_container(reply);
}

int get_last_contact(sd_bus*, const char*, const char*, const char*, sd_bus_message* reply, void* object, sd_bus_error*) {
  return sd_bus_message_append(reply, "t", look_at(object).last_contact);
}

// ---- methods ---------------------------------------------------------------------------------------------------------

/// They are answered later, when polkit and the journal have.
int take_call(sd_bus_message* call, void* object, sd_bus_error*) {
  static_cast<AgentObject*>(object)->called(call);
  return 1;
}

const sd_bus_vtable vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("Version", "s", get_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("State", "s", get_state, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("StateReason", "s", get_state_reason, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("Jobs", "a(sss)", get_jobs, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("Alarms", "a(ss)", get_alarms, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
    SD_BUS_PROPERTY("Spool", "a(stt)", get_spool, 0, 0),
    SD_BUS_PROPERTY("LastContact", "t", get_last_contact, 0, 0),
    SD_BUS_METHOD_WITH_ARGS("PollNow", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, take_call, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("Pause", SD_BUS_ARGS("s", reason), SD_BUS_NO_RESULT, take_call, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("Resume", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, take_call, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("Drain", SD_BUS_ARGS("s", reason), SD_BUS_NO_RESULT, take_call, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("CancelJob", SD_BUS_ARGS("s", job_id, "s", reason), SD_BUS_NO_RESULT, take_call, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("RunJob", SD_BUS_ARGS("s", name), SD_BUS_RESULT("s", job_id), take_call, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("Reload", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, take_call, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_SIGNAL_WITH_ARGS("JobChanged", SD_BUS_ARGS("s", job_id, "s", name, "s", state), 0),
    SD_BUS_VTABLE_END,
};

std::string_view member_of(sd_bus_message* call) { return sd_bus_message_get_member(call); }

std::string text_in(sd_bus_message* call) {
  const char* text = nullptr;
  return sd_bus_message_read(call, "s", &text) > 0 && text != nullptr ? text : "";
}

/// Which one a call is about; empty: none.
std::string job_of(sd_bus_message* call) {
  if (member_of(call) != "CancelJob" && member_of(call) != "RunJob") return {};
  sd_bus_message_rewind(call, 1);
  return text_in(call);
}

const char* name_of(Fault fault) {
  switch (fault) {
    case Fault::unavailable: return "org.outpost.Agent1.Error.NotFound";
    case Fault::refused: return "org.outpost.Agent1.Error.Refused";
    case Fault::malformed: return "org.outpost.Agent1.Error.Wrong";
    default: return "org.outpost.Agent1.Error.Failed";
  }
}

/// Only these change what is told; logs and results come by the thousand.
bool matters(const job::Event& event) {
  static constexpr std::string_view prefixes[] = {"job.", "claim", "stage.", "alarm.", "drain.", "agent."};
  return std::any_of(std::begin(prefixes), std::end(prefixes), [&](std::string_view prefix) { return event.type.starts_with(prefix); });
}

}  // namespace

AgentObject::AgentObject(asio::any_io_executor executor, AgentControl& agent, journal::Journal& journal, Options options)
    : executor_{executor}, agent_{agent}, options_{std::move(options)}, changed_{executor}, bus_{executor, [this](sd_bus* connection) {
        return sd_bus_add_object_vtable(connection, nullptr, object_path, interface_name, vtable, this);
      }},
      authority_{bus_} {
  journal_watch_ = journal.subscribe([this](const job::Event& event) {
    if (matters(event)) changed_.notify();
  });
}

AgentObject::~AgentObject() { *alive_ = false; }

asio::awaitable<void> AgentObject::run() {
  for (;;) {
    const auto offered = co_await offer();
    if (!offered && why_not_ != offered.error().message) {
      why_not_ = offered.error().message;
      options_.log("not on the system bus: " + why_not_);
    }
    asio::steady_timer pause{executor_, options_.retry};
    co_await pause.async_wait(asio::use_awaitable);
  }
}

/// Returns when the connection has broken.
asio::awaitable<Result<void>> AgentObject::offer() {
  auto watch = bus_.watch_connection(changed_);
  if (!watch) co_return watch.error();
  constexpr std::uint32_t do_not_queue = 4, is_owner = 1;
  auto request = bus_.method("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "RequestName", "su",
                             bus_name, do_not_queue);
  auto asking = bus_.call(std::move(request));
  const auto answer = co_await std::move(asking);
  if (!answer) co_return answer.error();
  std::uint32_t reply = 0;
  sd_bus_message_read(answer->get(), "u", &reply);
  if (reply != is_owner) co_return Error{Fault::refused, std::string{"another process has the name "} + bus_name};
  options_.log(std::string{"on the system bus as "} + bus_name);
  why_not_.clear();
  told_ = look();
  while (!watch->is_broken()) {
    co_await changed_.wait();
    asio::steady_timer pause{executor_, options_.interval};
    co_await pause.async_wait(asio::use_awaitable);
    if (!watch->is_broken()) tell_changes();
  }
  co_return Error{Fault::retry_later, "the connection broke"};
}

Snapshot AgentObject::look() {
  const json::object status = agent_.status();
  Snapshot seen;
  seen.state = text_at(status, "state");
  seen.state_reason = text_at(status, "state_reason");
  for (const char* part : {"running", "waiting"}) {
    for (const auto& each : status.at("jobs").at(part).as_array()) {
      const auto& job = each.as_object();
      const std::string id = text_at(job, "job_id");
      seen.order.push_back(id);
      seen.jobs[id] = {text_at(job, "name"), text_at(job, "state")};
    }
  }
  for (const auto& each : status.at("alarms").as_array()) seen.alarms[text_at(each.as_object(), "key")] = text_at(each.as_object(), "kind");
  const auto note_contact = [&seen](const std::string& text) {
    if (const auto moment = parse_rfc3339(text)) seen.last_contact = std::max(seen.last_contact, static_cast<std::uint64_t>(moment->time_since_epoch().count()));
  };
  for (const auto& each : status.at("reporters").as_array()) {
    const auto& reporter = each.as_object();
    seen.reporters.push_back({text_at(reporter, "name"), static_cast<std::uint64_t>(job::number_at(reporter, "waiting")), static_cast<std::uint64_t>(job::number_at(reporter, "parked"))});
    note_contact(text_at(reporter, "last_contact"));
  }
  for (const auto& each : status.at("sources").as_array()) note_contact(text_at(each.as_object(), "last_poll"));
  return seen;
}

void AgentObject::tell_changes() {
  Snapshot now = look();
  const auto handle = bus_.handle();
  if (!handle) return;
  std::vector<const char*> properties;
  if (now.state != told_.state) properties.push_back("State");
  if (now.state_reason != told_.state_reason) properties.push_back("StateReason");
  if (now.order != told_.order || now.jobs != told_.jobs) properties.push_back("Jobs");
  if (now.alarms != told_.alarms) properties.push_back("Alarms");
  const auto tell = [&](const std::string& id, const std::string& name, const std::string& state) {
    sd_bus_emit_signal(*handle, object_path, interface_name, "JobChanged", "sss", id.c_str(), name.c_str(), state.c_str());
  };
  for (const auto& id : now.order) {
    const auto before = told_.jobs.find(id);
    if (before == told_.jobs.end() || before->second != now.jobs.at(id)) tell(id, now.jobs.at(id).name, now.jobs.at(id).state);
  }
  for (const auto& [id, job] : told_.jobs) {
    if (now.jobs.contains(id)) continue;
    const auto ended = agent_.job(id);
    tell(id, job.name, ended ? text_at(*ended, "state") : "");
  }
  if (!properties.empty()) {
    std::vector<char*> names;
    for (const char* property : properties) names.push_back(const_cast<char*>(property));
    names.push_back(nullptr);
    sd_bus_emit_properties_changed_strv(*handle, object_path, interface_name, names.data());
  }
  told_ = std::move(now);
  bus_.send();
}

void AgentObject::called(sd_bus_message* call) {
  asio::co_spawn(executor_, answer(bus::Message{sd_bus_message_ref(call)}), asio::detached);
}

asio::awaitable<void> AgentObject::answer(bus::Message call) {
  const auto alive = alive_;
  const std::string_view member = member_of(call.get());
  std::string action{member == "CancelJob" || member == "RunJob" ? manage_jobs : steer};
  const auto allowed = co_await authority_.check(call.get(), std::move(action));
  if (!*alive) co_return;
  std::string who;
  if (allowed) who = co_await caller_of(call.get());
  if (!*alive) co_return;
  Result<std::string> done = std::string{};
  if (allowed) done = co_await carry_out(call.get(), who);
  if (!*alive) co_return;
  if (allowed && done) {
    Asked asked{who, std::string{interface_name} + "." + std::string{member}, job_of(call.get())};
    co_await agent_.note_asked(std::move(asked));
    if (!*alive) co_return;
  }
  if (!allowed)
    sd_bus_reply_method_errorf(call.get(), allowed.error().fault == Fault::refused ? SD_BUS_ERROR_ACCESS_DENIED : name_of(allowed.error().fault), "%s", allowed.error().message.c_str());
  else if (!done)
    sd_bus_reply_method_errorf(call.get(), name_of(done.error().fault), "%s", done.error().message.c_str());
  else if (member == "RunJob")
    sd_bus_reply_method_return(call.get(), "s", done->c_str());
  else
    sd_bus_reply_method_return(call.get(), "");
  changed_.notify();
  bus_.send();
}

/// As the local API calls him. Whoever has left the bus before he was asked for is not known any more.
asio::awaitable<std::string> AgentObject::caller_of(sd_bus_message* call) {
  const char* sender = sd_bus_message_get_sender(call);
  std::string name = sender ? sender : "";
  auto asking = authority_.user_of(std::move(name));
  const auto uid = co_await std::move(asking);
  co_return uid ? "uid " + std::to_string(*uid) : "somebody on the system bus";
}

/// The text is what the method returns.
asio::awaitable<Result<std::string>> AgentObject::carry_out(sd_bus_message* call, std::string who) {
  const std::string member{member_of(call)};
  Result<json::object> done = json::object{};
  if (member == "PollNow") agent_.poll_now();
  if (member == "Pause") {
    std::string reason = text_in(call);
    done = co_await agent_.pause(Scope{}, std::move(reason));
  } else if (member == "Resume") {
    done = co_await agent_.resume(Scope{}, false);
  } else if (member == "Drain") {
    std::string reason = text_in(call);
    done = co_await agent_.drain(std::move(reason));
  } else if (member == "Reload") {
    done = co_await agent_.reload();
  } else if (member == "CancelJob") {
    const std::string id = text_in(call), reason = text_in(call);
    if (const auto cancelled = agent_.cancel(id, reason.empty() ? "cancelled over the bus by " + who : reason); !cancelled) co_return cancelled.error();
  } else if (member == "RunJob") {
    std::string name = text_in(call);
    co_return co_await agent_.run_job(std::move(name));
  }
  if (!done) co_return done.error();
  co_return std::string{};
}

}  // namespace outpost::control
