#include "plugins/hooks/hook_runner.hpp"

#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "plugins/hooks/config_schema.hpp"
#include "plugins/hooks/job_check.hpp"
#include "plugins/hooks/plugin_folder.hpp"
#include "plugins/hooks/stage_plan.hpp"
#include "plugins/hooks/step_directories.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <fstream>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace outpost::hooks {
namespace {

namespace fs = std::filesystem;
namespace asio = boost::asio;
using job::StepEnding;

StepEnding ending_of(const process::Ending& ending, const process::Figures& figures) {
  if (const auto* exited = std::get_if<process::Exited>(&ending)) return {StepEnding::Kind::exited, exited->status, {}};
  if (const auto* killed = std::get_if<process::Killed>(&ending)) return {StepEnding::Kind::signalled, killed->signal, {}};
  if (std::holds_alternative<process::TimedOut>(ending)) return {StepEnding::Kind::timed_out, 0, {}};
  if (std::holds_alternative<process::Cancelled>(ending)) return {StepEnding::Kind::cancelled, 0, {}};
  if (std::holds_alternative<process::StoppedOutside>(ending)) return {StepEnding::Kind::stopped, 0, {}};
  if (std::holds_alternative<process::OutOfMemory>(ending)) {
    const auto& peak = figures.memory_peak;
    return {StepEnding::Kind::out_of_memory, 0, peak ? "it had " + format_size(*peak) : ""};
  }
  return {StepEnding::Kind::lost, 0, std::get<process::Lost>(ending).why};
}

/// Hands a file or directory to the group of a slot. Directories that are to be written pass the group on to what is
/// made in them, and so do those that this program fills.
Result<void> give(const fs::path& path, std::optional<gid_t> group, mode_t mode) {
  if (!group) return {};
  if (::chown(path.c_str(), static_cast<uid_t>(-1), *group) != 0)
    return errno_error("cannot give to the group " + std::to_string(*group) + " of the slot", path.native(), errno);
  if (::chmod(path.c_str(), mode) != 0) return errno_error("cannot change the mode of", path.native(), errno);
  return {};
}

constexpr mode_t to_read = 02750, to_write = 02770;

Result<void> give_step_directories(const pipeline::StepRequest& request, std::optional<gid_t> group) {
  const auto& directory = request.directory;
  const auto& id = request.step_id;
  for (const auto& path : {directory.workspace(), directory.state(request.step.plugin), directory.shared(),
                           directory.step(id), directory.artifacts(id), directory.results(id), directory.temporary(id),
                           directory.home(id)})
    if (auto given = give(path, group, to_write); !given) return given;
  return {};
}

/// The site's word counts more than the plugin's.
process::Limits limits_of(const job::Definition& definition, const Plugin& plugin) {
  const HookLimits wanted = plugin.manifest ? plugin.manifest->limits : HookLimits{};
  const auto& site = definition.limits;
  return {site.memory ? site.memory : wanted.memory, site.tasks ? site.tasks : wanted.tasks, site.cpu_percent ? site.cpu_percent : wanted.cpu_percent};
}

std::string name_of(const job::Job& job, const std::string& step_id) { return job.id + "/" + step_id; }

Result<void> write_secret(const fs::path& path, const std::string& value) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400);
  if (file < 0) return errno_error("cannot create", path.native(), errno);
  const ssize_t length = ::write(file, value.data(), value.size());
  const bool written = length == static_cast<ssize_t>(value.size());
  const int code = length < 0 ? errno : ENOSPC;
  ::close(file);
  if (!written) return errno_error("cannot write", path.native(), code);
  return {};
}

struct Started {
  fs::path program;
  std::vector<std::string> arguments;
};

/// A hook is an executable, or YAML for Ansible.
Result<Started> what_to_start(const pipeline::Step& step, const fs::path& playbook_runner) {
  if (!is_playbook(step.program)) return Started{step.program, {}};
  if (playbook_runner.empty())
    return Error{Fault::unavailable, step.program.string() + " is for Ansible, and the package outpost-ansible is not installed"};
  return Started{playbook_runner, {step.program.string()}};
}

/// Takes the secrets away again, however the step ends.
struct Placed {
  fs::path path;
  ~Placed() {
    std::error_code ignored;
    if (!path.empty()) fs::remove_all(path, ignored);
  }
};

}  // namespace

HookRunner::HookRunner(process::CommandRunner& commands, const Clock& clock, HookOptions options)
    : commands_{commands}, clock_{clock}, options_{std::move(options)}, library_{options_.plugin_directories},
      snapshots_{options_.snapshots_directory, options_.jobs_directory} {}

