#include "agent/daemon/spool_import.hpp"

#include "agent/base/text.hpp"
#include "agent/daemon/composition.hpp"
#include "agent/delivery/mark_all.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <utility>
#include <variant>

namespace outpost::daemon {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using delivery::SpoolEntry;
using journal::DeliveryState;
using Phase = ImportProgress::Phase;

namespace {

constexpr std::size_t batch = 200;  ///< Entries that are written in one transaction.
constexpr auto look = std::chrono::seconds{1};

}  // namespace

/// The source's own reporter, with a count of what came of each item.
class SpoolImport::Reporter final : public pipeline::Reporter {
 public:
  Reporter(pipeline::Reporter& inner, Imported& imported, delivery::Bell& bell)
      : inner_{inner}, imported_{imported}, bell_{bell} {}

  [[nodiscard]] std::string_view type() const override { return inner_.type(); }
  [[nodiscard]] std::vector<journal::Item> expand(const job::Event&, const job::Story&) const override { return {}; }

  asio::awaitable<pipeline::Outcome> send(const journal::Item& item, const pipeline::Refs& refs) override {
    auto outcome = co_await inner_.send(item, refs);
    if (std::holds_alternative<pipeline::Delivered>(outcome)) ++imported_.delivered;
    bell_.ring();
    co_return outcome;
  }
  asio::awaitable<Result<std::optional<std::string>>> find(const journal::Item& item,
                                                           const pipeline::Refs& refs) override {
    auto found = co_await inner_.find(item, refs);
    if (found && *found) ++imported_.found;
    bell_.ring();
    co_return found;
  }

