"""The result files of Red Hat's certification client, rhcert-results-HOST-DATE.xml, as they are known from outside.

There is no published schema. What is relied on: `test` elements with a name, with a `run` for each time that the test
was run; a run's `summary` says PASS, FAIL, WARN, REVIEW, SKIP, ABORT or INCOMPLETE in its attribute data-value, or as its
text; `output` is what the test printed, `command` elements say what it called and how that ended.
"""

import collections
import gzip
import re
import xml.etree.ElementTree as xml

from checks import CONFIGURATION, give_up

MOST_LINES = 100  # Of a test's output, the last ones.
OUTCOMES = ("PASS", "FAIL", "WARN", "REVIEW", "SKIP", "ABORT", "INCOMPLETE")


class Test:
    """`outcome` is one of OUTCOMES, or empty when the test was not run."""

    def __init__(self, name, outcome, why, evidence):
        self.name, self.outcome, self.why, self.evidence = name, outcome, why, evidence


def text_of(element):
    return "".join(element.itertext()).strip() if element is not None else ""


def outcome_of(run):
    """How a run ended, and what its summary says about it."""
    summary = run.find("summary")
    if summary is None:
        return "INCOMPLETE", "it has no summary"
    text = " ".join(text_of(summary).split())
    said = (summary.get("data-value") or "").upper()
    if said not in OUTCOMES:
        said = next((word for word in re.findall(r"[A-Z]+", text) if word in OUTCOMES), "INCOMPLETE")
    return said, text if text.upper() != said else ""


def failed_commands(run):
    for command in run.iter("command"):
        status = command.get("return-value")
        if status not in (None, "", "0"):
            errors = text_of(command.find("stderr")).splitlines()
            yield f"{command.get('command') or 'a command'}: status {status}" + (f": {errors[-1]}" if errors else "")


def evidence_of(run):
    output = "\n".join(text_of(element) for element in run.iter("output"))
    lines = [line.rstrip() for line in output.splitlines()]
    return "\n".join([*failed_commands(run), *lines[-MOST_LINES:]])


def first_reason(run, why):
    """The line that says best why a run failed."""
    lines = (line.strip() for element in run.iter("output") for line in text_of(element).splitlines())
    return (
        why
        or next((line for line in lines if re.match(r"(error|fail(ed|ure)?)\b", line, re.IGNORECASE)), "")
        or next(failed_commands(run), "")
    )


def name_of(element):
    device = element.get("logical-device") or element.get("device") or ""
    name = element.get("name") or element.get("path") or "unnamed"
    return f"{name} on {device}" if device else name


def tests_in(path):
    """The tests of a result file, in its order."""
    try:
        with gzip.open(path) if path.endswith(".gz") else open(path, "rb") as file:
            tree = xml.parse(file)
    except (OSError, EOFError, xml.ParseError) as error:
        give_up(CONFIGURATION, f"{path} is not what rhcert saves: {error}")
    tests, seen = [], collections.Counter()
    for element in tree.iter("test"):
        name = name_of(element)
        seen[name] += 1
        if seen[name] > 1:
            name += f" #{seen[name]}"
        runs = element.findall("run") or element.findall("*/run")
        if not runs:
            tests.append(Test(name, "", "", ""))
            continue
        outcome, why = outcome_of(runs[-1])  # What was run again counts as it ended last.
        tests.append(
            Test(name, outcome, first_reason(runs[-1], why) if outcome != "PASS" else "", evidence_of(runs[-1]))
        )
    return tests
