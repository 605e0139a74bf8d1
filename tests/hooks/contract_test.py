#!/usr/bin/python3
"""Each row of the tables Environment and Exit codes in hooks/README.md, with a real hook. Argument: the program outpost.

A row without a check fails, and so does a check without a row."""

import datetime
import json
import os
import re
import signal
import subprocess
import sys
import tempfile

import harness

OUTPOST = os.path.abspath(sys.argv[1])
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Writes down all that the contract says something about, and does as it is told for its stage.
HOOK = """#!/usr/bin/python3
import json, os, stat, subprocess, sys

variables = dict(os.environ)
def content(path):
    with open(path, encoding="utf-8") as file:
        return file.read()
mask = os.umask(0)
os.umask(mask)
read = {name: content(variables[name]) for name in ("OUTPOST_CONFIG", "OUTPOST_JOB_JSON") if name in variables}
secrets = {}
if "OUTPOST_SECRETS" in variables:
    for name in os.listdir(variables["OUTPOST_SECRETS"]):
        path = os.path.join(variables["OUTPOST_SECRETS"], name)
        secrets[name] = (content(path), stat.S_IMODE(os.stat(path).st_mode))
seen = {
    "variables": variables, "files": read, "secrets": secrets, "arguments": sys.argv[1:], "directory": os.getcwd(), "umask": mask,
    "stdin": os.readlink("/proc/self/fd/0"), "one pipe": os.fstat(1).st_ino == os.fstat(2).st_ino, "session": os.getsid(0) == os.getpid(),
    "directories": {name: os.access(value, os.W_OK | os.X_OK) for name, value in variables.items() if value.startswith("/") and os.path.isdir(value)},
    "components": sorted(os.listdir(variables["OUTPOST_COMPONENTS"])), "socket": stat.S_ISSOCK(os.stat(variables["OUTPOST_SOCKET"]).st_mode),
    "library": os.listdir(variables.get("OUTPOST_LIB", "/")),
    "was here": os.path.exists(os.path.join(variables["OUTPOST_STATE"], "mark")),
}
open(os.path.join(variables["OUTPOST_STATE"], "mark"), "w").close()
open(os.path.join(variables["OUTPOST_SHARED"], "shared"), "w").close()
point = variables["OUTPOST_POINT"]
again = point == "install" and variables["OUTPOST_ATTEMPT"] == "1"
if again:
    subprocess.run(["outpost-hook", "retry", "1"], check=False)
with open(f"TOP/{point}.{variables['OUTPOST_ATTEMPT']}.json", "w", encoding="utf-8") as file:
    json.dump(seen, file)
sys.exit(69 if again else 3 if point == "test" else 0)
"""

MANIFEST = {
    "apiVersion": "outpost/v1",
    "name": "own",
    "version": "2.3.1",
    "compat": ["dci"],
    "config": {
        "type": "object",
        "properties": {
            "pool": {"type": "object", "properties": {"size": {"type": "integer"}}},
            "array-ip": {"type": "string"},
            "fast": {"type": "boolean", "default": True},
            "password": {"type": "string", "x-secret": True},
        },
    },
    "hooks": {"install": {"timeout": "10min", "grace": "7s", "retries": 2, "retry_on": [69]}},
    "env": {"allow": ["ACME_*"]},
}

# Known with a control server only: these files look at them.
ELSEWHERE = ("tests/integration/main_job_test.cpp", "tests/plugins/hooks/environment_test.cpp")
WITH_SERVER = {"OUTPOST_JOB_URL", "OUTPOST_PIPELINE_ID", "OUTPOST_TEAM_ID", "OUTPOST_REMOTECI_ID", "DCI_CS_URL"}


def table(title):
    """The rows of the first table below a heading of hooks/README.md, as lists of cells."""
    with open(os.path.join(ROOT, "hooks", "README.md"), encoding="utf-8") as file:
        section = file.read().split(f"\n## {title}\n")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("|")]
    return rows[2:]


def names_in(cell):
    return re.findall(r"`([^`]+)`", cell)


