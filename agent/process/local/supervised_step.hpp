#pragma once

#include "agent/process/command_runner.hpp"
#include "agent/process/local/guardian_protocol.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/process/v2/process.hpp>

#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace outpost::process {

/// A descriptor that is closed with its owner.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_{number} {}
  ~Descriptor() { close(); }
  Descriptor(Descriptor&& other) noexcept : number_{other.release()} {}
  Descriptor& operator=(Descriptor&&) = delete;
  [[nodiscard]] int get() const { return number_; }
  int release() { return std::exchange(number_, -1); }
  void close();

 private:
  int number_;
};

/// A guardian with its command.
class SupervisedStep {
 public:
  /// Starts the guardian; whether the command itself could be started, its report will say.
  static Result<std::unique_ptr<SupervisedStep>> start(const boost::asio::any_io_executor& executor,
                                                       const std::filesystem::path& guardian, const Command& command);
  /// With the guardian still there, ends it and so the command.
  ~SupervisedStep();
  SupervisedStep(const SupervisedStep&) = delete;
  SupervisedStep& operator=(const SupervisedStep&) = delete;

  /// Its end is the end of the command and of everything below it, or it was lost.
  boost::process::v2::process& guardian() { return guardian_; }
  boost::asio::posix::stream_descriptor& output() { return output_; }

  void ask_to_stop();
  void kill_guardian();

  /// What a guardian that has ended left to be read.
  struct LastWords {
    std::optional<guardian::Report> report;
    std::string text;  ///< Whatever else it wrote to its stderr, for people.
  };
  LastWords last_words();
  /// "was killed by signal 9", "exited with status 0".
  [[nodiscard]] std::string describe_end() const;

 private:
  SupervisedStep(Descriptor control, boost::asio::posix::stream_descriptor output,
                 boost::process::v2::process guardian);

  Descriptor control_;
  boost::asio::posix::stream_descriptor output_;
  boost::process::v2::process guardian_;
};

}  // namespace outpost::process
