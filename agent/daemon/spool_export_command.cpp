// export_spool(): an archive from the daemon or, when there is none, from its journal.

#include "agent/control/api_client.hpp"
#include "agent/daemon/run_to_end.hpp"
#include "agent/daemon/spool.hpp"
#include "agent/daemon/spool_bench.hpp"
#include "agent/daemon/spool_export.hpp"
#include "agent/daemon/spool_file.hpp"
#include "agent/http/beast/beast_client.hpp"
#include "agent/job/event.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <optional>

namespace outpost::daemon {

namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

/// The archive on its way into its file.
class Target {
 public:
  explicit Target(const ExportOptions& options) : options_{options} {}

  /// Before anything is asked for.
  Result<void> open() {
    auto file = SpoolFile::create(options_.file, options_.force);
    if (!file) return file.error();
    file_.emplace(std::move(*file));
    return {};
  }
  Result<void> begin(delivery::SpoolManifest manifest, std::uint64_t unclaimed) {
    exported_.manifest = std::move(manifest);
    exported_.unclaimed = unclaimed;
    return {};
  }
  Result<void> write(std::string_view bytes) {
    if (auto written = file_->write(bytes); !written) return written;
    if (options_.progress) options_.progress(exported_.manifest, file_->size());
    return {};
  }
  Result<Exported> commit() {
    if (auto committed = file_->commit(); !committed) return committed.error();
    exported_.size = file_->size();
    return exported_;
  }

 private:
  const ExportOptions& options_;
  std::optional<SpoolFile> file_;
  Exported exported_;
};

/// Nothing when no daemon answers.
asio::awaitable<Result<std::optional<Exported>>> export_by_daemon(http::Client& client, fs::path socket,
                                                                  std::string reporter, Target& target) {
  control::ApiClient daemon{client, std::move(socket)};
  bool answered = false;
  http::BodySink sink;
  sink.begin = [&](const http::Response& head) -> Result<void> {
    answered = true;
    const auto summary = control::spool_summary(head);
    if (!summary) return summary.error();
    auto manifest = delivery::manifest_from_json(*summary);
    if (!manifest) return manifest.error();
    return target.begin(std::move(*manifest), static_cast<std::uint64_t>(job::number_at(*summary, "unclaimed")));
  };
  sink.write = [&](std::string_view bytes) { return target.write(bytes); };
  const auto fetched = co_await daemon.export_spool(std::move(reporter), std::move(sink));
  if (!fetched && fetched.error().fault == Fault::unavailable && !answered) co_return std::optional<Exported>{};
  if (!fetched) co_return fetched.error();
  auto exported = target.commit();
  if (!exported) co_return exported.error();
  co_return std::optional{std::move(*exported)};
}

asio::awaitable<Result<Exported>> export_here(SpoolBench& bench, std::string reporter, Target& target) {
  auto made = co_await SpoolExport::prepare(bench.ports(), bench.start(), std::move(reporter));
  if (!made) co_return made.error();
  const std::shared_ptr<SpoolExport> running = *made;
  if (auto begun = target.begin(running->manifest(), running->unclaimed()); !begun) co_return begun.error();
  for (;;) {
    const auto bytes = co_await running->next();
    if (!bytes) co_return bytes.error();
    if (bytes->empty()) break;
    if (auto written = target.write(*bytes); !written) co_return written.error();
  }
  co_return target.commit();
}

}  // namespace

Result<Exported> export_spool(const config::Settings& settings, const ExportOptions& options) {
  Target target{options};
  if (auto opened = target.open(); !opened) return opened.error();
  {
    asio::io_context loop{1};
    auto client = http::make_beast_client({});
    if (!client) return client.error();
    auto exported = run_to_end<std::optional<Exported>>(
        loop, export_by_daemon(**client, settings.runtime_directory / "api.sock", options.reporter, target));
    if (!exported) return exported.error();
    if (*exported) return std::move(**exported);
  }
  asio::io_context loop{1};
  SpoolBench bench{settings, loop.get_executor()};
  if (auto ready = bench.set_up(options.reporter); !ready) return ready.error();
  return run_to_end<Exported>(loop, export_here(bench, options.reporter, target));
}

}  // namespace outpost::daemon
