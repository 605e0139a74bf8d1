// Where something has a limit: secrets in what is shown, sizes that a server takes, descriptors of a process.

#include "faults/fault_lab.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"
#include "agent/job/event.hpp"
#include "agent/log/redactor.hpp"
#include "agent/log/secret_forms.hpp"
#include "support/catch.hpp"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <algorithm>
#include <csignal>
#include <random>
#include <thread>

using namespace outpost;
using namespace outpost::test;
using job::number_at;
using job::text_at;

namespace fs = std::filesystem;

namespace {

std::string random_secret(std::mt19937& random, std::size_t size) {
  static constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ!&/+=%\"\\ ";
  std::string secret;
  for (std::size_t at = 0; at < size; ++at) secret += letters[random() % letters.size()];
  return secret;
}

std::string hex(std::string_view text) {
  std::string digits;
  for (const unsigned char byte : text) {
    digits += "0123456789abcdef"[byte >> 4];
    digits += "0123456789abcdef"[byte & 15];
  }
  return digits;
}

std::size_t leaks(const std::string& text, const std::set<std::string>& forms) {
  return static_cast<std::size_t>(std::count_if(
      forms.begin(), forms.end(), [&](const auto& form) { return text.find(form) != std::string::npos; }));
}

std::size_t open_descriptors(pid_t pid) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator{"/proc/" + std::to_string(pid) + "/fd"}, fs::directory_iterator{}));
}

void limit_descriptors(pid_t pid, std::size_t to) {
  rlimit limit{};
  ::prlimit(pid, RLIMIT_NOFILE, nullptr, &limit);
  limit.rlim_cur = to;
  REQUIRE(::prlimit(pid, RLIMIT_NOFILE, &limit, nullptr) == 0);
}

/// Knocks at the agent's socket and stays.
struct Visitor {
  explicit Visitor(const fs::path& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.string().copy(address.sun_path, sizeof address.sun_path - 1);
    ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  ~Visitor() { ::close(socket); }
  Visitor(const Visitor&) = delete;
  Visitor& operator=(const Visitor&) = delete;
  int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
};

/// A control group of the kernel's that lets a process tree have so many processes and no more.
class PidLimit {
 public:
  PidLimit() {
    // Of version 1, or of version 2 where that has the controller.
    for (const auto& line : split(read_file("/proc/self/mountinfo"), '\n')) {
      const auto fields = split(line, ' ');
      if (fields.size() < 10 || fields.at(fields.size() - 3) != "cgroup" || !line.ends_with("pids")) continue;
      make(std::string{fields.at(4)});
    }
    if (group_.empty() && read_file("/sys/fs/cgroup/cgroup.subtree_control").find("pids") != std::string::npos)
      make("/sys/fs/cgroup");
  }
  ~PidLimit() {
    if (group_.empty()) return;
    write_file(group_ / "pids.max", "max");
    // Everything in it has to end or leave before it can go.
    for (const auto& pid : split(read_file(group_ / "cgroup.procs"), '\n'))
      if (!pid.empty()) write_file(group_.parent_path() / "cgroup.procs", pid);
    ::rmdir(group_.c_str());
  }
  PidLimit(const PidLimit&) = delete;
  PidLimit& operator=(const PidLimit&) = delete;

  [[nodiscard]] bool works() const { return !group_.empty(); }
  /// The process and its children.
  void hold(pid_t pid) const {
    const std::string whole = "/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid) + "/children";
    write_file(group_ / "cgroup.procs", std::to_string(pid));
    for (const auto& child : split(read_file(whole), ' '))
      if (!trim(child).empty()) write_file(group_ / "cgroup.procs", std::string{trim(child)});
  }
  void allow_no_more() const { write_file(group_ / "pids.max", read_file(group_ / "pids.current")); }
  void allow_all() const { write_file(group_ / "pids.max", "max"); }

 private:
  void make(const fs::path& parent) {
    const fs::path group = parent / ("outpost-faults-" + std::to_string(::getpid()));
    if (::mkdir(group.c_str(), 0755) != 0) return;
    group_ = group;
  }

  fs::path group_;
};

}  // namespace