 private:
  pipeline::Reporter& inner_;
  Imported& imported_;
  delivery::Bell& bell_;
};

SpoolImport::SpoolImport(delivery::SpoolReader& reader, const ServerAccess& access, const config::Source& source,
                         delivery::Options delivery, fs::path directory, asio::any_io_executor executor,
                         std::function<void(const ImportProgress&)> progress)
    : reader_{reader},
      access_{access},
      source_{source},
      delivery_{delivery},
      directory_{std::move(directory)},
      executor_{std::move(executor)},
      progress_{std::move(progress)},
      bell_{executor_} {
  imported_.server = access_.url;
}

SpoolImport::~SpoolImport() = default;

asio::awaitable<Result<Imported>> SpoolImport::run() {
  const auto verified = co_await verify();
  if (!verified) co_return verified.error();
  const auto unpacked = co_await unpack();
  if (!unpacked) co_return unpacked.error();
  co_await deliver();
  co_return conclude();
}

void SpoolImport::stop() {
  stopping_ = true;
  bell_.ring();
}

Error SpoolImport::interrupted() const { return {Fault::cancelled, "interrupted; nothing was sent"}; }

void SpoolImport::report(Phase phase, std::uint64_t done, std::uint64_t total, std::string trouble) {
  if (progress_) progress_({phase, done, total, std::move(trouble)});
}

asio::awaitable<Result<void>> SpoolImport::verify() {
  auto work = [this] {
    return reader_.verify(access_.spool_key, [this](std::uint64_t bytes) -> Result<void> {
      if (stopping_) return interrupted();
      report(Phase::verifying, bytes, reader_.size());
      return {};
    });
  };
  co_return co_await workers_.run(std::move(work));
}

/// Rows and files as the agent has them, but for the paths, which are ours.
asio::awaitable<Result<void>> SpoolImport::unpack() {
  auto begin = [this] { return reader_.begin(access_.spool_key); };
  auto manifest = co_await workers_.run(std::move(begin));
  if (!manifest) co_return manifest.error();
  imported_.manifest = std::move(*manifest);
  if (imported_.manifest.kind != "spool")
    co_return Error{Fault::refused,
                    "it is a receipt, not what waits: give it to `outpost spool confirm` where it was exported"};
  auto opened = journal::SqliteJournal::open(directory_ / "journal.db", identity_of_this_host(), clock_, executor_);
  if (!opened) co_return opened.error();
  journal_ = std::move(*opened);
  auto files = [directory = directory_ / "files"](const std::string&) { return directory; };
  std::error_code failed;
  fs::create_directory(directory_ / "files", failed);
  if (failed) co_return errno_error("cannot create", (directory_ / "files").native(), failed.value());
  auto inner = make_reporter(access_, source_, std::move(files), workers_, clock_);
  if (!inner) co_return inner.error();
  inner_ = std::move(*inner);
  for (;;) {
    auto read = [this] { return read_some(); };
    auto entries = co_await workers_.run(std::move(read));
    if (!entries) co_return entries.error();
    if (entries->empty()) co_return Result<void>{};
    const auto taken = co_await take_in(std::move(*entries));
    if (!taken) co_return taken.error();
    report(Phase::unpacking, keys_.size(), imported_.manifest.items);
  }
}

/// A batch of entries with their files, on a worker; none at the end of the archive, which is told only when its seal
/// is right.
Result<SpoolImport::Entries> SpoolImport::read_some() {
  Entries entries;
  while (entries.size() < batch) {
    if (stopping_) return interrupted();
    auto entry = reader_.next();
    if (!entry) return entry.error();
    if (!*entry) break;
    if ((*entry)->has_bytes()) {
      const std::string name = std::to_string(++files_);
      if (auto saved = reader_.save_bytes(directory_ / "files" / name); !saved) return saved.error();
      (*entry)->item.blob->path = name;
    }
    entries.push_back(std::move(**entry));
  }
  return entries;
}

asio::awaitable<Result<void>> SpoolImport::take_in(Entries entries) {
  const std::string name = imported_.manifest.reporter;
  std::vector<journal::Expansion> rows(1);
  std::vector<std::string> attempted;
  for (const auto& entry : entries) {
    if (entry.state == DeliveryState::parked) continue;  // Only told, so that somebody knows.
    rows.front().items.push_back(entry.item);
    if (entry.state == DeliveryState::pending) keys_.push_back(entry.item.key);
    if (entry.state == DeliveryState::pending && entry.reason.empty()) attempted.push_back(entry.item.key);
  }
  const auto written = co_await journal_->expand_all(name, 0, std::move(rows));
  if (!written) co_return written.error();
  for (const auto& entry : entries) {
    const std::string key = entry.item.key;
    Result<void> marked;
    if (entry.state == DeliveryState::delivered) {
      const std::string remote_ref = entry.remote_ref;
      marked = co_await journal_->mark_delivered(name, key, remote_ref);
    } else if (entry.state == DeliveryState::pending && !entry.reason.empty()) {
      const std::string reason = "its file could not be exported: " + printable(entry.reason);
      marked = co_await journal_->mark_parked(name, key, reason);
    }
    if (!marked) co_return marked.error();
  }
  // They may be at the server already: from the host that they come from, or by an earlier import.
  co_return co_await delivery::mark_all_attempting(*journal_, name, std::move(attempted));
}

asio::awaitable<void> SpoolImport::deliver() {
  reporter_ = std::make_unique<Reporter>(*inner_, imported_, bell_);
  delivery::AlarmSink alarm = [this](const delivery::Alarm& told) {
    if (told.kind == "credentials" && told.raised) refused_ = told.message;
    bell_.ring();
  };
  dispatcher_ = std::make_unique<delivery::Dispatcher>(imported_.manifest.reporter, *journal_, *journal_, *reporter_,
                                                       clock_, executor_, delivery::system_timing(executor_), delivery_,
                                                       std::move(alarm));
  // Three coroutines that end before we do: the work, whoever waits for its end, and a clock for the progress.
  unsigned running = 3;
  bool settled = false, over = false;
  asio::cancellation_signal stop_work, stop_waiting;
  const auto ended = [&](std::exception_ptr) {
    --running;
    bell_.ring();
  };
  const auto waited = [&](std::exception_ptr error) {
    settled = !error;
    ended(error);
  };
  asio::steady_timer clock{executor_};
  auto tick = [&]() -> asio::awaitable<void> {
    while (!over) {
      clock.expires_after(look);
      co_await clock.async_wait(asio::as_tuple(asio::use_awaitable));
      bell_.ring();
    }
  };
  asio::co_spawn(executor_, dispatcher_->run(), asio::bind_cancellation_slot(stop_work.slot(), ended));
  asio::co_spawn(executor_, dispatcher_->idle(), asio::bind_cancellation_slot(stop_waiting.slot(), waited));
  asio::co_spawn(executor_, tick(), ended);
  while (!settled && !stopping_ && refused_.empty()) {
    const auto status = dispatcher_->status();
    report(Phase::delivering, imported_.delivered + imported_.found, keys_.size(),
           status.link_down ? status.last_error : "");
    co_await bell_.wait(bell_.count());
  }
  over = true;
  clock.cancel();
  stop_waiting.emit(asio::cancellation_type::terminal);
  stop_work.emit(asio::cancellation_type::terminal);
  while (running > 0) co_await bell_.wait(bell_.count());
}

Result<Imported> SpoolImport::conclude() {
  const std::string& name = imported_.manifest.reporter;
  auto parked = journal_->parked(name);
  if (!parked) return parked.error();
  imported_.parked = std::move(*parked);
  const auto backlog = journal_->backlog(name);
  if (!backlog) return backlog.error();
  imported_.left = backlog->waiting;
  if (imported_.left > 0) imported_.ended_early = !refused_.empty() ? refused_ : "interrupted";
  return imported_;
}

Result<std::vector<SpoolEntry>> SpoolImport::delivered() const {
  std::vector<SpoolEntry> entries;
  for (const auto& key : keys_) {
    const auto row = journal_->get(imported_.manifest.reporter, key);
    if (!row) return row.error();
    if (!*row || (*row)->state != DeliveryState::delivered) continue;
    SpoolEntry entry;
    entry.item.key = key;
    entry.item.job_id = (*row)->item.job_id;
    entry.item.kind = (*row)->item.kind;
    entry.state = DeliveryState::delivered;
    entry.remote_ref = (*row)->remote_ref;
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace outpost::daemon
