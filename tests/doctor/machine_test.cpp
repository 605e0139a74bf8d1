#include "agent/base/text.hpp"
#include "agent/doctor/machine.hpp"

#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <sys/utsname.h>

#include <fstream>

using namespace outpost;

TEST_CASE("the kernel's own files are read as well as those of disks", "[doctor]") {
  const doctor::Machine here;
  utsname told{};
  REQUIRE(::uname(&told) == 0);
  // The kernel treats reads of /proc/sys unlike those of any other file.
  CHECK(trim(here.text("/proc/sys/kernel/osrelease")) == told.release);
  CHECK_FALSE(here.lines("/proc/self/mountinfo").empty());
  CHECK(here.text("/proc/no such file").empty());
}

TEST_CASE("of a file the first 4 MiB are read", "[doctor]") {
  const test::TemporaryDirectory root;
  std::ofstream{root.path / "long"} << std::string(5 * 1024 * 1024, 'x');
  CHECK(doctor::Machine{root.path}.text("/long").size() == 4 * 1024 * 1024);
}
