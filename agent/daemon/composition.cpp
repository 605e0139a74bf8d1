#include "agent/daemon/composition.hpp"

#include "agent/base/ids.hpp"
#include "agent/base/own_programs.hpp"
#include "agent/base/text.hpp"
#include "agent/config/credentials.hpp"
#include "agent/config/small_file.hpp"
#include "agent/daemon/closed_server.hpp"
#include "agent/daemon/definition.hpp"
#include "agent/daemon/disk_keeper.hpp"
#include "agent/job/event_types.hpp"
#include "agent/http/beast/beast_client.hpp"
#include "agent/process/local/local_command_runner.hpp"
#include "agent/process/systemd/slot_directory.hpp"
#include "agent/process/systemd/systemd_command_runner.hpp"
#include "plugins/junit/junit_collector.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <unistd.h>

namespace outpost::daemon {

namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

std::string first_line_of(const char* path) {
  const auto content = config::read_small_file(path, 4096);
  return content ? std::string{trim(split(*content, '\n').front())} : std::string{};
}

Result<void> make_private_directory(const fs::path& directory, unsigned mode) {
  std::error_code error;
  const bool existed = fs::exists(directory, error);
  fs::create_directories(directory, error);
  if (error) return errno_error("cannot create", directory.native(), error.value());
  // What an admin (or systemd) has made keeps its mode.
  if (!existed && ::chmod(directory.c_str(), mode) != 0) return errno_error("cannot change the mode of", directory.native(), errno);
  if (::access(directory.c_str(), W_OK | X_OK) != 0 && errno == EROFS)
    return Error{Fault::unavailable, directory.string() + " is on a file system that is read-only: look at the disk, mount it for writing (mount -o remount,rw)"};
  if (::access(directory.c_str(), W_OK | X_OK) != 0)
    return Error{Fault::unavailable, directory.string() + " cannot be written by uid " + std::to_string(::getuid()) + ": change its owner, or the directory in outpost.yml"};
  return {};
}

bool every_source(const std::string&) { return true; }

}  // namespace

std::vector<config::SourceType> source_types() { return {dci::source_type(), dlrn::source_type()}; }

journal::Identity identity_of_this_host() {
  std::string host = first_line_of("/etc/machine-id");
  if (host.empty()) host = first_line_of("/etc/hostname");
  return {host, first_line_of("/proc/sys/kernel/random/boot_id"), OUTPOST_VERSION};
}

Composition::Composition(InForce configuration, asio::any_io_executor executor)
    : settings_{std::move(configuration.settings)}, file_{std::move(configuration.file)}, texts_{std::move(configuration.texts)},
      configuration_{file_.string(), configuration.since, !configuration.problem.empty(), std::move(configuration.problem)}, only_finishes_{!configuration_.problem.empty()}, executor_{executor}, own_unit_{std::move(executor)} {}

Composition::~Composition() {
  clock_watch_.reset();
  metrics_trigger_.reset();
  telemetry_.reset();
  shutdown_trigger_.reset();
  bus_object_.reset();
  shutdown_watch_.reset();
  usage_.reset();
  agent_.reset();
  server_.reset();
  workers_.join();
}

Result<std::unique_ptr<Composition>> Composition::make(InForce configuration, asio::any_io_executor executor) {
  std::unique_ptr<Composition> made{new Composition{std::move(configuration), std::move(executor)}};
  using Step = Result<void> (Composition::*)();
  for (const Step step : {&Composition::read_named_files, &Composition::make_directories, &Composition::make_journal, &Composition::make_runner, &Composition::make_integrations, &Composition::make_agent})
    if (auto done = (made.get()->*step)(); !done) return done.error();
  return made;
}

/// Before anything else is made, which then has to be made only once: what systemd has kept for us is given out once.
Result<void> Composition::read_named_files() {
  stored_ = process::take_stored();
  if (const auto kept = stored_.extract(kept_secrets_name); !kept.empty()) kept_secrets_ = unsealed(kept.mapped());
  uploads_ = upload_throttle(settings_.spool);
  auto named = read_named(settings_, uploads_, every_source);
  if (named) {
    named_ = std::move(*named);
  } else if (!has_journal(settings_.state_directory) || !read_what_can_be_read(named.error())) {
    return named.error();
  }
  for (const auto& [name, opened] : named_.servers)
    if (opened.closed) closed_.insert(name);
  done_without_ = named_.done_without;
  secrets_ = std::move(named_.secrets);
  // What is no longer configured, or was replaced, may be known to a step that has outlived the agent before us.
  for (const auto& [name, secret] : kept_secrets_)
    if (std::find(secrets_.begin(), secrets_.end(), secret) == secrets_.end()) secrets_.push_back(secret);
  return {};
}

