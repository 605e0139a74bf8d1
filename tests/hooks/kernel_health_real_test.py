#!/usr/bin/python3
"""kernel-health in a second kernel that is really in trouble: it runs out of memory, then it panics."""

import json
import os
import re
import shlex
import subprocess
import tempfile

import harness

GROUP = "kernel-health.jumphost"

# The first process of the second kernel. Its root is this machine's, read-only; the test's directory is /mnt/out.
INIT = """#!/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t tmpfs run /run; mount -t tmpfs memory /mnt; mkdir /mnt/out
mount -t hostfs -o {top} none /mnt/out
cd /mnt/out
hook() {{
  export OUTPOST_POINT=$1 OUTPOST_RESULTS=/mnt/out/$2 OUTPOST_ARTIFACTS=/mnt/out/$2
  {plugin}/hooks/"$1" >"$2.log" 2>&1
  echo $? >"$2.status"
}}
export OUTPOST_STATE=/mnt/out/state OUTPOST_CONFIG=/mnt/out/config.json OUTPOST_RESOURCES='{{}}'
cat /proc/sys/kernel/random/boot_id >boot
{script}
sync
echo c >/proc/sysrq-trigger
"""


class RealTrouble(harness.PluginTest):
    plugin = "kernel-health"

    def setUp(self):
        super().setUp()
        self.need("linux.uml", "user-mode-linux")
        self.write("config.json", json.dumps({"also": ["out-of-memory"]}))

    def boot(self, script):
        """Boots the second kernel, which runs a script and then panics; returns what was on its console."""
        plugin = os.path.join(harness.PLUGINS, self.plugin)
        init = self.write(
            "init", INIT.format(top=shlex.quote(self.top), plugin=shlex.quote(plugin), script=script), 0o755
        )
        with tempfile.TemporaryDirectory(prefix="uml.") as short:  # Its sockets lie there.
            os.symlink(init, os.path.join(short, "init"))
            ended = subprocess.run(
                [
                    # It goes when this process does. The shell: the first process of a namespace survives its own abort().
                    *("setpriv", "--pdeathsig=KILL", "unshare", *([] if os.geteuid() == 0 else ["--map-root-user"]), "--pid"),
                    *("--fork", "--kill-child=KILL", "sh", "-c", '"$@"; exit $?', "-"),
                    "linux.uml",
                    "mem=160M",
                    "rootfstype=hostfs",
                    "rootflags=/",
                    "ro",
                    f"init={short}/init",
                    "con=null",
                    "con0=fd:0,fd:1",
                    f"uml_dir={short}/",
                    f"umid={os.path.basename(short)}",
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=300,
            )
        return ended.stdout.decode("utf-8", "replace")

    def ended(self, name):
        return harness.Run(int(self.read(f"{name}.status")), self.read(f"{name}.log"), self.path(name), "*.xml")

    def test_a_kernel_that_kills_for_memory_and_then_panics(self):
        console = self.boot(
            """hook pre-run before
hook certify quiet
python3 -c 'hog = [bytearray(1 << 20) for _ in range(4000)]'
hook test hungry"""
        )
        self.assertEqual(self.ended("before").status, 0, console)
        quiet = self.ended("quiet")
        self.assertEqual((quiet.status, quiet.of_kind("passed")), (0, set(quiet.cases)), quiet.output)
        hungry = self.ended("hungry")
        self.assertEqual(
            (hungry.status, hungry.failed), (0, {f"{GROUP}: nothing was killed for memory"}), hungry.output
        )
        self.assertIn("Killed process", hungry.cases[f"{GROUP}: nothing was killed for memory"][2])

        # The machine comes up again. What it said last is in a journal, made of what was on its console.
        first = self.read("boot").strip()
        said = re.sub(r"^.*?(?=Linux version)", "", console, flags=re.DOTALL).splitlines()
        entries = [
            json.dumps({"MESSAGE": line, "SYSLOG_FACILITY": "0", "_SOURCE_MONOTONIC_TIMESTAMP": str(10**9 + number)})
            for number, line in enumerate(said)
        ]
        self.write("journal", "\n".join(entries) + "\n")
        self.command(
            "journalctl", f'case "$*" in *--boot={first.replace("-", "")}*) exec cat /mnt/out/journal ;; esac; exit 1'
        )
        console = self.boot("PATH=/mnt/out/bin:$PATH\nhook collect again")
        self.assertNotEqual(self.read("boot").strip(), first)
        again = self.ended("again")
        case = f"{GROUP}: no kernel panicked"
        self.assertIn(case, again.failed, again.output)
        self.assertIn("Kernel panic - not syncing: sysrq triggered crash", again.message(case))
        self.assertIn("write_sysrq_trigger", again.cases[case][2])


if __name__ == "__main__":
    harness.main()
