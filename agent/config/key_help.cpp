#include "agent/config/key_help.hpp"

#include "agent/base/text.hpp"

#include <boost/json/array.hpp>

#include <algorithm>

namespace outpost::config {

namespace json = boost::json;

/// outpost.yml.5, put into the program by CMakeLists.txt.
extern const char* const configuration_page;

namespace {

/// A line of the page without the escapes and macros that ours use.
std::string plain(std::string_view line) {
  std::string text{line};
  for (const char* font : {"\\fR", "\\fB", "\\fI", "\\fP", "\\&"}) text = replace_all(text, font, "");
  text = replace_all(replace_all(text, "\\-", "-"), "\\(aq", "'");
  if (!text.starts_with(".B") && !text.starts_with(".I") && !text.starts_with(".RB") && !text.starts_with(".RI"))
    return text;
  text.erase(0, std::min(text.find(' ') + 1, text.size()));
  // Of the two fonts of .BR each word is one, and what is in quotes: they stand together.
  std::string joined;
  bool quoted = false;
  const bool two = line.size() > 3 && line[2] != ' ';
  for (const char byte : text) {
    if (byte == '"')
      quoted = !quoted;
    else if (byte != ' ' || quoted || !two)
      joined += byte;
  }
  return joined;
}

/// "sources.NAME of type dci" and "At the top" are headings of keys.
std::string prefix_of(std::string_view heading) {
  if (heading == "At the top") return "";
  return std::string{heading.substr(0, heading.find(" of type "))} + ".";
}

}  // namespace

std::vector<KeyHelp> all_key_help() {
  std::vector<KeyHelp> all;
  std::string prefix;
  bool in_keys = false, in_text = false;
  std::size_t group = 0;  ///< Keys that one paragraph describes.
  const auto lines = split(configuration_page, '\n');
  for (std::size_t at = 0; at < lines.size(); ++at) {
    const std::string& line = lines[at];
    if (line.starts_with(".SH ")) in_keys = line == ".SH KEYS";
    if (!in_keys) continue;
    if (line.starts_with(".SS ")) prefix = prefix_of(plain(line.substr(4)));
    if (line.starts_with(".SS ") || line.starts_with(".PP")) in_text = false;
    if (line == ".TP" && at + 1 < lines.size()) {
      const std::string tag = plain(lines[++at]);
      const auto open = tag.find('(');
      const std::string names = tag.substr(0, open);
      const std::string kind = open == std::string::npos ? "" : tag.substr(open + 1, tag.rfind(')') - open - 1);
      group = 0;
      for (const auto& name : split(names, ',')) {
        all.push_back({prefix + std::string{trim(name)}, kind, {}});
        ++group;
      }
      in_text = true;
    } else if (in_text && !line.starts_with(".\\\"")) {
      const bool example = line == ".EX" || line == ".EE" || line == ".RS" || line == ".RE" || line == ".br";
      for (std::size_t back = 1; back <= group && !example; ++back) {
        auto& text = all[all.size() - back].text;
        text += (text.empty() ? "" : " ") + plain(line);
      }
    }
  }
  return all;
}

std::vector<KeyHelp> help_for(std::string_view word) {
  std::vector<KeyHelp> exact, loose;
  const auto wanted = split(word, '.');
  for (auto& key : all_key_help()) {
    const auto parts = split(key.path, '.');
    const bool same = parts.size() == wanted.size() &&
                      std::equal(parts.begin(), parts.end(), wanted.begin(),
                                 [](const auto& part, const auto& given) { return part == "NAME" || part == given; });
    std::vector<std::string> unnamed = parts;
    std::erase(unnamed, "NAME");
    const bool short_form = unnamed == wanted;
    const bool tail = wanted.size() < unnamed.size() && std::equal(wanted.rbegin(), wanted.rend(), unnamed.rbegin());
    if (same || short_form)
      exact.push_back(std::move(key));
    else if (tail)
      loose.push_back(std::move(key));
  }
  return exact.empty() ? loose : exact;
}

namespace {

json::object schema_of(const std::string& kind) {
  const auto is = [&](std::string_view word) { return kind.starts_with(word); };
  if (is("mapping")) return {{"type", "object"}};
  if (is("list")) return {{"type", "array"}};
  if (is("boolean")) return {{"type", "boolean"}};
  if (is("duration")) return {{"type", "string"}, {"pattern", "^([0-9.]+(ms|s|m|min|h|d))+$"}};
  if (is("number")) return {{"type", "number"}};
  // Sizes, counts and texts alike may be written as numbers: 4.16 is a topic.
  if (!kind.empty() && kind.front() >= '0' && kind.front() <= '9') return {{"type", "integer"}};
  if (is("secret")) return {{"type", json::array{"string", "object"}}};
  return {{"type", json::array{"string", "number"}}};
}

json::object& member(json::object& parent, std::string_view key) {
  auto& value = parent[key];
  if (!value.is_object()) value = json::object{};
  return value.get_object();
}

}  // namespace

json::object schema_of_configuration() {
  json::object root{{"$schema", "http://json-schema.org/draft-07/schema#"},
                    {"title", "outpost.yml"},
                    {"type", "object"},
                    {"additionalProperties", false}};
  for (const auto& key : all_key_help()) {
    json::object* place = &root;
    const auto parts = split(key.path, '.');
    for (std::size_t at = 0; at + 1 < parts.size(); ++at) {
      const bool of_list = parts[at] == "jobs" && parts[at + 1] == "NAME";
      if (parts[at] == "NAME") continue;
      place = &member(member(*place, "properties"), parts[at]);
      if (parts[at + 1] != "NAME") {
        (*place)["type"] = "object";
        (*place)["additionalProperties"] = false;
        continue;
      }
      (*place)["type"] = of_list ? "array" : "object";
      place = &member(*place, of_list ? "items" : "additionalProperties");
      (*place)["type"] = "object";
      (*place)["additionalProperties"] = false;
    }
    auto& own = member(member(*place, "properties"), parts.back());
    for (const auto& [name, value] : schema_of(key.kind))
      if (!own.contains(name)) own[name] = value;
    own["description"] = key.text + " (" + key.kind + ")";
    // How the key `type` decides is more than a schema for an editor has to know.
    if (key.kind.find("required") != std::string::npos && key.kind.find("required for") == std::string::npos) {
      auto& required = (*place)["required"];
      if (!required.is_array()) required = json::array{};
      required.get_array().emplace_back(parts.back());
    }
  }
  return root;
}

}  // namespace outpost::config