bool Composition::read_what_can_be_read(const Error& wrong) {
  auto good = configuration_.last_good ? std::nullopt : last_good_of(file_, settings_.state_directory);
  if (!configuration_.last_good) unread_ = texts_;
  struct Way {
    bool with_last_good;
    const Secrets* instead;
  };
  for (const auto& [with_last_good, instead] : {Way{true, nullptr}, Way{false, &kept_secrets_}, Way{true, &kept_secrets_}}) {
    if (with_last_good && !good) continue;
    const auto& settings = with_last_good ? good->settings : settings_;
    auto uploads = upload_throttle(settings.spool);
    auto named = read_named(settings, uploads, every_source, instead);
    if (!named) continue;
    if (with_last_good) {
      settings_ = std::move(good->settings);
      texts_ = std::move(good->texts);
      configuration_.since = good->since;
      configuration_.last_good = true;
    }
    uploads_ = std::move(uploads);
    named_ = std::move(*named);
    if (configuration_.problem.empty()) {
      configuration_.problem = wrong.message;
      problem_fault_ = wrong.fault;
    }
    only_finishes_ = true;
    return true;
  }
  return false;
}

/// Never without a secret of hooks: it would not be hidden in what they print.
Result<Composition::Named> Composition::read_named(const config::Settings& settings, std::shared_ptr<http::Throttle> uploads,
                                                   const std::function<bool(const std::string& source)>& is_wanted, const Secrets* instead) {
  const bool has_to_be_there = instead == nullptr;
  Named named;
  auto hooks = hook_options(settings, named, instead);
  if (!hooks) return hooks.error();
  named.hooks = std::move(*hooks);
  auto collector = collector_of(settings.otlp, named.secrets);
  if (!collector && has_to_be_there) return collector.error();
  if (collector) named.collector = std::move(*collector);
  else named.done_without.emplace(collector_key, collector.error().message);
  for (const auto& [name, source] : settings.sources) {
    if (!is_wanted(name)) continue;
    auto opened = open_server(source, uploads);
    if (!opened && has_to_be_there) return std::move(opened.error()).in("sources." + name);
    if (!opened) {
      auto access = closed_access(source);
      if (!access) return access.error();
      opened = Opened{nullptr, std::make_shared<ServerAccess>(std::move(*access)), opened.error()};
      named.done_without.emplace("sources." + name, "sources." + name + ": " + opened->closed->message);
    }
    named.servers.emplace(name, std::move(*opened));
  }
  return named;
}

Result<void> Composition::make_directories() {
  for (const auto& directory : {settings_.state_directory, settings_.state_directory / "jobs", settings_.runtime_directory})
    if (auto made = make_private_directory(directory, 0750); !made) return made;
  // Another version of the agent may have made it.
  std::error_code ignored;
  fs::remove_all(ready_directory(), ignored);
  return {};
}

fs::path Composition::ready_directory() const { return settings_.state_directory / "next-job"; }

Result<void> Composition::make_journal() {
  const auto open = [this] { return journal::SqliteJournal::open(settings_.state_directory / "journal.db", identity_of_this_host(), clock_, executor_); };
  auto journal = open();
  // On a full disk not even that works; what was unfinished has to be told all the same.
  if (!journal && journal.error().fault == Fault::retry_later && give_up_reserve(settings_.state_directory)) journal = open();
  if (!journal) return journal.error();
  journal_ = std::move(*journal);
  return {};
}

