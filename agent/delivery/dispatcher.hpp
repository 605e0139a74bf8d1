#pragma once

#include "agent/base/clock.hpp"
#include "agent/delivery/bell.hpp"
#include "agent/delivery/event_feed.hpp"
#include "agent/delivery/link.hpp"
#include "agent/delivery/outbox.hpp"
#include "agent/delivery/story_book.hpp"
#include "agent/delivery/timing.hpp"
#include "agent/journal/deliveries.hpp"
#include "agent/journal/journal.hpp"
#include "agent/pipeline/reporter.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace outpost::delivery {

struct Options {
  std::size_t parallel = 4;                        ///< Items on the way at once.
  Milliseconds backoff = std::chrono::seconds{1};  ///< Of the first retry; doubles, with full jitter...
  Milliseconds cap = std::chrono::seconds{300};    ///< ... up to this.
  Milliseconds link_back =
      std::chrono::seconds{5};  ///< What waits is tried within this, once the server answers again.
  Milliseconds probe_cap = std::chrono::seconds{30};    ///< While nothing gets through, one item is tried this often.
  Milliseconds credentials = std::chrono::minutes{20};  ///< Between tries with refused credentials: three an hour.
  Milliseconds stuck = std::chrono::minutes{30};  ///< An item that fails for so long is an alarm.
  unsigned rereads = 5;  ///< How often in a row an item is sent again because something changed at the server.
};

/// Something that a person should look at, or (not raised) no longer needs to.
struct Alarm {
  bool raised = true;
  std::string key;   ///< The same for the same trouble: "dci/credentials", "dci/stuck", "dci/parked/<item>".
  std::string kind;  ///< "credentials", "stuck", "parked" or "expand".
  std::string message;
};
using AlarmSink = std::function<void(const Alarm&)>;

struct Status {
  std::uint64_t waiting = 0, parked = 0, delivered = 0;
  std::optional<Timestamp> last_contact;  ///< When the server last answered anything.
  std::string last_error;                 ///< Why the last attempt failed; "" since the last success.
  std::optional<Timestamp>
      next_attempt;  ///< When something that waits is tried next; nothing when all is done or busy.
  bool credentials_refused = false;
  bool link_down = false;
  struct Retried {
    std::uint64_t later = 0;        ///< The network, or a server that has trouble or no time.
    std::uint64_t credentials = 0;  ///< It did not accept us.
    std::uint64_t reread = 0;       ///< Something had changed there.
  } retried;                        ///< Attempts of this process that came to nothing, but for those parked.
};

/// Why an item is parked that needs another one, which is parked for a reason of its own.
[[nodiscard]] std::string inherited(const std::string& needed, const std::string& reason);
[[nodiscard]] bool is_inherited(const std::string& reason);

/// Brings what the journal says to one server: the loop behind one reporter instance. Reads the events of its jobs,
/// keeps the items that the reporter makes of them in delivery rows, and sends each until the server has it, in the
/// order that the items ask for and several at a time. What happens after an attempt is the reporter's judgement:
///
/// - RetryAfter: the attempt may have arrived, so the item stays "attempting" and is asked for (find) before it is sent
///   again, after a back-off with full jitter, never before a Retry-After. When that goes on for long: an alarm, for all
///   such items one, until the last of them got through.
/// - FixCredentials: an alarm; everything is kept, one item probes three times an hour or after credentials_changed().
/// - Reread: once more at once, a few times; then as RetryAfter.
/// - Parked: an alarm; the item and what needs it are set aside with the reason, the rest goes on.
///
/// A reporter that throws loses what it would have said of that event: an alarm, until it can expand one of that type.
///
/// All of it happens on the loop of the executor. run() must have ended before the object dies, unless its loop never
/// runs again.
class Dispatcher {
 public:
  Dispatcher(std::string name, journal::Journal& journal, journal::Deliveries& deliveries, pipeline::Reporter& reporter,
             const Clock& clock, const boost::asio::any_io_executor& loop, std::unique_ptr<Timing> timing,
             Options options, AlarmSink alarm);

  /// Registers the reporter when the journal does not know it (from now on: earlier events are not for it) and loads
  /// what waits. Call it before the first job can be queued; run() does it otherwise.
  boost::asio::awaitable<Result<void>> prepare();
  /// Works until it is cancelled; then it stops the attempts that are on the way, whose items stay "attempting", and
  /// returns.
  boost::asio::awaitable<void> run();

  /// Somebody replaced the credentials: try now.
  void credentials_changed();
  /// Somebody asks for it: what waits for its next try is due now, whatever its back-off; a Retry-After is still
  /// honoured. What is refused or unreachable goes on to be tried one item at a time.
  void try_now();

  /// Sends parked items once more, asking for each first: those of these keys with what they need and what needs them,
  /// all when there are none. Returns how many. unavailable: a key that is not parked here, or not ready yet.
  boost::asio::awaitable<Result<std::size_t>> retry_parked(std::vector<std::string> keys);

  // What travels in another way too, in an archive (dispatcher_archives.cpp).

