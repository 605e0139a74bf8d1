"""A directory that packages are installed in, as rpm knows it, and as an ordinary user may look at it too."""

import os
import stat

from checks import CONFIGURATION, INFRASTRUCTURE, give_up, run

MARK = "@@outpost-scriptlet "  # Begins the line above each scriptlet in what rpm prints.
NAMES = {"PREIN": "pre", "POSTIN": "post", "TRIGGER": "triggerin"}  # As a spec calls them, where rpm has another name.
SCRIPTLETS = ("PRETRANS", "PREIN", "POSTIN", "PREUN", "POSTUN", "POSTTRANS", "VERIFYSCRIPT")
FILE_FORMAT = r"[%{FILEFLAGS:fflags}\t%{FILEMODES:octal}\t%{FILEDIGESTS}\t%{FILENAMES}\n]"
FORMAT_WITH_OWNER = FILE_FORMAT.replace("[", r"[%{=NAME}\t", 1)

# rpm and systemd-analyze insist on being root. For an ordinary user that is a user namespace: enough for its own files.
AS_ROOT = [] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--"]


class File:
    """A file of a package, as it was packaged."""

    def __init__(self, flags, mode, digest, path):
        self.flags, self.mode, self.digest, self.path = flags, int(mode, 8), digest, path

    @property
    def is_directory(self):
        return stat.S_ISDIR(self.mode)

    @property
    def is_ghost(self):
        return "g" in self.flags


def files_in(text):
    """The files in what rpm printed for FILE_FORMAT."""
    rows = (line.split("\t", 3) for line in text.splitlines())
    return [File(*row) for row in rows if len(row) == 4]


def owned_files_in(text):
    """(name of the package, file) in what rpm printed for FORMAT_WITH_OWNER."""
    for line in text.splitlines():
        name, _, row = line.partition("\t")
        for file in files_in(row):
            yield name, file


def scriptlets_in(text):
    """(name in a spec, interpreter, text) of each scriptlet in what rpm printed."""
    found = []
    for part in ("\n" + text).split("\n" + MARK)[1:]:
        head, _, body = part.partition("\n")
        name, _, interpreter = head.partition(" ")
        if body.strip() not in ("", "(none)"):
            found.append((NAMES.get(name, name.lower()), interpreter, body))
    return found


class Package:
    def __init__(self, root, name):
        self.root, self.name = root, name
        head = self.query(r"%{VERSION}-%{RELEASE}\n%{LICENSE}\n%{NEVRA}\n").splitlines()
        self.version, self.licence, self.full_name = head[0], head[1], head[2]
        self.files = files_in(self.query(FILE_FORMAT))
        self.displaced = set(self.query(r"[%{OBSOLETENAME}\n][%{CONFLICTNAME}\n]").splitlines()) - {"(none)"}

    def query(self, form):
        return self.root.rpm("-q", "--qf", form, self.name).output

    def changelog(self):
        return self.query(r"[%{CHANGELOGNAME}\n]").splitlines()

    def scriptlets(self):
        form = "".join(f"{MARK}{tag} %{{{tag}PROG}}\\n%{{{tag}}}\\n" for tag in SCRIPTLETS)
        return scriptlets_in(
            self.query(form) + self.query(f"[{MARK}TRIGGER %{{TRIGGERSCRIPTPROG}}\\n%{{TRIGGERSCRIPTS}}\\n]")
        )


class InstallRoot:
    def __init__(self, path):
        self.path = path
        if run([*AS_ROOT, "true"]).status != 0:
            give_up(
                INFRASTRUCTURE,
                "an ordinary user needs user namespaces for this (see unshare(1) and the sysctl "
                "user.max_user_namespaces); without them run the agent's jobs as root",
            )
        self.database = next(
            (place for place in ("/usr/lib/sysimage/rpm", "/var/lib/rpm") if self.has_database(place)), None
        )
        if self.database is None:
            give_up(CONFIGURATION, f"{path} holds no database of rpm: nothing was installed there, or not with rpm")

    def has_database(self, place):
        folder = self.inside(place)
        return any(os.path.isfile(os.path.join(folder, name)) for name in ("rpmdb.sqlite", "Packages", "Packages.db"))

    def inside(self, path):
        """A path of the installation as a path of this machine."""
        return self.path.rstrip("/") + path

    def rpm(self, *arguments):
        return run([*AS_ROOT, "rpm", "--root", self.path, "--dbpath", self.database, *arguments])

    def package(self, name):
        """An installed package; None when it is not there."""
        return Package(self, name) if self.rpm("-q", name).status == 0 else None

    def others(self):
        """(name of the package, file) of everything installed."""
        return owned_files_in(self.rpm("-qa", "--qf", FORMAT_WITH_OWNER).output)

    def belongs_to_root(self, status):
        """Whether a file's owner is root, or is root once an ordinary user's namespace makes it so."""
        return (status.st_uid == 0 and status.st_gid == 0) or (
            bool(AS_ROOT) and status.st_uid == os.geteuid() and status.st_gid in (0, os.getegid(), *os.getgroups())
        )
