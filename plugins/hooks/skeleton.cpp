#include "plugins/hooks/skeleton.hpp"

#include "agent/base/text.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <fstream>
#include <system_error>

namespace outpost::hooks {
namespace {

namespace fs = std::filesystem;

struct File {
  const char* path;
  std::string text;
  bool executable = false;
};

constexpr const char* manifest = R"file(# What this plugin is and needs: outpost-hooks(7), MANIFEST.
apiVersion: outpost/v1
name: @NAME@
version: 0.1.0
description: Tests @NAME@
order: 50
requires:
  commands: [@COMMANDS@]
config:                       # What outpost.yml can say in plugin_config, as a JSON Schema.
  type: object
  additionalProperties: false
  properties:
    greeting:
      type: string
      default: hello
      description: What the tests say
hooks:
  install: {timeout: 30min}
  test: {timeout: 1h}
)file";

constexpr const char* shell_install = R"file(#!/bin/bash
# Puts the product on the lab's machines. Exit codes say whose fault it is: 77 the lab's, 78 this site's, others the product's.
set -euo pipefail

echo "installing for job $OUTPOST_JOB_NAME (attempt $OUTPOST_ATTEMPT, $OUTPOST_TIMEOUT s)"
# The components of the job are below $OUTPOST_COMPONENTS. What later hooks need goes to $OUTPOST_SHARED.
echo "installed" >"$OUTPOST_SHARED/@NAME@.state"
)file";

constexpr const char* shell_test = R"file(#!/bin/bash
# Tests the product, and leaves the outcome as JUnit: a failed case makes the job a failure, whatever the exit code.
set -euo pipefail

[ -f "$OUTPOST_SHARED/@NAME@.state" ] || { echo "nothing was installed"; exit 65; }

cases=0 failed=0 xml=""
check() {  # check NAME COMMAND...
  local name=$1 output
  shift
  cases=$((cases + 1))
  if output=$("$@" 2>&1); then
    echo "passed: $name"
    xml+="  <testcase classname=\"@NAME@\" name=\"$name\"/>"$'\n'
  else
    echo "FAILED: $name: $output"
    failed=$((failed + 1))
    xml+="  <testcase classname=\"@NAME@\" name=\"$name\"><failure message=\"see the log\"/></testcase>"$'\n'
  fi
}

check "was installed" grep -q installed "$OUTPOST_SHARED/@NAME@.state"
check "says what it was told" test -n "$OUTPOST_CONFIG_GREETING"

printf '<testsuite name="@NAME@" tests="%d" failures="%d">\n%s</testsuite>\n' "$cases" "$failed" "$xml" >"$OUTPOST_RESULTS/@NAME@.xml"
)file";

constexpr const char* python_test = R"file(#!/usr/bin/env python3
"""Tests the product, and leaves the outcome as JUnit: a failed case makes the job a failure, whatever the exit code."""
import json
import os
import pathlib
import sys
import xml.etree.ElementTree as xml

config = json.loads(pathlib.Path(os.environ["OUTPOST_CONFIG"]).read_text())
state = pathlib.Path(os.environ["OUTPOST_SHARED"], "@NAME@.state")
if not state.exists():
    print("nothing was installed")
    sys.exit(65)

suite = xml.Element("testsuite", name="@NAME@")


def check(name, passed, problem):
    print(f"{'passed' if passed else 'FAILED'}: {name}", flush=True)
    case = xml.SubElement(suite, "testcase", classname="@NAME@", name=name)
    if not passed:
        xml.SubElement(case, "failure", message=problem)


check("was installed", state.read_text().strip() == "installed", "the state file says something else")
check("says what it was told", bool(config["greeting"]), "the greeting is empty")

suite.set("tests", str(len(suite)))
suite.set("failures", str(len(suite.findall("testcase/failure"))))
xml.ElementTree(suite).write(os.path.join(os.environ["OUTPOST_RESULTS"], "@NAME@.xml"), encoding="utf-8")
)file";

constexpr const char* python_install = R"file(#!/usr/bin/env python3
"""Puts the product on the lab's machines. Exit codes say whose fault it is: 77 the lab's, 78 this site's, others the product's."""
import os
import pathlib

print(f"installing for job {os.environ['OUTPOST_JOB_NAME']}", flush=True)
# The components of the job are below OUTPOST_COMPONENTS. What later hooks need goes to OUTPOST_SHARED.
pathlib.Path(os.environ["OUTPOST_SHARED"], "@NAME@.state").write_text("installed\n")
)file";

constexpr const char* ansible_install = R"file(# Puts the product on the lab's machines. What a play finds: hooks/README.md, Playbooks.
- name: Leave a mark for the tests
  ansible.builtin.copy:
    content: "installed\n"
    dest: "{{ outpost.shared }}/@NAME@.state"
    mode: "0640"
)file";

constexpr const char* ansible_test = R"file(# Tests the product: a task that fails makes the job a failure.
- name: Check that it was installed
  ansible.builtin.command: grep -q installed "{{ outpost.shared }}/@NAME@.state"
  changed_when: false

