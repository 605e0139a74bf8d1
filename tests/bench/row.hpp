#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace outpost::bench {

/// One line of the table. The floor is the same work done by the least that can do it, measured in the same run.
struct Row {
  std::string name;
  std::string unit;
  double ours = 0;
  std::optional<double> floor;
  std::string target;  ///< "ours <= 25", "ratio <= 1.25"; empty when none was set.
  std::string note;
};

/// Writes the row to stdout as a line of JSON.
void print(const Row& row);

/// The value below which `share` (0 to 1) of the values lie; `values` must not be empty.
[[nodiscard]] double quantile(std::vector<double> values, double share);
[[nodiscard]] inline double median(std::vector<double> values) { return quantile(std::move(values), 0.5); }

/// "12.3": at most `digits` behind the point.
[[nodiscard]] std::string format(double value, int digits = 1);

class Stopwatch {
 public:
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>{std::chrono::steady_clock::now() - start_}.count();
  }
  [[nodiscard]] double milliseconds() const { return seconds() * 1e3; }
  [[nodiscard]] double microseconds() const { return seconds() * 1e6; }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace outpost::bench
