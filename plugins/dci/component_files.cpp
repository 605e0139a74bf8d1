#include "plugins/dci/component_files.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/files/durable_file.hpp"
#include "agent/files/redirect.hpp"
#include "agent/files/safe_path.hpp"
#include "agent/job/event.hpp"
#include "plugins/dci/feeder.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/multiple_exceptions.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/array.hpp>

#include <algorithm>

namespace outpost::dci {
namespace {

using boost::asio::awaitable;

constexpr unsigned list_attempts = 4;
constexpr std::size_t list_limit = 256 * 1024 * 1024;  // A compose has some 100 000 files of 200 bytes each.
constexpr std::chrono::seconds between_lines{10};
constexpr std::string_view images_list = "images_list.yaml";

std::string base_path(const std::string& component) { return "/api/v1/components/" + component + "/files"; }

std::string amount(std::size_t files, std::uint64_t bytes) {
  return std::to_string(files) + (files == 1 ? " file, " : " files, ") + format_size(bytes);
}

Result<void> make_directories(const std::filesystem::path& root, const FileList& list) {
  for (const auto& directory : list.directories) {
    auto path = files::prepare_inside(root, directory);
    if (!path) return path.error();
    std::error_code failed;
    std::filesystem::create_directory(*path, failed);
    if (failed) return errno_error("creating the directory", path->string(), failed.value());
  }
  return {};
}

Result<void> make_links(const std::filesystem::path& root, const FileList& list) {
  for (const auto& link : list.links)
    if (auto made = files::make_symlink_inside(root, link.path, link.destination); !made)
      return std::move(made).error().in("symlinks");
  return {};
}

/// Where a file goes, and whether an interrupted call has brought it already. Under its own name a file is complete;
/// with a checksum that is looked at again, because hooks may have written to it.
struct Place {
  std::filesystem::path path;
  bool complete = false;
};

Result<Place> find_place(const std::filesystem::path& root, const ListedFile& file) {
  auto path = files::prepare_inside(root, file.path);
  if (!path) return path.error();
  Place place{*path, false};
  std::error_code failed;
  const auto status = std::filesystem::symlink_status(place.path, failed);
  if (!std::filesystem::exists(status)) return place;
  if (std::filesystem::is_regular_file(status) && file.size == std::filesystem::file_size(place.path, failed)) {
    if (file.sha256.empty())
      place.complete = true;
    else if (auto sum = sha256_of_file(place.path, 0, *file.size))
      place.complete = *sum == file.sha256;
  }
  if (!place.complete && !std::filesystem::remove(place.path, failed))
    return errno_error("removing", place.path.string(), failed.value());
  return place;
}

Result<void> check_list(const FileList& list, const FetchLimits& limits) {
  const std::size_t entries = list.files.size() + list.directories.size() + list.links.size();
  if (entries > limits.files)
    return Error{Fault::refused, "dci_files_list.json names " + std::to_string(entries) + " files; at most " +
                                     std::to_string(limits.files) + " are taken"};
  if (list.bytes() > limits.bytes)
    return Error{Fault::refused, "its files have " + format_size(list.bytes()) + " together, and at most " +
                                     format_size(limits.bytes) + " are taken; raise downloads.limit if that is right"};
  return {};
}

/// agent/files knows no configuration: the keys of the limits that it names are these.
Error with_key(Error error, std::string_view key) {
  if (error.message.find("raise the limit") != std::string::npos) error.message += " (" + std::string{key} + ")";
  return error;
}

/// The component's own files where ours would go.
Result<void> check_room(const FileList& list) {
  for (const auto& [archive, target] : unpack_targets(list.files)) {
    const std::string name = target;
    const auto in_the_way = [&](const std::string& path) { return path == name || path.starts_with(name + '/'); };
    if (std::any_of(list.files.begin(), list.files.end(), [&](const auto& file) { return in_the_way(file.path); }) ||
        std::any_of(list.links.begin(), list.links.end(), [&](const auto& link) { return in_the_way(link.path); }) ||
        std::any_of(list.directories.begin(), list.directories.end(), in_the_way))
      return Error{Fault::refused, printable(archive, 200) + " would be unpacked to " + printable(name, 200) +
                                       ", which the component has itself; say unpack: false in the job"};
  }
  return {};
}

}  // namespace

ComponentFiles::ComponentFiles(const Api& api, http::Client& client, Workers& workers, files::Cache* cache,
                               FetchLimits limits, bool allow_local_redirects, files::DownloadOptions options,
                               files::Unpacker unpacker)
    : api_{api},
      client_{client},
      workers_{workers},
      cache_{cache},
      limits_{limits},
      allow_local_{allow_local_redirects},
      options_{options},
      downloader_{client, workers, options},
      unpacker_{std::move(unpacker)} {}

/// One request and the redirects that follow it. Only the first one, to the control server, has our headers.
awaitable<Result<http::Response>> ComponentFiles::get_once(std::string path) {
  Call call{.path = std::move(path)};
  const Expectation expected = api_.expectation(call);
  auto request = api_.signed_request(std::move(call));
  if (!request) co_return request.error();
  http::Request next = std::move(*request);
  for (unsigned hop = 0;; ++hop) {
    next.response_limit = list_limit;
    http::Request named = next;
    auto response = co_await client_.send(std::move(named));
    if (!response) co_return std::move(response).error().in(files::without_query(next.url));
    if (!files::is_redirect(response->status)) {
      if (response->status == 200) co_return response;
      if (hop == 0) {
        const Answer answer = read_answer(std::move(*response), api_.credentials().secret);
        co_return to_error(judge(answer, expected));
      }
      if (response->status >= 500 || response->status == 429)
        co_return Error{Fault::retry_later,
                        files::without_query(next.url) + ": HTTP " + std::to_string(response->status)};
      co_return response;
    }
    if (hop >= options_.redirects)
      co_return Error{Fault::refused, expected.what + ": more than " + std::to_string(hop) + " redirects"};
    auto followed = files::follow(next, *response, allow_local_);
    if (!followed) co_return followed.error();
    next = std::move(*followed);
  }
}

awaitable<Result<http::Response>> ComponentFiles::get(std::string path, files::Stalls& stalls) {
  const std::string name = path.substr(path.rfind('/') + 1);
  for (unsigned attempt = 1;; ++attempt) {
    std::string copy = path;
    auto response = co_await get_once(std::move(copy));
    stalls.goes_on(name);
    if (response || response.error().fault != Fault::retry_later || attempt >= list_attempts) co_return response;
    const auto wait = options_.backoff_base * (1 << attempt);
    stalls.waits(name, {attempt, wait, response.error().message});
    boost::asio::steady_timer timer{co_await boost::asio::this_coro::executor};
    timer.expires_after(wait);
    co_await timer.async_wait(boost::asio::use_awaitable);
  }
}

/// A list that a component may have beside its files; nothing when it has not.
awaitable<Result<std::optional<std::string>>> ComponentFiles::read_list(std::string component, std::string_view name,
                                                                       files::Stalls& stalls) {
  std::string path = base_path(component) + '/' + std::string{name};
  auto response = co_await get(std::move(path), stalls);
  if (!response) co_return response.error();
  const std::string where = std::string{name} + ": ";
  // Object stores say 404, or 403 to those who may not list, for what is not there; the control server does not check.
  if (response->status == 404 || response->status == 403) co_return std::optional<std::string>{};
  if (response->status != 200)
    co_return Error{Fault::refused, where + "the object store answers " + std::to_string(response->status)};
  if (trim(std::string_view{response->body}.substr(0, 64)).starts_with('<'))
    co_return Error{Fault::retry_later,
                    where + "a page came instead of the list; is there a portal or proxy in between?"};
  co_return std::optional{std::move(response->body)};
}

awaitable<Result<ComponentFiles::Listed>> ComponentFiles::list_of(std::string component, files::Stalls& stalls) {
  Listed listed;
  auto text = co_await read_list(std::move(component), "dci_files_list.json", stalls);
  if (!text) co_return text.error();
  if (!*text) co_return listed;
  auto list = parse_file_list(**text);
  if (!list) co_return list.error();
  listed.list = std::move(*list);
  listed.found = true;
  co_return listed;
}

/// The container images that belong to the component. They are in registries, which need logins of the site's own, so
/// the list is left for hooks.
awaitable<Result<void>> ComponentFiles::bring_images_list(std::string component, std::filesystem::path root,
                                                          const FileList& list, pipeline::Report report,
                                                          files::Stalls& stalls) {
  const auto is_it = [](const ListedFile& file) { return file.path == images_list; };
  if (std::any_of(list.files.begin(), list.files.end(), is_it)) co_return Result<void>{};
  auto text = co_await read_list(std::move(component), images_list, stalls);
  if (!text) co_return text.error();
  if (!*text) co_return Result<void>{};
  const std::string size = format_size((*text)->size());
  auto write = [root, content = std::move(**text)]() -> Result<void> {
    auto path = files::prepare_inside(root, std::string{images_list});
    if (!path) return path.error();
    return files::write_durably(*path, content);
  };
  auto written = co_await workers_.run(std::move(write));
  if (!written) co_return std::move(written).error().in(std::string{images_list});
  report(std::string{images_list} + ": " + size + "; mirroring its images is up to hooks");
  co_return Result<void>{};
}

/// The older way: files that a feeder uploaded to the control server, each under an id. What they are called the
/// component's data says, when the feeder was ours (feeder.hpp).
awaitable<Result<FileList>> ComponentFiles::uploaded_files(job::Component component) {
  FileList list;
  const auto* names = component.data.if_contains(file_names);
  const boost::json::object named = names && names->is_object() ? names->get_object() : boost::json::object{};
  std::function<bool(const boost::json::object&)> row = [&](const boost::json::object& one) {
    ListedFile file;
    const std::string id = job::text_at(one, "id");
    file.path = job::text_at(named, id);
    if (file.path.empty()) file.path = job::text_at(one, "name");
    if (file.path.empty()) file.path = id;
    file.source = id + "/content";
    if (const auto size = job::number_at(one, "size", -1); size >= 0) file.size = static_cast<std::uint64_t>(size);
    const std::string state = job::text_at(one, "state");
    if (is_id(id) && (state.empty() || state == "active")) list.files.push_back(std::move(file));
    return true;
  };
  Call call{.path = base_path(component.id), .key = "component_files"};
  const Reply reply = co_await api_.list(std::move(call), std::move(row));
  if (!reply.ok()) co_return reply.error();
  co_return list;
}

awaitable<Result<void>> ComponentFiles::fetch(job::Component component, std::filesystem::path directory, bool unpack,
                                              pipeline::Report report, pipeline::Stalled stalled) {
  const std::string name =
      component.type + ' ' + printable(component.name.empty() ? component.version : component.name, 200);
  if (!is_id(component.id))
    co_return Error{Fault::malformed, name + ": \"" + printable(component.id, 60) + "\" is no component id"};
  std::error_code failed;
  std::filesystem::create_directories(directory, failed);
  if (failed) co_return errno_error("creating the directory", directory.string(), failed.value());

  files::Stalls stalls{std::move(stalled)};
  std::string id = component.id;
  auto listed = co_await list_of(std::move(id), stalls);
  if (!listed) co_return std::move(listed).error().in(name);
  FileList list = std::move(listed->list);
  if (!listed->found) {
    job::Component same = component;
    auto uploaded = co_await uploaded_files(std::move(same));
    if (!uploaded) co_return std::move(uploaded).error().in(name);
    list = std::move(*uploaded);
  }
  if (auto checked = check_list(list, limits_); !checked) co_return std::move(checked).error().in(name);
  if (unpack)
    if (auto room = check_room(list); !room) co_return std::move(room).error().in(name);
  if (list.files.empty()) {
    report(name + ": no files to download");
  } else {
    report(name + ": " + amount(list.files.size(), list.bytes()));
  }

  auto directories = [directory, list] { return make_directories(directory, list); };
  if (auto made = co_await workers_.run(std::move(directories)); !made) co_return std::move(made).error().in(name);
  Progress progress{.report = report, .stalls = stalls};
  try {
    using namespace boost::asio::experimental::awaitable_operators;
    // A compose is thousands of small files: several at a time, because each costs two round trips.
    co_await (download_some(component.id, directory, list.files, progress) &&
              download_some(component.id, directory, list.files, progress) &&
              download_some(component.id, directory, list.files, progress) &&
              download_some(component.id, directory, list.files, progress));
  } catch (const boost::system::system_error&) {  // Thrown when a cancelled coroutine wants to wait again.
    progress.failed = Error{Fault::cancelled, "cancelled"};
  } catch (const boost::asio::multiple_exceptions&) {
    progress.failed = Error{Fault::cancelled, "cancelled"};
  }
  if (progress.failed) co_return std::move(*progress.failed).in(name);
  auto links = [directory, list] { return make_links(directory, list); };
  if (auto made = co_await workers_.run(std::move(links)); !made) co_return std::move(made).error().in(name);
  if (!list.files.empty())
    report(name + ": complete, " + format_size(progress.bytes) + " downloaded, " +
           format_size(progress.kept + progress.resumed) + " were there already, " + format_size(progress.cached) +
           " from the cache");
  if (listed->found) {
    id = component.id;
    std::filesystem::path root = directory;
    pipeline::Report same = report;
    auto brought = co_await bring_images_list(std::move(id), std::move(root), list, std::move(same), stalls);
    if (!brought) co_return std::move(brought).error().in(name);
  }
  if (unpack) {
    auto unpacked = co_await unpack_all(directory, list.files, report);
    if (!unpacked) co_return std::move(unpacked).error().in(name);
  }
  co_return Result<void>{};
}

awaitable<void> ComponentFiles::download_some(const std::string& component, const std::filesystem::path& directory,
                                              const std::vector<ListedFile>& files, Progress& progress) {
  while (!progress.failed && progress.next < files.size()) {
    ListedFile file = files[progress.next++];
    std::string id = component;
    std::filesystem::path root = directory;
    auto brought = co_await bring(std::move(id), std::move(root), std::move(file), progress);
    if (!brought && !progress.failed) progress.failed = brought.error();
  }
}

/// What the server told one download to wait, the others wait too; the job's own time limits that.
awaitable<Result<http::Request>> ComponentFiles::open(Call call) {
  const std::string endpoint = endpoint_of(call.method, call.path);
  for (auto wait = api_.standing().held(endpoint); wait.count() > 0; wait = api_.standing().held(endpoint)) {
    boost::asio::steady_timer timer{co_await boost::asio::this_coro::executor, wait};
    co_await timer.async_wait(boost::asio::use_awaitable);
  }
  co_return api_.signed_request(std::move(call));
}

awaitable<Result<void>> ComponentFiles::bring(std::string component, std::filesystem::path root, ListedFile file,
                                              Progress& progress) {
  auto look = [root, file] { return find_place(root, file); };
  auto place = co_await workers_.run(std::move(look));
  if (!place) co_return place.error();
  const std::filesystem::path target = place->path;
  std::filesystem::path path;
  if (place->complete) {
    progress.kept += file.size.value_or(0);
    co_return Result<void>{};
  }
  std::shared_ptr<void> held;
  if (cache_ && !file.sha256.empty()) {
    held = cache_->hold(file.sha256);
    std::string sum = file.sha256;
    path = target;
    auto taken = co_await cache_->take(std::move(sum), std::move(path));
    if (taken && *taken) {
      progress.cached += file.size.value_or(0);
      co_return Result<void>{};
    }  // A cache that fails is only slower.
  }
  Call call{.path = base_path(component) + '/' + file.source};
  files::DownloadRequest request;
  // Signed for each attempt: signatures and redirects expire.
  request.open = [this, call] { return open(call); };
  request.classify = [this, call](const http::Response& response) {
    const Judged judged = judge(read_answer(response, api_.credentials().secret), api_.expectation(call));
    if (judged.wait) api_.standing().hold(endpoint_of(call.method, call.path), *judged.wait);
    return to_error(judged);
  };
  request.target = target;
  request.expected_size = file.size;
  request.expected_sha256 = file.sha256;
  request.limit = file.size.value_or(limits_.bytes - std::min(limits_.bytes, progress.bytes));
  request.allow_local_redirects = allow_local_;
  request.retrying = [&progress, name = file.path](const files::Retry& retry) { progress.stalls.waits(name, retry); };
  request.progress = [&progress, name = file.path, shown = printable(file.path, 300)](const files::Progress& now) {
    progress.stalls.goes_on(name);
    const auto moment = std::chrono::steady_clock::now();
    if (moment - progress.last_line < between_lines) return;
    progress.last_line = moment;
    progress.report(shown + ": " + format_size(now.received) + (now.total ? " of " + format_size(*now.total) : ""));
  };
  auto downloaded = co_await downloader_.download(std::move(request));
  progress.stalls.goes_on(file.path);
  if (!downloaded) co_return with_key(std::move(downloaded).error(), "downloads.limit").in(printable(file.path, 300));
  progress.bytes += downloaded->size - downloaded->resumed;
  progress.resumed += downloaded->resumed;
  if (cache_ && !file.sha256.empty()) {
    path = target;
    std::string sum = file.sha256;
    auto kept = co_await cache_->keep(std::move(path), std::move(sum));
    static_cast<void>(kept);  // The file is there either way.
  }
  co_return Result<void>{};
}

awaitable<Result<void>> ComponentFiles::unpack_all(std::filesystem::path directory, std::vector<ListedFile> files,
                                                   pipeline::Report report) {
  const auto targets = unpack_targets(files);
  for (const auto& [archive, target] : targets) {
    auto from = files::inside(directory, archive);
    auto to = files::prepare_inside(directory, target);
    if (!from) co_return from.error();
    if (!to) co_return to.error();
    std::error_code ignored;
    if (std::filesystem::is_directory(*to, ignored)) continue;  // It appears complete or not at all.
    std::filesystem::path source = *from, into = *to;
    auto unpacked = co_await unpacker_.unpack(std::move(source), std::move(into), limits_.unpack);
    if (!unpacked) co_return with_key(std::move(unpacked).error(), "downloads.unpack").in(printable(archive, 300));
    report(printable(archive, 300) + ": unpacked to " + printable(target, 300) + ", " +
           std::to_string(unpacked->entries) + " entries, " + format_size(unpacked->bytes));
  }
  co_return Result<void>{};
}

}  // namespace outpost::dci
