// Figures of the daemon, and the collector that gets them and the traces of jobs.

#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"
#include "agent/daemon/composition.hpp"
#include "agent/http/beast/beast_client.hpp"

#include <unistd.h>

#include <climits>

namespace outpost::daemon {

namespace asio = boost::asio;

namespace {

/// A header may also be the name of a tenant, which must not vanish from the logs of jobs.
constexpr std::size_t shortest_token = 16;

std::string host_name() {
  char name[HOST_NAME_MAX + 1]{};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

/// Names as OpenTelemetry has them. The id of the machine is nobody else's business, so only a hash of it is told.
telemetry::Resource resource_of(const std::filesystem::path& state_directory) {
  const std::string instance = sha256_hex(identity_of_this_host().host_id + state_directory.native()).substr(0, 32);
  return {{"service.name", "outpost"}, {"service.version", OUTPOST_VERSION}, {"service.instance.id", instance}, {"host.name", host_name()}};
}

}  // namespace

Result<std::optional<telemetry::Destination>> Composition::collector_of(const config::Otlp& otlp, std::vector<std::string>& secrets) {
  if (otlp.url.empty()) return std::optional<telemetry::Destination>{};
  telemetry::Destination to{.url = otlp.url, .headers = {}, .traces = otlp.traces, .metrics = otlp.metrics, .interval = otlp.interval, .client = nullptr};
  if (!otlp.headers.empty()) {
    auto headers = config::read_headers(otlp.headers, config::credentials_directory(config::environment_of(environ)));
    if (!headers) return std::move(headers.error()).in("metrics.otlp.headers");
    for (const auto& [name, value] : *headers) {
      to.headers.set(name, std::string{value.reveal()});
      // "Bearer TOKEN": the token alone is as secret.
      if (auto token = split(value.reveal(), ' ').back(); token.size() >= shortest_token) secrets.push_back(std::move(token));
    }
  }
  auto client = http::make_beast_client({.ca_file = otlp.ca_file,
                                         .client_certificate = otlp.client_certificate,
                                         .client_key = otlp.client_key,
                                         .proxy = otlp.proxy,
                                         .no_proxy = otlp.no_proxy,
                                         .user_agent = "outpost/" OUTPOST_VERSION});
  if (!client) return std::move(client.error()).in("metrics.otlp");
  to.client = std::move(*client);
  return std::optional{std::move(to)};
}

void Composition::make_telemetry() {
  const auto warn = [this](const std::string& message) { logger_.warning(message); };
  const auto notice = [this](const std::string& message) { logger_.notice(message); };
  telemetry_ = std::make_unique<telemetry::Exporter>(telemetry::Exporter::Ports{executor_, clock_, [this] { return figures(); }, warn, notice},
                                                     resource_of(settings_.state_directory), telemetry::Patience{});
}

void Composition::start_telemetry() { telemetry_->go_on_with(std::exchange(named_.collector, std::nullopt)); }

asio::awaitable<void> Composition::end_telemetry() { return telemetry_->stop(); }

void Composition::note(const job::Event& event) {
  metrics_.note(event);
  if (!telemetry_->takes_spans()) return;
  if (auto span = telemetry::span_ended_by(event, *journal_)) telemetry_->add(std::move(*span));
}

std::vector<telemetry::Family> Composition::figures() {
  std::vector<ServerFigures> servers;
  for (const auto& each : servers_) {
    const auto there = each.lock();
    // A builder signs nothing, so its clock is its own business.
    const auto* control = there ? std::get_if<dci::Server>(&there->server) : nullptr;
    if (!control || !control->standing->last_contact()) continue;
    const auto& contact = *control->standing->last_contact();
    servers.push_back({there->source, std::chrono::duration<double>{contact.took}.count(),
                       contact.ahead ? static_cast<double>(contact.ahead->count()) : 0, contact.ahead.has_value()});
  }
  std::map<std::string, double> oldest;
  if (const auto known = journal_->reporters()) {
    for (const auto& reporter : *known) {
      oldest[reporter.name] = 0;
      const auto waiting = journal_->open(reporter.name, journal::Page{.after = 0, .limit = 1});
      if (!waiting || waiting->empty()) continue;
      const auto events = journal_->read({.after = waiting->front().seq - 1, .limit = 1});
      if (events && !events->empty()) oldest[reporter.name] = std::chrono::duration<double>{clock_.now() - events->front().occurred_at}.count();
    }
  }
  return metrics_.families(agent_->status(), servers, oldest);
}

}  // namespace outpost::daemon
