#pragma once

#include "agent/base/clock.hpp"
#include "agent/journal/deliveries.hpp"
#include "agent/journal/journal.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <filesystem>
#include <memory>
#include <string>

namespace outpost::journal {

/// Who writes: copied into every event.
struct Identity {
  std::string host_id;
  std::string boot_id;
  std::string agent_version;
};

namespace sqlite {
class Change;
}

/// Journal and delivery rows in one SQLite file (write-ahead log, synchronous=FULL). One thread of its own writes, in
/// groups; reads happen on the loop, on a second connection. All calls are for the loop's thread, and the loop must
/// outlive the object.
///
/// A call that fails with retry_later (disk full, I/O error) wrote nothing; later calls work once the disk does.
class SqliteJournal final : public Journal, public Deliveries {
 public:
  /// Opens or creates the file; its directory must exist. A damaged file is set aside, and what can be read of it is
  /// taken over into a new journal with a new id, see quarantined(). refused: another agent holds it, another program's
  /// file, or one only for newer agents.
  static Result<std::unique_ptr<SqliteJournal>> open(std::filesystem::path path, Identity identity, const Clock& clock,
                                                     boost::asio::any_io_executor loop);
  /// Writes what is queued.
  ~SqliteJournal() override;

  /// What to tell the operator when the journal found at the start was damaged, or lacked events that had been
  /// acknowledged: what is lost and what happens now. "" when all was well.
  [[nodiscard]] const std::string& quarantined() const;

  boost::asio::awaitable<Result<std::vector<Event>>> append(std::vector<Event> drafts) override;
  Result<std::vector<Event>> read(const Query& query) override;
  Result<std::vector<JobRow>> jobs(bool open_only, std::size_t limit) override;
  boost::asio::awaitable<Result<Event>> remove(Removal removal, Event tombstone) override;
  [[nodiscard]] Seq last() const override;
  [[nodiscard]] std::optional<std::chrono::steady_clock::time_point> waiting_since() const override;
  [[nodiscard]] std::string journal_id() const override;
  [[nodiscard]] std::shared_ptr<void> subscribe(Listener listener) override;

  Result<std::optional<Seq>> cursor(const std::string& reporter) override;
  boost::asio::awaitable<Result<void>> expand_all(std::string reporter, Seq upto,
                                                  std::vector<Expansion> expansions) override;
  using Deliveries::open;
  Result<std::vector<Delivery>> open(const std::string& reporter, Page page) override;
  Result<std::optional<Delivery>> get(const std::string& reporter, const std::string& key) override;
  Result<std::vector<Delivery>> of_job(const std::string& reporter, const std::string& job_id) override;
  Result<std::vector<Delivery>> parked(const std::string& reporter) override;
  boost::asio::awaitable<Result<void>> mark_attempting(std::string reporter, std::string key) override;
  boost::asio::awaitable<Result<void>> mark_pending(std::string reporter, std::string key, std::string reason) override;
  boost::asio::awaitable<Result<void>> mark_delivered(std::string reporter, std::string key,
                                                      std::string remote_ref) override;
  boost::asio::awaitable<Result<void>> mark_parked(std::string reporter, std::string key, std::string reason) override;
  Result<Backlog> backlog(const std::string& reporter) override;
  Result<std::vector<KnownReporter>> reporters() override;
  Result<job::Seq> doubtful_up_to(const std::string& reporter) override;
  boost::asio::awaitable<Result<void>> drop_bytes(std::string reporter, std::vector<std::string> keys,
                                                  std::string reason, Event tombstone) override;
  boost::asio::awaitable<Result<void>> forget_reporter(std::string reporter, Event tombstone) override;
  Result<bool> is_forgotten(const std::string& reporter) override;

  /// Bytes on disk: the file and its log.
  [[nodiscard]] std::uint64_t size() const;

 private:
  struct State;
  explicit SqliteJournal(std::unique_ptr<State> state);
  boost::asio::awaitable<Result<void>> mark(std::string reporter, std::string key, DeliveryState to, std::string note);

  std::unique_ptr<State> state_;
};

}  // namespace outpost::journal
