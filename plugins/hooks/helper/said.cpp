// The verbs by which a hook tells the agent something.

#include "agent/base/text.hpp"
#include "plugins/hooks/helper/helper.hpp"
#include "plugins/hooks/helper/values.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <fcntl.h>
#include <glob.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace outpost::hook {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 5> outcomes{"pass", "fail", "error", "skip", "xfail"};

std::optional<double> number_of(const std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(number)) return std::nullopt;
  return number;
}

bool is_utf8_text(const std::string& text) { return is_utf8(text) && text.find('\0') == text.npos; }

/// Globs that nobody has resolved, because they were between quotes.
std::vector<std::string> files_of(const std::vector<std::string>& words) {
  std::vector<std::string> files;
  for (const auto& word : words) {
    ::glob_t found{};
    if (::access(word.c_str(), F_OK) != 0 && ::glob(word.c_str(), 0, nullptr, &found) == 0)
      files.insert(files.end(), found.gl_pathv, found.gl_pathv + found.gl_pathc);
    else files.push_back(word);
    ::globfree(&found);
  }
  return files;
}

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

/// The standard input as a file that can be handed over.
Descriptor take_in() {
  Descriptor file{::memfd_create("outpost-hook", MFD_CLOEXEC)};
  std::array<char, std::size_t{64} * 1024> bytes;
  for (ssize_t size = 0; (size = ::read(0, bytes.data(), bytes.size())) > 0;)
    if (::write(file.get(), bytes.data(), static_cast<std::size_t>(size)) != size) break;
  return file;
}

/// Without waiting for whom a FIFO has not got.
Descriptor open_file(const std::string& path) { return path == "-" ? take_in() : Descriptor{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)}; }

/// The first MiB of a text, which may come from a pipe.
std::string read_start(const std::string& path) {
  const Descriptor file{path == "-" ? ::dup(0) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  std::string text;
  std::array<char, 4096> bytes;
  ssize_t size = file.is_open() ? 1 : -1;
  while (size > 0 && text.size() < std::size_t{1} << 20)
    if ((size = ::read(file.get(), bytes.data(), bytes.size())) > 0) text.append(bytes.data(), static_cast<std::size_t>(size));
  if (size >= 0) errno = 0;
  return text;
}

/// Why a file cannot be handed over; empty: it can.
std::string problem_of(const Descriptor& file) {
  struct stat status{};
  if (!file.is_open() || ::fstat(file.get(), &status) != 0) return std::strerror(errno);
  if (S_ISDIR(status.st_mode)) return "is a directory: pack it, or name the files in it";
  if (!S_ISREG(status.st_mode)) return "is no regular file";
  return {};
}

}  // namespace

