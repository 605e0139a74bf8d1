#!/usr/bin/python3
"""What the plugins share: settings, the report, machines."""

import contextlib
import io
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as xml

import harness

sys.path.insert(0, os.path.join(harness.PLUGINS, "lib"))

import checks
import machines


class Library(harness.PluginTest):
    plugin = "none"

    def setUp(self):
        super().setUp()
        before = dict(os.environ)
        self.addCleanup(lambda: (os.environ.clear(), os.environ.update(before)))
        os.environ.update(
            OUTPOST_RESULTS=self.path("results"),
            OUTPOST_STATE=self.path("state"),
            PATH=f"{self.path('bin')}:{os.environ['PATH']}",
        )
        os.environ.pop("OUTPOST_CONFIG", None)

    def quietly(self, action, *arguments):
        """What an action returns or ends with, and what it printed."""
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            try:
                return action(*arguments), printed.getvalue()
            except SystemExit as ending:
                return ending.code, printed.getvalue()

    def configure(self, text):
        os.environ["OUTPOST_CONFIG"] = self.write("config.json", text)

    # ---- settings ----

    def test_settings_are_the_defaults_with_what_is_configured_over_them(self):
        self.configure(json.dumps({"limit": 3, "other": 1}))
        options = checks.settings({"limit": 5, "names": ["a"]})
        self.assertEqual((options.limit, options.names), (3, ["a"]))
        self.assertFalse(hasattr(options, "other"))

    def test_a_configuration_that_does_not_fit_is_a_usage_error(self):
        for text, what in {
            "{": "cannot be read",
            "[]": "not a mapping",
            '{"limit": "3"}': "limit must be a number",
            '{"limit": true}': "limit must be a number",
            '{"names": "a"}': "names must be a list",
        }.items():
            with self.subTest(text):
                self.configure(text)
                status, printed = self.quietly(checks.settings, {"limit": 5, "names": ["a"]})
                self.assertEqual(status, checks.USAGE)
                self.assertIn(what, printed)

    # ---- the report ----

    def report(self, waivers=()):
        def broken():
            raise RuntimeError("why")

        def failing():
            raise checks.Failed('say <what> & "why"\x00\x1b[31m', "evidence ]]> \ud800\nline two")

        def skipped():
            raise checks.Skipped("not here")

        def make():
            with checks.Report("odd", waivers) as report:
                returned = [report.check("odd", action.__name__, action) for action in (broken, failing, skipped, str)]
                return returned, report.failed

        return self.quietly(make)

    def test_a_report_is_xml_whatever_a_check_says(self):
        (returned, failed), printed = self.report()
        self.assertEqual((returned, failed), ([False, False, True, True], True))
        suite = xml.parse(self.path("results", "odd.xml")).getroot()
        self.assertEqual([suite.get(name) for name in ("tests", "failures", "errors", "skipped")], ["4", "1", "1", "1"])
        failure = suite.find("testcase/failure")
        self.assertEqual(failure.get("message"), 'say <what> & "why"??[31m')
        self.assertEqual(failure.text, 'say <what> & "why"??[31m\nevidence ]]> ?\nline two')
        self.assertNotIn("\x1b", printed)

    def test_a_waiver_turns_a_failure_into_a_skip_but_never_an_error(self):
        (_, failed), _ = self.report([{"case": "odd: *", "reason": "ticket 1"}])
        self.assertTrue(failed)
        suite = xml.parse(self.path("results", "odd.xml")).getroot()
        self.assertEqual([suite.get(name) for name in ("failures", "errors", "skipped")], ["0", "1", "2"])
        self.assertIn("waived, ticket 1", suite.findall("testcase/skipped")[0].get("message"))

    def test_a_waiver_without_a_reason_is_a_usage_error(self):
        status, printed = self.report([{"case": "odd: *"}])
        self.assertEqual(status, checks.USAGE)
        self.assertIn("needs a case and a reason", printed)

    def test_long_evidence_is_cut(self):
        def failing():
            raise checks.Failed("text", "x" * (checks.MOST_EVIDENCE + 10))

        def make():
            with checks.Report("long") as report:
                report.check("long", "case", failing)

        self.quietly(make)
        text = xml.parse(self.path("results", "long.xml")).getroot().find("testcase/failure").text
        self.assertEqual(len(text), len("text\n") + checks.MOST_EVIDENCE + len("\n[...]"))

    def test_a_report_is_written_when_the_hook_is_stopped(self):
        script = """import os, signal, sys
sys.path.insert(0, sys.argv[1])
import checks
with checks.Report("stopped") as report:
    report.check("stopped", "first", lambda: None)
    os.kill(os.getpid(), signal.SIGTERM)
    report.check("stopped", "second", lambda: None)
"""
        ended = subprocess.run(
            [sys.executable, "-c", script, os.path.join(harness.PLUGINS, "lib")], capture_output=True, check=False
        )
        self.assertEqual(ended.returncode, 143)
        self.assertEqual(xml.parse(self.path("results", "stopped.xml")).getroot().get("tests"), "1")

    def test_a_bug_is_the_plugins_even_where_nothing_can_be_printed(self):
        for output in ("/dev/null", "/dev/full"):
            with open(output, "w", encoding="utf-8") as stdout:
                ended = subprocess.run(
                    [sys.executable, "-c", "import checks; print('began'); raise KeyError('release')"],
                    env={**os.environ, "PYTHONPATH": os.path.join(harness.PLUGINS, "lib"), "PYTHONUNBUFFERED": ""},
                    stdout=stdout,
                    stderr=subprocess.PIPE,
                    check=False,
                )
            self.assertEqual(ended.returncode, checks.BUG, output)
            self.assertIn(b"KeyError: 'release'", ended.stderr)

    # ---- machines ----

    def machines(self, resources="{}", **configured):
        os.environ["OUTPOST_RESOURCES"] = resources
        self.configure(json.dumps(configured))
        return self.quietly(lambda: machines.machines(checks.settings(machines.DEFAULTS)))

    def test_hosts_of_the_job_come_before_the_jumphost(self):
        self.ssh_stands_in()
        resources = '{"a": {"hosts": ["10.0.0.1", "10.0.0.2"]}, "b": {"hosts": ["10.0.0.2"]}}'
        self.assertEqual([machine.name for machine in self.machines(resources)[0]], ["10.0.0.1", "10.0.0.2"])
        self.assertEqual([machine.name for machine in self.machines(resources, machines="jumphost")[0]], ["jumphost"])
        self.assertEqual([machine.name for machine in self.machines('{"a": {"hosts": []}}')[0]], ["jumphost"])

    def test_what_is_wrong_with_machines_is_said(self):
        self.assertEqual(self.machines(machines="hosts")[0], checks.CONFIGURATION)
        self.assertEqual(self.machines(machines="host")[0], checks.USAGE)
        self.assertEqual(self.machines("nonsense")[0], checks.USAGE)

    def test_commands_and_input_reach_a_host_as_they_are(self):
        self.ssh_stands_in()
        (host,), _ = self.machines('{"a": {"hosts": ["10.0.0.1"]}}')
        ended = host.run(["sh", "-c", 'echo "$LAB_HOST: $1 $(cat)"', "-", "two  words; $HOME `id`"], given="read")
        self.assertEqual((ended.status, ended.output), (0, "10.0.0.1: two  words; $HOME `id` read\n"))

    def test_a_key_among_the_secrets_is_used(self):
        self.command("ssh", 'echo "$*"')
        self.write("secrets/ssh_key", "key\n")
        self.write("secrets/another", "key\n")
        os.environ["OUTPOST_SECRETS"] = self.path("secrets")
        (host,), _ = self.machines('{"a": {"hosts": ["10.0.0.1"]}}', ssh_user="tester")
        output = host.run(["true"]).output
        self.assertIn(f"-i {self.path('secrets', 'ssh_key')}", output)
        self.assertIn("-l tester -- 10.0.0.1 true", output)
        (host,), _ = self.machines('{"a": {"hosts": ["10.0.0.1"]}}', ssh_key={"$secret": "another"})
        self.assertIn(f"-i {self.path('secrets', 'another')}", host.run(["true"]).output)
        (host,), _ = self.machines('{"a": {"hosts": ["10.0.0.1"]}}', ssh_key={"$secret": "nosuch"})
        self.assertNotIn(" -i ", host.run(["true"]).output)

    def test_a_host_that_does_not_answer_is_the_labs_fault(self):
        self.command("ssh", "echo 'No route to host' >&2; exit 255")
        (host,), _ = self.machines('{"a": {"hosts": ["10.0.0.1"]}}')
        status, printed = self.quietly(host.run, ["true"])
        self.assertEqual(status, checks.INFRASTRUCTURE)
        self.assertIn("10.0.0.1 cannot be reached over ssh: No route to host", printed)

    def test_files_go_to_a_machine_and_come_back_byte_for_byte(self):
        self.ssh_stands_in()
        data = bytes(range(256)) * 300
        with open(self.path("here"), "wb") as file:
            file.write(data)
        for machine in (machines.Jumphost(), self.machines('{"a": {"hosts": ["10.0.0.1"]}}')[0][0]):
            with self.subTest(machine.name):
                machine.send(self.path("here"), self.path("there"))
                machine.fetch(self.path("there"), self.path("back"))
                with open(self.path("back"), "rb") as file:
                    self.assertEqual(file.read(), data)
                with self.assertRaisesRegex(OSError, "nowhere"):
                    machine.fetch(self.path("nowhere"), self.path("back"))


if __name__ == "__main__":
    harness.main()
