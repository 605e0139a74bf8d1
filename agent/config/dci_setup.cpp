#include "agent/config/dci_setup.hpp"

#include "agent/base/text.hpp"
#include "agent/config/credentials.hpp"
#include "agent/config/small_file.hpp"
#include "agent/config/yaml_tree.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <initializer_list>
#include <map>
#include <optional>
#include <set>
#include <system_error>

namespace outpost::config {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 4> credential_files{"dcirc.sh", "dci_credentials.yml", "credentials.yaml", "credentials.yml"};

/// What Outpost takes care of by itself; nobody misses these keys.
const std::set<std::string, std::less<>> needless{"name", "previous_job_id", "dci_previous_job_id", "ansible_cfg", "dci_local_log_dir", "stage", "type"};

/// What becomes of keys that have no counterpart.
const std::map<std::string, std::string, std::less<>> advice{
    {"prev_stages", "jobs of a pipeline do not wait for each other yet; each runs on its own components"},
    {"inputs", "nothing is passed from job to job"},
    {"outputs", "nothing is passed from job to job"},
    {"success_tag", "no tag is given to components"},
    {"fallback_last_success", "only the newest component is tried"},
    {"use_previous_topic", "name the topic that you want"},
    {"pipeline_user", "files of the job belong to its remoteci"},
    {"dci_vault_file", "vaults are not opened; make what is in it a secret, and the hook reads the file"},
    {"ansible_tags", "all tasks run"},
    {"ansible_skip_tags", "all tasks run"},
    {"ansible_envvars", "hooks get no variables of their own; set them in the playbook"},
    {"inventory_playbook", "write the inventory before, or in a hook of acquire"},
    {"dci_components", "components are chosen by selections; write one that finds what you want"},
};

/// As a text between double quotes, on one line.
std::string scalar(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '\n' || c == '\t') {
      quoted += c == '\n' ? "\\n" : "\\t";
      continue;
    }
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

std::string list_of(const std::vector<std::string>& texts) {
  std::string list;
  for (const auto& text : texts) list += (list.empty() ? "" : ", ") + scalar(text);
  return "[" + list + "]";
}

std::string text_of(const Node& map, std::string_view key) {
  const Node* found = map.find(key);
  return found && found->kind == Node::Kind::scalar ? found->text : std::string{};
}

std::vector<std::string> texts_of(const Node& map, std::string_view key) {
  std::vector<std::string> texts;
  const Node* found = map.find(key);
  if (!found) return texts;
  if (found->kind == Node::Kind::scalar) return {found->text};
  for (const auto& item : found->items)
    if (item.kind == Node::Kind::scalar) texts.push_back(item.text);
  return texts;
}

/// A name as our configuration takes it.
std::string as_plain_name(std::string_view text) {
  std::string name;
  for (const char c : text) name += std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.' ? c : '-';
  while (!name.empty() && !std::isalnum(static_cast<unsigned char>(name.front()))) name.erase(0, 1);
  return name.empty() ? "job" : name.substr(0, 60);
}

struct Job {
  std::string name, source = "dci", topic, comment, url, configuration, resource;
  std::string plugin;  ///< Whose hooks it runs; empty: those of the directory.
  std::vector<std::string> selections;  ///< As they are written in YAML.
  std::vector<std::string> tags;
  std::map<std::string, std::string, std::less<>> facts;  ///< What the OpenShift agent makes tags of.
};

/// The tags that the OpenShift agent gives its jobs by itself, by which people and dashboards find them.
std::vector<std::string> tags_of_agent(const std::map<std::string, std::string, std::less<>>& facts) {
  const auto fact = [&](std::string_view key) {
    const auto found = facts.find(key);
    return found == facts.end() ? std::string{} : found->second;
  };
  std::vector<std::string> tags{"agent:openshift"};
  const auto disconnected = to_lower(fact("dci_disconnected"));
  tags.emplace_back(disconnected == "true" || disconnected == "yes" ? "disconnected" : "connected");
  tags.emplace_back(fact("dci_main") == "upgrade" ? "upgrade" : "install");
  for (const std::string key : {"install_type", "cluster"})
    if (const auto value = fact(key); !value.empty()) tags.push_back(key + ":" + value);
  return tags;
}

class Setup {
 public:
  explicit Setup(fs::path directory) : directory_{std::move(directory)} {}

