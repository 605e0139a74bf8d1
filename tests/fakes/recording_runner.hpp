#pragma once

#include "agent/process/command_runner.hpp"

#include <unistd.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

namespace outpost::test {

/// A runner that remembers what it was asked to run, and says that it ran.
struct RecordingRunner final : process::CommandRunner {
  std::vector<process::Command> commands;
  std::string prints;  ///< By each of them; a pipe full at most.
  process::Ending ending = process::Exited{0};

  [[nodiscard]] bool overlaps() const override { return true; }
  [[nodiscard]] bool outlives() const override { return false; }
  boost::asio::awaitable<process::Left> look_for(process::Command) override { co_return process::Left::gone; }
  boost::asio::awaitable<Result<process::Finished>> adopt(process::Command, process::Output&) override {
    co_return Error{Fault::unavailable, "nothing runs"};
  }
  [[nodiscard]] Result<std::optional<gid_t>> group_of(unsigned) const override { return std::optional<gid_t>{}; }
  boost::asio::awaitable<Result<process::Finished>> run(process::Command command, process::Output& output) override {
    commands.push_back(std::move(command));
    std::array<int, 2> pipe{};
    if (!prints.empty() && ::pipe(pipe.data()) == 0) {
      const bool written = ::write(pipe[1], prints.data(), prints.size()) == static_cast<ssize_t>(prints.size());
      ::close(pipe[1]);
      if (written) co_await output.take(pipe[0], prints.size());
      ::close(pipe[0]);
    }
    co_return process::Finished{.ending = ending, .leftovers = 0, .figures = {}, .output_lost = false};
  }
  boost::asio::awaitable<bool> is_part_of(process::Command, pid_t) override { co_return false; }
  [[nodiscard]] std::optional<std::filesystem::path> private_directory(unsigned) const override { return {}; }
  [[nodiscard]] std::string_view name() const override { return "recording"; }
};

}  // namespace outpost::test
