#pragma once

#include "agent/base/workers.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

namespace outpost::pipeline {

struct DirectorySize {
  std::uint64_t bytes = 0;  ///< On the disk, of all files below.
  bool complete = true;     ///< False when there was more than could be looked at: `bytes` is a part of it.
};

/// Looks at no more than 200,000 files, and for no longer than a second. Blocks: for a worker.
[[nodiscard]] DirectorySize size_of_directory(const std::filesystem::path& directory);

struct WorkspaceSizes {
  DirectorySize last, peak;
};

/// The size of a step's workspace while it runs: a look now and then, off the loop, and one at its end. What comes and
/// goes between two looks is not seen.
class WorkspaceWatch {
 public:
  using Seen = std::function<void(const WorkspaceSizes&)>;

  /// `seen` is called after each look but the last one.
  WorkspaceWatch(const boost::asio::any_io_executor& loop, Workers& workers, std::filesystem::path workspace,
                 std::chrono::milliseconds interval, Seen seen);
  ~WorkspaceWatch();
  WorkspaceWatch(const WorkspaceWatch&) = delete;
  WorkspaceWatch& operator=(const WorkspaceWatch&) = delete;

  /// The step has ended: looks once more.
  boost::asio::awaitable<WorkspaceSizes> finish();

 private:
  struct State;
  static boost::asio::awaitable<void> look(std::shared_ptr<State> state);
  static boost::asio::awaitable<void> look_regularly(std::shared_ptr<State> state);

  std::shared_ptr<State> state_;
};

}  // namespace outpost::pipeline
