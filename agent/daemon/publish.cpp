#include "agent/daemon/publish.hpp"

#include "agent/base/private_directory.hpp"
#include "agent/base/text.hpp"
#include "agent/daemon/run_to_end.hpp"
#include "agent/files/safe_path.hpp"
#include "agent/process/local/local_command_runner.hpp"
#include "plugins/dlrn/promoter/publishing.hpp"

#include <system_error>

namespace outpost::daemon {

namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

Error wrong(std::string message) { return {Fault::malformed, std::move(message)}; }

/// As scp reads it: what has a slash before its first colon, or no colon, is here.
Result<promoter::ImageHost> host_of(const PublishOptions& options) {
  promoter::ImageHost host{.port = options.port, .key = options.key, .known_hosts = options.known_hosts};
  const auto colon = options.to.find(':');
  host.sftp = colon != std::string::npos && options.to.find('/') > colon;
  if (!host.sftp) {
    host.directory = fs::absolute(options.to).string();
    return host;
  }
  const std::string address = options.to.substr(0, colon);
  const auto at = address.rfind('@');
  host.user = at == std::string::npos ? "" : address.substr(0, at);
  host.host = at == std::string::npos ? address : address.substr(at + 1);
  host.directory = options.to.substr(colon + 1);
  while (host.directory.size() > 1 && host.directory.ends_with('/')) host.directory.pop_back();
  if (host.host.empty() || host.host.starts_with('-') || host.user.starts_with('-') || host.directory.empty())
    return wrong("--to: \"" + printable(options.to, 200) + "\" is neither a directory nor [USER@]HOST:DIRECTORY");
  return host;
}

/// A name beside those of links, which begins with neither a dot nor a dash.
Result<void> check_name(const std::string& what, const std::string& name) {
  if (files::check_name(name) && name.find('/') == std::string::npos && name.front() != '.' && name.front() != '-')
    return {};
  return wrong(what + ": \"" + printable(name, 200) +
               "\" is not the name of a file (examples: delorean_hash.txt, CentOS-Stream-9-20261127.0)");
}

Result<void> check(const PublishOptions& options, const std::string& name) {
  if (auto good = check_name("--label", options.label); !good) return good;
  if (auto good = check_name("--name", name); !good) return good;
  if (name == options.label || name == "previous-" + options.label)
    return wrong("--name: " + name + " is the link's own name");
  return {};
}

Result<std::unique_ptr<promoter::ImageServer>> server_of(process::CommandRunner& commands, Workers& workers,
                                                         const promoter::ImageHost& host) {
  if (!host.sftp) return std::make_unique<promoter::LocalImageServer>(host.directory, workers);
  auto server = promoter::SftpImageServer::make(commands, host);
  if (!server) return server.error();
  return *std::move(server);
}

}  // namespace

Result<PublishAnswer> publish(const PublishOptions& options) {
  if (options.content.has_value() != options.file.empty()) return wrong("either FILE or --content is due");
  const std::string name = !options.name.empty() ? options.name
                           : options.content     ? *options.content
                                                 : options.file.filename().string();
  if (auto good = check(options, name); !good) return good.error();
  const auto host = host_of(options);
  if (!host) return host.error();
  const auto directory = PrivateDirectory::make("outpost-publish");
  if (!directory) return directory.error();
  fs::path file = options.file;
  if (options.content) {
    auto written = directory->write("content", *options.content);
    if (!written) return written.error();
    file = *std::move(written);
  }
  std::error_code error;
  if (!fs::is_regular_file(file, error))
    return Error{Fault::unavailable, file.string() + " is not a file that can be read"};
  const auto guardian = process::find_guardian();
  if (!guardian) return guardian.error();
  if (auto reaping = process::become_subreaper(); !reaping) return reaping.error();
  process::LocalCommandRunner commands{*guardian};
  asio::io_context loop{1};
  Workers workers;
  const auto server = server_of(commands, workers, *host);
  if (!server) return server.error();
  promoter::Published what{name, fs::absolute(file), options.label};
  auto done = run_to_end(loop, promoter::publish(**server, std::move(what), options.dry_run));
  if (!done) return done.error();
  return PublishAnswer{name, (*server)->text(), *std::move(done)};
}

}  // namespace outpost::daemon