def one_job(test):
    """A job whose hook of install is run twice, and whose hook of test fails; what each hook has seen, by stage and attempt."""
    test.write("plugins/20-own/plugin.yml", json.dumps(MANIFEST))
    for stage in ("acquire", "install", "test", "collect"):
        test.write(f"plugins/20-own/hooks/{stage}", HOOK.replace("TOP", test.top), 0o755)
    test.write("secret", "hunter2\n", 0o600)
    test.write("component/readme", "read me\n")
    job = {
        "name": "try",
        "topic": "ACME-1",
        "plugins_path": [test.path("plugins")],
        "plugins": ["own"],
        "timeout": "1h",
        "grace": "9s",
        "components": [
            {"type": "acme-os", "version": "1.2", "path": test.path("component")},
            {"type": "acme-os", "version": "1.3", "path": test.path("component")},
        ],
        "resources": {"cluster4": {"hosts": ["10.0.0.4"]}},
        "secrets": {"token": {"file": test.path("secret")}},
        "plugin_config": {"own": {"pool": {"size": 4}, "array-ip": "192.0.2.10", "password": {"secret": "token"}}},
    }
    file = test.write("job.yml", json.dumps(job))
    command = [OUTPOST, "job", "run", "--directory", test.path("job"), file]
    environment = {**os.environ, "ACME_ZONE": "blue", "OTHER": "red", "http_proxy": "http://proxy:1", "NO_PROXY": "localhost"}
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    test.assertEqual(ended.returncode, 1, ended.stdout + ended.stderr)
    seen = {}
    for name in os.listdir(test.top):
        if name.endswith(".json"):
            seen[name[: -len(".json")]] = json.loads(test.read(name))
    test.assertEqual(set(seen), {"acquire.1", "install.1", "install.2", "test.1", "collect.1"}, ended.stdout)
    return seen


