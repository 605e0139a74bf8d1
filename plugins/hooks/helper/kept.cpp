// The verbs that work by files and variables, with an agent and without.

#include "agent/base/text.hpp"
#include "agent/job/own_variables.hpp"
#include "plugins/hooks/helper/helper.hpp"
#include "plugins/hooks/helper/values.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

extern char** environ;

namespace outpost::hook {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

/// Longer values are journaled without themselves.
constexpr std::size_t longest_journaled = 4096;

Values shared_values() {
  const auto shared = variable("OUTPOST_SHARED"), workspace = variable("OUTPOST_WORKSPACE");
  if (!shared.empty()) return Values{fs::path{shared} / "vars"};
  return Values{fs::path{workspace.empty() ? "." : workspace} / ".hook-vars"};
}

/// What env set has said where there is no agent to remember it.
Values own_variables() {
  const auto workspace = variable("OUTPOST_WORKSPACE");
  return Values{fs::path{workspace.empty() ? "." : workspace} / ".hook-env"};
}

json::value value_of(const std::string& text, bool as_text) {
  boost::system::error_code error;
  if (!as_text)
    if (auto parsed = json::parse(text, error); !error) return parsed;
  return json::string{text};
}

void print(const json::value& value, bool as_json) {
  const std::string text = value.is_string() && !as_json ? std::string{value.get_string()} : json::serialize(value);
  std::printf("%s\n", text.c_str());
}

bool is_variable(std::string_view name) {
  const auto fits = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  for (const char c : name)
    if (!fits(c)) return false;
  return !name.empty() && (name.front() < '0' || name.front() > '9');
}

}  // namespace

int Helper::var(const Arguments& arguments) {
  const auto& action = arguments.words[0];
  const std::size_t due = action == "set" ? 3 : action == "get" || action == "unset" ? 2 : action == "list" ? 1 : 0;
  if (due == 0 || arguments.words.size() != due) return complain(usage, "var: outpost-hook var set NAME VALUE, get NAME, unset NAME, or list");
  const Values values = shared_values();
  if (action == "list") {
    for (const auto& [name, value] : values.all()) std::printf("%s=%s\n", name.c_str(), json::serialize(value).c_str());
    return ok;
  }
  const auto& name = arguments.words[1];
  if (!is_name(name)) return complain(usage, "var: \"" + printable(name, 80) + "\" is no name: letters, digits, . _ -");
  if (action == "get") {
    const auto value = values.get(name);
    if (!value) return complain(unavailable, "var: " + value.error().message);
    if (*value) return print(**value, arguments.has("--json")), ok;
    if (const auto otherwise = arguments.value("--default")) return std::printf("%s\n", otherwise->c_str()), ok;
    return complain(no, "var: there is no value " + name);
  }
  if (action == "unset") {
    if (!values.unset(name)) return complain(no, "var: there is no value " + name);
    return tell("var", {{"name", name}, {"unset", true}});
  }
  const bool is_secret = arguments.has("--secret");
  if (is_secret)
    if (const int status = hide(arguments.words[2]); status != ok) return status;
  const json::value value = value_of(arguments.words[2], arguments.has("--text"));
  if (const auto set = values.set(name, value); !set) return complain(unavailable, "var: " + set.error().message);
  json::object said{{"name", name}};
  if (!is_secret && arguments.words[2].size() <= longest_journaled) said["value"] = value;
  if (is_secret) said["secret"] = true;
  return tell("var", std::move(said));
}

int Helper::env(const Arguments& arguments) {
  const auto& action = arguments.words[0];
  const Values own = own_variables();
  if (action == "list" && arguments.words.size() == 1) {
    if (channel_.has_agent()) return tell("env", {}, true);
    for (const auto& [name, value] : own.all()) std::printf("%s=%s\n", name.c_str(), value.is_string() ? value.get_string().c_str() : "");
    return ok;
  }
  const bool sets = action == "set";
  if ((!sets && action != "unset") || arguments.words.size() < 2) return complain(usage, "env: outpost-hook env set NAME=VALUE..., unset NAME..., or list");
  json::object variables;
  for (std::size_t index = 1; index < arguments.words.size(); ++index) {
    const auto& word = arguments.words[index];
    const auto equals = word.find('=');
    const auto name = word.substr(0, equals);
    if (!is_variable(name) || (sets && equals == word.npos)) return complain(usage, "env: \"" + printable(word, 80) + "\" is not like NAME=VALUE");
    if (job::is_own_variable(name)) return complain(no, "env: " + printable(name, 80) + " is the contract's own and cannot be changed");
    if (sets) variables[name] = word.substr(equals + 1);
    else variables[name] = nullptr;
  }
  if (!channel_.has_agent())
    for (const auto& [name, value] : variables) {
      if (value.is_null()) static_cast<void>(own.unset(std::string{name}));
      else if (const auto set = own.set(std::string{name}, value); !set) return complain(unavailable, "env: " + set.error().message);
    }
  return tell("env", {{"set", std::move(variables)}});
}

int Helper::secret(const Arguments& arguments) {
  const auto& action = arguments.words[0];
  const fs::path directory{variable("OUTPOST_SECRETS")};
  if (action == "list" && arguments.words.size() == 1) {
    std::error_code error;
    if (!directory.empty())
      for (const auto& entry : fs::directory_iterator{directory, error}) std::printf("%s\n", entry.path().filename().c_str());
    return ok;
  }
  if (action != "get" || arguments.words.size() != 2) return complain(usage, "secret: outpost-hook secret get NAME, or list");
  const auto& name = arguments.words[1];
  if (name.empty() || name.front() == '.' || name.find('/') != name.npos) return complain(usage, "secret: \"" + printable(name, 80) + "\" is no name of a secret");
  const fs::path file = directory / name;
  if (directory.empty() || ::access(file.c_str(), R_OK) != 0)
    return complain(no, "secret: this hook has no secret " + printable(name, 80) + " (secrets: in outpost.yml)");
  if (arguments.has("--file")) return std::printf("%s\n", file.c_str()), ok;
  const Descriptor open{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
  std::array<char, std::size_t{64} * 1024> bytes;
  ssize_t size = 0;
  while ((size = ::read(open.get(), bytes.data(), bytes.size())) > 0) std::fwrite(bytes.data(), 1, static_cast<std::size_t>(size), stdout);
  return size < 0 ? complain(unavailable, "secret: " + file.string() + ": " + std::strerror(errno)) : ok;
}

int Helper::component(const Arguments& arguments) {
  const auto& what = arguments.words[0];
  if (what != "path" && what != "url" && what != "version") return complain(usage, "component: outpost-hook component path|url|version TYPE");
  std::string type = to_upper(arguments.words[1]);
  for (char& c : type)
    if (!((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))) c = '_';
  const std::string name = "OUTPOST_COMPONENT_" + type + "_" + to_upper(what);
  const auto value = variable(name.c_str());
  if (!value.empty()) return std::printf("%s\n", value.c_str()), ok;
  std::vector<std::string> there;
  for (char** each = environ; *each != nullptr; ++each) {
    constexpr std::string_view prefix = "OUTPOST_COMPONENT_", suffix = "_VERSION";
    const auto known = std::string_view{*each}.substr(0, std::string_view{*each}.find('='));
    if (known.starts_with(prefix) && known.ends_with(suffix)) there.push_back(to_lower(known.substr(prefix.size(), known.size() - prefix.size() - suffix.size())));
  }
  return complain(no, "component: " + name + " is not set; components of this job: " + (there.empty() ? "none" : join(there, ", ")));
}

}  // namespace outpost::hook
