#include "plugins/hooks/helper/verbs.hpp"

#include <array>

namespace outpost::hook {
namespace {

constexpr std::array result_options{
    Option{"--suite", "NAME", "the suite that the case belongs to; without it the plugin's name"},
    Option{"--duration", "TIME", "how long it took: 1.5s, 2min; a number is seconds"},
    Option{"--message", "TEXT", "why"},
    Option{"--log", "FILE", "kept as an artifact"},
    Option{"--key", "KEY=VALUE", "a property of the case", true},
};
constexpr std::array junit_options{
    Option{"--name", "NAME", "what the result is called at the server; without it the file's name, and \"junit\" for several files"},
    Option{"--each", "", "each file is a result of its own, called like the file"},
};
constexpr std::array artifact_options{
    Option{"--name", "NAME", "what it is called at the server; without it the file's name. One file only"},
    Option{"--type", "MIME", "its media type; without it the one that its name suggests"},
};
constexpr std::array var_options{
    Option{"--secret", "", "the value is hidden in logs from now on, and not journaled"},
    Option{"--text", "", "the value is text, also when it looks like a number or other JSON"},
    Option{"--json", "", "prints text as JSON too"},
    Option{"--default", "VALUE", "printed when there is no such value"},
};
constexpr std::array secret_options{
    Option{"--file", "", "prints where it lies, not what it is"},
};
constexpr std::array redact_options{
    Option{"--file", "FILE", "every line of the file; - is the standard input"},
};
constexpr std::array note_options{
    Option{"--file", "FILE[:LINE]", "what it is about"},
};
constexpr std::array resource_options{
    Option{"--wait", "TIME", "gives up after so long, with 75; without it the call waits as long as the hook may run"},
};
constexpr std::array metric_options{
    Option{"--unit", "UNIT", "what it is counted in, for people: s, MiB, IOPS"},
};
constexpr std::array exec_options{
    Option{"--timeout", "TIME", "of each attempt: then SIGTERM, and SIGKILL after 10 s; counts as status 124"},
    Option{"--retries", "NUMBER", "so many more attempts after a failed one; without it none"},
    Option{"--backoff", "TIME", "the pause before the second attempt, which doubles each time up to 5min; without it 1s"},
};

const std::array verbs{
    Verb{"result", "NAME pass|fail|error|skip|xfail", "reports a test case while the hook runs",
         "The worst outcome counts: fail and error make the job a failure even when the hook ends with 0. All cases of a hook "
         "become one JUnit file at the control server, called reported. A case that is reported again replaces the earlier one.",
         result_options, 2, 2},
    Verb{"junit", "FILE|GLOB...", "hands over JUnit files while the hook runs",
         "They are checked, sent and counted as if they had been left in OUTPOST_RESULTS. Several become one result, with all their "
         "suites in the order of the files; one that breaks off in the middle stays a result of its own. What is no JUnit is refused, "
         "with 64, and the others count.",
         junit_options, 1, 0},
    Verb{"artifact", "FILE|GLOB...", "hands over files to keep while the hook runs",
         "The agent gets the open file, so one that only the hook's user can read arrives too. It is copied: what happens to it "
         "later does not matter.",
         artifact_options, 1, 0},
    Verb{"var", "set NAME VALUE\nget NAME\nunset NAME\nlist", "values that all plugins of the job share",
         "A value that is JSON (3, true, [\"a\"]) keeps its type, anything else is text. get of a name that has none ends with 1.",
         var_options, 1, 3},
    Verb{"env", "set NAME=VALUE...\nunset NAME...\nlist", "environment variables of the job's later hooks",
         "What the contract sets itself cannot be changed. The values are journaled: secrets do not belong there.", {}, 1, 0},
    Verb{"secret", "get NAME\nlist", "prints a secret of this hook",
         "What is configured is hidden in logs already.", secret_options, 1, 2},
    Verb{"redact", "[VALUE...]", "hides a text in logs from now on",
         "When the call returns, output that follows has *** in its place, in this hook and in those that follow. Other users of "
         "the machine can see arguments: use --file for what they must not know.",
         redact_options, 0, 0},
    Verb{"group", "start TITLE\nend", "a part of the log that can be folded", "Marks a part of the output by lines of its own.", {}, 1, 2},
    Verb{"note", "TEXT", "says something that outlives the log",
         "It stands in the log, in outpost job show and in the job at the server. For a hook that ends with 65 it says why.", note_options, 1, 0},
    Verb{"warn", "TEXT", "the same as a warning of the job", "Warnings are also in the comment of the job's verdict.", note_options, 1, 0},
    Verb{"error", "TEXT", "the same as an error",
         "It does not end the hook; when that fails, the last one is part of the reason.", note_options, 1, 0},
    Verb{"summary", "FILE", "hands over a text in Markdown about what the hook has done",
         "At most 1 MiB; - is the standard input. The last one of a hook counts.", {}, 1, 1},
    Verb{"progress", "N/M [TEXT]", "how far the hook has got", "Shown by outpost status, and not kept.", {}, 1, 2},
    Verb{"status", "TEXT", "one line about what the hook does now", "Shown by outpost status, and not kept.", {}, 1, 0},
    Verb{"timeout", "+TIME|TIME", "changes the time that the hook has left",
         "+30min adds to what is left, 30min replaces it. Never beyond timeout_max of the manifest, counted from the hook's start; "
         "without timeout_max never beyond the limit that the hook began with. Prints the seconds that are left now.",
         {}, 1, 1},
    Verb{"heartbeat", "", "gives the hook its whole time limit again, from now on",
         "Bounded as timeout is: a hook that says from time to time that it lives may run up to timeout_max.", {}, 0, 0},
    Verb{"retry", "TIME [WHY]", "has the hook run again after so long",
         "It ends with 75, and so should the hook: outpost-hook retry 5min \"array busy\" || exit. A number is seconds.", {}, 1, 2},
    Verb{"resource", "lock NAME\nunlock NAME\nlist", "an exclusive lock in the lab",
         "Jobs get it in the order in which they ask. It is the job's, not the hook's: it is free when it is unlocked or the job has "
         "ended, whatever happens to the hook.",
         resource_options, 1, 2},
    Verb{"metric", "NAME VALUE", "a number to plot", "It becomes a key and value of the job at the server; the last one of a name in a hook counts.",
         metric_options, 2, 2},
    Verb{"component", "path TYPE\nurl TYPE\nversion TYPE", "where a component of the job is, and which it is", "The same as the variables OUTPOST_COMPONENT_....", {}, 2, 2},
    Verb{"abort", "WHY", "ends the job as an error: it makes no sense to go on",
         "The hook is stopped; collect, release and cleanup follow. In a closing stage it is a warning. The call ends with 1.", {}, 1, 0},
    Verb{"cancelled", "", "whether the job is being cancelled", "Ends with 0 when it is, else with 1.", {}, 0, 0},
    Verb{"reboot", "[WHY]", "has the machine restarted, and then the hook run again",
         "The machine is restarted when the hook has ended with 0 and no other job runs: outpost-hook reboot \"new kernel\" && exit. After "
         "the boot the hook runs again, with OUTPOST_REASON=resume. Ends with 1 unless reboots in outpost.yml lets the plugin do that.",
         {}, 0, 0},
    Verb{"exec", "-- COMMAND [ARGUMENT...]", "runs a command with a time limit, and again when it fails",
         "Ends as the last attempt did. Each failed attempt is a line in the log.", exec_options, 1, 0},
};

}  // namespace

std::span<const Verb> all_verbs() { return verbs; }

const Verb* find_verb(std::string_view name) {
  for (const auto& verb : verbs)
    if (verb.name == name) return &verb;
  return nullptr;
}

}  // namespace outpost::hook
