"""One run of ansible-playbook: inventory, variables and environment, and what its ending means."""

import json
import os
import re
import shutil
import signal
import subprocess

from .step import BUG, NOT_FOUND, environment, job_logs, read_json, say
from .yaml_text import write_unsafe

CALLBACKS = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "callback")


def job_variables():
    """As a play finds them that dci_job has told about its job."""
    job = read_json(environment("JOB_JSON"), {})
    job.setdefault("id", environment("JOB_ID"))
    variables = {
        "job_info": {"job": job},
        "job_id": environment("JOB_ID"),
        "dci_topic": environment("TOPIC"),
        "dci_name": environment("JOB_NAME"),
        "dci_comment": job.get("comment") or "",
        "dci_url": job.get("url") or "",
        "dci_configuration": job.get("configuration") or "",
        "dci_tags": job.get("tags") or [],
        "dci_team_id": environment("TEAM_ID"),
        "dci_pipeline_id": environment("PIPELINE_ID"),
        "dci_previous_job_id": job.get("previous_job_id") or "",
        "dci_components": [one.get("id") for one in job.get("components", []) if isinstance(one, dict)],
        "job_logs": {"path": job_logs()},
    }
    variables["outpost"] = {name[len("OUTPOST_"):].lower(): value for name, value in os.environ.items()
                            if name.startswith("OUTPOST_") and not name.startswith("OUTPOST_ANSIBLE_")}
    variables["outpost"]["config"] = read_json(environment("CONFIG"), {})
    return variables


def group_name(name):
    return re.sub(r"[^A-Za-z0-9_]", "_", name)


def inventory_of(resources):
    """This machine, and the hosts of the lab resources that the job holds: a group for each, and `lab` for all."""
    local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    groups = {"jumphost": {"hosts": {"localhost": local}}}
    everything = {}
    for resource, described in resources.items():
        hosts = {str(host): {} for host in described.get("hosts", [])}
        everything.update(hosts)
        groups[group_name(resource)] = {"hosts": hosts}
    groups["lab"] = {"hosts": everything}
    return {"all": {"children": groups}}


class Play:
    """One run of ansible-playbook, and where it keeps its things."""

    def __init__(self):
        self.directory = os.path.join(environment("TMP"), "ansible")
        self.inventory = os.path.join(self.directory, "inventory")
        self.notes = os.path.join(self.directory, "notes.json")
        self.facts = os.path.join(environment("STATE"), "ansible-facts.json")
        self.inventories, self.extra, self.roles, self.config = [], [], [], None
        self.variables = job_variables()
        os.makedirs(self.inventory, exist_ok=True)
        os.makedirs(job_logs(), exist_ok=True)

    def write_inventory(self):
        with open(os.path.join(self.inventory, "outpost.yml"), "w", encoding="utf-8") as file:
            json.dump(inventory_of(json.loads(environment("RESOURCES") or "{}")), file)
        write_unsafe(os.path.join(self.inventory, "group_vars", "all", "outpost.yml"), self.variables)
        for host, values in read_json(self.facts, {}).items():
            if re.match(r"[A-Za-z0-9_.:-]+$", host):
                write_unsafe(os.path.join(self.inventory, "host_vars", host, "outpost.yml"), values)

    def add_folder(self, folder):
        """What authors lay beside their playbooks counts: inventory, ansible.cfg, roles."""
        for name in ("hosts.yml", "hosts.yaml", "hosts", "inventory", "inventory.yml"):
            path = os.path.join(folder, name)
            if os.path.exists(path):
                self.inventories.append(path)
                break
        for roles in (os.path.join(folder, "roles"), os.path.join(folder, "hooks", "roles")):
            if os.path.isdir(roles):
                self.roles.append(roles)
        if self.config is None and os.path.exists(os.path.join(folder, "ansible.cfg")):
            self.config = os.path.join(folder, "ansible.cfg")

    def write(self, plays):
        path = os.path.join(self.directory, "play.yml")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(plays, file)
        return path

    def environment(self):
        variables = dict(os.environ)
        variables.update({
            "ANSIBLE_CALLBACK_PLUGINS": ":".join([CALLBACKS, "~/.ansible/plugins/callback",
                                                  "/usr/share/ansible/plugins/callback"]),
            "ANSIBLE_LOCAL_TEMP": self.directory,
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCALHOST_WARNING": "0",
            "OUTPOST_ANSIBLE_TASKS": os.path.join(environment("TMP"), "tasks.jsonl"),
            "OUTPOST_ANSIBLE_NOTES": self.notes,
            "PYTHONUNBUFFERED": "1",
        })
        if self.config:
            variables["ANSIBLE_CONFIG"] = self.config
        else:  # Facts that one hook has gathered are known to the next.
            variables.update({"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_GATHERING": "smart",
                              "ANSIBLE_CACHE_PLUGIN_CONNECTION": os.path.join(environment("STATE"), "ansible-cache")})
        if self.roles:
            variables["ANSIBLE_ROLES_PATH"] = ":".join(
                self.roles + ["~/.ansible/roles", "/usr/share/ansible/roles", "/etc/ansible/roles"])
        variables.update(dci_environment())
        return variables

    def run(self, playbook):
        self.write_inventory()
        command = ["ansible-playbook"]
        for inventory in self.inventories + [self.inventory]:
            command += ["-i", inventory]
        for extra in self.extra:
            command += ["-e", extra]
        program = shutil.which(command[0])
        if not program:
            say("ansible-playbook was not found: install ansible-core")
            return NOT_FOUND
        if os.path.exists(self.notes):
            os.unlink(self.notes)  # Of another play of this step.
        # What stops a step stops its whole tree; this process waits for the play to end.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        status = subprocess.Popen([program] + command[1:] + [playbook], env=self.environment()).wait()
        return self.meaning(status)

    def meaning(self, status):
        notes = read_json(self.notes, None)
        if status < 0:
            return 128 - status
        if notes is None or not notes["plays"]:
            if status != 0:
                say("ansible-playbook ended with %d before the play was over: the playbook is at fault" % status)
                return BUG
            return status
        for values in notes["facts"].values():
            wanted = str(values.pop("outpost_exit_code", ""))
            if wanted.isdigit() and 0 < int(wanted) < 126:
                status = int(wanted)
        self.keep_facts(notes["facts"])
        return status

    def keep_facts(self, new):
        facts = read_json(self.facts, {})
        for host, values in new.items():
            facts.setdefault(host, {}).update(values)
        with os.fdopen(os.open(self.facts, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(facts, file)


def dci_environment():
    """What dcictl and the modules of dci-ansible look for, where an admin has made secrets of these names."""
    variables = {"DCI_JOB_ID": environment("JOB_ID")}
    for name in ("DCI_CLIENT_ID", "DCI_API_SECRET", "DCI_CS_URL", "DCI_LOGIN", "DCI_PASSWORD"):
        for file in (name, name.lower(), name.lower().replace("_", "-")):
            path = os.path.join(environment("SECRETS") or "/nonexistent", file)
            if os.path.exists(path):
                with open(path, encoding="utf-8") as secret:
                    variables[name] = secret.read().strip()
    for kind, folder in (("LIBRARY", "modules"), ("MODULE_UTILS", "module_utils"), ("ACTION_PLUGINS", "action_plugins"),
                         ("FILTER_PLUGINS", "filter_plugins")):
        path = os.path.join("/usr/share/dci", folder)
        if os.path.isdir(path) and "ANSIBLE_" + kind not in os.environ:
            variables["ANSIBLE_" + kind] = path
    return variables
