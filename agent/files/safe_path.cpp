#include "agent/files/safe_path.hpp"

#include "agent/base/text.hpp"

#include <fcntl.h>
#include <linux/limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

namespace outpost::files {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t deepest = 64;

Error refused(std::string_view name, std::string_view why) {
  return {Fault::refused, "refused to use \"" + printable(name, 300) + "\": " + std::string{why}};
}

bool has_control_byte(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char byte) { return byte < 0x20 || byte == 0x7f; });
}

/// What can be said about a name without looking at the disk.
Result<std::vector<std::string>> components_of(std::string_view name) {
  if (name.empty()) return refused(name, "the name is empty");
  if (name.front() == '/') return refused(name, "the name is absolute");
  if (has_control_byte(name)) return refused(name, "the name has control characters");
  std::vector<std::string> components = split(name, '/');
  if (components.size() > deepest) return refused(name, "more than 64 directories deep");
  for (const std::string& component : components) {
    if (component.empty()) return refused(name, "the name has an empty component");
    if (component == "." || component == "..") return refused(name, "the name has a \"" + component + "\" in it");
    if (component.size() > NAME_MAX) return refused(name, "a component is longer than 255 bytes");
  }
  return components;
}

Result<void> check_backslash(std::string_view name) {
  if (name.find('\\') != std::string_view::npos) return refused(name, "it has a backslash");
  return {};
}

bool is_link(int directory, const std::string& name) {
  struct stat status{};
  return ::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode);
}

enum class Missing { stop_there, make };

/// Opens the directory that holds the last component, going down by descriptors so that no link is followed. A closed
/// descriptor: a directory on the way does not exist.
Result<Descriptor> open_parent(const fs::path& root, std::string_view name, const std::vector<std::string>& components,
                               Missing missing) {
  Descriptor current{::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
  if (!current.is_open()) return errno_error("cannot open the directory", root.native(), errno);
  for (std::size_t i = 0; i + 1 < components.size(); ++i) {
    const std::string& component = components[i];
    if (missing == Missing::make && ::mkdirat(current.get(), component.c_str(), 0750) != 0 && errno != EEXIST)
      return errno_error("cannot make the directory \"" + component + "\" of", (root / name).native(), errno);
    Descriptor next{::openat(current.get(), component.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (!next.is_open() && errno == ENOENT) return Descriptor{};
    if (!next.is_open()) {
      if (is_link(current.get(), component)) return refused(name, "\"" + component + "\" is a symbolic link");
      return errno_error("cannot go through \"" + component + "\" of", (root / name).native(), errno);
    }
    current = std::move(next);
  }
  return current;
}

Result<fs::path> checked(const fs::path& root, std::string_view relative, Missing missing) {
  auto components = components_of(relative);
  if (!components) return components.error();
  if (auto plain = check_backslash(relative); !plain) return plain.error();
  fs::path path = root / relative;
  if (path.native().size() >= PATH_MAX) return refused(relative, "the path is longer than the system allows");
  auto parent = open_parent(root, relative, *components, missing);
  if (!parent) return parent.error();
  if (parent->is_open() && is_link(parent->get(), components->back()))
    return refused(relative, "there is a symbolic link at this place");
  return path;
}

}  // namespace

Result<void> check_name(std::string_view name) {
  auto components = components_of(name);
  if (!components) return components.error();
  return {};
}

Result<fs::path> inside(const fs::path& root, std::string_view relative) {
  return checked(root, relative, Missing::stop_there);
}

Result<Descriptor> open_inside(const fs::path& root, std::string_view relative) {
  auto components = components_of(relative);
  if (!components) return components.error();
  auto parent = open_parent(root, relative, *components, Missing::stop_there);
  if (!parent) return parent.error();
  const std::string path = (root / relative).native();
  if (!parent->is_open()) return errno_error("cannot open", path, ENOENT);
  Descriptor file{::openat(parent->get(), components->back().c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
  if (!file.is_open() && errno == ELOOP)
    return Error{Fault::refused, printable(path) + ": a symbolic link, not followed"};
  if (!file.is_open()) return errno_error("cannot open", printable(path), errno);
  struct stat status{};
  if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode))
    return Error{Fault::refused, printable(path) + ": not a regular file"};
  return file;
}

Result<fs::path> prepare_inside(const fs::path& root, std::string_view relative) {
  return checked(root, relative, Missing::make);
}

Result<void> check_link(std::string_view link, std::string_view destination) {
  auto components = components_of(link);
  if (!components) return components.error();
  const auto bad = [&](std::string_view why) {
    return refused(link, "its destination \"" + printable(destination, 300) + "\" " + std::string{why});
  };
  if (destination.empty()) return bad("is empty");
  if (destination.front() == '/') return bad("is absolute");
  if (destination.size() >= PATH_MAX) return bad("is longer than the system allows");
  if (has_control_byte(destination)) return bad("has control characters");
  std::size_t up = 0;
  bool down = false;
  for (const std::string& part : split(destination, '/')) {
    if (part.empty() || part == ".") continue;
    // "down/.." would be harmless only if "down" never is a link, and a later entry can make it one.
    if (part == ".." && down) return bad("goes up again after it went down");
    if (part == "..")
      ++up;
    else
      down = true;
  }
  if (up >= components->size()) return bad("is outside of the directory");
  return {};
}

Result<void> make_symlink_inside(const fs::path& root, std::string_view link, std::string_view destination) {
  if (auto allowed = check_link(link, destination); !allowed) return allowed;
  for (const std::string_view text : {link, destination})
    if (auto plain = check_backslash(text); !plain) return plain;
  auto components = components_of(link);
  auto parent = open_parent(root, link, *components, Missing::make);
  if (!parent) return parent.error();
  if (!parent->is_open()) return errno_error("cannot make the directories of", (root / link).native(), ENOENT);
  const std::string& name = components->back();
  if (is_link(parent->get(), name)) ::unlinkat(parent->get(), name.c_str(), 0);
  if (::symlinkat(std::string{destination}.c_str(), parent->get(), name.c_str()) != 0)
    return errno_error("cannot make the symbolic link", (root / link).native(), errno);
  return {};
}

}  // namespace outpost::files
