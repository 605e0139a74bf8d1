#include "agent/control/log_pages.hpp"

#include "agent/base/text.hpp"
#include "agent/log/file.hpp"
#include "agent/log/log_reader.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <cstring>
#include <functional>
#include <string_view>

namespace outpost::control {
namespace {

namespace json = boost::json;

constexpr std::size_t page_bytes = std::size_t{1} << 20;
constexpr std::size_t block_bytes = std::size_t{256} << 10;
constexpr std::uint64_t scan_bytes = std::uint64_t{256} << 20;
constexpr std::uint64_t every = 1000;
constexpr std::uint64_t most_errors = 20;  ///< Of so many lines: a mark is as thick as several of them.

Result<log::File> open_log(const log::Place& place) {
  auto file = log::File::open(place.log(), O_RDONLY | O_NOFOLLOW);
  if (!file.is_open()) return errno_error("cannot open the log", place.log().string(), errno);
  return file;
}

/// Where a line lies, and its number from 0.
struct Spot {
  std::uint64_t offset = 0, line = 0;
};

/// Calls `see(spot, text)` for every line that ends with a newline, from `from` on, until it says false or so much has
/// been looked at as one call may. Returns the spot behind the last one. A line that is longer than a block is seen by
/// its end only.
template <class See>
std::pair<Spot, bool> each_line(const log::File& file, Spot from, See see) {
  from.offset = std::max(from.offset, file.data_begin());
  std::string buffer;
  std::uint64_t read_to = from.offset, line_begin = from.offset;
  const std::uint64_t stop = from.offset + scan_bytes;
  for (;;) {
    const std::string block = file.read(read_to, block_bytes);
    if (block.empty()) return {from, true};
    read_to += block.size();
    buffer += block;
    std::size_t begin = 0;
    while (const void* newline = std::memchr(buffer.data() + begin, '\n', buffer.size() - begin)) {
      const auto end = static_cast<std::size_t>(static_cast<const char*>(newline) - buffer.data());
      const bool goes_on = see(Spot{line_begin, from.line}, std::string_view{buffer}.substr(begin, end - begin));
      begin = end + 1;
      line_begin = read_to - (buffer.size() - begin);
      from = {line_begin, from.line + 1};
      if (!goes_on) return {from, false};
    }
    buffer.erase(0, begin);
    if (buffer.size() > 4 * block_bytes) buffer.erase(0, buffer.size() - block_bytes);
    if (read_to >= stop && from.offset > stop - scan_bytes) return {from, false};
  }
}

/// The first byte of a line at or after `offset`.
std::uint64_t next_line(const log::File& file, std::uint64_t offset) {
  if (offset == 0 || offset <= file.data_begin()) return offset;
  for (std::uint64_t at = offset - 1;;) {
    const std::string block = file.read(at, block_bytes);
    if (block.empty()) return file.size();
    if (const auto newline = block.find('\n'); newline != std::string::npos) return at + newline + 1;
    at += block.size();
  }
}

json::object shown(const log::Line& line) {
  json::object object{{"offset", line.offset}};
  if (line.given_back > 0) {
    object["given_back"] = line.given_back;
    return object;
  }
  object["time"] = line.time ? json::value(to_rfc3339(*line.time)) : json::value(nullptr);
  object["text"] = as_utf8(line.text);
  if (!line.begins) object["part"] = true;
  if (!line.ends) object["open"] = true;
  return object;
}

std::string lower(std::string_view text) {
  std::string lowered{text};
  for (char& c : lowered)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return lowered;
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

/// Whether what stands behind the word says that there was none of it: "failed=0", "errors: 0".
bool counts_none(std::string_view behind) {
  if (behind.empty() || (behind.front() != '=' && behind.front() != ':')) return false;
  behind.remove_prefix(std::min(behind.find_first_not_of(' ', 1), behind.size()));
  return behind.starts_with('0') && (behind.size() == 1 || !is_letter(behind[1]));
}

/// "error", "FAILED", "AssertionError".
bool is_word_for_error(std::string_view word) {
  static constexpr std::string_view words[] = {"error", "errors", "failed", "failure", "fatal", "fail", "traceback", "exception", "panic"};
  if (word.ends_with("Error") || word.ends_with("Exception")) return true;
  const char first = static_cast<char>(word.front() | 0x20);
  if (word.size() < 4 || word.size() > 9 || (first != 'e' && first != 'f' && first != 't' && first != 'p')) return false;
  return std::find(std::begin(words), std::end(words), lower(word)) != std::end(words);
}

/// Whether a line is one that somebody looks for who asks what went wrong: it has a word for it, of which it does not say
/// that there were none.
bool tells_of_error(std::string_view line) {
  for (std::size_t at = 0; at < line.size(); ++at) {
    if (!is_letter(line[at])) continue;
    const auto begin = at;
    while (at < line.size() && is_letter(line[at])) ++at;
    if (!is_word_for_error(line.substr(begin, at - begin))) continue;
    const auto before = line.substr(0, begin);
    const bool none_before = before.ends_with("0 ") && (before.size() == 2 || !is_letter(before[before.size() - 3]));
    if (!none_before && !before.ends_with("no ") && !counts_none(line.substr(at))) return true;
  }
  return false;
}

/// What a line says of the part of a log that it begins or ends: "TASK [install : unpack it] *****" of Ansible's output,
/// "==== unpack it" and "====" of outpost-hook group. The kind is empty for any other.
struct Banner {
  std::string_view kind, name;
};
Banner banner_in(std::string_view line) {
  static constexpr std::pair<std::string_view, std::string_view> openings[] = {{"PLAY [", "play"}, {"TASK [", "task"}, {"RUNNING HANDLER [", "task"}};
  if (line == "====") return {"end", {}};
  if (line.starts_with("==== ") && line.size() > 5) return {"group", line.substr(5)};
  if (line.starts_with("PLAY RECAP *")) return {"play", "PLAY RECAP"};
  for (const auto& [opening, kind] : openings) {
    if (!line.starts_with(opening)) continue;
    const auto end = line.rfind("] *");
    if (end == std::string_view::npos || end < opening.size()) return {};
    return {kind, line.substr(opening.size(), end - opening.size())};
  }
  return {};
}

}  // namespace

std::string as_utf8(std::string_view text) {
  if (is_utf8(text)) return std::string{text};
  std::string good;
  while (!text.empty()) {
    // The longest prefix of at most 4 bytes that is one character.
    std::size_t size = 1;
    while (size <= std::min<std::size_t>(4, text.size()) && !is_utf8(text.substr(0, size))) ++size;
    const bool is_character = size <= std::min<std::size_t>(4, text.size());
    good += is_character ? text.substr(0, size) : "\xEF\xBF\xBD";
    text.remove_prefix(is_character ? size : 1);
  }
  return good;
}

Result<json::object> log_page(const log::Place& place, LogRange range) {
  const auto file = open_log(place);
  if (!file) return file.error();
  auto reader = log::LogReader::open(place);
  if (!reader) return reader.error();
  if (range.tail > 0) range.from = next_line(*file, file->size() - std::min(range.tail, file->size()));
  if (range.line > 0) {
    Spot spot;
    bool complete = false;
    while (spot.line + 1 < range.line && !complete) {
      const auto before = [&](const Spot& seen, std::string_view) { return seen.line + 2 < range.line; };
      std::tie(spot, complete) = each_line(*file, spot, before);
    }
    range.from = spot.offset;
  }
  reader->seek(range.from);
  json::array lines;
  std::uint64_t next = range.from;
  std::size_t bytes = 0;
  while (lines.size() < range.lines && bytes < page_bytes) {
    const auto line = reader->next();
    if (!line) break;
    next = line->offset + (line->given_back > 0 ? line->given_back : line->text.size() + (line->ends ? 1 : 0));
    bytes += line->text.size();
    lines.push_back(shown(*line));
  }
  return json::object{{"size", file->size()}, {"begin", file->data_begin()}, {"from", range.from}, {"next", next}, {"lines", std::move(lines)}};
}

Result<json::object> log_index(const log::Place& place, std::uint64_t from, std::uint64_t line) {
  const auto file = open_log(place);
  if (!file) return file.error();
  json::array offsets, errors;
  std::uint64_t of_thousand = 0;
  const auto note = [&](const Spot& spot, std::string_view text) {
    if (spot.line % every == 0) {
      offsets.emplace_back(spot.offset);
      of_thousand = 0;
    }
    if (of_thousand < most_errors && tells_of_error(text)) {
      ++of_thousand;
      errors.emplace_back(spot.line);
    }
    return true;
  };
  const auto [end, complete] = each_line(*file, {from, line}, note);
  return json::object{{"size", file->size()}, {"begin", file->data_begin()}, {"every", every},      {"lines", end.line},
                      {"end", end.offset},    {"complete", complete},        {"offsets", std::move(offsets)}, {"errors", std::move(errors)}};
}

Result<json::object> log_search(const log::Place& place, const std::string& text, std::uint64_t from, std::uint64_t line, std::size_t limit) {
  const auto file = open_log(place);
  if (!file) return file.error();
  const std::string wanted = lower(text);
  json::array matches;
  const auto look = [&](const Spot& spot, std::string_view given) {
    if (lower(given).find(wanted) == std::string::npos) return true;
    matches.push_back(json::object{{"line", spot.line}, {"offset", spot.offset}});
    return matches.size() < limit;
  };
  const auto [end, complete] = each_line(*file, {from, line}, look);
  return json::object{{"matches", std::move(matches)}, {"end", end.offset}, {"lines", end.line}, {"complete", complete}};
}

Result<json::object> log_sections(const log::Place& place, std::uint64_t from, std::uint64_t line) {
  constexpr std::size_t most_marks = 5000, longest_name = 300;
  const auto file = open_log(place);
  if (!file) return file.error();
  json::array marks;
  const auto look = [&](const Spot& spot, std::string_view text) {
    const auto [kind, name] = banner_in(text);
    if (kind.empty()) return true;
    marks.push_back(json::object{{"line", spot.line}, {"offset", spot.offset}, {"kind", kind}, {"name", as_utf8(name.substr(0, longest_name))}});
    return marks.size() < most_marks;
  };
  const auto [end, complete] = each_line(*file, {from, line}, look);
  return json::object{{"marks", std::move(marks)}, {"end", end.offset}, {"lines", end.line}, {"complete", complete}};
}

}  // namespace outpost::control
