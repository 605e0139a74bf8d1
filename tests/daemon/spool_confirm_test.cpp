#include "agent/daemon/spool_confirm.hpp"

#include "agent/daemon/spool_export.hpp"
#include "agent/delivery/spool_writer.hpp"
#include "delivery/site.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <fstream>

using namespace outpost;
using namespace outpost::test;
using journal::DeliveryState;

namespace {

/// Says that `item` has arrived.
std::filesystem::path receipt_of(const std::filesystem::path& directory, const delivery::SpoolKey& key,
                                 const journal::Item& item) {
  const auto file = directory / "receipt";
  std::ofstream out{file, std::ios::binary};
  delivery::SpoolWriter writer{key, [&out](std::string_view bytes) {
                                 out << bytes;
                                 return Result<void>{};
                               }};
  delivery::SpoolManifest manifest;
  manifest.kind = "receipt";
  manifest.reporter = "fake";
  manifest.client_id = key.client_id();
  manifest.items = 1;
  REQUIRE(writer.begin(manifest));
  REQUIRE(writer.add({.item = item, .state = DeliveryState::delivered, .remote_ref = "there", .reason = {}}));
  REQUIRE(writer.finish());
  return file;
}

Result<daemon::Confirmed> confirm(Site& site, const std::filesystem::path& receipt, const delivery::SpoolKey& key) {
  Workers workers;
  std::vector<daemon::SpoolOwner> owners{{"fake", "fake", "https://server", key, site.dispatcher.get()}};
  std::optional<Result<daemon::Confirmed>> outcome;
  boost::asio::co_spawn(*site.loop, daemon::confirm_receipt(receipt, std::move(owners), workers),
                        [&](std::exception_ptr thrown, Result<daemon::Confirmed> confirmed) {
                          REQUIRE_FALSE(thrown);
                          outcome = std::move(confirmed);
                        });
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::minutes{2};
  while (!outcome && std::chrono::steady_clock::now() < give_up) {
    site.loop->restart();
    site.loop->run_one_for(std::chrono::milliseconds{100});
  }
  REQUIRE(outcome);
  return std::move(*outcome);
}

}  // namespace

TEST_CASE("a receipt settles what it was sealed for, and one without a key settles nothing") {
  TemporaryDirectory directory;
  Site site;
  site.server.down = true;
  site.start();
  site.append(queued("job-1", {{"a", {}, {}}}));
  const auto item = site.row("a").item;
  const auto is_settled = [&] { return site.row("a").state == DeliveryState::delivered; };
  const delivery::SpoolKey ours{"remoteci/1", "secret"}, none;

  SECTION("sealed with the key of the source") {
    const auto confirmed = confirm(site, receipt_of(directory.path, ours, item), ours);
    REQUIRE(confirmed);
    CHECK(confirmed->settled == 1);
    CHECK(is_settled());
  }
  SECTION("sealed with no key, while the credentials of the source cannot be read") {
    const auto confirmed = confirm(site, receipt_of(directory.path, none, item), none);
    REQUIRE_FALSE(confirmed);
    CHECK(confirmed.error().fault == Fault::refused);
    CHECK(confirmed.error().message.find("the credentials of fake cannot be read") != std::string::npos);
    CHECK_FALSE(is_settled());
  }
  SECTION("sealed for the source, while its credentials cannot be read") {
    const auto confirmed = confirm(site, receipt_of(directory.path, ours, item), none);
    REQUIRE_FALSE(confirmed);
    CHECK(confirmed.error().message.find("remoteci/1") != std::string::npos);
    CHECK_FALSE(is_settled());
  }
}
