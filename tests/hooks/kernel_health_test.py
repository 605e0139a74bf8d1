#!/usr/bin/python3
"""kernel-health with logs as kernels write them."""

import json
import os
import subprocess
import sys

import harness

BOOT = "0d3ab1a6-5c5b-4a0e-9f6e-6f6f1d0d7a11"
NEXT_BOOT = "77b7c2f0-90f4-4a38-8d8c-0a4c8a1f2b33"
QUIET = [
    "<5>[    0.000000] Linux version 6.1.0-18-amd64 (gcc-12)",
    "<6>[    0.004000] mce: CPU0 supports 22 MCE banks",
    "<6>[    1.500000] EXT4-fs (vda1): mounted filesystem with ordered data mode",
    "<4>[   20.000000] systemd[1]: segfault is not what this says",
    "<6>[   21.000000] eth0: link becomes ready",
]

# What must be found: the kind's case, and a log of it.
TROUBLES = {
    "no kernel panicked": [
        "<0>[  100.000000] Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b",
        "<4>[  100.000010] CPU: 0 PID: 1 Comm: init Not tainted 6.1.0-18-amd64 #1",
        "<0>[  100.100000] ---[ end Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b ]---",
    ],
    "no kernel oopsed": [
        "<1>[  100.000000] BUG: kernel NULL pointer dereference, address: 0000000000000008",
        "<1>[  100.000001] #PF: supervisor read access in kernel mode",
        "<4>[  100.000004] Oops: 0000 [#1] PREEMPT SMP NOPTI",
        "<4>[  100.000005] CPU: 3 PID: 811 Comm: acme Tainted: G           OE      6.1.0-18-amd64 #1",
        "<4>[  100.000006] RIP: 0010:acme_submit+0x1f/0x90 [acme]",
        "<4>[  100.000009] ---[ end trace 0000000000000000 ]---",
    ],
    "no kernel found a bug in itself": [
        "<3>[  100.000000] BUG: scheduling while atomic: acmed/812/0x00000002",
        "<4>[  100.000001] Call Trace:",
        "<4>[  100.000002]  acme_wait+0x2a/0x60 [acme]",
    ],
    "no CPU was locked up": [
        "<0>[  100.000000] watchdog: BUG: soft lockup - CPU#2 stuck for 26s! [acmed:812]",
        "<4>[  100.000001] RIP: 0010:acme_poll+0x44/0x50 [acme]",
    ],
    "no CPU stalled RCU": [
        "<3>[  100.000000] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
        "<3>[  100.000001] rcu: \t2-...0: (1 GPs behind) idle=c2c/1/0x4000000000000000 softirq=1/1 fqs=5249",
    ],
    "no task hung": [
        "<3>[  100.000000] INFO: task acmed:812 blocked for more than 120 seconds.",
        "<3>[  100.000001]       Not tainted 6.1.0-18-amd64 #1",
        '<3>[  100.000002] "echo 0 > /proc/sys/kernel/hung_task_timeout_secs" disables this message.',
    ],
    "no machine check was raised": [
        "<0>[  100.000000] mce: [Hardware Error]: CPU 1: Machine Check Exception: 5 Bank 4: be00000000800400",
        "<0>[  100.000001] mce: [Hardware Error]: TSC 0 ADDR 3fffffff MISC 40",
    ],
}
ALSO = {
    "warning": ["<4>[  100.000000] WARNING: CPU: 1 PID: 812 at drivers/acme/core.c:210 acme_reset+0x40/0x50 [acme]"],
    "corrected-error": [
        "<6>[  100.000000] {1}[Hardware Error]: Hardware error from APEI Generic Hardware Error Source: 4",
        "<6>[  100.000001] {1}[Hardware Error]: event severity: corrected",
    ],
    "out-of-memory": ["<3>[  100.000000] Out of memory: Killed process 812 (acmed) total-vm:1024kB, anon-rss:512kB"],
    "io-error": ["<3>[  100.000000] I/O error, dev sdb, sector 2048 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 2"],
}


