#include "plugins/hooks/trial/test_case.hpp"

#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/config/fields.hpp"
#include "agent/config/small_file.hpp"
#include "plugins/hooks/config_schema.hpp"
#include "plugins/hooks/environment.hpp"
#include "plugins/hooks/job_check.hpp"
#include "plugins/hooks/other_words.hpp"
#include "plugins/hooks/stage_plan.hpp"
#include "plugins/hooks/trial/expectation_reader.hpp"

#include <algorithm>
#include <set>
#include <system_error>

namespace outpost::hooks {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using config::Fields;
using config::Node;
using config::quote;
using config::Reading;

namespace {

constexpr std::string_view case_suffix = ".t.yml";

const std::map<std::string, InjectedFault::Kind> fault_names{{"cancel", InjectedFault::Kind::cancel},
                                                             {"timeout", InjectedFault::Kind::timeout},
                                                             {"oom", InjectedFault::Kind::out_of_memory},
                                                             {"disk-full", InjectedFault::Kind::disk_full},
                                                             {"kill-agent", InjectedFault::Kind::kill_agent}};

void note_origins(Reading& reading, const std::string& path, const Node& node) {
  reading.origins.insert_or_assign(path, node.origin);
  std::size_t index = 0;
  for (const auto& item : node.items)
    note_origins(reading, path + "." + (node.kind == Node::Kind::map ? item.key : std::to_string(index++)), item);
}

class CaseReader {
 public:
  CaseReader(Reading& reading, std::vector<config::KnownKey>& known, TestCase& test)
      : reading_{reading}, known_{known}, test_{test} {}

  void read(Fields fields) {
    fields.take("description");
    read_stages(fields);
    if (const Node* node = fields.take_list("given")) read_given(*node);
    read_job(fields.child("job"));
    if (const Node* node = fields.take_list("config")) read_configuration(*node);
    read_texts(fields, "secrets", test_.secrets);
    read_texts(fields, "env", test_.environment);
    if (const Node* node = fields.take_list("stubs")) test_.stubs = read_stubs(reading_, *node, known_, test_.shown);
    fields.read("ordered", test_.stubs.ordered, config::as_boolean);
    test_.expect = read_expectation(reading_, fields.child("expect"));
    if (fields.node().find("expect_fault") != nullptr)
      test_.expect_fault = read_expectation(reading_, fields.child("expect_fault"));
    else
      fields.take_list("expect_fault");
    if (const Node* node = fields.take_list("faults"))
      for (const auto& item : config::items_of(reading_, *node, "faults", "[cancel@1s, kill-agent@1s]"))
        read_fault(item);
    if (test_.expect_fault && test_.faults.empty())
      fields.problem("expect_fault", "without faults it means nothing (add faults: [cancel@1s])");
    fields.finish("x-");
  }

 private:
  std::optional<job::Stage> as_stage(const Node& node, const std::string& label) {
    const auto text = config::as_text(reading_, node, label);
    if (!text) return std::nullopt;
    const auto stage = job::parse_stage(*text);
    if (stage && !job::is_collected(*stage)) {
      reading_.problem(node.origin, label, quote(*text) + " is no stage of a job, and a case tests one of those");
      return std::nullopt;
    }
    if (stage) return stage;
    std::vector<std::string> names;
    for (const auto each : job::all_stages) names.emplace_back(to_string(each));
    const auto advice = stage_advice(*text, names);
    reading_.problem(node.origin, label,
                     quote(*text) + " is no stage" + (advice.empty() ? " (" + join(names, ", ") + ")" : advice));
    return std::nullopt;
  }

  void read_stages(Fields& fields) {
    const Node* hook = fields.take("hook");
    if (hook == nullptr)
      fields.missing("hook", "which stage is tested, example: hook: install");
    else if (const auto stage = as_stage(*hook, "hook"))
      test_.hook = *stage;
    if (is_farewell(test_.hook))
      reading_.problem(
          hook->origin, "hook",
          quote(hook->text) +
              " runs beside a hook that is stopped: test that one, with faults: [cancel@1s] or [timeout@1s]");
    const Node* before = fields.take_list("before");
    if (before == nullptr) return;
    for (const auto& item : config::items_of(reading_, *before, "before", "[install]")) {
      const auto stage = as_stage(item, "before");
      if (!stage) continue;
      if (*stage < test_.hook)
        test_.before.push_back(*stage);
      else
        reading_.problem(item.origin, "before",
                         quote(item.text) + " does not come before " + std::string{to_string(test_.hook)});
    }
  }