  Result<DciSetup> run() {
    std::error_code error;
    if (!fs::is_directory(directory_, error)) return Error{Fault::unavailable, directory_.string() + " is not a directory"};
    directory_ = fs::absolute(directory_, error);
    find_credentials();
    for (const auto& file : yaml_files())
      if (auto read = take_file(file); !read) return read.error();
    choose_layout();
    if (jobs_.empty()) {
      std::string message = directory_.string() + " has neither a settings.yml with a topic nor a file of dci-pipeline, so there is nothing to make a job of";
      for (const auto& note : notes_) message += "\n" + note;  // One of them may be why.
      return Error{Fault::malformed, message};
    }
    has_sudo_ = uses_sudo();
    say_what_remains();
    return DciSetup{configuration(), std::move(notes_)};
  }

 private:
  void note(std::string text) {
    if (std::find(notes_.begin(), notes_.end(), text) == notes_.end()) notes_.push_back(std::move(text));
  }

  // ---- reading -----------------------------------------------------------------------------------------------------

  void find_credentials() {
    std::error_code error;
    for (const auto name : credential_files) {
      const fs::path path = directory_ / name;
      if (!fs::exists(path, error)) continue;
      sources_["dci"] = path.string();
      const auto content = read_small_file(path, 64 * 1024);
      const auto read = content ? parse_credentials(*content, path.string()) : Result<Credentials>{content.error()};
      if (!read) note("the credentials cannot be used as they are: " + read.error().message);
      else if (read->client_id.empty()) note(path.string() + " has no DCI_CLIENT_ID: a person's login cannot run jobs, make a remoteci");
      if (read && path.extension() == ".sh") find_proxy(*content, path.string());
      return;
    }
    sources_["dci"] = (directory_ / credential_files.front()).string();
    note("no credentials were found: put the remoteci's dcirc.sh at " + sources_["dci"]);
  }

  /// What the agent was run with, from the file that it took everything from.
  void find_proxy(const std::string& content, const std::string& path) {
    const auto assigned = parse_shell_assignments(content, path);
    if (!assigned) return;
    const auto first_of = [&](std::initializer_list<const char*> names) {
      for (const auto* name : names)
        if (const auto found = assigned->find(name); found != assigned->end() && !found->second.empty()) return found->second;
      return std::string{};
    };
    std::string proxy = first_of({"https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"});
    if (proxy.empty()) return;
    if (proxy.find("://") == std::string::npos) proxy = "http://" + proxy;
    if (proxy.find('@') != std::string::npos) {
      note(path + " names a proxy with a password, which is not copied: add `proxy` to the source");
    } else if (!proxy.starts_with("http://") && !proxy.starts_with("https://")) {
      note("the proxy of " + path + " is not carried over: only those are known that begin with http:// or https://");
    } else {
      proxy_ = proxy;
      if (proxy.starts_with("https://")) note("the proxy is spoken to by TLS: if its certificate is not from a public authority, add `ca_file` to the source");
      no_proxy_ = first_of({"no_proxy", "NO_PROXY"});
    }
    note("hooks see http_proxy, https_proxy and no_proxy when the service has them: systemctl edit outpostd, and there Environment=");
  }

  std::vector<fs::path> yaml_files() const {
    std::vector<fs::path> files;
    std::error_code error;
    for (const auto& folder : {directory_, directory_ / "pipelines"})
      for (fs::directory_iterator entry{folder, error}, end; !error && entry != end; entry.increment(error)) {
        const auto extension = entry->path().extension();
        std::error_code ignored;
        if ((extension == ".yml" || extension == ".yaml") && entry->is_regular_file(ignored)) files.push_back(entry->path());
      }
    std::sort(files.begin(), files.end());
    return files;
  }

