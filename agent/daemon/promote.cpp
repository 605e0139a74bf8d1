#include "agent/daemon/promote.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"
#include "agent/daemon/composition.hpp"
#include "agent/daemon/run_to_end.hpp"
#include "agent/http/beast/beast_client.hpp"
#include "agent/journal/sqlite/sqlite_journal.hpp"
#include "agent/http/url.hpp"
#include "agent/process/local/local_command_runner.hpp"
#include "plugins/dlrn/kerberos/kerberos_authorization.hpp"
#include "plugins/dlrn/promoter/api_builder.hpp"
#include "plugins/dlrn/promoter/containers_place.hpp"
#include "plugins/dlrn/promoter/dlrn_place.hpp"
#include "plugins/dlrn/promoter/images_place.hpp"
#include "plugins/dlrn/promoter/promoter.hpp"
#include "plugins/dlrn/promoter/run_log.hpp"
#include "plugins/dlrn/promoter/settings_reader.hpp"
#include "plugins/dlrn/promoter/skopeo.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <optional>
#include <system_error>

namespace outpost::daemon {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using promoter::Release;

namespace {

std::string value_of(const config::Environment& environment, const std::string& name) {
  const auto found = environment.find(name);
  return found == environment.end() ? std::string{} : found->second;
}

/// As Python's clients of the API should take it: "False" is not true.
bool is_on(const std::string& value) {
  const std::string word = to_lower(value);
  return word == "1" || word == "true" || word == "yes" || word == "on";
}

/// What a dry run reads when nothing was ever promoted, so that it makes no files.
class EmptyJournal final : public journal::Journal {
 public:
  asio::awaitable<Result<std::vector<journal::Event>>> append(std::vector<journal::Event>) override {
    co_return Error{Fault::bug, "a dry run writes nothing"};
  }
  Result<std::vector<journal::Event>> read(const journal::Query&) override { return std::vector<journal::Event>{}; }
  Result<std::vector<journal::JobRow>> jobs(bool, std::size_t) override { return std::vector<journal::JobRow>{}; }
  asio::awaitable<Result<journal::Event>> remove(journal::Removal, journal::Event) override {
    co_return Error{Fault::bug, "a dry run writes nothing"};
  }
  [[nodiscard]] journal::Seq last() const override { return 0; }
  [[nodiscard]] std::string journal_id() const override { return {}; }
  [[nodiscard]] std::shared_ptr<void> subscribe(Listener) override { return nullptr; }
};

struct Configuration {
  promoter::LoadedRelease loaded;
  std::vector<promoter::Waiver> waivers;
};

Error malformed(const config::Problems& problems) {
  std::string text = problems.text();
  while (text.ends_with('\n')) text.pop_back();
  return {Fault::malformed, std::move(text)};
}

Result<Configuration> read_configuration(const PromoteOptions& options) {
  auto loaded = promoter::load_release(options.config);
  if (loaded.has_error()) return malformed(loaded.error());
  auto waivers = promoter::load_waivers(promoter::waivers_of(options.config, options.waivers));
  if (waivers.has_error()) return malformed(waivers.error());
  const bool one_is_due = options.roll_back || !options.force.empty();
  for (const auto& target : options.targets) {
    std::vector<std::string> labels, meant;
    for (const auto& each : loaded->release.targets) {
      labels.push_back(each.to().text());
      if (each.is_meant_by(target)) meant.push_back(labels.back());
    }
    const std::string named = options.config.string() + ": \"" + printable(target, 80) + "\" is ";
    if (meant.empty()) return Error{Fault::malformed, named + "none of its targets (" + join(labels, ", ") + ")"};
    if (one_is_due && meant.size() > 1)
      return Error{Fault::malformed, named + "several of its targets; name one (" + join(meant, ", ") + ")"};
  }
  return Configuration{*std::move(loaded), *std::move(waivers)};
}

/// Names of a release's files: two builders may have a release of one name.
std::string file_stem(const Release& release) { return release.key() + "-" + sha256_hex(release.api_url).substr(0, 8); }

/// The journal of a release. Whoever has it open has the release: it is locked against other processes, and the kernel
/// lets go of it with ours.
Result<std::unique_ptr<journal::Journal>> open_history(const PromoteOptions& options, const Release& release,
                                                       bool read_only, const Clock& clock, asio::any_io_executor loop) {
  const fs::path file = options.state_directory / (file_stem(release) + ".db");
  std::error_code error;
  if (read_only && !fs::exists(file, error)) return std::make_unique<EmptyJournal>();
  fs::create_directories(options.state_directory, error);
  if (error) return errno_error("cannot create", options.state_directory.native(), error.value());
  auto journal = journal::SqliteJournal::open(file, identity_of_this_host(), clock, std::move(loop));
  if (!journal) {
    const bool is_held = journal.error().fault == Fault::refused;
    return std::move(journal.error())
        .in(is_held ? "another promoter of " + release.key() + " may be running" : release.key());
  }
  return *std::move(journal);
}

http::ClientOptions client_options_of(const config::Environment& environment) {
  http::ClientOptions options;
  options.ca_file = value_of(environment, "SSL_CA_BUNDLE");
  for (const char* name : {"HTTPS_PROXY", "https_proxy"})
    if (options.proxy.empty()) options.proxy = value_of(environment, name);
  for (const char* name : {"NO_PROXY", "no_proxy"})
    if (options.no_proxy.empty()) options.no_proxy = value_of(environment, name);
  options.user_agent = "outpost/" OUTPOST_VERSION;
  return options;
}

/// The keytab of whoever promotes is KRB5_CLIENT_KTNAME, as for Kerberos' own programs; without it, it is the tickets of
/// kinit. DLRNAPI_PRINCIPAL is the builder's, as the old promoter has it; without it, HTTP at the host of the API.
Result<std::shared_ptr<dlrn::Authorization>> tickets_for(const Release& release,
                                                         const config::Environment& environment) {
  std::string keytab = value_of(environment, "KRB5_CLIENT_KTNAME");
  if (keytab.starts_with("FILE:")) keytab.erase(0, 5);
  std::error_code error;
  if (!keytab.empty() && !fs::exists(keytab, error))
    return Error{Fault::malformed, "KRB5_CLIENT_KTNAME: " + printable(keytab, 200) + " is not there"};
  const auto url = http::parse_url(release.api_url);
  if (!url) return url.error();
  const std::string server = value_of(environment, "DLRNAPI_PRINCIPAL"), user = value_of(environment, "DLRNAPI_USERNAME");
  dlrn::KerberosAuthorization::Options options{.keytab = keytab,
                                               // What has no realm is a user of the builder, of whom Kerberos knows nothing.
                                               .principal = user.find('@') == std::string::npos ? "" : user,
                                               .server = server.empty() ? "HTTP@" + url->host : server};
  return std::shared_ptr<dlrn::Authorization>{std::make_shared<dlrn::KerberosAuthorization>(std::move(options))};
}

Result<dlrn::Api::Options> api_options_of(const Release& release, const config::Environment& environment, bool writes) {
  dlrn::Api::Options options{.base = release.api_url};
  options.protected_reads = is_on(value_of(environment, "DLRNAPI_FORCE_AUTH"));
  const std::string method = value_of(environment, "DLRNAPI_AUTHMETHOD");
  if (method == "kerberosAuth") {
    auto tickets = tickets_for(release, environment);
    if (!tickets) return tickets.error();
    options.authorization = *std::move(tickets);
    return options;
  }
  if (!method.empty() && method != "basicAuth")
    return Error{Fault::malformed,
                 "DLRNAPI_AUTHMETHOD is \"" + printable(method, 40) + "\"; it can be basicAuth or kerberosAuth"};
  const std::string given = value_of(environment, "DLRNAPI_USERNAME"),
                    password = value_of(environment, "DLRNAPI_PASSWORD");
  const std::string user = given.empty() ? release.user : given;
  if (writes && (user.empty() || password.empty()))
    return Error{
        Fault::malformed,
        "the builder wants to know who promotes: set DLRNAPI_USERNAME and DLRNAPI_PASSWORD in the environment"};
  if (!user.empty() && !password.empty())
    options.authorization = std::make_shared<dlrn::BasicAuthorization>(user, config::Secret{password});
  return options;
}

Result<promoter::Skopeo::Passwords> passwords_of(const promoter::Containers& containers,
                                                 const config::Environment& environment) {
  promoter::Skopeo::Passwords passwords;
  std::vector<promoter::Registry> all{containers.source};
  all.insert(all.end(), containers.targets.begin(), containers.targets.end());
  for (const auto& registry : all) {
    if (registry.password_variable.empty()) continue;
    const std::string password = value_of(environment, registry.password_variable);
    if (password.empty())
      return Error{Fault::malformed, "the password of " + registry.host + " is due in the variable " +
                                         registry.password_variable + ", which is not set"};
    passwords.insert_or_assign(registry.host, config::Secret{password});
  }
  return passwords;
}

/// All that a release promotes to, and what these places need.
class Places {
 public:
  /// `rest` is where images rest on their way from one server to another.
  Places(const Release& release, const config::Environment& environment, http::Client& client,
         promoter::Builder& builder, fs::path rest)
      : release_{release}, environment_{environment}, client_{client}, builder_{builder}, rest_{std::move(rest)} {}

