#!/usr/bin/python3
"""Certifies the packages that an install hook put into a directory: packaging, files, scriptlets, hardening, units.

Every check is a JUnit case; failed cases make the job a failure, so the hook ends with 0 as soon as it could check.
"""

import os
import sys

sys.dont_write_bytecode = True
sys.path.append(os.path.join(sys.path[0], "lib"))

import conflict_checks
import elf_checks
import package_checks
import unit_checks
from checks import CONFIGURATION, Report, directory, give_up, need_command, say, settings
from installed import InstallRoot

DEFAULTS = {
    "root": "",
    "packages": [],
    "signature_keys": [],
    "setuid_allowed": [],
    "scriptlets_allowed": [],
    "security_threshold": 50,
    "security_thresholds": {},
    "baseline": [],
    "waivers": [],
}
COMMANDS = {
    "rpm": "rpm",
    "rpmkeys": "rpm",
    "readelf": "binutils",
    "systemd-analyze": "systemd",
    "unshare": "util-linux",
}


def shared(name):
    """What the install hook left for other plugins, as lines."""
    path = os.path.join(directory("OUTPOST_SHARED"), name)
    if not os.path.isfile(path):
        return []
    with open(path, encoding="utf-8") as file:
        return file.read().split("\n")[:-1]


def certify(report, root, name, options, baseline):
    group = f"rpm-certify.{name}"
    package = root.package(name)
    if package is None:
        report.add(
            group,
            "is installed",
            "failure",
            f"{name} is not installed in {root.path}: look into the log of the install hook, or correct `packages`",
        )
        return
    for title, check in package_checks.CASES:
        report.check(group, title, check, package, options)
    report.check(
        group, "does not conflict with the files of other packages", conflict_checks.no_conflicts, package, baseline
    )
    for file in package.files:
        elf_checks.certify(report, group, root, file)
        unit_checks.certify(report, group, root, file, options)


def main():
    options = settings(DEFAULTS)
    for command, package in COMMANDS.items():
        need_command(command, package)
    directory("OUTPOST_TMP")
    directory("OUTPOST_ARTIFACTS")
    path = options.root or next(iter(shared("install-root")), "")
    names = options.packages or shared("product-packages")
    if not path or not os.path.isdir(path) or not names:
        give_up(
            CONFIGURATION,
            "nothing to certify: no install hook left $OUTPOST_SHARED/install-root (a directory) and "
            "product-packages (names); add a plugin that does, or configure root and packages",
        )
    root = InstallRoot(os.path.realpath(path))
    say(f"certifying {len(names)} packages in {root.path}")
    baseline = conflict_checks.Baseline(root, options.baseline)
    with Report("rpm-certify", options.waivers) as report:
        for name in names:
            certify(report, root, name, options, baseline)
    return 0


if __name__ == "__main__":
    sys.exit(main())