  Result<void> take_file(const fs::path& file) {
    const std::string name = file.filename().string();
    if (std::find(credential_files.begin(), credential_files.end(), name) != credential_files.end()) return {};
    const bool is_settings = file.stem() == "settings";
    const auto content = read_small_file(file, yaml_bytes);
    if (!content) return content.error();
    Problems problems;
    const auto parsed = parse_yaml(*content, name, problems);
    if (!parsed.complete) {
      if (is_settings) return Error{Fault::malformed, std::string{trim(problems.text())}};
      note(name + " was not read: " + (problems.list.empty() ? "it is not YAML" : problems.list.front().text()));
    } else if (is_settings && parsed.root.kind == Node::Kind::map) {
      for (const auto& problem : problems.list) note(problem.text());
      take_settings(parsed.root);
    } else if (parsed.root.kind == Node::Kind::list) {
      for (const auto& item : parsed.root.items)
        if (item.kind == Node::Kind::map && (item.find("ansible_playbook") || item.find("stage") || item.find("type"))) take_job(item, name);
    }
    return {};
  }

  /// settings.yml of the OpenShift agents (dci_* keys) or of the RHEL agent (topics).
  void take_settings(const Node& settings) {
    if (const Node* topics = settings.find("topics"); topics && topics->kind == Node::Kind::list) {
      layout_ = "dci-rhel-hooks";
      for (const auto& topic : topics->items)
        if (topic.kind == Node::Kind::map && !text_of(topic, "topic").empty()) take_topic(topic);
      return;
    }
    if (!text_of(settings, "topic").empty()) {  // As the RHEL agent had it when it knew only one.
      layout_ = "dci-rhel-hooks";
      return take_topic(settings);
    }
    Job job;
    job.topic = text_of(settings, "dci_topic");
    if (job.topic.empty()) return;
    take_dci_keys(settings, job);
    if (job.name.empty()) job.name = as_plain_name(directory_.filename().string());
    take_facts(settings, facts_);
    settings_job_ = std::move(job);
    if (settings.find("dci_components")) note_key("settings.yml: ", "dci_components");
  }

  static void take_facts(const Node& from, std::map<std::string, std::string, std::less<>>& facts) {
    for (const char* key : {"dci_main", "dci_disconnected", "install_type", "cluster"})
      if (const auto text = text_of(from, key); !text.empty()) facts[key] = text;
  }

  void take_dci_keys(const Node& from, Job& job) {
    const auto take = [&](std::string& into, std::string_view key) {
      if (const auto text = text_of(from, key); !text.empty()) into = text;
    };
    if (const auto name = text_of(from, "dci_name"); !name.empty()) job.name = as_plain_name(name);
    take(job.topic, "dci_topic");
    take(job.comment, "dci_comment");
    take(job.url, "dci_url");
    take(job.configuration, "dci_configuration");
    for (auto& tag : texts_of(from, "dci_tags")) job.tags.push_back(std::move(tag));
    for (const auto& query : texts_of(from, "dci_components_by_query")) job.selections.push_back(scalar(query));
  }

  /// One entry of the RHEL agent's topics.
  void take_topic(const Node& topic) {
    Job job;
    job.topic = text_of(topic, "topic");
    job.name = as_plain_name(job.topic);  // As the agent called it: the server compares jobs of one name.
    std::vector<std::string> hosts;
    if (const Node* systems = topic.find("systems"); systems && systems->kind == Node::Kind::list)
      for (const auto& system : systems->items)
        if (const auto host = system.kind == Node::Kind::map ? text_of(system, "fqdn") : system.text; !host.empty()) hosts.push_back(host);
    if (!hosts.empty()) {
      job.resource = job.name + "-systems";
      resources_[job.resource] = hosts;
    }
    for (const char* key : {"archs", "variants", "with_debug", "dci_rhel_agent_cert", "dci_rhel_agent_cki"})
      if (topic.find(key)) note(std::string{"settings.yml: topics."} + key + " is not carried over: the agent downloads whole components and runs your hooks; add plugins for the rest");
    jobs_.push_back(std::move(job));
  }

