#include "agent/daemon/source_by_name.hpp"

#include "agent/daemon/closed_server.hpp"
#include "fakes/fake_pipeline.hpp"
#include "support/catch.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <optional>

using namespace outpost;
using namespace outpost::test;

namespace {

/// A download from a server whose credentials cannot be read, until somebody puts another into its place.
struct Download {
  std::shared_ptr<pipeline::Source> configured =
      daemon::closed_source(std::make_unique<FakeSource>(), Error{Fault::unavailable, "credentials.yml: no such file"});
  daemon::SourceByName source{"fake", [this](const std::string&) { return configured; }};
  pipeline::FetchRequest request;
  std::string told;
  std::optional<Result<void>> outcome;
  bool cancelled = false;
  boost::asio::cancellation_signal cancel;
  boost::asio::io_context loop;

  Download() {
    pipeline::Report report = [this](std::string_view line) { told += std::string{line} + "\n"; };
    boost::asio::co_spawn(
        loop, source.fetch(request, std::move(report)),
        boost::asio::bind_cancellation_slot(cancel.slot(), [this](std::exception_ptr thrown, Result<void> fetched) {
          if (thrown)
            cancelled = true;
          else
            outcome = std::move(fetched);
        }));
    loop.poll();
    REQUIRE_FALSE(outcome);
    CHECK(told.find("fake cannot be asked: credentials.yml: no such file") != std::string::npos);
  }
};

}  // namespace

TEST_CASE("a download waits while its server is closed") {
  Download download;
  SECTION("until the server can be asked") {
    const auto open = std::make_shared<FakeSource>();
    download.configured = open;
    download.loop.run();
    REQUIRE(download.outcome);
    CHECK(*download.outcome);
    CHECK(open->fetches == 1);
    CHECK(download.told.ends_with("fetching\n"));
  }
  SECTION("until it is no longer configured") {
    download.configured.reset();
    download.loop.run();
    REQUIRE(download.outcome);
    CHECK(download.outcome->error().fault == Fault::refused);
  }
  SECTION("until it is cancelled") {
    download.cancel.emit(boost::asio::cancellation_type::terminal);
    download.loop.run();
    CHECK(download.cancelled);
  }
}
