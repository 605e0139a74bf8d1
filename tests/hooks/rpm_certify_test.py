#!/usr/bin/python3
"""rpm-certify with packages made for it; the whole of it, with a real product, is in samples/plugins/selftest."""

import os
import shutil
import string
import subprocess
import tempfile

import harness

CLASS = "rpm-certify.widget"
SPEC = string.Template(
    """
Name: $name
Version: 1.0
Release: 1
Summary: A widget
License: $licence
BuildArch: noarch
$tags

%description
A widget.

%install
mkdir -p %{buildroot}/usr/share/widget %{buildroot}/usr/share/licenses/widget %{buildroot}/etc %{buildroot}/usr/lib/systemd/system
echo $content >%{buildroot}/usr/share/widget/data
echo 'Do what you like.' >%{buildroot}/usr/share/licenses/widget/LICENSE
echo 'colour = blue' >%{buildroot}/etc/$name.conf
cat >%{buildroot}/usr/lib/systemd/system/$name.service <<'END'
$unit
END

$scriptlets

%files
%defattr(0644,root,root)
%license /usr/share/licenses/widget/LICENSE
/usr/share/widget/data
$configuration /etc/$name.conf
/usr/lib/systemd/system/$name.service

%changelog
* Thu Nov 26 2026 A Packager <packager@acme.example> - $changelog
- A version.
"""
)
CONFINED = """[Service]
ExecStart=/usr/bin/true
DynamicUser=yes
PrivateNetwork=yes
PrivateDevices=yes
ProtectSystem=strict
ProtectHome=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
CapabilityBoundingSet=
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=none
RestrictNamespaces=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service"""
OPEN = "[Service]\nExecStart=/usr/bin/true"
GOOD = {
    "name": "widget",
    "licence": "Apache-2.0",
    "tags": "",
    "content": "data",
    "unit": CONFINED,
    "changelog": "1.0-1",
    "configuration": "%config(noreplace)",
    "scriptlets": "%post\ntest -d /usr/share/widget || :",
}


class WithPackages(harness.PluginTest):
    plugin = "rpm-certify"

    def setUp(self):
        super().setUp()
        self.need("rpmbuild", "rpm")
        self.need("readelf", "binutils")
        self.need("systemd-analyze", "systemd")
        self.root = self.path("workspace", "root")
        os.makedirs(self.path("component"))

    def build(self, folder="component", **changed):
        """Builds a package into a folder, and returns its path."""
        values = {**GOOD, **changed}
        spec = self.write("package.spec", SPEC.substitute(values))
        # Elsewhere, because rpmbuild cannot work below a directory with a space in its name.
        with tempfile.TemporaryDirectory(prefix="rpmbuild.") as work:
            built = subprocess.run(
                ["rpmbuild", "-bb", "--quiet", "--define", f"_topdir {work}", "--define", f"_dbpath {work}/db", spec],
                capture_output=True,
                text=True,
                check=False,
            )
            self.assertEqual(built.returncode, 0, built.stderr)
            name = f"{values['name']}-1.0-1.noarch.rpm"
            os.makedirs(self.path(folder), exist_ok=True)
            return shutil.move(os.path.join(work, "RPMS", "noarch", name), self.path(folder, name))

    def install(self, *packages):
        os.makedirs(self.root, exist_ok=True)
        as_root = [] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--"]
        subprocess.run(
            [
                *as_root,
                "rpm",
                "--root",
                self.root,
                "--dbpath",
                "/var/lib/rpm",
                "-i",
                "--nodeps",
                "--noscripts",
                "--nosignature",
                "--replacefiles",
                *packages,
            ],
            check=True,
            capture_output=True,
        )
        for target in ("sysinit", "basic", "shutdown", "umount"):  # The base system that a unit refers to.
            self.write(f"workspace/root/usr/lib/systemd/system/{target}.target", "[Unit]\nDefaultDependencies=no\n")
        self.write("workspace/root/usr/bin/true", "#!/bin/sh\n", 0o755)
        self.write("shared/install-root", self.root + "\n")
        self.write("shared/product-packages", "widget\n")

    def certify(self, config=None, **changed):
        ended = self.hook("certify", config, OUTPOST_COMPONENT_WIDGET_PATH=self.path("component"), status=0, **changed)
        self.assertEqual(ended.of_kind("error"), set(), ended.output)
        return ended

    def only_failure(self, ended, case):
        self.assertEqual(ended.failed, {f"{CLASS}: {case}"}, ended.output)
        return ended.message(f"{CLASS}: {case}")


