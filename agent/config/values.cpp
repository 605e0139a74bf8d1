#include "agent/config/values.hpp"

#include "agent/base/text.hpp"
#include "agent/base/units.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace outpost::config {

using std::chrono::milliseconds;

namespace {

const char* kind_name(const Node& node) {
  switch (node.kind) {
    case Node::Kind::null: return "no value";
    case Node::Kind::scalar: return "a single value";
    case Node::Kind::list: return "a list";
    case Node::Kind::map: return "a mapping";
  }
  return "";
}

/// Whether it is a scalar; notes a problem otherwise.
bool is_scalar(Reading& reading, const Node& node, std::string_view label, std::string_view due) {
  if (node.kind == Node::Kind::scalar) return true;
  wrong_kind(reading, node, label, due);
  return false;
}

/// Numbers and booleans in quotes are text, as in every other reader of YAML.
bool is_plain(Reading& reading, const Node& node, std::string_view label, std::string_view due) {
  if (!is_scalar(reading, node, label, due)) return false;
  if (!node.quoted) return true;
  reading.problem(node.origin, label,
                  quote(node.text) + " in quotes is text, but " + std::string{due} + " is due (remove the quotes)");
  return false;
}

/// A limit as people write it: "30d", "1s".
std::string as_written(milliseconds limit) {
  static constexpr std::pair<std::int64_t, const char*> units[] = {
      {86'400'000, "d"}, {3'600'000, "h"}, {60'000, "min"}, {1000, "s"}};
  for (const auto& [size, name] : units)
    if (limit.count() >= size && limit.count() % size == 0) return std::to_string(limit.count() / size) + name;
  return std::to_string(limit.count()) + "ms";
}

bool has_control_bytes(std::string_view text, bool lines_allowed) {
  return std::any_of(text.begin(), text.end(), [&](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && !(lines_allowed && (c == '\n' || c == '\t'))) || byte == 0x7f;
  });
}

std::optional<std::string> text_of(Reading& reading, const Node& node, std::string_view label, bool lines_allowed) {
  if (!is_scalar(reading, node, label, "text")) return std::nullopt;
  if (!has_control_bytes(trim(node.text), lines_allowed)) return std::string{trim(node.text)};
  reading.problem(node.origin, label, quote(node.text) + " has a line break or another control byte in it");
  return std::nullopt;
}

struct UrlRules {
  bool user = false, query = false;
};

bool is_port(std::string_view digits) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  return error == std::errc{} && end == digits.data() + digits.size() && port >= 1 && port <= 65535;
}

/// What is wrong with it; empty when nothing is.
std::string why_no_url(std::string_view text, UrlRules rules) {
  const auto url = boost::urls::parse_uri(text);
  const bool web = text.substr(0, 7) == "http://" || text.substr(0, 8) == "https://";
  if (!web || !url || url->host().empty()) return "is not an address that starts with https:// or http://";
  if (url->has_port() && !is_port(url->port())) return "has a port that is none (1 to 65535)";
  if (url->has_userinfo() && !rules.user) return "has a user in it; that belongs into credentials";
  if ((url->has_query() || url->has_fragment()) && !rules.query) return "has a ? or #; write only what comes before it";
  return {};
}

}  // namespace

std::string quote(std::string_view text) { return "\"" + printable(text, 80) + "\""; }

std::string suggestion(std::string_view word, const std::vector<std::string>& candidates) {
  auto near = nearest(word, candidates);
  // "limti" for "limit" and "cache" for "cache_limit" are far by the count of wrong letters, but plain to see.
  for (const auto& candidate : candidates) {
    const bool swapped =
        word.size() == candidate.size() && std::is_permutation(word.begin(), word.end(), candidate.begin());
    const bool longer =
        word.size() >= 3 && candidate.size() >= 3 && (candidate.starts_with(word) || word.starts_with(candidate));
    if (!near && (swapped || longer)) near = candidate;
  }
  return near ? " (did you mean " + quote(*near) + "?)" : "";
}

void wrong_kind(Reading& reading, const Node& node, std::string_view label, std::string_view due) {
  reading.problem(node.origin, label, std::string{kind_name(node)} + ", but " + std::string{due} + " is due");
}

