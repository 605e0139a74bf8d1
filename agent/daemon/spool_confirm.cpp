#include "agent/daemon/spool_confirm.hpp"

#include "agent/base/text.hpp"
#include "agent/control/api_client.hpp"
#include "agent/daemon/run_to_end.hpp"
#include "agent/daemon/spool_bench.hpp"
#include "agent/delivery/spool_reader.hpp"
#include "agent/http/beast/beast_client.hpp"
#include "agent/job/event.hpp"

#include <algorithm>
#include <optional>

namespace outpost::daemon {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using delivery::SpoolEntry;

namespace {

struct Receipt {
  SpoolOwner owner;
  std::vector<SpoolEntry> entries;
};

/// All of it, so that nothing happens before its end was right. On a worker.
Result<Receipt> read_receipt(const fs::path& file, const std::vector<SpoolOwner>& owners) {
  auto reader = delivery::SpoolReader::open(file);
  if (!reader) return reader.error();
  // Whose credentials cannot be read has no key yet, and anybody can seal with none.
  const auto is_closed = [](const SpoolOwner& owner) { return owner.key.client_id().empty(); };
  const auto same = std::find_if(owners.begin(), owners.end(), [&](const auto& owner) {
    return !is_closed(owner) && delivery::seal::name_of(owner.key.client_id()) == reader->client_id();
  });
  if (same == owners.end()) {
    std::string why = "the receipt is of \"" + reader->client_id() + "\", which no source of this host is";
    if (const auto closed = std::find_if(owners.begin(), owners.end(), is_closed); closed != owners.end())
      why += "; the credentials of " + closed->name + " cannot be read: correct them, then outpost reload";
    return Error{Fault::refused, std::move(why)};
  }
  if (auto verified = reader->verify(same->key); !verified) return verified.error();
  const auto manifest = reader->begin(same->key);
  if (!manifest) return manifest.error();
  if (manifest->kind != "receipt")
    return Error{Fault::refused, "it is no receipt but an archive of what waits: give it to `outpost spool import`"};
  auto owner = find_owner(owners, manifest->reporter);
  if (!owner) return owner.error();
  if (owner->key.client_id() != same->key.client_id())
    return Error{Fault::refused, "the receipt is of " + reader->client_id() + ", and " + owner->name + " is " +
                                     owner->key.client_id() + " here"};
  Receipt receipt{std::move(*owner), {}};
  for (;;) {
    auto entry = reader->next();
    if (!entry) return entry.error();
    if (!*entry) return receipt;
    if ((*entry)->state == journal::DeliveryState::delivered) receipt.entries.push_back(std::move(**entry));
  }
}

asio::awaitable<Result<std::optional<Confirmed>>> confirm_by_daemon(http::Client& client, fs::path socket,
                                                                    fs::path receipt) {
  control::ApiClient daemon{client, std::move(socket)};
  const auto answer = co_await daemon.confirm_spool(std::move(receipt));
  if (!answer && answer.error().fault == Fault::unavailable) co_return std::optional<Confirmed>{};
  if (!answer) co_return answer.error();
  co_return std::optional{Confirmed{job::text_at(*answer, "reporter"),
                                    static_cast<std::uint64_t>(job::number_at(*answer, "settled")),
                                    static_cast<std::uint64_t>(job::number_at(*answer, "others"))}};
}

asio::awaitable<Result<Confirmed>> confirm_here(SpoolBench& bench, fs::path receipt) {
  auto owners = bench.start();
  for (const auto& owner : owners) {
    const auto written = co_await owner.dispatcher->caught_up();
    if (!written) co_return written.error();
  }
  co_return co_await confirm_receipt(std::move(receipt), std::move(owners), bench.ports().workers);
}

}  // namespace

asio::awaitable<Result<Confirmed>> confirm_receipt(fs::path file, std::vector<SpoolOwner> owners, Workers& workers) {
  auto read = [file, owners = std::move(owners)] { return read_receipt(file, owners); };
  auto receipt = co_await workers.run(std::move(read));
  if (!receipt) co_return receipt.error();
  Confirmed confirmed{receipt->owner.name};
  for (const auto& entry : receipt->entries) {
    std::string key = entry.item.key, remote_ref = entry.remote_ref;
    const auto settled = co_await receipt->owner.dispatcher->mark_arrived(std::move(key), std::move(remote_ref));
    if (!settled) co_return settled.error();
    ++(*settled ? confirmed.settled : confirmed.others);
  }
  co_return confirmed;
}

Result<Confirmed> confirm_spool(const config::Settings& settings, const fs::path& receipt) {
  // Looked at here first: the daemon gets what can be read, and its user may not see the file.
  if (auto there = delivery::SpoolReader::open(receipt); !there) return there.error();
  {
    asio::io_context loop{1};
    auto client = http::make_beast_client({});
    if (!client) return client.error();
    auto confirmed = run_to_end<std::optional<Confirmed>>(
        loop, confirm_by_daemon(**client, settings.runtime_directory / "api.sock", receipt));
    if (!confirmed) return confirmed.error();
    if (*confirmed) return std::move(**confirmed);
  }
  asio::io_context loop{1};
  SpoolBench bench{settings, loop.get_executor()};
  if (auto ready = bench.set_up({}); !ready) return ready.error();
  return run_to_end<Confirmed>(loop, confirm_here(bench, receipt));
}

}  // namespace outpost::daemon
