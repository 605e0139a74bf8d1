"""What differs between two inventories of a machine, and what kind of difference it is."""

import re

# The sections of an inventory, and what a case calls them.
SECTIONS = {
    "system": "the system is",
    "firmware": "the firmware is",
    "processors": "the processors are",
    "memory": "the memory is",
    "pci": "the PCI devices are",
    "disks": "the disks are",
    "network": "the network interfaces are",
}
NOUNS = {"memory": "memory", "pci": "PCI device", "disks": "disk", "network": "network interface"}
CLASSES = ("lost", "new", "changed")
FOR_PEOPLE = {"name"}  # Not compared.


class Difference:
    """`kind`: lost (gone, or less of it), new, or changed."""

    def __init__(self, kind, text):
        self.kind, self.text = kind, text

    def __str__(self):
        return self.text


def described(item):
    return ", ".join(str(value) for name, value in sorted(item.items()) if name != "name") or "no details"


def label(section, key, item):
    name = item.get("name") or item.get("model") or ""
    return " ".join(filter(None, (NOUNS.get(section), key))) + (f" ({name})" if name else "")


def changes(section, key, before, after):
    for field in sorted(set(before) & set(after) - FOR_PEOPLE):  # A field that only one tool knows says nothing.
        old, new = before[field], after[field]
        if old != new:
            less = isinstance(old, int) and isinstance(new, int) and new < old
            yield Difference(
                "lost" if less else "changed", f"{label(section, key, after)}: {field} was {old}, is {new}"
            )


def differences(section, before, after, ignore):
    """All differences of a section, those that match one of the patterns in `ignore` left out."""
    # A total says nothing new where both know the modules.
    modules = section == "memory" and len(before) > 1 and len(after) > 1
    # Modules that only one of both knows: then the tool was there only once.
    blind = section == "memory" and (len(before) > 1) != (len(after) > 1)
    found = []
    for key in sorted(set(before) | set(after)):
        if (modules and key == "total") or (blind and key != "total"):
            continue
        if key not in after:
            found.append(
                Difference("lost", f"{label(section, key, before[key])} is gone: it was {described(before[key])}")
            )
        elif key not in before:
            found.append(Difference("new", f"{label(section, key, after[key])} is new: {described(after[key])}"))
        else:
            found += changes(section, key, before[key], after[key])
    found.sort(key=lambda difference: CLASSES.index(difference.kind) if " is gone: " not in difference.text else -1)
    return [difference for difference in found if not any(re.search(pattern, difference.text) for pattern in ignore)]
