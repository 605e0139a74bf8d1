#pragma once

#include "agent/base/result.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace outpost::doctor {

/// This machine as its files describe it. Every path is below a root, so that another machine can stand in for it.
class Machine {
 public:
  explicit Machine(std::filesystem::path root = "/") : root_{std::move(root)} {}

  /// Where an absolute path really is.
  [[nodiscard]] std::filesystem::path at(const std::filesystem::path& path) const {
    return root_ / path.relative_path();
  }
  [[nodiscard]] bool has(const std::filesystem::path& path) const;
  /// The first 4 MiB of a file; "" when it cannot be read.
  [[nodiscard]] std::string text(const std::filesystem::path& path) const;
  [[nodiscard]] std::vector<std::string> lines(const std::filesystem::path& path) const;
  /// The names in a directory, sorted.
  [[nodiscard]] std::vector<std::string> names(const std::filesystem::path& directory) const;
  /// Whether it is the machine that we run on: then systemd and the kernel can be asked as well.
  [[nodiscard]] bool is_real() const { return root_ == "/"; }

 private:
  std::filesystem::path root_;
};

/// A user of /etc/passwd.
struct User {
  std::string name;
  unsigned id = 0, group = 0;
};
[[nodiscard]] std::optional<User> user_named(const Machine& machine, std::string_view name);

/// Whether packages are installed by apt here, and not by dnf.
[[nodiscard]] bool is_debian(const Machine& machine);
/// Installs packages, of whose names the distributions have their own.
[[nodiscard]] std::string install_command(const Machine& machine, const std::string& rpm, const std::string& deb);
/// Installs, or finds, the package that brings a command.
[[nodiscard]] std::string install_command_named(const Machine& machine, const std::string& command);

/// A row of /proc/self/mountinfo.
struct Mount {
  std::filesystem::path point;
  std::string type, options;

  [[nodiscard]] bool has_option(std::string_view option) const;
};
/// Of the file system that holds a path, which need not exist.
[[nodiscard]] std::optional<Mount> mount_of(const Machine& machine, const std::filesystem::path& path);

/// The number behind a key in a file such as /proc/meminfo ("MemTotal: 123 kB"), as it stands there.
[[nodiscard]] std::optional<std::uint64_t> number_in(const std::vector<std::string>& lines, std::string_view key);

}  // namespace outpost::doctor
