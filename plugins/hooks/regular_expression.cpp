#include "plugins/hooks/regular_expression.hpp"

#include "agent/base/text.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

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

constexpr std::size_t longest_pattern = 64 * 1024;

/// A step of the matcher is told before it is taken, which is what lets work be counted over all places where a match
/// could begin; the library's own limit begins anew at each.
constexpr std::uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_MATCH_UNSET_BACKREF | PCRE2_ALLOW_EMPTY_CLASS |
                                  PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C | PCRE2_AUTO_CALLOUT;

const PCRE2_UCHAR8* bytes_of(std::string_view text) { return reinterpret_cast<const PCRE2_UCHAR8*>(text.data()); }

/// What `\s` is: the library's is that of ASCII. Lists begin and end with what cannot be the end of a range, so that
/// `[!-\s]` stays the mistake that it is.
constexpr std::string_view blanks = R"(\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff\s)";
/// All but those, as a class has it.
constexpr std::string_view no_blanks =
    R"(\d\u0000-\u0008\u000e-\u001f!-\u009f\u00a1-\u167f\u1681-\u1fff\u200b-\u2027\u202a-\u202e\u2030-\u205e\u2060-\u2fff\u3001-\ufefe\uff00-\u{10ffff}\d)";
constexpr std::string_view any_but_line_ends = R"([^\n\r\u2028\u2029])";
constexpr std::string_view vertical_tab = R"(\x0b)";

/// A pattern as the library is to have it, and where its parts come from.
class Translated {
 public:
  void copy(std::string_view part) { text_ += part; }
  void replace(std::size_t from, std::size_t length, std::string_view by) {
    replaced_.push_back({from, from + length, text_.size(), text_.size() + by.size()});
    text_ += by;
  }

  [[nodiscard]] const std::string& text() const { return text_; }

  /// The place in the pattern as it was written.
  [[nodiscard]] std::size_t origin_of(std::size_t offset) const {
    const auto after = std::find_if(replaced_.rbegin(), replaced_.rend(), [&](const Replaced& each) { return each.begin < offset || each.end <= offset; });
    if (after == replaced_.rend()) return offset;
    return offset < after->end ? after->from : after->to + (offset - after->end);
  }

 private:
  struct Replaced {
    std::size_t from, to;    ///< In the pattern as it was written.
    std::size_t begin, end;  ///< In ours.
  };

  std::string text_;
  std::vector<Replaced> replaced_;
};

/// Finds what only other dialects have, and the library would take: somebody else's validator would not. What it takes
/// in another meaning is put in other words.
class Dialect {
 public:
  explicit Dialect(std::string_view pattern) : pattern_{pattern}, rest_{pattern} {}

  Result<Translated> translate() {
    bool repeated = skip_any_beginning();
    while (!rest_.empty() && problem_.empty()) {
      const bool was_repeated = std::exchange(repeated, false);
      const char next = rest_.front();
      if (next == '\\') {
        take_escape();
      } else if (next == '[') {
        take_class();
      } else if (next == '(') {
        refuse_foreign(foreign_group());
        copy(1);
      } else if (next == '.') {
        replace(1, any_but_line_ends);
      } else if (const auto length = length_of_repeat()) {
        if (was_repeated && next == '+') refuse_foreign("a repeat that gives nothing back (+)");
        repeated = !was_repeated;
        copy(length);
      } else {
        refuse_doubtful_braces();
        copy(1);
      }
    }
    if (!problem_.empty()) return Error{Fault::malformed, problem_};
    return std::move(result_);
  }

 private:
  static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

  static bool consists_of(std::string_view text, std::string_view characters) { return text.find_first_not_of(characters) == std::string_view::npos; }

  static bool is_foreign_escape(std::string_view escape) {
    return escape.size() == 2 && escape[0] == '\\' && is_letter(escape[1]) && std::string_view{"bBcdDfknpPrsStuvwWx"}.find(escape[1]) == std::string_view::npos;
  }

  void refuse(std::string why) {
    if (problem_.empty()) problem_ = std::move(why);
  }

  void refuse_foreign(const std::string& what) {
    if (!what.empty()) refuse(what + " is not of ECMA-262, the dialect of JSON Schema");
  }

  void copy(std::size_t length) {
    result_.copy(rest_.substr(0, length));
    rest_.remove_prefix(std::min(length, rest_.size()));
  }

  void replace(std::size_t length, std::string_view by) {
    result_.replace(pattern_.size() - rest_.size(), length, by);
    rest_.remove_prefix(length);
  }

  /// `.*` in front changes nothing of whether the rest is found somewhere, but would be tried at every place: the
  /// library leaves it out too, while it knows it for a `.`. Whether a repeat was the last thing.
  bool skip_any_beginning() {
    if (!rest_.starts_with(".*")) return false;
    const bool reluctant = rest_.starts_with(".*?");
    replace(reluctant ? 3 : 2, "");
    return !reluctant;
  }

  void take_escape() {
    const auto escape = rest_.substr(0, 2);
    if (is_foreign_escape(escape)) refuse_foreign(std::string{escape});
    if (escape == "\\s") replace(2, "[" + std::string{blanks} + "]");
    else if (escape == "\\S") replace(2, "[^" + std::string{blanks} + "]");
    else if (escape == "\\v") replace(2, vertical_tab);
    else copy(length_of_escape());
  }

  /// `\u{2014}` is one character, and its braces no repeat.
  [[nodiscard]] std::size_t length_of_escape() const {
    const auto end = rest_.starts_with("\\u{") ? rest_.find('}') : std::string_view::npos;
    return end != std::string_view::npos && end > 3 && consists_of(rest_.substr(3, end - 3), "0123456789abcdefABCDEF") ? end + 1 : 2;
  }

