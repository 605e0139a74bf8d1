#include "plugins/hooks/plugin_folder.hpp"

#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

using namespace outpost;
using namespace outpost::hooks;
using outpost::test::TemporaryDirectory;
using outpost::test::write_file;

TEST_CASE("a plugin is found by its name, with and without an order number, and a site's hides a shipped one") {
  TemporaryDirectory site, shipped;
  write_file(site.path / "20-acme-storage/hooks/install", "");
  write_file(shipped.path / "acme-storage/hooks/install", "");
  write_file(shipped.path / "rpm-certify/hooks/certify", "");
  CHECK(*find_plugin({site.path, shipped.path}, "acme-storage") == site.path / "20-acme-storage");
  CHECK(*find_plugin({site.path, shipped.path}, "20-acme-storage") == site.path / "20-acme-storage");
  CHECK(*find_plugin({site.path, shipped.path}, "rpm-certify") == shipped.path / "rpm-certify");
}

TEST_CASE("a plugin that is missing is named, with where it was looked for and what was probably meant") {
  TemporaryDirectory site;
  write_file(site.path / "20-acme-storage/hooks/install", "");
  const auto missing = find_plugin({site.path, "/nonexistent"}, "acme-storaje");
  REQUIRE(!missing);
  CHECK(missing.error().fault == Fault::unavailable);
  CHECK(missing.error().message == "plugin \"acme-storaje\" is not installed (looked in " + site.path.string() +
                                       ", /nonexistent); did you mean \"acme-storage\"?");
}

TEST_CASE("the hooks of a stage are one file, or those of its directory in the order of their names") {
  TemporaryDirectory site;
  write_file(site.path / "hooks/install", "");
  write_file(site.path / "hooks/install.d/20-b", "");
  write_file(site.path / "hooks/install.d/10-a", "");
  write_file(site.path / "hooks/install.d/10-a~", "");
  write_file(site.path / "hooks/install.d/30-c.rpmsave", "");
  const auto hooks = hooks_of(site.path, "acme", job::Stage::install);
  REQUIRE(hooks);
  REQUIRE(hooks->size() == 3);
  CHECK((*hooks)[0].hook == "install");
  CHECK((*hooks)[1].hook == "install.d/10-a");
  CHECK((*hooks)[2].hook == "install.d/20-b");
  CHECK((*hooks)[1].program == site.path / "hooks/install.d/10-a");
  CHECK(hooks_of(site.path, "acme", job::Stage::test)->empty());
}

TEST_CASE("a hook that is there and cannot run is a step all the same") {
  TemporaryDirectory site;
  std::filesystem::create_directories(site.path / "hooks");
  std::filesystem::create_symlink("/nonexistent", site.path / "hooks/install");
  CHECK(hooks_of(site.path, "acme", job::Stage::install)->size() == 1);
}
