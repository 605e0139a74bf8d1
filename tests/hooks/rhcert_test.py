#!/usr/bin/python3
"""rhcert with a client that stands in for Red Hat's."""

import os
import tarfile

import harness

STAND_IN = os.path.join(os.path.dirname(os.path.realpath(__file__)), "rhcert_stand_in.sh")
GROUP = "rhcert.jumphost"
GOOD = "self_check PASS\nsosreport PASS\nmemory PASS\n"


class RhCert(harness.PluginTest):
    plugin = "rhcert"

    def setUp(self):
        super().setUp()
        with open(STAND_IN, encoding="utf-8") as file:
            self.write("bin/rhcert-cli", file.read().replace("@STATE@", f"'{self.path('client')}'"), 0o755)
        os.makedirs(self.path("client"))
        self.can_plan(GOOD)
        self.write("logs/rhcert/runs/1/output.log", "what the client logged\n")

    def can_plan(self, text):
        self.write("client/tests", text)

    def calls(self):
        return self.read("client", "calls").splitlines()

    def certify(self, config=None, status=0, **changed):
        values = {
            "results": self.path("client", "save"),
            "lock": self.path("client", "lock"),
            "logs": self.path("logs", "rhcert"),
            "poll": 1,
            **(config or {}),
        }
        return self.hook("certify", values, status=status, **changed)

    def test_a_machine_that_passes(self):
        ended = self.certify()
        self.assertEqual(
            ended.of_kind("passed"), {f"{GROUP}: {name}" for name in ("self_check", "sosreport", "memory")}
        )
        self.assertEqual(self.calls(), ["clean all", "plan", "run --tag non-interactive", "save"])
        self.assertIn("Running sosreport", ended.output)

    def test_the_results_and_the_logs_become_artifacts(self):
        self.certify()
        artifacts = sorted(os.listdir(self.path("artifacts")))
        self.assertEqual(
            artifacts, ["jumphost-rhcert-results-lab.example-20261126000000.xml", "rhcert-logs-jumphost.tar.gz"]
        )
        self.assertIn("<certification", self.read("artifacts", artifacts[0]))
        with tarfile.open(self.path("artifacts", artifacts[1])) as archive:
            self.assertIn("rhcert/runs/1/output.log", archive.getnames())

    def test_each_outcome_is_what_it_means(self):
        self.can_plan("core PASS\nmemory FAIL\nnetwork REVIEW\nusb SKIP\nkdump ABORT\nfan WARN\nsound NONE\n")
        ended = self.certify()
        self.assertEqual(
            {name: case[0] for name, case in ended.cases.items()},
            {
                f"{GROUP}: core": "passed",
                f"{GROUP}: memory": "failure",
                f"{GROUP}: network": "skipped",
                f"{GROUP}: usb": "skipped",
                f"{GROUP}: kdump": "error",
                f"{GROUP}: fan": "passed",
                f"{GROUP}: sound": "error",
            },
        )
        _, message, text = ended.cases[f"{GROUP}: memory"]
        self.assertTrue(message.startswith("FAIL: Error: memory found too little; "), message)
        self.assertIn("probe memory: status 3: probe: nothing there", text)
        self.assertIn("starting memory & friends", text)
        self.assertIn("review", ended.message(f"{GROUP}: network"))
        self.assertIn("ABORT", ended.message(f"{GROUP}: kdump"))

    def test_what_has_to_be_reviewed_can_fail_or_pass(self):
        self.can_plan("network REVIEW\n")
        self.assertEqual(self.certify({"review": "fail"}).failed, {f"{GROUP}: network"})
        self.assertEqual(self.certify({"review": "pass"}).of_kind("passed"), {f"{GROUP}: network"})

    def test_tests_by_name_leave_others_unrun(self):
        ended = self.certify({"tests": ["memory"], "device": "sda", "server": "10.0.0.9"})
        self.assertIn("run --test memory --device sda --server 10.0.0.9", self.calls())
        self.assertEqual(ended.of_kind("passed"), {f"{GROUP}: memory"})
        self.assertIn("planned and not run", ended.message(f"{GROUP}: sosreport"))

    def test_the_same_test_of_several_devices_has_names_of_its_own(self):
        self.can_plan("storage PASS sda\nstorage FAIL sdb\nlan PASS\nlan PASS\n")
        ended = self.certify()
        self.assertEqual(
            set(ended.cases), {f"{GROUP}: {name}" for name in ("storage on sda", "storage on sdb", "lan", "lan #2")}
        )
        self.assertEqual(ended.failed, {f"{GROUP}: storage on sdb"})

    def test_compressed_results_are_read(self):
        self.write("client/compress", "")
        self.assertEqual(len(self.certify().cases), 3)

    def test_earlier_results_are_not_taken_for_these(self):
        self.certify()
        self.can_plan("memory FAIL\n")
        self.assertEqual(self.certify().failed, {f"{GROUP}: memory"})
        self.assertIn("clean all", self.calls()[4])

    def test_a_test_plan_is_provisioned(self):
        self.command(
            "rhcert-provision",
            f'cp "{self.path("client", "tests")}" "{self.path("client", "plan")}"; echo "provision $1" >>"{self.path("client", "calls")}"',
        )
        ended = self.certify({"test_plan": self.write("plan.xml", "<plan/>"), "clean": False})
        self.assertEqual(len(ended.of_kind("passed")), 3)
        self.assertRegex(self.calls()[0], r"^provision /var/tmp/outpost\.\w+/plan\.xml$")
        self.assertIn("cannot be brought", self.certify({"test_plan": self.path("nowhere")}, status=78).output)

    def test_tests_that_go_on_after_a_restart_are_waited_for(self):
        self.write("client/restarts", "")
        # The third look finds them done.
        self.command(
            "test",
            f"""if [ "$*" = "! -e {self.path('client', 'lock')}" ]; then
  echo look >>"{self.path('client', 'looks')}"
  [ "$(grep -c . "{self.path('client', 'looks')}")" -lt 3 ] || rm -f "{self.path('client', 'lock')}"
fi
exec /usr/bin/test "$@" """,
        )
        ended = self.certify()
        self.assertIn("still runs tests", ended.output)
        self.assertEqual(len(self.read("client", "looks").splitlines()), 3)
        self.assertEqual(len(ended.of_kind("passed")), 3)

    def test_a_host_that_restarts_is_waited_for(self):
        # The connection is lost while the tests run, and there again at the second look after that.
        self.command(
            "ssh",
            f"""while [ "$1" != -- ]; do shift; done
shift 2
case "$*" in
  *"rhcert-cli run"*) /bin/sh -c "$*"; echo lost >"{self.path('client', 'lost')}"; exit 255 ;;
esac
if [ -e "{self.path('client', 'lost')}" ]; then rm "{self.path('client', 'lost')}"; echo 'Connection refused' >&2; exit 255; fi
exec /bin/sh -c "$*" """,
        )
        ended = self.certify(OUTPOST_RESOURCES='{"rack": {"hosts": ["10.0.0.1"]}}')
        self.assertIn("does not answer, it restarts", ended.output)
        self.assertEqual(len(ended.of_kind("passed")), 3)

    def test_what_is_missing_or_wrong_is_said(self):
        self.assertIn("no such test", self.certify({"tests": ["nosuch"]}, status=64).output)
        self.assertIn("left nothing in", self.certify({"results": self.path("nowhere")}, status=78).output)
        self.assertIn("skip, fail or pass", self.certify({"review": "ignore"}, status=64).output)
        self.can_plan("")
        self.assertIn("planned no test", self.certify(status=78).output)
        os.unlink(self.path("bin", "rhcert-cli"))
        self.assertIn("install redhat-certification", self.certify(status=78).output)

    def test_results_that_are_cut_off_are_no_results(self):
        self.command(
            "rhcert-cli",
            f"""case $1 in
  save) mkdir -p "{self.path('client', 'save')}"; echo '<rhcert><test name="x">' >"{self.path('client', 'save')}/rhcert-results-lab-1.xml" ;;
esac""",
        )
        self.assertIn("is not what rhcert saves", self.certify(status=78).output)


if __name__ == "__main__":
    harness.main()
