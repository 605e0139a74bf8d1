#!/usr/bin/python3
"""The plugins as they are installed: each complete, with what its manifest says. Arguments: cmake, build directory."""

import os
import re
import subprocess
import sys

import harness

CMAKE, BUILD = sys.argv[1:3]


class Installed(harness.PluginTest):
    def setUp(self):
        super().setUp()
        subprocess.run(
            [CMAKE, "--install", BUILD, "--component", "plugins", "--prefix", self.path("usr")],
            check=True,
            capture_output=True,
        )
        self.plugins = self.path("usr", "share", "outpost", "plugins")

    def test_all_of_them_are_there_and_nothing_else(self):
        ours = {
            name for name in os.listdir(harness.PLUGINS) if os.path.islink(os.path.join(harness.PLUGINS, name, "lib"))
        }
        self.assertEqual(set(os.listdir(self.plugins)), ours)

    def test_each_is_complete_and_none_needs_another(self):
        for plugin in os.listdir(self.plugins):
            folder = os.path.join(self.plugins, plugin)
            with self.subTest(plugin):
                self.assertTrue({"plugin.yml", "README.md", "hooks", "lib"} <= set(os.listdir(folder)))
                for directory, folders, files in os.walk(folder):
                    self.assertNotIn("__pycache__", folders)
                    for path in (os.path.join(directory, name) for name in folders + files):
                        self.assertTrue(
                            os.path.realpath(path).startswith(folder + "/"), f"{path} leads out of the plugin"
                        )
                        self.assertTrue(os.path.exists(path), f"{path} leads nowhere")

    def test_each_has_the_hooks_that_its_manifest_names(self):
        for plugin in os.listdir(self.plugins):
            folder = os.path.join(self.plugins, plugin)
            with self.subTest(plugin):
                with open(os.path.join(folder, "plugin.yml"), encoding="utf-8") as file:
                    manifest = file.read()
                self.assertIn(f"\nname: {plugin}\n", manifest)
                named = re.findall(r"^  ([a-z-]+):", manifest.split("\nhooks:\n")[1], re.MULTILINE)
                self.assertEqual(sorted(named), sorted(os.listdir(os.path.join(folder, "hooks"))))

    def test_each_hook_runs_and_asks_for_its_variables(self):
        for plugin in os.listdir(self.plugins):
            for hook in os.listdir(os.path.join(self.plugins, plugin, "hooks")):
                with self.subTest(f"{plugin}/{hook}"):
                    ended = subprocess.run(
                        [os.path.join(self.plugins, plugin, "hooks", hook)],
                        capture_output=True,
                        text=True,
                        env={"PATH": os.environ["PATH"]},
                        cwd=self.top,
                        check=False,
                    )
                    self.assertIn(ended.returncode, (64, 78), ended.stderr)
                    self.assertIn("ERROR: ", ended.stderr)

    def test_each_readme_names_every_setting(self):
        for plugin in os.listdir(self.plugins):
            folder = os.path.join(self.plugins, plugin)
            with open(os.path.join(folder, "plugin.yml"), encoding="utf-8") as file:
                manifest = file.read()
            with open(os.path.join(folder, "README.md"), encoding="utf-8") as file:
                readme = file.read()
            for setting in re.findall(r"^    ([a-z_]+):$", manifest, re.MULTILINE):
                with self.subTest(f"{plugin}: {setting}"):
                    self.assertIn(f"`{setting}`", readme)


if __name__ == "__main__":
    sys.argv[1:] = []
    harness.main()
