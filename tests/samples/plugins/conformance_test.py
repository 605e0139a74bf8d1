#!/usr/bin/python3
"""The same plugin in several languages has to behave in the same way, to the name of every case."""

import hashlib
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__)))), "hooks"))

import harness

LAUNCHER = os.path.join(harness.ROOT, "plugins", "ansible", "outpost-ansible")
OLD, NEW = "ACME-FW 1.0\nold image\n", "ACME-FW 2.0\nnew image\n"
CASES = {
    "firmware: the device runs the version of the component",
    "firmware: the device holds the image byte for byte",
    "firmware: the image fits into the flash memory",
}


class Conformance:
    plugins = os.path.join(harness.ROOT, "samples", "plugins")

    def setUp(self):
        super().setUp()
        self.write("device/firmware", OLD)
        self.component(NEW)

    def component(self, image, checksum=None):
        self.write("component/firmware.img", image)
        digest = checksum or hashlib.sha256(image.encode()).hexdigest()
        self.write("component/firmware.img.sha256", f"{digest}  firmware.img\n")

    def run_hook(self, point, status=0, settings=None, **changed):
        variables = {
            "OUTPOST_COMPONENT_FIRMWARE_PATH": self.path("component"),
            "OUTPOST_COMPONENT_FIRMWARE_VERSION": "2.0",
        }
        config = {"device": self.path("device"), "flash_kib": 1024, **(settings or {})}
        for name, value in config.items():  # As the agent does for simple values.
            variables[f"OUTPOST_CONFIG_{name.upper()}"] = str(value)
        variables.update(changed)
        ended = self.hook(point, config, **variables)
        self.assertEqual(ended.status, status, f"{point}: {ended.output}")
        return ended

    def device(self, name="firmware"):
        path = self.path("device", name)
        return self.read("device", name) if os.path.exists(path) else None

    # ---- the whole chain ----

    def test_a_job_from_acquire_to_release(self):
        self.run_hook("acquire")
        self.assertEqual(self.device("holder"), "test\n")
        self.run_hook("install")
        self.assertEqual(self.device(), NEW)
        ended = self.run_hook("test")
        self.assertEqual(ended.of_kind("passed"), CASES)
        self.run_hook("collect")
        self.assertEqual(self.read("artifacts", "device.log"), "flashed ACME-FW 2.0\n")
        self.run_hook("release")
        self.assertEqual((self.device(), self.device("holder"), self.device("firmware.new")), (OLD, None, None))

    def test_release_can_begin_again_and_runs_without_acquire(self):
        self.run_hook("release")
        self.run_hook("acquire")
        self.run_hook("install")
        for _ in range(2):
            self.run_hook("release")
            self.assertEqual((self.device(), self.device("holder")), (OLD, None))

    def test_what_an_interrupted_install_leaves_harms_nobody(self):
        self.run_hook("acquire")
        self.write("device/firmware.new", "half an ima")
        self.run_hook("install")
        self.assertEqual(self.device(), NEW)
        self.write("device/firmware.new", "half an ima")
        self.run_hook("release")
        self.assertEqual((self.device(), self.device("firmware.new")), (OLD, None))

    def test_acquire_can_be_repeated_and_keeps_the_first_image(self):
        self.run_hook("acquire")
        self.run_hook("install")
        self.run_hook("acquire", OUTPOST_ATTEMPT="2", OUTPOST_REASON="retry")
        self.run_hook("release")
        self.assertEqual(self.device(), OLD)

    # ---- the product's failures ----

    def test_each_case_fails_for_its_reason(self):
        self.run_hook("acquire")
        self.run_hook("install")
        ended = self.run_hook("test", OUTPOST_COMPONENT_FIRMWARE_VERSION="2.1")
        self.assertEqual(ended.failed, {"firmware: the device runs the version of the component"})
        self.assertIn(
            'the device runs "ACME-FW 2.0" and not "ACME-FW 2.1"',
            ended.message("firmware: the device runs the version of the component"),
        )
        self.write("device/firmware", NEW + "and more\n")
        self.assertEqual(self.run_hook("test").failed, {"firmware: the device holds the image byte for byte"})
        self.write("device/firmware", NEW + "x" * 2048)
        self.component(NEW + "x" * 2048)
        ended = self.run_hook("test", settings={"flash_kib": 1})
        self.assertEqual(ended.failed, {"firmware: the image fits into the flash memory"})
        self.assertIn(
            "the image has 2 KiB, the flash memory 1", ended.message("firmware: the image fits into the flash memory")
        )

    def test_a_damaged_component_is_the_products_failure_and_leaves_the_device_alone(self):
        self.run_hook("acquire")
        self.component(NEW, checksum="0" * 64)
        self.assertIn("does not fit its checksum", self.run_hook("install", status=1).output)
        self.assertEqual(self.device(), OLD)
        os.unlink(self.path("component", "firmware.img"))
        self.assertIn("holds no firmware.img", self.run_hook("install", status=1).output)

    # ---- everybody else's ----

    def test_a_device_that_is_not_there_is_the_labs_fault(self):
        os.unlink(self.path("device", "firmware"))
        self.assertIn("powered on", self.run_hook("acquire", status=77).output)

    def test_a_device_that_another_job_holds_is_asked_for_again_and_left_alone(self):
        self.write("device/holder", "another\n")
        self.assertIn("held by another", self.run_hook("acquire", status=75).output)
        self.run_hook("install", status=77)
        self.run_hook("release")
        self.assertEqual((self.device(), self.device("holder")), (OLD, "another\n"))

    def test_a_missing_setting_is_a_usage_error(self):
        for point in ("acquire", "install", "test", "collect", "release"):
            self.assertIn("configure device", self.run_hook(point, status=64, settings={"device": ""}).output)

    def test_the_token_is_taken_from_the_secrets_and_never_printed(self):
        self.write("device/token", "s3cret\n")
        self.assertIn("configure the secret token", self.run_hook("acquire", status=78).output)
        self.write("secrets/token", "wr0ng\n")
        ended = self.run_hook("acquire", status=78)
        self.assertIn("refuses the token", ended.output)
        self.assertNotIn("wr0ng", ended.output)
        self.write("secrets/token", "s3cret")  # The agent hands secrets over without the line feed at their end.
        self.assertNotIn("s3cret", self.run_hook("acquire").output)

    def test_a_job_without_the_component_is_skipped(self):
        self.run_hook("acquire")
        for point in ("install", "test"):
            ended = self.run_hook(point, status=65, OUTPOST_COMPONENT_FIRMWARE_PATH="")
            self.assertIn("no component of the type firmware", ended.output)
        self.assertEqual(self.device(), OLD)

    def test_collect_works_when_nothing_was_done(self):
        self.run_hook("collect")
        self.assertEqual(os.listdir(self.path("artifacts")), [])

    def test_nothing_is_left_in_the_plugins_folder(self):
        def listing():
            return sorted(
                os.path.join(folder, name)
                for folder, _, names in os.walk(os.path.join(self.plugins, self.plugin))
                for name in names
            )

        before = listing()
        for point in ("acquire", "install", "test", "collect", "release"):
            self.run_hook(point)
        self.assertEqual(listing(), before)


class Bash(Conformance, harness.PluginTest):
    plugin = "firmware-bash"


class Python(Conformance, harness.PluginTest):
    plugin = "firmware-python"


class Ansible(Conformance, harness.PluginTest):
    plugin = "firmware-ansible"

    def setUp(self):
        super().setUp()
        self.need("ansible-playbook", "ansible-core")

    def command_of(self, point):
        return [LAUNCHER, os.path.join(self.plugins, self.plugin, "hooks", point + ".yml")]


class Complete(unittest.TestCase):
    def test_every_plugin_of_the_family_is_tested(self):
        there = {name for name in os.listdir(Conformance.plugins) if name.startswith("firmware-")}
        tested = {each.plugin for each in Conformance.__subclasses__()}
        self.assertEqual(there, tested)

    def test_their_manifests_differ_only_in_names_and_commands(self):
        texts = set()
        for each in Conformance.__subclasses__():
            with open(os.path.join(Conformance.plugins, each.plugin, "plugin.yml"), encoding="utf-8") as file:
                lines = [line for line in file if not line.startswith(("name:", "  commands:"))]
            texts.add("".join(lines))
        self.assertEqual(len(texts), 1)


if __name__ == "__main__":
    harness.main()
