#include "plugins/hooks/manifest.hpp"

#include "agent/base/text.hpp"
#include "agent/config/values.hpp"
#include "agent/config/yaml_tree.hpp"
#include "plugins/hooks/schema_library.hpp"
#include "support/catch.hpp"
#include "support/document.hpp"

#include <boost/json/parse.hpp>

#include <set>

using namespace outpost;
using namespace std::chrono_literals;

namespace {

/// A manifest with every key.
const std::string good = R"(apiVersion: outpost/v1
name: acme-storage
version: 2.3.1
description: Installs the ACME driver and runs its conformance suite
maintainer: storage-ci@acme.example
order: 40
requires:
  commands: [sh, ls]
  agent: ">=0.1"
  os: [rhel>=8, debian>=12, fedora]
  capabilities: [redfish]
when: {topic: ["OCP-4.*"], component_type: [ocp], job: ["*-nightly"]}
config:
  type: object
  additionalProperties: false
  required: [array_ip]
  properties:
    array_ip: {type: string, format: ipv4}
    password: {type: string, x-secret: true}
    ratio: {type: number, minimum: 0.5}
hooks:
  install: {timeout: 2h, grace: 120s, retries: 2, retry_on: [69, 1], resources: [cluster4]}
  test: {timeout: 6h, continue: true}
  cleanup:
limits: {memory: 4GiB, cpu: 200%, pids: 4096, log: 200MiB}
env: {allow: [ACME_REGION, "ACME_TEST_*"]}
x-notes: ours
)";

std::string diagnosis_of(const std::string& text) {
  hooks::Diagnoses diagnoses;
  const auto manifest = hooks::parse_manifest(text, "plugin.yml", diagnoses);
  CHECK(manifest.has_value() == diagnoses.empty());
  return hooks::text_of(diagnoses);
}

/// One mistake that somebody makes in a good manifest, and what he is told.
struct Mutation {
  std::string from, to, expected;
  bool schema_sees_it = true;  ///< So does the published schema, which knows nothing of other keys or of the agent.
};

