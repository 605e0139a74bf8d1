#include "runner_fixture.hpp"

#include "support/temporary_directory.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>

#include <fcntl.h>

#include <deque>

using namespace outpost;
using namespace outpost::process;
using namespace outpost::process::test;

TEST_CASE("a command's exit status and output are reported") {
  const auto result = run(shell("echo out; echo err >&2; echo out again; exit 3", Mark{}));
  REQUIRE(as<Exited>(result));
  CHECK(as<Exited>(result)->status == 3);
  CHECK(result.finished->leftovers == 0);
  CHECK(result.output == "out\nerr\nout again\n");
}

TEST_CASE("exit 15 is not death by SIGTERM") {
  const auto exited = run(shell("exit 15", Mark{}));
  REQUIRE(as<Exited>(exited));
  CHECK(as<Exited>(exited)->status == 15);
  const auto killed = run(shell("kill -TERM $$", Mark{}));
  REQUIRE(as<Killed>(killed));
  CHECK(as<Killed>(killed)->signal == SIGTERM);
}

TEST_CASE("a command gets its environment, directory and arguments exactly as given") {
  const Mark mark;
  auto command = program("/usr/bin/env", {}, mark);
  command.environment = {"B=2", "A=with space", "EMPTY=", "LD_PRELOAD_=x", "NEWLINE=a\nb"};
  CHECK(run(command).output == "B=2\nA=with space\nEMPTY=\nLD_PRELOAD_=x\nNEWLINE=a\nb\n");
  command.environment.clear();
  CHECK(run(command).output.empty());
  command = shell("pwd; for argument; do echo \"<$argument>\"; done", mark);
  command.directory = "/usr";
  command.arguments.insert(command.arguments.end(), {"name", "a b", "", "$HOME", "*"});
  CHECK(run(command).output == "/usr\n<a b>\n<>\n<$HOME>\n<*>\n");
}

TEST_CASE("a command inherits nothing but its three standard descriptors") {
  const Mark mark;
  const int secret = ::open("/etc/hostname", O_RDONLY);  // Not close-on-exec.
  const int high = ::fcntl(secret, F_DUPFD, 900);
  const auto result = run(child({"descriptors"}, mark));
  ::close(secret);
  ::close(high);
  CHECK(result.output == "0\n1\n2\n");
  CHECK(run(shell("readlink /proc/self/fd/0; test /proc/self/fd/1 -ef /proc/self/fd/2 && echo same", mark)).output ==
        "/dev/null\nsame\n");
}

TEST_CASE("a command starts with default signals, its own session and umask 0007") {
  const Mark mark;
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t usr1, before;
  ::sigemptyset(&usr1);
  ::sigaddset(&usr1, SIGUSR1);
  ::sigprocmask(SIG_BLOCK, &usr1, &before);
  const auto result = run(child({"signals"}, mark));
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  CHECK(result.output.empty());
  CHECK(run(shell("umask", mark)).output == "0007\n");
  CHECK(run(shell("set -- $(cat /proc/$$/stat); test $1 = $5 && test $1 = $6 && echo leads", mark)).output ==
        "leads\n");
}

TEST_CASE("a large output arrives whole, in order, and the command waits for a slow reader") {
  // 40 MB of numbered lines; the sink checks them as they come and keeps nothing.
  constexpr int lines = 4'000'000;
  long next = 1;
  std::string rest;
  bool in_order = true;
  TextOutput sink{[&](std::string_view text) {
    rest += text;
    std::size_t begin = 0;
    for (auto end = rest.find('\n'); end != std::string::npos; end = rest.find('\n', begin)) {
      if (std::stol(rest.substr(begin, end - begin)) != next++) in_order = false;
      begin = end + 1;
    }
    rest.erase(0, begin);
  }};
  boost::asio::io_context loop;
  const auto runner = runner_under_test(loop);
  const auto finished =
      outpost::test::await(loop, runner->run(shell("exec seq " + std::to_string(lines), Mark{}), sink));
  REQUIRE(finished);
  CHECK(std::holds_alternative<Exited>(finished->ending));
  CHECK(in_order);
  CHECK(next == lines + 1);
}

TEST_CASE("a command past its deadline has timed out, whatever it answers to SIGTERM") {
  const Mark mark;
  auto command = shell("trap 'echo bye; exit 0' TERM; while :; do sleep 0.01; done", mark);
  command.deadline = 500ms;
  CHECK(as<TimedOut>(run(command)));
  command = child({"stubborn"}, mark);
  command.deadline = 500ms;
  command.grace = 50ms;
  CHECK(as<TimedOut>(run(command)));
  CHECK(mark.processes().empty());
}

TEST_CASE("a command within its deadline is left alone") {
  auto command = shell("echo done", Mark{});
  command.deadline = std::chrono::milliseconds::max();
  command.grace = std::chrono::milliseconds::max();
  CHECK(as<Exited>(run(command)));
}

