#include "agent/daemon/feeding.hpp"

#include "agent/base/text.hpp"
#include "agent/daemon/run_to_end.hpp"
#include "agent/daemon/server_access.hpp"
#include "agent/http/beast/beast_client.hpp"
#include "agent/http/throttle.hpp"
#include "plugins/dci/feeder.hpp"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <set>
#include <system_error>
#include <utility>

namespace outpost::daemon {

namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

using Work = std::function<asio::awaitable<Result<Fed>>(const dci::Feeder& feeder)>;

/// Holds nothing back: through it the bytes are seen as they leave.
std::shared_ptr<http::Throttle> passing(const FeedProgress& progress) {
  constexpr std::uint64_t unlimited = std::uint64_t{1} << 50;
  return std::make_shared<http::Throttle>(unlimited, progress.bytes);
}

Result<Fed> with_feeder(const FeederAccess& who, const FeedProgress& progress, const Work& work) {
  const SystemClock clock;
  asio::io_context loop{1};
  Workers workers{1};
  auto credentials = dci::make_credentials(who.credentials.client_id, who.credentials.api_secret.reveal());
  if (!credentials) return credentials.error();
  const std::string url = who.credentials.url.empty() ? "https://api.distributed-ci.io" : who.credentials.url;
  const dci::Server server{url, std::move(*credentials), nullptr, who.source.idle_timeout};
  auto client = http::make_beast_client(client_options(who.source, passing(progress)));
  if (!client) return client.error();
  Result<Fed> fed = Error{Fault::bug, "nobody was asked"};
  {
    const auto feeder = dci::Feeder::make(server, **client, workers, clock, {.retries = progress.retries});
    if (!feeder) return feeder.error();
    fed = run_to_end(loop, work(*feeder));
  }
  client->reset();  // Before the loop, on which its connections live.
  return fed;
}

asio::awaitable<Result<std::vector<FedFile>>> bring(const dci::Feeder& feeder, std::string component,
                                                    const std::vector<FeedFile>& files, const FeedProgress& progress) {
  std::vector<FedFile> brought;
  for (const auto& file : files) {
    std::string id = component, name = file.name;
    fs::path path = file.path;
    if (progress.begins) progress.begins(file);
    auto sent = co_await feeder.upload(std::move(id), std::move(path), std::move(name));
    if (!sent) co_return std::move(sent).error().in(printable(file.name, 300));
    brought.push_back({sent->id, file.name, sent->size, sent->found});
    if (progress.sent) progress.sent(brought.back());
  }
  co_return brought;
}

asio::awaitable<Result<Fed>> make_and_bring(const dci::Feeder& feeder, const ComponentToFeed& wanted,
                                            const std::vector<FeedFile>& files, const FeedProgress& progress) {
  dci::NewComponent component{wanted.topic, wanted.type,  wanted.name,    wanted.version,     wanted.url,
                              wanted.uid,   wanted.title, wanted.message, wanted.released_at, wanted.tags};
  auto made = co_await feeder.create(std::move(component));
  if (!made) co_return made.error();
  Fed fed{std::move(made->component), made->found, {}};
  const std::string id = job::text_at(fed.component, "id");
  std::string same = id;
  auto brought = co_await bring(feeder, std::move(same), files, progress);
  if (!brought) co_return brought.error();
  fed.files = std::move(*brought);
  same = id;
  if (wanted.active) {
    auto published = co_await feeder.publish(std::move(same));
    if (!published) co_return published.error();
    fed.component = std::move(*published);
  }
  co_return fed;
}

asio::awaitable<Result<Fed>> bring_to(const dci::Feeder& feeder, std::string component,
                                      const std::vector<FeedFile>& files, const FeedProgress& progress) {
  std::string id = component;
  auto row = co_await feeder.component(std::move(id));
  if (!row) co_return row.error();
  auto brought = co_await bring(feeder, std::move(component), files, progress);
  if (!brought) co_return brought.error();
  co_return Fed{std::move(*row), true, std::move(*brought)};
}

Result<void> add(const fs::path& path, const std::string& name, std::set<std::string>& names,
                 std::vector<FeedFile>& files) {
  if (printable(name, name.size() * 4) != name || !is_utf8(name))
    return Error{Fault::refused, "the name \"" + printable(name, 200) + "\" has control characters or is no UTF-8"};
  if (!names.insert(name).second)
    return Error{Fault::refused, "two files would be called " + printable(name, 200) + " there"};
  std::error_code failed;
  const auto size = fs::file_size(path, failed);
  if (failed) return errno_error("cannot read", path.native(), failed.value());
  files.push_back({path, name, size});
  return {};
}

}  // namespace

Result<std::vector<FeedFile>> files_to_feed(const std::vector<fs::path>& paths) {
  std::vector<FeedFile> files;
  std::set<std::string> names;
  for (const auto& path : paths) {
    std::error_code failed;
    const auto status = fs::status(path, failed);
    if (!fs::exists(status)) return errno_error("cannot read", path.native(), failed ? failed.value() : ENOENT);
    if (!fs::is_directory(status)) {
      if (!fs::is_regular_file(status)) return Error{Fault::refused, printable(path.native()) + " is no regular file"};
      if (auto added = add(path, path.filename().string(), names, files); !added) return added.error();
      continue;
    }
    std::vector<fs::path> below;
    for (fs::recursive_directory_iterator entry{path, failed}, end; !failed && entry != end; entry.increment(failed))
      if (entry->is_regular_file(failed)) below.push_back(entry->path());
    if (failed) return errno_error("cannot read", path.native(), failed.value());
    std::sort(below.begin(), below.end());
    for (const auto& each : below)
      if (auto added = add(each, each.lexically_relative(path).generic_string(), names, files); !added)
        return added.error();
  }
  return files;
}

Result<Fed> feed_component(const FeederAccess& access, const ComponentToFeed& component,
                           const std::vector<FeedFile>& files, const FeedProgress& progress) {
  return with_feeder(access, progress, [&](const dci::Feeder& feeder) {
    return make_and_bring(feeder, component, files, progress);
  });
}

Result<Fed> feed_files(const FeederAccess& access, const std::string& component, const std::vector<FeedFile>& files,
                       const FeedProgress& progress) {
  return with_feeder(access, progress,
                     [&](const dci::Feeder& feeder) { return bring_to(feeder, component, files, progress); });
}

}  // namespace outpost::daemon