class RpmCertify(WithPackages):
    def test_a_good_package_passes(self):
        self.install(self.build())
        ended = self.certify()
        self.assertEqual(ended.failed, set(), ended.output)
        self.assertEqual(ended.of_kind("skipped"), {f"{CLASS}: has a valid signature"})
        self.assertEqual(len(ended.cases), 15)
        self.assertIn("Overall exposure level", self.read("artifacts", "security-widget.service.txt"))

    def test_nothing_to_certify_blames_the_setup(self):
        ended = self.hook("certify", status=78)
        self.assertIn("install-root", ended.output)
        os.makedirs(self.root)
        ended = self.hook("certify", {"root": self.root, "packages": ["widget"]}, status=78)
        self.assertIn("no database of rpm", ended.output)

    def test_a_missing_command_names_its_package(self):
        ended = self.hook("certify", without=["readelf"], status=78)
        self.assertIn("install the package binutils", ended.output)

    def test_a_wrong_configuration_is_a_usage_error(self):
        ended = self.hook("certify", {"security_threshold": "low"}, status=64)
        self.assertIn("security_threshold must be a number", ended.output)

    def test_a_package_that_is_not_installed_is_a_failure(self):
        self.install(self.build())
        ended = self.certify({"packages": ["widget", "gadget"]})
        self.assertEqual(ended.failed, {"rpm-certify.gadget: is installed"})

    def test_what_is_packaged_badly_is_found(self):
        self.install(self.build(licence="Proprietary", changelog="0.9-1", configuration=""))
        os.unlink(os.path.join(self.root, "usr/share/licenses/widget/LICENSE"))
        ended = self.certify()
        self.assertEqual(
            ended.failed,
            {
                f"{CLASS}: {name}"
                for name in (
                    "has a licence",
                    "has a changelog entry for its version",
                    "marks its configuration files",
                    "is installed as it was packaged (rpm -V)",
                )
            },
        )
        self.assertIn("%config(noreplace)", ended.message(f"{CLASS}: marks its configuration files"))

    def test_a_scriptlet_that_does_not_parse(self):
        # rpmbuild would refuse it for /bin/sh, so it is one of bash's.
        self.install(self.build(scriptlets="%post -p /bin/bash\nif true; then echo unfinished"))
        message = self.only_failure(self.certify(), "has scriptlets that parse")
        self.assertIn("%post has a syntax error", message)

    def test_a_scriptlet_whose_interpreter_is_missing(self):
        self.install(self.build(scriptlets="%preun -p /usr/bin/perl\nprint 1;"))
        ended = self.certify()
        self.assertIn("/usr/bin/perl", ended.message(f"{CLASS}: has scriptlets that parse"))
        self.assertIn("not installed", ended.message(f"{CLASS}: is installed as it was packaged (rpm -V)"))
        self.assertEqual(len(ended.failed), 2)

    def test_each_thing_that_a_scriptlet_must_not_do(self):
        for line, what in {
            "curl -s https://example.com/install.sh | sh": "downloads",
            "rm -rf /var/*": "whole tree",
            "chmod -R 0777 /usr/share/widget": "writable for everybody",
            "setenforce 0": "SELinux",
            "iptables -F": "packet filters",
            "systemctl disable --now firewalld": "switches off",
            "systemctl enable --now widget.service": "presets",
            "echo 'widget:x:0:0::/:/bin/sh' >> /etc/passwd": "edits a file",
            "grubby --update-kernel=ALL --args=quiet": "boots",
            "reboot": "restarts",
        }.items():
            with self.subTest(line):
                shutil.rmtree(self.root, ignore_errors=True)
                self.install(self.build(scriptlets=f"%post\n# {line}\n{line}"))
                self.assertIn(what, self.only_failure(self.certify(), "has scriptlets that leave the system alone"))
                allowed = self.certify(
                    {"scriptlets_allowed": [r"^(curl|rm|chmod|setenforce|iptables|systemctl|echo|grubby|reboot)"]}
                )
                self.assertEqual(allowed.failed, set())

    def test_harmless_scriptlets_are_left_alone(self):
        self.install(
            self.build(
                scriptlets="""%post
rm -rf /usr/share/widget/cache
rm -f /etc/widget.conf.old
chmod 0755 /usr/share/widget
systemctl daemon-reload || :
systemctl --no-reload preset widget.service || :
systemctl try-restart widget.service || :"""
            )
        )
        self.assertEqual(self.certify().failed, set())

    def test_a_service_that_is_open_is_found_and_a_limit_of_its_own_lets_it_pass(self):
        self.install(self.build(unit=OPEN))
        message = self.only_failure(self.certify(), "widget.service is confined (systemd-analyze security)")
        self.assertIn("allowed are at most 5.0", message)
        self.assertEqual(self.certify({"security_thresholds": {"widget.service": 100}}).failed, set())

    def test_a_waiver_skips_a_failure_and_says_why(self):
        self.install(self.build(unit=OPEN))
        ended = self.certify({"waivers": [{"case": f"{CLASS}: widget.service is confined*", "reason": "ticket 4711"}]})
        self.assertEqual(ended.failed, set())
        case = f"{CLASS}: widget.service is confined (systemd-analyze security)"
        self.assertEqual(ended.cases[case][0], "skipped")
        self.assertIn("ticket 4711", ended.message(case))

    def test_a_file_of_another_installed_package_is_a_conflict(self):
        self.install(self.build(), self.build(folder="other", name="gadget", content="other"))
        self.assertIn(
            "/usr/share/widget/data is also in gadget",
            self.only_failure(self.certify(), "does not conflict with the files of other packages"),
        )

    def test_the_same_bytes_can_be_shared_and_a_declared_conflict_is_none(self):
        self.install(self.build(), self.build(folder="other", name="gadget"))
        self.assertEqual(self.certify().failed, set())
        shutil.rmtree(self.root)
        self.install(
            self.build(tags="Conflicts: gadget < 1"), self.build(folder="other", name="gadget", content="other")
        )
        self.assertEqual(self.certify().failed, set())

    def test_a_baseline_of_each_kind(self):
        self.install(self.build())
        self.build(folder="baseline", name="gadget", content="other")
        kinds = {
            "a directory of packages": self.path("baseline"),
            "a list": self.write("platform.files", "# the platform\n/usr/share/widget/data gadget\n"),
        }
        if shutil.which("createrepo_c"):
            self.build(folder="repository", name="gadget", content="other")
            subprocess.run(["createrepo_c", "--quiet", self.path("repository")], check=True, capture_output=True)
            kinds["a repository"] = self.path("repository")
        else:
            print("SKIPPED: a repository as baseline: createrepo_c is missing: install the package createrepo-c")
        for kind, path in kinds.items():
            with self.subTest(kind):
                message = self.only_failure(
                    self.certify({"baseline": [path]}), "does not conflict with the files of other packages"
                )
                self.assertIn("is also in gadget", message)
                self.assertIn("Conflicts:", message)

    def test_a_baseline_that_is_none_blames_the_setup(self):
        self.install(self.build())
        for path in (self.path("nowhere"), self.path("artifacts"), self.write("empty.files", "")):
            ended = self.hook("certify", {"baseline": [path]}, status=78)
            self.assertIn("baseline", ended.output)

    def test_a_package_file_that_was_damaged_is_found(self):
        package = self.build()
        self.install(package)
        with open(package, "r+b") as file:
            file.seek(-20, os.SEEK_END)
            file.write(b"damaged")
        self.only_failure(self.certify(), "has an undamaged package file")


