#!/usr/bin/python3
"""The plugins that look at hosts, over a real ssh: a server in a network of its own, which is this machine again."""

import os
import subprocess
import sys

import harness

HOST = "127.0.0.2"
INSIDE = "OUTPOST_TEST_INSIDE"  # Set in the network of our own.


class OverSsh(harness.PluginTest):
    resources = f'{{"rack": {{"hosts": ["{HOST}"]}}}}'

    def setUp(self):
        super().setUp()
        for name in ("host_key", "secrets/ssh_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.path(name)], check=True)
        os.rename(self.path("secrets", "ssh_key.pub"), self.path("authorized"))
        os.chmod(self.top, 0o755)
        settings = {
            "ListenAddress": f"{HOST}:22",
            "HostKey": f'"{self.path("host_key")}"',
            "PidFile": "none",
            "UsePAM": "no",
            "AuthorizedKeysFile": f'"{self.path("authorized")}"',
            "StrictModes": "no",
            "PermitRootLogin": "yes",
        }
        config = self.write("sshd_config", "".join(f"{name} {value}\n" for name, value in settings.items()))
        os.makedirs("/run/sshd", exist_ok=True)
        self.server = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", config], stderr=subprocess.PIPE)
        self.addCleanup(self.stop)
        while b"listening" not in (line := self.server.stderr.readline()):
            self.assertTrue(line, "sshd ended")

    def stop(self):
        self.server.terminate()
        self.server.wait()
        self.server.stderr.close()

    def run_on_host(self, plugin, point, config=None, **changed):
        self.plugin = plugin
        return self.hook(point, config, OUTPOST_RESOURCES=self.resources, **changed)

    def test_hardware_is_what_it_is_without_ssh(self):
        ended = self.run_on_host("hardware-inventory", "pre-run")
        self.assertEqual((ended.status, len(ended.cases)), (0, 7), ended.output)
        remote = self.read("artifacts", f"hardware-{HOST}.json").replace(HOST, "jumphost")
        self.assertEqual(self.hook("pre-run").status, 0)
        self.assertEqual(remote, self.read("artifacts", "hardware-jumphost.json"))

    def test_a_kernel_is_read(self):
        self.assertEqual(self.run_on_host("kernel-health", "pre-run").status, 0)
        ended = self.run_on_host("kernel-health", "test")
        self.assertEqual((ended.status, len(ended.cases)), (0, 10), ended.output)

    def test_a_profile_is_evaluated_and_its_report_fetched(self):
        self.need("oscap", "openscap-scanner")
        content = os.path.join(os.path.dirname(os.path.realpath(__file__)), "openscap", "acme-xccdf.xml")
        ended = self.run_on_host("openscap", "certify", {"profile": "lab", "content": content})
        self.assertEqual((ended.status, len(ended.cases)), (0, 4), ended.output)
        self.assertIn("</html>", self.read("artifacts", f"openscap-report-{HOST}.html"))

    def test_a_key_that_has_lost_its_last_line_feed_is_as_good(self):
        key = self.read("secrets", "ssh_key")
        os.chmod(self.path("secrets", "ssh_key"), 0o600)
        self.write("secrets/ssh_key", key.rstrip("\n"), 0o400)
        self.assertEqual(self.run_on_host("kernel-health", "pre-run").status, 0)

    def test_a_key_that_the_host_does_not_know_is_the_labs_fault(self):
        self.write("authorized", "")
        ended = self.run_on_host("kernel-health", "test")
        self.assertEqual(ended.status, 77)
        self.assertIn("Permission denied", ended.output)

    def test_a_host_that_is_gone_is_the_labs_fault(self):
        self.stop()
        self.addCleanup(lambda: None)
        ended = self.run_on_host("rhcert", "certify")
        self.assertEqual(ended.status, 77)
        self.assertIn("Connection refused", ended.output)


if __name__ == "__main__":
    if not os.path.exists("/usr/sbin/sshd") or os.geteuid() != 0:
        print("SKIPPED: plugins over a real ssh: this needs root, and the package openssh-server")
        sys.exit(77)
    if INSIDE not in os.environ:
        inside = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "-", sys.executable, *sys.argv]
        sys.exit(subprocess.run(inside, env={**os.environ, INSIDE: "1"}, check=False).returncode)
    harness.main()
