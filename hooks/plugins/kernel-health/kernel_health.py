#!/usr/bin/python3
"""Finds what kernels complained about while the job ran.

pre-run remembers where each kernel's log ends. certify, test and collect report what has been said since the last look,
so nothing is reported twice, and nothing that was there before the job. Failed cases make the job a failure.
"""

import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.append(os.path.join(sys.path[0], "lib"))

import machines
from checks import (
    USAGE,
    Failed,
    Report,
    Skipped,
    directory,
    file_name,
    first_of,
    give_up,
    say,
    settings,
    variable,
    write_artifact,
)
from kernel_log import mark_of, read_log
from signs import ALWAYS, KINDS, events_in

DEFAULTS = {**machines.DEFAULTS, "also": [], "ignore": [], "waivers": []}

# Bits of /proc/sys/kernel/tainted that say that something went wrong, and not just what is loaded.
TAINTS = {4: "machine check", 5: "bad page", 7: "oops", 9: "warning", 14: "soft lockup"}


class Memory:
    """What was seen at the last look, of each machine; kept in the plugin's directory of the job."""

    def __init__(self):
        self.path = os.path.join(directory("OUTPOST_STATE"), "kernel-health.json")
        self.machines = {}
        if os.path.exists(self.path):
            with open(self.path, encoding="utf-8") as file:
                self.machines = json.load(file)

    def keep(self, name, looked):
        self.machines[name] = looked
        with open(self.path + ".part", "w", encoding="utf-8") as file:
            json.dump(self.machines, file)
        os.replace(self.path + ".part", self.path)


def look(machine):
    """What is to be known about a machine's kernel besides its log."""
    taint = machine.run(["cat", "/proc/sys/kernel/tainted"]).output.strip()
    dumps = machine.run(
        ["find", "/sys/fs/pstore", "/var/lib/systemd/pstore", "/var/crash", "-mindepth", "1", "-maxdepth", "1"]
    ).output
    return {"taint": int(taint) if taint.isdigit() else 0, "dumps": sorted(dumps.splitlines())}


def no_events(kind, events):
    found = [event for event in events if event.kind == kind.name]
    if found:
        what = first_of([event.text for event in found])
        raise Failed(f"{what}: {kind.advice}", "\n\n".join("\n".join(event.lines) for event in found))


def no_taint(before, now, kinds):
    new = now["taint"] & ~before["taint"]
    bits = {bit: name for bit, name in TAINTS.items() if bit != 9 or "warning" in kinds}
    found = [name for bit, name in bits.items() if new >> bit & 1]
    if found:
        raise Failed(
            f"the kernel is newly tainted by: {', '.join(found)}; look for it in the kernel's log among the artifacts"
        )


def no_dump(before, now):
    new = [path for path in now["dumps"] if path not in before["dumps"]]
    if new:
        raise Failed(
            f"a kernel left {first_of(new)}: read it with crash(8), or as text if it is one of pstore", "\n".join(new)
        )


def complete(log):
    if log.lost:
        raise Skipped(
            "messages are missing, the kernel's buffer was too small: boot with log_buf_len=8M, or keep the journal"
        )


def check(report, machine, before, kinds, ignore):
    log = read_log(machine, before)
    now = look(machine)
    events = events_in(log.new, kinds, ignore)
    group = f"kernel-health.{machine.name}"
    report.check(group, "the kernel's log is complete", complete, log)
    for kind in KINDS:
        if kind.name in kinds:
            report.check(group, kind.case, no_events, kind, events)
    base = before or {"taint": 0, "dumps": now["dumps"]}
    if log.restarted:  # Another boot begins without taints.
        base = {**base, "taint": 0}
    report.check(group, "the kernel is not newly tainted", no_taint, base, now, kinds)
    report.check(group, "no kernel left a crash dump", no_dump, base, now)
    return log, now


def keep_log(machine, log):
    lines = (f"[{entry.time:12.6f}] {entry.text}\n" for entry in log.entries)
    write_artifact(f"kernel-{file_name(machine.name)}.log", "".join(lines))


def main():
    options = settings(DEFAULTS)
    point, memory = variable("OUTPOST_POINT"), Memory()
    unknown = set(options.also) - {kind.name for kind in KINDS}
    if unknown:
        give_up(
            USAGE,
            f"configuration: also names {', '.join(sorted(unknown))}, "
            f"known are {', '.join(kind.name for kind in KINDS)}",
        )
    if point == "pre-run":
        for machine in machines.machines(options):
            if machine.answers():
                log = read_log(machine, None)
                memory.keep(machine.name, {**look(machine), **mark_of(log)})
                say(f"{machine.name}: its kernel has said {len(log.entries)} things so far; what comes now counts")
            else:
                say(f"{machine.name} does not answer yet: everything counts that its kernel will have said")
        return 0
    kinds = ALWAYS | set(options.also)
    with Report("kernel-health", options.waivers) as report:
        for machine in machines.machines(options):
            log, now = check(report, machine, memory.machines.get(machine.name), kinds, options.ignore)
            memory.keep(machine.name, {**now, **mark_of(log)})
            if point == "collect" or report.failed:
                keep_log(machine, log)
    return 0


if __name__ == "__main__":
    sys.exit(main())