Result<void> Composition::make_runner() {
  auto guardian = process::find_guardian();
  if (!guardian) return guardian.error();
  children_ = std::make_unique<process::LocalCommandRunner>(*guardian);
  if (auto chosen = choose_runner(); !chosen) return chosen;

  auto& options = named_.hooks;
  warn_about_short(options.secrets);
  keep_for_next_start(options.secrets);
  // A step that has outlived the agent before us still needs them.
  if (!step_runner().outlives()) hooks::remove_left_secrets(options.secrets_directory);
  steps_ = std::make_shared<hooks::HookRunner>(step_runner(), clock_, std::move(options));
  collector_ = std::make_unique<junit::JunitCollector>(workers_);

  auto ways = alarm_ways(settings_.alarms);
  if (!ways) return ways.error();
  alarms_ = std::make_unique<Alarms>(*journal_, clock_, logger_, executor_, std::move(*ways));
  if (auto restored = alarms_->restore(); !restored) return restored;
  alarms_->clear("journal-damaged");
  if (!journal_->quarantined().empty())
    alarms_->raise("journal-damaged", "data-loss", journal_->quarantined() + " (shown until the next start)");
  return {};
}

/// systemd when it can, unless the configuration says otherwise.
Result<void> Composition::choose_runner() {
  std::string why_not = process::why_not_systemd();
  const fs::path slots = process::SystemdCommandRunner::Options{}.slots;
  if (why_not.empty() && settings_.runtime_directory != slots.parent_path())
    why_not = "runtime_directory is " + settings_.runtime_directory.string() + ", and the units of steps know only " + slots.parent_path().string();
  if (settings_.runner == config::Runner::systemd && !why_not.empty())
    return Error{Fault::unavailable, "runner: systemd cannot run the steps: " + why_not};
  const bool wants_local = settings_.runner == config::Runner::local;
  if (wants_local && why_not.empty() && process::holds_steps(slots))
    logger_.warning("runner: local takes effect with the next start: systemd still runs steps that were begun before");
  else if (wants_local)
    why_not = "the configuration says so";
  if (!why_not.empty()) {
    logger_.notice("steps are run by the agent itself, as its own user, and end with it: " + why_not);
    return {};
  }
  if (auto made = make_private_directory(slots, 0711); !made) return made;
  // The slots' users have to get to what is theirs below; none of these can be listed by them.
  for (const auto& directory : {settings_.state_directory, settings_.state_directory / "jobs", settings_.runtime_directory}) {
    std::error_code error;
    fs::permissions(directory, fs::perms::others_exec, fs::perm_options::add, error);
    if (error) return errno_error("cannot let the slots' users through", directory.native(), error.value());
  }
  process::SystemdCommandRunner::Options options;
  options.log = [this](const std::string& line) { logger_.warning(line); };
  options.stored = std::move(stored_);
  units_ = std::make_unique<process::SystemdCommandRunner>(executor_, std::move(options));
  logger_.notice("steps are run by systemd, each as a unit of its job's slot");
  return {};
}

process::CommandRunner& Composition::step_runner() const {
  if (units_) return *units_;
  return *children_;
}

asio::awaitable<std::optional<bool>> Composition::may_leave_steps() {
  if (!units_) co_return false;
  co_return co_await own_unit_.is_restarting();
}

asio::awaitable<void> Composition::end_steps() {
  if (units_) co_await units_->end_all();
}

Result<hooks::HookOptions> Composition::hook_options(const config::Settings& settings, Named& named, const Secrets* instead) {
  hooks::HookOptions options;
  options.plugin_directories = settings.plugins_path;
  options.secrets_directory = settings.runtime_directory / "secrets";
  options.resources = described(settings.resources);
  options.capabilities = settings.capabilities;
  if (auto found = find_own_program("outpost-ansible")) options.playbook_runner = *found;
  if (auto found = find_own_program("outpost-hook")) options.helper = *found;
  options.snapshots_directory = settings.state_directory / "plugins";
  options.jobs_directory = settings.state_directory / "jobs";
  const auto credentials = config::credentials_directory(config::environment_of(environ));
  for (const auto& [name, source] : settings.sources)
    if (const auto identity = config::read_credentials(source, credentials)) options.servers[name] = identity->url;
  for (const auto& [name, source] : settings.secrets) {
    auto secret = config::read_secret(source, credentials);
    if (!secret && instead && instead->contains(name)) {
      named.done_without.emplace("secrets." + name, "secrets." + name + ": " + secret.error().message + " (hooks get what it was before)");
      secret = config::Secret{instead->at(name)};
    }
    if (!secret) return std::move(secret.error()).in("secrets." + name);
    named.secrets.emplace_back(secret->reveal());
    options.secrets.emplace(name, std::string{secret->reveal()});
  }
  return options;
}

