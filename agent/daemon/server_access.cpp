#include "agent/daemon/server_access.hpp"

#include "agent/base/hash.hpp"
#include "agent/config/small_file.hpp"
#include "agent/http/beast/beast_client.hpp"
#include "agent/http/throttle.hpp"
#include "agent/http/url.hpp"
#include "agent/job/event.hpp"
#include "plugins/dlrn/kerberos/kerberos_authorization.hpp"

#include <unistd.h>
#include <algorithm>

namespace outpost::daemon {

http::ClientOptions client_options(const config::Source& source, std::shared_ptr<http::Throttle> uploads) {
  http::ClientOptions options;
  options.slow_window = source.slow_window;
  options.uploads = std::move(uploads);
  options.ca_file = source.ca_file;
  options.client_certificate = source.client_certificate;
  options.client_key = source.client_key;
  options.proxy = source.proxy;
  options.no_proxy = source.no_proxy;
  options.user_agent = "outpost/" OUTPOST_VERSION;
  return options;
}

Result<ServerAccess> access_to(const config::Source& source, std::shared_ptr<http::Throttle> uploads) {
  config::CredentialsFile file{source, config::credentials_directory(config::environment_of(environ))};
  return access_to(source, file, std::move(uploads));
}

std::shared_ptr<http::Throttle> upload_throttle(const config::Spool& spool) {
  return spool.bandwidth ? std::make_shared<http::Throttle>(*spool.bandwidth) : nullptr;
}

delivery::Options delivery_options(const config::Spool& spool, const config::Source& source) {
  delivery::Options options;
  options.credentials = source.credentials_retry;
  options.parallel = spool.uploads;
  options.backoff = spool.retry_first;
  options.cap = spool.retry_longest;
  options.probe_cap = std::min(options.probe_cap, options.cap);
  options.link_back = spool.link_back;
  // Each request costs a builder a quarter of a second for the password alone.
  if (source.type == "dlrn") options.parallel = 1;
  return options;
}

namespace {

/// A builder to which tickets lead: there is no password that the archives of what waits could be sealed with, but a keytab
/// is as secret.
Result<ServerAccess> kerberos_access_to(const config::Source& source, std::unique_ptr<http::Client> client) {
  const std::filesystem::path keytab = job::text_at(source.options, "keytab");
  constexpr std::size_t largest = 1 << 20;
  const auto keys = config::read_small_file(keytab, largest, config::Privacy::secret);
  if (!keys) return Error{keys.error()}.in("keytab");
  const auto url = http::parse_url(source.url);
  if (!url) return url.error();
  dlrn::KerberosAuthorization::Options options{keytab, job::text_at(source.options, "principal"), job::text_at(source.options, "server_principal")};
  if (options.server.empty()) options.server = "HTTP@" + url->host;
  auto authorization = std::make_shared<dlrn::KerberosAuthorization>(std::move(options));
  const std::string secret = sha256_hex(*keys);
  delivery::SpoolKey spool_key{authorization->user(), secret};
  dlrn::Server server = dlrn::server_of(source);
  server.api.authorization = std::move(authorization);
  return ServerAccess{std::move(client), source.url, std::move(server), config::Secret{secret}, std::move(spool_key), source.name};
}

}  // namespace

Result<ServerAccess> access_to(const config::Source& source, config::CredentialsFile& file,
                               std::shared_ptr<http::Throttle> uploads) {
  auto client = http::make_beast_client(client_options(source, std::move(uploads)));
  if (!client) return client.error();
  if (source.type == "dlrn" && dlrn::uses_kerberos(source)) return kerberos_access_to(source, std::move(*client));
  auto credentials = file.read();
  if (!credentials) return credentials.error();
  delivery::SpoolKey spool_key{credentials->client_id, credentials->api_secret.reveal()};
  const bool is_login = credentials->client_id.find('/') == std::string::npos;
  if (is_login != (source.type == "dlrn"))
    return Error{Fault::malformed, is_login ? "the credentials are a user's name and password, but a source of type dci needs those of a remoteci"
                                            : "the credentials are those of a remoteci, but a source of type dlrn needs DLRNAPI_USERNAME and DLRNAPI_PASSWORD"};
  if (source.type == "dlrn") {
    dlrn::Server server = dlrn::server_of(source);
    server.api.authorization = std::make_shared<dlrn::BasicAuthorization>(credentials->client_id, credentials->api_secret);
    return ServerAccess{std::move(*client), credentials->url, std::move(server), std::move(credentials->api_secret), std::move(spool_key), source.name};
  }
  if (credentials->url.empty()) credentials->url = "https://api.distributed-ci.io";  // Where the partners of DCI go.
  auto identity = dci::make_credentials(credentials->client_id, credentials->api_secret.reveal());
  if (!identity) return identity.error();
  dci::Server server{credentials->url, *identity, nullptr, source.idle_timeout};
  return ServerAccess{std::move(*client), credentials->url, std::move(server), std::move(credentials->api_secret), std::move(spool_key), source.name};
}

Result<std::unique_ptr<pipeline::Reporter>> make_reporter(
    const ServerAccess& access, const config::Source& source,
    std::function<std::filesystem::path(const std::string& job_id)> job_directory, Workers& workers,
    const Clock& clock) {
  if (const auto* builder = std::get_if<dlrn::Server>(&access.server))
    return dlrn::make_reporter(*builder, dlrn::vote_settings_of(source), *access.client, clock);
  dci::ReporterSettings settings{
      .source = source.name, .upload_limit = source.upload_limit, .job_directory = std::move(job_directory)};
  return dci::make_reporter(std::get<dci::Server>(access.server), std::move(settings), *access.client, workers, clock);
}

}  // namespace outpost::daemon