const std::vector<Mutation>& mutations() {
  static const std::vector<Mutation> all{
      {"apiVersion: outpost/v1\n", "", "plugin.yml:1:1: PL001 the key \"apiVersion\" is missing (write apiVersion: outpost/v1)\n"},
      {"apiVersion: outpost/v1\n", "apiVersion: outpost/v2\n",
       "plugin.yml:1:1: PL017 apiVersion: this agent does not know version 2 of the hook contract (it knows outpost/v1.1)\n"},
      {"apiVersion: outpost/v1\n", "apiVersion: outpost/v1.9\n",
       "plugin.yml:1:1: PL017 apiVersion: the plugin needs outpost/v1.9, this agent has outpost/v1.1 (update the agent)\n"},
      {"apiVersion: outpost/v1\n", "apiVersion: v1\n",
       "plugin.yml:1:1: PL001 apiVersion: \"v1\" is not a version of the hook contract (write outpost/v1)\n"},
      {"apiVersion: outpost/v1\n", "apiversion: outpost/v1\n",
       "plugin.yml:1:1: PL001 the key \"apiVersion\" is missing (write apiVersion: outpost/v1)\n"
       "plugin.yml:1:1: PL005 unknown key \"apiversion\" (did you mean \"apiVersion\"?)\n"},
      {"name: acme-storage\n", "name: acme storage\n",
       "plugin.yml:2:1: PL001 name: \"acme storage\" is not a name (letters, digits, '.', '_' and '-', at most 64)\n"},
      {"name: acme-storage\n", "", "plugin.yml:1:1: PL001 the key \"name\" is missing (example: name: acme-storage)\n"},
      {"version: 2.3.1\n", "", "plugin.yml:1:1: PL001 the key \"version\" is missing (example: version: 1.0.0)\n"},
      {"version: 2.3.1\n", "version:\n", "plugin.yml:3:1: PL001 version: is empty (example: 1.0.0)\n"},
      {"name: acme-storage\n", "name:\n", "plugin.yml:2:1: PL001 name: is empty (example: acme-storage)\n"},
      {"timeout: 2h", "timeout: 400d", "plugin.yml:22:13: PL001 hooks.install.timeout: \"400d\" is not between 1s and 30d\n", false},
      {"commands: [sh, ls]", "commands: [sh, ls", "plugin.yml:9:8: PL001 not valid YAML: a [ is not closed by ], or a comma is missing\n", false},
      {"component_type: [ocp]", "component_type: [ocp", "plugin.yml:12:68: PL001 not valid YAML: a ] or } closes nothing that is open, or one before it is missing\n", false},
      {"version: 2.3.1\n", "version: \"\"\n", "plugin.yml:3:1: PL001 version: is empty (example: 1.0.0)\n"},
      {"version: 2.3.1\n", "version: ../../x\n",
       "plugin.yml:3:1: PL001 version: \"../../x\" is not a version (letters, digits, and . _ + ~ -, at most 64; example: 1.0.0)\n"},
      {"version: 2.3.1\n", "version: 2.3 beta\n",
       "plugin.yml:3:1: PL001 version: \"2.3 beta\" is not a version (letters, digits, and . _ + ~ -, at most 64; example: 1.0.0)\n"},
      {"version: 2.3.1\n", "version: [2, 3]\n", "plugin.yml:3:1: PL001 version: a list, but text is due\n"},
      {"order: 40", "order: first", "plugin.yml:6:1: PL001 order: \"first\" is not a whole number (example: 2)\n"},
      {"order: 40", "order: -1", "plugin.yml:6:1: PL001 order: -1 is not between 0 and 9999\n"},
      {"order: 40", "oder: 40", "plugin.yml:6:1: PL005 unknown key \"oder\" (did you mean \"order\"?)\n"},
      {"order: 40", "order: 40\norder: 41", "plugin.yml:7:1: PL016 the key \"order\" is written twice (first in line 6); remove one\n", false},
      {"commands: [sh, ls]", "commands: sh", "plugin.yml:8:3: PL001 requires.commands: a single value, but a list (example: [sh]) is due\n"},
      {"commands: [sh, ls]", "commands: [/bin/sh]",
       "plugin.yml:8:3: PL001 requires.commands: \"/bin/sh\" is not the name of a command (no path, no arguments; example: jq)\n"},
      {"commands: [sh, ls]", "command: [sh]", "plugin.yml:8:3: PL005 requires: unknown key \"command\" (did you mean \"commands\"?)\n"},
      {"agent: \">=0.1\"", "agent: 0.1", "plugin.yml:9:3: PL001 requires.agent: \"0.1\" is not a least version (example: \">=0.1\")\n"},
      {"rhel>=8", "RHEL 8", "plugin.yml:10:3: PL001 requires.os: \"RHEL 8\" is not an operating system (example: rhel>=8, the ID and VERSION_ID of os-release)\n"},
      {"capabilities: [redfish]", "capabilities: redfish", "plugin.yml:11:3: PL001 requires.capabilities: a single value, but a list (example: [redfish]) is due\n"},
      {"topic: [\"OCP-4.*\"]", "topics: [\"OCP-4.*\"]", "plugin.yml:12:8: PL005 when: unknown key \"topics\" (did you mean \"topic\"?)\n"},
      {"component_type: [ocp]", "component_type: ocp",
       "plugin.yml:12:28: PL001 when.component_type: a single value, but a list (example: [ocp]) is due\n"},
      {"  type: object\n", "  type: objct\n", "plugin.yml:14:3: PL001 config.type: \"objct\" is not a type (did you mean \"object\"?)\n", false},
      {"  type: object\n", "  type: array\n", "plugin.yml:14:3: PL001 config.type: a configuration is a mapping (write type: object)\n", false},
      {"required: [array_ip]", "required: [aray_ip]",
       "plugin.yml:16:14: PL001 config.required: there is no property \"aray_ip\" (did you mean \"array_ip\"?)\n", false},
      {"{type: string, format: ipv4}", "{type: string, format: ipv5}",
       "plugin.yml:18:30: PL001 config.properties.array_ip.format: \"ipv5\" is not a format (did you mean \"ipv4\"?)\n", false},
      {"{type: string, format: ipv4}", "{type: string, format: uuid}",
       "plugin.yml:18:30: PL001 config.properties.array_ip.format: \"uuid\" is not a format of draft 7, so nothing would be checked (write a pattern)\n", false},
      {"{type: string, format: ipv4}", "{enum: fast}",
       "plugin.yml:18:16: PL001 config.properties.array_ip.enum: a list of what it may be is due (example: [fast, thorough])\n", false},
      {"{type: string, format: ipv4}", "{enum: []}",
       "plugin.yml:18:16: PL001 config.properties.array_ip.enum: a list of what it may be is due (example: [fast, thorough])\n", false},
      {"{type: string, format: ipv4}", "{type: integer, minimum: one}",
       "plugin.yml:18:31: PL001 config.properties.array_ip.minimum: a number is due (example: 1)\n", false},
      {"{type: string, format: ipv4}", "{type: string, minLength: -1}",
       "plugin.yml:18:30: PL001 config.properties.array_ip.minLength: a whole number from 0 on is due (example: 1)\n", false},
      {"{type: string, format: ipv4}", "{type: integer, minimum: 9, maximum: 1}",
       "plugin.yml:18:31: PL001 config.properties.array_ip.minimum: 9 is more than maximum, 1, so nothing fits\n", false},
      {"{type: string, format: ipv4}", "{type: integer, default: many}",
       "plugin.yml:18:31: PL001 config.properties.array_ip.default: \"many\" is a text, but a whole number is due\n", false},
      {"{type: string, format: ipv4}", "{type: string, pattern: \"^1\", default: \"2\"}",
       "plugin.yml:18:45: PL001 config.properties.array_ip.default: \"2\" does not match the pattern \"^1\"\n", false},
      {"{type: string, format: ipv4}", "{type: string, pattern: \"^(a+)+$\", default: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab}",
       "plugin.yml:18:50: PL001 config.properties.array_ip.default: whether \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\" matches the pattern \"^(a+)+$\" cannot be found out in 4000000 steps and 32 MiB (in the plugin's schema, write the pattern without a repeat in a repeat: a+ rather than (a+)+)\n", false},
      {"{type: string, format: ipv4}", "{type: string, pattern: \"^(a\"}",
       "plugin.yml:18:30: PL001 config.properties.array_ip.pattern: \"^(a\" is not a regular expression: missing closing parenthesis, at byte 3\n", false},
      {"{type: string, format: ipv4}", "{type: string, pattern: \"(?i)^a\"}",
       "plugin.yml:18:30: PL001 config.properties.array_ip.pattern: \"(?i)^a\" is not a regular expression: (?i is not of ECMA-262, the dialect of JSON Schema\n", false},
      {"{type: string, format: ipv4}", "{type: string, pattern: [a]}",
       "plugin.yml:18:30: PL001 config.properties.array_ip.pattern: a regular expression is due (example: \"^[0-9]+$\")\n", false},
      {"{type: string, format: ipv4}", "{type: object, patternProperties: {\"[a\": {}}}",
       "plugin.yml:18:50: PL001 config.properties.array_ip.patternProperties: \"[a\" is not a regular expression: missing terminating ] for character class, at byte 2\n", false},
      {"{type: string, format: ipv4}", "{default: {pattern: a}, not: {$ref: \"#/properties/array_ip/default\"}}",
       "plugin.yml:18:45: PL001 config.properties.array_ip.not.$ref: \"#/properties/array_ip/default\" leads to something that is no schema (write #/definitions/NAME)\n", false},
      {"{type: string, format: ipv4}", "{$ref: \"#/definitions/ip\"}",
       "plugin.yml:18:16: PL001 config.properties.array_ip.$ref: \"#/definitions/ip\" leads nowhere: there is no \"definitions\"\n", false},
      {"{type: string, format: ipv4}", "{$ref: \"#/properties/pasword\"}",
       "plugin.yml:18:16: PL001 config.properties.array_ip.$ref: \"#/properties/pasword\" leads nowhere: there is no \"pasword\" (did you mean \"password\"?)\n", false},
      {"{type: string, x-secret: true}", "{type: object, x-secret: true}",
       "plugin.yml:19:16: PL001 config.properties.password.type: a secret is a text (write type: string, or mark what is in it)\n", false},
      {"{type: string, x-secret: true}", "{type: string, x-secret: true, default: hunter2}",
       "plugin.yml:19:46: PL001 config.properties.password.default: a secret does not stand in a manifest (remove it; the site names its secret by {secret: NAME})\n", false},
      {"{type: string, format: ipv4}", "{typ: string}", "plugin.yml:18:16: PL005 config.properties.array_ip: unknown keyword \"typ\" (did you mean \"type\"?)\n", false},
      {"x-secret: true", "x-secrets: true", "plugin.yml:19:30: PL005 config.properties.password: unknown keyword \"x-secrets\" (did you mean \"x-secret\"?)\n", false},
      {"x-secret: true", "x-secret: yes", "plugin.yml:19:30: PL001 config.properties.password.x-secret: true or false is due\n", false},
      {"config:\n", "config: none\nx-config:\n",
       "plugin.yml:13:1: PL001 config: a single value, but a JSON Schema (example: {type: object, properties: {...}}) is due\n"},
      {"  install: {", "  instal: {", "plugin.yml:22:3: PL005 hooks: unknown key \"instal\" (did you mean \"install\"?)\n"},
      {"timeout: 2h", "timeout: 2", "plugin.yml:22:13: PL001 hooks.install.timeout: \"2\" has no unit (write 2s, 2min, 2h or 2d)\n"},
      {"timeout: 2h", "timeout: 2 hours", "plugin.yml:22:13: PL001 hooks.install.timeout: \"2 hours\" is not a duration (example: 10min)\n"},
      {"timeout: 2h", "timout: 2h", "plugin.yml:22:13: PL005 hooks.install: unknown key \"timout\" (did you mean \"timeout\"?)\n"},
      {"timeout: 2h", "playbook: ../site.yml",
       "plugin.yml:22:13: PL001 hooks.install.playbook: \"../site.yml\" is not the path of a YAML file in the plugin's folder (example: plays/install.yml)\n"},
      {"grace: 120s", "grace: 2h", "plugin.yml:22:26: PL001 hooks.install.grace: \"2h\" is not between 0ms and 1h\n", false},
      {"retries: 2", "retries: many", "plugin.yml:22:39: PL001 hooks.install.retries: \"many\" is not a whole number (example: 2)\n"},
      {"retries: 2, ", "", "plugin.yml:22:39: PL001 hooks.install.retry_on: without retries it means nothing (add retries: 1)\n"},
      {"retry_on: [69, 1]", "retry_on: [0]", "plugin.yml:22:62: PL001 hooks.install.retry_on: 0 is not between 1 and 255\n"},
      {"continue: true", "continue: yes", "plugin.yml:23:23: PL001 hooks.test.continue: \"yes\" is not a boolean (write true)\n"},
      {"  cleanup:\n", "  cleanup: {continue: true}\n", "plugin.yml:24:13: PL001 hooks.cleanup.continue: the closing stages always go on; remove the key\n"},
      {"  cleanup:\n", "  admit: {retries: 1}\n", "plugin.yml:24:11: PL001 hooks.admit.retries: means nothing outside of a job; remove the key\n"},
      {"  cleanup:\n", "  health: {resources: [cluster4]}\n", "plugin.yml:24:12: PL001 hooks.health.resources: means nothing outside of a job; remove the key\n"},
      {"  cleanup:\n", "  agent-start: {junit: [a.xml]}\n", "plugin.yml:24:17: PL001 hooks.agent-start.junit: means nothing outside of a job; remove the key\n"},
      {"  cleanup:\n", "  agent_stop:\n", "plugin.yml:24:3: PL005 hooks: unknown key \"agent_stop\" (did you mean \"agent-stop\"?)\n"},
      {"  cleanup:\n", "  teardown:\n", "plugin.yml:24:3: PL005 hooks: unknown key \"teardown\" (did you mean \"release\"?)\n"},
      {"  cleanup:\n", "  post-run:\n", "plugin.yml:24:3: PL005 hooks: unknown key \"post-run\" (did you mean \"collect\"?)\n"},
      {"  cleanup:\n", "  before_script:\n", "plugin.yml:24:3: PL005 hooks: unknown key \"before_script\" (did you mean \"pre-run\"?)\n"},
      {"order: 40", "priority: 40", "plugin.yml:6:1: PL005 unknown key \"priority\" (did you mean \"order\"?)\n"},
      {"order: 40", "Depends-On: [jq]", "plugin.yml:6:1: PL005 unknown key \"Depends-On\" (did you mean \"requires\"?)\n"},
      {"timeout: 2h", "allow_failure: true", "plugin.yml:22:13: PL005 hooks.install: unknown key \"allow_failure\" (did you mean \"continue\"?)\n"},
      {"timeout: 2h", "attempts: 2", "plugin.yml:22:13: PL005 hooks.install: unknown key \"attempts\" (did you mean \"retries\"?)\n"},
      {"log: 200MiB", "ram: 20G", "plugin.yml:25:47: PL005 limits: unknown key \"ram\" (did you mean \"memory\"?)\n"},
      {"commands: [sh, ls]", "packages: [sh]", "plugin.yml:8:3: PL005 requires: unknown key \"packages\" (did you mean \"commands\"?)\n"},
      {"  cleanup:\n", "  sucess:\n", "plugin.yml:24:3: PL005 hooks: unknown key \"sucess\" (did you mean \"success\"?)\n"},
      {"  cleanup:\n", "  failure: {retries: 1}\n", "plugin.yml:24:13: PL001 hooks.failure.retries: hooks of the closing stages run once; remove the key\n"},
      {"  cleanup:\n", "  on-timeout: {grace: 1min}\n",
       "plugin.yml:24:16: PL001 hooks.on-timeout.grace: on-timeout has what is left of the grace of the hook that is stopped; remove the key\n"},
      {"  cleanup:\n", "  on-cancel: {resources: [cluster4]}\n",
       "plugin.yml:24:15: PL001 hooks.on-cancel.resources: on-cancel has what is left of the grace of the hook that is stopped; remove the key\n"},
      {"memory: 4GiB", "memory: 4 gigs", "plugin.yml:25:10: PL001 limits.memory: \"4 gigs\" is not a size (example: 5GiB)\n"},
      {"cpu: 200%", "cpu: 2", "plugin.yml:25:24: PL001 limits.cpu: \"2\" is not a share of a processor (example: 200%, which is two of them)\n"},
      {"pids: 4096", "pids: 0", "plugin.yml:25:35: PL001 limits.pids: 0 is not between 1 and 4000000\n"},
      {"log: 200MiB", "disk: a lot", "plugin.yml:25:47: PL001 limits.disk: \"a lot\" is not a size (example: 5GiB)\n"},
      {"log: 200MiB", "disc: 20G", "plugin.yml:25:47: PL005 limits: unknown key \"disc\" (did you mean \"disk\"?)\n"},
      {"  cleanup:\n", "  cleanup: {junit: [/var/results/*.xml]}\n",
       "plugin.yml:24:13: PL001 hooks.cleanup.junit: \"/var/results/*.xml\" is not a pattern of paths in the workspace (example: results/**/*.xml)\n"},
      {"  cleanup:\n", "  cleanup: {artifacts: [../*]}\n",
       "plugin.yml:24:13: PL001 hooks.cleanup.artifacts: \"../*\" is not a pattern of paths in the workspace (example: results/**/*.xml)\n"},
      {"  cleanup:\n", "  cleanup: {artifact: [logs]}\n", "plugin.yml:24:13: PL005 hooks.cleanup: unknown key \"artifact\" (did you mean \"artifacts\"?)\n"},
      {"  cleanup:\n", "  cleanup: {merge: [unit]}\n", "plugin.yml:24:13: PL001 hooks.cleanup.merge: a list, but a name is due\n"},
      {"  cleanup:\n", "  cleanup: {merge: true}\n", "plugin.yml:24:13: PL001 hooks.cleanup.merge: what the one result is to be called is due (example: unit)\n"},
      {"  cleanup:\n", "  cleanup: {merge: unit/all}\n",
       "plugin.yml:24:13: PL001 hooks.cleanup.merge: \"unit/all\" is not a name (letters, digits, '.', '_' and '-', at most 64)\n"},
      {"  cleanup:\n", "  cleanup: {merge: reported}\n",
       "plugin.yml:24:13: PL001 hooks.cleanup.merge: reported is the result of what hooks say by outpost-hook result; choose another name\n"},
      {"  cleanup:\n", "  admit: {merge: unit}\n", "plugin.yml:24:11: PL001 hooks.admit.merge: means nothing outside of a job; remove the key\n"},
      {"timeout: 6h", "timeout: 6h, timeout_max: 2h", "plugin.yml:23:23: PL001 hooks.test.timeout_max: is less than the time limit that it has to begin with, 6h 00min\n", false},
      {"order: 40", "isolation: {user: admin}", "plugin.yml:6:13: PL001 isolation.user: \"admin\" is neither root nor job\n"},
      {"order: 40", "isolation: {network: non}", "plugin.yml:6:13: PL001 isolation.network: \"non\" is neither host nor none (did you mean \"none\"?)\n"},
      {"order: 40", "isolation: {private_tmp: 1}", "plugin.yml:6:13: PL001 isolation.private_tmp: \"1\" is neither true nor false\n"},
      {"order: 40", "isolation: {no_new_privs: no}", "plugin.yml:6:13: PL001 isolation.no_new_privs: \"no\" is neither true nor false\n"},
      {"order: 40", "isolation: {net: host}", "plugin.yml:6:13: PL005 isolation: unknown key \"net\" (did you mean \"network\"?)\n"},
      {"order: 40", "supports: [dry_run]", "plugin.yml:6:1: PL001 supports: \"dry_run\" is none of: dry-run (did you mean \"dry-run\"?)\n"},
      {"order: 40", "supports: dry-run", "plugin.yml:6:1: PL001 supports: a single value, but a list (example: [dry-run]) is due\n"},
      {"order: 40", "compat: [dlrn]", "plugin.yml:6:1: PL001 compat: \"dlrn\" is none of: dci\n"},
      {"order: 40", "verdict-from: [collect]",
       "plugin.yml:6:1: PL001 verdict-from: the verdict is written down before collect begins, and nothing changes it after that; let a hook of test decide, and remove the key\n"},
      {"[ACME_REGION, ", "[\"*\", ", "plugin.yml:26:7: PL001 env.allow: \"*\" would let in everything (example: ACME_*)\n"},
      {"[ACME_REGION, ", "[OUTPOST_API, ",
       "plugin.yml:26:7: PL001 env.allow: \"OUTPOST_API\": OUTPOST_... are the agent's own (hooks/README.md, Environment)\n"},
      {"[ACME_REGION, ", "[\"A=B\", ",
       "plugin.yml:26:7: PL001 env.allow: \"A=B\" is not the name of a variable, nor a pattern of names (example: ACME_*)\n"},
      {"[ACME_REGION, ", "[PATH, ",
       "plugin.yml:26:7: PL001 env.allow: \"PATH\" is the agent's own: no manifest lets another value in (hooks/README.md, Environment)\n", false},
      {"{type: string, format: ipv4}", "{$ref: \"#/properties/array_ip\"}",
       "plugin.yml:18:16: PL001 config.properties.array_ip.$ref: \"#/properties/array_ip\" leads back to itself, or through more than 32 schemas (write what is due there)\n", false},
      {"  additionalProperties: false\n", "  allOf: [{$ref: \"#\"}]\n",
       "plugin.yml:15:12: PL001 config.allOf.$ref: \"#\" leads back to itself, or through more than 32 schemas (write what is due there)\n", false},
      {"{type: string, format: ipv4}", "{default: 3, not: {$ref: \"#/properties/array_ip\"}}",
       "plugin.yml:18:34: PL001 config.properties.array_ip.not.$ref: \"#/properties/array_ip\" leads back to itself, or through more than 32 schemas (write what is due there)\n", false},
      {"{type: string, format: ipv4}", "{$ref: \"#/properties/password/type\"}",
       "plugin.yml:18:16: PL001 config.properties.array_ip.$ref: \"#/properties/password/type\" leads to something that is no schema (write #/definitions/NAME)\n", false},
      {"order: 40", "\torder: 40", "plugin.yml:6:1: PL001 a tab in the indentation; YAML takes only spaces\n", false},
      {"x-notes: ours\n", "x-notes: \"ours\n", "plugin.yml:28:1: PL001 not valid YAML: a quote is opened in line 26 or below and never closed\n", false},
  };
  return all;
}

