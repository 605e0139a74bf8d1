"""What the plugins that come with Outpost share: exit codes, settings, commands, and a JUnit report.

A failed check is a case that says what was found and what to do about it. Python's standard library only, from 3.9 on.
"""

import fnmatch
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

# The contract's exit codes that are used here; every other one blames the product (hooks/README.md).
USAGE, BUG, INFRASTRUCTURE, CONFIGURATION = 64, 70, 77, 78

# Of the evidence below a case at most this much is kept; the artifacts hold all of it.
MOST_EVIDENCE = 64 * 1024


class Failed(Exception):
    """The product is not as it should be. `text` says what was found and what to do, `evidence` shows it."""

    def __init__(self, text, evidence=""):
        super().__init__(text)
        self.evidence = evidence


class Skipped(Exception):
    """The check cannot be made here, and why."""


def say(text):
    print(text, flush=True)


def give_up(status, text):
    """Ends the hook: the exit status says whose fault it is."""
    print(f"ERROR: {text}", file=sys.stderr, flush=True)
    sys.exit(status)


def blame_the_plugin(kind, error, trace):
    """What nobody has expected is the plugin's bug; Python itself would end with 1, which blames the product."""
    try:
        sys.__excepthook__(kind, error, trace)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(BUG)  # Also where nothing more can be written, as on a full disk.


sys.excepthook = blame_the_plugin


def variable(name):
    """A variable that the agent sets; a hook run by hand gets a sentence and not a traceback."""
    value = os.environ.get(name)
    if not value:
        give_up(USAGE, f"{name} is not set: hooks are run by the agent, or by `outpost job run`")
    return value


def directory(name):
    """The directory that a variable of the agent names; it is there afterwards."""
    path = os.path.abspath(variable(name))
    os.makedirs(path, exist_ok=True)
    return path


def artifact(name):
    """The path of an artifact; its directory is there afterwards."""
    return os.path.join(directory("OUTPOST_ARTIFACTS"), name)


def write_artifact(name, text):
    with open(artifact(name), "w", encoding="utf-8") as file:
        file.write(text)