std::optional<std::string> as_text(Reading& reading, const Node& node, std::string_view label) {
  return text_of(reading, node, label, false);
}

std::optional<std::string> as_prose(Reading& reading, const Node& node, std::string_view label) {
  return text_of(reading, node, label, true);
}

std::optional<std::string> as_name(Reading& reading, const Node& node, std::string_view label) {
  if (!is_scalar(reading, node, label, "a name")) return std::nullopt;
  const auto fits = [](char c) {
    return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  };
  const std::string& name = node.text;
  const bool starts_well = !name.empty() && fits(name.front()) && name.front() != '.' && name.front() != '-';
  if (starts_well && name.size() <= 64 && std::all_of(name.begin(), name.end(), fits)) return name;
  reading.problem(node.origin, label, quote(name) + " is not a name (letters, digits, '.', '_' and '-', at most 64)");
  return std::nullopt;
}

std::optional<bool> as_boolean(Reading& reading, const Node& node, std::string_view label) {
  if (!is_plain(reading, node, label, "true or false")) return std::nullopt;
  if (node.text == "true") return true;
  if (node.text == "false") return false;
  const std::string word = to_lower(node.text);
  const bool means_true = word == "yes" || word == "on" || word == "true" || word == "y" || word == "1";
  const bool means_false = word == "no" || word == "off" || word == "false" || word == "n" || word == "0";
  reading.problem(node.origin, label,
                  quote(node.text) + (means_true    ? " is not a boolean (write true)"
                                      : means_false ? " is not a boolean (write false)"
                                                    : " is not a boolean (write true or false)"));
  return std::nullopt;
}

std::optional<std::int64_t> as_integer(Reading& reading, const Node& node, std::string_view label, std::int64_t least,
                                       std::int64_t most) {
  if (!is_plain(reading, node, label, "a whole number")) return std::nullopt;
  const std::string& text = node.text;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool octal = text.size() > 1 && text.front() == '0';  // Some readers of YAML take 010 for 8.
  if (error != std::errc{} || end != text.data() + text.size() || octal) {
    reading.problem(node.origin, label, quote(text) + " is not a whole number (example: 2)");
    return std::nullopt;
  }
  if (value < least || value > most) {
    reading.problem(node.origin, label,
                    text + " is not between " + std::to_string(least) + " and " + std::to_string(most));
    return std::nullopt;
  }
  return value;
}

std::optional<double> as_number(Reading& reading, const Node& node, std::string_view label, double least) {
  if (!is_plain(reading, node, label, "a number")) return std::nullopt;
  const std::string& text = node.text;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool is_number = error == std::errc{} && end == text.data() + text.size() && std::isfinite(value);
  if (is_number && value >= least) return value;
  reading.problem(node.origin, label,
                  is_number ? text + " is too small" : quote(text) + " is not a number (example: 2.5)");
  return std::nullopt;
}

std::optional<milliseconds> as_duration(Reading& reading, const Node& node, std::string_view label, milliseconds least,
                                        milliseconds most) {
  if (!is_scalar(reading, node, label, "a duration (example: 10min)")) return std::nullopt;
  const std::string shown = quote(node.text);
  const auto value = parse_duration(node.text);
  const auto out_of_range = [&] { reading.problem(node.origin, label, shown + " is not between " + as_written(least) + " and " + as_written(most)); };
  if (!value && value.error().fault == Fault::refused) return out_of_range(), std::nullopt;
  if (!value) {
    const bool bare = !node.text.empty() && node.text.find_first_not_of("0123456789.") == std::string::npos;
    reading.problem(node.origin, label,
                    bare ? shown + " has no unit (write " + node.text + "s, " + node.text + "min, " + node.text +
                               "h or " + node.text + "d)"
                         : shown + " is not a duration (example: 10min)");
    return std::nullopt;
  }
  if (*value >= least && *value <= most) return *value;
  return out_of_range(), std::nullopt;
}

std::optional<std::uint64_t> as_size(Reading& reading, const Node& node, std::string_view label, std::uint64_t least) {
  if (!is_scalar(reading, node, label, "a size (example: 5GiB)")) return std::nullopt;
  const auto value = parse_size(node.text);
  if (!value) {
    reading.problem(node.origin, label, quote(node.text) + " is not a size (example: 5GiB)");
    return std::nullopt;
  }
  if (*value >= least) return *value;
  reading.problem(node.origin, label, quote(node.text) + " is less than " + format_size(least));
  return std::nullopt;
}

