#pragma once

#include "agent/base/descriptor.hpp"
#include "agent/process/command_runner.hpp"
#include "agent/process/local/guardian_protocol.hpp"
#include "agent/process/local/guardian_server.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/process/v2/process.hpp>

#include <memory>
#include <optional>
#include <string>

namespace outpost::process {

/// A guardian with its command.
class SupervisedStep {
 public:
  /// Starts the guardian; whether the command itself could be started, its report will say.
  static Result<std::unique_ptr<SupervisedStep>> start(const boost::asio::any_io_executor& executor,
                                                       GuardianServer& guardians, const Command& command);
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
