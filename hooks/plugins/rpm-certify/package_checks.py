"""What is checked of a package as a whole: where it comes from, how it is packaged, its files, its scriptlets."""

import functools
import glob
import os
import re
import shutil
import stat
import tempfile

from checks import CONFIGURATION, Failed, Skipped, directory, first_of, give_up, run

# What a scriptlet must not do: it runs as root, on every machine, with nobody looking.
FORBIDDEN = [
    (
        r"\b(curl|wget)\b|\b(pip3?|npm|gem|go) install\b",
        "downloads something: package it, or require the package that has it",
    ),
    (
        r"\brm\s+(-\w+\s+)*-\w*[rf]\w*\s+(-\S+\s+)*/(usr|etc|var|home|opt|root|boot)?/?\*?(\s|;|$)",
        "removes a whole tree of the system",
    ),
    (
        r"\bchmod\s+(-\w+\s+)*(0?[0-7][0-7][2367]|[ao]*\+[rx]*w)",
        "makes something writable for everybody: package the mode",
    ),
    (r"\bsetenforce\b|\bSELINUX=", "switches SELinux's enforcement: ship a policy module"),
    (r"\b(iptables|nft)\s+(-F|--flush|flush)\b", "drops the machine's packet filters"),
    (
        r"\bsystemctl\s+(.*\s)?(stop|disable|mask)\s+(\S+\s+)*(firewalld|auditd|sshd|nftables)\b",
        "switches off a service of the system",
    ),
    (
        r"\bsystemctl\s+(--\S+\s+)*(enable|start|unmask)\b",
        "enables or starts services itself: use %systemd_post, and leave it to presets",
    ),
    (
        r">>?\s*/etc/(passwd|shadow|group|sudoers|fstab|sysctl\.conf|crontab|profile|bashrc)\b",
        "edits a file of the system: ship a file of its own (sysusers.d, sudoers.d, sysctl.d)",
    ),
    (r"\bgrubby\b|\bgrub2-mkconfig\b|\bdracut\s+(.*\s)?(-f|--force)\b", "changes how the machine boots"),
    (r"\b(reboot|shutdown|poweroff|systemctl\s+(reboot|poweroff))\b", "restarts the machine"),
]


# ---- where it comes from ---------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=None)
def package_files():
    """Every package among the job's components; a compose holds thousands, so it is looked through once."""
    places = [path for name, path in sorted(os.environ.items()) if re.fullmatch(r"OUTPOST_COMPONENT_.+_PATH", name)]
    return [
        os.path.join(folder, name)
        for place in places
        for folder, _, names in os.walk(place)
        for name in sorted(names)
        if name.endswith(".rpm")
    ]


def package_file(package):
    """The package as a file among the job's components."""
    for path in package_files():
        if os.path.basename(path).startswith(package.name + "-"):
            if run(["rpm", "-qp", "--nosignature", "--qf", "%{NEVRA}", path]).output == package.full_name:
                return path
    raise Skipped(f"no component of this job holds the file of {package.full_name}")


def signed(package, options):
    if not options.signature_keys:
        raise Skipped("no signature_keys are configured")
    file = package_file(package)
    with tempfile.TemporaryDirectory(dir=directory("OUTPOST_TMP")) as database:
        for key in options.signature_keys:
            imported = run(["rpmkeys", "--dbpath", database, "--import", os.path.expandvars(key)])
            if imported.status != 0:
                give_up(CONFIGURATION, f"signature_keys: {key} cannot be used: {imported.both}")
        checked = run(["rpmkeys", "--dbpath", database, "-Kv", file])
    verdicts = re.findall(r"signature,.*: (\w+)$", checked.output, re.IGNORECASE | re.MULTILINE)
    if not verdicts:
        raise Failed("it is not signed: sign it with one of signature_keys (rpmsign --addsign)", checked.both)
    if "BAD" in verdicts:
        raise Failed(
            "its signature does not fit it: the file was changed after it was signed, or damaged", checked.both
        )
    if "OK" not in verdicts:
        raise Failed(
            "it is signed with a key that is not among signature_keys: sign it with the right one, or add the key",
            checked.both,
        )


def intact(package, options):
    checked = run(["rpmkeys", "-Kv", "--nosignature", package_file(package)])
    bad = [line.strip() for line in checked.output.splitlines() if re.search(r"digest.*: (?!OK)\w+$", line)]
    if checked.status != 0 or bad or "digest" not in checked.output:
        raise Failed("the package's file is damaged: build or transfer it again", checked.both)


def verifies(package, options):
    verified = package.root.rpm("-V", package.name)
    if "Unsatisfied dependencies" in verified.both:
        raise Failed("what it requires is not installed: install that too, or correct Requires:", verified.both)
    if verified.status != 0:
        raise Failed(
            f"rpm -V {package.name} finds differences: let nothing but the package change its files, or mark what "
            "changes as %config or %ghost",
            verified.both,
        )


# ---- how it is packaged ----------------------------------------------------------------------------------------------


