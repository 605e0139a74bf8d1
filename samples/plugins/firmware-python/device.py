"""What the hooks of firmware-python share: the device, and the image of the job's component."""

import json
import os
import pathlib
import sys

try:
    sys.path.append(os.environ["OUTPOST_LIB"])
    import outpost_hook as agent
except (KeyError, ImportError):
    agent = None  # Run by hand: there is nobody to tell.

SKIP, RETRY_LATER, USAGE, INFRASTRUCTURE, CONFIGURATION = 65, 75, 64, 77, 78


def give_up(status, text):
    """Ends the hook: the exit status says whose fault it is."""
    print(f"ERROR: {text}", file=sys.stderr)
    sys.exit(status)


def variable(name):
    """A variable that the agent sets."""
    if not os.environ.get(name):
        give_up(USAGE, f"{name} is not set: hooks are run by the agent, or by `outpost job run`")
    return os.environ[name]


def configuration():
    path = os.environ.get("OUTPOST_CONFIG")
    return json.loads(pathlib.Path(path).read_text(encoding="utf-8")) if path else {}


class Device:
    """A directory in which the device shows itself: its firmware, its log, and who holds it."""

    def __init__(self):
        self.settings = configuration()
        if not self.settings.get("device"):
            give_up(USAGE, "configure device: the directory in which the device shows itself")
        self.path = pathlib.Path(self.settings["device"])
        self.firmware, self.holder, self.log = (self.path / name for name in ("firmware", "holder", "log"))
        self.job = variable("OUTPOST_JOB_ID")
        self.before = pathlib.Path(variable("OUTPOST_STATE"), "firmware.before")

    def is_there(self):
        return self.firmware.is_file()

    def is_ours(self):
        return self.holder.is_file() and self.holder.read_text(encoding="utf-8").strip() == self.job

    def version(self):
        return self.firmware.read_bytes().split(b"\n", 1)[0].decode("utf-8", "replace")

    def flash(self, image):
        """Renames the image into its place: whatever interrupts this, the device has one whole image."""
        new = self.path / "firmware.new"
        new.write_bytes(image)
        new.replace(self.firmware)


class Component:
    """The firmware that the job brings. Ends the hook when it brings none."""

    def __init__(self):
        folder = os.environ.get("OUTPOST_COMPONENT_FIRMWARE_PATH")
        if not folder:
            print("this job has no component of the type firmware")
            sys.exit(SKIP)
        self.image, self.checksum = pathlib.Path(folder, "firmware.img"), pathlib.Path(folder, "firmware.img.sha256")
        if not self.image.is_file() or not self.checksum.is_file():
            give_up(1, "the component holds no firmware.img with its firmware.img.sha256")