class Contract(harness.PluginTest):
    def test_each_row_of_the_environment(self):
        seen = one_job(self)
        install, again, closing = seen["install.1"], seen["install.2"], seen["collect.1"]
        env, after = install["variables"], closing["variables"]
        now = datetime.datetime.now(datetime.timezone.utc)
        deadline = datetime.datetime.fromisoformat(env["OUTPOST_DEADLINE"].replace("Z", "+00:00"))
        document = json.loads(install["files"]["OUTPOST_JOB_JSON"])
        writable = {name: install["directories"].get(env[name]) or install["directories"].get(name) for name in env}

        def below(name, other):
            return env[name].startswith(env[other] + "/") or env[name] == env[other]

        checks = {
            "OUTPOST": env["OUTPOST"] == "1",
            "OUTPOST_API": env["OUTPOST_API"] == "1",
            "OUTPOST_API_MINOR": env["OUTPOST_API_MINOR"] == "1",
            "OUTPOST_VERSION": env["OUTPOST_VERSION"] == subprocess.run([OUTPOST, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1],
            "OUTPOST_POINT": (env["OUTPOST_POINT"], after["OUTPOST_POINT"]) == ("install", "collect"),
            "OUTPOST_REASON": [each["variables"]["OUTPOST_REASON"] for each in (install, again, closing)] == ["normal", "retry", "prior-failure"],
            "OUTPOST_ATTEMPT": (env["OUTPOST_ATTEMPT"], again["variables"]["OUTPOST_ATTEMPT"]) == ("1", "2"),
            "OUTPOST_MAX_ATTEMPTS": (env["OUTPOST_MAX_ATTEMPTS"], after["OUTPOST_MAX_ATTEMPTS"]) == ("3", "1"),
            "OUTPOST_REBOOT_COUNT": env.get("OUTPOST_REBOOT_COUNT") == "0",
            "OUTPOST_TIMEOUT": 590 < int(env["OUTPOST_TIMEOUT"]) <= 600,
            "OUTPOST_DEADLINE": abs((deadline - now).total_seconds() - 600) < 300,
            "OUTPOST_GRACE": (env["OUTPOST_GRACE"], after["OUTPOST_GRACE"]) == ("7", "9"),
            "OUTPOST_PLUGIN": env["OUTPOST_PLUGIN"] == "own",
            "OUTPOST_PLUGIN_DIR": os.path.basename(env["OUTPOST_PLUGIN_DIR"]) != "" and "OUTPOST_PLUGIN_DIR" in env,
            "OUTPOST_PLUGIN_VERSION": env["OUTPOST_PLUGIN_VERSION"] == "2.3.1",
            "OUTPOST_CONFIG": json.loads(install["files"]["OUTPOST_CONFIG"])
            == {"pool": {"size": 4}, "array-ip": "192.0.2.10", "fast": True, "password": {"$secret": "password"}},
            "OUTPOST_CONFIG_<PROPERTY>": {name: value for name, value in env.items() if name.startswith("OUTPOST_CONFIG_")}
            == {"OUTPOST_CONFIG_POOL_SIZE": "4", "OUTPOST_CONFIG_ARRAY_IP": "192.0.2.10", "OUTPOST_CONFIG_FAST": "true"},
            "OUTPOST_JOB_ID": env["OUTPOST_JOB_ID"] == after["OUTPOST_JOB_ID"] != "",
            "OUTPOST_LOCAL_JOB_ID": env["OUTPOST_LOCAL_JOB_ID"] in env["OUTPOST_WORKSPACE"],
            "OUTPOST_JOB_NAME": env["OUTPOST_JOB_NAME"] == "try",
            "OUTPOST_TOPIC": env["OUTPOST_TOPIC"] == "ACME-1",
            "OUTPOST_JOB_JSON": [each["version"] for each in document["components"]] == ["1.2", "1.3"],
            "OUTPOST_RESOURCES": json.loads(env["OUTPOST_RESOURCES"]) == {"cluster4": {"hosts": ["10.0.0.4"]}},
            "OUTPOST_COMPONENTS": install["components"] == ["acme-os", "acme-os-2", "acme-os-2.json", "acme-os.json"],
            "OUTPOST_COMPONENT_<TYPE>_VERSION": (env["OUTPOST_COMPONENT_ACME_OS_VERSION"], env["OUTPOST_COMPONENT_ACME_OS_2_VERSION"]) == ("1.2", "1.3"),
            "OUTPOST_COMPONENT_<TYPE>_URL": "OUTPOST_COMPONENT_ACME_OS_URL" in env,
            "OUTPOST_COMPONENT_<TYPE>_PATH": below("OUTPOST_COMPONENT_ACME_OS_PATH", "OUTPOST_COMPONENTS"),
            "OUTPOST_WORKSPACE": install["directory"] == env["OUTPOST_WORKSPACE"] == after["OUTPOST_WORKSPACE"],
            "OUTPOST_STATE": [seen[name]["was here"] for name in ("acquire.1", "install.1", "collect.1")] == [False, True, True],
            "OUTPOST_SHARED": writable["OUTPOST_SHARED"],
            "OUTPOST_TMP": writable["OUTPOST_TMP"] and env["OUTPOST_TMP"] != after["OUTPOST_TMP"],
            "OUTPOST_RESULTS": writable["OUTPOST_RESULTS"] and env["OUTPOST_RESULTS"] != again["variables"]["OUTPOST_RESULTS"],
            "OUTPOST_ARTIFACTS": writable["OUTPOST_ARTIFACTS"] and env["OUTPOST_ARTIFACTS"] != after["OUTPOST_ARTIFACTS"],
            "OUTPOST_SECRETS": install["secrets"] == {"password": ["hunter2", 0o400]},
            "OUTPOST_SOCKET": install["socket"],
            "OUTPOST_LIB": {"hook.bash", "outpost_hook.py"} <= set(install["library"]),
            "OUTPOST_LOG_LEVEL": env["OUTPOST_LOG_LEVEL"] == "info",
            "OUTPOST_RESULT_SO_FAR": "OUTPOST_RESULT_SO_FAR" not in env and after["OUTPOST_RESULT_SO_FAR"] == "failure",
            "OUTPOST_FAILED_POINT": "OUTPOST_FAILED_POINT" not in env and after["OUTPOST_FAILED_POINT"] == "test",
            "OUTPOST_FAILED_PLUGIN": after["OUTPOST_FAILED_PLUGIN"] == "own",
            "OUTPOST_EXIT_STATUS": "OUTPOST_EXIT_STATUS" not in env and after["OUTPOST_EXIT_STATUS"] == "3",
            "TRACEPARENT": re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", env["TRACEPARENT"]) is not None
            and env["TRACEPARENT"].split("-")[1] == after["TRACEPARENT"].split("-")[1],
            "PATH": "/usr/libexec/outpost/bin" in env["PATH"].split(":") and "/usr/bin" in env["PATH"].split(":"),
            "HOME": below("HOME", "OUTPOST_TMP"),
            "TMPDIR": env["TMPDIR"] == env["OUTPOST_TMP"],
            "OUTPOST_DRY_RUN": "OUTPOST_DRY_RUN" not in env and self.dry_run() == "1",
            "DCI_JOB_ID": env["DCI_JOB_ID"] == env["OUTPOST_JOB_ID"],
            "CI": env["CI"] == "true",
            "LANG": env["LANG"] == "C.UTF-8",
            "TZ": env["TZ"] == "UTC",
            "NO_COLOR": env["NO_COLOR"] == "1",
            "NO_PROXY": env["NO_PROXY"] == "localhost",
            "http_proxy": env["http_proxy"] == "http://proxy:1",
        }
        for proxy in ("HTTP_PROXY", "HTTPS_PROXY", "https_proxy", "no_proxy"):
            checks[proxy] = env.get(proxy) == os.environ.get(proxy)
        for name in WITH_SERVER:
            checks[name] = name not in env and self.is_looked_at_elsewhere(name)

        rows = table("Environment")
        self.assertGreater(len(rows), 30)
        for cell, _ in rows:
            for name in names_in(cell):
                with self.subTest(row=name):
                    self.assertTrue(checks.pop(name, None), f"{name}: {env.get(name)}, in collect {after.get(name)}")
        self.assertEqual(checks, {}, "there are checks without a row")

        # And nothing else: what the manifest lets in, and not what it does not.
        known = {name for cell, _ in rows for name in names_in(cell)}
        others = {name for name in env if name not in known and not name.startswith(("OUTPOST_CONFIG_", "OUTPOST_COMPONENT_"))}
        self.assertEqual(others - {"LC_CTYPE"}, {"ACME_ZONE"})  # Python sets LC_CTYPE for itself.

    def test_how_a_hook_runs(self):
        for name, each in one_job(self).items():
            with self.subTest(hook=name):
                self.assertEqual((each["arguments"], each["umask"], each["stdin"]), ([], 0o007, "/dev/null"))
                self.assertTrue(each["one pipe"] and each["session"])

    def is_looked_at_elsewhere(self, name):
        for file in ELSEWHERE:
            with open(os.path.join(ROOT, file), encoding="utf-8") as source:
                if f'"{name}"' in source.read():
                    return True
        return False

    def dry_run(self):
        self.write("dry/plugin.yml", "{apiVersion: outpost/v1, name: dry, version: 1.0.0, supports: [dry-run]}\n")
        self.write("dry/job.yml", "{name: try, plugins: [dry]}\n")
        self.write("dry/hooks/test", f'#!/bin/sh\necho "$OUTPOST_DRY_RUN" >"{self.top}/dry-run"\n', 0o755)
        subprocess.run([OUTPOST, "plugin", "run", "--dry-run", "--plugin", self.path("dry")], capture_output=True, check=True)
        return self.read("dry-run").strip()

    # ---- exit codes ----

    def run_hook(self, stage, script):
        """The verdict of a job with one hook, its reason, and what was printed."""
        self.write(f"plugins/coded/hooks/{stage}", "#!/bin/bash\n" + script, 0o755)
        job = {"name": "try", "plugins_path": [self.path("plugins")], "plugins": ["coded"]}
        with tempfile.TemporaryDirectory(dir=self.top) as directory:
            command = [OUTPOST, "job", "run", "--directory", directory + "/job", self.write("job.yml", json.dumps(job))]
            ended = subprocess.run(command, capture_output=True, text=True, check=False)
        os.remove(self.path(f"plugins/coded/hooks/{stage}"))
        output = ended.stdout + ended.stderr
        (verdict,) = re.findall(r"^verdict: +(\w+)", output, re.MULTILINE)
        return verdict, output

    def test_each_row_of_the_exit_codes(self):
        error_everywhere = {stage: "error" for stage in ("pre-run", "install", "collect")}
        expected = {
            "0": {stage: "success" for stage in error_everywhere},
            "65": {stage: "success" for stage in error_everywhere},
            **{code: error_everywhere for code in ("64", "69", "70", "77", "78", "126", "127")},
            "all others": {"pre-run": "error", "install": "failure", "test": "failure"},
        }
        rows = [row[0] for row in table("Exit codes")]
        self.assertEqual(set(rows), set(expected) | {"75"})
        for row, verdicts in expected.items():
            for code in ("1", "63", "66", "100", "124", "125", "200", "255") if row == "all others" else (row,):
                for stage, verdict in verdicts.items():
                    if stage == "collect":
                        verdict = "success"  # In a closing stage it is a warning, or nothing.
                    with self.subTest(code=code, stage=stage):
                        got, output = self.run_hook(stage, f"exit {code}\n")
                        self.assertEqual(got, verdict, output)
                        if stage == "collect" and code not in ("0", "65"):
                            self.assertIn("warning", output)

    def test_the_row_of_retry_later(self):
        script = '[ "$OUTPOST_ATTEMPT" -gt 1 ] && exit 0\noutpost-hook retry 1 busy\nexit 75\n'
        got, output = self.run_hook("install", script)
        self.assertEqual(got, "success", output)
        got, output = self.run_hook("collect", "exit 75\n")
        self.assertEqual(got, "success", output)
        self.assertIn("warning", output)

    def test_other_endings(self):
        for number, verdict in ((signal.SIGTERM, "failure"), (signal.SIGSEGV, "failure"), (signal.SIGKILL, "error")):
            with self.subTest(signal=number):
                got, output = self.run_hook("test", f"kill -{int(number)} $$\n")
                self.assertEqual(got, verdict, output)
        got, output = self.run_hook("pre-run", "kill -TERM $$\n")
        self.assertEqual(got, "error", output)

    # ---- what is collected ----

    def test_files_that_the_manifest_merges_are_one_result(self):
        self.write(
            "plugins/merging/plugin.yml",
            "{apiVersion: outpost/v1, name: merging, version: 1.0.0,"
            " hooks: {test: {junit: [target/*.xml], merge: unit}, install: {merge: unit}}}\n",
        )
        suite = '<testsuite name="%s"><testcase classname="c" name="%s"/><testcase name="bad"><failure/></testcase></testsuite>'
        self.write(
            "plugins/merging/hooks/test",
            "#!/bin/bash\nmkdir target\n"
            + "".join(f"echo '{suite % (name, name)}' >target/TEST-{name}.xml\n" for name in ("a", "b"))
            + "printf '1..1\\nok 1 - boots\\n' >\"$OUTPOST_RESULTS/boot.tap\"\necho '<testsuite><testcase>' >\"$OUTPOST_RESULTS/unit.xml\"\n",
            0o755,
        )
        self.write("plugins/merging/hooks/install", "#!/bin/bash\ntrue\n", 0o755)
        job = {"name": "try", "plugins_path": [self.path("plugins")], "plugins": ["merging"]}
        command = [OUTPOST, "job", "run", "--directory", self.path("job"), self.write("job.yml", json.dumps(job))]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertIn("results test/merging/unit: 5 cases, 3 passed, 2 failed, 0 skipped", ended.stdout + ended.stderr)
        self.assertIn("results test/merging/unit.xml: ", ended.stdout)
        self.assertEqual(ended.stdout.count("  results "), 2, ended.stdout)


if __name__ == "__main__":
    sys.argv[1:] = sys.argv[2:]
    harness.main()