def printable(text):
    """Text as it can stand in a log and in XML 1.0, which has no way to write most control characters."""
    return re.sub("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "?", text)


def file_name(text):
    """Text as part of a file's name."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", text).lstrip(".") or "_"


def first_of(found):
    """The first of what was found, and how much more there is; the evidence holds all of it."""
    return f"{found[0]} (and {len(found) - 1} more)" if len(found) > 1 else f"{found[0]}"


# ---- settings --------------------------------------------------------------------------------------------------------


def settings(defaults):
    """The plugin's configuration over its defaults, as attributes. Their types are those of the defaults."""
    values, path = dict(defaults), os.environ.get("OUTPOST_CONFIG")
    if path:
        try:
            with open(path, encoding="utf-8") as file:
                given = json.load(file)
        except (OSError, ValueError) as error:
            give_up(USAGE, f"the plugin's configuration cannot be read: {error}")
        if not isinstance(given, dict):
            give_up(USAGE, f"{path}: the plugin's configuration is not a mapping")
        values.update({name: value for name, value in given.items() if name in defaults})
    for name, default in defaults.items():
        if not isinstance(values[name], type(default)) or isinstance(values[name], bool) != isinstance(default, bool):
            kind = {str: "text", int: "a number", bool: "true or false", list: "a list", dict: "a mapping"}[
                type(default)
            ]
            give_up(USAGE, f"configuration of {os.environ.get('OUTPOST_PLUGIN', 'the plugin')}: {name} must be {kind}")
    return type("Settings", (), values)


# ---- commands --------------------------------------------------------------------------------------------------------


class Ended:
    """A command that has ended: its status, and what it printed."""

    def __init__(self, status, output, errors):
        self.status, self.output, self.errors = status, output, errors

    @property
    def both(self):
        return "\n".join(text.strip("\n") for text in (self.output, self.errors) if text.strip())


def run(command, given=None, environment=None):
    """Runs a command to its end; `given` is what it reads."""
    try:
        ended = subprocess.run(
            command,
            input=None if given is None else given.encode(),
            check=False,
            capture_output=True,
            stdin=subprocess.DEVNULL if given is None else None,
            env={**os.environ, "LC_ALL": "C.UTF-8", **(environment or {})},
        )
    except OSError as error:
        give_up(CONFIGURATION, f"{command[0]} cannot be run: {error.strerror}")
    return Ended(ended.returncode, ended.stdout.decode("utf-8", "replace"), ended.stderr.decode("utf-8", "replace"))


def need_command(name, package):
    """Ends the hook when this machine lacks a command."""
    path = shutil.which(name)
    if path is None:
        give_up(CONFIGURATION, f"the command {name} is missing on this machine: install the package {package}")
    return path


# ---- the report ------------------------------------------------------------------------------------------------------


class Report:
    """JUnit, `SUITE.xml` among the results. Written at the end of the `with`, however that comes.

    Failures that a waiver names (`waivers: [{case: "CLASS: NAME", reason: TEXT}]`, `*` matches anything) are skipped.
    """

    def __init__(self, suite, waivers=()):
        self.suite = xml.Element("testsuite", name=suite)
        self.counts = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
        self.waivers = []
        for waiver in waivers:
            if not isinstance(waiver, dict) or not waiver.get("case") or not waiver.get("reason"):
                give_up(USAGE, f"configuration of {suite}: each of the waivers needs a case and a reason")
            self.waivers.append((str(waiver["case"]), str(waiver["reason"])))
        self.results = directory("OUTPOST_RESULTS")

    def __enter__(self):
        self.began = time.monotonic()
        signal.signal(signal.SIGTERM, lambda *unused: sys.exit(128 + signal.SIGTERM))  # Then the report is written too.
        return self

    def __exit__(self, *unused):
        name = self.suite.get("name")
        for count, number in self.counts.items():
            self.suite.set(count, str(number))
        self.suite.set("time", f"{time.monotonic() - self.began:.3f}")
        xml.indent(self.suite)
        part = os.path.join(self.results, f".{name}.part")
        xml.ElementTree(self.suite).write(part, encoding="utf-8", xml_declaration=True)
        os.replace(part, os.path.join(self.results, f"{name}.xml"))
        say(f"{name}: " + ", ".join(f"{number} {count}" for count, number in self.counts.items()))

    @property
    def failed(self):
        return self.counts["failures"] + self.counts["errors"] > 0

    def check(self, group, name, action, *arguments):
        """One case: passed when the action returns; True unless it failed. What it returns is a line for the log."""
        began, kind, text, evidence = time.monotonic(), None, "", ""
        try:
            text = action(*arguments) or ""
        except Failed as failed:
            kind, text, evidence = "failure", str(failed), failed.evidence
        except Skipped as skipped:
            kind, text = "skipped", str(skipped)
        except Exception as error:  # The check itself is broken: neither passed nor the product's failure.
            kind, text = "error", f"the check itself broke, report it: {type(error).__name__}: {error}"
        waived = self.waived(f"{group}: {name}") if kind == "failure" else None
        if waived is not None:
            kind, text = "skipped", f"waived, {waived}: {text}"
        self.add(group, name, kind, text, evidence, time.monotonic() - began)
        return kind in (None, "skipped")

    def waived(self, case):
        return next((reason for pattern, reason in self.waivers if fnmatch.fnmatchcase(case, pattern)), None)

    def add(self, group, name, kind, text, evidence="", seconds=0.0):
        """A case whose outcome is known: `kind` is None, or failure, error, skipped."""
        case = xml.SubElement(
            self.suite, "testcase", classname=printable(group), name=printable(name), time=f"{seconds:.3f}"
        )
        self.counts["tests"] += 1
        text = printable(text)
        if kind is None:
            say(f"ok       {group}: {name}" + (f" ({text})" if text else ""))
            return
        self.counts[{"failure": "failures", "error": "errors", "skipped": "skipped"}[kind]] += 1
        evidence = printable(evidence)
        if len(evidence) > MOST_EVIDENCE:
            evidence = evidence[:MOST_EVIDENCE] + "\n[...]"
        xml.SubElement(case, kind, message=text).text = f"{text}\n{evidence}" if evidence else text
        say(f"{kind.upper():8} {group}: {name}\n           {text}")
        for line in evidence.splitlines()[:40]:
            say(f"           | {line}")