TEST_CASE("cancelling the coroutine stops the command and keeps its last words") {
  const Mark mark;
  const auto script =
      "exec 2>/dev/null; trap 'echo one; sleep 0.1; echo bye; exit 0' TERM; echo ready; while :; do sleep 0.01; done";
  const auto result = run(shell(script, mark), cancel);
  CHECK(as<Cancelled>(result));
  CHECK(result.output == "ready\none\nbye\n");
  CHECK(mark.processes().empty());
}

TEST_CASE("a command that was cancelled before it began is not started") {
  outpost::test::TemporaryDirectory directory;
  const auto started = directory.path / "started";
  boost::asio::io_context loop;
  const auto runner = runner_under_test(loop);
  boost::asio::cancellation_signal stop;
  const auto cancelled_first = [&]() -> boost::asio::awaitable<Result<Finished>> {
    stop.emit(boost::asio::cancellation_type::terminal);
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    auto command = program("/usr/bin/touch", {started.string()}, Mark{});
    TextOutput nothing;
    co_return co_await runner->run(std::move(command), nothing);
  };
  Run result;
  result.finished = outpost::test::await(loop, cancelled_first(), 120s, &stop);
  CHECK(as<Cancelled>(result));
  CHECK_FALSE(std::filesystem::exists(started));
}

TEST_CASE("an operator can stop a command too: one of two awaited together") {
  // `a || b` cancels with all types at once, not only the terminal one that co_spawn() lets in.
  using namespace boost::asio::experimental::awaitable_operators;
  const Mark mark;
  boost::asio::io_context loop;
  const auto runner = runner_under_test(loop);
  boost::asio::steady_timer ready{loop, std::chrono::hours{1}};
  Run result;
  const auto either = [&]() -> boost::asio::awaitable<Result<Finished>> {
    auto command = shell("echo ready; exec sleep 600", mark);
    TextOutput sink{[&](std::string_view) { ready.cancel(); }};
    const auto when_ready = [&]() -> boost::asio::awaitable<void> {
      co_await ready.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    };
    const auto capture = [&](Command what) -> boost::asio::awaitable<void> {
      result.finished = co_await runner->run(std::move(what), sink);
    };
    co_await (capture(std::move(command)) || when_ready());
    co_return result.finished;
  };
  outpost::test::await(loop, either());
  CHECK(as<Cancelled>(result));
  CHECK(mark.processes().empty());
}

TEST_CASE("a stopped process hears of the end too") {
  const Mark mark;
  const auto result = run(shell("trap 'echo bye; exit 0' TERM; echo ready; kill -STOP $$", mark), cancel);
  CHECK(as<Cancelled>(result));
  CHECK(result.output == "ready\nbye\n");
}

TEST_CASE("a hundred commands run side by side", "[local]") {
  boost::asio::io_context loop;
  auto runner = local_runner();
  int finished = 0;
  std::vector<std::string> outputs(100);
  std::deque<TextOutput> sinks;
  for (int number = 0; number < 100; ++number) {
    auto& output = outputs[static_cast<std::size_t>(number)];
    auto& sink = sinks.emplace_back([&output](std::string_view text) { output += text; });
    boost::asio::co_spawn(loop, runner.run(shell("echo $$; exit " + std::to_string(number), Mark{}), sink),
                          [&finished, number](std::exception_ptr error, const Result<Finished>& result) {
                            const auto* exited = !error && result ? std::get_if<Exited>(&result->ending) : nullptr;
                            finished += exited && exited->status == number;
                          });
  }
  loop.run();
  CHECK(finished == 100);
  CHECK(std::set<std::string>(outputs.begin(), outputs.end()).size() == 100);
}

namespace {
std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all{"/proc/self/fd"};
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}
}  // namespace

TEST_CASE("no descriptor and no zombie is left in the agent, however a command ended", "[local]") {
  const Mark mark;
  const auto before = open_descriptors();
  run(shell("exit 0", mark));
  run(shell("echo ready; exec sleep 600", mark), cancel);
  run(program("/no/such/hook", {}, mark));
  LocalCommandRunner broken{"/no/such/guardian"};
  TextOutput nothing;
  CHECK(outpost::test::await(broken.run(shell("exit 0", mark), nothing)).has_error());
  CHECK(open_descriptors() == before);
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
  CHECK(errno == ECHILD);
}

TEST_CASE("the guardian is found next to the program, or the answer says where it was looked for", "[local]") {
  const auto found = find_guardian();
  if (std::filesystem::path{OUTPOST_GUARDIAN}.parent_path() ==
      std::filesystem::read_symlink("/proc/self/exe").parent_path()) {
    REQUIRE(found);
  } else if (!found) {
    CHECK(found.error().fault == Fault::unavailable);
    CHECK(found.error().message.find("outpost-guardian is neither in /") == 0);
  }
}
