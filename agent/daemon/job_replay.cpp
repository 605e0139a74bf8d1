#include "agent/daemon/job_replay.hpp"

#include "agent/base/text.hpp"
#include "agent/daemon/composition.hpp"
#include "agent/job/story.hpp"
#include "agent/journal/sqlite/copy_journal.hpp"
#include "agent/journal/sqlite/sqlite_journal.hpp"
#include "agent/pipeline/job_directory.hpp"
#include "plugins/hooks/plugin_folder.hpp"
#include "plugins/hooks/snapshots.hpp"

#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <system_error>

namespace outpost::daemon {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t jobs_looked_at = 100'000, most_events = 1'000'000;

Result<job::Story> find_story(journal::Journal& journal, const std::string& wanted) {
  const auto rows = journal.jobs(false, jobs_looked_at);
  if (!rows) return rows.error();
  std::vector<std::string> ids;
  for (const auto& row : *rows)
    if (row.job_id.starts_with(wanted)) ids.push_back(row.job_id);
  if (ids.empty()) return Error{Fault::unavailable, "the journal knows no job " + printable(wanted, 80)};
  if (ids.size() > 1)
    return Error{Fault::refused, std::to_string(ids.size()) + " jobs begin with " + printable(wanted, 80) + ": " +
                                     ids[0] + ", " + ids[1] + (ids.size() > 2 ? "..." : "")};
  const auto events = journal.read({.job_id = ids.front(), .limit = most_events});
  if (!events) return events.error();
  return job::replay(*events);
}

/// Reads the job from a copy, because the daemon may be writing.
Result<job::Story> story_of(const ReplayOptions& options) {
  const fs::path copy = options.scratch / "past.db";
  if (auto copied = journal::copy_journal(options.directory / "journal.db", copy); !copied) return copied.error();
  boost::asio::io_context loop{1};
  const SystemClock clock;
  auto journal = journal::SqliteJournal::open(copy, identity_of_this_host(), clock, loop.get_executor());
  if (!journal) return journal.error();
  return find_story(**journal, options.job);
}

class Preparation {
 public:
  Preparation(const ReplayOptions& options, const job::Story& story) : options_{options}, story_{story} {}

  Result<Replay> prepare() {
    const auto& definition = story_.job.definition;
    replay_.job_id = story_.job.id;
    replay_.ended_as = story_.describe() + (story_.judgement && !story_.judgement->message.empty()
                                                ? ": " + printable(story_.judgement->message, 400)
                                                : "");
    auto& job = replay_.job;
    job.name = definition.name;
    job.topic = definition.topic;
    job.timeout = definition.timeout;
    job.grace = definition.grace;
    job.document = story_.document;
    if (auto chosen = choose_plugins(); !chosen) return chosen.error();
    add_components();
    add_resources();
    add_secrets();
    return std::move(replay_);
  }

 private:
  void remark(std::string text) { replay_.remarks.push_back(std::move(text)); }

  Result<void> choose_plugins() {
    const auto& names = story_.job.definition.plugins;
    if (!options_.plugin.empty() && std::find(names.begin(), names.end(), options_.plugin) == names.end())
      return Error{Fault::unavailable,
                   "the job has no plugin " + printable(options_.plugin, 80) + " (" + join(names, ", ") + ")"};
    const fs::path place = options_.scratch / "plugins";
    std::error_code error;
    fs::create_directories(place, error);
    for (const auto& name : names) {
      if (!options_.plugin.empty() && name != options_.plugin) continue;
      auto folder = folder_of(name);
      if (!folder) return folder.error();
      fs::create_directory_symlink(*folder, place / name, error);
      if (error) return errno_error("cannot create", (place / name).native(), error.value());
      replay_.job.plugins.push_back(name);
      if (const auto* config = story_.job.definition.plugin_config.if_contains(name); config && config->is_object())
        replay_.job.plugin_config[name] = config->get_object();
    }
    replay_.job.plugins_path = {place};
    return {};
  }

  /// The copy that the job ran, as long as its digest is right; else what is installed now.
  Result<fs::path> folder_of(const std::string& name) {
    const job::TakenPlugin* taken = nullptr;
    if (story_.plugins)
      for (const auto& one : *story_.plugins)
        if (one.name == name) taken = &one;
    const std::string digest = taken ? taken->digest : "";
    if (!digest.empty())
      if (const auto kept = hooks::digest_of_plugin(taken->directory); kept && *kept == digest)
        return fs::path{taken->directory};
    auto paths = options_.settings.plugins_path;
    if (taken && !taken->directory.empty()) paths.insert(paths.begin(), fs::path{taken->directory}.parent_path());
    auto installed = hooks::find_plugin(paths, name);
    if (!installed)
      return Error{Fault::unavailable, "the plugin " + printable(name, 80) +
                                           " that the job ran is gone, and none of this name is installed"};
    if (digest.empty()) {
      remark("nobody wrote down what the plugin " + name + " was; " + installed->string() + " runs");
    } else if (const auto now = hooks::digest_of_plugin(*installed); !now || *now != digest) {
      remark("the plugin " + name + (taken->version.empty() ? "" : " " + printable(taken->version, 80)) +
             " with the digest " + digest.substr(0, 16) + " is gone; " + installed->string() + " runs");
    }
    return *installed;
  }

  void add_components() {
    const auto& components = story_.job.components;
    const auto names = job::directory_names(components);
    const pipeline::JobDirectory directory{options_.directory / "jobs" / story_.job.id};
    for (std::size_t index = 0; index < components.size(); ++index) {
      const auto& component = components[index];
      config::LocalComponent local{component.type, component.name, component.version, component.tags, {}};
      std::error_code error;
      const fs::path downloaded = directory.components() / names[index];
      if (const auto given = options_.components.find(component.type); given != options_.components.end())
        local.path = fs::absolute(given->second, error);
      else if (fs::is_directory(downloaded, error))
        local.path = downloaded;
      else if (const std::string url = component.url; url.starts_with("file://") && fs::exists(url.substr(7), error))
        local.path = url.substr(7);
      else
        remark("the files of the component " + printable(component.name, 200) +
               " are gone; hooks find an empty directory (--component " + printable(component.type, 80) + "=PATH)");
      replay_.job.components.push_back(std::move(local));
    }
  }

  void add_resources() {
    for (const auto& name : story_.job.definition.resources) {
      const auto known = options_.settings.resources.find(name);
      if (known != options_.settings.resources.end())
        replay_.job.resources[name] = known->second;
      else {
        replay_.job.resources[name].name = name;
        remark("the configuration knows no resource " + printable(name, 80) + "; hooks find it without hosts");
      }
    }
  }

  /// Values are nowhere recorded: they are those of the configuration.
  void add_secrets() {
    for (const auto& [name, source] : options_.settings.secrets) replay_.job.secrets[name] = source;
  }

  const ReplayOptions& options_;
  const job::Story& story_;
  Replay replay_;
};

}  // namespace

Result<Replay> job_to_replay(const ReplayOptions& options) {
  const auto story = story_of(options);
  if (!story) return story.error();
  return Preparation{options, *story}.prepare();
}

}  // namespace outpost::daemon
