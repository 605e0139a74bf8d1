#include "samples/dlrn-server/builder.hpp"

#include "agent/base/hash.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>

namespace outpost::sample_builder {
namespace {

namespace fs = std::filesystem;

void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  // Whoever reads while we write gets the old file or the new one.
  const fs::path fresh = path.string() + ".new";
  std::ofstream{fresh, std::ios::binary} << text;
  fs::rename(fresh, path);
}

std::string read(const fs::path& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

void link(const fs::path& target, const fs::path& path) {
  fs::create_directories(path.parent_path());
  const fs::path fresh = path.string() + ".new";
  fs::remove(fresh);
  fs::create_symlink(target, fresh);
  fs::rename(fresh, path);
}

std::string or_none(const std::string& text) { return text.empty() ? "None" : text; }

fs::path sharded(const std::string& hash, const std::string& name) { return fs::path{hash.substr(0, 2)} / hash.substr(2, 2) / name; }

std::string versions_of(const Build& build) {
  return build.project + ",https://src.example.org/" + build.project + "," + build.commit + ",https://dist.example.org/" + build.project + "-distgit," +
         build.distro + "," + build.status + "," + std::to_string(build.built_at) + "," + build.component + "," + build.extended + "," +
         build.project + "-1.0-1." + build.commit.substr(0, 7) + "\n";
}

constexpr auto versions_header =
    "Project,Source Repo,Source Sha,Dist Repo,Dist Sha,Status,Last Success Timestamp,Component,Extended Sha,Pkg NVR\n";

}  // namespace

std::string Build::repo_hash() const { return commit + '_' + distro.substr(0, 8); }

std::string Build::directory_name() const {
  std::string name = repo_hash();
  if (!extended.empty()) name += '_' + extended.substr(0, 8);
  if (extended.size() > 48) name += '_' + extended.substr(41, 8);
  return name;
}

Builder::Builder(Options options) : options_{std::move(options)} {
  fs::create_directories(options_.tree);
  now = [] { return std::chrono::floor<std::chrono::seconds>(SystemClock{}.now()).time_since_epoch().count(); };
}

fs::path Builder::relative(const Build& build) const {
  const fs::path own = sharded(build.commit, build.directory_name());
  return build.component.empty() ? own : fs::path{"component"} / build.component / own;
}

std::string Builder::url_of(const Build& build) const { return options_.tree_url + '/' + relative(build).string(); }

fs::path Builder::directory_of(const Build& build) const { return options_.tree / relative(build); }

void Builder::write_files(const Build& build) const {
  const fs::path directory = directory_of(build);
  const std::string section = build.component.empty() ? "delorean" : "delorean-component-" + build.component;
  write(directory / "delorean.repo", "[" + section + "]\nname=delorean-" + build.project + "-" + build.commit + "\nbaseurl=" + url_of(build) +
                                         "\nenabled=1\ngpgcheck=0\npriority=1\n");
  write(directory / "commit.yaml",
        "commits:\n- artifacts: None\n  commit_branch: master\n  commit_hash: " + build.commit + "\n  component: " + or_none(build.component) + "\n  distro_hash: " +
            build.distro + "\n  dt_build: '" + std::to_string(build.built_at) + "'\n  dt_commit: '" + std::to_string(build.built_at - 300) +
            ".0'\n  dt_distro: '" + std::to_string(build.built_at - 300) + "'\n  extended_hash: " + or_none(build.extended) +
            "\n  flags: '0'\n  notes: OK\n  project_name: " + build.project + "\n  status: " + build.status + "\n  type: rpm\n");
  write(directory / "versions.csv", versions_header + versions_of(build));
}

std::size_t Builder::add(Build build, bool purged) {
  if (build.component.empty() == options_.components)
    throw Refusal{400, options_.components ? "this builder has components: say which" : "this builder has no components"};
  builds_.push_back(build);
  if (build.status == "SUCCESS" && !purged) {
    write_files(build);
    move_link(build, "current");
    write_aggregate("current");
  }
  return builds_.size() - 1;
}

void Builder::set_consistent(std::size_t index) {
  const Build& build = builds_.at(index);
  move_link(build, "consistent");
  write_aggregate("consistent");
  vote({.build = index, .aggregate = {}, .job_id = "consistent", .url = {}, .notes = "", .user = std::nullopt, .success = true, .in_progress = false, .timestamp = build.built_at});
}

void Builder::purge(std::size_t build) { fs::remove_all(directory_of(builds_.at(build))); }

void Builder::know_remote(std::string url, std::optional<Build> build) { remotes_[std::move(url)] = std::move(build); }

void Builder::import(const std::string& url) {
  const auto known = remotes_.find(url);
  if (known == remotes_.end()) throw Refusal{500, "Remote import failed with error: nothing is at " + url};
  if (!known->second) return;
  const Build& wanted = *known->second;
  const bool outdated = std::any_of(builds_.begin(), builds_.end(), [&](const Build& build) { return build.project == wanted.project && build.built_at > wanted.built_at; });
  if (!outdated) add(wanted);
}

void Builder::recheck(const std::string& package) {
  const auto last = std::find_if(builds_.rbegin(), builds_.rend(), [&](const Build& build) { return build.project == package && (build.status == "SUCCESS" || build.status == "FAILED"); });
  if (last == builds_.rend()) throw Refusal{400, package + " was never built, or is waiting to be built again"};
  if (last->status == "SUCCESS") throw Refusal{409, "the last build of " + package + " succeeded"};
  last->status.clear();
}

std::optional<std::size_t> Builder::find(const std::string& commit, const std::string& distro, const std::string& extended) const {
  for (std::size_t index = builds_.size(); index-- > 0;) {
    const Build& build = builds_[index];
    if (build.status == "SUCCESS" && build.commit == commit && build.distro == distro && (extended.empty() || build.extended == extended)) return index;
  }
  return std::nullopt;
}

bool Builder::knows_aggregate(const std::string& hash) const {
  return std::any_of(promotions_.begin(), promotions_.end(), [&](const auto& one) { return one.aggregate == hash; });
}

std::size_t Builder::vote(Vote vote) {
  votes_.push_back(std::move(vote));
  return votes_.size() - 1;
}

fs::path Builder::set_of(const Build& build) const { return build.component.empty() ? options_.tree : options_.tree / "component" / build.component; }

/// From the directory of the label to that of the build: relative, so that the tree can be mounted anywhere.
void Builder::move_link(const Build& build, const std::string& label) const { link(sharded(build.commit, build.directory_name()), set_of(build) / label); }

std::string Builder::write_aggregate(const std::string& label) {
  if (!options_.components) return "";
  std::set<std::string> components;
  for (const auto& build : builds_) components.insert(build.component);
  std::string repositories, versions = versions_header;
  for (const auto& component : components) {
    const fs::path at = options_.tree / "component" / component / label;
    if (!fs::exists(at / "delorean.repo")) continue;
    repositories += read(at / "delorean.repo") + "\n";
    versions += read(at / "versions.csv").substr(std::string_view{versions_header}.size());
  }
  const std::string hash = md5_hex(repositories);
  const fs::path place = sharded(hash, hash);
  for (const auto& [name, content] : std::map<std::string, std::string>{{"delorean.repo", repositories}, {"delorean.repo.md5", hash}, {"versions.csv", versions}}) {
    write(options_.tree / label / place / name, content);
    link(place / name, options_.tree / label / name);
  }
  return hash;
}

/// The original compares directories, so a label that leads out is told only where its way exists; it stumbles over others.
void Builder::check_promotion(const Promotion& wanted) const {
  const Build& build = builds_.at(wanted.build);
  if (!fs::exists(directory_of(build))) throw Refusal{410, "commit_hash+distro_hash+extended_hash has been purged, cannot promote it"};
  const fs::path set = fs::absolute(set_of(build));
  fs::path place = (set / wanted.label).lexically_normal();
  if (!place.has_filename()) place = place.parent_path();
  if (!fs::exists(place.parent_path())) throw Refusal{500, ""};
  if (!fs::equivalent(place.parent_path(), set)) throw Refusal{403, "Invalid promote_name " + wanted.label};
}

std::vector<Promotion> Builder::promote(const std::vector<Promotion>& wanted) {
  if (wanted.empty()) throw Refusal{500, ""};
  std::vector<Promotion> rows = wanted;
  std::vector<std::pair<fs::path, fs::path>> moved;  // Link, and where it led.
  for (auto& row : rows) {
    const Build& build = builds_.at(row.build);
    const fs::path place = set_of(build) / row.label;
    if (fs::is_directory(fs::symlink_status(place))) throw Refusal{500, ""};  // It cannot be removed, like a file.
    if (!fs::exists(place.parent_path())) {
      for (auto one = moved.rbegin(); one != moved.rend(); ++one) one->second.empty() ? void(fs::remove(one->first)) : link(one->second, one->first);
      throw Refusal{500, "Symlink creation failed with error: there is no directory " + place.parent_path().string()};
    }
    moved.emplace_back(place, fs::is_symlink(fs::symlink_status(place)) ? fs::read_symlink(place) : fs::path{});
    move_link(build, row.label);
    row.timestamp = now();
    row.aggregate.reset();
  }
  // Computed once, under the label of the last, and stored with it alone.
  if (options_.components) rows.back().aggregate = write_aggregate(rows.back().label);
  promotions_.insert(promotions_.end(), rows.begin(), rows.end());
  return rows;
}

}  // namespace outpost::sample_builder
