#include "faults/figures.hpp"

#include <cstdio>
#include <cstdlib>

namespace outpost::test {

namespace {

bool skipped = false;

}  // namespace

bool is_soak() {
  static const bool soak = std::getenv("OUTPOST_FAULTS_SOAK") != nullptr;
  return soak;
}

void figure(const std::string& fault, const std::string& what, const std::string& value, const std::string& target) {
  std::printf("figure: %s | %s | %s | %s\n", fault.c_str(), what.c_str(), value.c_str(), target.c_str());
  std::fflush(stdout);
}

std::string in_seconds(std::chrono::steady_clock::duration time) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f s", std::chrono::duration<double>{time}.count());
  return text;
}

std::string in_bytes(std::int64_t bytes) {
  char text[32];
  if (bytes > -(1 << 20) && bytes < (1 << 20)) return std::to_string(bytes) + " bytes";
  std::snprintf(text, sizeof text, "%.1f MiB", static_cast<double>(bytes) / (1 << 20));
  return text;
}

void skip(const std::string& what_and_why) {
  std::printf("SKIPPED: %s\n", what_and_why.c_str());
  std::fflush(stdout);
  skipped = true;
}

bool is_skipped() { return skipped; }

}  // namespace outpost::test
