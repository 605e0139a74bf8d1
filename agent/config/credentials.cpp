#include "agent/config/credentials.hpp"

#include "agent/base/ids.hpp"
#include "agent/base/text.hpp"
#include "agent/config/small_file.hpp"
#include "agent/config/yaml_tree.hpp"

#include <string.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>

namespace outpost::config {
namespace {

constexpr std::size_t secret_bytes = 64 * 1024;

using Variables = std::map<std::string, std::string>;

/// "NAME=..." or "export ..." is a shell's; "NAME: ...", "---" and "{" are YAML's.
bool looks_like_yaml(std::string_view content) {
  if (content.substr(0, 3) == "\xEF\xBB\xBF") content.remove_prefix(3);
  for (const auto& line : split(content, '\n')) {
    const auto text = trim(line);
    if (text.empty() || text.front() == '#') continue;
    if (text.starts_with("---") || text.front() == '{' || text.front() == '%') return true;
    const auto colon = text.find(':'), equals = text.find('=');
    return colon < equals && (colon + 1 == text.size() || text[colon + 1] == ' ' || text[colon + 1] == '\t');
  }
  return true;
}

Result<Variables> parse_yaml_variables(std::string_view content, const std::string& name) {
  Problems problems;
  const Parsed parsed = parse_yaml(content, name, problems);
  Variables variables;
  if (parsed.complete && parsed.root.kind != Node::Kind::map && parsed.root.kind != Node::Kind::null)
    problems.list.push_back({parsed.root.origin, "lines of \"DCI_CLIENT_ID: ...\" are due"});
  for (const auto& item : parsed.root.kind == Node::Kind::map ? parsed.root.items : std::vector<Node>{})
    if (item.kind == Node::Kind::scalar) variables[item.key] = item.text;
  if (problems.list.empty()) return variables;
  return Error{Fault::malformed, replace_all(std::string{trim(problems.text())}, "\n", "; ")};
}

/// The value under one of its names; empty when absent.
std::string take(const Variables& variables, std::string_view name, std::string_view short_name) {
  for (const auto candidate : {name, short_name})
    if (const auto found = variables.find(std::string{candidate}); found != variables.end())
      return std::string{trim(found->second)};
  return {};
}

Error missing(const Variables& variables, std::string_view key, const std::string& name) {
  std::vector<std::string> names;
  for (const auto& [variable, value] : variables) names.push_back(variable);
  std::string message = name + ": " + std::string{key} + " is missing";
  if (variables.contains("DCI_LOGIN"))
    message += "; DCI_LOGIN is a person's, but the agent needs a remoteci's DCI_CLIENT_ID and DCI_API_SECRET";
  else if (const auto near = nearest(key, names))
    message += " (" + printable(*near, 80) + " is there: is that a misspelling?)";
  else
    message += "; the file needs DCI_CLIENT_ID and DCI_API_SECRET, or for a DLRN builder DLRNAPI_USERNAME and DLRNAPI_PASSWORD";
  return {Fault::malformed, message};
}

/// DCI protocol: "remoteci/<uuid>" or "feeder/<uuid>"; a bare uuid means remoteci. Never repeated: people swap the two.
Result<std::string> client_id_from(const std::string& text, const std::string& where) {
  if (is_uuid(text)) return "remoteci/" + text;
  const auto slash = text.find('/');
  const std::string kind = text.substr(0, slash);
  if (slash != std::string::npos && (kind == "remoteci" || kind == "feeder") && is_uuid(text.substr(slash + 1)))
    return text;
  return Error{Fault::malformed,
               where + " is neither remoteci/<uuid> nor a uuid (not shown; is it swapped with the secret?)"};
}

Result<Secret> api_secret_from(const std::string& text, const std::string& where) {
  const bool clean = std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (text.empty() || !clean)
    return Error{Fault::malformed, where + " is not an API secret (letters and digits, no blanks; not shown)"};
  if (text.find('/') != std::string::npos && is_uuid(text.substr(text.find('/') + 1)))
    return Error{Fault::malformed, where + " looks like a client id; are the two swapped?"};
  return Secret{text};
}

/// A user's name and password, as the builder's own client reads them from its environment.
Result<Credentials> login_from(const Variables& variables, const std::string& name) {
  const std::string user = take(variables, "DLRNAPI_USERNAME", "username");
  const std::string password = take(variables, "DLRNAPI_PASSWORD", "password");
  if (user.empty() || password.empty())
    return Error{Fault::malformed, name + ": " + (user.empty() ? "DLRNAPI_USERNAME" : "DLRNAPI_PASSWORD") + " is missing; the two belong together"};
  const auto odd = [](unsigned char c) { return c < ' ' || c == 0x7f; };
  if (user.find_first_of(":/") != std::string::npos || std::any_of(user.begin(), user.end(), odd))
    return Error{Fault::malformed, name + ": DLRNAPI_USERNAME has a colon, a slash or a control byte, which no user's name has (not shown)"};
  return Credentials{.client_id = user, .api_secret = Secret{password}, .url = {}};
}

/// Where a secret's file is.
Result<std::filesystem::path> locate(const SecretSource& source, const std::filesystem::path& directory) {
  if (!source.file.empty()) return source.file;
  if (!directory.empty()) return directory / source.credential;
  return Error{Fault::unavailable, "the credential \"" + source.credential +
                                       "\" is only there under systemd (LoadCredential=" + source.credential +
                                       ":PATH in outpostd.service); CREDENTIALS_DIRECTORY is not set"};
}

}  // namespace

Secret& Secret::operator=(const Secret& other) {
  if (this != &other) {
    wipe();
    value_ = other.value_;
  }
  return *this;
}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    wipe();
    value_ = std::move(other.value_);
    other.wipe();
  }
  return *this;
}

