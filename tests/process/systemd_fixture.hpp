#pragma once

#include "runner_fixture.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

// What the tests of the adapter on systemd share.
namespace outpost::process::test {

/// What a command of systemctl prints.
inline std::string told(const std::string& command) {
  std::string text;
  FILE* pipe = ::popen(command.c_str(), "r");
  char part[512];
  while (pipe && std::fgets(part, sizeof part, pipe)) text += part;
  if (pipe) ::pclose(pipe);
  return text;
}

inline std::string property(const char* name, const char* unit = "outpost-step@1.service") {
  auto text = told(std::string{"systemctl show --value -p "} + name + " " + unit);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

/// Changes the unit of slot 1, or another one, for as long as it lives; needs root.
class ChangedUnit {
 public:
  explicit ChangedUnit(const std::string& settings, const std::string& unit = "outpost-step@1.service", const char* file = "change.conf")
      : folder_{"/run/systemd/system/" + unit + ".d"} {
    std::filesystem::create_directory(folder_);
    std::ofstream{folder_ / file} << "[Service]\n" << settings;
    told("systemctl daemon-reload");
  }
  ~ChangedUnit() {
    std::filesystem::remove_all(folder_);
    told("systemctl daemon-reload");
  }
  ChangedUnit(const ChangedUnit&) = delete;
  ChangedUnit& operator=(const ChangedUnit&) = delete;

 private:
  std::filesystem::path folder_;
};

inline Command with_path(std::string script) {
  auto command = shell(std::move(script), Mark{});
  command.environment = {"PATH=/usr/bin:/bin"};
  return command;
}

}  // namespace outpost::process::test