  Result<std::vector<promoter::Place*>> make() {
    for (const auto part : release_.clients)
      if (auto added = add(part); !added) return added.error();
    std::vector<promoter::Place*> all;
    for (const auto& place : places_) all.push_back(place.get());
    return all;
  }

 private:
  Result<void> add(promoter::Client part) {
    switch (part) {
      case promoter::Client::registries: return add_containers();
      case promoter::Client::qcow: return add_images("images", *release_.images, release_.image_source);
      case promoter::Client::dockerfile:
        return add_images("dockerfiles", *release_.dockerfiles, release_.dockerfile_source);
      case promoter::Client::dlrn: places_.push_back(std::make_unique<promoter::DlrnPlace>(builder_));
    }
    return {};
  }

  /// The commands of all places have one runner.
  Result<process::CommandRunner*> commands() {
    if (commands_) return commands_.get();
    auto guardian = process::find_guardian();
    if (!guardian) return guardian.error();
    if (auto reaping = process::become_subreaper(); !reaping) return reaping.error();
    commands_ = std::make_unique<process::LocalCommandRunner>(*guardian);
    return commands_.get();
  }

  Result<void> add_containers() {
    auto passwords = passwords_of(*release_.containers, environment_);
    if (!passwords) return passwords.error();
    auto runner = commands();
    if (!runner) return runner.error();
    auto skopeo = promoter::Skopeo::make(**runner, *release_.containers, *passwords);
    if (!skopeo) return skopeo.error();
    registries_ = std::make_unique<promoter::Skopeo>(*std::move(skopeo));
    places_.push_back(std::make_unique<promoter::ContainersPlace>(*registries_, client_, release_));
    return {};
  }

