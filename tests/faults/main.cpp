// Runs the fault tests. Exit status 77 tells ctest that a test was skipped, when nothing of it failed.

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#endif

#include "faults/figures.hpp"

int main(int argc, char** argv) {
  const int failures = Catch::Session{}.run(argc, argv);
  if (failures != 0) return 1;
  return outpost::test::is_skipped() ? 77 : 0;
}
