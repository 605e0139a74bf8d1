#include "agent/journal/sqlite/changes.hpp"

#include "agent/journal/sqlite/event_rows.hpp"

#include <boost/asio/any_completion_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>

#include <algorithm>
#include <functional>

namespace outpost::journal::sqlite {
namespace {

namespace asio = boost::asio;

/// Resumes a waiting coroutine on its own executor, which is kept running until then.
template <class T>
class Waiter {
 public:
  Waiter(Handler<T> handler, const asio::any_io_executor& loop)
      : handler_{std::move(handler)}, work_{asio::get_associated_executor(handler_, loop)} {}

  void resume(Result<T> result) {
    asio::dispatch(work_.get_executor(), [handler = std::move(handler_), result = std::move(result)]() mutable {
      std::move(handler)(std::move(result));
    });
    work_.reset();
  }

 private:
  Handler<T> handler_;
  asio::executor_work_guard<asio::any_completion_executor> work_;
};

class AppendChange final : public Change {
 public:
  AppendChange(std::vector<Event> events, Waiter<std::vector<Event>> waiter, std::shared_ptr<Listeners> listeners)
      : events_{std::move(events)}, waiter_{std::move(waiter)}, listeners_{std::move(listeners)} {}

  void apply(Database& database) override { insert_events(database, events_); }

  void complete(std::optional<Error> error) override {
    if (error) return waiter_.resume(std::move(*error));
    listeners_->tell(events_);
    waiter_.resume(std::move(events_));
  }

  [[nodiscard]] Seq last_event() const override { return events_.back().seq; }

 private:
  std::vector<Event> events_;
  Waiter<std::vector<Event>> waiter_;
  std::shared_ptr<Listeners> listeners_;
};

class ExpandChange final : public Change {
 public:
  ExpandChange(std::string reporter, Seq upto, std::vector<Expansion> expansions, Timestamp now, Waiter<void> waiter)
      : reporter_{std::move(reporter)},
        upto_{upto},
        expansions_{std::move(expansions)},
        now_{now},
        waiter_{std::move(waiter)} {}

  void apply(Database& database) override { insert_expansions(database, reporter_, upto_, expansions_, now_); }
  void complete(std::optional<Error> error) override {
    if (error) return waiter_.resume(std::move(*error));
    waiter_.resume({});
  }

 private:
  std::string reporter_;
  Seq upto_;
  std::vector<Expansion> expansions_;
  Timestamp now_;
  Waiter<void> waiter_;
};

class MarkChange final : public Change {
 public:
  MarkChange(Mark mark, Waiter<void> waiter) : mark_{std::move(mark)}, waiter_{std::move(waiter)} {}

  void apply(Database& database) override { known_ = update_state(database, mark_); }
  void complete(std::optional<Error> error) override {
    if (error) return waiter_.resume(std::move(*error));
    if (!known_)
      return waiter_.resume(Error{Fault::bug, "journal: reporter " + mark_.reporter + " has no item " + mark_.key});
    waiter_.resume({});
  }

 private:
  Mark mark_;
  bool known_ = false;
  Waiter<void> waiter_;
};

/// Rows that go, and the event that says so.
class RemoveChange final : public Change {
 public:
  using Apply = std::function<void(Database&)>;
  using Complete = std::function<void(Result<Event>)>;
  RemoveChange(Apply apply, Event tombstone, std::shared_ptr<Listeners> listeners, Complete complete)
      : apply_{std::move(apply)},
        events_{std::move(tombstone)},
        listeners_{std::move(listeners)},
        complete_{std::move(complete)} {}

  void apply(Database& database) override {
    insert_events(database, events_);  // First: it is the newest event from here on, and that one stays.
    apply_(database);
  }

  void complete(std::optional<Error> error) override {
    if (error) return complete_(std::move(*error));
    listeners_->tell(events_);
    complete_(std::move(events_.front()));
  }

  [[nodiscard]] Seq last_event() const override { return events_.back().seq; }

 private:
  Apply apply_;
  std::vector<Event> events_;
  std::shared_ptr<Listeners> listeners_;
  Complete complete_;
};

class ShrinkChange final : public Change {
 public:
  void apply(Database& database) override {
    // Each moves a page from the end of the file to a free place: some ten milliseconds in all.
    if (database.number("PRAGMA freelist_count") > 0) database.execute("PRAGMA incremental_vacuum(1000)");
  }
  void complete(std::optional<Error>) override {}
  [[nodiscard]] bool urgent() const override { return false; }
};

class DeliveredChange final : public Change {
 public:
  DeliveredChange(Mark mark, std::shared_ptr<Unwritten> unwritten)
      : mark_{std::move(mark)}, unwritten_{std::move(unwritten)} {}

  void apply(Database& database) override { update_state(database, mark_); }
  void complete(std::optional<Error>) override { unwritten_->erase({mark_.reporter, mark_.key}); }
  [[nodiscard]] bool urgent() const override { return false; }

