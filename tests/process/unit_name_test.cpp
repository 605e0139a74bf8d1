#include "agent/process/systemd/systemd_command_runner.hpp"

#include "support/catch.hpp"

using namespace outpost;
using namespace outpost::process;

TEST_CASE("a slot and a profile name a unit") {
  CHECK(unit_of("", 3).value() == "outpost-step@3.service");
  CHECK(unit_of("offline", 64).value() == "outpost-step-offline@64.service");
}

TEST_CASE("a profile cannot name another unit") {
  for (const char* name : {"x@1.service", "../x", "Offline", "a b", "a-b", "\n"}) {
    const auto unit = unit_of(name, 1);
    REQUIRE(unit.has_error());
    CHECK(unit.error().fault == Fault::malformed);
  }
}

TEST_CASE("limits of a step stand above those of its unit, and leave the others as they are") {
  const ServiceManager::LimitValues unit{{"MemoryMax", UINT64_MAX}, {"TasksMax", 4096}, {"CPUQuotaPerSecUSec", UINT64_MAX}};
  CHECK(with_limits(unit, {}) == unit);
  const auto limited = with_limits(unit, {.memory = 1ULL << 30, .cpu_percent = 250});
  CHECK(limited.at("MemoryMax") == 1ULL << 30);
  CHECK(limited.at("MemorySwapMax") == 0);
  CHECK(limited.at("TasksMax") == 4096);
  CHECK(limited.at("CPUQuotaPerSecUSec") == 2'500'000);
}

TEST_CASE("limits of a step that are wider than those of its unit change nothing") {
  const ServiceManager::LimitValues unit{{"MemoryMax", 1ULL << 30}, {"MemorySwapMax", UINT64_MAX}, {"TasksMax", 100}, {"CPUQuotaPerSecUSec", 500'000}};
  const Limits wide{.memory = 2ULL << 30, .tasks = 4096, .cpu_percent = 400};
  CHECK(with_limits(unit, wide) == unit);
  CHECK(outranked(unit, wide) == std::vector<std::string>{"CPUQuotaPerSecUSec=500000 counts, not 4000000", "MemoryMax=1073741824 counts, not 2147483648",
                                                          "TasksMax=100 counts, not 4096"});
  CHECK(outranked(unit, {.memory = 1ULL << 30, .tasks = 99, .cpu_percent = {}}).empty());
}
