"""The machines that a plugin looks at: the hosts of the job's resources over ssh, or the jumphost itself."""

import contextlib
import json
import os
import shlex
import shutil
import subprocess

from checks import CONFIGURATION, INFRASTRUCTURE, USAGE, artifact, give_up, need_command, run, variable

# Part of the configuration of every plugin that looks at machines.
DEFAULTS = {"machines": "auto", "ssh_user": "root", "ssh_key": {}}


class Jumphost:
    name = "jumphost"

    def answers(self):
        return True

    def run(self, command, given=None, may_be_lost=False):
        """Runs a command to its end. Status 127: it is not there; 255, if that may be: the machine is out of reach."""
        path = shutil.which(command[0])
        if path is None:
            return run(["/bin/sh", "-c", f"echo {shlex.quote(command[0])}: not found >&2; exit 127"])
        return run([path, *command[1:]], given)

    def send(self, path, there):
        """Copies a file of the jumphost to the machine. Raises OSError."""
        shutil.copyfile(path, there)

    def fetch(self, there, path):
        """Copies a file of the machine to the jumphost. Raises OSError."""
        shutil.copyfile(there, path)


def quoted(path):
    """A path as ssh wants it in a list of files."""
    return '"' + path.replace("%", "%%") + '"'


def usable_key(path):
    """A private key as ssh reads it: with a line feed at its end, which secrets lose on their way to a hook."""
    with open(path, "rb") as file:
        key = file.read()
    if key.endswith(b"\n"):
        return path
    memory = os.memfd_create("ssh_key")  # Secrets do not go to a disk.
    os.fchmod(memory, 0o600)
    os.write(memory, key + b"\n")
    return f"/proc/{os.getpid()}/fd/{memory}"


class Host:
    def __init__(self, name, settings):
        self.name = name
        self.ssh = [
            need_command("ssh", "openssh-clients (Debian: openssh-client)"),
            "-o",
            "BatchMode=yes",
            "-o",
            "ConnectTimeout=30",
            "-o",
            "ServerAliveInterval=30",
            "-o",
            "StrictHostKeyChecking=accept-new",
            "-o",
            "UserKnownHostsFile=" + quoted(os.path.join(variable("OUTPOST_STATE"), "known_hosts")),
        ]
        # Configured, it is a reference to a file; otherwise a secret of that name will do.
        key = os.path.join(
            os.environ.get("OUTPOST_SECRETS") or "/nonexistent", settings.ssh_key.get("$secret", "ssh_key")
        )
        if os.path.isfile(key):
            self.ssh += ["-i", usable_key(key), "-o", "IdentitiesOnly=yes"]
        self.ssh += ["-l", settings.ssh_user, "--", name]

    def answers(self):
        """Whether it can be reached at all."""
        return run([*self.ssh, "true"]).status == 0

    def run(self, command, given=None, may_be_lost=False):
        ended = run([*self.ssh, shlex.join(command)], given)
        if ended.status == 255 and not may_be_lost:  # ssh's own: the lab is at fault, or its keys.
            give_up(
                INFRASTRUCTURE,
                f"{self.name} cannot be reached over ssh: {(ended.errors.strip() or 'no reason given').splitlines()[-1]}",
            )
        return ended

    def copy(self, command, there, **streams):
        ended = subprocess.run([*self.ssh, shlex.join(command)], check=False, stderr=subprocess.PIPE, **streams)
        if ended.returncode != 0:
            raise OSError(f"{self.name}:{there}: {ended.stderr.decode('utf-8', 'replace').strip()}")

    def send(self, path, there):
        with open(path, "rb") as file:
            self.copy(["dd", f"of={there}", "bs=64k", "status=none"], there, stdin=file, stdout=subprocess.DEVNULL)

    def fetch(self, there, path):
        with open(path, "wb") as file:
            self.copy(["cat", there], there, stdin=subprocess.DEVNULL, stdout=file)


def fetch_artifact(machine, there, name):
    """Copies a file of a machine to the artifacts, and returns its path among them."""
    path = artifact(name)
    try:
        machine.fetch(there, path)
    except OSError as error:
        give_up(INFRASTRUCTURE, f"{machine.name}:{there} cannot be fetched: {error}")
    return path


@contextlib.contextmanager
def folder_on(machine):
    """A directory of our own on a machine, for as long as the `with`."""
    made = machine.run(["mktemp", "-d", "/var/tmp/outpost.XXXXXX"])
    if made.status != 0:
        give_up(INFRASTRUCTURE, f"{machine.name}: no directory can be made in /var/tmp: {made.both}")
    path = made.output.strip()
    try:
        yield path
    finally:
        machine.run(["rm", "-rf", "--", path], may_be_lost=True)


def hosts_of_job():
    """The hosts of all resources that the job holds, each once, in order."""
    try:
        resources = json.loads(os.environ.get("OUTPOST_RESOURCES") or "{}")
        names = [host for resource in resources.values() for host in resource.get("hosts", [])]
    except (ValueError, AttributeError) as error:
        give_up(USAGE, f"OUTPOST_RESOURCES is not what the agent writes: {error}")
    return list(dict.fromkeys(names))


def machines(settings):
    """Those that the configuration asks for: `hosts`, `jumphost`, or `auto`: hosts where the job holds any."""
    if settings.machines not in ("auto", "hosts", "jumphost"):
        give_up(USAGE, f"configuration: machines is {settings.machines!r}, it can be auto, hosts or jumphost")
    hosts = hosts_of_job()
    if settings.machines == "hosts" and not hosts:
        give_up(
            CONFIGURATION,
            "the job holds no resource with hosts: name one in the job's resources (outpost.yml), "
            "or set machines to jumphost",
        )
    if settings.machines == "jumphost" or not hosts:
        return [Jumphost()]
    return [Host(name, settings) for name in hosts]
