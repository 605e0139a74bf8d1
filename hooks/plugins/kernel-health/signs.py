"""What a kernel says when something is wrong: the kinds of it, and how they are found in a log."""

import re

MOST_LINES = 80  # Of what is kept of one event.
SILENCE = 2.0  # Seconds without a message after which what follows belongs to something else.


class Kind:
    def __init__(self, name, case, pattern, advice):
        self.name, self.case, self.pattern, self.advice = name, case, re.compile(pattern), advice


TRACE = "report it, with the trace below, to who owns the first function of it that is not the kernel's own machinery"

# In the order in which they are tried: a line is of the first kind that fits.
KINDS = [
    Kind("panic", "no kernel panicked", r"Kernel panic - not syncing", f"look for a dump in /var/crash, and {TRACE}"),
    Kind(
        "lockup",
        "no CPU was locked up",
        r"BUG: soft lockup|[Ww]atchdog detected hard LOCKUP|hard LOCKUP on cpu",
        f"code held a CPU and never gave it back; {TRACE}",
    ),
    Kind(
        "stall",
        "no CPU stalled RCU",
        r"\brcu\w*:? .*\b(self-)?detect(ed)? (expedited )?stalls?\b|INFO: rcu\w* (self-)?detected",
        f"code kept a CPU, or the machine was starved of CPU time; {TRACE}",
    ),
    Kind(
        "oops",
        "no kernel oopsed",
        r"^Oops\b|^Internal error: |BUG: unable to handle|Unable to handle kernel|kernel BUG at |"
        r"^(general protection fault|stack segment|invalid opcode|divide error|double fault|int3)\b.*\[#\d+\]|"
        r"^BUG: kernel NULL pointer",
        TRACE[0].upper() + TRACE[1:],
    ),
    Kind(
        "bug",
        "no kernel found a bug in itself",
        r"^BUG: |^BUG \S+ \(|KASAN: |UBSAN: |possible recursive locking|"
        r"possible circular locking|Bad page state|list_(add|del) corruption|refcount_t: ",
        TRACE[0].upper() + TRACE[1:],
    ),
    Kind(
        "hung-task",
        "no task hung",
        r"INFO: task .+ blocked for more than \d+ seconds",
        f"the task waited for I/O or a lock: look whether storage or network below it failed; otherwise {TRACE}",
    ),
    Kind(
        "machine-check",
        "no machine check was raised",
        r"\[Hardware Error\]|Machine check( events logged|: )|EDAC \S+: \d+ UE |"
        r"Uncorrected hardware memory error|Memory failure: 0x|Uncorrected \((Non-Fatal|Fatal)\)",
        "hardware failed: find the part with rasdaemon (ras-mc-ctl --errors) or in the controller's log, and replace it",
    ),
    Kind(
        "corrected-error",
        "no hardware error was corrected",
        r"EDAC \S+: \d+ CE |PCIe Bus Error: severity=Corrected",
        "hardware begins to fail: watch the part that is named, replace it when it goes on",
    ),
    Kind(
        "out-of-memory",
        "nothing was killed for memory",
        r"Out of memory: Killed process|Memory cgroup out of memory|oom-kill:",
        "give the machine or the service more memory, or find what eats it",
    ),
    Kind(
        "io-error",
        "no I/O failed",
        r"(I/O|critical \w+|blk_update_request: \S+) error, dev |Buffer I/O error|"
        r"(EXT4|BTRFS|XFS|F2FS)\S* ?\S* ?(error|: Corruption|: metadata I/O error)|"
        r"nvme \S+: .*(timeout|controller is down)",
        "look at the device that is named, its cables and its controller",
    ),
    Kind(
        "warning", "no kernel warned", r"^WARNING: (CPU: \d+ PID: \d+|[\w/.-]+:\d+) at ", TRACE[0].upper() + TRACE[1:]
    ),
]
ALWAYS = {"panic", "lockup", "stall", "oops", "bug", "hung-task", "machine-check"}
CORRECTED = re.compile(r"severity: corrected|Corrected error, no action required", re.IGNORECASE)
ENDS = re.compile(r"---\[ end (trace|Kernel panic)")


class Event:
    """Something that went wrong: its kind, the message that says so, and what the kernel said about it."""

    def __init__(self, kind, text, lines):
        self.kind, self.text, self.lines = kind, text, lines


def kind_of(text):
    return next((kind.name for kind in KINDS if kind.pattern.search(text)), None)


def report_at(entries, start):
    """What belongs to the message at `start`: up to the end of its trace, or until the kernel is silent for a while."""
    end = start + 1
    while end < len(entries) and end - start < MOST_LINES:
        if entries[end].time - entries[end - 1].time > SILENCE:
            break
        end += 1
        if ENDS.search(entries[end - 1].text):
            break
    return entries[start:end]


def events_in(entries, kinds, ignore):
    """The events of the wanted kinds, in order. Of one trouble that a kernel describes in many lines there is one."""
    events, covered = [], {}
    ignored = [re.compile(pattern) for pattern in ignore]
    for index, entry in enumerate(entries):
        kind = kind_of(entry.text)
        if kind is None or index < covered.get(kind, 0) or any(pattern.search(entry.text) for pattern in ignored):
            continue
        lines = report_at(entries, index)
        covered[kind] = index + len(lines)
        if kind == "machine-check" and any(CORRECTED.search(line.text) for line in lines):
            kind = "corrected-error"
        if kind in kinds:
            events.append(Event(kind, entry.text, [f"[{line.time:12.6f}] {line.text}" for line in lines]))
    return events
