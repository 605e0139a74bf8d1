#include "runner_fixture.hpp"

#include "support/temporary_directory.hpp"

using namespace outpost;
using namespace outpost::process;
using namespace outpost::process::test;
namespace fs = std::filesystem;

namespace {

struct Script : outpost::test::TemporaryDirectory {
  Script(std::string_view content, fs::perms mode) : file{path / "hook"} {
    outpost::test::write_file(file, content);
    fs::permissions(file, mode);
  }
  fs::path file;
};

Error failure(const fs::path& file) {
  const auto result = run(program(file, {}, Mark{}));
  REQUIRE(!result.finished);
  CHECK(result.finished.error().fault == Fault::unavailable);
  CHECK(result.output.empty());
  return result.finished.error();
}

}  // namespace

TEST_CASE("a missing program names itself") {
  CHECK(failure("/no/such/hook").message == "/no/such/hook: No such file or directory");
}

TEST_CASE("a script with CRLF line endings is told so, with the repair", "[local]") {
  for (const auto* first : {"#!/bin/sh\r\n", "#!/bin/sh -e\r\n", "#!/usr/bin/env bash\r\n"}) {
    const Script script{std::string{first} + "exit 0\r\n", fs::perms::owner_all};
    CHECK(failure(script.file).message == script.file.string() +
                                              ": the file has CRLF line endings, so its interpreter cannot be found; "
                                              "convert with: sed -i 's/\\r$//' " +
                                              script.file.string());
  }
}

TEST_CASE("a missing interpreter is named", "[local]") {
  const Script script{"#! /no/such/python3 -u\n", fs::perms::owner_all};
  CHECK(failure(script.file).message ==
        script.file.string() + ": its interpreter /no/such/python3 is missing: install it or correct the first line");
}

TEST_CASE("a file that is not executable says how to repair it", "[local]") {
  const Script script{"#!/bin/sh\n", fs::perms::owner_read};
  CHECK(failure(script.file).message == script.file.string() +
                                            ": Permission denied: it is not executable; repair with: chmod +x " +
                                            script.file.string());
  CHECK(failure(script.path).message == script.path.string() + ": Permission denied: it is a directory");
}

TEST_CASE("the repair can be pasted whatever the file is called", "[local]") {
  const outpost::test::TemporaryDirectory directory;
  const fs::path file = directory.path / "partner's hook";
  const std::string pasted = "'" + directory.path.string() + "/partner'\\''s hook'";
  outpost::test::write_file(file, "#!/bin/sh\n");
  fs::permissions(file, fs::perms::owner_read);
  CHECK(failure(file).message.ends_with("chmod +x " + pasted));
  fs::permissions(file, fs::perms::owner_all);
  outpost::test::write_file(file, "#!/bin/sh\r\n");
  CHECK(failure(file).message.ends_with("sed -i 's/\\r$//' " + pasted));
}

TEST_CASE("a file that is no program says what a program is", "[local]") {
  const auto why = [](std::string_view content) {
    const Script script{content, fs::perms::owner_all};
    const auto message = failure(script.file).message;
    return message.substr(message.rfind(": ") + 2);
  };
  CHECK(why("") == "the file is empty");
  CHECK(why("echo hello\n") == "a script must begin with a line such as #!/bin/sh");
  CHECK(why("\xef\xbb\xbf#!/bin/sh\n").find("a byte order mark") == 0);
  CHECK(why(std::string{"\x7f"
                        "ELF\x02\x01\x01",
                        7} +
            std::string(100, 'x')) == "it was built for another kind of machine");
}

TEST_CASE("a missing directory is not blamed on the program") {
  auto command = shell("exit 0", Mark{});
  command.directory = "/no/such/workspace";
  const auto result = run(command);
  REQUIRE(!result.finished);
  CHECK(result.finished.error().message == "/bin/sh: cannot enter /no/such/workspace: No such file or directory");
}

TEST_CASE("arguments that no program can be given are refused") {
  auto command = shell("exit 0", Mark{});
  command.arguments.push_back(std::string{"a\0b", 3});
  CHECK(run(command).finished.error().message ==
        "/bin/sh: cannot be started: an argument or variable contains a NUL byte");
  command = shell("exit 0", Mark{});
  command.arguments.emplace_back(4'000'000, 'x');
  CHECK(run(command).finished.error().message.find("/bin/sh: Argument list too long") == 0);
}

TEST_CASE("a guardian that is missing or something else is an error of ours, not of the program", "[local]") {
  const Mark mark;
  LocalCommandRunner missing{"/no/such/guardian"};
  boost::asio::io_context loop;
  const auto none = run(shell("exit 0", mark), {}, missing, loop);
  REQUIRE(!none.finished);
  CHECK(none.finished.error().message ==
        "/bin/sh: cannot be started: its guardian /no/such/guardian: No such file or directory");
  LocalCommandRunner wrong{"/bin/ls"};
  const auto other = run(shell("exit 0", mark), {}, wrong, loop);
  CHECK(as<Lost>(other));
}

TEST_CASE("the guardian's program is needed only once", "[local]") {
  const outpost::test::TemporaryDirectory directory;
  const auto program = directory.path / "outpost-guardian";
  std::filesystem::copy_file(OUTPOST_GUARDIAN, program);
  boost::asio::io_context loop;
  LocalCommandRunner runner{program};
  const Mark mark;
  const auto status = [&] {
    TextOutput nothing;
    const auto finished = outpost::test::await(loop, runner.run(shell("exit 5", mark), nothing));
    REQUIRE(finished);
    REQUIRE(std::holds_alternative<Exited>(finished->ending));
    return std::get<Exited>(finished->ending).status;
  };
  CHECK(status() == 5);
  std::filesystem::remove(program);
  CHECK(status() == 5);
}

TEST_CASE("commands run although somebody kills the server of their guardians", "[local]") {
  boost::asio::io_context loop;
  auto runner = local_runner();
  const Mark mark;
  std::set<pid_t> before;
  const auto children = [] {
    std::set<pid_t> found;
    std::ifstream file{"/proc/self/task/" + std::to_string(::getpid()) + "/children"};
    for (pid_t pid = 0; file >> pid;) found.insert(pid);
    return found;
  };
  before = children();
  const auto run_one = [&] {
    TextOutput nothing;
    return outpost::test::await(loop, runner.run(shell("exit 0", mark), nothing));
  };
  REQUIRE(run_one());
  auto servers = children();
  for (const pid_t other : before) servers.erase(other);
  REQUIRE(servers.size() == 1);
  // It is dead when its zombie can be seen; nobody but the runner may take that away.
  siginfo_t dead;
  ::kill(*servers.begin(), SIGKILL);
  REQUIRE(::waitid(P_PID, static_cast<id_t>(*servers.begin()), &dead, WEXITED | WNOWAIT) == 0);
  const auto finished = run_one();
  REQUIRE(finished);
  CHECK(std::holds_alternative<Exited>(finished->ending));
  CHECK(::kill(*servers.begin(), 0) == -1);
}