  /// One entry of a file of dci-pipeline.
  void take_job(const Node& entry, const std::string& file) {
    Job job;
    job.name = as_plain_name(text_of(entry, "name"));
    job.topic = text_of(entry, "topic");
    job.comment = text_of(entry, "comment");
    job.url = text_of(entry, "url");
    job.configuration = text_of(entry, "configuration");
    const std::string where = file + ": " + job.name + ": ";
    const auto* components = entry.find("components");
    if (components && components->kind == Node::Kind::scalar) take_component(*components, job, where);
    else if (components)
      for (const auto& component : components->items) take_component(component, job, where);
    if (const Node* extra = entry.find("ansible_extravars"); extra && extra->kind == Node::Kind::map) take_extra(*extra, job, where);
    if (const auto credentials = text_of(entry, "dci_credentials"); !credentials.empty()) job.source = source_of(credentials);
    job.plugin = plugin_for(text_of(entry, "ansible_playbook"), where);
    if (const auto inventory = text_of(entry, "ansible_inventory"); !inventory.empty() && fs::path{inventory}.parent_path() != directory_)
      note(where + "ansible_inventory is not carried over: put " + inventory + " into the directory as hosts.yml");
    for (const auto& extra : texts_of(entry, "ansible_extravars_files"))
      if (fs::path{extra}.lexically_normal() != (directory_ / "settings.yml").lexically_normal())
        note(where + "ansible_extravars_files: add " + extra + " to `extra` of the plugin, in plugin_config");
    for (const auto& [key, why] : advice)
      if (entry.find(key)) note_key(where, key);
    static const std::set<std::string, std::less<>> taken{"topic", "comment", "url", "configuration", "components", "dci_credentials", "ansible_playbook", "ansible_inventory", "ansible_extravars", "ansible_extravars_files"};
    for (const auto& item : entry.items)
      if (!taken.contains(item.key) && !needless.contains(item.key) && !advice.contains(item.key)) note_key(where, item.key);
    if (job.topic.empty()) return note(where + "is not carried over: it names no topic, and a job needs one");
    jobs_.push_back(std::move(job));
  }

  void take_component(const Node& component, Job& job, const std::string& where) {
    if (component.kind == Node::Kind::scalar) {
      job.selections.push_back(scalar(component.text));
      return;
    }
    std::string text;
    for (const auto& item : component.items) {
      if (item.key == "type") text += (text.empty() ? "" : ", ") + std::string{"type: "} + scalar(item.text);
      else if (item.key == "priority_tags" || item.key == "tags") text += (text.empty() ? "" : ", ") + item.key + ": " + list_of(texts_of(component, item.key));
      else if (item.key == "max_age") text += (text.empty() ? "" : ", ") + std::string{"max_age: "} + item.text + (item.text.find_first_not_of("0123456789") == std::string::npos ? "d" : "");
      else note_key(where, "components." + item.key);
    }
    job.selections.push_back("{" + text + "}");
  }

  void take_extra(const Node& extra, Job& job, const std::string& where) {
    take_dci_keys(extra, job);
    take_facts(extra, job.facts);
    static const std::set<std::string, std::less<>> taken{"dci_name", "dci_topic", "dci_comment", "dci_url", "dci_configuration", "dci_tags", "dci_components_by_query"};
    for (const auto& item : extra.items) {
      if (item.key == "dci_config_dirs" || item.key == "dci_config_dir") {
        for (const auto& one : texts_of(extra, item.key))
          if (fs::path{one}.lexically_normal() != directory_.lexically_normal()) note(where + item.key + ": add " + one + " to `directories` of the plugin");
      } else if (!taken.contains(item.key)) {
        note(where + "ansible_extravars." + item.key + " is not carried over: put it into " + (directory_ / "settings.yml").string());
      }
    }
  }

