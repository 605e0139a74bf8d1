// outpost-stub: a command that stands in for a real one while a plugin is tested. It is called by the name of that
// command, through a link in a StubDirectory, and knows its rules from there.

#include "agent/base/descriptor.hpp"
#include "plugins/hooks/trial/stubs.hpp"

#include <boost/json/serialize.hpp>

#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <iterator>
#include <thread>

using namespace outpost;
using namespace outpost::hooks;

namespace {

constexpr int cannot_answer = 99;

int fail(const std::string& message) {
  std::cerr << "outpost-stub: " << message << (message.ends_with('\n') ? "" : "\n") << std::flush;
  return cannot_answer;
}

/// The link by which we were called, whatever the caller has written into argv[0].
std::filesystem::path own_link() {
  const auto* name = reinterpret_cast<const char*>(::getauxval(AT_EXECFN));
  return name != nullptr ? std::filesystem::absolute(name) : std::filesystem::path{};
}

bool wants_input(const std::vector<StubRule>& rules) {
  return std::any_of(rules.begin(), rules.end(), [](const auto& rule) { return rule.input.has_value(); });
}

/// Gives the program the input that we have read already.
void give_back_input(const std::string& input) {
  const int copy = ::memfd_create("input", MFD_CLOEXEC);
  if (copy < 0 || ::write(copy, input.data(), input.size()) != static_cast<ssize_t>(input.size())) return;
  ::lseek(copy, 0, SEEK_SET);
  ::dup2(copy, STDIN_FILENO);
}

int become(const StubRule& rule, const StubCall& call, char** argv) {
  if (rule.input) give_back_input(call.input);
  argv[0] = const_cast<char*>(rule.program.c_str());
  ::execv(rule.program.c_str(), argv);
  return fail("cannot start " + rule.program.string() + ": " + std::strerror(errno));
}

}  // namespace

int main(int argc, char** argv) {
  const auto link = own_link();
  const StubDirectory directory{link.parent_path().parent_path()};
  const auto stubs = directory.read_rules();
  if (!stubs)
    return fail("this program is called by `outpost plugin test`, as the command that it stands in for: " +
                stubs.error().message);
  const char* point = std::getenv("OUTPOST_POINT");
  StubCall call{link.filename().native(), {argv + 1, argv + argc}, {}, point != nullptr ? point : "", {}};
  const auto rules = stubs->rules.find(call.stub);
  if (rules == stubs->rules.end()) return fail("there are no rules for " + call.stub);
  if (wants_input(rules->second)) call.input.assign(std::istreambuf_iterator<char>{std::cin}, {});

  const Descriptor calls{::open(directory.calls().c_str(), O_WRONLY | O_APPEND | O_CLOEXEC)};
  if (!calls.is_open() || ::flock(calls.get(), LOCK_EX) != 0)
    return fail("cannot open " + directory.calls().string() + ": " + std::strerror(errno));
  const auto before = directory.read_calls();
  if (!before) return fail(before.error().message);
  call.rule = fitting_rule(*stubs, call, *before);
  const std::string line = boost::json::serialize(to_json(call)) + "\n";
  if (::write(calls.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()))
    return fail("cannot note the call: " + std::string{std::strerror(errno)});
  ::flock(calls.get(), LOCK_UN);

  if (!call.rule) return fail(explain_stray(*stubs, call, *before));
  const auto& rule = rules->second[*call.rule];
  std::this_thread::sleep_for(rule.delay);
  if (!rule.program.empty()) return become(rule, call, argv);
  std::cout << rule.output << std::flush;
  std::cerr << rule.errors << std::flush;
  return rule.exit;
}
