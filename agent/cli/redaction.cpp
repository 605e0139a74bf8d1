#include "agent/cli/redaction.hpp"

#include "agent/base/text.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cctype>

namespace outpost::cli {
namespace {

bool is_word(char byte) { return std::isalnum(static_cast<unsigned char>(byte)) != 0 || byte == '_' || byte == '-'; }

/// How long an address of IPv4 is that begins here; 0: there is none.
std::size_t address_at(std::string_view text, std::size_t begin) {
  if (begin > 0 && (is_word(text[begin - 1]) || text[begin - 1] == '.')) return 0;
  std::size_t at = begin;
  for (int part = 0; part < 4; ++part) {
    if (part > 0 && (at >= text.size() || text[at++] != '.')) return 0;
    const std::size_t first = at;
    unsigned number = 0;
    while (at < text.size() && std::isdigit(static_cast<unsigned char>(text[at])) != 0 && at - first < 3)
      number = number * 10 + static_cast<unsigned>(text[at++] - '0');
    if (at == first || number > 255) return 0;
  }
  return at < text.size() && (is_word(text[at]) || (text[at] == '.' && at + 1 < text.size() &&
                                                    std::isdigit(static_cast<unsigned char>(text[at + 1])) != 0))
             ? 0
             : at - begin;
}

/// How long an address of IPv6 is that begins here; 0: there is none. What is said of a zone behind it is no part of it.
std::size_t long_address_at(std::string_view text, std::size_t begin) {
  if (begin > 0 && (is_word(text[begin - 1]) || text[begin - 1] == ':' || text[begin - 1] == '.')) return 0;
  const auto end = std::min(text.find_first_not_of("0123456789abcdefABCDEF:.", begin), text.size());
  if (end < text.size() && is_word(text[end])) return 0;
  constexpr std::size_t longest = INET6_ADDRSTRLEN;
  if (end - begin > longest) return 0;
  std::string address{text.substr(begin, end - begin)};
  while (!address.empty() && (address.back() == '.' || address.back() == ':') && !address.ends_with("::")) address.pop_back();
  in6_addr parsed{};
  return ::inet_pton(AF_INET6, address.c_str(), &parsed) == 1 ? address.size() : 0;
}

/// The same for every way to write one address.
std::string normal(const std::string& address) {
  in6_addr parsed{};
  char text[INET6_ADDRSTRLEN] = {};
  if (::inet_pton(AF_INET6, address.c_str(), &parsed) != 1) return address;
  return ::inet_ntop(AF_INET6, &parsed, text, sizeof text) ? text : address;
}

/// Addresses that say nothing of a network.
bool is_of_every_machine(const std::string& address) {
  return address.starts_with("127.") || address == "0.0.0.0" || address == "::" || address == "::1";
}

/// Every place of `word` that is no part of a longer word.
std::string replaced(const std::string& text, const std::string& word, const std::string& by) {
  std::string out;
  std::size_t done = 0;
  for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    const auto end = at + word.size();
    if ((at > 0 && is_word(text[at - 1])) || (end < text.size() && is_word(text[end])) || at < done) continue;
    out.append(text, done, at - done).append(by);
    done = end;
  }
  return out.append(text, done);
}

std::string without_credentials(std::string text) {
  for (auto at = text.find("://"); at != std::string::npos; at = text.find("://", at + 3)) {
    const auto end = text.find_first_of("/ \t\n\"'<>", at + 3);
    const auto sign = text.substr(0, end).rfind('@');
    if (sign != std::string::npos && sign > at + 3) text.replace(at + 3, sign - at - 3, "****");
  }
  return text;
}

}  // namespace

Redaction::Redaction(std::vector<std::string> names) : names_{std::move(names)} {
  constexpr std::size_t shortest = 3;
  std::erase_if(names_, [](const std::string& name) {
    return name.size() < shortest || name == "localhost" || address_at(name, 0) == name.size() || long_address_at(name, 0) == name.size();
  });
  std::sort(names_.begin(), names_.end());
  names_.erase(std::unique(names_.begin(), names_.end()), names_.end());
  std::sort(names_.begin(), names_.end(),
            [](const auto& left, const auto& right) { return left.size() > right.size(); });
}

std::string Redaction::operator()(std::string_view given) {
  std::string text = without_credentials(std::string{given});
  for (std::size_t at = 0; at < names_.size(); ++at)
    text = replaced(text, names_[at], "name-" + std::to_string(at + 1));
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const bool may_begin = std::isxdigit(static_cast<unsigned char>(text[at])) != 0 || text[at] == ':';
    std::size_t size = may_begin ? long_address_at(text, at) : 0;
    if (size == 0 && may_begin) size = address_at(text, at);
    const std::string address = normal(text.substr(at, size));
    if (size == 0 || is_of_every_machine(address)) {
      out.append(text, at, std::max<std::size_t>(size, 1));
    } else {
      auto& stand_in = stand_ins_[address];
      if (stand_in.empty()) stand_in = "address-" + std::to_string(++addresses_);
      out += stand_in;
    }
    at += std::max<std::size_t>(size, 1);
  }
  return out;
}

}  // namespace outpost::cli
