#include "agent/daemon/kept_secrets.hpp"

#include "agent/process/systemd/descriptor_store.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace outpost::daemon {

namespace json = boost::json;

Result<Descriptor> sealed(const Secrets& secrets) {
  json::object values;
  for (const auto& [name, value] : secrets) values[name] = value;
  const std::string text = json::serialize(values);
  Descriptor memory{::memfd_create("outpost-secrets", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
  if (!memory.is_open()) return errno_error("cannot make", "memory for secrets", errno);
  if (::write(memory.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return errno_error("cannot write to", "memory for secrets", errno);
  if (::fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
    return errno_error("cannot seal", "memory for secrets", errno);
  return memory;
}

Secrets unsealed(const Descriptor& kept) {
  struct stat status{};
  if (!kept.is_open() || ::fstat(kept.get(), &status) != 0) return {};
  std::string text(static_cast<std::size_t>(status.st_size), '\0');
  if (::pread(kept.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) return {};
  boost::system::error_code error;
  json::parse_options options;
  options.allow_invalid_utf8 = true;  // A secret may be any bytes.
  const json::value parsed = json::parse(text, error, {}, options);
  if (error || !parsed.is_object()) return {};
  Secrets secrets;
  for (const auto& [name, value] : parsed.get_object())
    if (value.is_string()) secrets.emplace(name, value.get_string());
  return secrets;
}

Secrets with_older(Secrets secrets, const Secrets& before) {
  const auto is_there = [&](const std::string& value) {
    return std::any_of(secrets.begin(), secrets.end(), [&](const auto& each) { return each.second == value; });
  };
  for (const auto& [name, value] : before) {
    if (secrets.emplace(name, value).second || is_there(value)) continue;
    unsigned number = 0;
    while (!secrets.emplace("\n" + std::to_string(number), value).second) ++number;
  }
  return secrets;
}

Result<void> keep_secrets(const Secrets& secrets) {
  auto memory = sealed(secrets);
  if (!memory) return memory.error();
  drop_secrets();
  return process::store(kept_secrets_name, memory->get());
}

void drop_secrets() { process::drop_stored(kept_secrets_name); }

}  // namespace outpost::daemon
