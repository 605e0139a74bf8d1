#include "plugins/hooks/regular_expression.hpp"

#include "agent/base/text.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace outpost::hooks {

namespace {

template <auto release>
struct Release {
  template <class T>
  void operator()(T* object) const {
    release(object);
  }
};

template <class T, auto release>
using Owned = std::unique_ptr<T, Release<release>>;

using Code = Owned<pcre2_code, pcre2_code_free>;
using CompileContext = Owned<pcre2_compile_context, pcre2_compile_context_free>;
using MatchContext = Owned<pcre2_match_context, pcre2_match_context_free>;
using MatchData = Owned<pcre2_match_data, pcre2_match_data_free>;

constexpr std::uint32_t most_memory_kib = 32 * 1024;
constexpr std::size_t longest_pattern = 64 * 1024;

/// A step of the matcher is told before it is taken, which is what lets work be counted over all places where a match
/// could begin; the library's own limit begins anew at each.
constexpr std::uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_MATCH_UNSET_BACKREF | PCRE2_ALLOW_EMPTY_CLASS |
                                  PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C | PCRE2_AUTO_CALLOUT;

const PCRE2_UCHAR8* bytes_of(std::string_view text) { return reinterpret_cast<const PCRE2_UCHAR8*>(text.data()); }

/// Finds what only other dialects have, and the library would take: somebody else's validator would not.
class Dialect {
 public:
  explicit Dialect(std::string_view pattern) : rest_{pattern} {}

  /// What it is, in words; nothing when the whole is ECMA-262 as far as this can see.
  std::string foreign() {
    bool repeated = false;
    while (!rest_.empty()) {
      const bool was_repeated = std::exchange(repeated, false);
      const char next = rest_.front();
      if (next == '\\') {
        if (const auto name = rest_.substr(0, 2); is_foreign_escape(name)) return std::string{name};
        rest_.remove_prefix(std::min<std::size_t>(2, rest_.size()));
      } else if (next == '[') {
        if (const auto escape = skip_class(); !escape.empty()) return escape;
      } else if (next == '(') {
        if (const auto group = foreign_group(); !group.empty()) return group;
        rest_.remove_prefix(1);
      } else if (const auto length = length_of_repeat()) {
        if (was_repeated && next == '+') return "a repeat that gives nothing back (+)";
        repeated = !was_repeated;
        rest_.remove_prefix(length);
      } else {
        rest_.remove_prefix(1);
      }
    }
    return {};
  }

 private:
  static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

  static bool is_foreign_escape(std::string_view escape) {
    return escape.size() == 2 && is_letter(escape[1]) && std::string_view{"bBcdDfknpPrsStuvwWx"}.find(escape[1]) == std::string_view::npos;
  }

  std::string skip_class() {
    std::size_t at = rest_.starts_with("[^") ? 2 : 1;
    for (; at < rest_.size() && rest_[at] != ']'; ++at) {
      if (rest_[at] != '\\') continue;
      if (const auto escape = rest_.substr(at, 2); is_foreign_escape(escape)) return std::string{escape};
      ++at;
    }
    rest_.remove_prefix(std::min(at + 1, rest_.size()));
    return {};
  }

  [[nodiscard]] std::string foreign_group() const {
    if (rest_.starts_with("(*")) return "(*";
    if (!rest_.starts_with("(?")) return {};
    for (const std::string_view known : {"(?:", "(?=", "(?!", "(?<=", "(?<!"})
      if (rest_.starts_with(known)) return {};
    if (rest_.starts_with("(?<") && rest_.size() > 3 && (is_letter(rest_[3]) || rest_[3] == '_')) return {};
    return printable(rest_.substr(0, 3));
  }

  /// `*`, `+`, `?`, `{2}`, `{2,}`, `{2,3}`; 0 when there is none.
  [[nodiscard]] std::size_t length_of_repeat() const {
    if (std::string_view{"*+?"}.find(rest_.front()) != std::string_view::npos) return 1;
    const auto end = rest_.front() == '{' ? rest_.find('}') : std::string_view::npos;
    if (end == std::string_view::npos || end < 2 || rest_[1] == ',') return 0;
    return rest_.substr(1, end - 1).find_first_not_of("0123456789,") == std::string_view::npos ? end + 1 : 0;
  }

  std::string_view rest_;
};

/// What one search has taken.
struct Work {
  std::uint64_t left;
  PCRE2_SIZE at = 0;
};

int count_step(pcre2_callout_block* step, void* data) {
  auto& work = *static_cast<Work*>(data);
  const auto from = std::exchange(work.at, step->current_position);
  const std::uint64_t taken = 1 + (from < work.at ? work.at - from : from - work.at);
  if (taken > work.left) return PCRE2_ERROR_MATCHLIMIT;
  work.left -= taken;
  return 0;
}

}  // namespace

struct RegularExpression::Compiled {
  Code code;
};

Result<RegularExpression> RegularExpression::compile(std::string_view pattern) {
  if (const auto foreign = Dialect{pattern}.foreign(); !foreign.empty())
    return Error{Fault::malformed, foreign + " is not of ECMA-262, the dialect of JSON Schema"};
  const CompileContext context{pcre2_compile_context_create(nullptr)};
  pcre2_set_compile_extra_options(context.get(), PCRE2_EXTRA_ALT_BSUX);
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_ANYCRLF);
  pcre2_set_max_pattern_length(context.get(), longest_pattern);
  int error = 0;
  PCRE2_SIZE offset = 0;
  Code code{pcre2_compile(bytes_of(pattern), pattern.size(), options, &error, &offset, context.get())};
  if (code) return RegularExpression{std::make_shared<const Compiled>(Compiled{std::move(code)})};
  std::array<PCRE2_UCHAR8, 256> reason{};
  pcre2_get_error_message(error, reason.data(), reason.size());
  return Error{Fault::malformed, std::string{reinterpret_cast<const char*>(reason.data())} + ", at byte " + std::to_string(offset)};
}

RegularExpression::Match RegularExpression::search(std::string_view text, std::uint64_t& steps) const {
  Work work{steps};
  const MatchContext context{pcre2_match_context_create(nullptr)};
  const MatchData data{pcre2_match_data_create(1, nullptr)};
  pcre2_set_callout(context.get(), count_step, &work);
  pcre2_set_heap_limit(context.get(), most_memory_kib);
  const int found = pcre2_match(compiled_->code.get(), bytes_of(text), text.size(), 0, 0, data.get(), context.get());
  const bool decided = found >= 0 || found == PCRE2_ERROR_NOMATCH;
  steps = decided ? work.left : 0;
  if (!decided) return Match::undecided;
  return found >= 0 ? Match::yes : Match::no;
}

RegularExpression::Match RegularExpression::search(std::string_view text) const {
  std::uint64_t steps = most_steps;
  return search(text, steps);
}

}  // namespace outpost::hooks
