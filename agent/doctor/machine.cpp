#include "agent/doctor/machine.hpp"

#include "agent/base/shell_word.hpp"
#include "agent/base/text.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>

namespace outpost::doctor {

namespace fs = std::filesystem;

bool Machine::has(const fs::path& path) const {
  std::error_code ignored;
  return fs::exists(at(path), ignored);
}

std::string Machine::text(const fs::path& path) const {
  constexpr std::size_t most = 4 * 1024 * 1024;
  std::ifstream file{at(path), std::ios::binary};
  std::string content;
  // In pieces: the kernel refuses to be asked for 4 MiB of a file in /proc/sys, however short that is.
  char piece[64 * 1024];
  while (content.size() < most && (file.read(piece, sizeof piece), file.gcount() > 0))
    content.append(piece, static_cast<std::size_t>(file.gcount()));
  return content;
}

std::vector<std::string> Machine::lines(const fs::path& path) const {
  std::vector<std::string> found;
  std::istringstream content{text(path)};
  for (std::string line; std::getline(content, line);) found.push_back(line);
  return found;
}

std::vector<std::string> Machine::names(const fs::path& directory) const {
  std::vector<std::string> found;
  std::error_code error;
  for (fs::directory_iterator entry{at(directory), error}, end; !error && entry != end; entry.increment(error))
    found.push_back(entry->path().filename().string());
  std::sort(found.begin(), found.end());
  return found;
}

std::optional<User> user_named(const Machine& machine, std::string_view name) {
  for (const auto& line : machine.lines("/etc/passwd")) {
    const auto fields = split(line, ':');
    if (fields.size() < 4 || fields[0] != name) continue;
    User user{fields[0]};
    std::from_chars(fields[2].data(), fields[2].data() + fields[2].size(), user.id);
    std::from_chars(fields[3].data(), fields[3].data() + fields[3].size(), user.group);
    return user;
  }
  return std::nullopt;
}

bool is_debian(const Machine& machine) {
  for (const auto& line : machine.lines("/etc/os-release"))
    if ((line.starts_with("ID=") || line.starts_with("ID_LIKE=")) && line.find("debian") != std::string::npos) return true;
  return false;
}

std::string install_command(const Machine& machine, const std::string& rpm, const std::string& deb) {
  return is_debian(machine) ? "apt-get install " + deb : "dnf install " + rpm;
}

namespace {

/// As a regular expression that matches this text only: "g\+\+".
std::string as_expression(const std::string& text) {
  std::string expression;
  for (const char each : text) expression += std::string_view{"\\^$.|?*+()[]{}"}.find(each) == std::string_view::npos ? std::string{each} : std::string{'\\', each};
  return expression;
}

}  // namespace

std::string install_command_named(const Machine& machine, const std::string& command) {
  return is_debian(machine) ? "apt-file search -x " + shell_word("bin/" + as_expression(command) + "$") : "dnf install " + shell_word("*/bin/" + command);
}

bool Mount::has_option(std::string_view option) const {
  const auto all = split(options, ',');
  return std::find(all.begin(), all.end(), option) != all.end();
}

std::optional<Mount> mount_of(const Machine& machine, const fs::path& path) {
  const std::string wanted = path.lexically_normal().string();
  std::optional<Mount> best;
  for (const auto& line : machine.lines("/proc/self/mountinfo")) {
    std::istringstream words{line};
    std::string id, parent, device, root, point, options, word, type;
    words >> id >> parent >> device >> root >> point >> options;
    while (words >> word && word != "-") {
    }
    words >> type;
    point = replace_all(point, "\\040", " ");
    const bool holds = point == "/" || wanted == point || wanted.starts_with(point + "/");
    // A later row lies over an earlier one at the same place.
    if (holds && (!best || point.size() >= best->point.native().size())) best = Mount{point, type, options};
  }
  return best;
}

std::optional<std::uint64_t> number_in(const std::vector<std::string>& lines, std::string_view key) {
  for (const auto& line : lines) {
    if (!line.starts_with(key)) continue;
    const auto digit = line.find_first_of("0123456789", key.size());
    std::uint64_t number = 0;
    if (digit == std::string::npos) return std::nullopt;
    std::from_chars(line.data() + digit, line.data() + line.size(), number);
    return number;
  }
  return std::nullopt;
}

}  // namespace outpost::doctor
