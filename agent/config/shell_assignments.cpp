#include "agent/config/credentials.hpp"

#include "agent/base/text.hpp"

#include <algorithm>
#include <optional>
#include <vector>

namespace outpost::config {
namespace {

struct Word {
  std::string text;
  int line = 0;
  std::size_t plain_prefix = 0;  ///< How much of its start stood there without quotes or backslashes.
};

/// Splits the text into statements of words, as POSIX sh does (2.3 Token Recognition), and stops at what it would
/// expand. Values are never part of an error.
class ShellReader {
 public:
  ShellReader(std::string_view text, std::string name) : text_{text}, name_{std::move(name)} {}

  Result<std::vector<std::vector<Word>>> statements() {
    std::vector<std::vector<Word>> all(1);
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == ' ' || c == '\t') {
        ++at_;
      } else if (c == '\n' || c == ';') {
        advance();
        all.emplace_back();
      } else if (c == '\\' && next() == '\n') {
        advance();
        advance();
      } else if (c == '#') {
        while (at_ < text_.size() && text_[at_] != '\n') ++at_;
      } else {
        auto one = word();
        if (!one) return one.error();
        all.back().push_back(*std::move(one));
      }
    }
    std::erase_if(all, [](const auto& statement) { return statement.empty(); });
    return all;
  }

  [[nodiscard]] Error error(int line, std::string_view message) const {
    return {Fault::malformed, name_ + ":" + std::to_string(line) + ": " + std::string{message}};
  }

 private:
  [[nodiscard]] char next() const { return at_ + 1 < text_.size() ? text_[at_ + 1] : '\0'; }
  char advance() {
    if (text_[at_] == '\n') ++line_;
    return text_[at_++];
  }
  [[nodiscard]] Error not_evaluated(std::string_view what) const {
    return error(line_, std::string{what} + " is not evaluated: the file is read, never run; write the value itself");
  }

  Result<Word> word() {
    Word word{.text = {}, .line = line_};
    bool plain = true;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == ' ' || c == '\t' || c == '\n' || c == ';') break;
      std::optional<Error> problem;
      if (c == '\'' || c == '"' || c == '\\') {
        plain = false;
        problem = c == '\'' ? single_quoted(word.text) : c == '"' ? double_quoted(word.text) : escaped(word.text);
      } else if (c == '$' || c == '`') {
        problem = not_evaluated(c == '$' ? "$" : "`");
      } else if (std::string_view{"|&<>()"}.find(c) != std::string_view::npos) {
        problem =
            error(line_, std::string{"\""} + c +
                             "\" is not evaluated: only assignments are read (if it belongs to a value, quote it)");
      } else if (c == '~' && (word.text.empty() || word.text.back() == '=')) {
        problem = not_evaluated("~");
      } else {
        word.text += advance();
        if (plain) word.plain_prefix = word.text.size();
      }
      if (problem) return *problem;
    }
    return word;
  }

  std::optional<Error> single_quoted(std::string& into) {
    const int opened = line_;
    advance();
    while (at_ < text_.size() && text_[at_] != '\'') into += advance();
    if (at_ == text_.size()) return error(opened, "a ' is opened and never closed");
    advance();
    return std::nullopt;
  }

  std::optional<Error> double_quoted(std::string& into) {
    const int opened = line_;
    advance();
    while (at_ < text_.size() && text_[at_] != '"') {
      const char c = text_[at_];
      if (c == '$' || c == '`') return not_evaluated(c == '$' ? "$" : "`");
      if (c != '\\') {
        into += advance();
        continue;
      }
      // A backslash is only special before these (POSIX 2.2.3).
      advance();
      if (at_ == text_.size()) break;
      const char escaped = advance();
      if (std::string_view{"$`\"\\"}.find(escaped) != std::string_view::npos)
        into += escaped;
      else if (escaped != '\n')
        into += std::string{'\\'} + escaped;
    }
    if (at_ == text_.size()) return error(opened, "a \" is opened and never closed");
    advance();
    return std::nullopt;
  }

  std::optional<Error> escaped(std::string& into) {
    advance();
    if (at_ == text_.size()) return error(line_, "a backslash at the end of the file");
    const char c = advance();
    if (c != '\n') into += c;
    return std::nullopt;
  }

  std::string_view text_;
  std::string name_;
  std::size_t at_ = 0;
  int line_ = 1;
};

bool is_variable(std::string_view name) {
  const auto fits = [](char c) {
    return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' || (c >= '0' && c <= '9');
  };
  return !name.empty() && !(name.front() >= '0' && name.front() <= '9') && std::all_of(name.begin(), name.end(), fits);
}

/// Where the = of an assignment is; nothing for another kind of word.
std::optional<std::size_t> assignment(const Word& word) {
  const auto equals = word.text.find('=');
  const bool is = equals != std::string::npos && equals < word.plain_prefix && is_variable(word.text.substr(0, equals));
  return is ? std::optional{equals} : std::nullopt;
}

}  // namespace

Result<std::map<std::string, std::string>> parse_shell_assignments(std::string_view content, const std::string& name) {
  if (content.substr(0, 3) == "\xEF\xBB\xBF") content.remove_prefix(3);
  const std::string text = replace_all(std::string{content}, "\r\n", "\n");
  ShellReader reader{text, name};
  auto statements = reader.statements();
  if (!statements) return statements.error();
  std::map<std::string, std::string> variables;
  for (const auto& statement : *statements) {
    const bool exports = statement.front().text == "export" && statement.front().plain_prefix == 6;
    for (std::size_t index = exports ? 1 : 0; index < statement.size(); ++index) {
      const Word& word = statement[index];
      if (const auto equals = assignment(word)) {
        variables[word.text.substr(0, *equals)] = word.text.substr(*equals + 1);
      } else if (!exports || !is_variable(word.text)) {
        // The word may be a secret that lost its name, so it is not repeated.
        return reader.error(word.line, "only NAME=value and export NAME=value are read, commands are not evaluated");
      }
    }
  }
  return variables;
}

}  // namespace outpost::config
