#include "plugins/hooks/helper/values.hpp"

#include "agent/base/descriptor.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace outpost::hook {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr std::string_view suffix = ".json";

Result<std::string> read_whole(const fs::path& path) {
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!file.is_open()) return errno_error("cannot open", path.native(), errno);
  std::string text;
  char bytes[4096];
  ssize_t size = 0;
  while ((size = ::read(file.get(), bytes, sizeof bytes)) > 0) text.append(bytes, static_cast<std::size_t>(size));
  if (size < 0) return errno_error("cannot read", path.native(), errno);
  return text;
}

}  // namespace

bool is_name(std::string_view text) {
  const auto fits = [](unsigned char c) { return std::isalnum(c) || c == '.' || c == '_' || c == '-'; };
  return !text.empty() && text.size() <= 100 && std::isalnum(static_cast<unsigned char>(text.front())) && std::all_of(text.begin(), text.end(), fits);
}

Result<void> Values::set(const std::string& name, const json::value& value) const {
  std::error_code error;
  fs::create_directories(directory_, error);
  if (error) return errno_error("cannot create", directory_.native(), error.value());
  std::string temporary = (directory_ / (".new-XXXXXX")).string();
  const Descriptor file{::mkostemp(temporary.data(), O_CLOEXEC)};
  if (!file.is_open()) return errno_error("cannot create a file in", directory_.native(), errno);
  const std::string text = json::serialize(value) + "\n";
  const bool written = ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  // A later hook of the job may be another user of the same group.
  const fs::path place = directory_ / (name + std::string{suffix});
  if (written && ::fchmod(file.get(), 0660) == 0 && ::rename(temporary.c_str(), place.c_str()) == 0) return {};
  const int code = errno;
  ::unlink(temporary.c_str());
  return errno_error("cannot write", place.native(), code);
}

Result<std::optional<json::value>> Values::get(const std::string& name) const {
  const fs::path place = directory_ / (name + std::string{suffix});
  std::error_code ignored;
  if (!fs::exists(place, ignored)) return std::optional<json::value>{};
  const auto text = read_whole(place);
  if (!text) return text.error();
  boost::system::error_code error;
  auto value = json::parse(*text, error);
  if (error) return Error{Fault::malformed, place.string() + " is no JSON: " + error.message()};
  return std::optional<json::value>{std::move(value)};
}

bool Values::unset(const std::string& name) const { return ::unlink((directory_ / (name + std::string{suffix})).c_str()) == 0; }

std::map<std::string, json::value> Values::all() const {
  std::map<std::string, json::value> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator{directory_, error}) {
    const auto name = entry.path().filename().string();
    if (!name.ends_with(suffix)) continue;
    const auto plain = name.substr(0, name.size() - suffix.size());
    if (!is_name(plain)) continue;
    if (auto value = get(plain); value && *value) found.emplace(plain, std::move(**value));
  }
  return found;
}

}  // namespace outpost::hook