TEST_CASE("F25: a secret does not reach the server, whatever its form and wherever the borders of blocks are",
          "[F25]") {
  FaultLab lab;
  std::mt19937 random{11};
  const std::string secret = random_secret(random, 24),
                    lines = random_secret(random, 20) + "\n" + random_secret(random, 20);
  write_file(lab.directory.path / "secret", secret);
  write_file(lab.directory.path / "lines", lines);
  for (const auto* file : {"secret", "lines"})
    fs::permissions(lab.directory.path / file, fs::perms::owner_read | fs::perms::owner_write);
  lab.configure("", "secrets: {lab-key: {file: " + (lab.directory.path / "secret").string() +
                        "}, lab-lines: {file: " + (lab.directory.path / "lines").string() + "}}\n");
  // Every byte of each form at every border of 4 KiB that the pipe, the file or a piece may have.
  std::string output, expected;
  const std::size_t most = scaled(8u << 20, 256u << 20);
  std::set<std::string> forms = log::forms_of(secret);
  forms.merge(log::forms_of(lines));
  const Names shown{secret, hex(secret), to_base64(secret), percent_encode(secret, false), lines, hex(lines)};
  for (std::size_t place = 0; output.size() < most; ++place) {
    const auto& form = shown[place % shown.size()];
    const std::size_t border = (output.size() / 4096 + 1) * 4096, inside = (place / shown.size()) % (form.size() + 1);
    if (border < inside + output.size() + 1) continue;
    const std::string filler = payload(border - inside - output.size() - 1, static_cast<unsigned>(place % 1000)) + "|";
    output += filler + form + "|";
    expected += filler + "***|";
  }
  write_file(lab.directory.path / "output", output);
  lab.hook("install", "#!/bin/sh\nexec cat " + (lab.directory.path / "output").string() + "\n");
  lab.feed("1.0", {});
  lab.start_agent();
  lab.finished_job();
  const auto content = content_of(lab, lab.the_job());
  CHECK(content.states == good_way);
  std::size_t found = leaks(lab.agent_log(), forms);
  for (const auto& [step, log] : content.logs) found += leaks(log, forms);
  for (const auto& [name, file] : content.files) found += leaks(file, forms);
  figure("F25", "leaks", std::to_string(found), "0");
  CHECK(found == 0);
  check_nothing_lost("F25", lab, content, {{"install/acme/install", expected}});
}