std::string mutated(const Mutation& mutation) {
  const auto at = good.find(mutation.from);
  REQUIRE(at != std::string::npos);
  std::string text = good;
  return text.replace(at, mutation.from.size(), mutation.to);
}

boost::json::value published_schema() { return boost::json::parse(test::text_of("hooks/plugin.schema.json")); }

std::vector<std::string> violations_of(const std::string& manifest) {
  config::Problems problems;
  const auto parsed = config::parse_yaml(manifest, "plugin.yml", problems);
  std::vector<std::string> lines;
  for (const auto& violation : hooks::violations(config::as_typed_json(parsed.root), published_schema()))
    lines.push_back(join(violation.path, ".") + ": " + violation.message);
  return lines;
}

}  // namespace

TEST_CASE("a manifest is read whole") {
  hooks::Diagnoses diagnoses;
  const auto manifest = hooks::parse_manifest(good, "plugin.yml", diagnoses);
  REQUIRE(hooks::text_of(diagnoses) == "");
  CHECK(manifest->name == "acme-storage");
  CHECK(manifest->version == "2.3.1");
  CHECK(manifest->order == 40);
  CHECK(manifest->requirements.commands == std::vector<std::string>{"sh", "ls"});
  CHECK(manifest->requirements.agent == "0.1");
  REQUIRE(manifest->requirements.os.size() == 3);
  CHECK(manifest->requirements.os[0].id == "rhel");
  CHECK(manifest->requirements.os[0].version == "8");
  CHECK(manifest->requirements.capabilities == std::vector<std::string>{"redfish"});
  CHECK(manifest->when.jobs == std::vector<std::string>{"*-nightly"});
  const auto install = manifest->settings(job::Stage::install);
  CHECK(install.timeout == 2h);
  CHECK(install.grace == 120s);
  CHECK(install.retries == 2);
  CHECK(install.retry_on == std::vector<int>{69, 1});
  CHECK(install.resources == std::vector<std::string>{"cluster4"});
  CHECK(manifest->settings(job::Stage::test).keep_going);
  CHECK_FALSE(manifest->settings(job::Stage::collect).timeout);
  CHECK(manifest->limits.memory == 4ULL << 30);
  CHECK(manifest->limits.cpu_percent == 200U);
  CHECK(manifest->limits.tasks == 4096U);
  CHECK(manifest->limits.log == 200ULL << 20);
  CHECK(manifest->environment == std::vector<std::string>{"ACME_REGION", "ACME_TEST_*"});
  CHECK(manifest->config_schema->at("properties").at("ratio").at("minimum") == 0.5);
  CHECK(violations_of(good) == std::vector<std::string>{});
}