void remove_left_secrets(const fs::path& secrets_directory) {
  std::error_code ignored;
  if (!secrets_directory.empty()) fs::remove_all(secrets_directory, ignored);
}

Result<void> HookRunner::check(const job::Definition& definition) {
  const JobKnowledge knowledge{[this](const std::string& secret) { return options_.secrets.contains(secret); },
                               [&](const std::string&, const std::vector<std::string>&) { return config::Origin{"jobs." + definition.name, 0, 0}; },
                               options_.capabilities};
  const auto diagnoses = check_job(library_, definition, knowledge);
  if (!has_errors(diagnoses)) return {};
  std::string lines = text_of(diagnoses);
  lines.pop_back();
  return Error{Fault::refused, lines};
}

Result<std::vector<job::TakenPlugin>> HookRunner::take(const job::Definition& definition, const pipeline::JobDirectory& directory) {
  std::vector<job::TakenPlugin> all;
  for (const auto& name : definition.plugins) {
    const auto plugin = library_.find(name);
    if (!plugin) return plugin.error();
    if ((*plugin)->is_broken()) return Error{Fault::refused, text_of((*plugin)->diagnoses)};
    job::TakenPlugin taken{.name = name, .version = {}, .digest = {}, .directory = (*plugin)->folder};
    if ((*plugin)->manifest && options_.snapshots_directory.empty()) {
      auto digest = digest_of_plugin((*plugin)->folder);
      if (!digest) return digest.error();
      taken.digest = std::move(*digest);
    } else if ((*plugin)->manifest) {
      auto snapshot = snapshots_.take(name, (*plugin)->folder, directory.plugins());
      if (!snapshot) return snapshot.error();
      taken.digest = std::move(snapshot->digest);
      taken.directory = std::move(snapshot->directory);
    }
    if ((*plugin)->manifest) taken.version = (*plugin)->manifest->version;
    all.push_back(std::move(taken));
  }
  return all;
}

Result<std::vector<pipeline::Step>> HookRunner::steps(const job::Story& story, const std::vector<job::TakenPlugin>& taken, job::Stage stage) {
  const bool chosen = !options_.stages.empty() && !is_farewell(stage);
  if (chosen && std::find(options_.stages.begin(), options_.stages.end(), stage) == options_.stages.end())
    return std::vector<pipeline::Step>{};
  std::vector<std::shared_ptr<const Plugin>> plugins;
  for (const auto& name : story.job.definition.plugins) {
    const auto own = std::find_if(taken.begin(), taken.end(), [&](const auto& one) { return one.name == name; });
    if (own != taken.end()) {
      plugins.push_back(library_.at(own->directory, name));
      continue;
    }
    auto plugin = library_.find(name);
    if (!plugin) return plugin.error();
    plugins.push_back(std::move(*plugin));
  }
  const bool alone = !options_.stages.empty() && std::all_of(options_.stages.begin(), options_.stages.end(), job::always_runs);
  auto planned = plan_stage(plugins, story, stage, alone);
  if (!planned || !options_.dry_run) return planned;
  for (auto& step : *planned) {
    const auto plugin = plugin_of(step);
    if (step.skipped.empty() && !(plugin->manifest && plugin->manifest->dry_run)) step.skipped = "dry run: its plugin does not support that";
  }
  return planned;
}

Result<void> HookRunner::prepare(const pipeline::JobDirectory& directory, unsigned slot) {
  const auto group = commands_.group_of(slot);
  if (!group) return group.error();
  if (!*group) return {};
  for (const auto& path : {directory.root, directory.components(), directory.root / "state", directory.root / "steps"})
    if (auto given = give(path, *group, to_read); !given) return given;
  for (const auto& path : {directory.workspace(), directory.shared()})
    if (auto given = give(path, *group, to_write); !given) return given;
  std::error_code error;  // Only the agent's.
  fs::permissions(directory.logs(), fs::perms::owner_all, error);
  if (error) return errno_error("cannot change the mode of", directory.logs().native(), error.value());
  return {};
}

/// Whoever has taken its own rights away can give them back to itself, and nobody else.
asio::awaitable<void> HookRunner::open_up(pipeline::JobDirectory directory, unsigned slot) {
  const auto group = commands_.group_of(slot);
  if (!group || !*group) co_return;  // We are that user.
  process::Command command{.program = "/bin/chmod",
                           .arguments = {"-R", "-f", "u+rwX,g+rwX", "--", directory.workspace(), directory.shared(),
                                         directory.root / "state", directory.root / "steps"},
                           .deadline = std::chrono::minutes{10},
                           .name = directory.root.filename().string() + "/open-up",
                           .slot = slot};
  process::TextOutput nobody;
  auto running = commands_.run(std::move(command), nobody);
  co_await std::move(running);  // What it could not open cannot be removed, and that is told.
}

