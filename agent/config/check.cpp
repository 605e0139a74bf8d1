#include "agent/config/check.hpp"

#include "agent/base/shortest_secret.hpp"
#include "agent/base/text.hpp"
#include "agent/config/plugin_name.hpp"
#include "agent/config/credentials.hpp"
#include "agent/config/small_file.hpp"
#include "agent/config/values.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace outpost::config {
namespace {

namespace fs = std::filesystem;

class Checker {
 public:
  Checker(const Loaded& loaded, const Environment& environment)
      : loaded_{loaded}, environment_{environment}, directory_{credentials_directory(environment)} {}

  std::vector<Problem> check() {
    for (const auto& [name, source] : settings_.sources) check_source("sources." + name, source);
    for (const auto& [name, secret] : settings_.secrets)
      if (can_be_read(secret))
        if (const auto value = read_secret(secret, directory_); !value)
          problem("secrets." + name + (secret.file.empty() ? ".credential" : ".file"), "secrets." + name,
                  value.error().message);
    for (const auto& job : settings_.jobs) check_plugins(job);
    check_alarm();
    check_collector();
    const bool idle =
        settings_.promotions.empty() &&
        std::none_of(settings_.jobs.begin(), settings_.jobs.end(), [](const Job& job) { return job.enabled; });
    if (idle) problem("jobs", "jobs", "no job is configured and enabled, so nothing will run");
    return std::move(problems_);
  }

  std::vector<Problem> warn() {
    for (const auto& [name, source] : settings_.secrets)
      if (can_be_read(source))
        if (const auto value = read_secret(source, directory_); value && value->reveal().size() < shortest_secret)
          problem("secrets." + name + (source.file.empty() ? ".credential" : ".file"), "secrets." + name,
                  "shorter than " + std::to_string(shortest_secret) + " bytes, so it is not hidden in logs, results and artifacts");
    return std::move(problems_);
  }

 private:
  /// Noted where `path` was written, or what it is part of.
  void problem(std::string path, std::string_view label, std::string_view message) {
    problems_.push_back({nearest_origin(loaded_.origins, std::move(path), loaded_.file),
                         std::string{label} + ": " + std::string{message}});
  }

  /// Outside of the unit the credentials of systemd are not there.
  [[nodiscard]] bool can_be_read(const SecretSource& secret) const {
    return !secret.file.empty() || !directory_.empty();
  }

  void check_source(const std::string& path, const Source& source) {
    const SecretSource& secret = source.credentials.empty() ? source.api_secret : source.credentials;
    if (!secret.empty() && can_be_read(secret))
      if (const auto credentials = read_credentials(source, directory_); !credentials) {
        const std::string key = path + (source.credentials.empty() ? ".api_secret_file" : ".credentials");
        problem(key, key, credentials.error().message);
      }
    check_pems(path, source);
  }

  void check_collector() {
    const Otlp& otlp = settings_.otlp;
    if (!otlp.headers.empty() && can_be_read(otlp.headers))
      if (const auto headers = read_headers(otlp.headers, directory_); !headers)
        problem("metrics.otlp.headers", "metrics.otlp.headers", headers.error().message);
    check_pems("metrics.otlp", otlp);
  }

  template <class Peer>
  void check_pems(const std::string& path, const Peer& peer) {
    check_pem(path + ".ca_file", peer.ca_file, "CERTIFICATE", Privacy::any);
    check_pem(path + ".client_certificate", peer.client_certificate, "CERTIFICATE", Privacy::any);
    check_pem(path + ".client_key", peer.client_key, "PRIVATE KEY", Privacy::secret);
  }

  void check_pem(const std::string& path, const std::string& file, std::string_view what, Privacy privacy) {
    if (file.empty()) return;
    const auto content = read_small_file(file, 4 * 1024 * 1024, privacy);
    if (!content)
      problem(path, path, content.error().message);
    else if (content->find("-----BEGIN ") == std::string::npos || content->find(what) == std::string::npos)
      problem(path, path, printable(file) + " holds no \"-----BEGIN " + std::string{what} + "-----\" (PEM is due)");
  }

  void check_plugins(const Job& job) {
    for (std::size_t index = 0; index < job.plugins.size(); ++index) {
      const std::string& plugin = job.plugins[index];
      std::error_code ignored;
      const auto names = installed_plugins();
      if (std::find(names.begin(), names.end(), plugin) != names.end()) continue;
      const bool exists =
          std::any_of(settings_.plugins_path.begin(), settings_.plugins_path.end(),
                      [&](const fs::path& folder) { return fs::is_directory(folder / plugin, ignored); });
      if (exists) continue;
      std::vector<std::string> places;
      for (const auto& folder : settings_.plugins_path) places.push_back(printable(folder.native()));
      problem("jobs." + job.name + ".plugins[" + std::to_string(index) + "]", "jobs.plugins",
              "there is no plugin " + quote(plugin) + " in " +
                  (places.empty() ? "plugins_path" : join(places, " or ")) + suggestion(plugin, names));
    }
  }

  [[nodiscard]] std::vector<std::string> installed_plugins() const {
    std::vector<std::string> names;
    for (const auto& folder : settings_.plugins_path) {
      std::error_code error;
      for (fs::directory_iterator entry{folder, error}, end; !error && entry != end; entry.increment(error))
        if (std::error_code ignored; entry->is_directory(ignored)) names.push_back(plugin_name(entry->path().filename().native()));
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  void check_alarm() {
    if (settings_.alarms.command.empty()) return;
    const std::string& program = settings_.alarms.command.front();
    if (program.find('/') != std::string::npos) {
      if (::access(program.c_str(), X_OK) != 0)
        problem("alarms.command[0]", "alarms.command", errno_error("cannot run", printable(program), errno).message);
      return;
    }
    const auto path = environment_.find("PATH");
    const auto folders = split(path == environment_.end() ? "/usr/bin:/bin" : path->second, ':');
    const bool found = std::any_of(folders.begin(), folders.end(), [&](const fs::path& folder) {
      return ::access((folder / program).c_str(), X_OK) == 0;
    });
    if (!found) problem("alarms.command[0]", "alarms.command", "there is no program " + quote(program) + " in PATH");
  }

  const Loaded& loaded_;
  const Environment& environment_;
  const Settings& settings_ = loaded_.settings;
  fs::path directory_;
  std::vector<Problem> problems_;
};

}  // namespace

std::vector<Problem> check(const Loaded& loaded, const Environment& environment) {
  return Checker{loaded, environment}.check();
}

std::vector<Problem> warnings(const Loaded& loaded, const Environment& environment) { return Checker{loaded, environment}.warn(); }

}  // namespace outpost::config
