"""Hardening of programs and libraries, as readelf shows it."""

import os
import re

from checks import Failed, run


class Elf:
    def __init__(self, path):
        shown = run(["readelf", "-W", "-h", "-l", "-d", "--dyn-syms", path])
        if shown.status != 0:
            raise Failed("readelf cannot read it: the file is damaged", shown.both)
        self.path, self.text = path, shown.output
        kind = re.search(r"^ *Type: *([A-Z]+)", self.text, re.MULTILINE)
        self.kind = kind.group(1) if kind else "?"

    def has(self, pattern):
        return re.search(pattern, self.text, re.MULTILINE) is not None

    def flags(self, segment):
        """The flags of each segment of a type, such as "RW"."""
        rows = (line.split() for line in self.text.splitlines())
        return ["".join(row[6:-1]) for row in rows if len(row) > 6 and row[0] == segment and row[1].startswith("0x")]


def is_elf(path):
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def position_independent(elf):
    if elf.kind != "DYN":
        raise Failed(f"its type is {elf.kind}: compile it with -fPIE and link it with -pie or -static-pie")


def relocations_read_only(elf):
    if not elf.flags("GNU_RELRO"):
        raise Failed("it has no GNU_RELRO segment: link it with -z relro")
    # A program without a dynamic section has nothing that could be bound late.
    if not elf.has(r"BIND_NOW|Flags:.* NOW|no dynamic section"):
        raise Failed("it binds lazily: link it with -z now")


def stack_not_executable(elf):
    flags = elf.flags("GNU_STACK")
    if not flags:
        raise Failed("it has no GNU_STACK segment: link it with -z noexecstack")
    if any("E" in each for each in flags):
        raise Failed("its stack is executable: link it with -z noexecstack, and look which object asked for that")


def nothing_writable_and_executable(elf):
    if any("W" in flags and "E" in flags for flags in elf.flags("LOAD")):
        raise Failed("it has memory that is writable and executable at once: link it without -N and omagic scripts")
    if elf.has(r"\(TEXTREL\)|Flags:.* TEXTREL"):
        raise Failed("its code is changed when it is loaded (text relocations): compile everything in it with -fPIC")


def stack_protected(elf):
    # A static program always holds the C library's canaries, so there the compiler's recorded flags are asked.
    if elf.has(r"\(NEEDED\)"):
        if not elf.has(" __stack_chk_fail"):
            raise Failed("it does not use __stack_chk_fail: compile it with -fstack-protector-strong")
    elif not re.search("-fstack-protector-(strong|all)", run(["readelf", "-p", ".GCC.command.line", elf.path]).output):
        raise Failed(
            "no sign of -fstack-protector-strong in .GCC.command.line: compile it with that and -frecord-gcc-switches"
        )


def searches_no_odd_path(elf):
    path = re.search(r"^.*\((?:RPATH|RUNPATH)\).*$", elf.text, re.MULTILINE)
    if path:
        raise Failed(
            f"it looks for libraries in a path of its own: link it without -rpath ({' '.join(path.group(0).split())})"
        )


CASES = [
    ("is position independent", position_independent),
    ("has its relocations read-only (RELRO, BIND_NOW)", relocations_read_only),
    ("has a stack that cannot be executed", stack_not_executable),
    ("has no memory that is writable and executable", nothing_writable_and_executable),
    ("is built with stack protection", stack_protected),
    ("has no RPATH", searches_no_odd_path),
]


def certify(report, group, root, file):
    path = root.inside(file.path)
    if os.path.islink(path) or not os.path.isfile(path) or file.path.startswith("/usr/lib/debug/"):
        return
    try:
        if not is_elf(path):
            return
        elf = Elf(path)
    except OSError as error:
        report.add(group, f"{file.path} can be read", "error", f"only root can look at it: {error.strerror}")
        return
    except Failed as failed:
        report.add(group, f"{file.path} can be read", "failure", str(failed), failed.evidence)
        return
    if elf.kind in ("REL", "CORE"):  # Objects and kernel modules: nothing of this is decided yet.
        return
    for title, check in CASES:
        report.check(group, f"{file.path} {title}", check, elf)
