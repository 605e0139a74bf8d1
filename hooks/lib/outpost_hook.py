"""For hooks in Python: the verbs of outpost-hook(1) as functions. One file, no dependencies.

    sys.path.insert(0, os.environ["OUTPOST_LIB"])
    import outpost_hook as hook

A call that the agent refuses raises HookError, which has the exit status of outpost-hook.
"""

import contextlib
import json
import os
import subprocess
import time

SKIP, UNAVAILABLE, BUG, RETRY_LATER, INFRASTRUCTURE, CONFIGURATION = 65, 69, 70, 75, 77, 78


class HookError(Exception):
    """The call was refused; `status` says how: 1 no, 64 wrong, 69 cannot be done, 75 later perhaps."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class Skip(Exception):
    """Raised within case(): there is nothing to test."""


def _call(*words, allowed=(0,), stdin=None):
    done = subprocess.run(["outpost-hook", *map(str, words)], stdout=subprocess.PIPE, input=stdin, check=False, text=True)
    if done.returncode not in allowed:
        raise HookError(done.returncode, f"outpost-hook {words[0]} ended with {done.returncode}")
    return done


def _options(**values):
    return [f"--{name}={value}" for name, value in values.items() if value is not None]


def result(name, outcome, suite=None, duration=None, message=None, log=None, keys=None):
    """Reports a test case: pass, fail, error, skip or xfail. `duration` is in seconds."""
    pairs = [f"--key={key}={value}" for key, value in (keys or {}).items()]
    took = None if duration is None else f"{round(duration * 1000)}ms"
    options = _options(suite=suite, duration=took, message=message, log=log)
    _call("result", *options, *pairs, "--", name, outcome)


@contextlib.contextmanager
def case(name, suite=None, keys=None):
    """What is done within is a test case. An AssertionError is a fail, Skip a skip, another exception an error; the first
    two end here, any other goes on."""
    began = time.monotonic()

    def report(outcome, message=None):
        result(name, outcome, suite, time.monotonic() - began, message, keys=keys)

    try:
        yield
    except AssertionError as failed:
        report("fail", str(failed) or "an assertion failed")
    except Skip as skipped:
        report("skip", str(skipped) or None)
    except BaseException as broken:
        report("error", f"{type(broken).__name__}: {broken}")
        raise
    else:
        report("pass")


def junit(*files, name=None, each=False):
    """Several files become one result, unless each shall be one."""
    _call("junit", *_options(name=name), *(["--each"] if each else []), "--", *files)


def artifact(*files, name=None, type=None):  # pylint: disable=redefined-builtin
    _call("artifact", *_options(name=name, type=type), "--", *files)


def var_set(name, value, secret=False):
    """A value for all hooks of the job; anything that JSON has."""
    _call("var", "set", *(["--secret"] if secret else []), "--", name, json.dumps(value))


def var_get(name, default=None):
    got = _call("var", "get", "--json", "--", name, allowed=(0, 1))
    return json.loads(got.stdout) if got.returncode == 0 else default


def var_unset(name):
    _call("var", "unset", "--", name, allowed=(0, 1))


def var_list():
    lines = _call("var", "list").stdout.splitlines()
    return {name: json.loads(value) for name, _, value in (line.partition("=") for line in lines)}


def env_set(**variables):
    """Variables of the hooks that follow."""
    _call("env", "set", "--", *(f"{name}={value}" for name, value in variables.items()))


def env_unset(*names):
    _call("env", "unset", "--", *names)


def secret(name):
    with open(secret_file(name), encoding="utf-8") as file:
        return file.read()


def secret_file(name):
    return _call("secret", "get", "--file", "--", name).stdout.rstrip("\n")


def redact(text):
    """Hides a text in logs from now on, without showing it to other users of the machine."""
    _call("redact", "--file", "-", stdin=text)


def group_start(title):
    _call("group", "start", "--", title)


def group_end():
    _call("group", "end")


@contextlib.contextmanager
def group(title):
    group_start(title)
    try:
        yield
    finally:
        group_end()


def note(text, file=None):
    _call("note", *_options(file=file), "--", text)


def warn(text, file=None):
    _call("warn", *_options(file=file), "--", text)


def error(text, file=None):
    _call("error", *_options(file=file), "--", text)


def summary(markdown):
    _call("summary", "-", stdin=markdown)


def progress(done, of, text=""):
    _call("progress", "--", f"{done}/{of}", *([text] if text else []))


def status(text):
    _call("status", "--", text)


def timeout(seconds, more=False):
    """Sets the time that is left, or adds to it; returns the seconds that are left."""
    left = _call("timeout", "--", f"{'+' if more else ''}{round(seconds * 1000)}ms").stdout.strip()
    return int(left) if left else None


def heartbeat():
    _call("heartbeat")


def retry(seconds, why=""):
    """Ends the hook with 75, to be run again after so long."""
    _call("retry", "--", f"{round(seconds * 1000)}ms", *([why] if why else []), allowed=(75,))
    raise SystemExit(RETRY_LATER)


def lock(name, wait=None):
    """Whether the job has got the lock; with `wait` after so many seconds at most."""
    limit = [] if wait is None else ["--wait", f"{round(wait * 1000)}ms"]
    return _call("resource", "lock", *limit, "--", name, allowed=(0, 75)).returncode == 0


def unlock(name):
    _call("resource", "unlock", "--", name)


def locks():
    text = _call("resource", "list").stdout
    return json.loads(text) if text.strip() else []


def metric(name, value, unit=None):
    _call("metric", *_options(unit=unit), "--", name, value)


def component(what, component_type):
    """`what` is path, url or version."""
    return _call("component", "--", what, component_type).stdout.rstrip("\n")


def abort(why):
    """Ends the job as an error."""
    _call("abort", "--", why, allowed=(1,))
    raise SystemExit(1)


def cancelled():
    return _call("cancelled", allowed=(0, 1)).returncode == 0


def reboot(why=""):
    """Has the machine restarted when this hook has ended with 0; it then runs again, with OUTPOST_REASON=resume."""
    _call("reboot", "--", *([why] if why else []))


def execute(*command, timeout=None, retries=0, backoff=None):  # pylint: disable=redefined-outer-name
    """Runs a command with a time limit, and again when it fails; returns the status of the last attempt. Times in seconds."""
    options = _options(timeout=timeout, retries=retries, backoff=backoff)
    return subprocess.call(["outpost-hook", "exec", *options, "--", *command], env=os.environ)
