// The configuration, read again while everything runs.

#include "agent/base/text.hpp"
#include "agent/config/differences.hpp"
#include "agent/daemon/composition.hpp"
#include "agent/daemon/last_good.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/array.hpp>

#include <unistd.h>

namespace outpost::daemon {

namespace asio = boost::asio;
namespace json = boost::json;

namespace {

/// What of a source is settled when it is made, beside its own keys.
bool is_made_anew(const config::Settings& old, const config::Settings& wanted, const std::string& name) {
  const auto known = old.sources.find(name);
  return known == old.sources.end() || known->second != wanted.sources.at(name) || old.downloads != wanted.downloads ||
         old.spool.uploads != wanted.spool.uploads || old.spool.retry_first != wanted.spool.retry_first ||
         old.spool.retry_longest != wanted.spool.retry_longest || old.spool.link_back != wanted.spool.link_back ||
         old.spool.bandwidth != wanted.spool.bandwidth;
}

template <class Value>
void keep(const Value& old, Value& wanted, const char* key, std::vector<std::string>& needs_restart) {
  if (old == wanted) return;
  wanted = old;
  needs_restart.emplace_back(key);
}

/// What is settled for the life of the process stays as it is.
std::vector<std::string> keep_settled(const config::Settings& old, config::Settings& wanted) {
  std::vector<std::string> needs_restart;
  keep(old.state_directory, wanted.state_directory, "state_directory", needs_restart);
  keep(old.runtime_directory, wanted.runtime_directory, "runtime_directory", needs_restart);
  keep(old.runner, wanted.runner, "runner", needs_restart);
  keep(old.dashboard, wanted.dashboard, "dashboard", needs_restart);
  keep(old.downloads.cache_limit, wanted.downloads.cache_limit, "downloads.cache_limit", needs_restart);
  return needs_restart;
}

json::array array_of(const std::vector<std::string>& texts) { return json::array(texts.begin(), texts.end()); }

}  // namespace

void Composition::watch_reloads(std::function<void()> begins, std::function<void()> ended) {
  reload_begins_ = std::move(begins);
  reload_ended_ = std::move(ended);
}

Result<void> Composition::settle_configuration() {
  if (only_finishes_) {
    if (agent_->unfinished() == 0) return Error{problem_fault_, configuration_.problem};
    std::string line = split(configuration_.problem, '\n').front();
    for (const auto& [key, each] : done_without_)
      if (!each.starts_with(line)) line += "; without " + each;
    const std::string what_finishes = configuration_.last_good ? "the last good one, of " + to_rfc3339(configuration_.since) + "," : "what of it can be read";
    const std::string what_to_do = unread_ ? "Correct it: it is tried again by itself, at least every 5 minutes, and at once by outpost reload: " : "Correct it, then outpost reload: ";
    configuration_.problem = line;
    alarms_->clear("configuration");  // Of a reload before, which was less.
    alarms_->raise("configuration", "degraded", "the configuration is wrong; " + what_finishes + " finishes what was begun, and nothing more is claimed. " + what_to_do + line);
    agent_->close_claims("the configuration is wrong, " + what_finishes + " only finishes what was begun: " + line);
    return {};
  }
  alarms_->clear("configuration");
  if (const auto kept = keep_last_good(settings_.state_directory, file_, {configuration_.since, texts_}); !kept)
    logger_.warning("the configuration could not be remembered: " + kept.error().message);
  forget_older_secrets();
  return {};
}

asio::awaitable<Result<json::object>> Composition::reload() {
  while (recovering_) co_await recovered_.async_wait(asio::as_tuple(asio::use_awaitable));
  if (reloading_) co_return Error{Fault::refused, "the configuration is just being read: try again"};
  reloading_ = true;
  reload_begins_();
  auto reloaded = co_await reload_once();
  reloading_ = false;
  reload_ended_();
  co_return reloaded;
}

asio::awaitable<Result<json::object>> Composition::reload_once() {
  auto reading = [file = file_, old = settings_, uploads = uploads_, closed = closed_] { return read_again(file, old, uploads, closed); };
  auto fresh = co_await workers_.run(std::move(reading));
  if (!fresh) {
    reload_failed(fresh.error());
    co_return fresh.error();
  }
  std::string happened = "configuration read again";
  auto putting = put_in_force(*fresh, std::move(happened));
  auto put = co_await std::move(putting);
  if (!put) reload_failed(put.error());
  co_return put;
}

asio::awaitable<Result<json::object>> Composition::put_in_force(Fresh& fresh, std::string happened) {
  const auto changed = config::differences(settings_, fresh.loaded.settings);
  auto gone_on = co_await go_on_with(fresh);
  if (!gone_on) co_return gone_on.error();
  const auto& restart = fresh.needs_restart;
  logger_.notice(happened + ": " + (changed.empty() ? "nothing has changed" : join(changed, ", ")));
  if (!restart.empty()) logger_.warning("configuration: needs a restart, and is as before until then: " + join(restart, ", "));
  configuration_ = {file_.string(), clock_.now(), false, {}};
  only_finishes_ = false;
  unread_.reset();
  alarms_->clear("configuration");
  agent_->close_claims("");
  promotions_->go_on_with(settings_.promotions);
  auto texts = fresh.loaded.texts;
  co_await remember(std::move(texts));
  co_return json::object{{"changed", array_of(changed)}, {"needs_restart", array_of(restart)}};
}

/// On a thread of its own.
Result<Composition::Fresh> Composition::read_again(const std::filesystem::path& file, const config::Settings& old, std::shared_ptr<http::Throttle> uploads,
                                                   std::set<std::string> closed) {
  const auto types = source_types();
  auto loaded = config::load(file, config::environment_of(environ), types);
  if (!loaded) return Error{Fault::malformed, loaded.error().text()};
  Fresh fresh{.loaded = std::move(*loaded), .needs_restart = {}, .uploads = std::move(uploads), .named = {}, .closed = {}};
  config::Settings& wanted = fresh.loaded.settings;
  fresh.needs_restart = keep_settled(old, wanted);
  if (old.spool.bandwidth != wanted.spool.bandwidth) fresh.uploads = upload_throttle(wanted.spool);
  const auto is_wanted = [&](const std::string& name) { return closed.contains(name) || is_made_anew(old, wanted, name); };
  auto named = read_named(wanted, fresh.uploads, is_wanted);
  if (!named) return Error{Fault::malformed, named.error().message + "\n"};
  fresh.named = std::move(*named);
  return fresh;
}

asio::awaitable<Result<void>> Composition::go_on_with(Fresh& fresh) {
  const config::Settings& wanted = fresh.loaded.settings;
  auto ways = alarm_ways(wanted.alarms);
  if (!ways) co_return ways.error();
  Reconfiguration parts;
  parts.settings = wanted;
  parts.logs = log_options(wanted.logs);
  parts.secrets = std::move(fresh.named.secrets);
  const Secrets hook_secrets = fresh.named.hooks.secrets;
  warn_about_short(hook_secrets);
  parts.steps = std::make_shared<hooks::HookRunner>(step_runner(), clock_, std::move(fresh.named.hooks));
  for (auto& [name, opened] : fresh.named.servers) {
    auto integration = make_integration(wanted, wanted.sources.at(name), std::move(opened));
    if (!integration) co_return std::move(integration.error()).in("sources." + name);
    parts.secrets.push_back(secrets_.back());
    parts.integrations.push_back(std::move(*integration));
  }
  auto steps = parts.steps;
  const auto reconfigured = co_await agent_->reconfigure(std::move(parts));
  if (!reconfigured) co_return reconfigured.error();
  steps_ = std::move(steps);
  uploads_ = std::move(fresh.uploads);
  alarms_->set(std::move(*ways));
  settings_ = wanted;
  closed_ = std::move(fresh.closed);
  keep_for_next_start(hook_secrets);
  // A collector that cannot be read any more may be one that still listens.
  if (!fresh.named.done_without.contains(collector_key)) telemetry_->go_on_with(std::move(fresh.named.collector));
  done_without_ = std::move(fresh.named.done_without);
  co_return Result<void>{};
}

void Composition::reload_failed(const Error& error) {
  const auto lines = split(error.message, '\n');
  for (const auto& line : lines)
    if (!line.empty()) logger_.error(line);
  configuration_.problem = lines.front();
  alarms_->raise("configuration", only_finishes_ ? "degraded" : "configuration",
                 "the configuration is wrong, that of " + to_rfc3339(configuration_.since) + " is in force; correct it, then outpost reload: " + lines.front());
}

/// For a start with files that are wrong by then. Without it that start would be refused, and nothing else is lost.
asio::awaitable<void> Composition::remember(config::Texts texts) {
  texts_ = std::move(texts);
  auto keeping = [directory = settings_.state_directory, file = file_, good = LastGood{configuration_.since, texts_}] {
    return keep_last_good(directory, file, good);
  };
  const auto kept = co_await workers_.run(std::move(keeping));
  if (!kept) logger_.warning("the configuration could not be remembered: " + kept.error().message);
}

}  // namespace outpost::daemon