  /// What runs the hooks of the agent whose playbook it is; empty: no agent's.
  std::string plugin_for(const std::string& playbook, const std::string& where) {
    for (const std::string agent : {"dci-openshift-app", "dci-openshift", "dci-rhel"})
      if (playbook.find(agent + "-agent") != std::string::npos) return agent + "-hooks";
    if (!playbook.empty()) note(where + "ansible_playbook is not carried over: make " + playbook + " a hook of a plugin of yours (hooks/README.md, Playbooks)");
    return {};
  }

  std::string source_of(const std::string& named) {
    const std::string credentials = (directory_ / named).lexically_normal().string();
    for (const auto& [name, path] : sources_)
      if (fs::path{path}.lexically_normal() == credentials) return name;
    if (sources_.size() == 1 && notes_mention_no_credentials()) {
      sources_["dci"] = credentials;
      return "dci";
    }
    const std::string name = "dci-" + std::to_string(sources_.size() + 1);
    sources_[name] = credentials;
    return name;
  }

  bool notes_mention_no_credentials() {
    const auto found = std::find_if(notes_.begin(), notes_.end(), [](const auto& text) { return text.starts_with("no credentials were found"); });
    if (found == notes_.end()) return false;
    notes_.erase(found);
    return true;
  }

  void note_key(const std::string& where, const std::string& key) {
    const auto known = advice.find(key);
    note(where + key + " is not carried over" + (known == advice.end() ? "" : ": " + known->second));
  }

  // ---- what is made of it ------------------------------------------------------------------------------------------

  void choose_layout() {
    if (jobs_.empty() && settings_job_) jobs_.push_back(std::move(*settings_job_));
    else if (settings_job_) note("settings.yml: dci_name, dci_comment, dci_tags and their like are not carried over, because a file of dci-pipeline has jobs; hooks read the file as ever");
    const auto decided = std::find_if(jobs_.begin(), jobs_.end(), [](const Job& job) { return !job.plugin.empty(); });
    if (layout_.empty() && decided != jobs_.end()) layout_ = decided->plugin;
    if (layout_.empty() && !jobs_.empty()) {
      const std::string name = directory_.filename().string();
      layout_ = name.find("app") != std::string::npos ? "dci-openshift-app-hooks" : name.find("rhel") != std::string::npos ? "dci-rhel-hooks" : "dci-openshift-hooks";
      note("the hooks are taken for those of " + agent_of(layout_) + "; if they are not, name another plugin than " + layout_);
    }
    for (auto& job : jobs_) {
      if (job.plugin.empty()) job.plugin = layout_;
      if (job.plugin != "dci-openshift-hooks") continue;
      job.facts.insert(facts_.begin(), facts_.end());
      for (auto& tag : tags_of_agent(job.facts))
        if (std::find(job.tags.begin(), job.tags.end(), tag) == job.tags.end()) job.tags.push_back(std::move(tag));
    }
  }

  void say_what_remains() {
    std::map<std::string, unsigned> named;
    for (auto& job : jobs_) {
      if (const unsigned count = ++named[job.name]; count > 1) job.name += "-" + std::to_string(count);
      note_templates(job);
      if (!job.selections.empty()) continue;
      const std::string guess = job.plugin == "dci-rhel-hooks" ? "compose" : "ocp";
      job.selections.push_back(scalar(guess));
      note(job.name + ": no component was named, so it runs for the newest of the type " + guess + "; the server took the newest of every type of the topic");
    }
    note("whoever started the agent (a timer, dci-queue, a person) is no longer needed: Outpost polls for new components; `windows` of a job says when it may run");
    if (has_sudo_) note("its hooks use sudo: install outpost-root and say `profile: root` in the job, or take sudo out of the hooks");
  }