  Result<promoter::ImageServer*> add_server(const promoter::ImageHost& host) {
    if (host.sftp) {
      auto runner = commands();
      if (!runner) return runner.error();
      auto server = promoter::SftpImageServer::make(**runner, host);
      if (!server) return server.error();
      servers_.push_back(*std::move(server));
    } else {
      servers_.push_back(std::make_unique<promoter::LocalImageServer>(host.directory, workers_));
    }
    return servers_.back().get();
  }

  Result<void> add_images(std::string name, const promoter::ImageHost& host,
                          const std::optional<promoter::ImageHost>& source) {
    const auto server = add_server(host);
    if (!server) return server.error();
    std::optional<promoter::ImagesPlace::Origin> origin;
    if (source) {
      const auto from = add_server(*source);
      if (!from) return from.error();
      auto runner = commands();
      if (!runner) return runner.error();
      auto carrier = promoter::Rsync::make(**runner, workers_, *source, host, rest_ / name);
      if (!carrier) return carrier.error();
      carriers_.push_back(*std::move(carrier));
      origin.emplace(promoter::ImagesPlace::Origin{**from, *carriers_.back()});
    }
    places_.push_back(std::make_unique<promoter::ImagesPlace>(std::move(name), **server, host.files, origin));
    return {};
  }

