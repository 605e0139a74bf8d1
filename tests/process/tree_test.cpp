#include "runner_fixture.hpp"

#include <fcntl.h>

#include <algorithm>

using namespace outpost;
using namespace outpost::process;
using namespace outpost::process::test;

namespace {

/// The guardian of the one command that this test program is running.
pid_t guardian_of(const Mark& mark) {
  for (const pid_t pid : mark.processes()) {
    std::ifstream file{"/proc/" + std::to_string(pid) + "/stat"};
    const std::string stat{std::istreambuf_iterator<char>{file}, {}};
    char state = 0;
    int parent = 0;
    if (std::sscanf(stat.c_str() + stat.rfind(')') + 1, " %c %d", &state, &parent) != 2) continue;
    std::ifstream comm{"/proc/" + std::to_string(parent) + "/comm"};
    std::string name;
    std::getline(comm, name);
    if (name.starts_with("outpost-guard")) return parent;
  }
  return 0;
}

}  // namespace

TEST_CASE("a background process cannot keep a finished command open, and is counted") {
  const Mark mark;
  const Canary canary;
  const auto result = run(shell("sleep 600 & sleep 600 & exit 0", mark));
  REQUIRE(as<Exited>(result));
  CHECK(result.finished->leftovers == 2);
  CHECK(mark.processes().empty());
  CHECK(canary.alive());
}

TEST_CASE("daemons with sessions and parents of their own end with the command") {
  const Mark mark;
  const Canary canary;
  const auto result = run(child({"daemons"}, mark));
  REQUIRE(as<Exited>(result));
  CHECK(result.finished->leftovers == 5);
  CHECK(mark.processes().empty());
  CHECK(canary.alive());
}

TEST_CASE("daemons that ignore SIGTERM end when the command is cancelled") {
  const Mark mark;
  auto command = child({"daemons", "stay"}, mark);
  command.grace = 50ms;
  CHECK(as<Cancelled>(run(command, cancel)));
  CHECK(mark.processes().empty());
}

TEST_CASE("SIGTERM reaches every process of the tree, and all have the grace for their last words") {
  const Mark mark;
  const auto result =
      run(shell("trap 'echo outer; exit' TERM;"
                "setsid sh -c \"trap 'sleep 0.1; echo inner; exit' TERM; echo ready; while :; do sleep 0.01; done\" &"
                "while :; do sleep 0.01; done",
                mark),
          cancel);
  CHECK(as<Cancelled>(result));
  CHECK(result.output.find("outer\n") != std::string::npos);
  CHECK(result.output.find("inner\n") != std::string::npos);
}

TEST_CASE("a background process that ends with the command may finish writing") {
  const Mark mark;
  const auto result =
      run(program("/bin/bash", {"-c", "exec > >(while read -r line; do echo \"log: $line\"; done); seq 200"}, mark));
  REQUIRE(as<Exited>(result));
  CHECK(result.finished->leftovers == 0);
  CHECK(result.output.ends_with("log: 200\n"));
}

TEST_CASE("a fork bomb ends when the command is cancelled") {
  const Mark mark;
  const Canary canary;
  auto command = child({"bomb"}, mark);
  command.directory = "/";
  command.grace = 300ms;
  CHECK(as<Cancelled>(run(command, cancel)));
  CHECK(mark.processes().empty());
  CHECK(canary.alive());
}

TEST_CASE("a fork bomb in the background ends with the command") {
  const Mark mark;
  const auto result = run(child({"bomb-and-exit"}, mark));
  REQUIRE(as<Exited>(result));
  CHECK(as<Exited>(result)->status == 7);
  CHECK(result.finished->leftovers > 0);
  CHECK(mark.processes().empty());
}

TEST_CASE("a process outside that holds the output pipe cannot hold up the end") {
  const Mark mark;
  int held = -1;
  const auto result = run(shell("echo ready; while ! test -e /proc/$PPID/nothing; do sleep 0.01; done", mark),
                          [&](Run&, boost::asio::cancellation_signal& stop) {
                            for (const pid_t pid : mark.processes()) {
                              const auto path = "/proc/" + std::to_string(pid) + "/fd/1";
                              if (held < 0) held = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
                            }
                            stop.emit(boost::asio::cancellation_type::terminal);
                          });
  CHECK(held >= 0);
  ::close(held);
  CHECK(as<Cancelled>(result));
}

TEST_CASE("when the guardian is killed the command is lost and nothing of it is left", "[local]") {
  REQUIRE(become_subreaper());
  const Mark mark, other;
  const Canary canary;
  boost::asio::io_context loop;
  auto runner = local_runner();
  // A second command runs meanwhile, which this is no concern of.
  Run second;
  boost::asio::cancellation_signal stop_second;
  TextOutput second_sink{[&](std::string_view text) { second.output += text; }};
  boost::asio::co_spawn(
      loop, runner.run(shell("setsid sleep 600 & echo ready; wait", other), second_sink),
      boost::asio::bind_cancellation_slot(stop_second.slot(), [&](std::exception_ptr, Result<Finished> result) {
        second.finished = std::move(result);
      }));
  while (second.output.empty()) loop.run_one();

  Run first;
  TextOutput sink{[&](std::string_view text) {
    first.output += text;
    if (first.output.ends_with("ready\n")) ::kill(guardian_of(mark), SIGKILL);
  }};
  first.finished = outpost::test::await(loop, runner.run(child({"daemons", "stay"}, mark), sink));
  REQUIRE(as<Lost>(first));
  CHECK(as<Lost>(first)->why == "its guardian was killed by signal 9; its processes were killed");
  CHECK(mark.processes().empty());
  CHECK(canary.alive());
  CHECK(other.processes().size() >= 2);

  stop_second.emit(boost::asio::cancellation_type::terminal);
  loop.run();
  CHECK(as<Cancelled>(second));
  CHECK(other.processes().empty());
}

TEST_CASE("a guardian that was stopped from outside is given up", "[local]") {
  REQUIRE(become_subreaper());
  const Mark mark;
  auto command = shell("echo ready; setsid sleep 600 & wait", mark);
  command.grace = 50ms;
  LocalCommandRunner impatient{OUTPOST_GUARDIAN, 100ms};
  boost::asio::io_context loop;
  const auto result = run(
      command,
      [&](Run&, boost::asio::cancellation_signal& stop) {
        ::kill(guardian_of(mark), SIGSTOP);
        stop.emit(boost::asio::cancellation_type::terminal);
      },
      impatient, loop);
  CHECK(as<Lost>(result));
  CHECK(mark.processes().empty());
}

TEST_CASE("when the agent is killed everything it ran ends", "[local]") {
  const Mark mark;
  auto command = child({"daemons", "stay"}, mark);
  command.grace = 50ms;
  OtherAgent agent{command, go_on};
  CHECK(mark.processes().size() >= 6);
  agent.kill();
  CHECK(eventually([&] { return mark.processes().empty(); }));
}

TEST_CASE("destroying the loop ends the command that was running", "[local]") {
  const Mark mark;
  {
    auto runner = local_runner();
    bool ready = false;
    TextOutput sink{[&](std::string_view) { ready = true; }};
    boost::asio::io_context loop;
    auto command = shell("echo ready; setsid sleep 600 & wait", mark);
    boost::asio::co_spawn(loop, runner.run(command, sink), [](std::exception_ptr, const Result<Finished>&) {});
    while (!ready) loop.run_one();
    CHECK_FALSE(mark.processes().empty());
  }
  CHECK(eventually([&] { return mark.processes().empty(); }));
  while (::waitpid(-1, nullptr, 0) > 0) {
  }
}
