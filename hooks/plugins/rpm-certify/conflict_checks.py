"""Files that another package has too: one of both would overwrite the other's, or could not be installed."""

import glob
import gzip
import io
import lzma
import os
import subprocess
import xml.etree.ElementTree as xml

from checks import CONFIGURATION, Failed, first_of, give_up, run
from installed import FORMAT_WITH_OWNER, owned_files_in

NAMESPACE = "{http://linux.duke.edu/metadata/filelists}"


def opened(path):
    if path.endswith(".gz"):
        return gzip.open(path)
    if path.endswith(".xz"):
        return lzma.open(path)
    if path.endswith(".zst"):
        unpacked = subprocess.run(["zstd", "-dcq", path], stdout=subprocess.PIPE, check=True)
        return io.BytesIO(unpacked.stdout)
    return open(path, "rb")


def of_repository(path):
    """(package, digest, path) of what a repository's filelists names; it knows no digests."""
    lists = glob.glob(os.path.join(glob.escape(path), "repodata", "*filelists.xml*"))
    for name in lists:
        with opened(name) as file:
            for _, element in xml.iterparse(file):
                if element.tag == NAMESPACE + "package":
                    for entry in element.iter(NAMESPACE + "file"):
                        if entry.get("type") is None:  # Neither a directory nor a ghost.
                            yield element.get("name"), "", entry.text
                    element.clear()


def of_packages(path):
    packages = sorted(glob.glob(os.path.join(glob.escape(path), "**", "*.rpm"), recursive=True))
    for start in range(0, len(packages), 100):
        some = run(["rpm", "-qp", "--nosignature", "--qf", FORMAT_WITH_OWNER, *packages[start : start + 100]])
        for name, file in owned_files_in(some.output):
            if not file.is_directory and not file.is_ghost:
                yield name, file.digest, file.path


def of_list(path):
    """Lines `PATH` or `PATH PACKAGE`."""
    with open(path, encoding="utf-8") as file:
        for line in file:
            words = line.split()
            if words and not words[0].startswith("#"):
                yield words[1] if len(words) > 1 else os.path.basename(path), "", words[0]


def of_baseline(entry):
    path = os.path.expandvars(entry)
    if os.path.isfile(path):
        return of_list(path)
    if glob.glob(os.path.join(glob.escape(path), "repodata", "*filelists.xml*")):
        return of_repository(path)
    if os.path.isdir(path):
        return of_packages(path)
    give_up(
        CONFIGURATION, f"baseline: {path} is neither a repository, nor a directory with packages, nor a list of files"
    )


class Baseline:
    """Who has which file: the other packages in the same root, and what the configuration names."""

    def __init__(self, root, entries):
        self.owners = {}
        for name, file in root.others():
            if not file.is_directory and not file.is_ghost:
                self.add(name, file.digest, file.path)
        for entry in entries:
            named = 0
            try:
                for name, digest, path in of_baseline(entry):
                    self.add(name, digest, path)
                    named += 1
            except (
                OSError,
                EOFError,
                UnicodeDecodeError,
                lzma.LZMAError,
                xml.ParseError,
                subprocess.CalledProcessError,
            ) as error:
                give_up(CONFIGURATION, f"baseline: {entry} cannot be read: {error}")
            if named == 0:
                give_up(CONFIGURATION, f"baseline: {entry} names no file")

    def add(self, name, digest, path):
        self.owners.setdefault(path, set()).add((name, digest))


def no_conflicts(package, baseline):
    found = []
    for file in package.files:
        if file.is_directory or file.is_ghost:
            continue
        for name, digest in sorted(baseline.owners.get(file.path, ())):
            # The same package in another version, or one that it displaces, gives way; the same bytes can be shared.
            if name != package.name and name not in package.displaced and not (digest and digest == file.digest):
                found.append(f"{file.path} is also in {name}")
    if found:
        raise Failed(
            f"{first_of(found)}: move it to a path of its own, or declare Conflicts: or Obsoletes:", "\n".join(found)
        )
    return f"compared with {len(baseline.owners)} files"
