#pragma once

#include "agent/process/command_runner.hpp"
#include "agent/process/local/guardian_protocol.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/process/v2/process.hpp>

#include <memory>
#include <optional>

namespace outpost::process {

/// A guardian with its command, and the two descriptors that lead to them.
class SupervisedStep {
 public:
  /// Starts the guardian; whether the command itself could be started, its report will say.
  static Result<std::unique_ptr<SupervisedStep>> start(const boost::asio::any_io_executor& executor,
                                                       const std::filesystem::path& guardian, const Command& command);
  /// With the guardian still there, ends it and so the command.
  ~SupervisedStep();
  SupervisedStep(const SupervisedStep&) = delete;
  SupervisedStep& operator=(const SupervisedStep&) = delete;

  boost::asio::posix::stream_descriptor& control() { return control_; }
  boost::asio::posix::stream_descriptor& output() { return output_; }

  void ask_to_stop();
  void kill_guardian();

  struct Message {
    bool arrived = false;                    ///< Else there is nothing to read yet.
    std::optional<guardian::Report> report;  ///< None: the guardian is gone, or said something else:
    std::string text;
  };
  Message read_message();

  /// How the guardian itself ended, for people. Call it once, after its last message; not cancellable.
  boost::asio::awaitable<std::string> join();

 private:
  SupervisedStep(boost::asio::posix::stream_descriptor control, boost::asio::posix::stream_descriptor output,
                 boost::process::v2::process guardian);

  boost::asio::posix::stream_descriptor control_, output_;
  boost::process::v2::process guardian_;
  bool joined_ = false;
};

}  // namespace outpost::process