TEST_CASE("F25: a secret in results, artifacts and names reaches neither the server nor the journal nor the agent's log", "[F25]") {
  FaultLab lab;
  const std::string secret = "q<R>7&Z'\"k!*()/+~% \u00e9W", name = "file-name-secret";
  // As other programs write it, and not as agent/log/secret_forms.cpp thinks that they do.
  const std::set<std::string> written{
      secret,
      "cTxSPjcmWiciayEqKCkvK34lIMOpVw",                              // base64
      "eHE8Uj43JlonImshKigpLyt+JSDDqVc=",                            // the same behind one byte
      "eHlxPFI+NyZaJyJrISooKS8rfiUgw6lX",                            // and behind two
      "713c523e37265a27226b212a28292f2b7e2520c3a957",                // xxd -p
      "q%3CR%3E7%26Z%27%22k%21%2A%28%29/%2B~%25%20%C3%A9W",          // Python's quote
      "q%3CR%3E7%26Z%27%22k%21%2A%28%29%2F%2B~%25%20%C3%A9W",        // jq @uri, curl
      "q%3CR%3E7%26Z%27%22k%21%2A%28%29%2F%2B~%25+%C3%A9W",          // Python's quote_plus, Go's QueryEscape
      "q%3CR%3E7%26Z'%22k!*()%2F%2B~%25%20%C3%A9W",                  // encodeURIComponent
      "q<R>7&Z'\\\"k!*()/+~% \\u00e9W",                              // Python's json.dumps
      "q<R>7&Z'\\\"k!*()/+~% \u00e9W",                               // jq
      "q\\u003cR\\u003e7\\u0026Z'\\\"k!*()/+~% \u00e9W",            // Go's encoding/json
      "q&lt;R&gt;7&amp;Z&#39;&#34;k!*()/+~% \u00e9W",                // Go's encoding/xml
      "q&lt;R&gt;7&amp;Z&#x27;&quot;k!*()/+~% \u00e9W",              // Python's html.escape
      "q&lt;R&gt;7&amp;Z&apos;&quot;k!*()/+~% \u00e9W",
      "q&lt;R&gt;7&amp;Z'\"k!*()/+~% \u00e9W",                       // Python's saxutils.escape
      name};
  std::set<std::string> searched = written;
  searched.insert({"8Uj43JlonImshKigpLyt+JSDDq", "PFI+NyZaJyJrISooKS8rfiUgw6"});  // What is the secret's alone.
  write_file(lab.directory.path / "secret", secret);
  write_file(lab.directory.path / "name", name);
  for (const auto* file : {"secret", "name"})
    fs::permissions(lab.directory.path / file, fs::perms::owner_read | fs::perms::owner_write);
  lab.configure("", "secrets: {lab-key: {file: " + (lab.directory.path / "secret").string() +
                        "}, lab-name: {file: " + (lab.directory.path / "name").string() + "}}\n");
  const std::string in_xml = "q&lt;R&gt;7&amp;Z'&quot;k!*()/+~% \u00e9W";
  std::string text;
  for (const auto& form : written) text += "<" + form + ">\n";
  std::string junit = "<testsuite name='s'><testcase name=\"" + replace_all(in_xml, "'", "&apos;") + "\"><failure message=\"" + in_xml + "\">" + in_xml +
                      "</failure><system-out><![CDATA[" + text + "]]></system-out></testcase></testsuite>";
  write_file(lab.directory.path / "text", text);
  write_file(lab.directory.path / "junit", junit);
  lab.hook("test", "#!/bin/sh\ncat '" + (lab.directory.path / "text").string() + "' >\"$OUTPOST_ARTIFACTS/" + name +
                       ".txt\"\n{ printf '\\0'; cat '" + (lab.directory.path / "text").string() +
                       "'; } >\"$OUTPOST_ARTIFACTS/binary\"\ncat '" + (lab.directory.path / "junit").string() +
                       "' >\"$OUTPOST_RESULTS/" + name + ".xml\"\n");
  lab.feed("1.0", {});
  lab.start_agent();
  lab.finished_job();
  const auto content = content_of(lab, lab.the_job());
  CHECK_THAT(content.verdict_comment, holds("1 of 1 cases failed") && holds("***"));
  CHECK(content.files.contains("***.txt"));
  CHECK(content.files.contains("binary"));
  std::size_t found = leaks(lab.agent_log(), searched) + leaks(content.verdict_comment, searched);
  for (const auto& [step, log] : content.logs) found += leaks(log, searched);
  for (const auto& [file, bytes] : content.files) found += leaks(file, searched) + leaks(bytes, searched);
  for (const auto& [result, total] : content.results) found += leaks(result, searched);
  for (const char* part : {"journal.db", "journal.db-wal"}) {
    const auto path = lab.directory.path / "agent/state" / part;
    if (fs::exists(path)) found += leaks(read_file(path), searched);
  }
  CHECK_FALSE(read_file(lab.directory.path / "agent/state/journal.db").empty());
  figure("F25", "leaks in results, artifacts, names and the journal", std::to_string(found), "0");
  CHECK(found == 0);
}

TEST_CASE("F25: ten thousand secrets are all hidden at every border", "[F25]") {
  std::mt19937 random{12};
  std::vector<std::string> secrets;
  log::Redactor redactor;
  for (int number = 0; number < 10'000; ++number) {
    secrets.push_back(random_secret(random, 12 + random() % 20));
    redactor.add(secrets.back());
  }
  std::size_t found = 0;
  for (std::size_t number = 0; number < secrets.size(); number += scaled(10u, 1u)) {
    const auto& secret = secrets[number];
    const std::string text = "before " + secret + " after";
    for (std::size_t border = 1; border < text.size(); ++border) {
      std::string out = redactor.feed(std::string_view{text}.substr(0, border));
      out += redactor.feed(std::string_view{text}.substr(border));
      out += redactor.flush();
      found += out != "before *** after";
    }
  }
  figure("F25", "of 10,000 secrets, not hidden at some border", std::to_string(found), "0");
  CHECK(found == 0);
}

