#include "plugins/junit/leftover_files.hpp"

#include "agent/base/text.hpp"
#include "agent/base/descriptor.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

namespace outpost::junit {
namespace {

namespace fs = std::filesystem;

constexpr unsigned deepest = 32;

std::string_view kind_of(mode_t mode) {
  if (S_ISLNK(mode)) return "a symbolic link";
  if (S_ISFIFO(mode)) return "a fifo";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

class Walk {
 public:
  Walk(fs::path root, std::size_t limit) : root_{std::move(root)}, limit_{limit} {}

  LeftoverFiles run() {
    Descriptor directory{::open(root_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (directory.is_open())
      visit(std::move(directory), "", 0);
    else if (errno != ENOENT)
      warn("", std::strerror(errno));
    if (left_out_ > 0)
      add_warning(found_.warnings, root_.string() + ": more than " + std::to_string(limit_) + " files, " +
                                       std::to_string(left_out_) + " were left out");
    std::sort(found_.files.begin(), found_.files.end());
    return std::move(found_);
  }

 private:
  struct Close {
    void operator()(DIR* stream) const { ::closedir(stream); }
  };

  void warn(const std::string& name, std::string_view why) {
    add_warning(found_.warnings, printable((root_ / name).native(), 500) + ": left out, " + std::string{why});
  }

  void visit(Descriptor directory, const std::string& prefix, unsigned depth) {
    found_.directories.push_back(root_ / prefix);
    const int descriptor = ::dup(directory.get());
    const std::unique_ptr<DIR, Close> stream{::fdopendir(descriptor)};
    if (!stream) {
      ::close(descriptor);
      return warn(prefix, "cannot be listed");
    }
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(stream.get())) names.emplace_back(entry->d_name);
    std::sort(names.begin(), names.end());
    for (const std::string& name : names)
      if (name != "." && name != "..") look_at(directory.get(), prefix, name, depth);
  }

  void look_at(int directory, const std::string& prefix, const std::string& name, unsigned depth) {
    const std::string path = prefix + name;
    struct stat status{};
    if (::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return warn(path, std::strerror(errno));
    if (!is_utf8(name)) return warn(path, "its name is not UTF-8; give it another one");
    if (S_ISREG(status.st_mode)) {
      if (found_.files.size() >= limit_)
        ++left_out_;
      else
        found_.files.push_back(path);
    } else if (!S_ISDIR(status.st_mode)) {
      warn(path, std::string{kind_of(status.st_mode)} + "; only regular files are collected");
    } else if (depth >= deepest) {
      warn(path, "more than 32 directories deep");
    } else {
      Descriptor below{::openat(directory, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
      if (!below.is_open()) return warn(path, std::strerror(errno));
      visit(std::move(below), path + "/", depth + 1);
    }
  }

  fs::path root_;
  std::size_t limit_;
  std::size_t left_out_ = 0;
  LeftoverFiles found_;
};

}  // namespace

LeftoverFiles find_leftover_files(const fs::path& root, std::size_t limit) { return Walk{root, limit}.run(); }

void add_warning(std::vector<std::string>& warnings, std::string warning) {
  constexpr std::size_t most = 50;
  if (warnings.size() < most) return warnings.push_back(std::move(warning));
  if (warnings.size() == most) warnings.emplace_back("and more warnings like these");
}

Result<void> copy_file(int from, int to, std::uint64_t most) {
  std::vector<char> buffer(256 * 1024);
  std::uint64_t copied = 0;
  while (true) {
    const ssize_t got = ::pread(from, buffer.data(), buffer.size(), static_cast<off_t>(copied));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error("cannot read", "it", errno);
    if (got == 0) return {};
    if (copied + static_cast<std::uint64_t>(got) > most)
      return Error{Fault::refused, "above the limit of " + std::to_string(most) + " bytes"};
    for (ssize_t done = 0; done < got;) {
      const ssize_t put = ::pwrite(to, buffer.data() + done, static_cast<std::size_t>(got - done), static_cast<off_t>(copied) + done);
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) return errno_error("cannot write", "a copy", errno);
      done += put;
    }
    copied += static_cast<std::uint64_t>(got);
  }
}

}  // namespace outpost::junit
