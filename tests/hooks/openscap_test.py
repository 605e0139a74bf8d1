#!/usr/bin/python3
"""openscap with the real oscap and a benchmark of our own, about files in a directory."""

import os
import shutil

import harness

CONTENT = os.path.join(os.path.dirname(os.path.realpath(__file__)), "openscap")
GROUP = "openscap.lab.jumphost"
PROFILE = "xccdf_acme_profile_lab"


class OpenScap(harness.PluginTest):
    plugin = "openscap"

    def setUp(self):
        super().setUp()
        self.need("oscap", "openscap-scanner")
        shutil.copytree(CONTENT, self.path("content"))
        self.good()

    def good(self):
        self.write("root/etc/acme.conf", "colour = blue\n")
        self.write("root/etc/ssh/sshd_config", "PermitRootLogin no\n")
        self.write("root/etc/issue", "A machine of Acme's lab\n")

    def evaluate(self, status=0, **config):
        values = {
            "profile": PROFILE,
            "content": self.path("content", "acme-xccdf.xml"),
            "root": self.path("root"),
            **config,
        }
        return self.hook("certify", {name: value for name, value in values.items() if value is not None}, status=status)

    def test_a_machine_that_is_as_it_should_be_passes(self):
        ended = self.evaluate()
        self.assertEqual(
            ended.of_kind("passed"), {f"{GROUP}: {rule}" for rule in ("conf_mode", "no_root_login", "banner")}
        )
        self.assertEqual(ended.of_kind("skipped"), {f"{GROUP}: by_hand"})
        self.assertIn("No candidate", ended.message(f"{GROUP}: by_hand"))
        self.assertIn("<html", self.read("artifacts", "openscap-report-jumphost.html"))
        self.assertIn("TestResult", self.read("artifacts", "openscap-results-jumphost.xml"))

    def test_each_rule_that_fails_says_what_to_do(self):
        os.chmod(self.path("root/etc/acme.conf"), 0o666)
        self.write("root/etc/ssh/sshd_config", "PermitRootLogin yes\n")
        self.write("root/etc/issue", "\n")
        ended = self.evaluate()
        self.assertEqual(ended.failed, {f"{GROUP}: {rule}" for rule in ("conf_mode", "no_root_login", "banner")})
        self.assertEqual(
            ended.message(f"{GROUP}: conf_mode"),
            "Only root may write /etc/acme.conf (high): Run chmod 0644 /etc/acme.conf",
        )
        self.assertIn("People log in under their own names.", ended.cases[f"{GROUP}: no_root_login"][2])

    def test_rules_below_the_severity_that_fails_are_skipped(self):
        os.chmod(self.path("root/etc/acme.conf"), 0o666)
        self.write("root/etc/issue", "\n")
        ended = self.evaluate(fail_severity="medium")
        self.assertEqual(ended.failed, {f"{GROUP}: conf_mode"})
        self.assertIn("below fail_severity", ended.message(f"{GROUP}: banner"))

    def test_a_rule_can_be_left_out_or_waived(self):
        self.write("root/etc/issue", "\n")
        self.assertEqual(self.evaluate(skip_rules=["xccdf_acme_rule_banner"]).failed, set())
        ended = self.evaluate(waivers=[{"case": "openscap.*: banner", "reason": "ticket 7"}])
        self.assertIn("waived, ticket 7", ended.message(f"{GROUP}: banner"))

    def test_the_end_of_a_profiles_name_is_enough(self):
        self.assertEqual(set(self.evaluate(profile="modes").cases), {"openscap.modes.jumphost: conf_mode"})

    def test_a_tailoring_is_used(self):
        tailoring = self.write(
            "tailoring.xml",
            """<?xml version="1.0" encoding="UTF-8"?>
<Tailoring xmlns="http://checklists.nist.gov/xccdf/1.2" id="xccdf_acme_tailoring_site">
  <version time="2026-11-26T00:00:00">1</version>
  <Profile id="xccdf_acme_profile_site" extends="xccdf_acme_profile_lab">
    <title>Site</title><select idref="xccdf_acme_rule_banner" selected="false"/>
  </Profile>
</Tailoring>
""",
        )
        ended = self.evaluate(profile="xccdf_acme_profile_site", tailoring=tailoring)
        self.assertEqual(
            set(ended.cases), {f"openscap.site.jumphost: {rule}" for rule in ("conf_mode", "no_root_login", "by_hand")}
        )

    def test_a_profile_that_does_not_exist_lists_those_that_do(self):
        ended = self.evaluate(profile="nosuch", status=64)
        self.assertIn("xccdf_acme_profile_lab:Lab", ended.output)

    def test_what_is_missing_is_said(self):
        self.assertIn("configure profile", self.evaluate(profile=None, status=64).output)
        self.assertIn("cannot be used", self.evaluate(content=self.path("nowhere.xml"), status=78).output)
        self.assertIn(
            "cannot be used", self.evaluate(content=self.write("broken.xml", "<Benchmark>"), status=78).output
        )
        self.assertIn("low, medium or high", self.evaluate(fail_severity="worst", status=64).output)
        ended = self.hook("certify", {"profile": "lab"}, without=["oscap"], status=78)
        self.assertIn("install the package openscap-scanner", ended.output)

    def test_without_a_security_guide_the_package_is_named(self):
        self.command(
            "cat",
            'case $1 in /etc/os-release) printf \'ID="rhel"\\nVERSION_ID="9.4"\\n\' ;; *) exec /bin/cat "$@" ;; esac',
        )
        self.command("test", "exit 1")
        ended = self.hook("certify", {"profile": "standard"}, status=78)
        self.assertIn("/usr/share/xml/scap/ssg/content/ssg-rhel9-ds.xml: install scap-security-guide", ended.output)

    def test_hosts_are_evaluated_over_ssh_and_left_clean(self):
        self.ssh_stands_in()
        self.command("mktemp", f"""made=$(/bin/mktemp "$@") && echo "$made" >>'{self.path("made")}' && echo "$made" """)
        ended = self.hook(
            "certify",
            {"profile": "modes", "content": self.path("content", "acme-xccdf.xml")},
            OUTPOST_RESOURCES='{"rack": {"hosts": ["10.0.0.1", "10.0.0.2"]}}',
        )
        self.assertEqual(ended.status, 0, ended.output)
        self.assertEqual(set(ended.cases), {f"openscap.modes.10.0.0.{number}: conf_mode" for number in (1, 2)})
        self.assertTrue(os.path.exists(self.path("artifacts", "openscap-report-10.0.0.2.html")))
        made = self.read("made").splitlines()
        self.assertEqual((len(made), [path for path in made if os.path.exists(path)]), (2, []))

    def test_results_that_break_off_blame_the_lab_and_no_rule(self):
        self.command(
            "oscap",
            """[ "$1" = xccdf ] || exit 0
while [ $# -gt 0 ]; do
  case $1 in --results) printf '<Benchmark><TestResult>' >"$2" ;; --report) echo '<html/>' >"$2" ;; esac
  shift
done""",
        )
        self.assertIn("results are not whole", self.evaluate(status=77).output)

    def test_what_oscap_cannot_decide_is_an_error_and_a_rule_with_several_checks_is_numbered(self):
        results = """<Benchmark xmlns="http://checklists.nist.gov/xccdf/1.2">
 <Rule id="xccdf_org.ssgproject.content_rule_telnet"><title>No telnet</title></Rule>
 <TestResult>
  <rule-result idref="xccdf_org.ssgproject.content_rule_telnet"><result>pass</result></rule-result>
  <rule-result idref="xccdf_org.ssgproject.content_rule_telnet" severity="high"><result>fail</result></rule-result>
  <rule-result idref="xccdf_org.ssgproject.content_rule_ftp"><result>error</result><message>probe died</message></rule-result>
  <rule-result idref="xccdf_org.ssgproject.content_rule_nfs"><result>notselected</result></rule-result>
 </TestResult></Benchmark>"""
        path = self.write("results.xml", results)
        self.command(
            "oscap",
            f"""[ "$1" = xccdf ] || exit 0
while [ $# -gt 0 ]; do
  case $1 in --results) cp '{path}' "$2" ;; --report) echo '<html/>' >"$2" ;; esac
  shift
done
exit 2""",
        )
        ended = self.evaluate()
        self.assertEqual(
            {name: case[0] for name, case in ended.cases.items()},
            {f"{GROUP}: telnet": "passed", f"{GROUP}: telnet #2": "failure", f"{GROUP}: ftp": "error"},
        )
        self.assertIn("probe died", ended.message(f"{GROUP}: ftp"))


if __name__ == "__main__":
    harness.main()
