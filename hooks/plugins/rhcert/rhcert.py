#!/usr/bin/python3
"""Runs Red Hat's certification client (rhcert) on each machine: plan, run, wait, save; its results become cases.

Failed tests make the job a failure; the hook ends with 0 as soon as there are results.
"""

import os
import shlex
import sys
import time

sys.dont_write_bytecode = True
sys.path.append(os.path.join(sys.path[0], "lib"))

import machines
import results
from checks import CONFIGURATION, USAGE, Failed, Report, Skipped, directory, file_name, give_up, say, settings

DEFAULTS = {
    **machines.DEFAULTS,
    "test_plan": "",
    "tests": [],
    "tags": ["non-interactive"],
    "device": "",
    "server": "",
    "clean": True,
    "review": "skip",
    "poll": 30,
    "results": "/var/rhcert/save",
    "lock": "/var/lock/subsys/rhcert",
    "logs": "/var/log/rhcert",
    "waivers": [],
}


class Client:
    """rhcert on one machine."""

    def __init__(self, machine, options):
        self.machine, self.options = machine, options
        if machine.run(["sh", "-c", "command -v rhcert-cli"]).status != 0:
            give_up(
                CONFIGURATION,
                f"{machine.name} has no rhcert-cli: install redhat-certification and the suites of the "
                "certification there (redhat-certification-hardware, ...)",
            )

    def call(self, *arguments, may_be_lost=False):
        """The client asks before it does things; the answer is yes."""
        command = shlex.join(arguments)
        say(f"{self.machine.name}: {command}")
        ended = self.machine.run(["sh", "-c", f"yes | {command}"], may_be_lost=may_be_lost)
        for line in ended.both.splitlines():
            say(f"  {line}")
        return ended

    def must(self, *arguments):
        ended = self.call(*arguments)
        if ended.status != 0:
            give_up(
                CONFIGURATION,
                f"{self.machine.name}: {' '.join(arguments[:2])} ended with status {ended.status}: {ended.both[-500:]}",
            )

    def plan(self):
        if self.options.clean:
            self.must("rhcert-cli", "clean", "all")
        if not self.options.test_plan:
            self.must("rhcert-cli", "plan")
            return
        path = os.path.expandvars(self.options.test_plan)
        with machines.folder_on(self.machine) as folder:
            there = f"{folder}/{file_name(os.path.basename(path))}"
            try:
                self.machine.send(path, there)
            except OSError as error:
                give_up(CONFIGURATION, f"test_plan: {path} cannot be brought to {self.machine.name}: {error}")
            self.must("rhcert-provision", there)

    def run(self):
        chosen = [("--test", name) for name in self.options.tests] or [("--tag", name) for name in self.options.tags]
        chosen += [
            (f"--{name}", value)
            for name, value in (("device", self.options.device), ("server", self.options.server))
            if value
        ]
        # A test may restart the machine; then the client's service goes on by itself.
        ended = self.call("rhcert-cli", "run", *(word for pair in chosen for word in pair), may_be_lost=True)
        if "No such test" in ended.both:
            give_up(USAGE, f"{self.machine.name}: the plan holds no such test: {ended.both.strip()}")
        self.wait()

    def wait(self):
        """Until no test runs any more. The hook's time limit is the end of it."""
        told = None
        while True:
            ended = self.machine.run(["test", "!", "-e", self.options.lock], may_be_lost=True)
            if ended.status == 0:
                return
            state = "does not answer, it restarts" if ended.status == 255 else "still runs tests"
            if state != told:
                say(f"{self.machine.name} {state}; looking every {self.options.poll} s")
            told = state
            time.sleep(self.options.poll)

    def saved(self):
        listed = self.machine.run(
            ["sh", "-c", f"ls -t {shlex.quote(self.options.results)}/rhcert-results-*.xml* 2>/dev/null"]
        )
        return listed.output.splitlines()

    def save(self):
        """Saves the results, and returns their path among the artifacts."""
        before = set(self.saved())
        self.must("rhcert-cli", "save")
        new = [path for path in self.saved() if path not in before] or self.saved()[:1]
        if not new:
            give_up(
                CONFIGURATION,
                f"{self.machine.name}: rhcert-cli save left nothing in {self.options.results}: configure results",
            )
        name = f"{file_name(self.machine.name)}-{os.path.basename(new[0])}"
        return machines.fetch_artifact(self.machine, new[0], name)

    def keep_logs(self):
        logs = self.options.logs
        if not logs or self.machine.run(["test", "-d", logs], may_be_lost=True).status != 0:
            return
        with machines.folder_on(self.machine) as folder:
            packed = self.machine.run(
                ["tar", "-C", os.path.dirname(logs), "-czf", f"{folder}/logs.tar.gz", os.path.basename(logs)]
            )
            if packed.status < 2:  # 1: a file grew meanwhile.
                name = f"rhcert-logs-{file_name(self.machine.name)}.tar.gz"
                machines.fetch_artifact(self.machine, f"{folder}/logs.tar.gz", name)
            else:
                say(f"{self.machine.name}: the logs in {logs} could not be packed: {packed.both}")


def check(test, review):
    """One test of the results, as a check."""
    if test.outcome in ("FAIL", "REVIEW") and not (test.outcome == "REVIEW" and review != "fail"):
        raise Failed(
            f"{test.outcome}: {test.why or 'the client gives no reason'}; its output is below, its log among the "
            "artifacts",
            test.evidence,
        )
    if test.outcome == "REVIEW" and review == "skip":
        raise Skipped(f"Red Hat has to review it when the results are submitted: {test.why or 'no reason given'}")
    if test.outcome == "SKIP":
        raise Skipped(test.why or "the client skipped it")
    if test.outcome == "":
        raise Skipped("it was planned and not run: name it in tests, or its tag in tags")
    if test.outcome not in ("PASS", "WARN", "REVIEW"):
        raise RuntimeError(f"the test did not come to its end ({test.outcome}): run it again")
    return "" if test.outcome == "PASS" else f"{test.outcome}: {test.why}"


def main():
    options = settings(DEFAULTS)
    if options.review not in ("skip", "fail", "pass"):
        give_up(USAGE, f"configuration: review is {options.review!r}, it can be skip, fail or pass")
    directory("OUTPOST_STATE")
    with Report("rhcert", options.waivers) as report:
        for machine in machines.machines(options):
            client = Client(machine, options)
            try:
                client.plan()
                client.run()
                tests = results.tests_in(client.save())
            finally:
                client.keep_logs()
            if not tests:
                give_up(
                    CONFIGURATION,
                    f"{machine.name}: the client has planned no test: install the suites of the certification there",
                )
            for test in tests:
                report.check(f"rhcert.{machine.name}", test.name, check, test, options.review)
    return 0


if __name__ == "__main__":
    sys.exit(main())