 private:
  Mark mark_;
  std::shared_ptr<Unwritten> unwritten_;
};

}  // namespace

std::shared_ptr<void> Listeners::add(Journal::Listener listener) {
  auto token = std::make_shared<Journal::Listener>(std::move(listener));
  std::erase_if(listeners_, [](const auto& weak) { return weak.expired(); });
  listeners_.push_back(token);
  return token;
}

void Listeners::tell(const std::vector<Event>& events) {
  const auto now = listeners_;
  for (const auto& event : events)
    for (const auto& weak : now)
      if (const auto listener = weak.lock()) (*listener)(event);
}

void lay_over(const Unwritten& unwritten, Delivery& delivery) {
  const auto found = unwritten.find({delivery.reporter, delivery.item.key});
  if (found == unwritten.end()) return;
  delivery.state = DeliveryState::delivered;
  delivery.remote_ref = found->second;
  delivery.reason.clear();
}

void count_as_delivered(const Delivery& delivery, Backlog& backlog) {
  if (delivery.state != DeliveryState::pending && delivery.state != DeliveryState::attempting) return;
  --backlog.waiting;
  ++backlog.delivered;
  if (delivery.item.blob) backlog.waiting_bytes -= delivery.item.blob->size;
}

std::unique_ptr<Change> append_change(std::vector<Event> events, Handler<std::vector<Event>> handler,
                                      std::shared_ptr<Listeners> listeners, const asio::any_io_executor& loop) {
  Waiter<std::vector<Event>> waiter{std::move(handler), loop};
  return std::make_unique<AppendChange>(std::move(events), std::move(waiter), std::move(listeners));
}

std::unique_ptr<Change> expand_change(std::string reporter, Seq upto, std::vector<Expansion> expansions, Timestamp now,
                                      Handler<void> handler, const asio::any_io_executor& loop) {
  Waiter<void> waiter{std::move(handler), loop};
  return std::make_unique<ExpandChange>(std::move(reporter), upto, std::move(expansions), now, std::move(waiter));
}

std::unique_ptr<Change> mark_change(Mark mark, Handler<void> handler, const asio::any_io_executor& loop) {
  Waiter<void> waiter{std::move(handler), loop};
  return std::make_unique<MarkChange>(std::move(mark), std::move(waiter));
}

std::unique_ptr<Change> remove_change(Removal removal, Event tombstone, Handler<Event> handler,
                                      std::shared_ptr<Listeners> listeners, const asio::any_io_executor& loop) {
  auto waiter = std::make_shared<Waiter<Event>>(std::move(handler), loop);
  return std::make_unique<RemoveChange>(
      [removal = std::move(removal)](Database& database) { remove_rows(database, removal); }, std::move(tombstone),
      std::move(listeners), [waiter](Result<Event> written) { waiter->resume(std::move(written)); });
}

namespace {

/// One of which the caller wants to know only whether it was written.
std::unique_ptr<Change> told_change(RemoveChange::Apply apply, Event tombstone, Handler<void> handler,
                                    std::shared_ptr<Listeners> listeners, const asio::any_io_executor& loop) {
  auto waiter = std::make_shared<Waiter<void>>(std::move(handler), loop);
  auto complete = [waiter](const Result<Event>& written) {
    if (written)
      waiter->resume({});
    else
      waiter->resume(written.error());
  };
  return std::make_unique<RemoveChange>(std::move(apply), std::move(tombstone), std::move(listeners),
                                        std::move(complete));
}

}  // namespace

std::unique_ptr<Change> drop_change(std::string reporter, std::vector<std::string> keys, std::string reason,
                                    Event tombstone, Handler<void> handler, std::shared_ptr<Listeners> listeners,
                                    const asio::any_io_executor& loop) {
  auto apply = [reporter = std::move(reporter), keys = std::move(keys),
                reason = std::move(reason)](Database& database) { drop_bytes(database, reporter, keys, reason); };
  return told_change(std::move(apply), std::move(tombstone), std::move(handler), std::move(listeners), loop);
}

std::unique_ptr<Change> forget_change(std::string reporter, Event tombstone, Handler<void> handler,
                                      std::shared_ptr<Listeners> listeners, const asio::any_io_executor& loop) {
  auto apply = [reporter = std::move(reporter)](Database& database) { forget_reporter(database, reporter); };
  return told_change(std::move(apply), std::move(tombstone), std::move(handler), std::move(listeners), loop);
}

std::unique_ptr<Change> shrink_change() { return std::make_unique<ShrinkChange>(); }

std::unique_ptr<Change> delivered_change(Mark mark, std::shared_ptr<Unwritten> unwritten) {
  return std::make_unique<DeliveredChange>(std::move(mark), std::move(unwritten));
}

}  // namespace outpost::journal::sqlite
