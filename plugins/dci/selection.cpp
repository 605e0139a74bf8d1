#include "plugins/dci/selection.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>
#include <charconv>

namespace outpost::dci {
namespace {

namespace json = boost::json;

// A build tag asks for itself or anything further along: a nightly selection is content with a released build.
constexpr std::array<std::string_view, 4> build_stages{"build:nightly", "build:dev", "build:candidate", "build:ga"};

// What a component can be asked by; `data` and `tags` have their own rules.
const std::vector<std::string> component_fields{
    "id",    "name",       "display_name", "version",     "uid",      "type",    "canonical_project_name",
    "title", "message",    "url",          "released_at", "topic_id", "team_id", "state",
    "etag",  "created_at", "updated_at"};

/// Text in which %3a, %3f and %26 are replaced, and where each character came from.
struct Decoded {
  std::string text;
  std::vector<std::size_t> origin;
};

Decoded decode(std::string_view text) {
  Decoded decoded;
  for (std::size_t at = 0; at < text.size(); ++at) {
    decoded.origin.push_back(at + 1);
    const std::string code = to_lower(text.substr(at, 3));
    if (code == "%3a" || code == "%3f" || code == "%26") {
      decoded.text += code == "%3a" ? ':' : code == "%3f" ? '?' : '&';
      at += 2;
    } else {
      decoded.text += text[at];
    }
  }
  decoded.origin.push_back(text.size() + 1);
  return decoded;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : written_{text}, decoded_{decode(text)} {
    selection_.text = std::string{text};
  }

  Result<Selection> parse() {
    const std::string& text = decoded_.text;
    const auto question = text.find('?');
    const auto equals = text.find('=');
    if (equals < question) {
      selection_.type = to_lower(text.substr(0, equals));
      if (question != std::string::npos)
        return error(question, "\"=\" and \"?\" cannot be combined; write " + printable(selection_.type, 100) +
                                   "?version:" + printable(text.substr(equals + 1, question - equals - 1), 100) + "&...");
      if (auto checked = check_type(0); !checked) return checked.error();
      if (auto added = add_field("version", text.substr(equals + 1), equals + 1); !added) return added.error();
      return std::move(selection_);
    }
    selection_.type = to_lower(text.substr(0, question));
    if (auto checked = check_type(0); !checked) return checked.error();
    if (question == std::string::npos) return std::move(selection_);
    std::size_t at = question + 1;
    for (const auto& term : split(std::string_view{text}.substr(at), '&')) {
      if (auto added = add_term(term, at); !added) return added.error();
      at += term.size() + 1;
    }
    finish_build_tags();
    return std::move(selection_);
  }

 private:
  Error error(std::size_t at, const std::string& message) const {
    return Error{Fault::malformed, "selection \"" + printable(written_, 200) + "\", character " +
                                       std::to_string(decoded_.origin.at(std::min(at, decoded_.origin.size() - 1))) +
                                       ": " + message};
  }

  Result<void> check_type(std::size_t at) const {
    if (selection_.type.empty()) return error(at, "the component type is missing (example: ocp?tags:build:ga)");
    for (std::size_t i = 0; i < selection_.type.size(); ++i) {
      const char c = selection_.type[i];
      if (static_cast<unsigned char>(c) <= ' ' || std::string_view{"*&,()\"'"}.find(c) != std::string_view::npos)
        return error(at + i, "a component type has no such character");
    }
    return {};
  }

  Result<void> add_term(const std::string& term, std::size_t at) {
    const auto colon = term.find(':');
    if (term.empty()) return error(at, "a condition is missing (example: tags:build:ga)");
    if (colon == std::string::npos)
      return error(at, "\"" + printable(term, 100) + "\" is not field:value (example: name:4.14.1)");
    const std::string field = term.substr(0, colon);
    const std::string value = term.substr(colon + 1);
    if (field == "tags") return add_tags(value, at + colon + 1);
    if (std::find(component_fields.begin(), component_fields.end(), field) == component_fields.end()) {
      const auto meant = nearest(field, component_fields);
      return error(at, "a component has no field \"" + printable(field, 100) + "\"" +
                           (meant ? "; did you mean " + *meant + "?" : "; it has name, version, tags, url..."));
    }
    return add_field(field, value, at + colon + 1);
  }

  Result<void> add_field(const std::string& field, std::string value, std::size_t at) {
    if (value.empty()) return error(at, field + " has no value");
    const auto star = value.find('*');
    const bool wildcard = value.ends_with('*');
    if (star != std::string::npos && !wildcard)
      return error(at + star, "a * works only when the value also ends with one (example: name:4.14*)");
    selection_.fields.push_back({field, std::move(value), wildcard});
    return {};
  }

  Result<void> add_tags(const std::string& value, std::size_t at) {
    for (const auto& tag : split(value, ',')) {
      if (tag.empty()) return error(at, "a tag is missing (example: tags:build:ga,daily)");
      auto& list = std::find(build_stages.begin(), build_stages.end(), tag) == build_stages.end()
                       ? selection_.tags
                       : selection_.build_tags;
      list.push_back(tag);
      at += tag.size() + 1;
    }
    return {};
  }

  void finish_build_tags() {
    if (selection_.build_tags.empty()) return;
    auto furthest = build_stages.begin();
    for (const auto& tag : selection_.build_tags)
      furthest = std::max(furthest, std::find(build_stages.begin(), build_stages.end(), tag));
    selection_.build_tags.assign(furthest, build_stages.end());
  }

  std::string_view written_;
  Decoded decoded_;
  Selection selection_;
};

Result<int> days_of(const json::value& value, const std::string& text) {
  int days = 0;
  bool good = false;
  if (value.is_int64() || value.is_uint64()) {
    days = static_cast<int>(std::clamp<std::int64_t>(value.is_int64() ? value.get_int64() : 1'000'000, 0, 1'000'000));
    good = true;
  } else if (value.is_string()) {
    const std::string_view digits{value.get_string().data(), value.get_string().size()};
    const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), days);
    good = failed == std::errc{} && end == digits.data() + digits.size();
  }
  if (!good || days < 1 || days > 36500)
    return Error{Fault::malformed,
                 "selection " + printable(text, 200) + ": max_age: a whole number of days from 1 is due"};
  return days;
}