  /// Ansible filled them in; an agent that only reads settings cannot.
  void note_templates(const Job& job) {
    std::vector<std::string> texts{job.topic, job.comment, job.url, job.configuration};
    for (const auto* more : {&job.tags, &job.selections}) texts.insert(texts.end(), more->begin(), more->end());
    for (const auto& text : texts)
      if (text.find("{{") != std::string::npos) note(job.name + ": " + printable(text, 200) + " is a template, which nothing fills in: write the value itself");
  }

  static std::string agent_of(const std::string& plugin) { return plugin.substr(0, plugin.size() - std::string_view{"hooks"}.size()) + "agent"; }

  /// Plugins that would look for the hooks elsewhere.
  std::set<std::string> plugins_to_direct() const {
    std::set<std::string> plugins;
    for (const auto& job : jobs_)
      if (directory_.lexically_normal() != "/etc/" + agent_of(job.plugin)) plugins.insert(job.plugin);
    return plugins;
  }

  bool uses_sudo() const {
    std::error_code error;
    for (fs::recursive_directory_iterator entry{directory_ / "hooks", error}, end; !error && entry != end; entry.increment(error)) {
      std::error_code ignored;
      if (!entry->is_regular_file(ignored)) continue;
      const auto content = read_small_file(entry->path(), yaml_bytes);
      if (content && (content->find("become: true") != std::string::npos || content->find("become: yes") != std::string::npos || content->find("sudo ") != std::string::npos)) return true;
    }
    return false;
  }

  std::string configuration() const {
    std::string text = "# Made from " + directory_.string() + ". All keys: man outpost.yml\n\nsources:\n";
    for (const auto& [name, credentials] : sources_) {
      text += "  " + name + ": {type: dci, credentials: " + scalar(credentials);
      if (name == "dci" && !proxy_.empty()) text += ", proxy: " + scalar(proxy_);
      if (name == "dci" && !no_proxy_.empty()) text += ", no_proxy: " + scalar(no_proxy_);
      text += "}\n";
    }
    text += "\njobs:\n";
    for (const auto& job : jobs_) {
      text += "  - name: " + scalar(job.name) + "\n    source: " + job.source + "\n    topic: " + scalar(job.topic) + "\n    components:\n";
      for (const auto& selection : job.selections) text += "      - " + selection + "\n";
      text += "    plugins: [" + job.plugin + "]\n";
      for (const auto& [key, value] : {std::pair{"comment", job.comment}, std::pair{"url", job.url}, std::pair{"configuration", job.configuration}})
        if (!value.empty()) text += std::string{"    "} + key + ": " + scalar(value) + "\n";
      if (!job.tags.empty()) text += "    tags: " + list_of(job.tags) + "\n";
      if (!job.resource.empty()) text += "    resources: [" + scalar(job.resource) + "]\n";
      if (has_sudo_) text += "    # profile: root   # Its hooks use sudo; needs the package outpost-root.\n";
    }
    const auto directed = plugins_to_direct();
    if (!directed.empty()) text += "\nplugin_config:\n";
    for (const auto& plugin : directed) text += "  " + plugin + ": {directories: [" + scalar(directory_.lexically_normal().string()) + "]}\n";
    if (!resources_.empty()) text += "\nresources:\n";
    for (const auto& [name, hosts] : resources_) text += "  " + scalar(name) + ": {hosts: " + list_of(hosts) + "}\n";
    return text;
  }

  fs::path directory_;
  std::string layout_;
  std::map<std::string, std::string> sources_;  ///< Name to the file of its credentials.
  std::string proxy_, no_proxy_;                ///< On the way to the server of the source "dci".
  std::map<std::string, std::vector<std::string>> resources_;
  std::optional<Job> settings_job_;
  std::map<std::string, std::string, std::less<>> facts_;  ///< Of settings.yml.
  std::vector<Job> jobs_;
  bool has_sudo_ = false;  ///< One of its hooks.
  std::vector<std::string> notes_;
};

}  // namespace

Result<DciSetup> setup_from_dci(const fs::path& directory) { return Setup{directory}.run(); }

}  // namespace outpost::config
