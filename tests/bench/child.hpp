#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace outpost::bench {

/// posix_spawn and wait: the least that running a program can cost. stdout goes to `output`, or to /dev/null when that
/// is empty. Returns the seconds from before the spawn to after the wait; throws unless it exits 0.
double run_child(std::vector<std::string> command, const std::filesystem::path& output = {});

/// The path of the running program, for processes of the same kind.
[[nodiscard]] std::filesystem::path own_program();

}  // namespace outpost::bench
