#pragma once

#include <string_view>

/// The names of all events, and what their `data` holds. "stage" is a name of stage.hpp; sizes are bytes, durations
/// milliseconds.
namespace outpost::job::event {

// The agent
inline constexpr std::string_view agent_started = "agent.started";    ///< {pid, runner}
/// {cancelled: bool}: the machine goes down, or does not after all.
inline constexpr std::string_view machine_shutdown = "machine.shutdown";
inline constexpr std::string_view agent_stopping = "agent.stopping";  ///< {reason}
/// {source | resource | neither: everything, reason}: nothing of it is claimed until it is resumed. Among the last
/// events of a job: its release failed.
inline constexpr std::string_view claims_paused = "claims.paused";
inline constexpr std::string_view claims_resumed = "claims.resumed";  ///< {source | resource | neither}
inline constexpr std::string_view drain_started = "drain.started";    ///< {reason}: nothing more is claimed by this process.
inline constexpr std::string_view drain_finished = "drain.finished";  ///< {}: its last job has ended.
/// {what: "jobs/*/cancel", as the local API has it; about: a job's id or another name; "" without}: somebody asked for a
/// change, and it was made. `actor` says who: "uid 0" on the socket and on the system bus, "page" on TCP.
inline constexpr std::string_view change_asked = "change.asked";
inline constexpr std::string_view drain_ended = "drain.ended";        ///< {}: somebody has ended it.
inline constexpr std::string_view alarm_raised = "alarm.raised";      ///< {key, kind, message}
inline constexpr std::string_view alarm_cleared = "alarm.cleared";    ///< {key}
inline constexpr std::string_view alarm_acknowledged = "alarm.acknowledged";  ///< {key}: somebody has seen it.
inline constexpr std::string_view reporter_registered = "reporter.registered";  ///< {reporter, type, from: now | all}
/// {reporter, waiting}: what it had not been told is dropped, and it pins nothing any more.
inline constexpr std::string_view reporter_forgotten = "reporter.forgotten";
/// {reason, set_aside, missing: [[first, last]], message}: the journal lost events; it has a new journal_id from here on.
inline constexpr std::string_view journal_restored = "journal.restored";
/// {jobs: [ids], directories: [names], bytes}: old jobs leave the journal with this event; what they have on disk goes
/// after it.
inline constexpr std::string_view history_removed = "history.removed";
/// {reporter, what: logs | artifacts, items, bytes, reason}: so many items that waited lose their files; a gap marker is sent instead.
inline constexpr std::string_view spool_dropped = "spool.dropped";

// What has been seen
inline constexpr std::string_view component_seen = "component.seen";  ///< {source, definition, selection, component{id,name}}
/// {source, definition}: its history was looked at, and nothing of it counts: what comes from here on is new.
inline constexpr std::string_view history_looked_at = "history.looked_at";
/// {definition, components: [ids], reason: "newer" | "backlog", by: component id}: these will not run.
inline constexpr std::string_view component_superseded = "component.superseded";

// A job waits, is claimed
inline constexpr std::string_view job_queued = "job.queued";  ///< {definition{}, components[], backlog: bool, reporters[]}
inline constexpr std::string_view job_held = "job.held";          ///< {reason}: it is not claimed until it is released.
inline constexpr std::string_view job_released = "job.released";  ///< {}
inline constexpr std::string_view job_withdrawn = "job.withdrawn";      ///< {reason, by: job id}: ended before it was claimed.
/// {plugin, hook, reason}: an operator's hook of admit has said no; the job is withdrawn with it.
inline constexpr std::string_view job_declined = "job.declined";
/// {claim_id, slot, plugin_config{}: what the plugins are configured with by now}: written before the server is asked.
inline constexpr std::string_view claim_requested = "claim.requested";
/// {claim_id, reason}: there is no job at the server, and the window has closed; the job waits again, with its claim id.
inline constexpr std::string_view claim_postponed = "claim.postponed";
inline constexpr std::string_view claim_granted = "claim.granted";      ///< {claim_id, url, document{}}, claim{}
inline constexpr std::string_view claim_refused = "claim.refused";      ///< {claim_id, message}: the job ends as error.

// A job runs
/// {plugins: [{name, version, digest, directory}]}: what its steps run, whatever happens to the plugins' folders.
inline constexpr std::string_view plugins_taken = "plugins.taken";
/// {stage, plugin, hook, reason}: a hook that does not run in this job.
inline constexpr std::string_view step_skipped = "step.skipped";
inline constexpr std::string_view stage_started = "stage.started";  ///< {stage}
inline constexpr std::string_view stage_ended = "stage.ended";  ///< {stage, outcome: ok|failed|cancelled|empty, duration_ms}
/// {stage, plugin, hook, timeout_ms}; the agent's own download is plugin "outpost", hook "download".
inline constexpr std::string_view step_started = "step.started";
/// The agent was started anew, and goes on with the step: {stage, plugin, hook, begun: false when it was only about to
/// begin}
inline constexpr std::string_view step_adopted = "step.adopted";
/// The step has ended, and wants the machine to be restarted; after the boot it runs once more: {stage, plugin, hook, why,
/// count: with this one, of the job}
inline constexpr std::string_view reboot_requested = "reboot.requested";
/// A piece of the step's redacted output, blobs[0] its range: {stage, plugin, hook, last: bool}
inline constexpr std::string_view log_cut = "log.cut";
inline constexpr std::string_view log_gap = "log.gap";  ///< {stage, offset, bytes, reason}
/// A closed part of the step's raw output, compressed, blobs[0] its file: {stage, begin, size: in the raw stream;
/// redacted, redactor{}: where the redacted log and the redactor stood at its end}
inline constexpr std::string_view log_segment = "log.segment";
/// Bytes of the step's logs that are given up to make room, written before they go: blobs are ranges of files. {reason}
inline constexpr std::string_view log_freed = "log.freed";
/// A part of a step that the step tells of, such as a task of a playbook: {stage, plugin, hook, task: its number in the
/// step, name}. Only of those that run for a while; the end of each comes in any case.
inline constexpr std::string_view task_started = "task.started";
/// Its output is blobs[0], a range of <step>.tasks: {stage, plugin, hook, task, name, result: ok | changed | skipped |
/// ignored | unreachable | failed | interrupted, hosts: {result: how many}, duration_ms, where: "file:line", warnings:
/// how many, stream: bytes of the step's report up to here}
inline constexpr std::string_view task_ended = "task.ended";
/// A running step has said something by outpost-hook: {stage, plugin, hook, call: its id, verb} and what told.hpp makes of
/// it.
inline constexpr std::string_view step_told = "step.told";
/// {stage, plugin, hook, ending, code, detail, class, duration_ms, leftovers, output_bytes, workspace_bytes at its end,
/// workspace_peak_bytes as far as it was seen, workspace_complete: false when there was more than was looked at,
/// figures{}: what was measured of cpu_us, memory_peak, read_bytes, written_bytes, tasks_peak, oom_kills}
inline constexpr std::string_view step_ended = "step.ended";
/// A JUnit file, blobs[0]: {stage, plugin, hook, name, well_formed, total, success, failures, errors, skips, time_ms,
/// failed: [first 20 names], flaky, flaky_names[], comparison{job: the one before; regressions, fixes, added, removed,
/// changed, time_ms_before, regressed[], fixed[], added_names[], removed_names[], changed_names[]}; the last ones when
/// there is something of the kind; call: the id of the call that handed it over while the step ran}. `name` is unique in
/// the job and the same in every run of the definition.
inline constexpr std::string_view result_found = "result.found";
inline constexpr std::string_view artifact_found = "artifact.found";  ///< blobs[0]: {stage, plugin, hook, name, mime, call: as above}
inline constexpr std::string_view cancel_requested = "job.cancel_requested";  ///< {by: server|operator|agent, reason}
inline constexpr std::string_view job_failing = "job.failing";  ///< A Judgement: what the verdict will be; the job goes on.
inline constexpr std::string_view verdict_reached = "job.verdict";  ///< A Judgement; journaled before collect starts.
inline constexpr std::string_view job_warning = "job.warning";      ///< {stage, message}
/// {message}: the journal may have lost events of this job. It is closed, and nothing of it is run a second time.
inline constexpr std::string_view job_history_lost = "job.history_lost";
inline constexpr std::string_view job_tagged = "job.tagged";        ///< {tag}
inline constexpr std::string_view job_ended = "job.ended";          ///< {verdict, duration_ms}; the last event of a job.

// A promotion. These are in the journal of the promoter, one for each release, and their pipeline_run_id is the promotion.
/// {release, from, to: labels, candidate{}, incumbent{}: what `to` named, places[], jobs: [{job, state, by}], by: who has
/// forced it}
inline constexpr std::string_view promotion_begun = "promotion.begun";
/// {place, before{}: what its label named}: written before it is moved.
inline constexpr std::string_view promotion_place_begun = "promotion.place_begun";
inline constexpr std::string_view promotion_place_ended = "promotion.place_ended";  ///< {place}: its label is moved.
/// {reason, outcome: rolled back | overtaken}: what was moved is put back from here on.
inline constexpr std::string_view promotion_undoing = "promotion.undoing";
inline constexpr std::string_view promotion_place_restored = "promotion.place_restored";  ///< {place}
/// {outcome: promoted | rolled back | overtaken, message}: the last event of a promotion.
inline constexpr std::string_view promotion_ended = "promotion.ended";
/// In the daemon's journal: a run of a promotion that it was configured with. Only those that have promoted something, or
/// end otherwise than the one before: {promotion: its name, release, outcome: well | failed | busy, message, promoted:
/// [{target, hash}]}
inline constexpr std::string_view promotion_run_ended = "promotion.run_ended";

}  // namespace outpost::job::event
