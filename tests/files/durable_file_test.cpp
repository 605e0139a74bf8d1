#include "agent/files/durable_file.hpp"

#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <filesystem>

using namespace outpost;
using namespace outpost::files;
namespace fs = std::filesystem;

TEST_CASE("a durable write replaces the content and leaves nothing else behind") {
  const test::TemporaryDirectory directory;
  const fs::path target = directory.path / "state";
  REQUIRE(write_durably(target, "one"));
  REQUIRE(write_durably(target, "two"));
  CHECK(test::read_file(target) == "two");
  CHECK(std::distance(fs::directory_iterator{directory.path}, {}) == 1);
}

TEST_CASE("a durable write that fails leaves the old content") {
  const test::TemporaryDirectory directory;
  const fs::path target = directory.path / "state";
  REQUIRE(write_durably(target, "one"));
  fs::create_directory(directory.path / "state.draft");
  const auto written = write_durably(target, "two");
  REQUIRE_FALSE(written);
  CHECK(written.error().fault == Fault::unavailable);
  CHECK(test::read_file(target) == "one");
}

TEST_CASE("a durable write does not follow a link that lies in its way") {
  const test::TemporaryDirectory directory;
  test::write_file(directory.path / "victim", "untouched");
  fs::create_symlink(directory.path / "victim", directory.path / "state.draft");
  CHECK_FALSE(write_durably(directory.path / "state", "new"));
  CHECK(test::read_file(directory.path / "victim") == "untouched");
}

TEST_CASE("removing a file that is not there is a success") {
  const test::TemporaryDirectory directory;
  REQUIRE(write_durably(directory.path / "state", "one"));
  CHECK(remove_durably(directory.path / "state"));
  CHECK_FALSE(fs::exists(directory.path / "state"));
  CHECK(remove_durably(directory.path / "state"));
}

TEST_CASE("a file is renamed into another directory") {
  const test::TemporaryDirectory directory;
  fs::create_directory(directory.path / "sub");
  test::write_file(directory.path / "draft", "content");
  REQUIRE(rename_durably(directory.path / "draft", directory.path / "sub" / "final"));
  CHECK(test::read_file(directory.path / "sub" / "final") == "content");
  CHECK_FALSE(fs::exists(directory.path / "draft"));
  const auto missing = rename_durably(directory.path / "draft", directory.path / "final");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().message.find("draft") != std::string::npos);
}