  void read_given(const Node& node) {
    if (node.kind != Node::Kind::map)
      return config::wrong_kind(reading_, node, "given", "a mapping (example: {\"$OUTPOST_SHARED/hosts\": \"a\\n\"})");
    for (const auto& item : node.items) {
      const std::string label = "given." + printable(item.key, 80);
      if (!item.key.starts_with("$OUTPOST_") && !item.key.starts_with("$LAB/"))
        reading_.problem(item.origin, label,
                         "begins with none of the hook's directories (example: $OUTPOST_SHARED/hosts)");
      if (auto content = as_content(reading_, item, label)) test_.given.push_back({item.key, *std::move(content)});
    }
  }

  void read_job(Fields fields) {
    auto& job = test_.job;
    fields.read("name", job.name, config::as_name);
    fields.read("topic", job.topic, config::as_text);
    fields.read("timeout", job.timeout, config::as_duration, 1s, 30 * 24h);
    fields.read("grace", job.grace, config::as_duration, 0s, 1h);
    if (const Node* node = fields.take_list("components"))
      for (const auto& item : config::items_of(reading_, *node, "job.components", "[{type: ocp, version: 4.16.3}]"))
        read_component(item);
    const Fields resources = fields.child("resources");
    for (const auto& item : resources.node().items) {
      Fields entry{reading_, known_, item, "job.resources." + printable(item.key, 80), {"job", "resources", item.key}};
      auto& resource = job.resources[item.key];
      resource.name = item.key;
      entry.texts("hosts", resource.hosts);
      entry.finish();
    }
    fields.finish();
  }

  void read_component(const Node& item) {
    if (item.kind != Node::Kind::map)
      return config::wrong_kind(reading_, item, "job.components", "a mapping (example: {type: ocp, version: 4.16.3})");
    Fields entry{reading_, known_, item, "job.components", {"job", "components"}};
    config::LocalComponent component;
    entry.read("type", component.type, config::as_name);
    if (component.type.empty()) entry.missing("type", "example: {type: ocp, version: 4.16.3}");
    entry.read("name", component.name, config::as_text);
    entry.read("version", component.version, config::as_text);
    entry.texts("tags", component.tags);
    entry.read("path", component.path, config::as_path);
    entry.finish();
    std::error_code error;
    if (!component.path.empty() && !fs::exists(component.path, error))
      entry.problem("path", component.path.string() + " does not exist");
    if (component.name.empty())
      component.name = component.type + (component.version.empty() ? "" : " " + component.version);
    test_.job.components.push_back(std::move(component));
  }

  void read_configuration(const Node& node) {
    if (node.kind != Node::Kind::map)
      return config::wrong_kind(reading_, node, "config", "a mapping (example: {address: 192.0.2.10})");
    note_origins(reading_, "config", node);
    test_.configuration = config::as_typed_json(node).as_object();
  }

  void read_texts(Fields& fields, const std::string& key, std::map<std::string, std::string>& into) {
    const Node* node = fields.take_list(key);
    if (node == nullptr) return;
    if (node->kind != Node::Kind::map)
      return config::wrong_kind(reading_, *node, key, "a mapping of texts (example: {NAME: value})");
    note_origins(reading_, key, *node);
    for (const auto& item : node->items)
      if (auto text = as_content(reading_, item, key + "." + printable(item.key, 80)))
        into[item.key] = *std::move(text);
  }

