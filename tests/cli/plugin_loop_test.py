#!/usr/bin/python3
"""What somebody does who writes a plugin, with the program itself. Argument: the program outpost."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as xml

OUTPOST = os.path.realpath(sys.argv.pop(1))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


class Loop(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="plugin loop.")
        self.addCleanup(temporary.cleanup)
        self.top = os.path.realpath(temporary.name)

    def path(self, *names):
        return os.path.join(self.top, *names)

    def write(self, name, text, mode=0o644):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.path(name), mode)

    def outpost(self, *arguments, status=0, cwd=None):
        ended = subprocess.run(
            [OUTPOST, *arguments],
            cwd=cwd or self.top,
            env={"PATH": os.environ["PATH"], "TMPDIR": self.top, "HOME": self.top},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        output = ended.stdout.decode()
        self.assertEqual(ended.returncode, status, output)
        return output

    def plugin(self, hooks, cases, manifest=""):
        """A plugin called acme: scripts by stage, cases by name."""
        self.write("acme/plugin.yml", f"apiVersion: outpost/v1\nname: acme\nversion: 1.0.0\n{manifest}")
        for stage, script in hooks.items():
            self.write(f"acme/hooks/{stage}", "#!/bin/bash\n" + script, 0o755)
        for name, text in cases.items():
            self.write(f"acme/tests/{name}.t.yml", text)

    def document(self, schema, *arguments, status=0):
        """What a command prints for programs: one document, and nothing else on standard output."""
        ended = subprocess.run(
            [OUTPOST, *arguments, "--json"],
            cwd=self.top,
            env={"PATH": os.environ["PATH"], "TMPDIR": self.top, "HOME": self.top},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(ended.returncode, status, ended.stdout + ended.stderr)
        told = json.loads(ended.stdout)
        self.assertEqual((told["schema"], told["version"]), (schema, 1))
        return told

    def states(self, output):
        return dict(re.findall(r"^(\S.*?) {2,}(passed|FAILED|SKIPPED)\b", output, re.M))

    def test_a_new_plugin_passes_in_each_language(self):
        for language in ("sh", "python", "ansible"):
            if language == "ansible" and not shutil.which("ansible-playbook"):
                print("SKIPPED: a new plugin in Ansible: ansible-playbook is missing", flush=True)
                continue
            with self.subTest(language):
                name = "acme-" + language
                self.outpost("plugin", "new", name, "--lang", language)
                self.assertEqual(self.outpost("plugin", "lint", "--strict", cwd=self.path(name)), "nothing to complain about\n")
                self.assertEqual(
                    self.states(self.outpost("plugin", "test", cwd=self.path(name))), {"install": "passed", "test": "passed"}
                )
                self.assertIn("verdict: success", self.outpost("plugin", "run", cwd=self.path(name)))

    def test_the_transcript_of_hooks_readme_is_what_the_program_prints(self):
        with open(os.path.join(ROOT, "hooks", "README.md"), encoding="utf-8") as file:
            transcript = re.search(r"in three commands:\n\n```\n(.*?)```", file.read(), re.S).group(1)
        told = "".join(line for line in transcript.splitlines(True) if not line.startswith("$ "))
        commands = [line[2:].split("#")[0] for line in transcript.splitlines() if line.startswith("$ ")]
        self.assertEqual(len(commands), 3)
        os.symlink(OUTPOST, self.path("outpost"))
        environment = {"PATH": self.top + ":" + os.environ["PATH"], "TMPDIR": self.top}
        ended = subprocess.run(
            ["bash", "-c", "\n".join(commands)], cwd=self.top, env=environment, capture_output=True, text=True, check=True
        )

        def timeless(text):
            return re.sub(r"\b[0-9.]+m?s\b", "TIME", text)

        self.assertEqual(timeless(ended.stdout), timeless(told))

    def test_a_hook_is_seen_from_all_sides(self):
        self.plugin(
            {
                "install": 'oc get nodes -o json && echo "kind: Pod" | oc apply -f -\n'
                'echo "CSI ready for $ACME_REGION"; cp "$OUTPOST_SHARED/given" "$OUTPOST_STATE/installed"\n'
                'mkdir "$OUTPOST_ARTIFACTS/logs"; echo l >"$OUTPOST_ARTIFACTS/logs/csi.log"\n'
                "cat >\"$OUTPOST_RESULTS/r.xml\" <<<'<testsuite><testcase classname=\"csi\" name=\"ready\"/><testcase name=\"slow\"><failure/></testcase></testsuite>'\n"
                '[ "$(cat "$OUTPOST_SECRETS/password")" = s3cret ] && [ "$OUTPOST_COMPONENT_OCP_VERSION" = 4.16.3 ]\n',
            },
            {
                "right": "hook: install\n"
                'given: {"$OUTPOST_SHARED/given": "one\\n"}\n'
                "job: {components: [{type: ocp, version: 4.16.3}], resources: {cluster4: {hosts: [10.0.0.4]}}}\n"
                "config: {password: s3cret}\nenv: {ACME_REGION: west}\n"
                "stubs:\n  oc:\n    - {args: get nodes -o json, stdout: nodes}\n"
                '    - {args: [apply, "**"], stdin: "*kind: Pod*"}\n'
                'expect:\n  exit: 0\n  verdict: failure\n  reason: tests-failed\n  stdout: [contains: CSI ready for west, not: s3cret, matches: "^nodes"]\n'
                "  results: [{name: ready}, {name: slow, outcome: fail}]\n  artifacts: [logs/*.log]\n"
                '  files: {"$OUTPOST_STATE/installed": {content: "one\\n"}, "$OUTPOST_TMP/none": absent}\n'
                '  leftover_processes: 0\n  duration: "<10min"\n  calls: {oc: 2}\n',
            },
            "config: {type: object, properties: {password: {type: string, x-secret: true}}}\n"
            "env: {allow: [ACME_REGION]}\nhooks: {install: {timeout: 1min, resources: [cluster4]}}\n",
        )
        self.assertEqual(self.states(self.outpost("plugin", "test", "acme")), {"right": "passed"})

    def test_a_plugin_that_is_passed_over_says_why(self):
        self.plugin({"test": "echo ran\n"}, {}, "when: {component_type: [OCP]}\n")
        output = self.outpost("plugin", "run", "--plugin", "acme")
        self.assertIn("- test.acme passed over: component_type: the job has none, and OCP is asked for", output)
        self.assertNotIn("ran", output)

    def test_what_is_not_as_expected_is_shown(self):
        self.plugin(
            {"test": 'printf "one\\nthree\\n" >"$OUTPOST_STATE/f"; oc get pods; echo token hunter2; exit 3\n'},
            {
                "test": 'hook: test\nsecrets: {bmc: hunter2}\nstubs: {oc: [{args: get nodes, times: 1}]}\n'
                'expect:\n  files: {"$OUTPOST_STATE/f": {content: "one\\ntwo\\nthree\\n"}}\n'
            },
        )
        output = self.outpost("plugin", "test", "./acme", "test", "--junit", self.path("out.xml"), status=1)
        self.assertIn("acme/tests/test.t.yml:5:32: expect.files.$OUTPOST_STATE/f\n    - expected, + found\n        one\n      - two\n        three\n", output)
        self.assertIn("called   oc get pods\n      nearest  oc get nodes  (stubs.oc[0], acme/tests/test.t.yml:3:14)\n                      ^^^^\n", output)
        self.assertIn("    output\n      | outpost-stub: nobody expected", output)
        self.assertIn("oc get nodes: expected once, came 0 times", output)
        self.assertIn("the hook printed the secret bmc", output)
        self.assertIn("found     3", output)
        suite = xml.parse(self.path("out.xml")).getroot().find("testsuite")
        self.assertEqual((suite.get("tests"), suite.get("failures")), ("1", "1"))
        told = json.loads(self.outpost("plugin", "test", "acme", "--json", status=1))
        self.assertEqual((told["schema"], told["version"], told["failed"]), ("outpost-plugin-test", 1, 1))
        self.assertEqual(told["runs"][0]["state"], "failed")
        self.assertIn("acme/tests/test.t.yml", [each["file"] for each in told["runs"][0]["mismatches"]])

    def test_a_case_holds_under_faults(self):
        faults = ["cancel@50ms", "timeout@1s", "oom@50ms", "kill-agent@50ms"]
        hooks = {"install": 'bmc wait\necho done >"$OUTPOST_SHARED/done"\n', "release": "bmc off\n"}
        case = (
            "hook: install\njob: {grace: 1s}\n"
            "stubs: {bmc: [{args: wait, delay: 3s}, {args: off, times: 0+}]}\n"
            'expect: {files: {"$OUTPOST_SHARED/done": exists}, calls: {bmc: 1}}\n'
            f'faults: [{", ".join(faults)}]\n'
            'expect_fault: {calls: {bmc: 2}, files: {"$OUTPOST_SHARED/done": absent}}\n'
        )
        self.plugin(hooks, {"a": case})
        runs = json.loads(self.outpost("plugin", "test", "acme", "--json"))["runs"]
        self.assertEqual([(run["fault"], run["state"]) for run in runs], [(each, "passed") for each in ["", *faults]])
        self.assertTrue(all(run["duration_ms"] >= 50 for run in runs), runs)
        self.write("acme/hooks/release", "#!/bin/bash\nexit 0\n", 0o755)
        output = self.outpost("plugin", "test", "acme", status=1)
        self.assertIn("a.t.yml:6:16: expect_fault.calls\n    expected  2 of bmc\n    found     1\n      bmc wait\n", output)
        self.write("acme/hooks/install", "#!/bin/bash\nexit 0\n", 0o755)
        self.assertIn("the hook ended before the fault came: exited with status 0", self.outpost("plugin", "test", "acme", status=1))

    def test_a_full_disk_is_no_success(self):
        self.plugin(
            {"install": 'head -c 100000 /dev/zero >"$OUTPOST_SHARED/image"\n[ "$OUTPOST_JOB_NAME" = test-honest ] || exit 0\n[ -s "$OUTPOST_SHARED/image" ]\n'},
            {name: 'hook: install\nexpect: {files: {"$OUTPOST_SHARED/image": {matches: .}}}\nfaults: [disk-full]\n' for name in ("honest", "liar")},
        )
        output = self.outpost("plugin", "test", "acme", status=1)
        states = self.states(output)
        if "SKIPPED: " in output:
            print("SKIPPED: a full disk: " + re.search(r"SKIPPED: (.*)", output).group(1), flush=True)
            return
        self.assertEqual(states["honest disk-full"], "passed", output)
        self.assertEqual(states["liar disk-full"], "FAILED", output)
        self.assertIn("the hook ended with 0 on a full disk, but", output)

    def test_what_cannot_be_tried_says_so(self):
        self.plugin({"test": "no-such-command\n"}, {"test": "hook: test\n"}, "requires: {commands: [no-such-command]}\n")
        output = self.outpost("plugin", "test", "acme")
        self.assertIn("SKIPPED: test: this machine lacks no-such-command: install it, or give it a stub", output)
        self.write("acme/tests/test.t.yml", "hook: test\nstubs: {no-such-command: [{}]}\n")
        self.assertEqual(self.states(self.outpost("plugin", "test", "acme")), {"test": "passed"})

    def test_a_closing_hook_can_be_tested_alone(self):
        self.plugin({"install": "true\n", "release": 'rm "$OUTPOST_SHARED/lock"\n'},
                    {"release": 'hook: release\ngiven: {"$OUTPOST_SHARED/lock": ""}\nexpect: {exit: 0, files: {"$OUTPOST_SHARED/lock": absent}}\n'})
        self.assertEqual(self.states(self.outpost("plugin", "test", "acme")), {"release": "passed"})

    def test_nothing_is_left_behind(self):
        self.plugin({"test": "true\n"}, {"test": "hook: test\n"})
        self.outpost("plugin", "test", "acme")
        self.assertEqual(os.listdir(self.top), ["acme"])
        kept = re.search(r"files: (.*)", self.outpost("plugin", "test", "acme", "--keep")).group(1)
        self.assertTrue(os.path.isdir(os.path.join(kept, "stubs")))

    def pack(self, *options):
        output = self.outpost("plugin", "pack", "acme", *options)
        return re.search(r"^(/.*\.tgz)$", output, re.M).group(1), re.search(r"digest ([0-9a-f]{64})", output).group(1)

    def test_a_packed_plugin_is_the_same_to_the_byte_and_can_be_verified_and_installed(self):
        self.plugin({"test": "echo tested\n"}, {"test": "hook: test\n"})
        os.symlink("test", self.path("acme/hooks/certify"))
        os.makedirs(self.path("acme/.git"))
        os.makedirs(self.path("acme/__pycache__"))
        archive, digest = self.pack()
        self.assertEqual(os.path.basename(archive), "acme-1.0.0.tgz")
        with open(archive, "rb") as file:
            first = file.read()
        os.utime(self.path("acme/hooks/test"), (0, 0))
        os.chmod(self.path("acme/hooks/test"), 0o700)
        again, same = self.pack("-o", "again.tgz")
        with open(again, "rb") as file:
            self.assertEqual(file.read(), first)
        self.assertEqual(same, digest)
        self.assertIn(digest, self.outpost("plugin", "verify", archive))
        self.outpost("plugin", "verify", archive, "--digest", digest)
        self.assertIn(", and not 00", self.outpost("plugin", "verify", archive, "--digest", "00", status=1))
        os.makedirs(self.path("site"))
        self.outpost("plugin", "install", archive, "--to", "site")
        self.assertEqual(sorted(os.listdir(self.path("site"))), ["acme"])
        self.assertEqual(os.readlink(self.path("site/acme/hooks/certify")), "test")
        self.assertEqual(os.stat(self.path("site/acme/hooks/test")).st_mode & 0o777, 0o755)
        self.assertEqual(os.stat(self.path("site/acme/plugin.yml")).st_mode & 0o777, 0o644)
        self.assertIn(digest, self.outpost("plugin", "verify", "site/acme"))
        self.assertEqual(self.states(self.outpost("plugin", "test", "site/acme")), {"test": "passed"})
        self.assertIn("is there already, version 1.0.0 (--force replaces it)", self.outpost("plugin", "install", archive, "--to", "site", status=1))
        self.write("acme/hooks/test", "#!/bin/bash\necho newer\n", 0o755)
        os.rename(self.path("site/acme"), self.path("site/20-acme"))
        self.assertIn("20-acme, in place of 1.0.0", self.outpost("plugin", "install", "acme", "--to", "site", "--force"))
        self.assertEqual(os.listdir(self.path("site")), ["20-acme"])
        with open(self.path("site/20-acme/hooks/test"), encoding="utf-8") as file:
            self.assertIn("newer", file.read())
        self.outpost("plugin", "remove", "acme", "--from", "site")
        self.assertEqual(os.listdir(self.path("site")), [])
        self.assertIn("there is no plugin acme in site", self.outpost("plugin", "remove", "acme", "--from", "site", status=1))

    def test_a_wrong_configuration_names_no_place_and_no_jobs(self):
        self.plugin({"test": "true\n"}, {})
        self.write("outpost.yml", "plugins_pth: [site]\n")
        os.makedirs(self.path("site"))
        for arguments in (("install", "acme"), ("remove", "acme", "--from", "."), ("list",), ("show", "acme")):
            output = self.outpost("plugin", *arguments, "--config", self.path("outpost.yml"), status=5)
            self.assertIn("plugins_pth", output)
        self.assertTrue(os.path.isdir(self.path("acme")))

    def test_a_wrong_value_is_told_where_it_stands(self):
        config = "config: {type: object, required: [size], properties: {size: {type: integer}, at: {type: object}}}\n"
        self.plugin({"test": "true\n"}, {}, config)
        self.write("my.yml", "at: {}\nsize: many\n")
        for names in ((), ("acme",)):  # The folder, and where it is the working directory.
            output = self.outpost("plugin", "run", *names, "--config", self.path("my.yml"), status=5, cwd=self.path(*(["acme"] if not names else [])))
            self.assertIn("my.yml:2:1: PL018 plugin_config.acme.size: ", output)
            output = self.outpost("plugin", "run", *names, status=5, cwd=self.path(*(["acme"] if not names else [])))
            self.assertIn("no job.yml, no --config: PL018 plugin_config.acme: ", output)
        self.write("acme/job.yml", "name: try\nplugins: [acme]\n")
        self.assertIn("job.yml:2:1: PL018 plugin_config.acme: ", self.outpost("plugin", "run", "acme", status=5))

    def test_a_word_of_another_agent_is_understood(self):
        self.plugin({"test": "true\n", "teardown": "true\n"}, {"a": "hook: teardown\n"})
        self.assertIn('hooks/teardown: error PL019 is no stage, so it never runs (did you mean "release"?)', self.outpost("plugin", "lint", "acme", status=2))
        self.assertIn('warning: acme/hooks/teardown: PL019 is no stage, so it never runs (did you mean "release"?)', self.outpost("plugin", "run", "acme", "--dry-run"))
        output = self.outpost("plugin", "run", "acme", status=5)
        self.assertEqual(output.count('/acme/hooks/teardown: PL019 is no stage, so it never runs (did you mean "release"?)'), 1)
        self.assertNotIn("warning:", output)
        self.assertIn('there is no stage "teardown" (did you mean "release"?)', self.outpost("plugin", "run", "teardown", cwd=self.path("acme"), status=2))
        self.assertIn('"teardown" is no stage (did you mean "release"?)', self.outpost("plugin", "test", "acme", status=5))

    def test_a_playbook_that_is_not_there_is_told_where_it_is_named(self):
        self.plugin({"test": "true\n"}, {}, "hooks:\n  test: {timeout: 1h, playbook: plays/test.yml}\n")
        self.write("job.yml", f"name: try\nplugins: [acme]\nplugins_path: ['{self.top}']\n")
        for command in (("plugin", "lint", "acme"), ("plugin", "run", "acme"), ("job", "run", "job.yml")):
            output = self.outpost(*command, status=2 if "lint" in command else 5)
            self.assertRegex(output, r"acme/plugin.yml:5:23: (error )?PL002 hooks.test.playbook: there is no plays/test.yml in the plugin's folder")
            self.assertRegex(output, r"acme/plugin.yml:5:23: (error )?PL002 hooks.test.playbook: hooks/test is there too")

    def test_only_a_signature_of_a_signer_counts(self):
        if not shutil.which("ssh-keygen"):
            print("SKIPPED: signatures: ssh-keygen is missing: install openssh-client", flush=True)
            return
        self.plugin({"test": "true\n"}, {})
        for name in ("mine", "other"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.path(name)], check=True)
        for name in ("mine", "other"):
            with open(self.path(name + ".pub"), encoding="utf-8") as file:
                self.write(name + ".signers", "ci@acme.example " + file.read())
        archive, _ = self.pack()
        self.assertIn("is not signed", self.outpost("plugin", "verify", archive, "--signers", "mine.signers", status=1))
        archive, _ = self.pack("--sign", "mine")
        self.assertIn("signed by  ci@acme.example", self.outpost("plugin", "verify", archive, "--signers", "mine.signers"))
        self.assertIn("none of the signers", self.outpost("plugin", "verify", archive, "--signers", "other.signers", status=1))
        with open(archive, "ab") as file:
            file.write(b"x")
        self.outpost("plugin", "verify", archive, "--signers", "mine.signers", status=1)

    def test_a_package_that_is_not_what_it_says_is_refused(self):
        self.plugin({"test": "true\n"}, {})
        archive, _ = self.pack()
        os.makedirs(self.path("site"))

        def repacked(change):
            folder = tempfile.mkdtemp(dir=self.top)
            subprocess.run(["tar", "-C", folder, "-xzf", archive], check=True)
            change(folder)
            subprocess.run(["tar", "-C", folder, "-czf", self.path("changed.tgz"), "."], check=True)
            shutil.rmtree(folder)
            return self.outpost("plugin", "install", "changed.tgz", "--to", "site", status=1)

        def append(name, text):
            def change(folder):
                with open(os.path.join(folder, name), "a", encoding="utf-8") as file:
                    file.write(text)

            return change

        self.assertIn("was changed after it had been packed", repacked(append("acme/hooks/test", "evil\n")))
        self.assertIn('holds "more" beside the plugin', repacked(append("more", "")))
        self.assertIn("is no packed plugin", repacked(lambda folder: os.remove(os.path.join(folder, "outpost-plugin.json"))))
        self.assertIn("evil", repacked(lambda folder: os.symlink("../../../etc", os.path.join(folder, "acme", "evil"))))
        self.assertEqual(os.listdir(self.path("site")), [])
        self.write("acme/plugin.yml", "apiVersion: outpost/v1\nname: acme\nversion: 1\nodrer: 1\n")
        self.assertIn('PL005 unknown key "odrer"', self.outpost("plugin", "pack", "acme", status=1))

    def test_a_past_job_runs_again_with_what_was_recorded(self):
        self.plugin(
            {
                "install": 'echo "installing $OUTPOST_COMPONENT_PRODUCT_VERSION with $OUTPOST_CONFIG_MODE"; ls "$OUTPOST_COMPONENT_PRODUCT_PATH"\n',
                "test": 'cat "$OUTPOST_STATE/none" || echo "testing in $OUTPOST_TOPIC"\n',
            },
            {},
            "config: {type: object, properties: {mode: {type: string}}}\n",
        )
        self.write("product/file.bin", "x")
        self.write(
            "job.yml",
            "name: nightly\ntopic: ACME-1\nplugins: [acme]\nplugins_path: [.]\nplugin_config: {acme: {mode: fast}}\n"
            "components: [{type: product, version: '1.0', path: product}]\n",
        )
        self.outpost("job", "run", "-d", "past", "job.yml")
        (job,) = os.listdir(self.path("past/jobs"))
        output = self.outpost("job", "replay", job[:13], "-d", "past")
        self.assertNotIn("not as it was: the files", output)
        for line in ("installing 1.0 with fast", "file.bin", "testing in ACME-1", "verdict: success", "success: all stages went well"):
            self.assertIn(line, output)
        output = self.outpost("job", "replay", job, "-d", "past", "--from", "test", "--plugin", "acme", "-q")
        self.assertNotIn("> install.acme", output)
        self.assertIn("> test.acme", output)
        shutil.rmtree(self.path("product"))
        output = self.outpost("job", "replay", job, "-d", "past")
        self.assertIn("not as it was: the files of the component product 1.0 are gone; hooks find an empty directory (--component product=PATH)", output)
        self.write("other/found.bin", "x")
        self.assertIn("found.bin", self.outpost("job", "replay", job, "-d", "past", "--component", "product=other"))
        self.assertIn("the journal knows no job zz", self.outpost("job", "replay", "zz", "-d", "past", status=1))
        self.assertIn("the job has no plugin other (acme)", self.outpost("job", "replay", job, "-d", "past", "--plugin", "other", status=1))
        shutil.rmtree(self.path("acme"))
        self.assertIn("the plugin acme that the job ran is gone", self.outpost("job", "replay", job, "-d", "past", status=1))

    def test_a_folder_is_a_plugin_wherever_one_is_due(self):
        self.plugin({"test": "echo tested\n"}, {})
        self.assertIn("tested", self.outpost("plugin", "run", "acme"))
        self.assertIn('there is no stage "demo"', self.outpost("plugin", "run", "demo", status=2))

    def test_a_machine_without_a_configuration_is_told_how_to_get_one(self):
        output = self.outpost("status", "--config", self.path("none.yml"), status=5)
        self.assertIn("there is no configuration " + self.path("none.yml"), output)
        self.assertIn("outpost setup --from-dci", output)

    def test_a_mistake_in_a_case_is_told_before_anything_runs(self):
        self.plugin({"test": "true\n"}, {"test": "hook: test\nexpect: {exti: 0}\n"})
        output = self.outpost("plugin", "test", "acme", status=5)
        self.assertEqual(output, 'acme/tests/test.t.yml:2:10: PL005 expect: unknown key "exti" (did you mean "exit"?)\n')
        self.assertIn("error PL005", self.outpost("plugin", "lint", "acme", status=2))
        self.write("acme/tests/late.yml", "---\nhook: test\n")
        self.write("acme/tests/nodes.yml", "nodes: []\n")
        output = self.outpost("plugin", "lint", "acme", status=2)
        self.assertIn("tests/late.yml: warning PL030 is no test case by its name, so it never runs\n    call it late.t.yml", output)
        self.assertNotIn("nodes.yml", output)
        self.assertIn('did you mean "test"?', self.outpost("plugin", "test", "acme", "tes", status=5))

    def test_programs_are_told_in_documents(self):
        self.write("outpost.yml", f"plugins_path: [{self.path('plugins')}]\nstate_directory: state\nruntime_directory: run\n")
        os.mkdir(self.path("plugins"))
        configured = ("--config", self.path("outpost.yml"))
        made = self.document("outpost-plugin-new", "plugin", "new", "acme")
        self.assertIn("acme/hooks/install", made["files"])
        self.assertEqual(self.document("outpost-plugin-lint", "plugin", "lint", "acme")["complaints"], [])
        packed = self.document("outpost-plugin-package", "plugin", "pack", "acme")
        verified = self.document("outpost-plugin-package", "plugin", "verify", packed["path"])
        self.assertEqual((verified["name"], verified["digest"]), ("acme", packed["digest"]))
        installed = self.document("outpost-plugin-package", "plugin", "install", *configured, packed["path"])
        self.assertEqual(installed["path"], self.path("plugins", "acme"))
        listed = self.document("outpost-plugins", "plugin", "list", *configured)
        self.assertEqual([(each["name"], each["stages"]) for each in listed["plugins"]], [("acme", ["install", "test"])])
        shown = self.document("outpost-plugin", "plugin", "show", *configured, "acme")
        self.assertEqual([each["stage"] for each in shown["hooks"]], ["install", "test"])
        removed = self.document("outpost-plugin-remove", "plugin", "remove", *configured, "acme")
        self.assertEqual(removed["path"], self.path("plugins", "acme"))
        planned = self.document("outpost-plugin-plan", "plugin", "run", "acme", "--dry-run")
        self.assertEqual([each["hook"] for each in planned["steps"]], ["install", "test"])
        variables = self.document("outpost-plugin-env", "plugin", "env", "test", "--plugin", "acme")["variables"]
        self.assertEqual(variables["OUTPOST_POINT"], "test")

    def test_a_run_is_told_in_a_document_and_its_logs_line_by_line(self):
        self.plugin({"test": "echo one; printf 'two\\xff'; exit ${FAIL:-0}\n"}, {})
        ran = self.document("outpost-job-run", "plugin", "run", "acme", "--directory", "ran")
        self.assertEqual(ran["job"]["judgement"]["verdict"], "success")
        self.assertEqual([each["step_id"] for each in ran["job"]["steps"]], ["test.acme"])
        self.assertTrue(os.path.isdir(ran["files"]))
        job = ran["job"]["job_id"]
        head, *lines = map(json.loads, self.outpost("job", "logs", "-d", "ran", job, "test.acme", "--json").splitlines())
        self.assertEqual(head, {"schema": "outpost-job-logs", "version": 1, "job_id": job})
        self.assertEqual([each["text"] for each in lines], ["one", "two\\xff"])
        self.assertTrue(lines[0]["time"].endswith("Z") and lines[0]["step_id"] == "test.acme")
        replayed = self.document("outpost-job-run", "job", "replay", "-d", "ran", job)
        self.assertEqual((replayed["job"]["judgement"]["verdict"], replayed["files"]), ("success", ""))
        self.write("acme/hooks/test", "#!/bin/sh\nexit 1\n", 0o755)
        failed = self.document("outpost-job-run", "plugin", "run", "acme", status=1)
        self.assertEqual(failed["job"]["judgement"]["verdict"], "failure")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[1:])