/// A list of texts, or one text alone.
Result<std::vector<std::string>> texts_of(const json::value& value, const std::string& where) {
  std::vector<std::string> texts;
  const json::array one{value};
  for (const auto& element : value.is_array() ? value.get_array() : one) {
    if (!element.is_string() || element.get_string().empty())
      return Error{Fault::malformed, where + ": a list of tags is due"};
    texts.emplace_back(element.get_string());
  }
  return texts;
}

Result<Selection> parse_mapping(std::string_view text) {
  boost::system::error_code failed;
  const json::value value = json::parse({text.data(), text.size()}, failed);
  const std::string shown{text};
  if (failed || !value.is_object())
    return Error{Fault::malformed, "selection " + printable(shown, 200) + ": not a JSON object"};
  Selection selection;
  for (const auto& [key_view, element] : value.get_object()) {
    const std::string key{key_view};
    const std::string where = "selection " + printable(shown, 200) + ": " + printable(key, 100);
    if (key == "type") {
      // The type may carry conditions: {type: "ocp?version:4.16*", max_age: 3}.
      auto inner = element.is_string()
                       ? parse_selection(std::string_view{element.get_string().data(), element.get_string().size()})
                       : Result<Selection>{Error{Fault::malformed, "not a text"}};
      if (!inner) return std::move(inner).error().in(where);
      selection.type = inner->type;
      selection.fields = inner->fields;
      selection.build_tags = inner->build_tags;
      selection.tags.insert(selection.tags.end(), inner->tags.begin(), inner->tags.end());
    } else if (key == "priority_tags" || key == "tags") {
      auto tags = texts_of(element, where);
      if (!tags) return tags.error();
      auto& list = key == "tags" ? selection.tags : selection.priority_tags;
      list.insert(list.end(), tags->begin(), tags->end());
    } else if (key == "max_age") {
      auto days = days_of(element, shown);
      if (!days) return days.error();
      selection.max_age_days = *days;
    } else {
      static const std::vector<std::string> keys{"type", "priority_tags", "tags", "max_age"};
      const auto meant = nearest(key, keys);
      return Error{Fault::malformed, where + ": unknown key" + (meant ? "; did you mean " + *meant + "?" : "")};
    }
  }
  if (selection.type.empty())
    return Error{Fault::malformed, "selection " + printable(shown, 200) + ": the key type is missing"};
  selection.text = shown;
  selection.by_creation = true;
  return selection;
}

}  // namespace

Result<Selection> parse_selection(std::string_view text) {
  if (trim(text).starts_with('{')) return parse_mapping(trim(text));
  return Parser{trim(text)}.parse();
}

}  // namespace outpost::dci
