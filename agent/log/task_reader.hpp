#pragma once

#include "agent/base/result.hpp"
#include "agent/job/event.hpp"
#include "agent/log/file.hpp"
#include "agent/log/place.hpp"
#include "agent/log/redactor.hpp"

#include <boost/json/object.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace outpost {
class Sha256;
}

namespace outpost::log {

/// A part of a step that it reported by itself, such as a task of a playbook.
struct Task {
  std::string name;  ///< "TASK [install the product]", without secrets.
  /// What became of it: ok, changed, skipped, ignored (a failure that does not count), unreachable, failed; interrupted
  /// when the step ended in the middle of it.
  std::string result;
  boost::json::object hosts;  ///< On how many hosts with which result.
  std::string where;          ///< "/path/site.yml:12"
  std::int64_t warnings = 0;
  std::chrono::milliseconds duration{};
  job::Blob blob;  ///< Its output, without secrets.
  std::uint64_t stream = 0;  ///< So far the stream has been read when it ended.
};

/// Reads the stream of tasks that a step appends to a file (plugins/ansible/README.md, "The stream"), line by line of
/// JSON, and keeps their output, without the secrets, in <step>.tasks beside the step's log.
///
/// The stream is a stranger's: it may hold anything and grow without end. Lines that make no sense are passed over,
/// and there is a limit for a line, for the output of a task, for the output of a step, and for the number of tasks.
/// Everything here blocks: for a worker.
class TaskReader {
 public:
  /// How far events tell of the stream. Only ended tasks count, so what follows is read again after a crash.
  struct Progress {
    std::uint64_t stream = 0;  ///< Bytes of the stream.
    std::uint64_t output = 0;  ///< Bytes of <step>.tasks.
    unsigned tasks = 0;
  };
  struct News {
    std::vector<Task> ended;
    std::optional<std::string> running;  ///< The name of the one that has begun and not ended.
    bool more = false;                   ///< There is more to read at once.
  };

  TaskReader(std::filesystem::path stream, Place place, Redactor redactor, Progress progress);
  ~TaskReader();
  TaskReader(TaskReader&&) noexcept;

  /// What is new in the stream; the output that it names is on the disk. With `last` a task that has not ended is
  /// interrupted. After an error (the disk refuses) the next call goes on.
  [[nodiscard]] Result<News> read(bool last);

  /// A secret to hide from here on.
  void add_secret(std::string_view secret) { redactor_.add(secret); }

  /// What was left out and why, each once.
  [[nodiscard]] std::vector<std::string> take_problems() { return std::exchange(problems_, {}); }

 private:
  struct Open;

  [[nodiscard]] bool open_stream();
  void take_lines();
  void take_line(std::string_view line, std::uint64_t offset);
  void begin(std::string_view name, double at);
  void write(std::string_view text);
  void end(std::string result, const boost::json::object& fact, std::uint64_t told_to);
  [[nodiscard]] Result<void> sync();
  [[nodiscard]] bool full() const;
  void give_up(std::string why);

  std::filesystem::path path_;
  Place place_;
  Redactor redactor_;
  Progress progress_;
  File stream_, output_;
  std::uint64_t position_ = 0;  ///< Of the next byte to read.
  std::string rest_;            ///< Of a line that is not complete.
  bool skipping_ = false;       ///< In a line that is too long.
  bool given_up_ = false;
  bool synced_folder_ = false;
  std::uint64_t nonsense_ = 0;
  std::unique_ptr<Open> open_;
  News news_;  ///< Not returned yet, because its output is not synced.
  std::vector<std::string> problems_;
};

}  // namespace outpost::log
