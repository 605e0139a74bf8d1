"""A kernel's log: from dmesg, or from the journal where that is refused, was restarted, or has forgotten too much."""

import collections
import json
import re

from checks import CONFIGURATION, give_up

Entry = collections.namedtuple("Entry", "time level text")  # Seconds since the boot; 0 (emergency) to 7 (debug).

# <4>[   12.345678] text, with the number of a thread or processor after the time where the kernel adds it.
RAW = re.compile(r"<(\d+)>(?:\[ *(\d+\.\d+)\](?:\[ *[TC]\d+\])? ?)?(.*)")


class Log:
    """`entries`: all of this boot. `new`: what was said after the mark, in an earlier boot too."""

    def __init__(self, boot, entries, new, restarted, lost):
        self.boot, self.entries, self.new, self.restarted, self.lost = boot, entries, new, restarted, lost


def parse_dmesg(text):
    """The entries of `dmesg --raw`. What programs wrote into the kernel's log is left out."""
    entries, ours = [], True
    for line in text.splitlines():
        match = RAW.fullmatch(line)
        if match:
            priority = int(match.group(1))
            ours = priority < 8  # Another facility than the kernel's.
            time = float(match.group(2)) if match.group(2) else 0.0
            if ours:
                entries.append(Entry(time, priority, match.group(3)))
        elif entries and ours:  # A message of several lines.
            entries.append(entries[-1]._replace(text=line))
    return entries


def parse_journal(text):
    """The entries of `journalctl --dmesg --output=json`."""
    entries = []
    for line in text.splitlines():
        try:
            fields = json.loads(line)
        except ValueError:
            continue
        message = fields.get("MESSAGE")
        if isinstance(message, list):  # Not UTF-8.
            message = bytes(message).decode("utf-8", "replace")
        if message is None or fields.get("SYSLOG_FACILITY", "0") != "0":
            continue
        time = int(fields.get("_SOURCE_MONOTONIC_TIMESTAMP") or fields.get("__MONOTONIC_TIMESTAMP") or 0) / 1e6
        entries += [Entry(time, int(fields.get("PRIORITY", 6)), part) for part in message.splitlines() or [""]]
    return entries


def journal(machine, boot):
    """The entries of a boot from the journal, and why there are none."""
    ended = machine.run(
        ["journalctl", "--dmesg", f"--boot={boot.replace('-', '')}", "--output=json", "--no-pager", "--quiet"]
    )
    return parse_journal(ended.output), ended.errors.strip() or "the journal holds nothing of this boot"


def cure(machine):
    """What an admin has to do so that the log can be read; its control group says which unit of systemd we are in."""
    unit = re.search(
        r"/(outpost-step[a-z0-9-]*@)[^/\s]*\.service|/(outpostd)\.service",
        machine.run(["cat", "/proc/self/cgroup"]).output,
    )
    name = unit and (unit.group(1) or unit.group(2))
    if name:
        return (
            f"Let its steps read the journal: SupplementaryGroups=systemd-journal in a drop-in of {name}.service "
            "(systemctl edit), see the plugin's README.md"
        )
    return "Let the hook's user read it: root, the group systemd-journal, or sysctl kernel.dmesg_restrict=0"


def key_of(entry):
    return f"{entry.time:.6f} {entry.text}"


def after(entries, mark):
    """What comes after a mark. Processors may speak out of order, so the last second before it is compared whole."""
    seen = collections.Counter(mark["last"])
    new = []
    for entry in entries:
        if seen[key_of(entry)] > 0:
            seen[key_of(entry)] -= 1
        elif entry.time >= mark["time"]:
            new.append(entry)
    return new


def read_log(machine, mark):
    """The log of a machine's kernel; `mark` is what mark_of() said at the last look, None at the first."""
    boot = machine.run(["cat", "/proc/sys/kernel/random/boot_id"]).output.strip()
    shown = machine.run(["dmesg", "--raw"])
    entries = parse_dmesg(shown.output) if shown.status == 0 else []
    lost = False
    if shown.status != 0:
        entries, why = journal(machine, boot)
        if not entries:
            give_up(
                CONFIGURATION,
                f"the log of {machine.name}'s kernel cannot be read: {shown.errors.strip()}; {why}. {cure(machine)}",
            )
    if mark is None:
        return Log(boot, entries, entries, False, False)
    if mark["boot"] != boot:
        before, _ = journal(machine, mark["boot"])
        # How the earlier boot ended is known only where the journal was kept; then the crash dumps have to tell.
        return Log(boot, entries, after(before, mark) + entries, True, not before)
    if shown.status == 0 and entries and entries[0].time > mark["time"]:
        whole, _ = journal(machine, boot)
        if whole and whole[0].time <= mark["time"]:
            entries = whole
        else:
            lost = True
    return Log(boot, entries, after(entries, mark), False, lost)


def mark_of(log):
    """Where a log ends, as JSON can hold it: a second before its end, and what was said from then on."""
    time = max((entry.time for entry in log.entries), default=0.0) - 1.0
    return {"boot": log.boot, "time": time, "last": [key_of(entry) for entry in log.entries if entry.time >= time]}