Result<Alarms::Ways> Composition::alarm_ways(const config::Alarms& alarms) const {
  Alarms::Ways ways{alarms.webhook, alarms.command, nullptr, children_.get()};
  if (ways.webhook.empty()) return ways;
  auto client = http::make_beast_client({.user_agent = "outpost/" OUTPOST_VERSION});
  if (!client) return std::move(client.error()).in("alarms.webhook");
  ways.client = std::move(*client);
  return ways;
}

Result<void> Composition::make_integrations() {
  auto unpacker = files::find_unpacker();
  if (!unpacker) return unpacker.error();
  unpacker_ = std::move(*unpacker);
  if (settings_.downloads.cache_limit > 0) {
    auto cache = files::Cache::open(settings_.state_directory / "cache", settings_.downloads.cache_limit, workers_);
    if (!cache) return cache.error();
    cache_ = std::make_unique<files::Cache>(std::move(*cache));
  }
  for (auto& [name, opened] : named_.servers) {
    auto integration = make_integration(settings_, settings_.sources.at(name), std::move(opened));
    if (!integration) return std::move(integration.error()).in("sources." + name);
    integrations_.push_back(std::move(*integration));
  }
  return {};
}

Result<Composition::Opened> Composition::open_server(const config::Source& source, std::shared_ptr<http::Throttle> uploads) {
  auto file = std::make_shared<config::CredentialsFile>(source, config::credentials_directory(config::environment_of(environ)));
  auto access = access_to(source, *file, std::move(uploads));
  if (!access) return access.error();
  return Opened{std::move(file), std::make_shared<ServerAccess>(std::move(*access)), {}};
}

Result<std::shared_ptr<void>> Composition::sign_in(const config::Source& source, Opened& opened) {
  ServerAccess& there = *opened.access;
  auto identity = identities_.hold(there.spool_key.client_id(), there.url);
  if (!identity) return identity;
  if (auto* control = std::get_if<dci::Server>(&there.server))
    control->standing = std::make_shared<dci::Standing>(control->credentials, clock_, standing_options(source, there.url, std::move(opened.file)));
  else if (auto* builder = std::get_if<dlrn::Server>(&there.server); builder && !dlrn::uses_kerberos(source))
    builder->api.authorization = authorization_of(source.name, there, std::move(opened.file));
  secrets_.emplace_back(there.secret.reveal());
  std::erase_if(servers_, [](const auto& gone) { return gone.expired(); });
  servers_.push_back(opened.access);
  return identity;
}

Result<std::shared_ptr<Integration>> Composition::make_integration(const config::Settings& settings, const config::Source& source, Opened opened) {
  auto identity = opened.closed ? Result<std::shared_ptr<void>>{std::shared_ptr<void>{}} : sign_in(source, opened);
  if (!identity) return identity.error();
  const ServerAccess& there = *opened.access;
  auto integration = std::make_shared<Integration>();
  integration->identity = std::move(*identity);
  integration->access = opened.access;
  integration->settings = source;
  integration->settings.url = there.url;
  integration->spool_key = there.spool_key;
  auto offers = make_source(there, settings, source);
  if (!offers) return offers.error();
  auto job_directory = [jobs = settings.state_directory / "jobs"](const std::string& id) { return jobs / id; };
  auto reporter = make_reporter(there, source, std::move(job_directory), workers_, clock_);
  if (!reporter) return reporter.error();
  integration->source = opened.closed ? closed_source(std::move(*offers), *opened.closed) : std::move(*offers);
  integration->reporter = opened.closed ? closed_reporter(std::move(*reporter), *opened.closed) : std::move(*reporter);

  delivery::AlarmSink alarm = [&alarms = *alarms_](const delivery::Alarm& told) {
    if (told.raised) alarms.raise(told.key, told.kind, told.message);
    else alarms.clear(told.key);
  };
  integration->dispatcher = std::make_unique<delivery::Dispatcher>(source.name, *journal_, *journal_, *integration->reporter, clock_, executor_,
                                                                   delivery::system_timing(executor_), delivery_options(settings.spool, source), std::move(alarm));
  return integration;
}