class Signatures(WithPackages):
    def setUp(self):
        super().setUp()
        self.need("gpg", "gnupg")
        self.need("rpmsign", "rpm")
        gnupg = tempfile.TemporaryDirectory(prefix="gnupg.")  # A short path: gpg-agent's socket lies in it.
        self.addCleanup(gnupg.cleanup)
        self.home = gnupg.name
        self.addCleanup(subprocess.run, ["gpgconf", "--homedir", self.home, "--kill", "all"], check=False)

    def key(self, name):
        settings = (
            f"%no-protection\nKey-Type: RSA\nKey-Length: 2048\nKey-Usage: sign\nName-Real: {name}\n"
            "Expire-Date: 0\n%commit\n"
        )
        subprocess.run(
            ["gpg", "--homedir", self.home, "--batch", "--gen-key"],
            input=settings,
            text=True,
            check=True,
            capture_output=True,
        )
        exported = subprocess.run(
            ["gpg", "--homedir", self.home, "--armor", "--export", name], check=True, capture_output=True
        )
        return self.write(f"{name}.asc", exported.stdout.decode())

    def sign(self, package, name):
        subprocess.run(
            [
                "rpmsign",
                "--define",
                f"_gpg_name {name}",
                "--define",
                f"_gpg_path {self.home}",
                "--define",
                "__gpg /usr/bin/gpg",
                "--addsign",
                package,
            ],
            check=True,
            capture_output=True,
        )

    def test_only_packages_that_are_signed_with_a_known_key_pass(self):
        lab, other = self.key("lab"), self.key("other")
        package = self.build()
        self.install(package)
        signed = "has a valid signature"
        self.assertIn("it is not signed", self.only_failure(self.certify({"signature_keys": [lab]}), signed))
        self.sign(package, "lab")
        self.assertEqual(self.certify({"signature_keys": [other, lab]}).failed, set())
        self.assertIn("not among signature_keys", self.only_failure(self.certify({"signature_keys": [other]}), signed))

    def test_a_file_that_is_no_key_blames_the_setup(self):
        self.install(self.build())
        ended = self.hook(
            "certify",
            {"signature_keys": [self.write("no.asc", "no key")]},
            OUTPOST_COMPONENT_WIDGET_PATH=self.path("component"),
        )
        self.assertEqual(ended.status, 78)
        self.assertIn("cannot be used", ended.output)


if __name__ == "__main__":
    harness.main()
