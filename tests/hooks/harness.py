"""Runs the hooks of a plugin as the agent would, with directories, configuration and commands of a test's own."""

import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as xml

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
PLUGINS = os.path.join(ROOT, "hooks", "plugins")
DIRECTORIES = ("workspace", "shared", "results", "artifacts", "state", "tmp", "secrets", "history", "bin")


class Run:
    """A hook that has ended: its status, what it printed, and the cases of its JUnit file."""

    def __init__(self, status, output, results, pattern="*"):
        self.status, self.output, self.cases = status, output, {}
        for name in sorted(glob.glob(os.path.join(glob.escape(results), pattern))):
            suite = xml.parse(name).getroot()
            counted = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
            for case in suite.iter("testcase"):
                child = next((child for child in case if child.tag in ("failure", "error", "skipped")), None)
                kind = "passed" if child is None else child.tag
                key = f"{case.get('classname')}: {case.get('name')}"
                assert key not in self.cases, f"two cases are called {key}"
                self.cases[key] = (
                    kind,
                    "" if child is None else child.get("message"),
                    "" if child is None else child.text or "",
                )
                counted["tests"] += 1
                if child is not None:
                    counted[{"failure": "failures", "error": "errors", "skipped": "skipped"}[kind]] += 1
            assert counted == {name: int(suite.get(name)) for name in counted}, f"{name} counts its cases wrong"

    def of_kind(self, kind):
        return {name for name, case in self.cases.items() if case[0] == kind}

    @property
    def failed(self):
        return self.of_kind("failure")

    def message(self, case):
        return self.cases[case][1]


class PluginTest(unittest.TestCase):
    plugin = None  # The name of the plugin under test.
    plugins = PLUGINS  # Where it lies.
    maxDiff = None

    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="plugin test.")
        self.addCleanup(temporary.cleanup)
        self.top = os.path.realpath(temporary.name)
        for name in DIRECTORIES:
            os.makedirs(self.path(name))

    def path(self, *names):
        return os.path.join(self.top, *names)

    def write(self, name, text, mode=0o644):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def read(self, *names):
        with open(self.path(*names), encoding="utf-8") as file:
            return file.read()

    def command(self, name, script, shell="/bin/sh"):
        """A command that stands in for the real one: first in the hooks' PATH."""
        return self.write(f"bin/{name}", f"#!{shell}\n{script}\n", 0o755)

    def ssh_stands_in(self):
        """An ssh that runs what it is given right here; LAB_HOST says on which host that would have been."""
        self.command("ssh", 'while [ "$1" != -- ]; do shift; done\nexport LAB_HOST="$2"; shift 2\nexec /bin/sh -c "$*"')

    def hook(self, point, config=None, without=(), status=None, **changed):
        """Runs a hook. `without`: commands that this machine shall seem to lack. `status`: what it has to end with."""
        path = self.path("bin") + ":/usr/sbin:/usr/bin:/sbin:/bin"
        if without:
            path = self.path("bin") + ":" + self.commands_without(without)
        environment = {
            "OUTPOST": "1",
            "OUTPOST_API": "1",
            "OUTPOST_POINT": point,
            "OUTPOST_REASON": "normal",
            "OUTPOST_PLUGIN": self.plugin,
            "OUTPOST_PLUGIN_DIR": os.path.join(self.plugins, self.plugin),
            "OUTPOST_JOB_ID": "test",
            "OUTPOST_JOB_NAME": "test",
            "OUTPOST_RESOURCES": "{}",
            "OUTPOST_WORKSPACE": self.path("workspace"),
            "OUTPOST_SHARED": self.path("shared"),
            "OUTPOST_RESULTS": self.path("results"),
            "OUTPOST_ARTIFACTS": self.path("artifacts"),
            "OUTPOST_STATE": self.path("state"),
            "OUTPOST_TMP": self.path("tmp"),
            "OUTPOST_SECRETS": self.path("secrets"),
            "XDG_STATE_HOME": self.path("history"),
            "HOME": self.path("tmp"),
            "PATH": path,
            "CI": "true",
            "LANG": "C.UTF-8",
            "TZ": "UTC",
        }
        if config is not None:
            environment["OUTPOST_CONFIG"] = self.write("config.json", json.dumps(config))
        environment.update(changed)
        shutil.rmtree(self.path("results"))
        os.makedirs(self.path("results"))
        ended = subprocess.run(
            self.command_of(point),
            cwd=self.path("workspace"),
            env=environment,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            umask=0o007,
        )
        output = ended.stdout.decode("utf-8", "replace")
        self.assertNotIn("Traceback", output)
        if status is not None:
            self.assertEqual(ended.returncode, status, output)
        return Run(ended.returncode, output, self.path("results"))

    def command_of(self, point):
        """What the agent would start for a hook."""
        return [os.path.join(self.plugins, self.plugin, "hooks", point)]

    def commands_without(self, missing):
        """A directory with links to all of this machine's commands but some."""
        folder = self.path("commands")
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        for place in ("/usr/sbin", "/usr/bin", "/sbin", "/bin"):
            for name in os.listdir(place):
                if name not in missing and not os.path.lexists(os.path.join(folder, name)):
                    os.symlink(os.path.join(place, name), os.path.join(folder, name))
        return folder

    def need(self, command, package):
        if shutil.which(command) is None:
            why = f"{self.id().split('.', 1)[1]}: {command} is missing: install the package {package}"
            print(f"SKIPPED: {why}", flush=True)
            self.skipTest(why)


def main():
    """Runs a file's tests; 77 when there was none that this machine could run."""
    outcome = unittest.main(exit=False, verbosity=1).result
    if not outcome.wasSuccessful():
        sys.exit(1)
    sys.exit(77 if outcome.testsRun and len(outcome.skipped) == outcome.testsRun else 0)