  void take_class() {
    refuse_class_of_posix();
    copy(rest_.starts_with("[^") ? 2 : 1);
    while (!rest_.empty() && rest_.front() != ']') {
      const auto escape = rest_.substr(0, 2);
      if (rest_.front() == '[') refuse_class_of_posix();
      if (is_foreign_escape(escape)) refuse_foreign(std::string{escape});
      if (escape == "\\s") {
        replace(2, blanks);
      } else if (escape == "\\S") {
        replace(2, no_blanks);
      } else if (escape == "\\v") {
        replace(2, vertical_tab);
      } else {
        copy(rest_.front() == '\\' ? 2 : 1);
      }
    }
    copy(1);
  }

  /// `[:alpha:]`, `[.x.]`, `[=x=]`, where the library would see one.
  void refuse_class_of_posix() {
    if (rest_.size() < 2 || std::string_view{":.="}.find(rest_[1]) == std::string_view::npos) return;
    std::size_t end = 2;
    while (end < rest_.size() && rest_[end] != ']') end += rest_[end] == '\\' ? 2 : 1;
    if (end >= rest_.size() || end < 3 || rest_[end - 1] != rest_[1]) return;
    refuse(printable(rest_.substr(0, end + 1), 80) + " is a class of POSIX, not of ECMA-262 (write what is in it: [A-Za-z])");
  }

  [[nodiscard]] std::string foreign_group() const {
    if (rest_.starts_with("(*")) return "(*";
    if (!rest_.starts_with("(?")) return {};
    for (const std::string_view known : {"(?:", "(?=", "(?!", "(?<=", "(?<!"})
      if (rest_.starts_with(known)) return {};
    if (rest_.starts_with("(?<") && rest_.size() > 3 && (is_letter(rest_[3]) || rest_[3] == '_')) return {};
    return printable(rest_.substr(0, 3));
  }

  /// What is in the braces that come next; nothing when none do.
  [[nodiscard]] std::string_view in_braces() const {
    const auto end = rest_.starts_with('{') ? rest_.find('}') : std::string_view::npos;
    return end == std::string_view::npos ? std::string_view{} : rest_.substr(1, end - 1);
  }

  /// `*`, `+`, `?`, `{2}`, `{2,}`, `{2,3}`; 0 when there is none.
  [[nodiscard]] std::size_t length_of_repeat() const {
    if (std::string_view{"*+?"}.find(rest_.front()) != std::string_view::npos) return 1;
    const auto inside = in_braces();
    if (inside.empty() || inside.front() == ',' || !consists_of(inside, "0123456789,")) return 0;
    return inside.find(',') == inside.rfind(',') ? inside.size() + 2 : 0;
  }

  /// From 10.43 on, the library takes `{,3}` and `{ 1, 3 }` for repeats; up to then for text.
  void refuse_doubtful_braces() {
    const auto inside = in_braces();
    if (inside.find_first_of("0123456789") == std::string_view::npos || !consists_of(inside, "0123456789, \t")) return;
    refuse("{" + printable(inside, 80) + "} is a repeat to some validators and text to others (write {0,3} for a repeat, \\{ for a brace)");
  }

  std::string_view pattern_;
  std::string_view rest_;
  Translated result_;
  std::string problem_;
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
  if (pattern.size() > longest_pattern) return Error{Fault::malformed, "it is longer than " + std::to_string(longest_pattern) + " bytes"};
  const auto translated = Dialect{pattern}.translate();
  if (!translated) return translated.error();
  const std::string& ours = translated->text();
  const CompileContext context{pcre2_compile_context_create(nullptr)};
  pcre2_set_compile_extra_options(context.get(), PCRE2_EXTRA_ALT_BSUX);
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  pcre2_set_max_pattern_length(context.get(), longest_pattern);
  int error = 0;
  PCRE2_SIZE offset = 0;
  Code code{pcre2_compile(bytes_of(ours), ours.size(), options, &error, &offset, context.get())};
  if (code) return RegularExpression{std::make_shared<const Compiled>(Compiled{std::move(code)})};
  std::array<PCRE2_UCHAR8, 256> reason{};
  pcre2_get_error_message(error, reason.data(), reason.size());
  return Error{Fault::malformed, std::string{reinterpret_cast<const char*>(reason.data())} + ", at byte " + std::to_string(translated->origin_of(offset))};
}

RegularExpression::Match RegularExpression::search(std::string_view text, std::uint64_t& steps) const {
  Work work{steps};
  const MatchContext context{pcre2_match_context_create(nullptr)};
  const MatchData data{pcre2_match_data_create(1, nullptr)};
  pcre2_set_callout(context.get(), count_step, &work);
  pcre2_set_heap_limit(context.get(), most_memory_mib * 1024);
  const int found = pcre2_match(compiled_->code.get(), bytes_of(text), text.size(), 0, 0, data.get(), context.get());
  steps = found == PCRE2_ERROR_MATCHLIMIT ? 0 : work.left;  // Who has no memory left may have many steps.
  if (found >= 0) return Match::yes;
  return found == PCRE2_ERROR_NOMATCH ? Match::no : Match::undecided;
}

RegularExpression::Match RegularExpression::search(std::string_view text) const {
  std::uint64_t steps = most_steps;
  return search(text, steps);
}

std::string most_work() { return std::to_string(most_steps) + " steps and " + std::to_string(most_memory_mib) + " MiB"; }

}  // namespace outpost::hooks