void Secret::wipe() {
  // The whole capacity: a short string stays behind in the buffer when it is moved away.
  value_.resize(value_.capacity());
  ::explicit_bzero(value_.data(), value_.size());
  value_.clear();
}

std::filesystem::path credentials_directory(const Environment& environment) {
  const auto found = environment.find("CREDENTIALS_DIRECTORY");
  return found == environment.end() ? "" : found->second;
}

Result<Secret> read_secret(const SecretSource& source, const std::filesystem::path& directory_of_credentials) {
  const auto path = locate(source, directory_of_credentials);
  if (!path) return path.error();
  auto content = read_small_file(*path, secret_bytes, Privacy::secret);
  if (!content) return content.error();
  while (content->ends_with('\n') || content->ends_with('\r')) content->pop_back();
  if (content->empty()) return Error{Fault::malformed, printable(path->native()) + " is empty, but a secret is due"};
  return Secret{*std::move(content)};
}

Result<std::vector<std::pair<std::string, Secret>>> read_headers(const SecretSource& source, const std::filesystem::path& directory_of_credentials) {
  const auto content = read_secret(source, directory_of_credentials);
  if (!content) return content.error();
  const std::string file = source.file.empty() ? source.credential : source.file.native();
  std::vector<std::pair<std::string, Secret>> headers;
  std::size_t number = 0;
  for (const auto& line : split(content->reveal(), '\n')) {
    ++number;
    const auto text = trim(line);
    if (text.empty() || text.front() == '#') continue;
    const auto colon = text.find(':');
    const std::string name{text.substr(0, colon)};
    const auto value = colon == std::string_view::npos ? std::string_view{} : trim(text.substr(colon + 1));
    constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~";
    const bool is_name = !name.empty() && name.find_first_not_of(letters) == std::string::npos;
    const bool is_value = !value.empty() && std::none_of(value.begin(), value.end(), [](unsigned char byte) { return byte < 0x20 || byte == 0x7f; });
    if (!is_name || !is_value)
      return Error{Fault::malformed, printable(file) + ":" + std::to_string(number) + ": a line \"Name: value\" is due (example: Authorization: Bearer 0123456789)"};
    headers.emplace_back(name, Secret{std::string{value}});
  }
  return headers;
}

