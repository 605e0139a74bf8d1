"""Hooks directories of DCI's agents: which files they have, what runs when, and what a failure of each means.

The hooks of a layout are the files of a plugin (hooks/plugins/dci-*-hooks): "10-configure.yml" runs the action "configure".
"""

import os
import shutil

from .play import Play
from .step import (CONFIGURATION, FAILED, INFRASTRUCTURE, SKIP, USAGE, environment, job_logs, read_json, say,
                   warn_of_sudo)
from .yaml_text import is_playbook


class Action:
    """What one hook of the layout does: runs the file of this name of each directory."""

    def __init__(self, file, blames_lab=False, hosts="localhost", when=None, required=False, play_unless=None,
                 last_first=False):
        self.file = file
        self.blames_lab = blames_lab    # Its failure is an error of the job.
        self.hosts = hosts
        self.when = when                # In Ansible's words; the directory's settings are known to it.
        self.required = required
        self.play_unless = play_unless  # The product's own play of the same name runs first, unless this file is there.
        self.last_first = last_first    # Directories in the reverse order.


INSTALL = "(dci_main | default('install')) == 'install'"
UPGRADE = "(dci_main | default('install')) == 'upgrade'"
TEARDOWN = {True: "dci_teardown_on_success | default(true) | bool",
            False: "dci_teardown_on_failure | default(false) | bool"}
PROVISIONER = "{{ 'provisioner' if groups.provisioner | default([]) else 'localhost' }}"
SYSTEMS = "{{ 'sut' if groups.sut | default([]) else 'lab' }}"


def teardown():
    return Action("teardown.yml", when=TEARDOWN[environment("RESULT_SO_FAR") == "success"], last_first=True)


LAYOUTS = {
    "dci-openshift": {
        "directories": ["/etc/dci-openshift-agent"],
        "actions": {
            "pre-run": Action("pre-run.yml", blames_lab=True, when=INSTALL),
            "configure": Action("configure.yml", blames_lab=True, hosts=PROVISIONER),
            "custom-install": Action("custom-install.yml", when=INSTALL),
            "install": Action("install.yml", when=INSTALL, play_unless="custom-install.yml"),
            "upgrade": Action("upgrade.yml", when=UPGRADE),
            "tests": Action("tests.yml"),
            "post-run": Action("post-run.yml", blames_lab=True),
            "success": Action("success.yml"),
            "failure": Action("failure.yml"),
            "release": teardown(),
        },
    },
    "dci-openshift-app": {
        "directories": ["/etc/dci-openshift-app-agent"],
        "actions": {
            "pre-run": Action("pre-run.yml", blames_lab=True),
            "install": Action("install.yml", required=True),
            "tests": Action("tests.yml"),
            "post-run": Action("post-run.yml", blames_lab=True),
            "release": teardown(),
        },
    },
    "dci-rhel": {
        "directories": ["/etc/dci-rhel-agent"],
        "uploads": ["settings.yml", "hooks"],
        "actions": {
            "pre-run": Action("pre-run.yml", blames_lab=True),
            "tests": Action("tests.yml"),
            "user-tests": Action("user-tests.yml", hosts=SYSTEMS),
        },
    },
}


class LayoutRun:
    def __init__(self, options):
        self.options = dict(options)
        self.options.update(read_json(environment("CONFIG"), {}))
        self.layout = LAYOUTS.get(self.options["layout"])
        if self.layout is None:
            raise SystemExit("outpost-ansible: there is no layout %s (known: %s)" %
                             (self.options["layout"], ", ".join(sorted(LAYOUTS))))
        named = self.options.get("directories") or self.layout["directories"]
        self.directories = named if isinstance(named, list) else [named]
        self.plays = self.options.get("plays", "")

    def run(self, action):
        missing = [one for one in self.directories if not os.path.isdir(one)]
        if missing:
            say("%s is not there: name the directories in the plugin's configuration" % missing[0])
            return CONFIGURATION
        if action == "collect":
            return self.collect()
        if action == "pre-run":
            self.keep_uploads()
        if action not in self.layout["actions"]:
            say("%s has no %s" % (self.options["layout"], action))
            return USAGE
        return self.perform(self.layout["actions"][action])

    def perform(self, action):
        hooks = self.files(action.file)
        own = self.own_play(action)
        if action.required and not hooks:
            say("%s is not there, and this layout needs it" % os.path.join(self.directories[0], "hooks", action.file))
            return FAILED
        if not hooks and not own:
            return SKIP
        warn_of_sudo(hooks)
        play = Play()
        play.variables.update(dci_config_dirs=self.directories, dci_config_dir=self.directories[0])
        for folder in self.directories:
            play.add_folder(folder)
            for settings in ("settings.yml", "settings.yaml"):
                if os.path.exists(os.path.join(folder, settings)):
                    play.extra.append("@" + os.path.join(folder, settings))
        files = self.options.get("extra", [])
        play.extra += ["@" + one for one in (files if isinstance(files, list) else [files])]
        if action.last_first:
            hooks.reverse()
        status = play.run(play.write([part for path in own + hooks for part in self.part(path, action)]))
        if status not in (0, SKIP) and action.blames_lab:
            say("%s failed with %d: the lab's fault, as DCI's agent has it" % (action.file, status))
            return INFRASTRUCTURE
        return status

    def files(self, name):
        paths = [os.path.join(folder, "hooks", name) for folder in self.directories]
        return [path for path in paths if os.path.exists(path)]

    def own_play(self, action):
        """The product's play around which the hooks are, where a site has it."""
        path = os.path.join(self.plays, action.file)
        replaced = action.play_unless and self.files(action.play_unless)
        return [path] if self.plays and os.path.exists(path) and not replaced else []

    @staticmethod
    def part(path, action):
        if is_playbook(path):
            return [{"import_playbook": path, **({"when": action.when} if action.when else {})}]
        task = {"name": os.path.basename(path), "include_tasks": path}
        if action.when:
            task["when"] = action.when
        return [{"name": path, "hosts": action.hosts, "tasks": [task]}]

    def keep_uploads(self):
        for folder in self.directories:
            for name in self.layout.get("uploads", []):
                source, target = os.path.join(folder, name), os.path.join(environment("ARTIFACTS"), name)
                if os.path.isdir(source):
                    shutil.copytree(source, target, dirs_exist_ok=True)
                elif os.path.exists(source):
                    shutil.copy(source, target)

    def collect(self):
        """What hooks have left in job_logs.path; before it the failure hook, after it that of success."""
        verdict, status = environment("RESULT_SO_FAR"), 0
        if verdict == "failure" and "failure" in self.layout["actions"]:
            status = self.perform(self.layout["actions"]["failure"])
        keep_logs()
        if verdict == "success" and "success" in self.layout["actions"]:
            status = self.perform(self.layout["actions"]["success"])
        return status


def keep_logs():
    """JUnit files become results, everything else artifacts."""
    for folder, _, names in os.walk(job_logs()):
        for name in names:
            source = os.path.join(folder, name)
            if os.path.islink(source) or not os.path.isfile(source):
                continue
            place = environment("RESULTS" if name.endswith(".xml") else "ARTIFACTS")
            target = os.path.join(place, os.path.relpath(source, job_logs()))
            os.makedirs(os.path.dirname(target), exist_ok=True)
            try:
                os.link(source, target)
            except OSError:
                shutil.copy(source, target)
