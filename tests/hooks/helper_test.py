#!/usr/bin/python3
"""outpost-hook, without an agent and in a job. Arguments: the programs outpost and outpost-hook."""

import json
import os
import subprocess
import sys
import tempfile

import harness

OUTPOST, HELPER = (os.path.abspath(program) for program in sys.argv[1:3])


class Helper(harness.PluginTest):
    def hook(self, *words, status=0, **variables):
        environment = {"PATH": os.environ["PATH"], "OUTPOST_WORKSPACE": self.path("workspace"), "OUTPOST_SHARED": self.path("shared")}
        ended = subprocess.run(
            [HELPER, *words], capture_output=True, text=True, check=False, env={**environment, **variables}, cwd=self.top
        )
        self.assertEqual(ended.returncode, status, ended.stdout + ended.stderr)
        return ended.stdout, ended.stderr

    def events(self):
        return [json.loads(line) for line in self.read("workspace", ".hook-events.ndjson").splitlines()]

    # ---- without an agent ----

    def test_without_an_agent_it_is_written_down(self):
        self.hook("result", "boots", "fail", "--message", "no ping", "--duration", "1.5")
        self.hook("metric", "speed", "-4.5", "--unit", "MiB/s")
        self.hook("warn", "the", "array", "is", "slow")
        result, metric, warning = self.events()
        self.assertEqual(result["args"], {"name": "boots", "outcome": "fail", "message": "no ping", "duration_ms": 1500})
        self.assertEqual(metric["args"], {"name": "speed", "value": -4.5, "unit": "MiB/s"})
        self.assertEqual((warning["verb"], warning["args"]["text"]), ("warn", "the array is slow"))

    def test_values_keep_their_type(self):
        for text, value in (("3", 3), ("true", True), ('["a"]', ["a"]), ("1.2.3", "1.2.3")):
            self.hook("var", "set", "it", text)
            self.assertEqual(json.loads(self.hook("var", "get", "it", "--json")[0]), value)
        self.hook("var", "set", "it", "3", "--text")
        self.assertEqual(self.hook("var", "get", "it", "--json")[0], '"3"\n')
        self.assertEqual(self.hook("var", "list")[0], 'it="3"\n')
        self.hook("var", "unset", "it")
        self.assertIn("no value it", self.hook("var", "get", "it", status=1)[1])
        self.assertEqual(self.hook("var", "get", "it", "--default", "x")[0], "x\n")

    def test_secrets_are_not_written_down(self):
        self.hook("var", "set", "it", "hunter2", "--secret")
        self.hook("redact", "correct horse")
        self.assertNotIn("hunter2", self.read("workspace", ".hook-events.ndjson"))
        self.assertNotIn("horse", self.read("workspace", ".hook-events.ndjson"))
        self.write("secrets/token", "t0ken")
        known = {"OUTPOST_SECRETS": self.path("secrets")}
        self.assertEqual(self.hook("secret", "get", "token", **known)[0], "t0ken")
        self.assertIn("no secret other", self.hook("secret", "get", "other", status=1, **known)[1])
        self.hook("secret", "get", "../workspace", status=64, **known)

    def test_components_are_found(self):
        known = {"OUTPOST_COMPONENT_ACME_OS_VERSION": "1.2", "OUTPOST_COMPONENT_ACME_OS_PATH": "/there"}
        self.assertEqual(self.hook("component", "path", "acme-os", **known)[0], "/there\n")
        self.assertIn("acme_os", self.hook("component", "version", "ocp", status=1, **known)[1])

    def test_a_command_is_tried_again(self):
        script = 'n=$(cat n 2>/dev/null || echo 0); echo $((n + 1)) >n; [ "$n" -eq 2 ]'
        self.hook("exec", "--retries", "3", "--backoff", "10ms", "--", "sh", "-c", script)
        self.assertEqual(self.read("n"), "3\n")
        self.assertIn("attempt 1 of 1", self.hook("exec", "--", "sh", "-c", "exit 7", status=7)[1])
        self.hook("exec", "--timeout", "100ms", "--", "sleep", "600", status=124)
        self.hook("exec", "--", "/no/such/program", status=127)

    def test_bad_calls_say_what_is_right(self):
        for words, said in (
            (["resutl"], 'did you mean "result"'),
            (["result", "a", "well"], "pass, fail, error, skip or xfail"),
            (["result", "a"], "something is missing"),
            (["result", "a", "pass", "--suit", "s"], 'did you mean "--suite"'),
            (["metric", "a", "fast"], "is no number"),
            (["progress", "half"], "is not like 3/10"),
            (["timeout", "soon"], "is not a duration"),
            (["artifact", "/no/such/file"], "No such file"),
            (["artifact", "/"], "is a directory"),
            (["env", "set", "A B=c"], "is not like NAME=VALUE"),
            (["resource", "lock", "../x"], "is no name"),
            (["heartbeat", "now"], "is too much"),
        ):
            self.assertIn(said, self.hook(*words, status=64)[1], words)

    def test_an_agent_that_is_gone_is_an_error_of_the_lab(self):
        # A socket of which nobody can say that its agent will be back: the directory is not ours to look into.
        self.assertIn("cannot be reached", self.hook("note", "x", status=69, OUTPOST_SOCKET="/proc/version/socket")[1])

    # ---- in a job of an agent that does not listen ----

    def test_in_a_job_nothing_is_lost_without_a_word(self):
        self.write(
            "plugins/own/hooks/test",
            """#!/bin/bash
set -eu
outpost-hook var set n '[1, 2]'; [ "$(outpost-hook var get n)" = "[1,2]" ]
outpost-hook exec --retries 1 --backoff 1ms -- true
outpost-hook warn "it is slow"
! outpost-hook cancelled
status=0; outpost-hook result one fail || status=$?; [ $status -eq 69 ]
status=0; outpost-hook retry 5 || status=$?; [ $status -eq 75 ]
[ ! -e .hook-events.ndjson ]
""",
            0o755,
        )
        job = {"name": "try", "plugins_path": [self.path("plugins")], "plugins": ["own"]}
        file = self.write("job.yml", json.dumps(job))
        # As in packages: the helper is where hooks find it, which in a build it is not.
        script = self.read("plugins/own/hooks/test").replace("set -eu\n", f"set -eu\nPATH={os.path.dirname(HELPER)}:$PATH\n")
        self.write("plugins/own/hooks/test", script, 0o755)
        directory = tempfile.mkdtemp(dir=self.top) + "/job"
        command = [OUTPOST, "job", "run", "--directory", directory, file]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        output = ended.stdout + ended.stderr
        self.assertEqual(ended.returncode, 0, output)
        self.assertIn("warning: it is slow", output)
        self.assertIn("does not listen to hooks", output)


if __name__ == "__main__":
    sys.argv[1:] = sys.argv[3:]
    harness.main()
