#pragma once

#include "agent/journal/journal.hpp"
#include "agent/journal/sqlite/delivery_rows.hpp"
#include "agent/journal/sqlite/writer.hpp"

#include <boost/asio/any_completion_handler.hpp>

#include <map>
#include <memory>
#include <utility>

namespace outpost::journal::sqlite {

/// Those who asked to be told about events. Used on the loop only.
class Listeners {
 public:
  std::shared_ptr<void> add(Journal::Listener listener);
  /// A listener may add or drop others meanwhile.
  void tell(const std::vector<Event>& events);

 private:
  std::vector<std::weak_ptr<Journal::Listener>> listeners_;
};

/// What was marked delivered and is perhaps not on disk yet: (reporter, key) to remote reference. The loop's own view,
/// laid over what it reads.
using Unwritten = std::map<std::pair<std::string, std::string>, std::string>;

void lay_over(const Unwritten& unwritten, Delivery& delivery);
/// Moves an item that is still open on disk from waiting to delivered.
void count_as_delivered(const Delivery& delivery, Backlog& backlog);

template <class T>
using Handler = boost::asio::any_completion_handler<void(Result<T>)>;

std::unique_ptr<Change> append_change(std::vector<Event> events, Handler<std::vector<Event>> handler,
                                      std::shared_ptr<Listeners> listeners, const boost::asio::any_io_executor& loop);
std::unique_ptr<Change> expand_change(std::string reporter, Seq upto, std::vector<Expansion> expansions, Timestamp now,
                                      Handler<void> handler, const boost::asio::any_io_executor& loop);
std::unique_ptr<Change> mark_change(Mark mark, Handler<void> handler, const boost::asio::any_io_executor& loop);
std::unique_ptr<Change> remove_change(Removal removal, Event tombstone, Handler<Event> handler,
                                      std::shared_ptr<Listeners> listeners, const boost::asio::any_io_executor& loop);
std::unique_ptr<Change> drop_change(std::string reporter, std::vector<std::string> keys, std::string reason,
                                    Event tombstone, Handler<void> handler, std::shared_ptr<Listeners> listeners,
                                    const boost::asio::any_io_executor& loop);
std::unique_ptr<Change> forget_change(std::string reporter, Event tombstone, Handler<void> handler,
                                      std::shared_ptr<Listeners> listeners, const boost::asio::any_io_executor& loop);
/// Nobody waits for it; gives some of the file's unused pages back to the disk.
std::unique_ptr<Change> shrink_change();
/// Nobody waits for it; takes its entry out of `unwritten` when it is on disk.
std::unique_ptr<Change> delivered_change(Mark mark, std::shared_ptr<Unwritten> unwritten);

}  // namespace outpost::journal::sqlite
