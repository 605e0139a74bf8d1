#include "plugins/dci/file_list.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

#include <algorithm>
#include <array>
#include <map>

namespace outpost::dci {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 5> archive_endings{".tar.gz", ".tar.xz", ".tar.zst", ".tgz", ".tar"};

Error bad(const std::string& what) { return Error{Fault::malformed, "dci_files_list.json: " + what}; }

/// "path" is the directory, "" for the top; "name" the last component.
std::string joined(const json::object& entry) {
  std::string directory = job::text_at(entry, "path");
  while (directory.starts_with("./")) directory.erase(0, 2);
  if (directory == ".") directory.clear();
  while (directory.ends_with('/') && directory.size() > 1) directory.pop_back();
  return directory.empty() ? job::text_at(entry, "name") : directory + '/' + job::text_at(entry, "name");
}

bool is_sha256(const std::string& text) {
  return text.size() == 64 &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

Result<ListedFile> file_of(const json::value& entry) {
  if (!entry.is_object()) return bad("an entry of files is not an object");
  ListedFile file;
  file.path = joined(entry.get_object());
  file.source = file.path;
  file.sha256 = to_lower(job::text_at(entry.get_object(), "sha256"));
  if (job::text_at(entry.get_object(), "name").empty()) return bad("an entry of files has no name");
  if (!file.sha256.empty() && !is_sha256(file.sha256))
    return bad("the sha256 of " + printable(file.path, 200) + " is none");
  if (const std::int64_t size = job::number_at(entry.get_object(), "size", -1); size >= 0)
    file.size = static_cast<std::uint64_t>(size);
  return file;
}

const json::array* list_at(const json::object& object, std::string_view key, bool& wrong) {
  const auto* value = object.if_contains(key);
  if (!value || value->is_null()) return nullptr;
  wrong = wrong || !value->is_array();
  return value->if_array();
}

std::string without_ending(const std::string& name) {
  for (const auto ending : archive_endings)
    if (to_lower(name).ends_with(ending)) return name.substr(0, name.size() - ending.size());
  return name;
}

}  // namespace

std::uint64_t FileList::bytes() const {
  std::uint64_t sum = 0;
  for (const auto& file : files) {
    const std::uint64_t size = file.size.value_or(0);
    sum = size > UINT64_MAX - sum ? UINT64_MAX : sum + size;
  }
  return sum;
}

Result<FileList> parse_file_list(std::string_view text) {
  boost::system::error_code failed;
  const json::value value = json::parse({text.data(), text.size()}, failed);
  if (failed || !value.is_object()) return bad("not a JSON object");
  bool wrong = false;
  FileList list;
  std::map<std::string, std::size_t> known;
  if (const auto* files = list_at(value.get_object(), "files", wrong))
    for (const auto& entry : *files) {
      auto file = file_of(entry);
      if (!file) return file.error();
      const auto [same, is_new] = known.emplace(file->path, list.files.size());
      if (is_new) {
        list.files.push_back(std::move(*file));
      } else if (list.files[same->second].sha256 != file->sha256 || file->sha256.empty()) {
        return bad(printable(file->path, 200) + " is there twice");
      }
    }
  if (const auto* directories = list_at(value.get_object(), "directories", wrong))
    for (const auto& entry : *directories) {
      std::string path = entry.is_string()   ? std::string{entry.get_string()}
                         : entry.is_object() ? joined(entry.get_object())
                                             : "";
      while (path.ends_with('/')) path.pop_back();
      if (path.empty()) return bad("an entry of directories is no path");
      list.directories.push_back(std::move(path));
    }
  if (const auto* links = list_at(value.get_object(), "symlinks", wrong))
    for (const auto& entry : *links) {
      if (!entry.is_object() || job::text_at(entry.get_object(), "name").empty())
        return bad("an entry of symlinks has no name");
      list.links.push_back({joined(entry.get_object()), job::text_at(entry.get_object(), "destination")});
    }
  if (wrong) return bad("files, directories and symlinks must be lists");
  return list;
}

bool is_archive(std::string_view path) {
  const std::string lower = to_lower(path);
  return std::any_of(archive_endings.begin(), archive_endings.end(),
                     [&](auto ending) { return lower.ends_with(ending); });
}

std::vector<std::pair<std::string, std::string>> unpack_targets(const std::vector<ListedFile>& files) {
  const auto directory_of = [](const std::string& path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? std::string{} : path.substr(0, slash + 1);
  };
  std::map<std::string, int> archives;
  for (const auto& file : files)
    if (is_archive(file.path)) ++archives[directory_of(file.path)];
  std::vector<std::pair<std::string, std::string>> targets;
  for (const auto& file : files) {
    if (!is_archive(file.path)) continue;
    const std::string directory = directory_of(file.path);
    std::string target = directory + "unpacked";
    if (archives[directory] > 1) target += '/' + without_ending(file.path.substr(directory.size()));
    // x.tar and x.tar.gz beside each other.
    const bool taken =
        std::any_of(targets.begin(), targets.end(), [&](const auto& one) { return one.second == target; });
    targets.emplace_back(file.path, taken ? target + '-' + std::to_string(targets.size() + 1) : target);
  }
  return targets;
}

}  // namespace outpost::dci
