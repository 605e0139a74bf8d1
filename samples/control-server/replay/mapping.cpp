#include "samples/control-server/replay/mapping.hpp"

#include "agent/base/clock.hpp"
#include "agent/base/ids.hpp"

#include <algorithm>
#include <cctype>

namespace outpost::replay {
namespace {

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }
bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

/// The pieces of a text that look like an id, an etag or a secret, handed out from left to right.
template <class Each>
void each_token(std::string_view text, Each each) {
  for (std::size_t at = 0; at < text.size();) {
    if (!is_word(text[at])) {
      const bool encoded = text[at] == '%' && at + 2 < text.size() && is_word(text[at + 1]) && is_word(text[at + 2]);
      at += encoded ? 3 : 1;  // A percent-encoded byte ends a word, its digits belong to none.
      continue;
    }
    auto end = at;
    while (end < text.size() && is_word(text[end])) ++end;
    std::size_t size = end - at;
    if (text.size() - at >= 36 && is_uuid(text.substr(at, 36))) size = 36;
    if (Mapping::kind_of(text.substr(at, size)) != Mapping::Token::none) each(at, text.substr(at, size));
    at += size;
  }
}

std::string six_digits(std::string_view time) {
  const auto moment = parse_rfc3339(time);
  return moment ? to_rfc3339(*moment).substr(0, 26) : std::string{time};
}

}  // namespace

Mapping::Token Mapping::kind_of(std::string_view text) {
  if (text.size() == 34 && text.front() == '"' && text.back() == '"') text = text.substr(1, 32);
  if (is_uuid(text)) return Token::id;
  if (text.size() == 32 && std::ranges::all_of(text, is_hex)) return Token::etag;
  if (text.size() == 64 && std::ranges::all_of(text, is_word) && !std::ranges::all_of(text, is_hex))
    return Token::secret;
  if (text.size() >= 19 && text.size() <= 27 && text[4] == '-' && text[10] == 'T' && parse_rfc3339(text))
    return Token::time;
  return Token::none;
}

std::optional<std::string> Mapping::live(std::string_view recorded) const {
  if (kind_of(recorded) == Token::time) {
    const auto found = moments_.find(six_digits(recorded));
    if (found == moments_.end()) return {};
    return found->second;
  }
  const auto found = names_.find(recorded);
  if (found == names_.end()) return {};
  return found->second;
}

void Mapping::learn(std::string_view recorded, std::string_view live_value) {
  if (kind_of(recorded) == Token::time)
    moments_.insert_or_assign(six_digits(recorded), six_digits(live_value));
  else
    names_.insert_or_assign(std::string{recorded}, std::string{live_value});
}

std::string Mapping::translate(std::string_view text) const {
  std::string translated;
  std::size_t done = 0;
  each_token(text, [&](std::size_t at, std::string_view token) {
    const auto known = names_.find(token);
    if (known == names_.end()) return;
    translated += text.substr(done, at - done);
    translated += known->second;
    done = at + token.size();
  });
  return translated + std::string{text.substr(done)};
}

std::set<std::string> Mapping::unknown_ids(std::string_view text) const {
  std::set<std::string> unknown;
  each_token(text, [&](std::size_t, std::string_view token) {
    if (is_uuid(token) && !names_.contains(token)) unknown.emplace(token);
  });
  return unknown;
}

std::string Mapping::live_moment(const std::string& recorded) const {
  const auto wanted = six_digits(recorded);
  auto after = moments_.upper_bound(wanted);
  if (after == moments_.begin()) return recorded;
  const auto& [known, live_value] = *std::prev(after);
  if (known == wanted) return live_value;
  const auto moment = parse_rfc3339(live_value);
  return moment ? to_rfc3339(*moment + std::chrono::microseconds{1}).substr(0, 26) : recorded;
}

}  // namespace outpost::replay