asio::awaitable<process::Left> HookRunner::look_for(const job::Job& job, std::string step_id, unsigned slot) {
  process::Command command{.name = name_of(job, step_id), .slot = slot, .profile = job.definition.profile};
  auto looking = commands_.look_for(std::move(command));
  const auto left = co_await std::move(looking);
  if (left == process::Left::gone) const Placed forgotten{secrets_of(job.id, step_id)};
  co_return left;
}

asio::awaitable<pipeline::StepOutcome> HookRunner::adopt(pipeline::StepRequest request, process::Output& output) {
  const Placed placed{secrets_of(request.story.job.id, request.step_id)};
  process::Command command{.deadline = request.timeout,
                           .grace = request.grace,
                           .name = name_of(request.story.job, request.step_id),
                           .slot = request.slot,
                           .profile = request.story.job.definition.profile,
                           .stopping = request.stopping};
  command.movable = request.deadline;
  const auto loop = co_await asio::this_coro::executor;
  // Where it was before; a hook that calls meanwhile tries again.
  auto socket = hear(loop, request);
  auto adopting = commands_.adopt(std::move(command), output);
  const auto finished = co_await std::move(adopting);
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  if (socket) co_await socket->stop();
  if (!finished) co_return pipeline::StepOutcome{{StepEnding::Kind::lost, 0, "agent restarted; " + printable(finished.error().message)}};
  co_return pipeline::StepOutcome{ending_of(finished->ending, finished->figures), finished->leftovers, finished->figures, finished->output_lost};
}

asio::awaitable<pipeline::StepOutcome> HookRunner::run(pipeline::StepRequest request, process::Output& output) {
  const auto not_started = [](const Error& error) {
    return pipeline::StepOutcome{{StepEnding::Kind::not_started, 0, printable(error.message)}};
  };
  const auto started = what_to_start(request.step, options_.playbook_runner);
  if (!started) co_return not_started(started.error());
  const auto plugin = plugin_of(request.step);
  const auto group = commands_.group_of(request.slot);
  if (!group) co_return not_started(group.error());
  if (auto made = make_step_directories(request); !made) co_return not_started(made.error());
  if (auto given = give_step_directories(request, *group); !given) co_return not_started(given.error());
  EnvironmentInputs inputs{.request = request, .manifest = plugin->manifest ? &*plugin->manifest : nullptr, .dry_run = options_.dry_run,
                           .inherited = inherited_environment(), .now = clock_.now()};
  if (const auto server = options_.servers.find(request.story.job.definition.source); server != options_.servers.end()) inputs.server = server->second;
  auto wanted = is_of_agent(request.step.stage) ? Result<Secrets>{Secrets{}} : configure(*plugin, request, inputs);
  if (request.step.stage == job::Stage::admit && wanted) wanted->clear();  // It only has to say yes or no.
  if (!wanted) co_return not_started(wanted.error());
  auto secrets = place_secrets(*wanted, request, *group);
  if (!secrets) co_return not_started(secrets.error());
  const Placed placed{*secrets};
  std::error_code unknown;
  inputs.secrets = *secrets;
  inputs.helper = options_.helper;
  if (auto library = options_.helper.parent_path().parent_path() / "lib"; !options_.helper.empty() && fs::exists(library, unknown)) inputs.library = std::move(library);
  const auto loop = co_await asio::this_coro::executor;
  auto socket = hear(loop, request);
  if (socket) inputs.socket = socket_of(request);

  for (const auto& name : request.story.job.definition.resources)
    if (const auto found = options_.resources.find(name); found != options_.resources.end()) inputs.resources[name] = found->second;
  process::Command command{.program = started->program,
                           .arguments = started->arguments,
                           .environment = hook_environment(inputs),
                           .directory = request.directory.workspace(),
                           .deadline = request.timeout,
                           .grace = request.grace,
                           .name = name_of(request.story.job, request.step_id),
                           .slot = request.slot,
                           .profile = request.story.job.definition.profile,
                           .limits = limits_of(request.story.job.definition, *plugin),
                           .outcome = {request.directory.results(request.step_id), request.directory.artifacts(request.step_id)},
                           .stopping = request.stopping};
  const auto& rules = request.step.rules;
  if (!rules.junit.empty() || !rules.artifacts.empty()) command.outcome.push_back(request.directory.workspace());
  command.movable = request.deadline;
  auto running = commands_.run(std::move(command), output);
  auto finished = co_await std::move(running);
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  if (socket) co_await socket->stop();
  if (!finished) co_return not_started(finished.error());
  co_return pipeline::StepOutcome{ending_of(finished->ending, finished->figures), finished->leftovers, finished->figures, finished->output_lost};
}

