// Deliveries that leave in an archive instead of over the network.

#include "agent/base/ids.hpp"
#include "agent/base/text.hpp"
#include "agent/daemon/agent.hpp"
#include "agent/daemon/spool_confirm.hpp"
#include "agent/daemon/spool_file.hpp"

#include <filesystem>
#include <system_error>
#include <utility>

namespace outpost::daemon {

namespace asio = boost::asio;
namespace json = boost::json;

namespace {

constexpr std::uint64_t longest_receipt = 256 << 20;  ///< Bytes: of some million items.

}  // namespace

std::vector<SpoolOwner> Agent::spool_owners() const {
  std::vector<SpoolOwner> owners;
  for (const auto& each : integrations_)
    owners.push_back({each->settings.name, std::string{each->reporter->type()}, each->settings.url, each->spool_key,
                      each->dispatcher.get()});
  return owners;
}

void Agent::renew_identity(const std::string& source, delivery::SpoolKey key, std::shared_ptr<void> held) {
  const auto found = integration(source);
  if (!found) return;
  found->spool_key = std::move(key);
  found->identity = std::move(held);
}

asio::awaitable<Result<control::SpoolStream>> Agent::export_spool(std::string reporter) {
  SpoolPorts ports{ports_.journal, ports_.deliveries, ports_.workers, ports_.clock, job_options_.jobs_directory};
  auto owners = spool_owners();
  auto made = co_await SpoolExport::prepare(std::move(ports), std::move(owners), std::move(reporter));
  if (!made) co_return made.error();
  const auto running = *made;
  ports_.logger.notice("exporting " + std::to_string(running->manifest().items) + " items that wait for " +
                       running->manifest().reporter + " into an archive");
  control::SpoolStream stream;
  stream.summary = to_json(running->manifest());
  stream.summary["unclaimed"] = running->unclaimed();
  stream.archive = [this, running] { return next_of(running); };
  co_return stream;
}

asio::awaitable<Result<std::string>> Agent::next_of(std::shared_ptr<SpoolExport> running) {
  auto bytes = co_await running->next();
  if (!bytes)
    ports_.logger.error("the export for " + running->manifest().reporter + " broke off: " + bytes.error().message);
  co_return bytes;
}

asio::awaitable<Result<json::object>> Agent::confirm_spool(http::ServerRequest& receipt) {
  const std::filesystem::path file = settings_.runtime_directory / ("receipt-" + new_id(ports_.clock.now()));
  auto saved = co_await save_body(receipt, file);
  Result<Confirmed> confirmed = Error{};
  if (saved) {
    auto owners = spool_owners();
    std::filesystem::path copy = file;
    confirmed = co_await confirm_receipt(std::move(copy), std::move(owners), ports_.workers);
  } else {
    confirmed = saved.error();
  }
  std::error_code ignored;
  std::filesystem::remove(file, ignored);
  if (!confirmed) {
    // A name that only we know would help nobody.
    confirmed.error().message = replace_all(confirmed.error().message, file.string(), "the receipt");
    co_return confirmed.error();
  }
  ports_.logger.notice("a receipt settles " + std::to_string(confirmed->settled) + " items for " + confirmed->reporter);
  retention_wakeup_.notify();
  co_return json::object{
      {"reporter", confirmed->reporter}, {"settled", confirmed->settled}, {"others", confirmed->others}};
}

Result<json::array> Agent::flush_spool(const std::string& reporter) {
  if (!reporter.empty() && !integration(reporter)) return Error{Fault::unavailable, "there is no reporter " + printable(reporter, 80)};
  json::array flushed;
  for (const auto& each : integrations_) {
    if (!reporter.empty() && each->settings.name != reporter) continue;
    flushed.push_back(json::object{{"name", each->settings.name}, {"waiting", each->dispatcher->status().waiting}});
    each->dispatcher->try_now();
  }
  return flushed;
}

asio::awaitable<Result<json::object>> Agent::prune_spool(control::Pruning wanted) {
  const Timestamp before = ports_.clock.now() - wanted.older_than;
  json::object told{{"waiting", wanted.waiting}, {"dry_run", wanted.dry_run}};
  if (wanted.waiting) {
    const auto given_up = co_await spool_.give_up(std::move(wanted.reporter), before, wanted.dry_run);
    if (!given_up) co_return given_up.error();
    told["items"] = given_up->items;
    told["bytes"] = given_up->bytes;
  } else {
    const auto pruned = co_await retention_.prune(before, wanted.dry_run);
    if (!pruned) co_return pruned.error();
    told["jobs"] = pruned->jobs;
    told["bytes"] = pruned->bytes;
  }
  co_return told;
}

asio::awaitable<Result<void>> Agent::save_body(http::ServerRequest& request, std::filesystem::path file) {
  auto made = SpoolFile::create(file, false);
  if (!made) co_return made.error();
  SpoolFile& target = *made;
  for (;;) {
    auto bytes = co_await request.read_some();
    if (!bytes) co_return bytes.error();
    if (bytes->empty()) break;
    if (target.size() + bytes->size() > longest_receipt)
      co_return Error{Fault::malformed, "no receipt is as long as that"};
    auto write = [&target, piece = std::move(*bytes)] { return target.write(piece); };
    const auto written = co_await ports_.workers.run(std::move(write));
    if (!written) co_return written.error();
  }
  auto commit = [&target] { return target.commit(); };
  co_return co_await ports_.workers.run(std::move(commit));
}

}  // namespace outpost::daemon