  /// Returns when all that the journal said at the time of the call is in delivery rows; an error when these cannot be
  /// written. Needs run().
  boost::asio::awaitable<Result<void>> caught_up();
  /// These items may reach the server in another way, at any time, without us being told: from now on each is asked for
  /// before it is sent. Durable when it returns.
  boost::asio::awaitable<Result<void>> mark_travelling(std::vector<std::string> keys);
  /// An item did reach the server in another way. False: it is none that waits.
  boost::asio::awaitable<Result<bool>> mark_arrived(std::string key, std::string remote_ref);

  /// Returns when all that the journal said at the time of the call is delivered or parked; for a job: what it said
  /// about that job. Needs run(); may take for ever, so cancel it.
  boost::asio::awaitable<void> idle();
  boost::asio::awaitable<void> wait_until_settled(std::string job_id);

  [[nodiscard]] Status status();
  /// When run() has to do something next; later than that by more than a turn of the loop, it is late. Moment::max():
  /// when something happens.
  [[nodiscard]] Moment due() const;
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  using Entry = Outbox::Entry;
  struct Attempt;  ///< One item on its way; in dispatcher_sending.cpp.

  // From events to items (dispatcher.cpp)
  void event_arrived();
  boost::asio::awaitable<void> work();
  boost::asio::awaitable<Result<void>> load();
  boost::asio::awaitable<void> take_in();
  boost::asio::awaitable<Result<void>> expand(const job::Event& event);
  std::vector<journal::Item> items_of(const job::Event& event, const job::Story& before);
  Result<bool> admit(const journal::Item& item, bool uncertain);
  Result<void> enqueue(const journal::Item& item, bool uncertain);
  Result<std::optional<journal::DeliveryState>> state_of(const std::string& key);
  std::string reason_of(const std::string& parked_key);
  void start_writing();
  boost::asio::awaitable<void> write_expansions();
  boost::asio::awaitable<void> write_parked();
  boost::asio::awaitable<void> settled(job::Seq upto, std::string job_id);

  // From items to the server (dispatcher_sending.cpp)
  void start_sending();
  [[nodiscard]] Moment next_attempt() const;
  boost::asio::awaitable<void> deliver(std::string key);
  boost::asio::awaitable<Result<void>> begin(Attempt& attempt);
  boost::asio::awaitable<std::optional<pipeline::Outcome>> look_for(const Attempt& attempt);
  boost::asio::awaitable<pipeline::Outcome> send(const Attempt& attempt);
  boost::asio::awaitable<void> conclude(Attempt& attempt, pipeline::Outcome outcome);
  boost::asio::awaitable<void> refuse_credentials(const Attempt& attempt, std::string reason);
  boost::asio::awaitable<void> take_back(const Attempt& attempt, std::string reason);
  void put_off(Entry& entry, const pipeline::RetryAfter& outcome);
  void park(const std::string& key, const std::string& reason, bool tell = true);
  void note_failure(const std::string& key, const std::string& reason);
  void fails_no_longer(const std::string& key);
  void tell_stuck();
  void server_answered(bool accepted);
  [[nodiscard]] Milliseconds fraction(Milliseconds whole);
  void journal_failed(const Error& error);
  void journal_works();
  [[nodiscard]] Moment journal_due() const;

  std::string name_;
  journal::Journal& journal_;
  journal::Deliveries& deliveries_;
  pipeline::Reporter& reporter_;
  const Clock& clock_;
  boost::asio::any_io_executor loop_;
  std::unique_ptr<Timing> timing_;
  Options options_;
  AlarmSink alarm_;

  Bell wake_;     ///< There may be something to do.
  Bell changed_;  ///< Something was written or settled.
  EventFeed feed_;
  StoryBook stories_;
  Outbox outbox_;
  Link link_;
  bool prepared_ = false;
  bool stopping_ = false;

  std::vector<journal::Expansion> expansions_;  ///< Not written yet; up to expanded_.
  job::Seq doubtful_ = 0;                       ///< Items of events up to here may have been sent before.
  job::Seq expanded_ = 0;                       ///< What has been taken in.
  job::Seq cursor_ = 0;                         ///< What the journal knows of that.
  bool cursor_matters_ = false;                 ///< Write the cursor although there are no items.
  bool writing_expansions_ = false;
  std::map<std::string, std::string> parking_;  ///< Key to reason, not written yet.
  bool writing_parked_ = false;
  unsigned journal_failures_ = 0;
  Moment journal_due_{};  ///< After a failed write: try again.

  std::map<std::string, std::shared_ptr<boost::asio::cancellation_signal>> attempts_;
  std::uint64_t answers_ = 0;
  bool credentials_refused_ = false;
  Status::Retried retried_;
  Moment probe_at_{};  ///< With refused credentials.
  /// An item that came to nothing each time that it was tried.
  struct Failing {
    Moment since{};
    Timestamp first{};   ///< The same, for people.
    unsigned tries = 0;
    std::string reason;  ///< Of the last try.
  };
  std::map<std::string, Failing> failing_;
  std::set<std::string> not_expanded_;  ///< Types of events that the reporter failed on when it last had one.
  bool stuck_told_ = false;
  std::optional<Timestamp> last_contact_;
  std::string last_error_;
};

}  // namespace outpost::delivery
