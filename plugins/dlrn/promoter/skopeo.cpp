#include "plugins/dlrn/promoter/skopeo.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace outpost::promoter {

namespace asio = boost::asio;
namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

constexpr std::chrono::minutes look_limit{5}, copy_limit{60};

/// What registries say of an image that they do not have; their statuses do not come through.
constexpr const char* absent_signs[] = {"manifest unknown", "name unknown", "repository name not known"};
constexpr const char* credential_signs[] = {"unauthorized", "authentication required", "denied",
                                            "invalid username/password"};

template <std::size_t size>
bool has_one_of(const std::string& text, const char* const (&signs)[size]) {
  return std::any_of(std::begin(signs), std::end(signs),
                     [&](const char* sign) { return text.find(sign) != std::string::npos; });
}

Error failure(const std::string& what, const Said& said) {
  const std::string text = to_lower(said.output);
  const Fault fault = has_one_of(text, credential_signs)       ? Fault::credentials
                      : text.find("x509") != std::string::npos ? Fault::refused
                                                               : Fault::retry_later;
  return {fault, what + ": " + said.last_line()};
}

/// Whoever administers this machine may have said whose signatures images need; without that skopeo refuses to begin.
bool has_policy() {
  const char* home = std::getenv("HOME");
  return ::access("/etc/containers/policy.json", R_OK) == 0 ||
         (home && ::access((std::string{home} + "/.config/containers/policy.json").c_str(), R_OK) == 0);
}

std::vector<std::string> environment() {
  std::vector<std::string> variables;
  for (const char* name : {"PATH", "HOME", "TMPDIR", "XDG_RUNTIME_DIR", "REGISTRY_AUTH_FILE", "HTTPS_PROXY",
                           "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_FILE"})
    if (const char* value = std::getenv(name)) variables.push_back(std::string{name} + "=" + value);
  return variables;
}

}  // namespace

std::string_view manifest_in(std::string_view output) {
  while (output.starts_with("time=")) {
    const auto end = output.find('\n');
    output.remove_prefix(end == std::string_view::npos ? output.size() : end + 1);
  }
  return output;
}

Result<Skopeo> Skopeo::make(process::CommandRunner& commands, const Containers& containers,
                            const Passwords& passwords) {
  auto program = find_tool("skopeo", "skopeo");
  if (!program) return program.error();
  auto directory = PrivateDirectory::make("outpost-promote");
  if (!directory) return directory.error();
  Skopeo skopeo{commands, *std::move(program), *std::move(directory)};
  std::vector<Registry> all{containers.source};
  all.insert(all.end(), containers.targets.begin(), containers.targets.end());
  json::object logins;
  for (const auto& registry : all)
    if (const auto password = passwords.find(registry.host); password != passwords.end())
      logins[registry.host] =
          json::object{{"auth", to_base64(registry.user + ":" + std::string{password->second.reveal()})}};
  if (logins.empty()) return skopeo;
  auto file = skopeo.directory_.write("auth.json", json::serialize(json::object{{"auths", std::move(logins)}}));
  if (!file) return file.error();
  skopeo.auth_file_ = file->string();
  return skopeo;
}

asio::awaitable<Result<Said>> Skopeo::run(std::vector<std::string> arguments, std::chrono::milliseconds deadline) {
  if (!has_policy()) arguments.insert(arguments.begin(), "--insecure-policy");
  if (!auth_file_.empty()) arguments.insert(arguments.end(), {"--authfile", auth_file_});
  auto running = run_tool(commands_, program_, std::move(arguments), environment(), deadline);
  co_return co_await std::move(running);
}

asio::awaitable<Result<std::optional<std::string>>> Skopeo::digest(ImageAt image) {
  const auto found = co_await look(image);
  if (!found) co_return found.error();
  if (!*found) co_return std::optional<std::string>{};
  co_return std::optional{"sha256:" + sha256_hex(**found)};
}

asio::awaitable<Result<std::string>> Skopeo::manifest(ImageAt image) {
  auto found = co_await look(image);
  if (!found) co_return found.error();
  if (!*found) co_return Error{Fault::refused, image.text() + " is not there any more"};
  co_return **std::move(found);
}

asio::awaitable<Result<std::optional<std::string>>> Skopeo::look(ImageAt image) {
  std::vector<std::string> arguments{"inspect",
                                     "--raw",
                                     "--retry-times",
                                     "2",
                                     image.registry.secure ? "--tls-verify=true" : "--tls-verify=false",
                                     "docker://" + image.text()};
  const auto said = co_await run(std::move(arguments), look_limit);
  if (!said) co_return said.error();
  if (said->status == 0) co_return std::optional{std::string{manifest_in(said->output)}};
  if (has_one_of(to_lower(said->output), absent_signs)) co_return std::optional<std::string>{};
  co_return failure(image.text(), *said);
}

asio::awaitable<Result<void>> Skopeo::copy(ImageAt from, ImageAt to) {
  std::vector<std::string> arguments{"copy",
                                     "--all",
                                     "--preserve-digests",
                                     "--quiet",
                                     "--retry-times",
                                     "3",
                                     from.registry.secure ? "--src-tls-verify=true" : "--src-tls-verify=false",
                                     to.registry.secure ? "--dest-tls-verify=true" : "--dest-tls-verify=false",
                                     "docker://" + from.text(),
                                     "docker://" + to.text()};
  const auto said = co_await run(std::move(arguments), copy_limit);
  if (!said) co_return said.error();
  if (said->status != 0) co_return failure(from.text() + " to " + to.text(), *said);
  co_return Result<void>{};
}

asio::awaitable<Result<void>> Skopeo::put_list(std::string list, ImageAt to) {
  // A directory as skopeo's `dir:` has it, with the list alone: the registry has the images.
  auto directory = PrivateDirectory::make(directory_.path(), "list");
  if (!directory) co_return directory.error();
  for (const auto& [name, content] :
       {std::pair{"version", std::string{"Directory Transport Version: 1.1\n"}}, std::pair{"manifest.json", list}})
    if (auto written = directory->write(name, content); !written) co_return written.error();
  std::vector<std::string> arguments{"copy",
                                     "--multi-arch",
                                     "index-only",
                                     "--preserve-digests",
                                     "--quiet",
                                     "--retry-times",
                                     "3",
                                     to.registry.secure ? "--dest-tls-verify=true" : "--dest-tls-verify=false",
                                     "dir:" + directory->path().string(),
                                     "docker://" + to.text()};
  const auto said = co_await run(std::move(arguments), copy_limit);
  if (!said) co_return said.error();
  if (said->status != 0) co_return failure("a list of images to " + to.text(), *said);
  co_return Result<void>{};
}

}  // namespace outpost::promoter