Result<Credentials> parse_credentials(std::string_view content, const std::string& name) {
  const auto variables =
      looks_like_yaml(content) ? parse_yaml_variables(content, name) : parse_shell_assignments(content, name);
  if (!variables) return variables.error();
  for (const auto* key : {"DLRNAPI_USERNAME", "DLRNAPI_PASSWORD", "username", "password"})
    if (variables->contains(key) && !variables->contains("DCI_CLIENT_ID")) return login_from(*variables, name);
  const std::string client_id = take(*variables, "DCI_CLIENT_ID", "client_id");
  const std::string api_secret = take(*variables, "DCI_API_SECRET", "api_secret");
  if (client_id.empty()) return missing(*variables, "DCI_CLIENT_ID", name);
  if (api_secret.empty()) return missing(*variables, "DCI_API_SECRET", name);
  auto id = client_id_from(client_id, name + ": DCI_CLIENT_ID");
  if (!id) return id.error();
  auto secret = api_secret_from(api_secret, name + ": DCI_API_SECRET");
  if (!secret) return secret.error();
  std::string url = take(*variables, "DCI_CS_URL", "url");
  while (url.ends_with('/')) url.pop_back();
  if (!url.empty() && !url.starts_with("https://") && !url.starts_with("http://"))
    return Error{Fault::malformed, name + ": DCI_CS_URL is not an address (example: https://api.distributed-ci.io)"};
  return Credentials{.client_id = *std::move(id), .api_secret = *std::move(secret), .url = std::move(url)};
}

Result<Credentials> read_credentials(const Source& source, const std::filesystem::path& directory_of_credentials) {
  Credentials credentials;
  if (!source.credentials.empty()) {
    const auto path = locate(source.credentials, directory_of_credentials);
    if (!path) return path.error();
    const auto content = read_small_file(*path, secret_bytes, Privacy::secret);
    if (!content) return content.error();
    auto parsed = parse_credentials(*content, printable(path->native()));
    if (!parsed) return parsed.error();
    credentials = *std::move(parsed);
  } else if (!source.client_id.empty()) {
    auto id = client_id_from(source.client_id, "client_id");
    if (!id) return id.error();
    const auto content = read_secret(source.api_secret, directory_of_credentials);
    if (!content) return content.error();
    auto secret = api_secret_from(std::string{trim(content->reveal())}, "api_secret_file");
    if (!secret) return secret.error();
    credentials = {.client_id = *std::move(id), .api_secret = *std::move(secret), .url = {}};
  }
  if (!source.url.empty()) credentials.url = source.url;
  return credentials;
}

Result<Credentials> CredentialsFile::read() {
  read_ = stamp();  // Before: what is written meanwhile is a change.
  return read_credentials(source_, directory_);
}

Result<std::optional<Credentials>> CredentialsFile::read_if_changed() {
  if (stamp() == read_) return std::optional<Credentials>{};
  auto credentials = read();
  if (!credentials) return credentials.error();
  return std::optional<Credentials>{*std::move(credentials)};
}

std::string CredentialsFile::stamp() const {
  const auto path = locate(source_.credentials.empty() ? source_.api_secret : source_.credentials, directory_);
  struct stat status{};
  if (!path || ::stat(path->c_str(), &status) != 0) return {};
  std::string stamp;
  for (const auto part : {std::int64_t(status.st_dev), std::int64_t(status.st_ino), std::int64_t(status.st_size),
                          std::int64_t(status.st_mtim.tv_sec), std::int64_t(status.st_mtim.tv_nsec)})
    stamp += std::to_string(part) + ' ';
  return stamp;
}

}  // namespace outpost::config