class KernelHealth(harness.PluginTest):
    plugin = "kernel-health"
    group = "kernel-health.jumphost"

    def setUp(self):
        super().setUp()
        self.command("dmesg", f"cat '{self.path('dmesg')}'")
        self.command("journalctl", 'echo "No journal files were found." >&2; exit 1')
        self.command("find", f"/bin/cat '{self.path('dumps')}'")
        self.command(
            "cat",
            f"""case $1 in
  */boot_id) /bin/cat '{self.path('boot')}' ;;
  */tainted) /bin/cat '{self.path('tainted')}' ;;
  */cgroup) /bin/cat '{self.path('cgroup')}' ;;
  *) exec /bin/cat "$@" ;;
esac""",
        )
        self.write("cgroup", "0::/user.slice/session-1.scope\n")
        self.kernel(QUIET)

    def kernel(self, log, boot=BOOT, tainted=0, dumps=()):
        self.write("dmesg", "\n".join(log) + "\n")
        self.write("boot", boot + "\n")
        self.write("tainted", f"{tainted}\n")
        self.write("dumps", "".join(path + "\n" for path in dumps))

    def journal(self, boots):
        """A journal that holds these boots, {id: [(seconds, text)]}."""
        script = ""
        for boot, entries in boots.items():
            lines = [
                json.dumps(
                    {
                        "MESSAGE": text,
                        "PRIORITY": "3",
                        "SYSLOG_FACILITY": "0",
                        "_SOURCE_MONOTONIC_TIMESTAMP": str(int(seconds * 1e6)),
                    }
                )
                for seconds, text in entries
            ]
            path = self.write(f"journal-{boot}", "\n".join(lines) + "\n")
            script += f'case "$*" in *--boot={boot.replace("-", "")}*) exec /bin/cat "{path}" ;; esac\n'
        self.command("journalctl", script + "exit 1")

    def before(self, config=None, **changed):
        return self.hook("pre-run", config, status=0, **changed)

    def look(self, point="test", config=None, **changed):
        ended = self.hook(point, config, **changed)
        self.assertEqual((ended.status, ended.of_kind("error")), (0, set()), ended.output)
        return ended

    def test_a_quiet_kernel_passes_every_case(self):
        self.assertIn("has said 5 things", self.before().output)
        self.kernel([*QUIET, "<6>[   99.000000] acme: loaded"])
        ended = self.look()
        self.assertEqual(
            set(ended.cases),
            {
                f"{self.group}: {case}"
                for case in (
                    *TROUBLES,
                    "the kernel's log is complete",
                    "the kernel is not newly tainted",
                    "no kernel left a crash dump",
                )
            },
        )
        self.assertEqual(ended.of_kind("passed"), set(ended.cases), ended.output)

    def test_each_trouble_is_found_once_with_its_trace_and_advice(self):
        for case, trouble in TROUBLES.items():
            with self.subTest(case):
                self.kernel(QUIET)
                self.before()
                self.kernel(
                    [*QUIET, "<6>[   99.000000] acme: loaded", *trouble, "<6>[  200.000000] eth0: link is down"]
                )
                ended = self.look()
                self.assertEqual(ended.failed, {f"{self.group}: {case}"}, ended.output)
                _, message, text = ended.cases[f"{self.group}: {case}"]
                first = trouble[0].split("] ", 1)[1]
                self.assertTrue(message.startswith(first + ": "), message)
                self.assertGreater(len(message), len(first) + 20)
                for line in trouble[:3]:
                    self.assertIn(line.split("] ", 1)[1], text)
                self.assertNotIn("link is down", text)
                self.assertIn(first, self.read("artifacts", "kernel-jumphost.log"))

    def test_what_was_there_before_the_job_does_not_count(self):
        everything = [line for trouble in TROUBLES.values() for line in trouble]
        self.kernel([*QUIET, *everything], tainted=1 << 7, dumps=["/var/crash/old"])
        self.before()
        self.kernel(
            [*QUIET, *everything, "<6>[  300.000000] eth0: link is down"], tainted=1 << 7, dumps=["/var/crash/old"]
        )
        self.assertEqual(self.look().failed, set())

    def test_nothing_is_reported_twice(self):
        self.before()
        self.kernel([*QUIET, *TROUBLES["no task hung"]])
        self.assertEqual(len(self.look("certify").failed), 1)
        self.assertEqual(self.look("test").failed, set())
        self.kernel(
            [
                *QUIET,
                *TROUBLES["no task hung"],
                "<3>[  300.000000] INFO: task acmed:812 blocked for more than 241 seconds.",
            ]
        )
        self.assertIn("241 seconds", self.look("collect").message(f"{self.group}: no task hung"))

    def test_messages_at_the_very_time_of_the_last_look_are_told_apart(self):
        self.before()
        self.kernel(
            [
                *QUIET,
                "<6>[   21.000000] eth0: link becomes ready",
                *[line.replace("100.000000", " 21.000000") for line in TROUBLES["no task hung"][:1]],
            ]
        )
        self.assertEqual(len(self.look().failed), 1)

    def test_several_of_a_kind_are_counted(self):
        self.before()
        again = [line.replace("[  100.", "[  300.") for line in TROUBLES["no task hung"]]
        self.kernel([*QUIET, *TROUBLES["no task hung"], *again])
        self.assertIn("(and 1 more)", self.look().message(f"{self.group}: no task hung"))

    def test_other_kinds_count_when_asked_for(self):
        for kind, trouble in ALSO.items():
            with self.subTest(kind):
                self.kernel(QUIET)
                self.before()
                self.kernel([*QUIET, *trouble])
                self.assertEqual(self.look("certify").failed, set())
                self.kernel(QUIET)
                self.before()
                self.kernel([*QUIET, *trouble])
                self.assertEqual(len(self.look("test", {"also": [kind]}).failed), 1)

    def test_a_kind_that_does_not_exist_is_a_usage_error(self):
        ended = self.hook("test", {"also": ["noise"]}, status=64)
        self.assertIn("known are panic, lockup", ended.output)

    def test_a_known_message_can_be_ignored(self):
        self.before()
        self.kernel([*QUIET, *TROUBLES["no task hung"]])
        self.assertEqual(self.look("test", {"ignore": ["INFO: task acmed:"]}).failed, set())

    def test_what_programs_write_into_the_kernels_log_is_not_the_kernels(self):
        self.before()
        self.kernel(
            [*QUIET, "<11>[  100.000000] BUG: soft lockup, said a program", "<12>[  101.000000] Oops: a program"]
        )
        self.assertEqual(self.look().failed, set())

    def test_times_with_the_number_of_a_thread_are_read(self):
        self.before()
        self.kernel([*QUIET, "<0>[  100.000000][  T812] Kernel panic - not syncing: Fatal exception"])
        self.assertEqual(self.look().failed, {f"{self.group}: no kernel panicked"})

    def test_a_new_taint_and_a_new_dump_are_found(self):
        self.kernel(QUIET, tainted=1 << 12)
        self.before()
        self.kernel(QUIET, tainted=1 << 12 | 1 << 7 | 1 << 13, dumps=["/var/crash/127.0.0.1-2026-11-26"])
        ended = self.look()
        self.assertEqual(
            ended.failed,
            {f"{self.group}: the kernel is not newly tainted", f"{self.group}: no kernel left a crash dump"},
        )
        self.assertIn("by: oops;", ended.message(f"{self.group}: the kernel is not newly tainted"))

    def test_after_a_restart_the_end_of_the_earlier_boot_counts_too(self):
        self.before()
        self.journal(
            {
                BOOT: [
                    (0, "Linux version"),
                    (21, "eth0: link becomes ready"),
                    (90, "BUG: unable to handle page fault for address: ffff"),
                ]
            }
        )
        self.kernel(["<5>[    0.000000] Linux version 6.1.0-18-amd64"], boot=NEXT_BOOT)
        ended = self.look()
        self.assertEqual(ended.failed, {f"{self.group}: no kernel oopsed"})

    def test_after_a_restart_without_a_journal_that_is_said(self):
        self.before()
        self.kernel(["<5>[    0.000000] Linux version 6.1.0-18-amd64"], boot=NEXT_BOOT)
        ended = self.look()
        self.assertEqual(ended.of_kind("skipped"), {f"{self.group}: the kernel's log is complete"})

    def test_a_buffer_that_has_forgotten_is_made_up_from_the_journal(self):
        self.before()
        self.kernel(["<6>[  500.000000] acme: still here"])
        self.assertEqual(self.look("certify").of_kind("skipped"), {f"{self.group}: the kernel's log is complete"})
        self.kernel(QUIET)
        self.before()
        self.journal(
            {
                BOOT: [
                    (0, "Linux version"),
                    (21, "eth0: link becomes ready"),
                    (90, "Oops: 0002 [#1] SMP"),
                    (500, "acme: still here"),
                ]
            }
        )
        self.kernel(["<6>[  500.000000] acme: still here"])
        self.assertEqual(self.look().failed, {f"{self.group}: no kernel oopsed"})

    def test_where_dmesg_is_refused_the_journal_is_read(self):
        self.command("dmesg", "echo 'dmesg: read kernel buffer failed: Operation not permitted' >&2; exit 1")
        ended = self.hook("pre-run", status=78)
        self.assertIn("Operation not permitted", ended.output)
        self.assertIn("systemd-journal", ended.output)
        self.journal({BOOT: [(1, "Linux version")]})
        self.before()
        self.journal({BOOT: [(1, "Linux version"), (5, "Kernel panic - not syncing: Fatal exception")]})
        self.assertEqual(self.look().failed, {f"{self.group}: no kernel panicked"})

    def test_in_the_sandbox_of_a_unit_it_says_how_to_open_the_journal(self):
        self.command("dmesg", "exit 1")
        for unit, drop_in in {
            "outpost-step@3": "outpost-step@.service",
            "outpost-step-container@1": "outpost-step-container@.service",
            "outpostd": "outpostd.service",
        }.items():
            self.write("cgroup", f"1:name=systemd:/outpost.slice/{unit}.service\n0::/\n")
            output = self.hook("pre-run", status=78).output
            self.assertIn(f"SupplementaryGroups=systemd-journal in a drop-in of {drop_in}", output)
            self.assertIn("README.md", output)

    def test_hosts_of_the_job_are_looked_at_over_ssh(self):
        self.ssh_stands_in()
        resources = '{"rack": {"hosts": ["10.0.0.1", "10.0.0.2"]}}'
        self.command(
            "dmesg",
            f'if [ "$LAB_HOST" = 10.0.0.2 ]; then /bin/cat "{self.path("dmesg")}"; else echo "<6>[    1.000000] fine"; fi',
        )
        self.before(OUTPOST_RESOURCES=resources)
        self.kernel([*QUIET, *TROUBLES["no kernel panicked"]])
        ended = self.look(OUTPOST_RESOURCES=resources)
        self.assertEqual(ended.failed, {"kernel-health.10.0.0.2: no kernel panicked"})
        self.assertEqual(len(ended.cases), 20)

    def test_of_a_host_that_is_installed_by_the_job_everything_counts(self):
        resources = '{"rack": {"hosts": ["10.0.0.1"]}}'
        self.command("ssh", "echo 'No route to host' >&2; exit 255")
        self.assertIn("does not answer yet", self.before(OUTPOST_RESOURCES=resources).output)
        self.ssh_stands_in()
        self.kernel([*QUIET, *TROUBLES["no kernel oopsed"]])
        self.assertEqual(self.look(OUTPOST_RESOURCES=resources).failed, {"kernel-health.10.0.0.1: no kernel oopsed"})

    def test_a_host_that_answers_no_more_is_the_labs_fault(self):
        self.command("ssh", "echo 'No route to host' >&2; exit 255")
        ended = self.hook("test", OUTPOST_RESOURCES='{"rack": {"hosts": ["10.0.0.1"]}}', status=77)
        self.assertIn("10.0.0.1 cannot be reached", ended.output)


class RealKernel(harness.PluginTest):
    plugin = "kernel-health"

    def test_the_kernel_of_this_machine_can_be_read(self):
        ended = self.hook("pre-run")
        if ended.status == 78 and "cannot be read" in ended.output:
            print(f"SKIPPED: the log of this machine's kernel: {ended.output.strip()}", flush=True)
            self.skipTest("no access to the kernel's log")
        self.assertEqual(ended.status, 0, ended.output)
        ended = self.hook("collect")
        self.assertEqual((ended.status, ended.of_kind("error")), (0, set()), ended.output)
        self.assertEqual(len(ended.cases), 10)
        self.assertTrue(os.path.getsize(self.path("artifacts", "kernel-jumphost.log")) > 0)

    def test_what_the_plugin_does_not_expect_is_its_bug_and_no_failure_of_the_product(self):
        library = os.path.join(harness.PLUGINS, "lib")
        program = f"import sys; sys.path.insert(0, {library!r}); import checks; raise KeyError('surprise')"
        ended = subprocess.run([sys.executable, "-Bc", program], capture_output=True, text=True, check=False)
        self.assertEqual(ended.returncode, 70)
        self.assertIn("KeyError: 'surprise'", ended.stderr)


if __name__ == "__main__":
    harness.main()
