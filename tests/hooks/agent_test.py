#!/usr/bin/python3
"""The plugins as the agent runs them, with their manifests and configuration. Argument: the program outpost."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

import harness

OUTPOST = sys.argv[1]
SAMPLES = os.path.join(harness.ROOT, "samples", "plugins")
CONTENT = os.path.join(os.path.dirname(os.path.realpath(__file__)), "openscap")


class Agent(harness.PluginTest):
    def job(self, plugins, status, **more):
        """Runs a job without a server; returns what was printed."""
        job = {
            "name": "try",
            "plugins_path": [harness.PLUGINS],
            "plugins": list(plugins),
            "plugin_config": plugins,
            **more,
        }
        path = self.write("job.yml", json.dumps(job))  # JSON is YAML.
        ended = subprocess.run(
            [OUTPOST, "job", "run", "--directory", tempfile.mkdtemp(dir=self.top) + "/job", path],
            capture_output=True,
            text=True,
            check=False,
        )
        output = ended.stdout + ended.stderr
        self.assertEqual(ended.returncode, status, output)
        return output

    def history(self):
        return self.path("history", "jumphost.json")

    def test_hardware_that_is_gone_makes_the_job_an_error_of_the_lab(self):
        plugins = {"hardware-inventory": {"machines": "jumphost", "history": self.path("history")}}
        self.assertIn("verdict: success", self.job(plugins, 0))
        with open(self.history(), encoding="utf-8") as file:
            known = json.load(file)
        known["disks"]["DISK-1"] = {"model": "Fast SSD", "size_bytes": 2**40}
        with open(self.history(), "w", encoding="utf-8") as file:
            json.dump(known, file)
        output = self.job(plugins, 1)
        self.assertRegex(output, r"verdict: +error")
        self.assertIn("disk DISK-1 (Fast SSD) is gone", output)

    def test_a_rule_that_fails_makes_the_job_a_failure(self):
        self.need("oscap", "openscap-scanner")
        shutil.copytree(CONTENT, self.path("content"))
        self.write("root/etc/acme.conf", "colour = blue\n", 0o666)
        plugins = {
            "openscap": {
                "profile": "modes",
                "content": self.path("content", "acme-xccdf.xml"),
                "root": self.path("root"),
            }
        }
        output = self.job(plugins, 1)
        self.assertRegex(output, r"verdict: +failure")
        self.assertIn("Run chmod 0644 /etc/acme.conf", output)
        os.chmod(self.path("root/etc/acme.conf"), 0o644)
        self.assertIn("verdict: success", self.job(plugins, 0))

    def test_the_key_for_hosts_is_a_secret_of_the_plugin(self):
        self.write("key", "not really a key\n", 0o600)
        plugins = {"rhcert": {"ssh_key": {"secret": "lab"}}}
        output = self.job(plugins, 1, secrets={"lab": {"file": self.path("key")}})
        self.assertIn("install redhat-certification", output)  # This machine has none, and the hook got as far as that.
        self.assertNotIn("not really a key", output)

    def test_a_partners_plugin_puts_its_component_on_the_device_and_takes_it_off_again(self):
        image = "ACME-FW 2.0\nnew image\n"
        self.write("component/firmware.img", image)
        self.write("component/firmware.img.sha256", hashlib.sha256(image.encode()).hexdigest() + "  firmware.img\n")
        self.write("token", "s3cret\n", 0o600)
        for plugin in ("firmware-bash", "firmware-python"):
            with self.subTest(plugin):
                self.write("device/firmware", "ACME-FW 1.0\nold image\n")
                self.write("device/token", "s3cret\n")
                output = self.job(
                    {plugin: {"device": self.path("device"), "token": {"secret": "lab-token"}}},
                    0,
                    plugins_path=[SAMPLES],
                    secrets={"lab-token": {"file": self.path("token")}},
                    components=[{"type": "firmware", "version": "2.0", "path": self.path("component")}],
                )
                self.assertRegex(output, r"3 cases, 3 passed")
                self.assertNotIn("s3cret", output)
                self.assertEqual(self.read("device", "firmware"), "ACME-FW 1.0\nold image\n")
                self.assertIn("flashed ACME-FW 2.0", self.read("device", "log"))
                self.assertFalse(os.path.exists(self.path("device", "holder")))

    def test_a_setting_that_does_not_exist_is_refused_before_anything_runs(self):
        for plugin, wrong in {
            "hardware-inventory": {"histroy": "/tmp"},
            "kernel-health": {"also": ["noise"]},
            "openscap": {},
            "rhcert": {"review": "ignore"},
            "rpm-certify": {"security_threshold": 101},
        }.items():
            with self.subTest(plugin):
                output = self.job({plugin: wrong}, 5)
                self.assertIn("job.yml:", output)
                self.assertNotIn("verdict", output)


if __name__ == "__main__":
    sys.argv[1:] = sys.argv[2:]
    harness.main()
