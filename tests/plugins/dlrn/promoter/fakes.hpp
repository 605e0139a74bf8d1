#pragma once

#include "plugins/dlrn/promoter/builder.hpp"
#include "plugins/dlrn/promoter/place.hpp"

#include "fakes/fake_journal.hpp"

#include <deque>
#include <functional>
#include <map>

namespace outpost::test {

/// A build whose hashes all begin with this digit.
inline dlrn::BuildHash build(char digit, std::string extended = {}) {
  return {std::string(40, digit), std::string(40, digit), std::move(extended)};
}
inline std::string aggregate(char digit) { return std::string(32, digit); }

inline dlrn::Vote vote(const std::string& job, bool success = true, int at = 1000) {
  dlrn::Vote vote;
  vote.job_id = job;
  vote.success = success;
  vote.timestamp = std::chrono::sys_seconds{std::chrono::seconds{at}};
  return vote;
}

/// A builder in memory, with the rows that a real one writes.
class FakeBuilder final : public promoter::Builder {
 public:
  std::map<std::string, std::deque<dlrn::Promotion>> rows;  ///< By label, newest first.
  std::map<std::string, std::vector<dlrn::Vote>> votes_on;  ///< By full hash.
  std::map<std::string, Error> votes_fail;
  std::vector<std::string> promotions;  ///< "label=hash", as they came.
  /// Called before a promotion; an error is its result, and with `also_done` it happens all the same.
  std::function<std::optional<Error>(const std::string& label)> disturb = [](const std::string&) {
    return std::nullopt;
  };
  bool also_done = false;
  std::optional<Error> offline;

  /// A new row, as somebody's promotion makes it.
  void add(const std::string& label, const dlrn::BuildHash& hash, const std::string& aggregate_hash = {},
           const std::string& component = {}) {
    dlrn::Promotion row;
    row.build = hash;
    row.component = component;
    row.label = label;
    row.aggregate = aggregate_hash;
    row.timestamp = std::chrono::sys_seconds{std::chrono::seconds{++time_}};
    rows[label].push_front(std::move(row));
  }
  /// The rows of a batch: only the last, which is the newest, has the aggregate.
  void add_batch(const std::string& label, char digit) {
    add(label, build('d'));
    add(label, build('e'));
    add(label, build('f'), aggregate(digit));
  }
  [[nodiscard]] std::string label(const std::string& name) {
    const auto found = rows.find(name);
    return found == rows.end() || found->second.empty() ? ""
                                                        : promoter::candidate_of(found->second.front()).full_hash();
  }

  boost::asio::awaitable<Result<std::vector<dlrn::Promotion>>> history(promoter::Label label, std::size_t offset) override {
    if (offline) co_return *offline;
    auto all = rows[label.name];
    if (!label.component.empty())
      std::erase_if(all, [&](const dlrn::Promotion& row) { return row.component != label.component; });
    std::vector<dlrn::Promotion> found;
    for (std::size_t index = offset; index < all.size() && found.size() < page; ++index) found.push_back(all[index]);
    co_return found;
  }
  boost::asio::awaitable<Result<std::vector<dlrn::Vote>>> votes(promoter::Candidate candidate) override {
    if (const auto failure = votes_fail.find(candidate.full_hash()); failure != votes_fail.end())
      co_return failure->second;
    co_return votes_on[candidate.full_hash()];
  }
  boost::asio::awaitable<Result<void>> promote(promoter::Candidate candidate, std::string, std::string to) override {
    const auto failure = disturb(to);
    if (failure && !also_done) co_return *failure;
    promotions.push_back(to + "=" + candidate.full_hash());
    if (candidate.is_aggregate())
      add_batch(to, candidate.aggregate.front());
    else
      // A label of a component is part of an aggregate, and the row says which.
      add(to, candidate.build, candidate.component.empty() ? "" : aggregate('a'), candidate.component);
    if (failure) co_return *failure;
    co_return Result<void>{};
  }

 private:
  int time_ = 0;
};

/// A place in memory.
class FakePlace final : public promoter::Place {
 public:
  explicit FakePlace(std::string name) : name_{std::move(name)} {}

  std::map<std::string, std::string> labels;  ///< Label, hash.
  std::vector<std::string>* story = nullptr;  ///< Hears of moves: "containers: move".
  std::optional<Error> check_fails, move_fails, restore_fails;
  bool moves_half = false;  ///< A move that fails has been made all the same.
  std::function<void()> moving = [] {};

  [[nodiscard]] std::string_view name() const override { return name_; }
  boost::asio::awaitable<Result<std::vector<std::string>>> check(promoter::Move move) override {
    if (check_fails) co_return *check_fails;
    std::vector<std::string> lines{move.to + " := " + move.candidate.full_hash()};
    co_return lines;
  }
  boost::asio::awaitable<Result<boost::json::object>> look(promoter::Move move) override {
    boost::json::object before{{"was", labels[move.to]}};
    co_return before;
  }
  boost::asio::awaitable<Result<void>> move(promoter::Move move, boost::json::object) override {
    if (story) story->push_back(name_ + ": move");
    moving();
    if (!move_fails || moves_half) labels[move.to] = move.candidate.full_hash();
    if (move_fails) co_return *move_fails;
    co_return Result<void>{};
  }
  boost::asio::awaitable<Result<void>> restore(promoter::Move move, boost::json::object before) override {
    if (story) story->push_back(name_ + ": restore");
    if (restore_fails) co_return *restore_fails;
    if (labels[move.to] == move.candidate.full_hash()) labels[move.to] = job::text_at(before, "was");
    co_return Result<void>{};
  }

 private:
  std::string name_;
};

/// The process ends here, as by SIGKILL.
struct Killed {};

/// A journal during whose n-th append the process is killed: before it is durable, or right after.
class KillingJournal final : public journal::Journal {
 public:
  explicit KillingJournal(FakeJournal& below) : below_{below} {}
  unsigned at = 0;  ///< 0: never.
  bool after = false;

  boost::asio::awaitable<Result<std::vector<job::Event>>> append(std::vector<job::Event> drafts) override {
    const bool now = at != 0 && --at == 0;
    if (now && !after) throw Killed{};
    auto written = co_await below_.append(std::move(drafts));
    if (now) throw Killed{};
    co_return written;
  }
  Result<std::vector<job::Event>> read(const journal::Query& query) override { return below_.read(query); }
  Result<std::vector<journal::JobRow>> jobs(bool open_only, std::size_t limit) override {
    return below_.jobs(open_only, limit);
  }
  boost::asio::awaitable<Result<job::Event>> remove(journal::Removal removal, job::Event tombstone) override {
    return below_.remove(std::move(removal), std::move(tombstone));
  }
  [[nodiscard]] job::Seq last() const override { return below_.last(); }
  [[nodiscard]] std::string journal_id() const override { return below_.journal_id(); }
  [[nodiscard]] std::shared_ptr<void> subscribe(Listener listener) override {
    return below_.subscribe(std::move(listener));
  }

 private:
  FakeJournal& below_;
};

}  // namespace outpost::test
