"""systemd units: whether systemd understands them, and how far services are confined."""

import functools
import os
import re

from checks import Failed, Skipped, run, write_artifact
from installed import AS_ROOT

UNIT = re.compile(r"(?:/usr/lib|/lib|/etc)/systemd/system/([^/]+\.(?:service|socket|timer|path|mount|target))")


@functools.lru_cache(maxsize=None)
def knows(option):
    """Before version 250 systemd-analyze looks only at the running system."""
    return option in run(["systemd-analyze", "--help"]).output


def analyze(*arguments):
    plain = {"SYSTEMD_COLORS": "0", "SYSTEMD_EMOJI": "0", "SYSTEMD_PAGER": ""}
    return run([*AS_ROOT, "systemd-analyze", *arguments], environment=plain)


def verifies(root, unit):
    if not knows("--root"):
        raise Skipped("systemd here is older than 250, it cannot look into another directory")
    name = unit.replace("@.", "@instance.")
    verified = analyze("verify", "--man=no", f"--root={root.path}", name)
    # It only warns about a key that it does not know, so what it prints counts too.
    lines = [line for line in verified.both.splitlines() if unit in line or name in line]
    if verified.status != 0 or lines:
        first = (lines or verified.both.splitlines() or ["systemd-analyze said nothing"])[0]
        raise Failed(f"correct the unit: {first}", verified.both)


def confined(root, file, unit, options):
    if not knows("--offline"):
        raise Skipped("systemd here is older than 250, it cannot look at a file")
    allowed = options.security_thresholds.get(unit, options.security_threshold)
    shown = analyze("security", "--no-pager", "--offline=true", f"--threshold={allowed}", root.inside(file.path))
    write_artifact(f"security-{unit}.txt", shown.both + "\n")
    level = re.search(r"Overall exposure level for \S+ ([0-9.]+)", shown.output)
    if level is None:
        raise RuntimeError(f"systemd-analyze security did not say how exposed it is: {shown.both[:500]}")
    if shown.status != 0:
        worst = sorted(
            (line for line in shown.output.splitlines() if re.match(r"[✗-] ", line)),
            key=lambda line: -float((re.search(r"[0-9.]+\s*$", line) or [0])[0]),
        )[:20]
        raise Failed(
            f"its exposure level is {level.group(1)}, allowed are at most {allowed / 10:.1f}: confine it further, the "
            "settings that weigh most are below (systemd.exec(5))",
            "\n".join(worst),
        )
    return f"exposure level {level.group(1)}"


def certify(report, group, root, file, options):
    match = UNIT.fullmatch(file.path)
    if match is None or file.is_directory or os.path.islink(root.inside(file.path)):
        return
    unit = match.group(1)
    report.check(group, f"{unit} passes systemd-analyze verify", verifies, root, unit)
    if unit.endswith(".service"):
        report.check(group, f"{unit} is confined (systemd-analyze security)", confined, root, file, unit, options)
