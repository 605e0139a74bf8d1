// outpost support bundle: what somebody needs who shall help, in one archive.

#include "agent/base/hash.hpp"
#include "agent/base/private_directory.hpp"
#include "agent/base/text.hpp"
#include "agent/cli/commands.hpp"
#include "agent/cli/daemon_call.hpp"
#include "agent/cli/exit_codes.hpp"
#include "agent/cli/redaction.hpp"
#include "agent/cli/shown.hpp"
#include "agent/config/effective.hpp"
#include "agent/daemon/client.hpp"
#include "agent/daemon/examine.hpp"
#include "agent/doctor/command.hpp"
#include "agent/http/url.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iostream>
#include <map>

namespace outpost::cli {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

constexpr std::size_t most_of_log = 1024 * 1024;  ///< Bytes.

/// What the bundle holds, by file name.
using Files = std::map<std::string, std::string>;

std::vector<std::string> names_to_hide(const doctor::Examination& examination) {
  std::vector<std::string> names;
  char host[256] = {};
  if (::gethostname(host, sizeof host - 1) == 0) names.emplace_back(host);
  if (!examination.settings()) return names;
  for (const auto& [name, source] : examination.settings()->sources) {
    if (const auto url = http::parse_url(examination.url_of(source))) names.push_back(url->host);
    if (const auto proxy = http::parse_proxy_url(source.proxy)) names.push_back(proxy->host);
    names.push_back(source.client_id);
  }
  for (const auto& [name, resource] : examination.settings()->resources)
    names.insert(names.end(), resource.hosts.begin(), resource.hosts.end());
  return names;
}

std::string configuration_of(const doctor::Examination& examination) {
  if (!examination.loaded) return examination.problems.text();
  std::error_code ignored;
  const auto types = daemon::source_types();
  std::string text;
  for (const auto& key :
       config::effective(examination.loaded->texts, fs::absolute(examination.file, ignored).parent_path(),
                         examination.environment, types))
    text += key.path + ": " + (key.hidden ? "****" : key.value) + "  # " +
            (key.origin.empty() ? "default" : key.origin) + "\n";
  return text;
}

/// An answer of the daemon, or why there is none.
std::string asked(const fs::path& socket, const std::string& path) {
  const auto answer = daemon::ask_daemon(socket, path);
  return answer ? json::serialize(*answer) + "\n" : answer.error().message + "\n";
}

Files collect(doctor::Examination& examination, const fs::path& socket) {
  Files files;
  const auto report = doctor::examine(examination, {}, false);
  files["doctor.txt"] = doctor::to_text(report, false);
  files["doctor.json"] = json::serialize(doctor::to_json(report)) + "\n";
  files["configuration.txt"] = configuration_of(examination);
  files["status.json"] = asked(socket, "/api/v1/status");
  files["jobs.json"] = asked(socket, "/api/v1/jobs?limit=50");
  files["reporters.json"] = asked(socket, "/api/v1/reporters");
  files["machine.txt"] = doctor::run_command({"uname", "-srm"}).output + examination.machine.text("/etc/os-release");
  const auto log =
      doctor::run_command({"journalctl", "--unit=outpostd", "--lines=5000", "--no-pager", "--output=short-iso"},
                          std::chrono::seconds{30}, {.bytes = most_of_log, .newest = true});
  if (log.ran && log.status == 0) files["outpostd.log"] = log.output;
  return files;
}

Result<void> write_all(const fs::path& directory, const Files& files) {
  std::string manifest;
  for (const auto& [name, text] : files) manifest += sha256_hex(text) + "  " + name + "\n";
  Files all = files;
  all["MANIFEST"] = manifest;
  for (const auto& [name, text] : all)
    if (std::ofstream file{directory / name, std::ios::binary}; !(file << text).flush())
      return errno_error("writing", (directory / name).native(), errno);
  return {};
}

}  // namespace

int write_support_bundle(const SupportOptions& options) {
  fs::path file = options.output;
  if (file.empty()) file = "outpost-support-" + to_basic_utc(SystemClock{}.now()) + ".tar.gz";
  std::error_code ignored;
  if (fs::exists(file, ignored) && !options.force)
    return fail({Fault::refused, printable(file.native()) + " exists; --force replaces it"}, exit_negative);
  const auto types = daemon::source_types();
  const auto outside = daemon::real_outside();
  doctor::Examination examination{options.config, config::environment_of(environ), doctor::Machine{}, *outside, types};
  auto files = collect(examination, examination.places.runtime_directory / "api.sock");
  Redaction redaction{options.redact ? names_to_hide(examination) : std::vector<std::string>{}};
  if (options.redact)
    for (auto& [name, text] : files) text = redaction(text);
  const auto scratch = PrivateDirectory::make("outpost-support");
  if (!scratch) return fail(scratch.error(), exit_negative);
  const fs::path directory = scratch->path() / "outpost-support";
  std::error_code error;
  if (!fs::create_directory(directory, error))
    return fail(errno_error("cannot create", directory.native(), error.value()), exit_negative);
  if (const auto written = write_all(directory, files); !written) return fail(written.error(), exit_negative);
  ::umask(0077);
  const auto packed = doctor::run_command(
      {"tar", "-czf", fs::absolute(file, ignored).string(), "-C", scratch->path().string(), "outpost-support"},
      std::chrono::minutes{1});
  if (!packed.ran || packed.status != 0)
    return fail({Fault::unavailable, "tar could not write " + printable(file.native())}, exit_negative);
  if (options.as_json) {
    json::array contents;
    for (const auto& [name, text] : files) contents.push_back({{"name", name}, {"bytes", text.size()}});
    print_document("outpost-support-bundle", {{"file", file.string()}, {"redacted", options.redact}, {"contents", std::move(contents)}});
    return exit_ok;
  }
  std::cout << printable(file.native()) << ":\n";
  for (const auto& [name, text] : files) std::cout << "  " << name << "  " << text.size() << " bytes\n";
  std::cout << (options.redact
                    ? "Names of hosts and addresses are replaced, and no secret of the configuration is in it. "
                    : "No secret of the configuration is in it; names and addresses of the lab are (--redact replaces "
                      "them). ")
            << "Look through it before it leaves the lab.\n";
  return exit_ok;
}

}  // namespace outpost::cli
