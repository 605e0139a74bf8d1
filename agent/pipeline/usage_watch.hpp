#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/workers.hpp"
#include "agent/process/usage.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace outpost::pipeline {

/// What a step took of the machine at one moment.
struct UsageSample {
  std::int64_t at_ms = 0;  ///< Since 1970, UTC.
  process::Usage usage;
  std::optional<std::uint64_t> workspace;  ///< Bytes, as of the last look at it.
};

/// A line of the file: "1764187200000 2500000 1048576 3 4096", '-' for what was not measured.
[[nodiscard]] std::string to_line(const UsageSample& sample);
[[nodiscard]] std::optional<UsageSample> usage_sample_in(const std::string& line);
/// The samples of a file, as far as they make sense. Blocks.
[[nodiscard]] std::vector<UsageSample> read_usage(const std::filesystem::path& file);

/// Measures a step while it runs and keeps what was measured, for people to look at: a file that is small however long
/// the step takes. When it is full, every second sample is dropped and from then on it is measured half as often. Nothing
/// of this is synced, and what the disk refuses is left out.
class UsageWatch {
 public:
  struct Options {
    std::filesystem::path file;
    std::chrono::milliseconds first{500};      ///< From its start to the first look.
    std::chrono::milliseconds interval{2000};  ///< Between looks, in the beginning.
    std::size_t most = 600;                    ///< Samples.
  };
  /// How the step can be measured, or nothing when it does not run yet.
  using Find = std::function<process::Probe()>;
  using Workspace = std::function<std::optional<std::uint64_t>()>;

  /// Goes on with the file where an earlier process of the agent has begun it. `find` and `workspace` are called on the
  /// loop, and not after the destructor.
  UsageWatch(const boost::asio::any_io_executor& loop, Workers& workers, const Clock& clock, Options options, Find find, Workspace workspace);
  ~UsageWatch();
  UsageWatch(const UsageWatch&) = delete;
  UsageWatch& operator=(const UsageWatch&) = delete;

 private:
  struct State;
  static boost::asio::awaitable<void> look_regularly(std::shared_ptr<State> state);

  std::shared_ptr<State> state_;
};

}  // namespace outpost::pipeline
