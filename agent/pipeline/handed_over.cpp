#include "agent/pipeline/handed_over.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/sync.hpp"
#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/pipeline/redaction.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <functional>
#include <vector>

namespace outpost::pipeline {
namespace {

namespace fs = std::filesystem;

constexpr mode_t copy_mode = 0640;
constexpr long fuse_magic = 0x65735546;

Result<fs::path> make_place(const JobDirectory& directory, const std::string& step_id) {
  const auto place = directory.handed_over(step_id);
  std::error_code error;
  const bool is_new = fs::create_directories(place, error);
  if (error) return errno_error("cannot create", place.native(), error.value());
  if (is_new)
    for (const auto& above : {place.parent_path(), directory.root})
      if (auto synced = sync_directory(above); !synced) return synced.error();
  return place;
}

/// Writes a new file whole and hashes it.
class NewFile {
 public:
  NewFile(const JobDirectory& directory, fs::path path)
      : path_{std::move(path)}, root_{directory.root},
        file_{::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, copy_mode)} {}

  Result<void> write(std::string_view bytes) {
    if (!file_.is_open()) return errno_error("cannot create", path_.native(), errno);
    hash_.update(bytes);
    size_ += bytes.size();
    while (!bytes.empty()) {
      const auto size = ::write(file_.get(), bytes.data(), bytes.size());
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) return errno_error("cannot write", path_.native(), errno);
      bytes.remove_prefix(static_cast<std::size_t>(size));
    }
    return {};
  }

  Result<job::Blob> finish() {
    if (auto begun = write({}); !begun) return begun.error();
    if (::fsync(file_.get()) != 0) return errno_error("cannot sync", path_.native(), errno);
    if (auto synced = sync_directory(path_.parent_path()); !synced) return synced.error();
    job::Blob blob;
    blob.path = path_.lexically_relative(root_).generic_string();
    blob.sha256 = hash_.hex();
    blob.size = size_;
    return blob;
  }

  void drop() const { ::unlink(path_.c_str()); }

 private:
  fs::path path_, root_;
  Descriptor file_;
  Sha256 hash_;
  std::uint64_t size_ = 0;
};

Result<void> check_source(int file) {
  struct stat status{};
  struct statfs system{};
  const int flags = ::fcntl(file, F_GETFL);
  if (::fstat(file, &status) != 0 || ::fstatfs(file, &system) != 0 || flags < 0) return Error{Fault::malformed, "is no open file"};
  if (!S_ISREG(status.st_mode) || (flags & O_PATH) != 0 || (flags & O_ACCMODE) == O_WRONLY) return Error{Fault::malformed, "is no regular file that is open for reading"};
  // Whoever runs such a file system decides when a read ends.
  if (system.f_type == fuse_magic) return Error{Fault::malformed, "lies on a file system of a program (FUSE): copy it to the workspace first"};
  return {};
}

using Filter = std::function<std::string_view(std::string_view)>;

Result<void> copy(int from, NewFile& to, std::uint64_t limit, const Filter& filter) {
  std::vector<char> bytes(std::size_t{256} * 1024);
  for (std::uint64_t position = 0;;) {
    const auto size = ::pread(from, bytes.data(), bytes.size(), static_cast<off_t>(position));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return errno_error("cannot read", "the file", errno);
    if (size == 0) return {};
    position += static_cast<std::uint64_t>(size);
    if (position > limit) return Error{Fault::refused, "has more than " + format_size(limit)};
    if (auto written = to.write(filter({bytes.data(), static_cast<std::size_t>(size)})); !written) return written;
  }
}

/// Anew, without the secrets that the first copy has shown.
Result<job::Blob> copy_redacted(int from, NewFile to, std::uint64_t limit, bool is_binary, log::Redactor& redactor) {
  redactor.mask_with(is_binary ? log::Redactor::Mask::same_length : log::Redactor::Mask::stars);
  std::string piece;
  auto copied = copy(from, to, limit, [&](std::string_view bytes) { return std::string_view{piece = redactor.feed(bytes)}; });
  if (copied) copied = to.write(redactor.flush());
  return copied ? to.finish() : Result<job::Blob>{copied.error()};
}

/// For XML 1.0, which has no place for most control characters, not even escaped.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') out += "&amp;";
    else if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else if (c == '"') out += "&quot;";
    else if (c == '\n' || c == '\t') out += c == '\n' ? "&#10;" : "&#9;";
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) out += '?';
    else out += c;
  }
  return out;
}

std::string seconds(std::chrono::milliseconds duration) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3f", static_cast<double>(duration.count()) / 1000);
  return text.data();
}

