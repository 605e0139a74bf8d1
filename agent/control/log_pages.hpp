#pragma once

#include "agent/base/result.hpp"
#include "agent/log/place.hpp"

#include <boost/json/object.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

/// What is shown of a step's redacted log, as JSON. Everything here blocks: for a worker. unavailable: there is no such
/// log, or it may not be read.
namespace outpost::control {

struct LogRange {
  std::uint64_t from = 0;   ///< The byte to begin at, the first of a line...
  std::uint64_t line = 0;   ///< ...or the number of the line, from 1; 0: `from` counts.
  std::uint64_t tail = 0;   ///< Or the lines that begin in the last so many bytes; 0: the others count.
  std::size_t lines = 1000;
};

/// {size, begin, from, next, lines: [{offset, time, text, part, open, given_back}]}: `next` is where to go on; `begin`
/// is where the bytes begin that are still there. `part` is there for the rest of a long line, `open` when no newline
/// has come yet, `given_back` instead of a text for bytes that the disk has got back. At most about 1 MiB of text.
[[nodiscard]] Result<boost::json::object> log_page(const log::Place& place, LogRange range);

/// Lines `line` (from 0) on, which begins at byte `from`: {size, begin, every, lines, end, complete, offsets[],
/// errors[]}: where each line begins whose number is a multiple of `every`, and the numbers of lines that tell of an error,
/// at most 20 between two of those. `lines` end with a newline before byte `end`. Not complete:
/// there is more than one call looks at; go on at `end` with `lines`.
[[nodiscard]] Result<boost::json::object> log_index(const log::Place& place, std::uint64_t from, std::uint64_t line);

/// The lines that hold `text`, whatever its case in ASCII: {matches: [{line, offset}], end, lines, complete}. `limit`
/// ends it, or as much as one call looks at; then go on at `end` with `lines`.
[[nodiscard]] Result<boost::json::object> log_search(const log::Place& place, const std::string& text, std::uint64_t from,
                                                     std::uint64_t line, std::size_t limit);

/// Where parts of the log begin that can be folded, from line `line` (from 0) on, which begins at byte `from`: {marks:
/// [{line, offset, kind, name}], lines, end, complete}. `kind` is play or task, by what Ansible prints, or group and end,
/// by what `outpost-hook group` prints. At most 5000 marks; go on as after a search.
[[nodiscard]] Result<boost::json::object> log_sections(const log::Place& place, std::uint64_t from, std::uint64_t line);

/// `text` with U+FFFD for what is no UTF-8, so that it can stand in JSON.
[[nodiscard]] std::string as_utf8(std::string_view text);

}  // namespace outpost::control
