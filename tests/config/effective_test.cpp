#include "agent/config/effective.hpp"

#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <algorithm>

using namespace outpost;
using namespace outpost::config;

namespace {

const std::vector<SourceType> types{{.type = "dci"}};

const std::string text = R"(sources:
  dci: {type: dci, url: https://api.example.org, credentials: dcirc.sh, proxy: "http://user:hidden@proxy.example.org:3128"}
jobs:
  - {name: nightly, source: dci, topic: "4.10", plugins: [acme], timeout: 3h, components: [acme-storage]}
plugin_config:
  acme: {password: hidden}
slots: 2
)";

std::vector<EffectiveKey> keys_of(const std::string& base, const std::string& over = "", const Environment& environment = {}) {
  return effective({{"outpost.yml", base}, {"conf.d/20-lab.yml", over}}, "/etc/outpost", environment, types);
}

EffectiveKey key(const std::vector<EffectiveKey>& keys, const std::string& path) {
  const auto found = std::find_if(keys.begin(), keys.end(), [&](const auto& each) { return each.path == path; });
  return found == keys.end() ? EffectiveKey{} : *found;
}

}  // namespace

TEST_CASE("each key has its value and where it was set, or its default") {
  const auto keys = keys_of(text, "jobs:\n  - {name: nightly, timeout: 4h}\n", {{"OUTPOST_CFG_SLOTS", "3"}});
  CHECK(key(keys, "jobs.nightly.topic").value == "4.10");
  CHECK(key(keys, "jobs.nightly.topic").origin == "outpost.yml:4:34");
  CHECK(key(keys, "jobs.nightly.timeout").value == "4h");
  CHECK(key(keys, "jobs.nightly.timeout").origin.starts_with("conf.d/20-lab.yml:2:"));
  CHECK(key(keys, "slots").value == "3");
  CHECK(key(keys, "slots").origin == "OUTPOST_CFG_SLOTS");
  CHECK(key(keys, "spool.limit").value == "5.0 GiB");
  CHECK(key(keys, "spool.limit").origin.empty());
  CHECK(key(keys, "jobs.nightly.plugins").value == "[acme]");
}

TEST_CASE("what may hold a secret is named and not shown") {
  const auto keys = keys_of(text);
  const auto proxy = key(keys, "sources.dci.proxy");
  CHECK(proxy.hidden);
  CHECK(proxy.value.empty());
  CHECK(proxy.origin == "outpost.yml:2:73");
  CHECK(key(keys, "sources.dci.credentials").value == "dcirc.sh");
  for (const auto& each : keys) {
    INFO(each.path);
    CHECK(each.value.find("hidden") == std::string::npos);
  }
}

TEST_CASE("the page listens on the loopback only") {
  const test::TemporaryDirectory directory;
  const auto load_with = [&](const std::string& listen) {
    test::write_file(directory.path / "outpost.yml", text + "dashboard: {listen: \"" + listen + "\"}\n");
    return load(directory.path / "outpost.yml", {}, types);
  };
  const auto address_of = [&](const std::string& listen) {
    const auto loaded = load_with(listen);
    INFO((loaded ? "" : loaded.error().text()));
    REQUIRE(loaded.has_value());
    return loaded->settings.dashboard.host + " " + std::to_string(loaded->settings.dashboard.port);
  };
  CHECK(address_of("127.0.0.1:8420") == "127.0.0.1 8420");
  CHECK(address_of("localhost:0") == "127.0.0.1 0");
  CHECK(address_of("[::1]:1") == "::1 1");
  for (const char* wrong : {"0.0.0.0:8420", "10.0.0.4:8420", "8420", "127.0.0.1", "127.0.0.1:", "127.0.0.1:70000", "[::]:1", "localhost.example.org:1"}) {
    INFO(wrong);
    const auto loaded = load_with(wrong);
    REQUIRE_FALSE(loaded.has_value());
    CHECK(loaded.error().text().find("dashboard.listen: ") != std::string::npos);
  }
}