  void read_fault(const Node& item) {
    const auto text = config::as_text(reading_, item, "faults");
    if (!text) return;
    const auto at = text->find('@');
    const auto found = fault_names.find(text->substr(0, at));
    if (found == fault_names.end()) {
      std::vector<std::string> names;
      for (const auto& [name, kind] : fault_names) names.push_back(name);
      const auto advice = config::suggestion(text->substr(0, at), names);
      return reading_.problem(item.origin, "faults",
                              quote(*text) + " is no fault" +
                                  (advice.empty() ? " (" + join(names, ", ") + ", with @TIME behind it)" : advice));
    }
    InjectedFault fault{.kind = found->second, .text = *text, .where = item.origin};
    if (at != std::string::npos) {
      const auto after = parse_duration(text->substr(at + 1));
      if (!after)
        return reading_.problem(item.origin, "faults",
                                quote(text->substr(at + 1)) + " is not a duration (example: cancel@1s)");
      fault.after = *after;
    }
    if (fault.kind == InjectedFault::Kind::timeout && fault.after <= 0ms)
      return reading_.problem(item.origin, "faults", "timeout needs a time (example: timeout@2s)");
    if (fault.kind == InjectedFault::Kind::disk_full && at != std::string::npos)
      return reading_.problem(item.origin, "faults", "the disk is full from the hook's start on (write disk-full)");
    if (fault.kind == InjectedFault::Kind::cancel && always_runs(test_.hook) && !is_farewell(test_.hook))
      return reading_.problem(
          item.origin, "faults",
          "a hook of " + std::string{to_string(test_.hook)} + " runs to its end in a job that is cancelled; remove it");
    test_.faults.push_back(std::move(fault));
  }

  Reading& reading_;
  std::vector<config::KnownKey>& known_;
  TestCase& test_;
};

void read_case(Reading& reading, const Node& root, std::vector<config::KnownKey>& known, TestCase& test) {
  CaseReader{reading, known, test}.read({reading, known, root, "", {}});
}

/// A mistake in a case has the codes of one in a manifest where it is of the same sort.
Diagnoses case_diagnoses(const config::Problems& problems) {
  auto all = diagnoses_of(problems);
  for (auto& one : all)
    if (one.code == "PL001") one.code = "PL030";
  return all;
}

void check_configuration_of(TestCase& test, const Plugin& plugin, Diagnoses& diagnoses) {
  const auto origin = [&](const std::vector<std::string>& path) {
    const std::string place = path.empty() ? "config" : "config." + join(path, ".");
    const auto found = test.origins.find(place);
    const auto whole = test.origins.find("config");
    return found != test.origins.end()   ? found->second
           : whole != test.origins.end() ? whole->second
                                         : config::Origin{test.shown, 0, 0};
  };
  if (!plugin.manifest || !plugin.manifest->config_schema) {
    if (!test.configuration.empty())
      diagnoses.push_back({"PL018", Severity::error, origin({}), "config: the plugin takes no configuration", {}});
    return;
  }
  set_secrets_aside(test.configuration, *plugin.manifest->config_schema, test.secrets);
  auto copy = with_lab(test.configuration, "/lab");
  const auto knows = [&](const std::string& name) { return test.secrets.contains(name); };
  for (const auto& mistake : check_configuration(copy, *plugin.manifest->config_schema, knows))
    diagnoses.push_back({"PL018",
                         Severity::error,
                         origin(mistake.path),
                         mistake.place("config") + ": " + mistake.message,
                         {}});
}

void put_lab_in(boost::json::value& value, const std::string& lab) {
  if (value.is_string()) value = replace_all(std::string{value.get_string()}, "$" + std::string{lab_variable}, lab);
  if (value.is_array())
    for (auto& item : value.get_array()) put_lab_in(item, lab);
  if (value.is_object())
    for (auto& item : value.get_object()) put_lab_in(item.value(), lab);
}

}  // namespace

config::Origin Expectation::origin_of(std::string_view key) const {
  const auto found = origins.find(key);
  return found == origins.end() ? config::Origin{} : found->second;
}

std::optional<TestCase> parse_test_case(std::string_view text, const fs::path& file, const std::string& shown,
                                        Diagnoses& diagnoses) {
  const config::ZoneLookup no_zones;
  Reading reading{file.parent_path(), no_zones, {}, {}};
  auto parsed = config::parse_yaml(text, shown, reading.problems);
  if (parsed.complete && parsed.root.kind != Node::Kind::map)
    reading.problems.list.push_back({{shown, 1, 1}, "is no test case: a mapping is due (example: hook: install)"});
  TestCase test{.name = file.filename().string(), .file = file, .shown = shown};
  if (test.name.ends_with(case_suffix)) test.name.resize(test.name.size() - case_suffix.size());
  test.job.name = "test-" + test.name;
  test.job.grace = 5s;
  test.job.timeout = 1h;
  std::vector<config::KnownKey> known;
  if (reading.problems.list.empty()) read_case(reading, parsed.root, known, test);
  for (auto& diagnosis : case_diagnoses(reading.problems)) diagnoses.push_back(std::move(diagnosis));
  if (!reading.problems.list.empty()) return std::nullopt;
  test.origins = std::move(reading.origins);
  return test;
}

void settle_test_case(TestCase& test, const Plugin& plugin, Diagnoses& diagnoses) {
  const auto say = [&](const char* code, const std::string& key, std::string message, std::string fix) {
    const auto where = test.origins.find(key);
    diagnoses.push_back({code, Severity::error,
                         where == test.origins.end() ? config::Origin{test.shown, 0, 0} : where->second,
                         std::move(message), std::move(fix)});
  };
  auto stages = test.before;
  stages.push_back(test.hook);
  for (const auto stage : stages) {
    const auto hooks = hooks_in(plugin, stage);
    const std::string name{to_string(stage)};
    if (hooks && hooks->empty())
      say("PL031", stage == test.hook ? "hook" : "before", "the plugin has no hook " + name,
          "add hooks/" + name + ", or name another");
  }
  for (const auto& [name, value] : test.environment) {
    const auto& allowed = plugin.manifest ? plugin.manifest->environment : std::vector<std::string>{};
    const bool let_in =
        std::any_of(allowed.begin(), allowed.end(), [&](const auto& pattern) { return matches_glob(name, pattern); });
    if (!let_in && !is_proxy_variable(name))
      say("PL030", "env." + name, "env: the plugin does not let " + quote(name) + " in",
          "add it to env.allow in plugin.yml");
  }
  for (const auto* expectation : {&test.expect, test.expect_fault ? &*test.expect_fault : nullptr}) {
    if (expectation == nullptr) continue;
    for (const auto& [stub, count] : expectation->calls)
      if (!test.stubs.rules.contains(stub))
        diagnoses.push_back({"PL030", Severity::error, expectation->origin_of("calls"),
                             "calls: there is no stub " + quote(stub), "add it to stubs"});
  }
  check_configuration_of(test, plugin, diagnoses);
}

boost::json::object with_lab(const boost::json::object& configuration, const fs::path& lab) {
  boost::json::value copy = configuration;
  put_lab_in(copy, lab.native());
  return std::move(copy.get_object());
}

std::vector<fs::path> test_case_files(const fs::path& plugin_folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator each{plugin_folder / "tests", error}, end; !error && each != end; each.increment(error))
    if (each->path().native().ends_with(case_suffix)) files.push_back(each->path());
  std::sort(files.begin(), files.end());
  return files;
}