std::optional<std::string> as_url(Reading& reading, const Node& node, std::string_view label) {
  auto text = as_text(reading, node, label);
  if (!text) return std::nullopt;
  if (const std::string why = why_no_url(*text, {}); !why.empty()) {
    // Somebody who writes user:password@host shall not find it in a log.
    const bool private_part = text->find('@') != std::string::npos;
    reading.problem(node.origin, label, (private_part ? "the address" : quote(*text)) + " " + why);
    return std::nullopt;
  }
  while (text->ends_with('/')) text->pop_back();
  return text;
}

std::optional<std::string> as_private_url(Reading& reading, const Node& node, std::string_view label) {
  auto text = as_text(reading, node, label);
  if (!text) return std::nullopt;
  const std::string why = why_no_url(*text, {.user = true, .query = true});
  if (why.empty()) return text;
  reading.problem(node.origin, label, "the value (not shown: it may hold a secret) " + why);
  return std::nullopt;
}

std::optional<std::filesystem::path> as_path(Reading& reading, const Node& node, std::string_view label) {
  const auto text = as_text(reading, node, label);
  if (!text) return std::nullopt;
  if (text->empty() || text->front() == '~' || text->front() == '$') {
    reading.problem(node.origin, label,
                    quote(*text) + " is not a path (~ and $ are not expanded: write the whole path)");
    return std::nullopt;
  }
  return (reading.directory / *text).lexically_normal();
}

const std::vector<Node>& items_of(Reading& reading, const Node& node, std::string_view label,
                                  std::string_view example) {
  static const std::vector<Node> none;
  if (node.kind == Node::Kind::list) return node.items;
  if (node.kind != Node::Kind::null) wrong_kind(reading, node, label, "a list (example: " + std::string{example} + ")");
  return none;
}

std::vector<std::string> as_texts(Reading& reading, const Node& node, std::string_view label) {
  std::vector<std::string> texts;
  const std::string example =
      node.kind == Node::Kind::scalar ? "[" + replace_all(printable(node.text, 40), " ", ", ") + "]" : "[one, two]";
  for (const auto& item : items_of(reading, node, label, example)) {
    auto text = as_text(reading, item, label);
    if (text && text->empty()) reading.problem(item.origin, label, "an empty text in the list");
    if (text && !text->empty()) texts.push_back(std::move(*text));
  }
  return texts;
}

namespace {

using ScalarReader = boost::json::value (*)(const Node&);

boost::json::value tree_as_json(const Node& node, ScalarReader scalar) {
  switch (node.kind) {
    case Node::Kind::null: return nullptr;
    case Node::Kind::scalar: return scalar(node);
    case Node::Kind::list: {
      boost::json::array array;
      for (const auto& item : node.items) array.push_back(tree_as_json(item, scalar));
      return array;
    }
    case Node::Kind::map: {
      boost::json::object object;
      for (const auto& item : node.items) object.insert_or_assign(item.key, tree_as_json(item, scalar));
      return object;
    }
  }
  return nullptr;
}

}  // namespace

boost::json::value as_json(const Node& node) {
  return tree_as_json(node, [](const Node& scalar) -> boost::json::value {
    if (!scalar.quoted && (scalar.text == "true" || scalar.text == "false")) return scalar.text == "true";
    return boost::json::string{scalar.text};
  });
}

boost::json::value as_typed_json(const Node& node) {
  return tree_as_json(node, [](const Node& scalar) -> boost::json::value {
    const std::string& text = scalar.text;
    if (scalar.quoted) return boost::json::string{text};
    if (text.empty() || text == "~" || text == "null") return nullptr;
    if (text == "true" || text == "false") return text == "true";
    std::int64_t whole = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), whole);
    // 010 and 1e3 stay as they are: nobody else may see another number in them.
    const bool exact = parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size() && std::to_string(whole) == text;
    return exact ? boost::json::value(whole) : boost::json::value(boost::json::string{text});
  });
}

}  // namespace outpost::config
