# Tells Outpost what a play does, task by task, and never makes the play wait.
#
# Each fact is appended to a file as one line of JSON, and Outpost reads the file as it grows (README.md, "The stream").
# A file rather than a pipe or a socket: nobody has to be there to read it, so an agent that is slow, restarted or dead
# neither holds up the play nor loses a line, and nothing is kept in memory here.

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
name: outpost
type: notification
short_description: streams tasks, their output and their results to Outpost
description:
  - Appends one JSON line per fact to the file that E(OUTPOST_ANSIBLE_TASKS) names; without that variable it does nothing.
  - What a task prints is taken where it is printed, so C(no_log) and the stdout callback in use hold here too.
options: {}
"""

import json
import os
import threading
import time

from ansible import constants as C
from ansible.plugins.callback import CallbackBase

OUTPUT_LIMIT = 1 << 20  # Characters of one task's output; all of it is in the step's log.
PIECE = 1 << 16         # Characters of a line of the stream.
NAME_LIMIT = 1000
LONGEST_SECRET = 4096   # Left out at a cut, so that no half of a secret is there to be recognised by nobody.


class Stream(object):
    """The file; the first failure ends it, because a half-told story is better than a failed play."""

    def __init__(self, path):
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK
        self._file = os.open(path, flags, 0o640)
        self.problem = None

    def tell(self, fact):
        if self._file is None:
            return
        line = json.dumps(fact, ensure_ascii=True, separators=(",", ":")).encode("ascii") + b"\n"
        try:
            while line:
                line = line[os.write(self._file, line):]
        except OSError as error:
            self.problem = str(error)
            os.close(self._file)
            self._file = None


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "outpost"

    def __init__(self):
        super(CallbackModule, self).__init__()
        self._variables = None
        self._plays = 0
        self._lock = threading.RLock()
        self._process = os.getpid()
        self._stream = None
        self._open = False     # A part (a play, a task, the recap) has begun.
        self._empty = True     # It has printed nothing yet.
        self._by_hook = False  # No banner has named it.
        self._taken = False    # It is known to be something else than the task that begins next.
        self._banner = False   # A banner is being printed.
        path = os.environ.get("OUTPOST_ANSIBLE_TASKS")
        self.disabled = not path
        if not path:
            return
        try:
            self._stream = Stream(path)
        except OSError as error:
            self._display.warning("outpost: tasks are not reported one by one: %s" % error)
            return
        self._watch_display()

    # ---- what is printed -------------------------------------------------------------------------------------------

    def _watch_display(self):
        """Sees what anybody prints, whichever stdout callback is in use."""
        display = self._display
        printing, heading = display.display, display.banner

        def display_and_tell(msg, color=None, stderr=False, screen_only=False, log_only=False, *args, **kwargs):
            # Workers are forked, and hand what they print to this process. What is printed for the screen alone comes
            # without colours for the log too.
            if os.getpid() == self._process and not screen_only:
                self._printed(msg, color)
            return printing(msg, color, stderr, screen_only, log_only, *args, **kwargs)

        def banner_and_tell(msg, *args, **kwargs):
            if os.getpid() != self._process:
                return heading(msg, *args, **kwargs)
            with self._lock:
                if self._open and self._by_hook and self._empty:
                    self._by_hook = False  # The banner of a part that has begun.
                else:
                    self._begin(msg, by_hook=False)
                self._banner = True
                try:
                    return heading(msg, *args, **kwargs)
                finally:
                    self._banner = False

        display.display, display.banner = display_and_tell, banner_and_tell

    def _printed(self, text, color):
        with self._lock:
            if self._banner or not self._open:
                return
            self._empty = False
            if color == C.COLOR_WARN:
                self._warnings += 1
            text = "%s\n" % text
            room = OUTPUT_LIMIT - self._size
            if self._left_out or len(text) > room:
                kept = "" if self._left_out else text[:max(0, room - LONGEST_SECRET)]
                self._left_out += len(text) - len(kept)
                text = kept
            self._size += len(text)
            for begin in range(0, len(text), PIECE):
                self._stream.tell({"out": text[begin:begin + PIECE]})

    # ---- parts -----------------------------------------------------------------------------------------------------

    def _begin(self, name, by_hook):
        self._end()
        self._open, self._empty, self._by_hook, self._taken = True, True, by_hook, False
        self._size = self._left_out = self._warnings = 0
        self._hosts = {}
        self._where = None
        self._stream.tell({"start": name.strip()[:NAME_LIMIT], "at": time.time()})

    def _end(self):
        if not self._open:
            return
        self._open = False
        if self._left_out:
            self._stream.tell({"out": "[%d more characters: see the log]\n" % self._left_out})
        fact = {"end": self._result(), "at": time.time(), "hosts": self._hosts}
        if self._warnings:
            fact["warnings"] = self._warnings
        if self._where:
            fact["where"] = self._where
        self._stream.tell(fact)

    def _result(self):
        """The worst that happened on any host."""
        for result in ("failed", "unreachable", "ignored", "changed", "ok", "skipped"):
            if self._hosts.get(result):
                return result
        return "ok"

    def _count(self, result):
        if self._stream:
            with self._lock:
                if self._open:
                    self._hosts[result] = self._hosts.get(result, 0) + 1

    def _task_begins(self, kind, task):
        if not self._stream:
            return
        with self._lock:
            # The stdout callback was told before: where it prints banners, this task's is there, or comes later.
            name = "%s [%s]" % (kind, task.get_name().strip())
            if not self._open or self._by_hook or not self._empty or self._taken:
                self._begin(name, by_hook=True)
            self._taken = True
            self._where = task.get_path()

    # ---- Ansible's hooks -------------------------------------------------------------------------------------------

    def v2_playbook_on_play_start(self, play):
        self._plays += 1
        self._taken = True  # What is open is the play's own part.
        self._variables = play.get_variable_manager()

    def v2_playbook_on_task_start(self, task, is_conditional):
        self._task_begins("TASK", task)

    def v2_playbook_on_cleanup_task_start(self, task):
        self._task_begins("CLEANUP TASK", task)

    def v2_playbook_on_handler_task_start(self, task):
        self._task_begins("RUNNING HANDLER", task)

    def v2_runner_on_ok(self, result):
        self._count("changed" if result._result.get("changed") else "ok")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._count("ignored" if ignore_errors else "failed")

    def v2_runner_on_skipped(self, result):
        self._count("skipped")

    def v2_runner_on_unreachable(self, result):
        ignored = getattr(result._task, "ignore_unreachable", False)
        self._count("ignored" if ignored else "unreachable")

    def v2_playbook_on_stats(self, stats):
        # Other callbacks may still print their recap after this one was told, the stdout callback has done so.
        if self._stream:
            with self._lock:
                self._end()
            if self._stream.problem:
                self._display.warning("outpost: not all tasks were reported one by one: %s" % self._stream.problem)
        self._leave_notes()

    # ---- for the launcher and for later steps ----------------------------------------------------------------------

    def _leave_notes(self):
        path = os.environ.get("OUTPOST_ANSIBLE_NOTES")
        if not path:
            return
        facts = {}
        # What set_fact and register gave; Ansible has no public way to it.
        for host, values in getattr(self._variables, "_nonpersistent_fact_cache", {}).items():
            try:
                facts[str(host)] = json.loads(json.dumps(dict(values), default=str))
            except (TypeError, ValueError):
                continue
        notes = {"plays": self._plays, "facts": facts}
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                json.dump(notes, file)
        except OSError as error:
            self._display.warning("outpost: facts are not kept for later hooks: %s" % error)
