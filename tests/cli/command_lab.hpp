#pragma once

#include "integration/sample_lab.hpp"

#include <boost/json/parse.hpp>

namespace outpost::test {

/// A lab whose admin uses the command line.
struct CommandLab : SampleLab {
  using SampleLab::SampleLab;

  /// The exit status of `outpost ARGUMENTS...`; what it printed is in `said`.
  int outpost(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), OUTPOST_COMMAND);
    arguments.insert(arguments.end(), {"--config", configuration()});
    return run(std::move(arguments));
  }
  int run(std::vector<std::string> command) {
    std::filesystem::remove(directory.path / "command.out");
    Process process{std::move(command), directory.path / "command.out"};
    const int status = process.wait();
    said = read_file(directory.path / "command.out");
    return status;
  }
  [[nodiscard]] std::string configuration() const { return (directory.path / "agent/outpost.yml").string(); }
  [[nodiscard]] boost::json::value json() const { return boost::json::parse(said); }

  std::string said;
};

}  // namespace outpost::test
