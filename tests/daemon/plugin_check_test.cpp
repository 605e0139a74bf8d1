#include "agent/daemon/plugin_check.hpp"

#include "agent/base/text.hpp"
#include "agent/daemon/client.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

using namespace outpost;
using outpost::test::write_file;

TEST_CASE("what is wrong with plugins and their configuration is told where it was written") {
  const test::TemporaryDirectory directory;
  write_file(directory.path / "plugins/10-acme/hooks/install", "#!/bin/sh\n");
  write_file(directory.path / "plugins/10-acme/plugin.yml",
             "apiVersion: outpost/v1\nname: acme\nversion: 1\n"
             "config: {type: object, additionalProperties: false, required: [address], properties: {address: {type: string}, password: {type: string, x-secret: true}}}\n");
  write_file(directory.path / "plugins/old/hooks/test", "#!/bin/sh\n");
  const auto lines_of = [&](const std::string& more) {
    write_file(directory.path / "job.yml", "plugins: [acme, old]\nplugins_path: [plugins]\n" + more);
    const auto job = config::load_job_file(directory.path / "job.yml");
    REQUIRE((job ? "" : job.error().text()) == "");
    const auto lines = daemon::check_plugins(*job, "job.yml");
    return join(lines, "\n");
  };
  CHECK(lines_of("plugin_config: {acme: {address: a}}\n") == "");
  CHECK(lines_of("") == "job.yml:1:1: PL018 plugin_config.acme: the key \"address\" is missing");
  CHECK(lines_of("plugin_config:\n  acme:\n    address: a\n    pasword: x\n") ==
        "job.yml:6:5: PL018 plugin_config.acme.pasword: is not known to the plugin (did you mean \"password\"?)");
  CHECK(lines_of("plugin_config:\n  acme: {address: a, password: hunter2}\n") ==
        "job.yml:4:22: PL007 plugin_config.acme.password: is a secret, which does not stand in a configuration (write {secret: NAME}, and its file under secrets)");
  CHECK(lines_of("plugin_config:\n  acme: {address: a, password: {secret: bmc}}\nsecrets: {bmc: {file: bmc}}\n") == "");
  CHECK(lines_of("plugin_config: {acme: {address: a}, old: {a: 1}}\n") ==
        "job.yml:3:37: PL018 plugin_config.old: the plugin takes no configuration; it has no plugin.yml");
}
