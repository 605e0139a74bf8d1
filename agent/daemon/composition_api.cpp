// The local API and the page: what they read, who may connect, and where they listen.

#include "agent/base/text.hpp"
#include "agent/config/effective.hpp"
#include "agent/config/small_file.hpp"
#include "agent/control/guard.hpp"
#include "agent/control/local_api.hpp"
#include "agent/control/metrics_page.hpp"
#include "agent/daemon/composition.hpp"
#include "agent/daemon/plugin_tools.hpp"
#include "agent/dashboard/page.hpp"
#include "agent/files/durable_file.hpp"
#include "agent/http/beast/beast_server.hpp"
#include "agent/http/url.hpp"
#include "agent/process/systemd/unit_usage.hpp"

#include <boost/json/array.hpp>

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <set>

namespace outpost::daemon {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

/// The users that steps run as (systemd/sysusers.conf.in), as far as this machine has them.
std::set<std::uint32_t> users_of_jobs() {
  std::set<std::uint32_t> users;
  for (unsigned slot = 1; slot <= 64; ++slot)
    if (const passwd* user = ::getpwnam(("outpost-job-" + std::to_string(slot)).c_str())) users.insert(user->pw_uid);
  return users;
}

/// Tells a job's user. They are looked up when somebody else than root or we asks for the first time: where a machine
/// lacks them, each further source of users that it has is loaded and asked for all of them.
std::function<bool(std::uint32_t)> job_user_test() {
  return [users = std::optional<std::set<std::uint32_t>>{}](std::uint32_t uid) mutable {
    if (uid == 0 || uid == ::geteuid()) return false;
    if (!users) users = users_of_jobs();
    return users->contains(uid);
  };
}

/// What a page has to know to be let in on TCP. It stays the same, so that an open page goes on after a restart.
Result<std::string> page_token(const fs::path& state_directory) {
  const fs::path file = state_directory / "dashboard.token";
  std::error_code ignored;
  if (fs::exists(file, ignored)) {
    const auto kept = config::read_small_file(file, 4096, config::Privacy::secret);
    if (!kept) return kept.error();
    const std::string token{trim(*kept)};
    if (token.size() >= 32) return token;
    return Error{Fault::refused, file.string() + " holds no token: remove it, and a new one is made"};
  }
  auto token = control::random_token();
  if (!token) return token;
  if (auto written = files::write_durably(file, *token + "\n", 0600); !written) return written.error();
  return token;
}

json::array described_plugins(const std::vector<fs::path>& path, const std::vector<config::Job>& jobs) {
  json::array plugins;
  for (const auto& row : installed_plugins(path)) {
    json::array users;
    for (const auto& job : jobs)
      if (std::find(job.plugins.begin(), job.plugins.end(), row.name) != job.plugins.end()) users.emplace_back(job.name);
    auto plugin = to_json(row);
    plugin["jobs"] = std::move(users);
    plugins.push_back(std::move(plugin));
  }
  return plugins;
}

/// As of the last look at it (JobRunner has it looked at); nothing before the first.
std::optional<std::uint64_t> workspace_in(const json::object& status, const std::string& job_id) {
  for (const auto& each : status.at("jobs").at("running").as_array()) {
    const auto& job = each.as_object();
    if (const auto* bytes = job.if_contains("workspace_bytes"); bytes && job::text_at(job, "job_id") == job_id) return bytes->to_number<std::uint64_t>();
  }
  return std::nullopt;
}

}  // namespace

json::object Composition::effective_configuration() const {
  std::error_code ignored;
  const auto types = source_types();
  json::array keys;
  for (const auto& key : config::effective(texts_, fs::absolute(file_, ignored).parent_path(), config::environment_of(environ), types))
    keys.push_back(json::object{{"key", key.path}, {"value", key.value}, {"origin", key.origin}, {"hidden", key.hidden}});
  return {{"file", configuration_.file}, {"since", to_rfc3339(configuration_.since)}, {"keys", std::move(keys)}};
}

