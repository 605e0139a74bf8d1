#pragma once

#include "agent/base/text.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <regex>
#include <set>
#include <string>
#include <vector>

/// What tests need to read documents (Markdown, manual pages) and sources as text.
namespace outpost::test {

using Words = std::set<std::string>;

inline const std::filesystem::path source_directory{OUTPOST_SOURCE_DIR};

inline std::string text_of(const std::string& file) {
  const std::string text = read_file(source_directory / file);
  INFO(file);
  REQUIRE_FALSE(text.empty());
  return text;
}

/// The sources of a folder and below whose names match.
inline std::string sources(const std::string& folder, const std::string& name_pattern) {
  std::string text;
  for (const auto& entry : std::filesystem::recursive_directory_iterator{source_directory / folder})
    if (std::regex_match(entry.path().filename().string(), std::regex{name_pattern})) text += read_file(entry.path());
  INFO(folder << ": " << name_pattern);
  REQUIRE_FALSE(text.empty());
  return text;
}

inline Words without(const Words& from, const Words& those) {
  Words rest;
  std::set_difference(from.begin(), from.end(), those.begin(), those.end(), std::inserter(rest, rest.end()));
  return rest;
}

inline Words united(Words left, const Words& right) {
  left.insert(right.begin(), right.end());
  return left;
}

/// All that `pattern` finds, or its first group where it has one.
inline Words all_matches(const std::string& text, const std::string& pattern) {
  const std::regex expression{pattern};
  Words found;
  for (std::sregex_iterator match{text.begin(), text.end(), expression}, end; match != end; ++match)
    found.insert(match->size() > 1 ? match->str(1) : match->str(0));
  return found;
}

/// The part of a text below the line `heading`, up to the next line that begins with `until`.
inline std::string part(const std::string& text, const std::string& heading, const std::string& until) {
  const auto begin = ("\n" + text).find("\n" + heading + "\n");
  if (begin == std::string::npos) return {};
  const auto body = begin + heading.size();
  return text.substr(body, text.find("\n" + until, body) - body);
}

/// The part of a Markdown text below a heading, up to the next heading of its level or above.
inline std::string section(const std::string& markdown, const std::string& heading) {
  std::string body = part(markdown, heading, "## ");
  return body.substr(0, body.find("\n# "));
}

/// The rows of the tables of a Markdown text, cell by cell; without their headings.
inline std::vector<std::vector<std::string>> rows(const std::string& markdown) {
  std::vector<std::vector<std::string>> table;
  for (const auto& line : split(markdown, '\n')) {
    if (line.starts_with("|--")) {
      if (!table.empty()) table.pop_back();  // The line before is the heading.
    } else if (line.starts_with("|")) {
      auto& row = table.emplace_back();
      for (const auto& cell : split(line.substr(1, line.rfind('|') - 1), '|')) row.emplace_back(trim(cell));
    }
  }
  return table;
}

/// What stands in `backquotes`.
inline Words quoted(const std::string& markdown) { return all_matches(markdown, "`([^`]+)`"); }

/// The fenced blocks of a language.
inline std::vector<std::string> blocks(const std::string& markdown, const std::string& language) {
  std::vector<std::string> found;
  const std::string fence = "\n```" + language + "\n";
  for (auto at = markdown.find(fence); at != std::string::npos; at = markdown.find(fence, at)) {
    at += fence.size();
    found.push_back(markdown.substr(at, markdown.find("\n```", at) + 1 - at));
  }
  return found;
}

/// A manual page with the escapes that ours use resolved.
inline std::string unescaped(const std::string& roff) {
  std::string text = std::regex_replace(roff, std::regex{R"(\\f[RBIP])"}, "");
  return replace_all(replace_all(text, "\\-", "-"), "\\&", "");
}

inline std::string page(const std::string& file) { return unescaped(text_of(file)); }

/// A section of a manual page (unescaped).
inline std::string man_section(const std::string& page, const std::string& name) {
  return part(page, ".SH " + name, ".SH ");
}

struct Tagged {
  std::string tag;   ///< The words of the tag, without macro and quotes.
  std::string text;  ///< The paragraph below it.
};

/// The tagged paragraphs (.TP) of a manual page, in their order.
inline std::vector<Tagged> tagged(const std::string& page) {
  std::vector<Tagged> found;
  static const std::regex end_of_paragraph{R"(\.(TP|PP|SH|SS)( .*)?)"}, macro{R"(^\.[BIR]+ )"};
  bool inside = false;
  const auto lines = split(page, '\n');
  for (std::size_t at = 0; at < lines.size(); ++at) {
    if (std::regex_match(lines[at], end_of_paragraph)) {
      inside = lines[at] == ".TP" && at + 1 < lines.size();
      if (!inside) continue;
      // Quoted arguments of .BR stand apart from those that are not: `a ", " b` is `a, b`.
      const std::string words = std::regex_replace(lines[++at], macro, "");
      found.push_back({replace_all(replace_all(words, " \"", ""), "\" ", ""), {}});
      if (found.back().tag.ends_with('"')) found.back().tag.pop_back();
    } else if (inside) {
      found.back().text += lines[at] + "\n";
    }
  }
  return found;
}

}  // namespace outpost::test