def has_licence(package, options):
    if package.licence in ("", "(none)"):
        raise Failed("it names no licence: add License: to the spec")
    files = [file for file in package.files if "l" in file.flags]
    if not files:
        raise Failed(
            f"it ships no file marked %license, and says that its licence is {package.licence}: add %license to %files"
        )
    for file in files:
        path = package.root.inside(file.path)
        if not os.path.isfile(path) or os.path.getsize(path) == 0:
            raise Failed(f"the licence {file.path} is missing or empty: ship its text")


def has_changelog(package, options):
    newest = next(iter(package.changelog()), "none")
    if not newest.endswith(f" {package.version}"):
        raise Failed(f'the newest changelog entry is "{newest}": add one for {package.version}')


def marks_configuration(package, options):
    bad = [
        file.path
        for file in package.files
        if file.path.startswith("/etc/") and stat.S_ISREG(file.mode) and "c" not in file.flags and not file.is_ghost
    ]
    if bad:
        raise Failed(
            f"an upgrade would overwrite what a site changes in {len(bad)} files: mark them %config(noreplace)",
            "\n".join(bad),
        )


def documents_programs(package, options):
    programs = [
        file.path for file in package.files if re.fullmatch(r"(/usr)?/s?bin/[^/]+", file.path) and not file.is_directory
    ]
    pages = package.root.inside("/usr/share/man")
    missing = [
        path
        for path in programs
        if not glob.glob(os.path.join(glob.escape(pages), "man*", glob.escape(os.path.basename(path)) + ".*"))
    ]
    if missing:
        raise Failed(f"{len(missing)} programs have no man page: write one for each", "\n".join(missing))


# ---- its files, as they really are -----------------------------------------------------------------------------------


def real_files(package):
    """(file, lstat) of what is there; what is missing is rpm -V's case."""
    for file in package.files:
        try:
            yield file, os.lstat(package.root.inside(file.path))
        except OSError:
            continue


def listing(found):
    return "\n".join(
        f"{status.st_uid}:{status.st_gid} {stat.S_IMODE(status.st_mode):04o} {file.path}" for file, status in found
    )


def belongs_to_root(package, options):
    # Directories for a service's data are its own; programs, libraries and settings never are.
    bad = [
        (file, status)
        for file, status in real_files(package)
        if not package.root.belongs_to_root(status)
        and not (stat.S_ISDIR(status.st_mode) and re.match(r"/(var|run|srv)/", file.path))
    ]
    if bad:
        raise Failed(
            f"{len(bad)} files do not belong to root (owner, mode, name): correct %attr, or put data below /var",
            listing(bad),
        )


def nobody_else_writes(package, options):
    bad = [
        (file, status)
        for file, status in real_files(package)
        if status.st_mode & stat.S_IWOTH and not stat.S_ISLNK(status.st_mode)
    ]
    if bad:
        raise Failed(
            f"everybody may write {len(bad)} files (owner, mode, name): take the write permission away", listing(bad)
        )


def nothing_set_id(package, options):
    bad = [
        (file, status)
        for file, status in real_files(package)
        if stat.S_ISREG(status.st_mode)
        and status.st_mode & (stat.S_ISUID | stat.S_ISGID)
        and file.path not in options.setuid_allowed
    ]
    if bad:
        raise Failed(
            f"{len(bad)} files are set-user-id or set-group-id (owner, mode, name): use capabilities or a service, or "
            "list them in setuid_allowed",
            listing(bad),
        )


# ---- its scriptlets --------------------------------------------------------------------------------------------------


def scriptlets_parse(package, options):
    for name, interpreter, text in package.scriptlets():
        program = interpreter.split()[0] if interpreter else "/bin/sh"
        if program == "<lua>":
            checker = shutil.which("luac")
            command = [checker, "-p", "-"] if checker else None
        elif os.path.basename(program) in ("sh", "bash", "dash"):
            command = [shutil.which("bash") or "sh", "-n"]
        else:
            if program.startswith("/") and not os.path.lexists(package.root.inside(program)):
                raise Failed(
                    f"%{name} is run by {program}, which is not installed: add Requires({name}): {program}", text
                )
            continue
        checked = run(command, given=text) if command else None
        if checked and checked.status != 0:
            raise Failed(f"%{name} has a syntax error: {checked.errors.strip().splitlines()[-1]}", text)


def scriptlets_behave(package, options):
    found = []
    for name, _, text in package.scriptlets():
        for line in text.splitlines():
            if line.lstrip().startswith("#") or any(re.search(allowed, line) for allowed in options.scriptlets_allowed):
                continue
            found += [f"%{name} {why}\n    {line.strip()}" for pattern, why in FORBIDDEN if re.search(pattern, line)]
    if found:
        raise Failed(first_of([each.splitlines()[0] for each in found]), "\n".join(found))


CASES = [
    ("has a valid signature", signed),
    ("has an undamaged package file", intact),
    ("is installed as it was packaged (rpm -V)", verifies),
    ("has a licence", has_licence),
    ("has a changelog entry for its version", has_changelog),
    ("marks its configuration files", marks_configuration),
    ("has only files that belong to root", belongs_to_root),
    ("has no file that everybody may write", nobody_else_writes),
    ("has no set-user-id or set-group-id file", nothing_set_id),
    ("has a man page for each program", documents_programs),
    ("has scriptlets that parse", scriptlets_parse),
    ("has scriptlets that leave the system alone", scriptlets_behave),
]