fs::path HookRunner::socket_of(const pipeline::StepRequest& request) const {
  const auto own = commands_.private_directory(request.slot);
  return own.value_or(request.directory.step(request.step_id)) / "socket";
}

std::optional<StepSocket> HookRunner::hear(const asio::any_io_executor& loop, const pipeline::StepRequest& request) {
  if (!request.calls) return std::nullopt;
  auto opened = open_socket(loop, request);
  if (opened) return std::move(*opened);
  request.calls->cannot_hear(opened.error());
  return std::nullopt;
}

Result<StepSocket> HookRunner::open_socket(const asio::any_io_executor& loop, const pipeline::StepRequest& request) {
  const auto path = socket_of(request);
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  if (error) return errno_error("cannot create", path.parent_path().native(), error.value());
  process::Command command{.name = name_of(request.story.job, request.step_id), .slot = request.slot, .profile = request.story.job.definition.profile};
  StepSocket::Where where{path, {}, [this, command](pid_t process) { return commands_.is_part_of(command, process); }};
  if (commands_.private_directory(request.slot)) {
    const auto group = commands_.group_of(request.slot);
    if (!group) return group.error();
    if (auto given = give(path.parent_path(), *group, 0750); !given) return given.error();
    where.group = *group;
  }
  return StepSocket::open(loop, std::move(where), *request.calls);
}

std::shared_ptr<const Plugin> HookRunner::plugin_of(const pipeline::Step& step) { return library_.at(step.plugin_directory, step.plugin); }

/// Writes the plugin's configuration for its hooks to read, and says which secrets they get: those that it is configured
/// with, or all when its manifest marks none as such.
Result<HookRunner::Secrets> HookRunner::configure(const Plugin& plugin, const pipeline::StepRequest& request, EnvironmentInputs& inputs) const {
  if (!plugin.manifest) return options_.secrets;
  if (!plugin.manifest->config_schema) return options_.secrets;
  const auto* given = request.story.job.definition.plugin_config.if_contains(plugin.name);
  boost::json::object configuration = given && given->is_object() ? given->get_object() : boost::json::object{};
  const auto mistakes = check_configuration(configuration, *plugin.manifest->config_schema, [this](const std::string& name) { return options_.secrets.contains(name); });
  if (!mistakes.empty()) return Error{Fault::refused, mistakes.front().place("plugin_config." + plugin.name) + ": " + mistakes.front().message};
  auto unveiled = without_secrets(configuration, *plugin.manifest->config_schema);
  inputs.configuration = std::move(unveiled.configuration);
  inputs.configuration_file = request.directory.plugin_config(plugin.name);
  std::error_code error;
  fs::create_directories(inputs.configuration_file.parent_path(), error);
  std::ofstream file{inputs.configuration_file};
  file << boost::json::serialize(inputs.configuration) << "\n" << std::flush;
  if (!file) return Error{Fault::retry_later, "cannot write " + inputs.configuration_file.string() + ": is the disk full?"};
  if (!has_secrets(*plugin.manifest->config_schema)) return options_.secrets;
  Secrets secrets;
  for (const auto& [name, secret] : unveiled.secrets) secrets[name] = options_.secrets.at(secret);
  return secrets;
}

fs::path HookRunner::secrets_of(const std::string& job_id, const std::string& step_id) const {
  if (options_.secrets_directory.empty()) return {};
  return options_.secrets_directory / (job_id + "." + step_id);
}

Result<fs::path> HookRunner::place_secrets(const Secrets& secrets, const pipeline::StepRequest& request, std::optional<gid_t> group) const {
  if (secrets.empty()) return fs::path{};
  const fs::path directory = secrets_of(request.story.job.id, request.step_id);
  std::error_code error;
  fs::remove_all(directory, error);  // Of an agent that died.
  fs::create_directories(options_.secrets_directory, error);
  if (error || ::mkdir(directory.c_str(), 0700) != 0)
    return errno_error("cannot create", directory.native(), error ? error.value() : errno);
  fs::permissions(options_.secrets_directory, fs::perms::owner_all | fs::perms::group_exec | fs::perms::others_exec, error);
  auto written = give(directory, group, 0750);
  for (const auto& [name, value] : secrets) {
    if (written) written = write_secret(directory / name, value);
    if (written) written = give(directory / name, group, 0440);
    if (written) continue;
    fs::remove_all(directory, error);
    return written.error();
  }
  return directory;
}

}  // namespace outpost::hooks
