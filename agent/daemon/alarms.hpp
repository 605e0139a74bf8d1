#pragma once

#include "agent/daemon/logger.hpp"
#include "agent/http/client.hpp"
#include "agent/journal/journal.hpp"
#include "agent/process/command_runner.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/json/array.hpp>

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace outpost::daemon {

/// What an admin has to know: raised once, told once, shown until it is cleared or acknowledged.
struct Alarm {
  std::string key;   ///< What it is about: "parked:dci:file/...". The same key is the same alarm.
  std::string kind;  ///< "parked": one of those that outpostd(8) describes.
  std::string message;
  Timestamp since{};
};

/// The command that repairs its cause, or shows more of it; "" where there is none.
[[nodiscard]] std::string fix_of(const Alarm& alarm);

/// Keeps the alarms: journal, log, status, and where configured a webhook (POST of JSON) and a command that gets the
/// text on its standard input. These two are tried again when they fail, a few times and only while the alarm is up;
/// nothing waits for them.
class Alarms {
 public:
  struct Ways {
    std::string webhook;
    std::vector<std::string> command;
    std::shared_ptr<http::Client> client;      ///< For the webhook.
    process::CommandRunner* commands = nullptr;  ///< For the command.
    /// Before each further try to tell, when one came to nothing; then it is given up.
    std::vector<std::chrono::milliseconds> pauses = {std::chrono::seconds{10}, std::chrono::minutes{1}, std::chrono::minutes{5}, std::chrono::minutes{15}, std::chrono::minutes{40}};
    std::size_t patience = 50;  ///< So many alarms at most wait for such a try; one more is given up at once.
  };

  Alarms(journal::Journal& journal, const Clock& clock, const Logger& logger, boost::asio::any_io_executor executor, Ways ways);

  /// Where alarms that are raised from now on go.
  void set(Ways ways) { ways_ = std::move(ways); }

  /// Takes up the alarms that were raised before the restart and not cleared.
  Result<void> restore();

  void raise(std::string key, std::string kind, std::string message);
  void clear(const std::string& key);
  /// All whose keys begin so, those that were acknowledged too.
  void clear_below(std::string_view prefix);
  /// Somebody has seen it: not shown and not told again until it was cleared. False when there is no such alarm.
  bool acknowledge(const std::string& key);

  [[nodiscard]] const std::map<std::string, Alarm>& active() const { return active_; }
  /// When the oldest event was written that the next start has to find: of an alarm that is up or was acknowledged.
  /// Nothing when there is none.
  [[nodiscard]] std::optional<Timestamp> needed_since() const;
  [[nodiscard]] boost::json::array to_json() const;

 private:
  void note(std::string_view type, boost::json::object data);
  boost::asio::awaitable<void> journal_event(job::Event event);
  /// One way to tell an alarm. retry_later: the same may work later.
  using Way = boost::asio::awaitable<Result<void>> (*)(Ways ways, Alarm alarm);
  void tell(const Alarm& alarm);
  boost::asio::awaitable<void> tell_by(Way way, std::string name, Ways ways, Alarm alarm);
  static boost::asio::awaitable<Result<void>> run_command(Ways ways, Alarm alarm);
  static boost::asio::awaitable<Result<void>> call_webhook(Ways ways, Alarm alarm);
  [[nodiscard]] bool is_up(const Alarm& alarm) const;

  journal::Journal& journal_;
  const Clock& clock_;
  const Logger& logger_;
  boost::asio::any_io_executor executor_;
  Ways ways_;
  std::map<std::string, Alarm> active_;
  std::map<std::string, Timestamp> acknowledged_;  ///< Since when.
  std::size_t waiting_to_tell_ = 0;
};

}  // namespace outpost::daemon