TEST_CASE("an older minor version of the contract is as good as ours") {
  CHECK(diagnosis_of("apiVersion: outpost/v1.0\nname: a\nversion: 1\n") == "");
  CHECK(diagnosis_of("apiVersion: outpost/v1.1\nname: a\nversion: 1\n") == "");
}

TEST_CASE("each mistake in a manifest is told with its place, its code and what is meant") {
  REQUIRE(mutations().size() >= 40);
  std::set<std::string> different;
  for (const auto& mutation : mutations()) {
    INFO(mutation.from << " -> " << mutation.to);
    CHECK(diagnosis_of(mutated(mutation)) == mutation.expected);
    different.insert(mutation.from + mutation.to);
  }
  CHECK(different.size() == mutations().size());
}

TEST_CASE("the published schema refuses what the agent refuses, as far as a schema can see it") {
  for (const auto& mutation : mutations()) {
    if (!mutation.schema_sees_it) continue;
    INFO(mutation.from << " -> " << mutation.to);
    CHECK_FALSE(violations_of(mutated(mutation)).empty());
  }
}

TEST_CASE("a schema may describe a tree, which leads back to itself one level lower") {
  const std::string head = "apiVersion: outpost/v1\nname: a\nversion: 1\nconfig:\n  type: object\n";
  CHECK(diagnosis_of(head + "  properties: {tree: {$ref: \"#\"}}\n") == "");
  CHECK(diagnosis_of(head + "  properties: {tree: {$ref: \"#/definitions/a~1b%20c\"}}\n"
                            "  definitions: {\"a/b c\": {type: array, items: {anyOf: [{type: string}, {$ref: \"#/definitions/a~1b c\"}]}}}\n") == "");
}

