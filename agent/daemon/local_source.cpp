#include "agent/daemon/local_source.hpp"

#include "agent/base/text.hpp"
#include "agent/base/units.hpp"

#include <array>
#include <system_error>

namespace outpost::daemon {

namespace fs = std::filesystem;
namespace asio = boost::asio;

namespace {

Result<void> copy_component(const fs::path& from, const fs::path& into) {
  std::error_code error;
  fs::create_directories(into, error);
  if (from.empty() && !error) return {};
  if (!error && fs::is_directory(from, error)) fs::copy(from, into, fs::copy_options::recursive | fs::copy_options::copy_symlinks | fs::copy_options::overwrite_existing, error);
  else if (!error) fs::copy_file(from, into / from.filename(), fs::copy_options::overwrite_existing, error);
  if (error) return errno_error("cannot copy " + from.string() + " to", into.native(), error.value());
  return {};
}

/// The name of an archive without its extension; empty for anything else.
std::string archive_stem(const fs::path& file) {
  static constexpr std::array<std::string_view, 6> extensions{".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.zst", ".tzst"};
  const std::string name = file.filename().string();
  for (const auto extension : extensions)
    if (name.size() > extension.size() && name.ends_with(extension)) return name.substr(0, name.size() - extension.size());
  return {};
}

std::vector<fs::path> archives_in(const fs::path& directory) {
  std::vector<fs::path> archives;
  std::error_code error;
  for (fs::directory_iterator file{directory, error}, end; !error && file != end; file.increment(error))
    if (!archive_stem(file->path()).empty() && file->is_regular_file(error)) archives.push_back(file->path());
  return archives;
}

}  // namespace

Result<void> LocalSource::check(const job::Definition&) const { return {}; }

asio::awaitable<Result<std::vector<pipeline::Candidates>>> LocalSource::poll(const job::Definition&, std::size_t) {
  co_return std::vector<pipeline::Candidates>{};
}

asio::awaitable<Result<pipeline::Claimed>> LocalSource::claim(const pipeline::ClaimRequest& request) {
  pipeline::Claimed claimed;
  claimed.claim = {"local", request.job.id, ""};
  claimed.document = job_.document;
  if (claimed.document.empty()) claimed.document = {{"id", request.job.id}, {"name", request.job.definition.name}};
  co_return claimed;
}

asio::awaitable<Result<std::optional<pipeline::Claimed>>> LocalSource::find(const pipeline::ClaimRequest&) {
  co_return std::optional<pipeline::Claimed>{};
}

asio::awaitable<Result<pipeline::Watched>> LocalSource::watch(const job::Claim&) { co_return pipeline::Watched{}; }

asio::awaitable<Result<void>> LocalSource::fetch(const pipeline::FetchRequest& request, pipeline::Report report) {
  for (std::size_t index = 0; index < request.job.components.size() && index < job_.components.size(); ++index) {
    const fs::path from = job_.components[index].path;
    const fs::path into = request.directories.at(request.job.components[index].id);
    report("copying " + from.string());
    auto copying = [from, into] { return copy_component(from, into); };
    auto copied = co_await workers_.run(std::move(copying));
    if (!copied) co_return copied.error();
    if (!job_.unpack) continue;
    const auto archives = archives_in(into);
    for (const auto& archive_path : archives) {
      // Alone it goes to unpacked/, as for a job from a server.
      const fs::path target = archives.size() == 1 ? into / "unpacked" : into / "unpacked" / archive_stem(archive_path);
      std::error_code error;
      fs::create_directories(target.parent_path(), error);
      fs::remove_all(target, error);
      report("unpacking " + archive_path.filename().string());
      fs::path archive = archive_path;
      fs::path destination = target;
      auto unpacked = co_await unpacker_.unpack(std::move(archive), std::move(destination));
      if (!unpacked) co_return unpacked.error();
      report("unpacked " + std::to_string(unpacked->entries) + " entries, " + format_size(unpacked->bytes));
    }
  }
  co_return Result<void>{};
}

}  // namespace outpost::daemon