TEST_CASE("F27: what is larger than the server takes is split when it is a log, and parked with both sizes when not",
          "[F27]") {
  FaultLab lab{{.server = {"--max-content-length-mb", "1"}}};
  std::string how = "learned from a 413";
  SECTION("the limit is learned") {}
  SECTION("the limit is configured") {
    how = "configured";
    lab.configure("", "", "upload_limit: 1MiB");
  }
  const std::string output = payload(3'500'000);
  write_file(lab.directory.path / "output", output);
  lab.hook("install", "#!/bin/sh\nexec cat " + (lab.directory.path / "output").string() + "\n");
  lab.hook("test",
           "#!/bin/sh\nhead -c 3000000 /dev/zero > \"$OUTPOST_ARTIFACTS/core.bin\"\nprintf small > "
           "\"$OUTPOST_ARTIFACTS/small.bin\"\n");
  lab.feed("1.0", {});
  lab.start_agent();
  lab.finished_job();
  const auto content = content_of(lab, lab.the_job());
  CHECK(content.states == good_way);
  check_nothing_lost("F27", lab, content, {{"install/acme/install", output}});
  CHECK(content.files.at("small.bin") == "small");
  CHECK_FALSE(content.files.contains("core.bin"));
  const auto parked = lab.alarms("parked");
  REQUIRE(parked.size() == 1);
  CHECK_THAT(parked[0], holds("core.bin") && holds("2.9 MiB") && (holds("at most 1.0 MiB") || holds("less than ")));
  std::size_t refused = 0;
  for (const auto& request : lab.requests())
    if (text_at(request, "method") == "POST" && number_at(request, "status") == 413) ++refused;
  figure("F27", how + ": uploads that the server refused", std::to_string(refused),
         how == "configured" ? "0" : "at most 4");
  CHECK(refused <= (how == "configured" ? 0 : 4));
}

TEST_CASE(
    "F30: without descriptors an operation fails, not the agent; it does not spin, and goes on when there are some",
    "[F30]") {
  FaultLab lab;
  lab.hook("test", "#!/bin/sh\necho testing\n");
  lab.start_agent();
  lab.until("a poll", [&] {
    return lab.agent_is_up() && !text_at(lab.status().at("sources").at(0).as_object(), "last_poll").empty();
  });
  const pid_t agent = lab.agent_pid();
  rlimit before{};
  ::prlimit(agent, RLIMIT_NOFILE, nullptr, &before);
  limit_descriptors(agent, open_descriptors(agent));
  lab.network.close();  // Every connection is gone, and a new one takes a descriptor each time.
  lab.network.open();
  const auto start = processor_seconds(agent);
  const Stopwatch time;
  std::vector<std::unique_ptr<Visitor>> visitors;
  for (int number = 0; number < 20; ++number)
    visitors.push_back(std::make_unique<Visitor>(lab.directory.path / "agent/run/api.sock"));
  lab.feed("1.0", {});
  // Not to wait for something: a loop that spins needs time to show.
  std::this_thread::sleep_for(std::chrono::seconds{scaled(4, 60)});
  const double share = (processor_seconds(agent) - start) / std::chrono::duration<double>{time.elapsed()}.count();
  figure("F30", "processor without descriptors", std::to_string(static_cast<int>(share * 100)) + " %",
         "at most 5 % (figure), 50 % (limit)");
  CHECK(share < 0.5);
  CHECK(lab.agent_is_running());
  visitors.clear();
  limit_descriptors(agent, before.rlim_cur);
  const Stopwatch good;
  lab.until("the agent to answer again", [&] { return lab.agent_is_up(); });
  lab.finished_job();
  lab.feed("1.1", {});
  const std::string id = text_at(lab.finished_job(2), "id");
  figure("F30", "next job done after", good.text(), "(figure)");
  CHECK(content_of(lab, id).states == good_way);
  CHECK(lab.stop_agent(SIGTERM) == 0);
}

TEST_CASE("F30: without processes a step fails, not the agent; it does not spin, and goes on when there are some",
          "[F30]") {
  const PidLimit limit;
  if (!limit.works()) return skip("F30: processes cannot be limited: no control group with `pids` that may be written");
  FaultLab lab;
  lab.hook("test", "#!/bin/sh\necho testing\n");
  lab.start_agent();
  lab.until("a poll", [&] {
    return lab.agent_is_up() && !text_at(lab.status().at("sources").at(0).as_object(), "last_poll").empty();
  });
  const pid_t agent = lab.agent_pid();
  limit.hold(agent);
  limit.allow_no_more();
  const auto start = processor_seconds(agent);
  const Stopwatch time;
  lab.feed("1.0", {});
  const auto ended = lab.finished_job();
  const double share = (processor_seconds(agent) - start) / std::chrono::duration<double>{time.elapsed()}.count();
  figure("F30", "processor without processes", std::to_string(static_cast<int>(share * 100)) + " %", "(figure)");
  const auto failed = content_of(lab, text_at(ended, "id"));
  CHECK(failed.states.back() == "error");
  CHECK_THAT(failed.verdict_comment, holds("Resource temporarily unavailable"));
  figure("F30", "job without processes", failed.states.back(), "error");
  limit.allow_all();
  lab.feed("1.1", {});
  CHECK(content_of(lab, text_at(lab.finished_job(2), "id")).states == good_way);
  CHECK(lab.stop_agent(SIGTERM) == 0);
}
