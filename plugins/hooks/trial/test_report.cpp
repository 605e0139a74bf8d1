#include "plugins/hooks/trial/test_report.hpp"

#include "agent/base/text.hpp"
#include "agent/base/units.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <iomanip>
#include <sstream>

namespace outpost::hooks {

namespace json = boost::json;
using State = TestOutcome::State;

namespace {

constexpr std::size_t output_kept = std::size_t{64} * 1024;

std::string text_at(const json::object& object, std::string_view key) {
  return std::string{object.at(key).as_string()};
}

std::string place_of(const Mismatch& mismatch) {
  return (mismatch.where.file.empty() ? "" : mismatch.where.text() + ": ") + printable(mismatch.what, 200);
}

/// Text that XML can hold: what it forbids even as a reference becomes a question mark.
std::string as_xml(std::string_view text) {
  std::string result;
  const bool utf8 = is_utf8(text);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '&')
      result += "&amp;";
    else if (c == '<')
      result += "&lt;";
    else if (c == '>')
      result += "&gt;";
    else if (c == '"')
      result += "&quot;";
    else if (c == '\n' || c == '\t')
      result += c;
    else if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !utf8))
      result += '?';
    else
      result += c;
  }
  return result;
}

std::string details_of(const TestOutcome& outcome) {
  std::string text = outcome.why.empty() ? "" : outcome.why + "\n";
  for (const auto& each : outcome.mismatches) text += place_of(each) + "\n" + each.detail + "\n";
  return text;
}

std::string seconds(std::chrono::milliseconds duration) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(3) << static_cast<double>(duration.count()) / 1000.0;
  return text.str();
}

}  // namespace

std::string_view to_string(State state) {
  switch (state) {
    case State::passed: return "passed";
    case State::failed: return "failed";
    case State::skipped: return "skipped";
  }
  return "";
}

json::object to_json(const TestOutcome& outcome) {
  json::array mismatches;
  for (const auto& each : outcome.mismatches)
    mismatches.push_back({{"file", each.where.file},
                          {"line", each.where.line},
                          {"column", each.where.column},
                          {"what", each.what},
                          {"detail", each.detail}});
  return {{"plugin", outcome.plugin},
          {"case", outcome.name},
          {"fault", outcome.fault},
          {"state", to_string(outcome.state)},
          {"why", outcome.why},
          {"mismatches", std::move(mismatches)},
          {"duration_ms", outcome.duration.count()},
          {"output", outcome.output.substr(0, output_kept)},
          {"kept", outcome.kept}};
}

Result<TestOutcome> test_outcome_from_json(const json::value& value) {
  try {
    const auto& object = value.as_object();
    TestOutcome outcome{
        .plugin = text_at(object, "plugin"), .name = text_at(object, "case"), .fault = text_at(object, "fault")};
    for (const auto state : {State::passed, State::failed, State::skipped})
      if (to_string(state) == text_at(object, "state")) outcome.state = state;
    outcome.why = text_at(object, "why");
    for (const auto& each : object.at("mismatches").as_array()) {
      const auto& one = each.as_object();
      outcome.mismatches.push_back(
          {{text_at(one, "file"), one.at("line").to_number<int>(), one.at("column").to_number<int>()},
           text_at(one, "what"),
           text_at(one, "detail")});
    }
    outcome.duration = std::chrono::milliseconds{object.at("duration_ms").to_number<std::int64_t>()};
    outcome.output = text_at(object, "output");
    outcome.kept = text_at(object, "kept");
    return outcome;
  } catch (const std::exception& error) {
    return Error{Fault::malformed, std::string{"no outcome of a test: "} + error.what()};
  }
}

std::string human_report(const TestOutcome& outcome, std::size_t width) {
  const std::string title = printable(outcome.title());
  std::string state{to_string(outcome.state)};
  if (outcome.state != State::passed) state = to_upper(state);
  std::string text = title + std::string(width - std::min(width, title.size()) + 2, ' ') + state +
                     std::string(9 - state.size(), ' ') + format_duration(outcome.duration) + "\n";
  if (!outcome.why.empty()) text = state + ": " + title + ": " + printable(outcome.why, 2000) + "\n";
  for (const auto& each : outcome.mismatches) {
    text += "  " + place_of(each) + "\n";
    for (const auto& line : split(each.detail, '\n')) text += "    " + line + "\n";
  }
  if (!outcome.kept.empty()) text += "  files: " + printable(outcome.kept) + "\n";
  return text;
}

std::string test_summary(const std::vector<TestOutcome>& outcomes) {
  const auto count = [&](State state) {
    return std::to_string(
               std::count_if(outcomes.begin(), outcomes.end(), [&](const auto& one) { return one.state == state; })) +
           " " + std::string{to_string(state)};
  };
  return count(State::passed) + ", " + count(State::failed) + ", " + count(State::skipped);
}

std::string junit_report(const std::vector<TestOutcome>& outcomes) {
  std::vector<std::string> plugins;
  for (const auto& one : outcomes)
    if (std::find(plugins.begin(), plugins.end(), one.plugin) == plugins.end()) plugins.push_back(one.plugin);
  std::string text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n";
  for (const auto& plugin : plugins) {
    std::string cases;
    std::size_t tests = 0, failures = 0, skipped = 0;
    std::chrono::milliseconds took{};
    for (const auto& one : outcomes) {
      if (one.plugin != plugin) continue;
      ++tests;
      took += one.duration;
      cases += "    <testcase classname=\"" + as_xml(plugin) + "\" name=\"" + as_xml(one.title()) + "\" time=\"" +
               seconds(one.duration) + "\">";
      if (one.state == State::failed) {
        ++failures;
        const std::string first = one.mismatches.empty() ? one.why : place_of(one.mismatches.front());
        cases += "<failure message=\"" + as_xml(first) + "\">" + as_xml(details_of(one)) + "</failure>";
      } else if (one.state == State::skipped) {
        ++skipped;
        cases += "<skipped message=\"" + as_xml(one.why) + "\"/>";
      }
      if (!one.output.empty()) cases += "<system-out>" + as_xml(one.output) + "</system-out>";
      cases += "</testcase>\n";
    }
    text += "  <testsuite name=\"" + as_xml(plugin) + "\" tests=\"" + std::to_string(tests) + "\" failures=\"" +
            std::to_string(failures) + "\" errors=\"0\" skipped=\"" + std::to_string(skipped) + "\" time=\"" +
            seconds(took) + "\">\n" + cases + "  </testsuite>\n";
  }
  return text + "</testsuites>\n";
}

}  // namespace outpost::hooks