- name: Say what the configuration says
  ansible.builtin.debug:
    msg: "{{ outpost.config.greeting }}"
)file";

constexpr const char* job = R"file(# A job to try this plugin with: outpost plugin run, or outpost job run job.yml.
name: try-@NAME@
topic: try
plugins: [@NAME@]
plugins_path: [..]
plugin_config:
  @NAME@: {greeting: hello}
# components:
#   - {type: @NAME@, version: "1.0", path: ./build}
)file";

constexpr const char* install_case = R"file(# What `outpost plugin test` checks of the hook install: hooks/README.md, Tests.
hook: install
job: {topic: try, components: [{type: @NAME@, version: "1.0"}]}
expect:
  exit: 0
  files: {"$OUTPOST_SHARED/@NAME@.state": {content: "installed\n"}}
# faults: [cancel@1s, timeout@2s, oom@1s, disk-full, kill-agent@1s]   # once the hook takes its time
)file";

constexpr const char* test_case_of_scripts = R"file(# What `outpost plugin test` checks of the hook test. Commands of the lab are stood in for by stubs: hooks/README.md, Tests.
hook: test
given: {"$OUTPOST_SHARED/@NAME@.state": "installed\n"}
config: {greeting: hello}
expect:
  exit: 0
  stdout: {contains: "passed: was installed", not: FAILED}
  results:
    - {name: was installed, outcome: pass}
    - {name: says what it was told, outcome: pass}
)file";

constexpr const char* test_case_of_plays = R"file(# What `outpost plugin test` checks of the hook test. Commands of the lab are stood in for by stubs: hooks/README.md, Tests.
hook: test
given: {"$OUTPOST_SHARED/@NAME@.state": "installed\n"}
config: {greeting: hello}
expect:
  exit: 0
  stdout: hello
)file";

constexpr const char* readme = R"file(# @NAME@

A plugin of Outpost. `plugin.yml` says what it is, `hooks/` holds an executable for each stage, `tests/` what is expected
of them.

    outpost plugin lint        # what is wrong with it
    outpost plugin test        # runs the cases in tests/, each hook alone, with stubs for the commands of the lab
    outpost plugin run         # runs it in a job on this machine, without a server
    outpost plugin env test    # what a hook finds in its environment

To use it, copy the folder to `/etc/outpost/plugins.d/` and name it in a job of `outpost.yml`: `plugins: [@NAME@]`.
)file";

std::vector<File> files_of(Language language) {
  std::vector<File> files{{"plugin.yml", manifest}, {"job.yml", job}, {"README.md", readme}, {"tests/install.t.yml", install_case},
                          {"tests/test.t.yml", language == Language::ansible ? test_case_of_plays : test_case_of_scripts}};
  switch (language) {
    case Language::shell:
      files.push_back({"hooks/install", shell_install, true});
      files.push_back({"hooks/test", shell_test, true});
      break;
    case Language::python:
      files.push_back({"hooks/install", python_install, true});
      files.push_back({"hooks/test", python_test, true});
      break;
    case Language::ansible:
      files.push_back({"hooks/install.yml", ansible_install});
      files.push_back({"hooks/test.yml", ansible_test});
      break;
  }
  return files;
}

const char* commands_of(Language language) {
  switch (language) {
    case Language::shell: return "bash, grep";
    case Language::python: return "python3";
    case Language::ansible: return "ansible-playbook";
  }
  return "";
}

}  // namespace

std::optional<Language> parse_language(std::string_view name) {
  if (name == "sh" || name == "bash") return Language::shell;
  if (name == "python") return Language::python;
  if (name == "ansible") return Language::ansible;
  return std::nullopt;
}

Result<std::vector<fs::path>> write_skeleton(const std::string& name, Language language, const fs::path& directory) {
  const bool fits = !name.empty() && name.size() <= 64 && name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == std::string::npos;
  if (!fits || name.front() == '.' || name.front() == '-')
    return Error{Fault::refused, "\"" + printable(name, 80) + "\" is not a name of a plugin (letters, digits, '.', '_' and '-', at most 64)"};
  std::error_code error;
  if (fs::exists(directory, error) && !fs::is_empty(directory, error)) return Error{Fault::refused, directory.string() + " is there already, and not empty"};
  std::vector<fs::path> written;
  for (const auto& file : files_of(language)) {
    const fs::path path = directory / file.path;
    fs::create_directories(path.parent_path(), error);
    if (error) return errno_error("cannot create", path.parent_path().native(), error.value());
    std::ofstream stream{path};
    stream << replace_all(replace_all(file.text, "@COMMANDS@", commands_of(language)), "@NAME@", name) << std::flush;
    if (!stream) return Error{Fault::retry_later, "cannot write " + path.string()};
    if (file.executable) {
      fs::permissions(path, fs::perms::owner_exec | fs::perms::group_exec | fs::perms::others_exec, fs::perm_options::add, error);
      if (error) return errno_error("cannot change the mode of", path.native(), error.value());
    }
    written.emplace_back(file.path);
  }
  return written;
}

}  // namespace outpost::hooks
