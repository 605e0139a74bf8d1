#pragma once

#include "agent/job/event.hpp"
#include "agent/journal/sqlite/database.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace outpost::journal::sqlite {

/// Numbers from `first` to `last`.
struct Range {
  std::uint64_t first = 0, last = 0;
};

/// "3-5, 9", at most ten of them.
[[nodiscard]] std::string describe(const std::vector<Range>& ranges);

/// What could be taken over from a damaged journal, and what could not.
struct Salvage {
  bool readable = true;  ///< False: not a single table could be found.
  std::uint64_t events = 0, deliveries = 0;
  std::vector<Range> missing;    ///< Numbers of events that were there.
  bool deliveries_whole = true;  ///< Every delivery row was read.
  bool reporters_whole = true;   ///< Every reporter's row was read.
};

/// Copies every row of the damaged file that can still be read and is what was written into the fresh journal, under
/// its old number. Looks behind damaged pages, for as many rows as can be told from the rest. In a transaction of the
/// caller. Throws SqlError for the fresh journal only.
Salvage salvage(const std::filesystem::path& damaged, Database& fresh);

}  // namespace outpost::journal::sqlite
