#pragma once

#include "agent/base/clock.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/json/object.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace outpost::journal {

/// Something that is so now and that nobody needs to remember: progress, a heartbeat, a size.
struct Note {
  std::string job_id;   ///< Empty: of the agent itself.
  std::string step_id;  ///< Empty: of the whole job.
  std::string kind;     ///< "workspace", "download"...
  boost::json::object data;
  Timestamp at{};
};

/// The small channel beside the journal: what is posted here is shown and forgotten, never written, never synced, and
/// a crash loses it. A newer note of the same job, step and kind takes the place of the older one, so that whoever
/// posts need not care how often. For the loop's thread.
class Bulletin {
 public:
  /// Listeners are told at most once in `interval`, each note as it is then.
  explicit Bulletin(const boost::asio::any_io_executor& loop,
                    std::chrono::milliseconds interval = std::chrono::milliseconds{250});
  ~Bulletin();
  Bulletin(const Bulletin&) = delete;
  Bulletin& operator=(const Bulletin&) = delete;

  void post(Note note);
  /// Takes back all notes of a step, or with an empty one of the whole job: it has ended.
  void withdraw(const std::string& job_id, const std::string& step_id = {});

  /// What is up about a job, by step and kind.
  [[nodiscard]] std::vector<Note> of_job(const std::string& job_id) const;

  /// Calls `listener` on the loop until the returned token dies.
  using Listener = std::function<void(const Note&)>;
  [[nodiscard]] std::shared_ptr<void> subscribe(Listener listener);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace outpost::journal
