#include "agent/daemon/metrics.hpp"

#include "agent/job/event_types.hpp"

namespace outpost::daemon {

namespace json = boost::json;
namespace event = job::event;
using job::number_at;
using job::text_at;
using telemetry::Figures;

namespace {

const json::object& object_at(const json::object& object, std::string_view key) {
  static const json::object nothing;
  const auto* value = object.if_contains(key);
  return value && value->is_object() ? value->get_object() : nothing;
}

const json::array& array_at(const json::object& object, std::string_view key) {
  static const json::array nothing;
  const auto* value = object.if_contains(key);
  return value && value->is_array() ? value->get_array() : nothing;
}

double figure(const json::object& object, std::string_view key) { return static_cast<double>(number_at(object, key)); }

}  // namespace

void Metrics::note(const job::Event& event) {
  const auto& data = event.data;
  if (event.type == event::verdict_reached) {
    verdicts_[event.job_id] = {text_at(data, "verdict"), text_at(data, "reason")};
  } else if (event.type == event::job_ended) {
    const auto known = verdicts_.find(event.job_id);
    // One that began before this process did: its event of the verdict has passed.
    ++jobs_[known != verdicts_.end() ? known->second : Key{text_at(data, "verdict"), "unknown"}];
    if (known != verdicts_.end()) verdicts_.erase(known);
  } else if (event.type == event::stage_ended) {
    auto& stage = stages_[{text_at(data, "stage"), text_at(data, "outcome")}];
    stage.sum += figure(data, "duration_ms") / 1000;
    ++stage.count;
  } else if (event.type == event::step_ended) {
    ++hooks_[{text_at(data, "plugin"), text_at(data, "stage"), text_at(data, "class")}];
  } else if (event.type == event::log_cut) {
    for (const auto& blob : event.blobs) log_bytes_ += blob.size;
  } else if (event.type == event::log_gap) {
    gap_bytes_ += static_cast<std::uint64_t>(number_at(data, "bytes"));
  }
}

void Metrics::add_counters(Figures& to) const {
  to.family("outpost_jobs_total", "counter", "Jobs that have ended, by verdict and reason.");
  for (const auto& [key, count] : jobs_)
    to.sample({{"verdict", key[0]}, {"reason", key[1]}}, static_cast<double>(count));
  // A summary without quantiles: its two series are named by the format.
  to.family("outpost_job_stage_seconds", "summary", "How long stages took, by stage and outcome.");
  for (const auto& [key, duration] : stages_) {
    to.sample_of("_sum", {{"stage", key[0]}, {"outcome", key[1]}}, duration.sum);
    to.sample_of("_count", {{"stage", key[0]}, {"outcome", key[1]}}, static_cast<double>(duration.count));
  }
  to.family("outpost_hook_exit_total", "counter",
            "Hooks that have ended, by plugin, stage (point) and class of the ending.");
  for (const auto& [key, count] : hooks_)
    to.sample({{"plugin", key[0]}, {"point", key[1]}, {"class", key[2]}}, static_cast<double>(count));
  to.family("outpost_log_bytes_total", "counter", "Bytes of redacted output of hooks.");
  to.sample({}, static_cast<double>(log_bytes_));
  to.family("outpost_log_gap_bytes_total", "counter", "Bytes of output that are missing from logs.");
  to.sample({}, static_cast<double>(gap_bytes_));
}

namespace {

void add_agent(Figures& to, const json::object& status) {
  to.family("outpost_build_info", "gauge", "The version of the daemon; always 1.");
  to.sample({{"version", text_at(status, "version")}, {"runner", text_at(status, "runner")}}, 1);
  to.family("outpost_state", "gauge", "1 for the state that the agent is in.");
  for (const char* state : {"idle", "busy", "paused", "draining", "drained", "closed", "degraded", "stopping"})
    to.sample({{"state", state}}, text_at(status, "state") == state ? 1 : 0);
  to.family("outpost_slots", "gauge", "Slots for jobs.");
  to.sample({}, figure(object_at(status, "slots"), "total"));
  to.family("outpost_slots_busy", "gauge", "Slots that a job holds.");
  to.sample({}, figure(object_at(status, "slots"), "busy"));
  const auto& jobs = object_at(status, "jobs");
  to.family("outpost_jobs", "gauge", "Jobs that run or wait.");
  to.sample({{"state", "running"}}, static_cast<double>(array_at(jobs, "running").size()));
  to.sample({{"state", "waiting"}}, static_cast<double>(array_at(jobs, "waiting").size()));
  to.family("outpost_resource_busy", "gauge", "1 for a lab resource that a job holds.");
  for (const auto& [name, resource] : object_at(status, "resources"))
    to.sample({{"resource", std::string{name}}},
              resource.is_object() && !text_at(resource.get_object(), "held_by").empty() ? 1 : 0);
  to.family("outpost_alarms", "gauge", "Alarms that an admin has to look at, by kind.");
  std::map<std::string, double> kinds;
  for (const auto& alarm : array_at(status, "alarms"))
    if (alarm.is_object()) ++kinds[text_at(alarm.get_object(), "kind")];
  for (const auto& [kind, count] : kinds) to.sample({{"kind", kind}}, count);
}

void add_disk(Figures& to, const json::object& disk) {
  const auto& spool = object_at(disk, "spool");
  to.family("outpost_spool_bytes", "gauge", "Bytes that still have to reach a server.");
  to.sample({{"what", "logs"}}, figure(spool, "waiting"));
  to.sample({{"what", "artifacts"}}, figure(spool, "artifacts_waiting"));
  to.family("outpost_spool_limit_bytes", "gauge", "What may wait.");
  to.sample({{"what", "logs"}}, figure(spool, "limit"));
  to.sample({{"what", "artifacts"}}, figure(spool, "artifacts_limit"));
  to.family("outpost_disk_free_bytes", "gauge", "Free space of the state directory's file system.");
  to.sample({}, figure(disk, "free"));
  to.family("outpost_disk_bytes", "gauge", "Size of the state directory's file system.");
  to.sample({}, figure(disk, "total"));
  to.family("outpost_journal_bytes", "gauge", "Size of the journal.");
  to.sample({}, figure(disk, "journal"));
  to.family("outpost_history_bytes", "gauge", "Size of the directories of jobs.");
  to.sample({}, figure(disk, "history"));
}

void add_reporters(Figures& to, const json::array& reporters, const std::map<std::string, double>& oldest_seconds) {
  const auto each = [&](std::string_view key) {
    for (const auto& reporter : reporters)
      if (reporter.is_object())
        to.sample({{"reporter", text_at(reporter.get_object(), "name")}}, figure(reporter.get_object(), key));
  };
  to.family("outpost_spool_items", "gauge", "Items that wait for a server.");
  each("waiting");
  to.family("outpost_spool_parked", "gauge", "Items that a server will not take.");
  each("parked");
  to.family("outpost_delivered_total", "counter",
            "Items that a server has acknowledged, since the reporter was registered.");
  each("delivered");
  to.family("outpost_spool_oldest_seconds", "gauge",
            "How old the oldest fact is that waits for a server; 0: nothing waits.");
  for (const auto& [reporter, age] : oldest_seconds) to.sample({{"reporter", reporter}}, age);
  to.family("outpost_upload_retries_total", "counter", "Attempts that came to nothing, by class.");
  for (const auto& reporter : reporters) {
    if (!reporter.is_object()) continue;
    for (const auto& [kind, count] : object_at(reporter.get_object(), "retried"))
      to.sample({{"reporter", text_at(reporter.get_object(), "name")}, {"class", std::string{kind}}},
                figure(object_at(reporter.get_object(), "retried"), kind));
  }
}

void add_servers(Figures& to, const std::vector<ServerFigures>& servers) {
  to.family("outpost_server_rtt_seconds", "gauge", "How long the last answer of a control server took.");
  for (const auto& server : servers) to.sample({{"source", server.source}}, server.round_trip_seconds);
  to.family("outpost_clock_skew_seconds", "gauge", "How far a control server's clock is ahead of ours.");
  for (const auto& server : servers)
    if (server.knows_time) to.sample({{"source", server.source}}, server.ahead_seconds);
}

/// Seconds since the epoch; 0 for what has not happened yet.
double moment_at(const json::object& object, std::string_view key) {
  const auto at = parse_rfc3339(text_at(object, key));
  return at ? std::chrono::duration<double>{at->time_since_epoch()}.count() : 0;
}

void add_promotions(Figures& to, const json::array& promotions) {
  const auto each = [&](const auto& sample) {
    for (const auto& promotion : promotions) sample(promotion.as_object(), text_at(promotion.as_object(), "name"));
  };
  const auto of_targets = [&](const auto& value) {
    each([&](const json::object& promotion, const std::string& name) {
      for (const auto& target : array_at(promotion, "targets"))
        to.sample({{"promotion", name}, {"target", text_at(target.as_object(), "target")}}, value(target.as_object()));
    });
  };
  to.family("outpost_promotion_runs_total", "counter", "Runs of a promotion, by outcome.");
  each([&](const json::object& promotion, const std::string& name) {
    for (const auto& [outcome, count] : object_at(promotion, "runs"))
      to.sample({{"promotion", name}, {"outcome", std::string{outcome}}}, count.to_number<double>());
  });
  to.family("outpost_promotion_failing", "gauge", "1 when the last run of a promotion failed.");
  each([&](const json::object& promotion, const std::string& name) {
    to.sample({{"promotion", name}}, text_at(promotion, "outcome") == "failed" ? 1 : 0);
  });
  const std::pair<const char*, const char*> moments[]{{"last_run", "When a promotion was last begun; 0: never."},
                                                      {"last_success", "When a run of it last went well; 0: not yet."}};
  for (const auto& [key, help] : moments) {
    to.family("outpost_promotion_" + std::string{key} + "_timestamp_seconds", "gauge", help);
    each([&, of = key](const json::object& promotion, const std::string& name) {
      to.sample({{"promotion", name}}, moment_at(promotion, of));
    });
  }
  to.family("outpost_promoted_total", "counter", "Hashes that were promoted to a label.");
  of_targets([](const json::object& target) { return figure(target, "promoted"); });
  to.family("outpost_promoted_timestamp_seconds", "gauge", "When a hash was last promoted to a label; 0: not known.");
  of_targets([](const json::object& target) { return moment_at(target, "last_promoted"); });
  to.family("outpost_promotion_missing_jobs", "gauge", "Jobs that the nearest candidate of a label lacks.");
  of_targets([](const json::object& target) { return static_cast<double>(array_at(target, "missing").size()); });
}

}  // namespace

std::vector<telemetry::Family> Metrics::families(const json::object& status, const std::vector<ServerFigures>& servers,
                                                 const std::map<std::string, double>& oldest_seconds) const {
  Figures to;
  add_agent(to, status);
  add_counters(to);
  add_disk(to, object_at(status, "disk"));
  add_reporters(to, array_at(status, "reporters"), oldest_seconds);
  add_servers(to, servers);
  add_promotions(to, array_at(status, "promotions"));
  return to.families();
}

}  // namespace outpost::daemon