  const Release& release_;
  const config::Environment& environment_;
  http::Client& client_;
  promoter::Builder& builder_;
  fs::path rest_;
  Workers workers_;
  std::unique_ptr<process::LocalCommandRunner> commands_;
  std::unique_ptr<promoter::Registries> registries_;
  std::vector<std::unique_ptr<promoter::ImageServer>> servers_;
  std::vector<std::unique_ptr<promoter::ImageCarrier>> carriers_;
  std::vector<std::unique_ptr<promoter::Place>> places_;
};

asio::awaitable<Result<promoter::RunReport>> work_of(promoter::Promoter& promoter, const Release& release,
                                                     const PromoteOptions& options) {
  if (options.force.empty() && !options.roll_back) return promoter.run();
  const auto target = std::find_if(release.targets.begin(), release.targets.end(),
                                   [&](const auto& each) { return each.is_meant_by(options.targets.front()); });
  if (options.roll_back) return promoter.roll_back(target->to(), options.by);
  promoter::Forced forced{
      {*promoter::parse_candidate(options.force), target->candidate_label, target->label, target->component},
      options.by};
  return promoter.force(std::move(forced));
}

}  // namespace

namespace {

Result<PromoteAnswer> run_once(const PromoteOptions& options, const Configuration& configuration, const Clock& clock,
                               promoter::RunLog* log) {
  asio::io_context loop{1};
  const Release& release = configuration.loaded.release;
  if (auto forced = promoter::parse_candidate(options.force); !options.force.empty() && !forced) return forced.error();
  const bool dry_run = options.dry_run || release.dry_run;
  auto client = http::make_beast_client(client_options_of(options.environment));
  if (!client) return client.error();
  auto api_options = api_options_of(release, options.environment, !dry_run);
  if (!api_options) return api_options.error();
  const auto api = dlrn::Api::make(**client, clock, *std::move(api_options));
  if (!api) return api.error();
  promoter::ApiBuilder builder{*api, **client, release.repo_url};
  Places parts{release, options.environment, **client, builder,
               options.state_directory / (file_stem(release) + "-images")};
  const auto places = parts.make();
  if (!places) return places.error();
  auto history = open_history(options, release, dry_run, clock, loop.get_executor());
  if (!history) return history.error();
  const auto watching = options.noted ? (*history)->subscribe(options.noted) : nullptr;
  promoter::PromoterOptions settings{dry_run, options.targets, configuration.waivers};
  promoter::Promoter promoter{{**history, builder, *places, clock, options.say}, release, std::move(settings)};
  auto report = run_to_end(loop, work_of(promoter, release, options));
  if (!report) return report.error();
  report->warnings.insert(report->warnings.begin(), configuration.loaded.warnings.begin(),
                          configuration.loaded.warnings.end());
  if (log) log->end(*report);
  return PromoteAnswer{report->went_well(), to_text(*report), to_json(*report)};
}

}  // namespace

Result<PromoteAnswer> promote(const PromoteOptions& options) {
  const SystemClock clock;
  auto configuration = read_configuration(options);
  if (!configuration) return configuration.error();
  if (options.log_directory.empty()) return run_once(options, *configuration, clock, nullptr);
  auto log = promoter::RunLog::make(options.log_directory, configuration->loaded.release.key(), clock);
  if (!log) return log.error();
  PromoteOptions logged = options;
  logged.say = [&](const std::string& line) {
    log->say(line);
    options.say(line);
  };
  logged.noted = [&](const job::Event& event) {
    log->note(event);
    if (options.noted) options.noted(event);
  };
  auto answer = run_once(logged, *configuration, clock, &*log);
  if (!answer) log->end(answer.error());
  return answer;
}

Result<PromoteAnswer> promotion_history(const PromoteOptions& options) {
  asio::io_context loop{1};
  const SystemClock clock;
  auto configuration = read_configuration(options);
  if (!configuration) return configuration.error();
  const Release& release = configuration->loaded.release;
  auto history = open_history(options, release, true, clock, loop.get_executor());
  if (!history) return history.error();
  const auto records = promoter::read_history(**history);
  if (!records) return records.error();
  boost::json::array promotions;
  for (const auto& record : *records) promotions.push_back(to_json(record));
  return PromoteAnswer{
      true, promoter::to_text(*records), {{"release", release.key()}, {"promotions", std::move(promotions)}}};
}

}  // namespace outpost::daemon
