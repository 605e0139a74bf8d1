// `outpost promote`, but for one thing: it kills itself with SIGKILL at the moment when the n-th event of its life became
// durable. So a test can stop a promotion between any two facts, exactly and without a clock.
//
//   outpost-crash-promoter CONFIGURATION STATE N

#include "agent/daemon/promote.hpp"

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: outpost-crash-promoter CONFIGURATION STATE N\n";
    return 2;
  }
  using namespace outpost;
  unsigned long events = 0;
  const unsigned long fatal = std::strtoul(argv[3], nullptr, 10);
  daemon::PromoteOptions options{.config = argv[1], .state_directory = argv[2]};
  options.environment = config::environment_of(environ);
  options.noted = [&](const job::Event& event) {
    std::cerr << "event " << ++events << " " << event.type << std::endl;
    if (events == fatal) ::kill(::getpid(), SIGKILL);
  };
  const auto answer = daemon::promote(options);
  std::cerr << (answer ? answer->text : answer.error().message) << "\n";
  return answer && answer->went_well ? 0 : 1;
}