Result<std::unique_ptr<pipeline::Source>> Composition::make_source(const ServerAccess& there, const config::Settings& settings, const config::Source& source) {
  if (const auto* builder = std::get_if<dlrn::Server>(&there.server)) {
    auto made = dlrn::source_settings_of(source);
    made.warn = [this, name = source.name](const std::string& message) { logger_.warning(name + ": " + message); };
    return dlrn::make_source(*builder, std::move(made), *there.client, workers_, clock_);
  }
  return dci::make_source(std::get<dci::Server>(there.server), source_settings(settings, source), *there.client, workers_, clock_, cache_.get());
}

std::shared_ptr<dlrn::Authorization> Composition::authorization_of(const std::string& source, const ServerAccess& there, std::shared_ptr<config::CredentialsFile> file) {
  auto renewal = [this, source, file = std::move(file)] { return renew_login(source, file); };
  return std::make_shared<dlrn::BasicAuthorization>(there.spool_key.client_id(), there.secret, std::move(renewal));
}

asio::awaitable<Result<std::optional<dlrn::Login>>> Composition::renew_login(std::string source, std::shared_ptr<config::CredentialsFile> file) {
  auto reading = [file] { return file->read_if_changed(); };
  auto read = co_await workers_.run(std::move(reading));
  if (!read) co_return read.error();
  if (!*read) co_return std::optional<dlrn::Login>{};
  auto& replaced = **read;
  agent_->add_secret(std::string{replaced.api_secret.reveal()});
  logger_.notice(source + ": the credentials were replaced, now signing in as " + replaced.client_id);
  co_return std::optional{dlrn::Login{replaced.client_id, std::move(replaced.api_secret)}};
}

dci::Standing::Options Composition::standing_options(const config::Source& source, std::string url, std::shared_ptr<config::CredentialsFile> file) {
  dci::Standing::Options options;
  options.pause = source.credentials_retry;
  options.warn = [this, name = source.name](const std::string& message) { logger_.warning(name + ": " + message); };
  options.accepted_again = [this, name = source.name] { agent_->credentials_accepted(name); };
  options.renewal = [this, name = source.name, url = std::move(url), file = std::move(file)] { return renew_credentials(name, url, file); };
  return options;
}

asio::awaitable<Result<std::optional<dci::Credentials>>> Composition::renew_credentials(std::string source, std::string url, std::shared_ptr<config::CredentialsFile> file) {
  auto reading = [file] { return file->read_if_changed(); };
  const auto read = co_await workers_.run(std::move(reading));
  if (!read) co_return read.error();
  if (!*read) co_return std::optional<dci::Credentials>{};
  const auto& replaced = **read;
  auto identity = identities_.hold(replaced.client_id, url);
  if (!identity) co_return identity.error();
  agent_->add_secret(std::string{replaced.api_secret.reveal()});
  agent_->renew_identity(source, {replaced.client_id, replaced.api_secret.reveal()}, std::move(*identity));
  logger_.notice(source + ": the credentials were replaced, now signing in as " + replaced.client_id);
  auto made = dci::make_credentials(replaced.client_id, replaced.api_secret.reveal());
  if (!made) co_return made.error();
  co_return std::optional<dci::Credentials>{std::move(*made)};
}

dci::SourceSettings Composition::source_settings(const config::Settings& settings, const config::Source& source) {
  dci::SourceSettings made;
  made.name = source.name;
  made.ui_url = job::text_at(source.options, "ui_url");
  made.allow_local_redirects = source.allow_local_redirects;
  made.limits.bytes = settings.downloads.limit;
  made.limits.unpack.bytes = settings.downloads.unpack_bytes;
  made.limits.unpack.entries = settings.downloads.unpack_entries;
  made.limits.unpack.ratio = static_cast<std::uint64_t>(settings.downloads.unpack_ratio);
  made.unpacker = unpacker_;
  return made;
}