Diagnoses cases_that_never_run(const fs::path& plugin_folder, const std::string& shown) {
  Diagnoses found;
  std::error_code error;
  for (fs::directory_iterator each{plugin_folder / "tests", error}, end; !error && each != end; each.increment(error)) {
    const std::string name = each->path().filename().native();
    if (name.ends_with(case_suffix) || !(name.ends_with(".yml") || name.ends_with(".yaml"))) continue;
    const auto text = config::read_small_file(each->path(), config::yaml_bytes);
    if (!text || ("\n" + *text).find("\nhook:") == std::string::npos) continue;  // Something that a case reads.
    const std::string file = shown + "tests/" + printable(name, 80);
    fs::path stem = each->path().stem();
    if (stem.extension() == ".t") stem = stem.stem();  // a.t.yaml
    found.push_back({"PL030", Severity::warning, {file, 0, 0}, "is no test case by its name, so it never runs",
                     "call it " + printable(stem.native(), 80) + std::string{case_suffix}});
  }
  return found;
}

std::vector<std::string> test_case_keys() {
  const config::ZoneLookup no_zones;
  Reading reading{"/", no_zones, {}, {}};
  config::Problems problems;
  const auto parsed = config::parse_yaml(
      "hook: test\njob: {components: [{type: a}], resources: {NAME: {}}}\nstubs: {NAME: [{}]}\nexpect: {}\n", "",
      problems);
  TestCase test;
  std::vector<config::KnownKey> known;
  read_case(reading, parsed.root, known, test);
  std::set<std::string> keys;
  for (const auto& key : known) keys.insert(join(key.path, "."));
  return {keys.begin(), keys.end()};
}

}  // namespace outpost::hooks
