#!/usr/bin/python3
"""Evaluates an XCCDF profile on each machine with oscap, and makes a case of every rule.

Failed rules make the job a failure; the hook ends with 0 as soon as oscap could evaluate them.
"""

import os
import re
import shlex
import sys
import xml.etree.ElementTree as xml

sys.dont_write_bytecode = True
sys.path.append(os.path.join(sys.path[0], "lib"))

import machines
import xccdf
from checks import (
    CONFIGURATION,
    INFRASTRUCTURE,
    USAGE,
    Failed,
    Report,
    Skipped,
    directory,
    file_name,
    give_up,
    say,
    settings,
)

DEFAULTS = {
    **machines.DEFAULTS,
    "profile": "",
    "content": "",
    "tailoring": "",
    "root": "",
    "fail_severity": "low",
    "skip_rules": [],
    "waivers": [],
}
PACKAGE = "openscap-scanner"
GUIDE = "/usr/share/xml/scap/ssg/content"
SEVERITIES = {"high": 3, "medium": 2}  # All else, "unknown" included, is low.


class Evaluation:
    """One machine's, in a directory there that holds the content, and then the results."""

    def __init__(self, machine, folder, options):
        self.machine, self.folder, self.options = machine, folder, options

    def send(self, path):
        """Copies a file there, and returns its name there."""
        there = f"{self.folder}/{os.path.basename(path)}"
        try:
            self.machine.send(path, there)
        except OSError as error:
            give_up(CONFIGURATION, f"{path} cannot be brought to {self.machine.name}: {error}")
        return there

    def content(self):
        if self.options.content:
            path = os.path.expandvars(self.options.content)
            try:
                for other in xccdf.files_beside(path):
                    self.send(other)
            except (OSError, xml.ParseError) as error:
                give_up(CONFIGURATION, f"content: {path} cannot be used: {error}")
            return self.send(path)
        lines = self.machine.run(["cat", "/etc/os-release"]).output.splitlines()
        release = dict(line.split("=", 1) for line in lines if "=" in line)
        system, version = (release.get(name, "").strip("\"'") for name in ("ID", "VERSION_ID"))
        names = {"centos": "cs", "fedora": "fedora"}.get(system, system) + (
            "" if system == "fedora" else version.split(".")[0]
        )
        guide = f"{GUIDE}/ssg-{names}-ds.xml"
        if self.machine.run(["test", "-r", guide]).status != 0:
            give_up(
                CONFIGURATION,
                f"{self.machine.name} has no {guide}: install scap-security-guide there (Debian: ssg-debian), or "
                "configure content",
            )
        return guide

    def evaluate(self):
        """Runs oscap; the names of its results there."""
        version = self.machine.run(["oscap", "--version"])
        if version.status != 0:
            give_up(
                CONFIGURATION,
                f"oscap does not run on {self.machine.name} ({version.both.splitlines()[0]}): install the "
                f"package {PACKAGE} there",
            )
        content = self.content()
        results, report = f"{self.folder}/results.xml", f"{self.folder}/report.html"
        command = [
            "oscap",
            "xccdf",
            "eval",
            "--profile",
            self.options.profile,
            "--results",
            results,
            "--report",
            report,
        ]
        if self.options.tailoring:
            command += ["--tailoring-file", self.send(os.path.expandvars(self.options.tailoring))]
        for rule in self.options.skip_rules:
            command += ["--skip-rule", rule]
        if self.options.root:
            command = ["env", f"OSCAP_PROBE_ROOT={os.path.realpath(os.path.expandvars(self.options.root))}", *command]
        say(f"{self.machine.name}: {shlex.join([*command, content])}")
        ended = self.machine.run([*command, content])
        if ended.status not in (0, 2):  # 2: some rules failed.
            profiles = self.machine.run(["oscap", "info", "--profiles", content]).output
            if "profile" in ended.both.lower():
                give_up(USAGE, f"{ended.both}\nthe profiles of {content} are:\n{profiles}")
            give_up(CONFIGURATION, f"{self.machine.name}: oscap cannot evaluate {content}: {ended.both}")
        return results, report

    def artifacts(self, results, report):
        """Takes the results into the artifacts, and returns the path of the XML there."""
        kept = {}
        for there in (results, report):
            stem, suffix = os.path.splitext(os.path.basename(there))
            name = f"openscap-{stem}-{file_name(self.machine.name)}{suffix}"
            kept[there] = machines.fetch_artifact(self.machine, there, name)
        return kept[results]


def check(rule, least):
    """One rule, as a check."""
    evidence = "\n".join(filter(None, (rule.description, *rule.messages)))
    if rule.result == "fail":
        fix = rule.fix or "correct what the rule below describes; the HTML report shows what was found"
        what = f"{rule.title} ({rule.severity}): {fix}"
        if SEVERITIES.get(rule.severity, 1) < least:
            raise Skipped(f"below fail_severity: {what}")
        raise Failed(what, evidence)
    if rule.result in ("error", "unknown"):
        raise RuntimeError(
            f"oscap could not decide ({'; '.join(rule.messages) or 'no reason given'}); skip_rules leaves it out"
        )
    if rule.result not in ("pass", "fixed"):
        raise Skipped(f"{rule.result}: {'; '.join(rule.messages) or rule.title}")
    return rule.title


def main():
    options = settings(DEFAULTS)
    if not options.profile:
        give_up(USAGE, "configure profile: the id of an XCCDF profile (oscap info --profiles FILE lists them)")
    if options.fail_severity not in ("low", *SEVERITIES):
        give_up(USAGE, f"configuration: fail_severity is {options.fail_severity!r}, it can be low, medium or high")
    directory("OUTPOST_STATE")
    # A directory lies on the jumphost, whatever the job holds.
    places = [machines.Jumphost()] if options.root else machines.machines(options)
    profile = re.sub(r"^xccdf_.*_profile_", "", options.profile)
    with Report("openscap", options.waivers) as report:
        for machine in places:
            with machines.folder_on(machine) as folder:
                evaluation = Evaluation(machine, folder, options)
                results = evaluation.artifacts(*evaluation.evaluate())
            try:
                rules = xccdf.rules_in(results)
            except xml.ParseError as error:
                give_up(INFRASTRUCTURE, f"{machine.name}: oscap's results are not whole, is a disk full? ({error})")
            if not rules:
                give_up(USAGE, f"the profile {options.profile} selects no rule")
            for rule in rules:
                report.check(
                    f"openscap.{profile}.{machine.name}",
                    rule.name,
                    check,
                    rule,
                    SEVERITIES.get(options.fail_severity, 1),
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
