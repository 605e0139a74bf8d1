#pragma once

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace outpost::test {

/// Whether the full counts and times of the criteria are wanted (`tests/faults/run --soak`) or those for every change.
[[nodiscard]] bool is_soak();

template <class T>
[[nodiscard]] T scaled(T short_run, T soak) {
  return is_soak() ? soak : short_run;
}

/// Prints one figure of a fault for the table of tests/faults/run: "F01", "lost", "0 bytes", "0".
void figure(const std::string& fault, const std::string& what, const std::string& value, const std::string& target);

[[nodiscard]] std::string in_seconds(std::chrono::steady_clock::duration time);
[[nodiscard]] std::string in_bytes(std::int64_t bytes);

/// Says what this machine cannot do and marks the test as skipped, unless something of it fails. The caller returns.
void skip(const std::string& what_and_why);
[[nodiscard]] bool is_skipped();

/// How long something takes.
class Stopwatch {
 public:
  [[nodiscard]] std::chrono::steady_clock::duration elapsed() const {
    return std::chrono::steady_clock::now() - start_;
  }
  [[nodiscard]] std::string text() const { return in_seconds(elapsed()); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace outpost::test
