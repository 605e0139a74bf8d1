#include "agent/base/memory.hpp"
#include "support/catch.hpp"

#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>

using namespace outpost;

namespace {

/// Of files, in this process: kB.
long mapped_from_files() {
  std::ifstream status{"/proc/self/status"};
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("RssFile:")) return std::atol(line.c_str() + 8);
  return -1;
}

}  // namespace

TEST_CASE("memory that is given back is gone, and all goes on as before") {
  const std::string text(100'000, 'x');
  const long before = mapped_from_files();
  REQUIRE(before > 0);
  give_back_memory();
  CHECK(mapped_from_files() < before);
  CHECK(text == std::string(100'000, 'x'));
  CHECK_THROWS_AS(std::string{}.at(1), std::out_of_range);  // What throwing needs is read again.
}
