#pragma once

#include "agent/job/stage.hpp"

#include <boost/json/object.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace outpost::job {

enum class Verdict { success, failure, error, killed };

[[nodiscard]] std::string_view to_string(Verdict verdict);
[[nodiscard]] std::optional<Verdict> parse_verdict(std::string_view text);

/// How a step ended, as the journal keeps it.
struct StepEnding {
  enum class Kind {
    exited,       ///< `code` is the exit status.
    signalled,    ///< `code` is the signal; nobody of us sent it.
    timed_out,    ///< Its time was up and we stopped it.
    cancelled,    ///< We stopped it because the job was cancelled or the agent had to stop.
    out_of_memory,  ///< It wanted more memory than its limit, or than there was; `detail` says how much it had.
    over_limit,   ///< Its workspace grew above the limit of its plugin; `detail` says how large it was.
    stopped,      ///< Somebody else had it stopped.
    lost,         ///< Nobody knows: the agent or its guardian died with it.
    not_started,  ///< It could not be started; `detail` says why.
  };
  Kind kind = Kind::exited;
  int code = 0;
  std::string detail;  ///< What the operating system or the guardian said, for people.
};

[[nodiscard]] std::string_view to_string(StepEnding::Kind kind);
[[nodiscard]] std::optional<StepEnding::Kind> parse_ending(std::string_view text);

/// What an exit status means to the pipeline (the hook contract's table; statuses not listed there are `fail`).
enum class StepClass { ok, fail, usage, skip, unavailable, plugin_bug, retry_later, infrastructure, configuration, not_runnable };

[[nodiscard]] StepClass classify_exit(int status);
[[nodiscard]] std::string_view to_string(StepClass step_class);

/// A verdict with its cause.
struct Judgement {
  Verdict verdict = Verdict::success;
  std::string reason;   ///< A slug that does not change: "step-failed", "tests-failed", "timeout", "oom", "agent-restarted", "machine-restarted"...
  std::string message;  ///< One sentence for a person.
  std::optional<Stage> stage;  ///< Where it was decided.
  std::string plugin;
  std::optional<int> exit_status;
};

/// What the ending of one step means for the job; nothing when it went well (or was skipped).
/// A step of collect, release or cleanup never decides: ask only for stages before them.
[[nodiscard]] std::optional<Judgement> judge(Stage stage, std::string_view plugin, std::string_view hook, const StepEnding& ending);

[[nodiscard]] boost::json::object to_json(const Judgement& judgement);
[[nodiscard]] Judgement judgement_from_json(const boost::json::object& json);

/// "exited with status 3", "killed by SIGKILL", "stopped after its 4h 00min": for people.
[[nodiscard]] std::string describe(const StepEnding& ending);

}  // namespace outpost::job
