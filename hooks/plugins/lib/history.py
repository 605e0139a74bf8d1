"""What a plugin keeps from one job to the next: a file for each machine.

The contract keeps nothing across jobs, so this lies outside a job's directories: in the directory that is configured as
`history`, otherwise in the state directory of the user that runs the hooks, `~/.local/state/outpost/PLUGIN`. That user
is outpost (/var/lib/outpost), or with hooks in units of their own one for each slot (/var/lib/outpost-jobs/SLOT).
"""

import json
import os
import pwd

from checks import CONFIGURATION, file_name, give_up


class History:
    def __init__(self, plugin, configured):
        state = os.environ.get("XDG_STATE_HOME") or os.path.join(pwd.getpwuid(os.geteuid()).pw_dir, ".local", "state")
        self.directory = configured or os.path.join(state, "outpost", plugin)
        try:
            os.makedirs(self.directory, mode=0o750, exist_ok=True)
        except OSError as error:
            self.refuse(error)

    def refuse(self, error):
        give_up(
            CONFIGURATION,
            f"{error.filename or self.directory}: {error.strerror}: configure history, a directory that the "
            "hook's user may write, or make this one writable",
        )

    def path_of(self, machine):
        return os.path.join(self.directory, file_name(machine) + ".json")

    def last(self, machine):
        """What was kept of a machine; None when there is nothing that can be used."""
        try:
            with open(self.path_of(machine), encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError:
            return None
        except ValueError:  # Cut off by a full disk, or by hand: as good as none.
            return None
        except OSError as error:
            self.refuse(error)

    def keep(self, machine, value):
        path = self.path_of(machine)
        part = f"{path}.{os.getpid()}.part"
        try:
            with open(part, "w", encoding="utf-8") as file:
                json.dump(value, file, indent=1, sort_keys=True)
                file.write("\n")
            os.replace(part, path)
        except OSError as error:
            self.refuse(error)
