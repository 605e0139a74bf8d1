"""The step that this is: what Outpost says in the environment, and what endings mean (hooks/README.md)."""

import json
import os
import re

FAILED, USAGE, SKIP, BUG, INFRASTRUCTURE, CONFIGURATION, NOT_FOUND = 1, 64, 65, 70, 77, 78, 127


def say(message):
    print("outpost-ansible: " + message, flush=True)


def environment(name):
    return os.environ.get("OUTPOST_" + name, "")


def job_logs():
    """Where plays of a job leave files for its end."""
    return os.path.join(environment("SHARED"), "job_logs")


def read_json(path, otherwise):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return otherwise


def may_become_root():
    if os.geteuid() == 0:
        return True
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            return "NoNewPrivs:\t1" not in status.read()
    except OSError:
        return True


def warn_of_sudo(files):
    """One line, before anything has been done, rather than an error of sudo's in the middle of an installation."""
    if may_become_root():
        return
    for path in files:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                for number, line in enumerate(file, 1):
                    if line.lstrip().startswith("#"):
                        continue
                    if re.search(r"^\s*(- )?become:\s*[\"']?(true|yes|on)\b|\bsudo\b", line, re.IGNORECASE):
                        say("%s:%d uses sudo, which this step may not: give the job `profile: root` (package "
                            "outpost-root; outpostd(8), UNDER SYSTEMD)" % (path, number))
                        return
        except OSError:
            continue