std::string xml_of(const std::string& suite, const std::string& name, const job::ReportedCase& reported) {
  std::string xml = "    <testcase classname=\"" + escaped(suite) + "\" name=\"" + escaped(name) + "\" time=\"" + seconds(reported.duration) + "\">\n";
  if (!reported.keys.empty()) {
    xml += "      <properties>\n";
    for (const auto& [key, value] : reported.keys) xml += "        <property name=\"" + escaped(key) + "\" value=\"" + escaped(value) + "\"/>\n";
    xml += "      </properties>\n";
  }
  const auto& outcome = reported.outcome;
  const std::string element = outcome == "fail" ? "failure" : outcome == "error" ? "error" : outcome == "pass" ? "" : "skipped";
  const std::string message = (outcome == "xfail" ? "expected failure" + std::string{reported.message.empty() ? "" : ": "} : "") + reported.message;
  if (!element.empty()) xml += "      <" + element + " message=\"" + escaped(message) + "\"/>\n";
  return xml + "    </testcase>\n";
}

void count(FoundResult& result, const std::string& suite, const std::string& name, const job::ReportedCase& reported) {
  constexpr std::size_t most_names = 20;
  ++result.total;
  result.time_ms += reported.duration.count();
  if (reported.outcome == "pass") ++result.success;
  else if (reported.outcome == "fail") ++result.failures;
  else if (reported.outcome == "error") ++result.errors;
  else ++result.skips;
  const bool is_bad = reported.outcome == "fail" || reported.outcome == "error";
  if (is_bad && result.failed.size() < most_names) result.failed.push_back(suite + ":" + suite + ":" + name);
}

}  // namespace

Result<job::Blob> keep_copy(const Descriptor& file, const JobDirectory& directory, const std::string& step_id, const std::string& name, std::uint64_t limit,
                            log::Redactor& redactor) {
  if (auto right = check_source(file.get()); !right) return right.error();
  const auto place = make_place(directory, step_id);
  if (!place) return place.error();
  NewFile to{directory, *place / name};
  SecretSearch search{redactor};
  auto copied = copy(file.get(), to, limit, [&](std::string_view bytes) { return search.feed(bytes), bytes; });
  search.finish();
  auto kept = !copied               ? Result<job::Blob>{copied.error()}
              : search.has_secret() ? copy_redacted(file.get(), {directory, *place / name}, limit, search.is_binary(), redactor)
                                    : to.finish();
  if (!kept) to.drop();
  return kept;
}

void drop_copy(const JobDirectory& directory, const job::Blob& blob) {
  std::error_code ignored;
  fs::remove(directory.root / blob.path, ignored);
}

Result<FoundResult> write_reported(const std::map<job::Told::CaseName, job::ReportedCase>& cases, const std::string& suite, const JobDirectory& directory,
                                   const std::string& step_id, const std::string& name) {
  const auto place = make_place(directory, step_id);
  if (!place) return place.error();
  NewFile file{directory, *place / "reported.xml"};
  FoundResult result;
  result.name = name;
  std::string open;  // The suite whose cases are being written.
  bool is_open = false;
  std::string xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n";
  for (const auto& [key, reported] : cases) {
    const std::string own = key.first.empty() ? suite : key.first;
    if (!is_open || own != open) {
      if (is_open) xml += "  </testsuite>\n";
      xml += "  <testsuite name=\"" + escaped(own) + "\">\n";
      open = own;
      is_open = true;
    }
    xml += xml_of(own, key.second, reported);
    count(result, own, key.second, reported);
    if (auto written = file.write(xml); !written) return written.error();
    xml.clear();
  }
  xml += is_open ? "  </testsuite>\n</testsuites>\n" : "</testsuites>\n";
  if (auto written = file.write(xml); !written) return written.error();
  auto blob = file.finish();
  if (!blob) return blob.error();
  result.blob = std::move(*blob);
  result.blob.mime = "application/junit";
  return result;
}

Result<void> remember_hidden(const JobDirectory& directory, const std::string& text) {
  const auto path = directory.hidden();
  const Descriptor file{::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600)};
  if (!file.is_open()) return errno_error("cannot open", path.native(), errno);
  const std::string line = boost::json::serialize(boost::json::string{text}) + "\n";
  if (::write(file.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) return errno_error("cannot write", path.native(), errno == 0 ? ENOSPC : errno);
  if (::fsync(file.get()) != 0) return errno_error("cannot sync", path.native(), errno);
  return sync_directory(path.parent_path());
}

std::vector<std::string> hidden_texts(const JobDirectory& directory) {
  std::vector<std::string> texts;
  std::ifstream file{directory.hidden()};
  for (std::string line; std::getline(file, line);) {
    boost::system::error_code error;
    const auto value = boost::json::parse(line, error);
    if (!error && value.is_string()) texts.emplace_back(value.get_string());
  }
  return texts;
}

}  // namespace outpost::pipeline