pipeline::LogOptions Composition::log_options(const config::Logs& logs) {
  pipeline::LogOptions options;
  options.capture = {.limit = logs.step_limit, .segment_size = logs.segment_size, .segment_age = logs.segment_age};
  options.cuts = {.first = logs.live_first, .longest = logs.live_longest, .pieces = logs.live_pieces};
  return options;
}

Result<void> Composition::make_agent() {
  pipeline::JobOptions options;
  options.jobs_directory = settings_.state_directory / "jobs";
  options.ready_directory = ready_directory();
  options.logs = log_options(settings_.logs);
  options.logs.packers = &packers_;
  options.boot_id = identity_of_this_host().boot_id;
  options.secrets = secrets_;
  AgentOptions agent_options;
  agent_options.runner_name = step_runner().name();
  agent_options.journal_size = [&journal = *journal_] { return journal.size(); };
  agent_options.configuration = [this] { return configuration_; };
  make_promotions();
  agent_options.promotions = [this] { return promotions_->status(); };
  make_telemetry();
  agent_options.telemetry = [this] { return telemetry_->status(); };
  agent_options.reload = [this] { return reload(); };
  machine_restart_ = std::make_unique<control::MachineRestart>(executor_);
  agent_options.restart_machine = [this] {
    if (shutdown_watch_) shutdown_watch_->look_again();  // Who waits for it does not refuse it.
    return machine_restart_->restart();
  };
  AgentPorts ports{*journal_, *journal_, steps_, *collector_, workers_, clock_, logger_, *alarms_};
  agent_ = std::make_unique<Agent>(executor_, ports, settings_, std::move(integrations_), std::move(options), std::move(agent_options));
  metrics_trigger_ = journal_->subscribe([this](const job::Event& event) { note(event); });
  clock_watch_ = std::make_unique<ClockWatch>(executor_, clock_, [this] {
    logger_.notice("this machine's clock was set");
    for (const auto& each : servers_)
      if (const auto there = each.lock())
        if (auto* control = std::get_if<dci::Server>(&there->server)) control->standing->ask_again();
    agent_->clock_was_set();
  });
  return {};
}

void Composition::make_promotions() {
  const auto environment = config::environment_of(environ);
  PromotionKeeper::Options options{.program = find_command_line(),
                                   .state_directory = settings_.state_directory / "promoter",
                                   .credentials_directory = config::credentials_directory(environment),
                                   .environment = {}};
  for (const auto& [name, value] : environment) options.environment.push_back(name + "=" + value);
  promotions_ = std::make_unique<PromotionKeeper>(PromotionKeeper::Ports{executor_, *journal_, *children_, workers_, clock_, logger_, *alarms_}, std::move(options));
}

Result<void> Composition::start_promotions() {
  if (auto restored = promotions_->restore(); !restored) return restored;
  if (!only_finishes_) promotions_->go_on_with(settings_.promotions);
  return {};
}

asio::awaitable<void> Composition::end_promotions() { return promotions_->stop(); }

void Composition::join_system_bus() {
  const auto log = [this](const std::string& message) { logger_.info(message); };
  bus_object_ = std::make_unique<control::AgentObject>(executor_, *agent_, *journal_, control::AgentObject::Options{.log = log});
  control::ShutdownWatch::Wishes wishes;
  wishes.announced = [this](bool goes_down) { return agent_->note_shutdown(goes_down); };
  wishes.must_not = [this] { return agent_->must_not_go_down(); };
  wishes.cannot_refuse = [this](const std::string& why) {
    if (why.empty()) return alarms_->clear("block-shutdown");
    alarms_->raise("block-shutdown", "degraded",
                   "a job says block_shutdown, but a shutdown cannot be refused: " + why + "; see SYSTEM BUS in outpostd(8)");
  };
  wishes.log = log;
  shutdown_watch_ = std::make_unique<control::ShutdownWatch>(executor_, std::move(wishes));
  shutdown_trigger_ = journal_->subscribe([this](const job::Event& event) {
    if (event.type == job::event::claim_granted || event.type == job::event::job_ended) shutdown_watch_->look_again();
  });
  asio::co_spawn(executor_, bus_object_->run(), asio::detached);
  asio::co_spawn(executor_, shutdown_watch_->run(), asio::detached);
}

}  // namespace outpost::daemon
