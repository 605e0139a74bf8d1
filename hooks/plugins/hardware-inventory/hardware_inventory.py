#!/usr/bin/python3
"""Writes down the hardware of the lab's machines, and compares it with what the last job found.

Hardware that is gone is the lab's fault and not the product's: the hook ends with 77, and the job as an error.
"""

import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.append(os.path.join(sys.path[0], "lib"))

import machines
from checks import (
    INFRASTRUCTURE,
    USAGE,
    Failed,
    Report,
    Skipped,
    directory,
    file_name,
    first_of,
    give_up,
    settings,
    write_artifact,
)
from comparison import CLASSES, SECTIONS, differences
from history import History
from inventory import take_inventory

DEFAULTS = {**machines.DEFAULTS, "history": "", "fail_on": ["lost"], "ignore": [], "waivers": []}


def compare(section, last, found, fail_on, reference):
    """One case: fails for the classes of differences in `fail_on`."""
    if last is None:
        raise Skipped("there is no earlier inventory of this machine: this one is kept for the next job")
    if section not in last:
        raise Skipped("the earlier inventory says nothing about this")
    bad = [difference for difference in found if difference.kind in fail_on]
    if bad:
        raise Failed(
            f"{first_of(bad)}: look whether it is seated, powered and healthy. If it is meant to be so, remove "
            f"{reference} on the jumphost, and the next job starts afresh",
            "\n".join(map(str, found)),
        )
    return "; ".join(map(str, found))


def look(report, machine, options, history):
    """Takes and compares a machine's inventory; True when it is now what the next job is compared with."""
    now, extra = take_inventory(machine)
    last, reference = history.last(machine.name), history.path_of(machine.name)
    name, group = file_name(machine.name), f"hardware-inventory.{machine.name}"
    write_artifact(f"hardware-{name}.json", json.dumps(now, indent=1, sort_keys=True) + "\n")
    for tool, text in extra.items():
        write_artifact(f"{tool}-{name}.txt", text)
    everything, good = [], True
    for section, title in SECTIONS.items():
        found = differences(section, (last or {}).get(section, {}), now[section], options.ignore) if last else []
        everything += found
        good &= report.check(
            group, f"{title} as in the last job", compare, section, last, found, options.fail_on, reference
        )
    if last is not None:
        text = "".join(f"{difference}\n" for difference in everything) or "no difference\n"
        write_artifact(f"hardware-{name}.diff", text)
    if good:
        history.keep(machine.name, now)
    return good


def main():
    options = settings(DEFAULTS)
    unknown = set(options.fail_on) - set(CLASSES)
    if unknown:
        give_up(USAGE, f"configuration: fail_on names {', '.join(sorted(unknown))}, known are {', '.join(CLASSES)}")
    directory("OUTPOST_STATE")
    history = History("hardware-inventory", options.history)
    with Report("hardware-inventory", options.waivers) as report:
        good = [look(report, machine, options, history) for machine in machines.machines(options)]
    if not all(good):
        give_up(INFRASTRUCTURE, "the lab's hardware is not what it was in the last job, see the failed cases")
    return 0


if __name__ == "__main__":
    sys.exit(main())
