#include "plugins/dlrn/promoter/image_server.hpp"

#include "agent/base/sync.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>

namespace outpost::promoter {

namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

Result<std::vector<std::string>> names_in(const fs::path& directory) {
  std::error_code error;
  std::vector<std::string> names;
  for (fs::directory_iterator each{directory, error}, end; !error && each != end; each.increment(error))
    names.push_back(each->path().filename().string());
  if (error == std::errc::no_such_file_or_directory)
    return Error{Fault::refused, directory.string() + " does not exist"};
  if (error) return errno_error("cannot read", directory.native(), error.value());
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::optional<std::string>> target_of(const fs::path& link) {
  std::error_code error;
  const auto status = fs::symlink_status(link, error);
  if (status.type() == fs::file_type::not_found) return std::optional<std::string>{};
  if (!fs::is_symlink(status)) return Error{Fault::refused, link.string() + " is not a link; move it away"};
  const fs::path target = fs::read_symlink(link, error);
  if (error) return errno_error("cannot read", link.native(), error.value());
  if (!fs::exists(link, error)) return std::optional<std::string>{};
  // The old promoter made absolute ones.
  return std::optional{(target.has_filename() ? target : target.parent_path()).filename().string()};
}

Result<void> turn(const fs::path& link, const std::string& hash) {
  const fs::path beside = link.parent_path() / ("." + link.filename().string() + ".outpost");
  std::error_code error;
  fs::remove(beside, error);
  fs::create_directory_symlink(hash, beside, error);
  if (error) return errno_error("cannot create", beside.native(), error.value());
  if (std::rename(beside.c_str(), link.c_str()) != 0) return errno_error("cannot replace", link.native(), errno);
  return sync_directory(link.parent_path());
}

/// A name that is durable before what it stands for would be worse than none.
Result<void> sync_all_below(const fs::path& directory) {
  const int file = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return errno_error("cannot open", directory.native(), errno);
  const int failed = ::syncfs(file) == 0 ? 0 : errno;
  ::close(file);
  if (failed != 0) return errno_error("cannot sync", directory.native(), failed);
  return {};
}

}  // namespace

asio::awaitable<Result<std::vector<std::string>>> LocalImageServer::list(std::string hash) {
  auto look = [directory = directory_ / hash] { return names_in(directory); };
  co_return co_await workers_.run(std::move(look));
}

asio::awaitable<Result<std::optional<std::string>>> LocalImageServer::link(std::string label) {
  auto look = [link = directory_ / label] { return target_of(link); };
  co_return co_await workers_.run(std::move(look));
}

asio::awaitable<Result<void>> LocalImageServer::set_link(std::string label, std::string hash) {
  auto work = [link = directory_ / label, hash = std::move(hash)] { return turn(link, hash); };
  co_return co_await workers_.run(std::move(work));
}

asio::awaitable<Result<void>> LocalImageServer::remove_link(std::string label) {
  auto work = [link = directory_ / label]() -> Result<void> {
    std::error_code error;
    if (fs::is_symlink(fs::symlink_status(link, error))) fs::remove(link, error);
    if (error) return errno_error("cannot remove", link.native(), error.value());
    return sync_directory(link.parent_path());
  };
  co_return co_await workers_.run(std::move(work));
}

asio::awaitable<Result<void>> LocalImageServer::name_directory(std::string from, std::string hash) {
  auto work = [from = directory_ / from, to = directory_ / hash]() -> Result<void> {
    if (auto synced = sync_all_below(from); !synced) return synced;
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) != 0)
      return errno_error("cannot create", to.native(), errno);
    return sync_directory(to.parent_path());
  };
  co_return co_await workers_.run(std::move(work));
}

}  // namespace outpost::promoter
