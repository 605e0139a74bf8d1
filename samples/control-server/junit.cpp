#include "samples/control-server/junit.hpp"

#include "agent/base/text.hpp"
#include "samples/control-server/errors.hpp"

#include <expat.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace outpost::sample {
namespace {

namespace json = boost::json;

double seconds_of(std::string_view text) {
  const std::string trimmed{trim(text)};
  char* end = nullptr;
  const double value = std::strtod(trimmed.c_str(), &end);
  return trimmed.empty() || *end != '\0' || !std::isfinite(value) ? 0.0 : value;
}

/// An element that is open while the stream passes by.
struct Open {
  std::string name;
  std::map<std::string, std::string> attributes;
  std::optional<std::string> text;  ///< Up to the first child.
  bool has_children = false;
  json::object made;  ///< The suite or case that this element becomes.
  json::array properties;
};

class Reader {
 public:
  void begin(const char* name, const char** attributes) {
    if (!open_.empty()) open_.back().has_children = true;
    Open element;
    element.name = name;
    for (; *attributes; attributes += 2) element.attributes[attributes[0]] = attributes[1];
    if (element.name == "testsuite")
      element.made = {{"id", 0},
                      {"name", attribute(element, "name")},
                      {"tests", 0},
                      {"failures", 0},
                      {"errors", 0},
                      {"skipped", 0},
                      {"success", 0},
                      {"time", 0.0},
                      {"testcases", json::array{}},
                      {"properties", json::array{}}};
    if (element.name == "testcase")
      element.made = {{"name", attribute(element, "name")},
                      {"classname", attribute(element, "classname")},
                      {"time", seconds_of(attribute(element, "time"))},
                      {"action", "success"},
                      {"message", nullptr},
                      {"type", nullptr},
                      {"value", ""},
                      {"stdout", nullptr},
                      {"stderr", nullptr},
                      {"properties", json::array{}}};
    open_.push_back(std::move(element));
  }

  void characters(std::string_view text) {
    if (open_.empty() || open_.back().has_children) return;
    auto& own = open_.back().text;
    own ? * own += text : own.emplace(text);
  }

  void end() {
    const auto element = std::move(open_.back());
    open_.pop_back();
    auto* parent = open_.empty() ? nullptr : &open_.back();
    if (element.name == "testsuite") finish_suite(element);
    if (!parent) return;
    if (element.name == "property") add_property(*parent, element);
    if (element.name == "properties" && !parent->made.empty()) parent->made["properties"] = element.properties;
    if (element.name == "testcase" && parent->name == "testsuite") add_case(*parent, element.made);
    if (parent->name == "testcase") add_outcome(parent->made, element);
  }

  json::array suites;

 private:
  static std::string attribute(const Open& element, const std::string& name) {
    const auto found = element.attributes.find(name);
    return found == element.attributes.end() ? std::string{} : found->second;
  }
  static json::value optional_attribute(const Open& element, const std::string& name) {
    if (!element.attributes.contains(name)) return nullptr;
    return json::string{attribute(element, name)};
  }

  void finish_suite(const Open& element) {
    auto suite = element.made;
    suite["id"] = static_cast<std::int64_t>(suites.size());
    suites.emplace_back(std::move(suite));
  }

  static void add_property(Open& parent, const Open& element) {
    const std::string name{trim(attribute(element, "name"))};
    if (parent.name == "properties" && !name.empty())
      parent.properties.push_back({{"name", name}, {"value", attribute(element, "value")}});
  }

  static void add_case(Open& suite, const json::object& test) {
    const std::string_view action{test.at("action").as_string()};
    const auto* counter = action == "skipped"   ? "skipped"
                          : action == "error"   ? "errors"
                          : action == "failure" ? "failures"
                                                : "success";
    suite.made[counter].as_int64() += 1;
    suite.made["tests"].as_int64() += 1;
    suite.made["time"].as_double() += test.at("time").as_double();
    suite.made["testcases"].as_array().emplace_back(test);
  }

  static void add_outcome(json::object& test, const Open& element) {
    const json::value text = element.text ? json::value(json::string(*element.text)) : json::value(nullptr);
    if (element.name == "system-out") test["stdout"] = text;
    if (element.name == "system-err") test["stderr"] = text;
    if (element.name != "skipped" && element.name != "error" && element.name != "failure") return;
    test["action"] = json::string{element.name};
    test["message"] = optional_attribute(element, "message");
    test["type"] = optional_attribute(element, "type");
    test["value"] = text;
  }