TEST_CASE("what is no manifest at all is said") {
  CHECK(diagnosis_of("") == "plugin.yml:1:1: PL001 is not a manifest: a mapping is due (apiVersion, name, version...)\n");
  CHECK(diagnosis_of("- a\n") == "plugin.yml:1:1: PL001 is not a manifest: a mapping is due (apiVersion, name, version...)\n");
}

TEST_CASE("what a manifest says of sandbox, disk, dry runs and what is collected is read") {
  const std::string text =
      "apiVersion: outpost/v1\nname: a\nversion: 1\nlimits: {disk: 20G}\nisolation: {user: root, network: host, private_tmp: false, no_new_privs: false}\n"
      "supports: [dry-run]\ncompat: [dci]\nhooks: {test: {timeout: 1h, timeout_max: 3h, junit: [\"results/**/*.xml\"], artifacts: [\"logs/**\", \"a?\"], merge: unit}}\n";
  hooks::Diagnoses diagnoses;
  const auto manifest = hooks::parse_manifest(text, "plugin.yml", diagnoses);
  REQUIRE(hooks::text_of(diagnoses) == "");
  CHECK(violations_of(text) == std::vector<std::string>{});
  CHECK(manifest->limits.disk == 20ULL << 30);
  CHECK(manifest->isolation.root == true);
  CHECK(manifest->isolation.network == true);
  CHECK(manifest->isolation.private_tmp == false);
  CHECK(manifest->isolation.no_new_privileges == false);
  CHECK(manifest->dry_run);
  CHECK(manifest->dci_variables);
  const auto test = manifest->settings(job::Stage::test);
  CHECK(test.timeout_max == 3h);
  CHECK(test.junit == std::vector<std::string>{"results/**/*.xml"});
  CHECK(test.artifacts == std::vector<std::string>{"logs/**", "a?"});
  CHECK(test.merge == "unit");
}