void Composition::make_records() {
  const auto plugins = [this]() -> std::function<json::array()> {
    return [path = settings_.plugins_path, jobs = settings_.jobs] { return described_plugins(path, jobs); };
  };
  const auto page = [this] { return json::object{{"url", page_url_}, {"token", page_token_}}; };
  std::error_code ignored;
  SelfExamination::Options looking{.program = find_command_line(), .configuration = fs::absolute(file_, ignored), .environment = {}};
  for (char** variable = environ; *variable; ++variable) looking.environment.emplace_back(*variable);
  doctor_ = std::make_unique<SelfExamination>(executor_, *children_, clock_, std::move(looking));
  const auto doctor = [this](std::chrono::seconds most_age) { return doctor_->found(most_age); };
  records_ = std::make_unique<control::Records>(control::Records{.agent = *agent_, .journal = *journal_, .deliveries = *journal_, .workers = workers_,
                                                                 .streams = {*journal_, executor_}, .jobs_directory = settings_.state_directory / "jobs",
                                                                 .plugins = plugins, .configuration = [this] { return effective_configuration(); }, .page = page, .doctor = doctor});
}

void Composition::make_usage_keeper() {
  auto find = [this](const job::Story& story, const std::string& step_id) -> process::Probe {
    if (!units_) return children_->probe(story.job.id + "/" + step_id);
    const auto unit = process::unit_of(story.job.definition.profile, story.slot);
    return unit ? process::unit_probe(*unit, "/sys/fs/cgroup") : process::Probe{};
  };
  auto workspace = [this](const std::string& job_id) { return workspace_in(agent_->status(), job_id); };
  usage_ = std::make_unique<UsageKeeper>(UsageKeeper::Ports{executor_, *journal_, workers_, clock_}, settings_.state_directory / "jobs", std::move(find), std::move(workspace));
}

Result<void> Composition::listen() {
  make_records();
  make_usage_keeper();
  server_ = http::make_beast_server(executor_);
  const auto handler = dashboard::with_page(control::local_api(*agent_, records_.get()));
  // Not on TCP, where whoever can connect could read them.
  const auto with_figures = control::with_metrics(handler, [this] { return telemetry::to_prometheus(figures()); });
  http::ListenOptions options{.address = http::UnixAddress{(settings_.runtime_directory / "api.sock").string(), 0660}};
  auto listening = server_->listen(std::move(options), control::guarded(with_figures, {.is_refused = job_user_test(), .token = {}, .clock = clock_}));
  if (!listening) return listening.error();
  auto on_tcp = settings_.dashboard.host.empty() ? Result<void>{} : listen_on_tcp(handler);
  if (on_tcp || agent_->unfinished() == 0) {
    alarms_->clear("dashboard");
    return on_tcp;
  }
  // A page is no reason to let go of what runs.
  alarms_->raise("dashboard", "degraded", on_tcp.error().message + "; the page is not there on TCP until that is corrected: it is tried again by itself, at least every 5 minutes");
  page_handler_ = handler;
  return {};
}

Result<void> Composition::listen_on_tcp(http::Handler handler) {
  auto token = page_token(settings_.state_directory);
  if (!token) return std::move(token.error()).in("dashboard");
  page_token_ = std::move(*token);
  http::ListenOptions options{.address = http::TcpAddress{settings_.dashboard.host, settings_.dashboard.port}};
  control::GuardOptions guard{.is_refused = {}, .token = page_token_, .clock = clock_};
  if (settings_.dashboard.actions) guard.may_change = control::is_page_action;
  const auto port = server_->listen(std::move(options), control::guarded(std::move(handler), std::move(guard)));
  if (!port) return Error{port.error().fault, "dashboard.listen: " + port.error().message};
  page_url_ = "http://" + http::host_and_port(settings_.dashboard.host, *port) + "/";
  return {};
}

void Composition::stop_listening() {
  if (server_) server_->stop();
}

}  // namespace outpost::daemon
