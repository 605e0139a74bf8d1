#include "agent/process/exec_request.hpp"

#include "support/catch.hpp"

using namespace outpost::process;

namespace {

Command command() {
  Command made;
  made.program = "/opt/hook";
  made.arguments = {"--name", "a b", ""};
  made.environment = {"A=1", "EMPTY=", "LINES=a\nb"};
  made.directory = "/var/lib/work";
  made.grace = std::chrono::seconds{3};
  made.outcome = {"/var/lib/results", "/var/lib/artifacts"};
  return made;
}

std::vector<std::string> texts(char* const* list) {
  std::vector<std::string> found;
  for (; *list; ++list) found.emplace_back(*list);
  return found;
}

}  // namespace

TEST_CASE("a command arrives at the program that becomes it as it was sent") {
  auto parsed = ExecRequest::parse(ExecRequest::write(command()).value());
  REQUIRE(parsed);
  const auto request = std::move(*parsed);  // Its pointers move with it.
  CHECK(std::string{request.program()} == "/opt/hook");
  CHECK(std::string{request.directory()} == "/var/lib/work");
  CHECK(request.grace_ms() == 3000);
  CHECK(texts(request.arguments()) == std::vector<std::string>{"/opt/hook", "--name", "a b", ""});
  CHECK(texts(request.environment()) == std::vector<std::string>{"A=1", "EMPTY=", "LINES=a\nb"});
  REQUIRE(request.outcome().size() == 2);
  CHECK(std::string{request.outcome()[1]} == "/var/lib/artifacts");
}

TEST_CASE("a command without arguments or environment arrives too") {
  Command bare;
  bare.program = "/bin/true";
  const auto request = ExecRequest::parse(ExecRequest::write(bare).value());
  REQUIRE(request);
  CHECK(texts(request->arguments()) == std::vector<std::string>{"/bin/true"});
  CHECK(texts(request->environment()).empty());
}

TEST_CASE("a NUL byte in a command is refused, not cut at") {
  auto bad = command();
  bad.arguments.emplace_back("a\0b", 3);
  CHECK_FALSE(ExecRequest::write(bad));
}

TEST_CASE("what is not a whole request is none") {
  const auto whole = ExecRequest::write(command()).value();
  CHECK_FALSE(ExecRequest::parse(""));
  CHECK_FALSE(ExecRequest::parse("#!/bin/sh\n"));
  for (std::size_t size = 0; size < whole.size(); ++size) CHECK_FALSE(ExecRequest::parse(whole.substr(0, size)));
  CHECK_FALSE(ExecRequest::parse(whole + std::string("x\0", 2)));
}