  std::vector<Open> open_;
};

/// One suite against the one of that name in the previous run.
void compare_suite(json::object& suite, const json::object* previous) {
  const auto by_key = [](const json::object& of) {
    std::map<std::string, json::object> cases;
    for (const auto& test : of.at("testcases").as_array()) {
      const auto& object = test.as_object();
      const auto text = [&](const char* key) { return std::string{object.at(key).as_string()}; };
      cases[text("classname") + ":" + text("name")] = object;
    }
    return cases;
  };
  const auto before = previous ? by_key(*previous) : std::map<std::string, json::object>{};
  auto now = by_key(suite);
  std::multimap<std::string, json::object> sorted;
  std::int64_t regressions = 0, successfixes = 0, additions = 0, deletions = 0, unchanged = 0;
  const auto add = [&](json::object test, std::string_view state) {
    test["successfix"] = state == "RECOVERED";
    test["regression"] = state == "REGRESSED";
    if (!state.empty()) test["state"] = json::string{state};
    std::string name{test.at("name").as_string()};
    sorted.emplace(std::move(name), std::move(test));
  };
  for (const auto& [key, test] : before)
    if (!now.contains(key)) ++deletions, add(test, "REMOVED");
  for (const auto& [key, test] : now) {
    const auto old = before.find(key);
    if (old == before.end()) {
      ++additions;
      add(test, "ADDED");
      continue;
    }
    const auto& was = old->second.at("action").as_string();
    const auto& is = test.at("action").as_string();
    if (was == is)
      ++unchanged, add(test, "UNCHANGED");
    else if (was == "success" && is == "failure")
      ++regressions, add(test, "REGRESSED");
    else if (was == "failure" && is == "success")
      ++successfixes, add(test, "RECOVERED");
    else
      add(test, was == "skipped" ? "ADDED" : "");  // The original gives other changes no state.
  }
  json::array cases;
  for (auto& [name, test] : sorted) cases.emplace_back(std::move(test));
  suite["testcases"] = std::move(cases);
  suite["successfixes"] = successfixes;
  suite["regressions"] = regressions;
  suite["additions"] = additions;
  suite["deletions"] = deletions;
  suite["unchanged"] = unchanged;
}

}  // namespace

json::array read_junit(const std::filesystem::path& file) {
  Reader reader;
  const std::unique_ptr<XML_ParserStruct, decltype(&XML_ParserFree)> parser{XML_ParserCreateNS(nullptr, '}'),
                                                                            &XML_ParserFree};
  XML_SetUserData(parser.get(), &reader);
  XML_SetElementHandler(
      parser.get(),
      [](void* to, const char* name, const char** attributes) { static_cast<Reader*>(to)->begin(name, attributes); },
      [](void* to, const char*) { static_cast<Reader*>(to)->end(); });
  XML_SetCharacterDataHandler(parser.get(), [](void* to, const char* text, int size) {
    static_cast<Reader*>(to)->characters({text, static_cast<std::size_t>(size)});
  });
  std::ifstream stream{file, std::ios::binary};
  std::vector<char> piece(64 * 1024);
  for (bool last = false; !last;) {
    stream.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    last = stream.gcount() == 0;
    if (XML_Parse(parser.get(), piece.data(), static_cast<int>(stream.gcount()), last) != XML_STATUS_ERROR) continue;
    const auto code = XML_GetErrorCode(parser.get());
    if (code == XML_ERROR_NO_ELEMENTS) return {};
    throw ApiError{400,
                   std::string{"Invalid XML: "} + XML_ErrorString(code) + ": line " +
                       std::to_string(XML_GetCurrentLineNumber(parser.get())) + ", column " +
                       std::to_string(XML_GetCurrentColumnNumber(parser.get())),
                   {}};
  }
  return std::move(reader.suites);
}

void compare_with_previous(json::array& suites, const json::array& previous) {
  std::map<std::string, const json::object*> by_name;
  for (const auto& suite : previous) by_name[std::string{suite.at("name").as_string()}] = &suite.as_object();
  for (auto& suite : suites) {
    const auto found = by_name.find(std::string{suite.at("name").as_string()});
    compare_suite(suite.as_object(), found == by_name.end() ? nullptr : found->second);
  }
}

TestCounts count_tests(const json::array& suites) {
  TestCounts counts;
  for (const auto& suite : suites) {
    const auto number = [&](const char* key) { return suite.at(key).as_int64(); };
    counts.total += number("tests");
    counts.success += number("success");
    counts.skips += number("skipped");
    counts.failures += number("failures");
    counts.errors += number("errors");
    counts.regressions += number("regressions");
    counts.successfixes += number("successfixes");
    counts.time += suite.at("time").as_double();
  }
  return counts;
}

}  // namespace outpost::sample
