#include "agent/pipeline/workspace_watch.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <sys/stat.h>

#include <system_error>

namespace outpost::pipeline {

namespace asio = boost::asio;
namespace fs = std::filesystem;

struct WorkspaceWatch::State {
  Workers& workers;
  fs::path workspace;
  std::chrono::milliseconds interval;
  Seen seen;
  asio::steady_timer timer;
  WorkspaceSizes sizes;
  bool stopped = false;
};

DirectorySize size_of_directory(const fs::path& directory) {
  constexpr unsigned most = 200'000;
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds{1};
  DirectorySize size;
  unsigned entries = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator entry{directory, fs::directory_options::skip_permission_denied, error}, end; !error && entry != end;
       entry.increment(error)) {
    struct stat status{};
    if (::lstat(entry->path().c_str(), &status) == 0) size.bytes += static_cast<std::uint64_t>(status.st_blocks) * 512;
    ++entries;
    if (entries < most && (entries % 1000 != 0 || std::chrono::steady_clock::now() < give_up)) continue;
    size.complete = false;
    break;
  }
  // A hook removes what we are about to look at: what was seen until then counts.
  if (error && error != std::errc::no_such_file_or_directory) size.complete = false;
  return size;
}

WorkspaceWatch::WorkspaceWatch(const asio::any_io_executor& loop, Workers& workers, fs::path workspace, std::chrono::milliseconds interval, Seen seen)
    : state_{std::make_shared<State>(State{workers, std::move(workspace), interval, std::move(seen), asio::steady_timer{loop}, {}, false})} {
  asio::co_spawn(loop, look_regularly(state_), asio::detached);
}

WorkspaceWatch::~WorkspaceWatch() {
  state_->stopped = true;
  state_->timer.cancel();
}

asio::awaitable<WorkspaceSizes> WorkspaceWatch::finish() {
  state_->stopped = true;
  state_->timer.cancel();
  co_await look(state_);
  co_return state_->sizes;
}

asio::awaitable<void> WorkspaceWatch::look_regularly(std::shared_ptr<State> state) {
  while (!state->stopped) {
    state->timer.expires_after(state->interval);
    co_await state->timer.async_wait(asio::as_tuple(asio::use_awaitable));
    if (state->stopped) co_return;
    co_await look(state);
    if (!state->stopped) state->seen(state->sizes);
  }
}

asio::awaitable<void> WorkspaceWatch::look(std::shared_ptr<State> state) {
  auto looking = [workspace = state->workspace] { return size_of_directory(workspace); };
  state->sizes.last = co_await state->workers.run(std::move(looking));
  if (state->sizes.last.bytes >= state->sizes.peak.bytes) state->sizes.peak = state->sizes.last;
}

}  // namespace outpost::pipeline
