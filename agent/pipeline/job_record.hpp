#pragma once

#include "agent/job/stage.hpp"
#include "agent/job/story.hpp"
#include "agent/journal/journal.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace outpost::pipeline {

/// Which step an event is about.
struct StepNames {
  job::Stage stage;
  std::string step_id, plugin, hook;
};

/// Writes the events of one job, and knows its story. Events are noted first and become durable together, because a
/// disk sync costs more than everything else that the agent does between two steps.
class JobRecord {
 public:
  /// `degraded` hears why the journal cannot be written, each time that it is tried in vain.
  JobRecord(journal::Journal& journal, job::Story story, std::function<void(const Error&)> degraded);

  /// An event of this job that goes out with the next commit.
  job::Event& note(std::string_view type, boost::json::object data = {});

  /// The same of one of its steps, whose names go into the event.
  job::Event& note_of(const StepNames& step, std::string_view type, boost::json::object data);
  void warn_of(const StepNames& step, const std::string& message);

  /// Returns once everything noted is durable. While the journal cannot be written (disk full, read-only) it tries again
  /// after 1 s, 2 s... up to 30 s: nothing may happen that is not written down first.
  boost::asio::awaitable<void> commit();

  [[nodiscard]] const job::Story& story() const { return story_; }
  [[nodiscard]] bool has_pending() const { return !pending_.empty(); }

 private:
  journal::Journal& journal_;
  job::Story story_;
  std::function<void(const Error&)> degraded_;
  std::vector<job::Event> pending_;
};

}  // namespace outpost::pipeline
