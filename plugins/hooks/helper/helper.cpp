#include "plugins/hooks/helper/helper.hpp"

#include "agent/base/text.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>

namespace outpost::hook {

namespace json = boost::json;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

int complain(int status, const std::string& message) {
  std::fprintf(stderr, "outpost-hook: %s\n", message.c_str());
  return status;
}

Helper::Helper() : channel_{variable("OUTPOST_SOCKET"), variable("OUTPOST_WORKSPACE")} {}

int Helper::run(const Arguments& arguments) {
  using Way = std::function<int()>;
  const std::map<std::string_view, Way> ways{
      {"result", [&] { return result(arguments); }},       {"junit", [&] { return junit(arguments); }},
      {"artifact", [&] { return hand_over(arguments); }},  {"var", [&] { return var(arguments); }},
      {"env", [&] { return env(arguments); }},             {"secret", [&] { return secret(arguments); }},
      {"redact", [&] { return redact(arguments); }},       {"group", [&] { return group(arguments); }},
      {"note", [&] { return annotate(arguments); }},       {"warn", [&] { return annotate(arguments); }},
      {"error", [&] { return annotate(arguments); }},      {"summary", [&] { return summary(arguments); }},
      {"progress", [&] { return progress(arguments); }},   {"status", [&] { return tell("status", {{"text", arguments.text()}}); }},
      {"timeout", [&] { return timeout(arguments); }},     {"heartbeat", [&] { return tell("heartbeat", {}); }},
      {"retry", [&] { return retry(arguments); }},         {"resource", [&] { return resource(arguments); }},
      {"metric", [&] { return metric(arguments); }},       {"component", [&] { return component(arguments); }},
      {"abort", [&] { return abort(arguments); }},         {"cancelled", [&] { return cancelled(); }},
      {"reboot", [&] { return tell("reboot", {{"why", arguments.text()}}); }},
      {"exec", [&] { return run_repeatedly(arguments); }},
  };
  return ways.at(arguments.verb->name)();
}

namespace {

/// JSON is UTF-8; other bytes are shown as they would be on a terminal.
json::object well_formed(json::object arguments) {
  for (auto& [key, value] : arguments)
    if (value.is_string() && !is_utf8(value.get_string())) value = printable(value.get_string(), value.get_string().size() * 4);
  return arguments;
}

}  // namespace

int Helper::tell(std::string_view verb, json::object given, bool show) {
  json::object arguments = well_formed(std::move(given));
  if (!channel_.has_agent() && variable("OUTPOST") == "1") {
    // What a hook reports must not be lost without a word.
    constexpr std::array<std::string_view, 6> without{"note", "warn", "error", "group", "retry", "var"};
    if (std::find(without.begin(), without.end(), verb) != without.end()) return ok;
    return complain(unavailable, std::string{verb} + ": the agent that runs this hook does not listen to hooks (OUTPOST_SOCKET is not set)");
  }
  if (!channel_.has_agent()) {
    const auto written = channel_.write_down(verb, std::move(arguments));
    return written ? ok : complain(unavailable, std::string{verb} + ": there is no agent, and " + written.error().message);
  }
  const auto answer = channel_.call(verb, std::move(arguments));
  if (!answer) return complain(unavailable, std::string{verb} + ": " + answer.error().message);
  if (!answer->message.empty()) complain(answer->status, std::string{verb} + ": " + printable(answer->message));
  if (show && answer->status == ok && !answer->value.is_null())
    std::printf("%s\n", answer->value.is_string() ? answer->value.get_string().c_str() : json::serialize(answer->value).c_str());
  return answer->status;
}

}  // namespace outpost::hook
