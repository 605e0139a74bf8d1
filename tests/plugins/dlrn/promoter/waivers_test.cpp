#include "plugins/dlrn/promoter/waivers.hpp"

#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

using namespace outpost;
using namespace outpost::promoter;

TEST_CASE("waivers are read with the last moment of their day") {
  const test::TemporaryDirectory directory;
  const auto file = directory.path / "waivers.yml";
  CHECK(load_waivers(file)->empty());
  test::write_file(
      file, "- {target: current-tripleo, job: periodic-x, hash: 1b97, until: 2026-12-24, by: jane, why: known bug}\n");
  const auto waivers = load_waivers(file);
  REQUIRE(waivers.has_value());
  REQUIRE(waivers->size() == 1);
  CHECK(waivers->front().holds_for("current-tripleo", "periodic-x", "1b97", *parse_rfc3339("2026-12-24T23:59:59Z")));
  CHECK_FALSE(
      waivers->front().holds_for("current-tripleo", "periodic-x", "1b97", *parse_rfc3339("2026-12-25T00:00:00Z")));
}

TEST_CASE("a waiver without an end, a reason or somebody to ask is refused with its place") {
  const test::TemporaryDirectory directory;
  const auto file = directory.path / "waivers.yml";
  test::write_file(file, "- {target: t, job: j, hash: h, until: soon}\n");
  const auto waivers = load_waivers(file);
  REQUIRE(waivers.has_error());
  const std::string text = waivers.error().text();
  CHECK(text.find("waivers.yml:1:") != std::string::npos);
  CHECK(text.find("\"soon\" is not a day") != std::string::npos);
  CHECK(text.find("\"by\" is missing") != std::string::npos);
  CHECK(text.find("\"why\" is missing") != std::string::npos);
  test::write_file(file, "target: t\n");
  CHECK(load_waivers(file).has_error());
}