int Helper::result(const Arguments& arguments) {
  const auto& name = arguments.words[0];
  const auto& outcome = arguments.words[1];
  if (trim(name).empty()) return complain(usage, "result: a case has a name");
  if (std::find(outcomes.begin(), outcomes.end(), outcome) == outcomes.end())
    return complain(usage, "result: \"" + printable(outcome, 80) + "\" is no outcome: pass, fail, error, skip or xfail");
  json::object said{{"name", name}, {"outcome", outcome}};
  if (const auto suite = arguments.value("--suite")) said["suite"] = *suite;
  if (const auto message = arguments.value("--message")) said["message"] = *message;
  if (const auto duration = arguments.value("--duration")) {
    const auto time = parse_time(*duration);
    if (!time) return complain(usage, "result: --duration: " + time.error().message);
    said["duration_ms"] = time->count();
  }
  json::object keys;
  for (const auto& pair : arguments.values("--key")) {
    const auto equals = pair.find('=');
    if (equals == pair.npos || equals == 0) return complain(usage, "result: --key takes KEY=VALUE, not \"" + printable(pair, 80) + "\"");
    keys[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  if (!keys.empty()) said["keys"] = std::move(keys);
  std::fprintf(stderr, "[%s] %s%s\n", outcome.c_str(), printable(name, 500).c_str(),
               said.contains("message") ? (": " + printable(*arguments.value("--message"), 1000)).c_str() : "");
  int worst = ok;
  if (const auto log = arguments.value("--log")) {
    const std::string kept = "reported/" + name + ".log";
    worst = hand_over_file("artifact", *log, {{"name", kept}, {"type", "text/plain"}});
    if (worst == ok) said["log"] = kept;  // A failure counts whether or not its log is there.
  }
  const int status = tell("result", std::move(said));
  return status != ok ? status : worst;
}

int Helper::hand_over_file(std::string_view verb, const std::string& path, json::object arguments, json::value* value) {
  const Descriptor file = open_file(path);
  const std::string where = std::string{verb} + ": " + printable(path, 500);
  if (const auto problem = problem_of(file); !problem.empty()) return complain(usage, where + ": " + problem);
  arguments["path"] = path;
  if (!channel_.has_agent()) return tell(verb, std::move(arguments));
  const auto answer = channel_.call(verb, std::move(arguments), &file);
  if (!answer) return complain(unavailable, where + ": " + answer.error().message);
  if (!answer->message.empty()) complain(answer->status, where + ": " + printable(answer->message));
  if (value) *value = answer->value;
  return answer->status;
}

int Helper::junit(const Arguments& arguments) {
  const auto files = files_of(arguments.words);
  if (files.size() == 1 || arguments.has("--each")) return hand_over(arguments);
  return hand_over_as_one(files, arguments.value("--name").value_or("junit"));
}

/// One by one, as parts, of which the agent makes one result when it is told that these were all.
int Helper::hand_over_as_one(const std::vector<std::string>& files, const std::string& name) {
  int worst = ok;
  for (int tries = 0; tries < 2; ++tries) {
    const std::string whole = new_call_id();
    std::int64_t parts = 0;
    worst = ok;
    for (std::size_t index = 0; index < files.size(); ++index) {
      json::value answer;
      json::object said{{"name", base_name(files[index])}, {"whole", whole}, {"part", index}};
      if (!channel_.has_agent()) said = {{"name", name}};
      if (const int status = hand_over_file("junit", files[index], std::move(said), &answer); status != ok) worst = status;
      if (answer.is_object() && answer.get_object().contains("part")) ++parts;
    }
    if (parts == 0) return worst;
    const auto answer = channel_.call("junit", {{"name", name}, {"whole", whole}, {"parts", parts}});
    if (!answer) return complain(unavailable, "junit: " + answer.error().message);
    if (answer->status == retry_later && tries == 0) continue;  // An agent that has been started meanwhile knows no parts.
    if (!answer->message.empty()) complain(answer->status, "junit: " + printable(answer->message));
    if (answer->status != ok) worst = answer->status;
    break;
  }
  return worst;
}

int Helper::hand_over(const Arguments& arguments) {
  const auto files = files_of(arguments.words);
  if (arguments.has("--name") && files.size() != 1)
    return complain(usage, std::string{arguments.verb->name} + ": --name is for one file, and there are " + std::to_string(files.size()));
  int worst = ok;
  for (const auto& path : files) {
    json::object said{{"name", arguments.value("--name").value_or(base_name(path))}};
    if (const auto type = arguments.value("--type")) said["type"] = *type;
    if (const int status = hand_over_file(arguments.verb->name, path, std::move(said)); status != ok) worst = status;
  }
  return worst;
}

int Helper::summary(const Arguments& arguments) { return hand_over_file("summary", arguments.words[0], {}); }

int Helper::group(const Arguments& arguments) {
  const auto& action = arguments.words[0];
  if (action == "start" && arguments.words.size() == 2) {
    std::fprintf(stderr, "==== %s\n", printable(arguments.words[1], 200).c_str());
    return tell("group", {{"action", action}, {"title", arguments.words[1]}});
  }
  if (action != "end" || arguments.words.size() != 1) return complain(usage, "group: outpost-hook group start TITLE, or outpost-hook group end");
  std::fputs("====\n", stderr);
  return tell("group", {{"action", action}});
}

int Helper::annotate(const Arguments& arguments) {
  const auto level = arguments.verb->name;
  const std::string text = arguments.text();
  json::object said{{"text", text}};
  std::string where;
  if (const auto file = arguments.value("--file")) {
    said["file"] = *file;
    where = " (" + printable(*file, 300) + ")";
  }
  std::fprintf(stderr, "%s: %s%s\n", level == "warn" ? "warning" : std::string{level}.c_str(), printable(text).c_str(), where.c_str());
  return tell(level, std::move(said));
}

int Helper::progress(const Arguments& arguments) {
  const auto& count = arguments.words[0];
  const auto slash = count.find('/');
  const auto done = number_of(count.substr(0, slash)), all = slash == count.npos ? std::nullopt : number_of(count.substr(slash + 1));
  if (!done || !all || *done < 0 || *all <= 0) return complain(usage, "progress: \"" + printable(count, 80) + "\" is not like 3/10");
  return tell("progress", {{"done", *done}, {"of", *all}, {"text", arguments.text(1)}});
}

int Helper::metric(const Arguments& arguments) {
  const auto value = number_of(arguments.words[1]);
  if (!is_name(arguments.words[0])) return complain(usage, "metric: \"" + printable(arguments.words[0], 80) + "\" is no name: letters, digits, . _ -");
  if (!value) return complain(usage, "metric: \"" + printable(arguments.words[1], 80) + "\" is no number");
  json::object said{{"name", arguments.words[0]}, {"value", *value}};
  if (const auto unit = arguments.value("--unit")) said["unit"] = *unit;
  return tell("metric", std::move(said));
}

int Helper::timeout(const Arguments& arguments) {
  const auto& wanted = arguments.words[0];
  const bool more = wanted.starts_with('+');
  const auto time = parse_time(more ? wanted.substr(1) : wanted);
  if (!time) return complain(usage, "timeout: " + time.error().message);
  return tell("timeout", {{more ? "more_ms" : "left_ms", time->count()}}, true);
}

int Helper::retry(const Arguments& arguments) {
  const auto time = parse_time(arguments.words[0]);
  if (!time) return complain(usage, "retry: " + time.error().message);
  const auto why = arguments.text(1);
  std::fprintf(stderr, "retry: in %s%s\n", arguments.words[0].c_str(), why.empty() ? "" : (": " + printable(why, 1000)).c_str());
  const int status = tell("retry", {{"after_ms", time->count()}, {"why", why}});
  return status == ok ? retry_later : status;
}

int Helper::resource(const Arguments& arguments) {
  const auto& action = arguments.words[0];
  if (action == "list" && arguments.words.size() == 1) return tell("locks", {}, true);
  if ((action != "lock" && action != "unlock") || arguments.words.size() != 2)
    return complain(usage, "resource: outpost-hook resource lock NAME, unlock NAME, or list");
  if (!is_name(arguments.words[1])) return complain(usage, "resource: \"" + printable(arguments.words[1], 80) + "\" is no name: letters, digits, . _ -");
  json::object said{{"name", arguments.words[1]}};
  if (const auto wait = arguments.value("--wait")) {
    const auto time = parse_time(*wait);
    if (!time) return complain(usage, "resource: --wait: " + time.error().message);
    said["wait_ms"] = time->count();
  }
  if (!channel_.has_agent()) complain(ok, "there is no agent: " + action + " of " + arguments.words[1] + " is only written down");
  return tell(action, std::move(said));
}

int Helper::abort(const Arguments& arguments) {
  // An empty variable must not keep a job going that makes no sense.
  const std::string why = trim(arguments.text()).empty() ? "no reason was given" : arguments.text();
  std::fprintf(stderr, "abort: %s\n", printable(why, 1000).c_str());
  const int status = tell("abort", {{"why", why}});
  return status == ok ? no : status;
}

int Helper::cancelled() {
  if (channel_.has_agent()) return tell("cancelled", {});
  const bool is = variable("OUTPOST_REASON") == "cancel" || variable("OUTPOST_RESULT_SO_FAR") == "cancelled";
  return is ? ok : no;
}

int Helper::hide(const std::string& text) {
  if (text.size() < 4) return complain(usage, "redact: a text of less than 4 characters would hide half of the log");
  if (!is_utf8_text(text)) return complain(usage, "redact: the text is no UTF-8");
  if (!channel_.has_agent()) return tell("redact", {});  // Without it: the file is for everybody.
  return tell("redact", {{"text", text}});
}

int Helper::redact(const Arguments& arguments) {
  std::vector<std::string> texts = arguments.words;
  if (const auto path = arguments.value("--file")) {
    const auto content = read_start(*path);
    if (errno != 0) return complain(usage, "redact: " + printable(*path, 500) + ": " + std::strerror(errno));
    for (auto& line : split(content, '\n'))
      if (!trim(line).empty()) texts.push_back(std::move(line));
  }
  if (texts.empty()) return complain(usage, "redact: nothing to hide: outpost-hook redact VALUE, or --file FILE");
  int worst = ok;
  for (const auto& text : texts)
    if (const int status = hide(text); status != ok) worst = status;
  return worst;
}

}  // namespace outpost::hook
