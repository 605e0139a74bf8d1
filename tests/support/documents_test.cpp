// What is written for those who use Outpost, checked against the code: the hook contract, outpost.yml.
#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/config/decode.hpp"
#include "agent/config/load.hpp"
#include "agent/job/stage.hpp"
#include "agent/job/verdict.hpp"
#include "plugins/hooks/helper/verbs.hpp"
#include "plugins/hooks/job_check.hpp"
#include "plugins/hooks/manifest.hpp"
#include "plugins/hooks/trial/test_case.hpp"
#include "support/catch.hpp"
#include "support/document.hpp"

#include <algorithm>
#include <map>

using namespace outpost;
using namespace outpost::test;

namespace {

// ---- the hook contract ----

const std::vector<std::string> contract{"hooks/README.md", "hooks/outpost-hooks.7"};

/// OUTPOST_COMPONENT_ACME_STORAGE_PATH, as an example writes it, is OUTPOST_COMPONENT_<TYPE>_PATH.
std::string general(const std::string& variable) {
  static const std::regex of_component{"OUTPOST_COMPONENT_.+_(VERSION|URL|PATH)"}, of_config{"OUTPOST_CONFIG_.+"};
  return std::regex_replace(std::regex_replace(variable, of_component, "OUTPOST_COMPONENT_<TYPE>_$1"), of_config, "OUTPOST_CONFIG_<PROPERTY>");
}

Words variables_in(const std::string& document) {
  Words variables;
  for (const auto& name : all_matches(document, "\\bOUTPOST(?:_(?:[A-Z0-9]+|<TYPE>|<PROPERTY>))*(?![A-Z_*-])"))
    variables.insert(general(name));
  return variables;
}

/// The names that environment.cpp gives to put() and put_if(), those of components put together from their parts.
Words variables_of_hooks() {
  const std::string code = text_of("plugins/hooks/environment.cpp");
  Words names = all_matches(code, "put(?:_if)?\\(variables, \"([A-Z_]+)\"");
  for (const auto& suffix : all_matches(code, "put(?:_if)?\\(variables, prefix \\+ \"(_[A-Z]+)\""))
    names.insert("OUTPOST_COMPONENT_<TYPE>" + suffix);
  if (code.find("put_settings(variables, \"OUTPOST_CONFIG\"") != std::string::npos) names.insert("OUTPOST_CONFIG_<PROPERTY>");
  return united(names, all_matches(code, "\"([A-Z]+_PROXY|[a-z]+_proxy)\""));
}

/// "64": "usage" of every exit status that is not simply a failure.
std::map<int, std::string> exit_codes() {
  std::map<int, std::string> codes;
  for (int status = 0; status < 256; ++status)
    if (const auto meaning = job::classify_exit(status); meaning != job::StepClass::fail)
      codes[status] = to_string(meaning);
  return codes;
}

struct StageRow {
  std::string name, limit, failure;
  friend bool operator==(const StageRow&, const StageRow&) = default;
};

std::ostream& operator<<(std::ostream& out, const StageRow& row) {
  return out << row.name << ' ' << row.limit << ' ' << row.failure;
}

/// What a hook that fails leads to.
std::string failure_of(job::Stage stage) {
  if (stage == job::Stage::admit) return "declined";
  if (stage == job::Stage::agent_start || stage == job::Stage::health) return "alarm";
  if (stage == job::Stage::agent_stop || job::is_farewell(stage)) return "nothing";
  if (job::always_runs(stage)) return "warning";
  return job::judges_product(stage) ? "failure" : "error";
}

/// The same as a text has it; of two the first counts.
std::string failure_told(const std::string& text) {
  const std::pair<const char*, const char*> words[]{{"a warning", "warning"}, {"declined", "declined"}, {"an alarm", "alarm"},
                                                    {"nothing", "nothing"},   {"\n.BR failure .", "failure"}, {"\n.BR error .", "error"},
                                                    {"`failure`", "failure"}, {"`error`", "error"}};
  for (const auto& [word, meaning] : words)
    if (text.find(word) != std::string::npos) return meaning;
  return "nothing";
}

std::vector<StageRow> stages() {
  std::vector<StageRow> expected;
  for (const auto stage : job::all_points)
    expected.push_back({std::string{to_string(stage)}, format_duration(default_timeout(stage)), failure_of(stage)});
  return expected;
}

/// "15min" as a limit is shown by format_duration().
std::string as_shown(std::string_view duration) {
  const auto parsed = parse_duration(duration);
  return parsed ? format_duration(*parsed) : "not a duration: " + std::string{duration};
}

// ---- the configuration ----

/// The keys that sources ask a mapping for.
Words keys_read_in(const std::string& code) {
  Words keys = all_matches(code, "\\b(?:read|texts|take|take_list|child|each_named)\\(\\s*\"([a-z_]+)\"");
  return united(keys, all_matches(code, "\\bnames_of\\(reading, fields, \"([a-z_]+)\""));
}

/// The keys of integrations: {"name", OptionKind::text, ...}.
Words options_of_plugins() {
  return all_matches(sources("plugins", ".*\\.cpp"),
                     "\\{\\s*(?:\\.name = )?\"([a-z_]+)\",\\s*(?:\\.kind = )?(?:config::)?OptionKind::");
}

/// "jobs.NAME.timeout" and so on: every place of outpost.yml that reading it knows.
Words places_known() {
  config::Problems problems;
  const auto tree = config::parse_yaml(
      "sources: {NAME: {type: dci}}\njobs: [{name: NAME}]\nresources: {NAME: {}}\nsecrets: {NAME: {}}\npromotions: {NAME: {}}\n", "", problems);
  std::vector<config::SourceType> types{{.type = "dci"}};
  for (const auto& name : options_of_plugins()) types.front().options.push_back({.name = name});
  const config::ZoneLookup zones = config::zone_by_name;
  config::Reading reading{.directory = "/", .zones = zones, .problems = {}, .origins = {}};
  std::vector<config::KnownKey> known;
  (void)config::decode(reading, tree.root, types, known);
  Words places{"jobs.NAME.name"};  // No variable may set it.
  for (const auto& key : known) places.insert(join(key.path, "."));
  return places;
}

/// The same as the page describes them: "limit (size, default 5GiB)" below a heading, or "spool, logs (mappings)".
/// The keys of integrations are below headings of their own ("sources.NAME of type dci").
Words places_documented(const std::string& keys_section) {
  Words places;
  for (const auto& heading : all_matches(keys_section, "\n\\.SS ([^\n]+)")) {
    const auto type = heading.find(" of type ");
    const std::string prefix = heading == "At the top" ? "" : heading.substr(0, type) + ".";
    for (const auto& [tag, text] : tagged(part(keys_section, ".SS " + heading, ".SS ")))
      for (const auto& key : split(tag.substr(0, tag.find(" (")), ',')) places.insert(prefix + std::string{trim(key)});
  }
  return places;
}

void check_loads(const std::string& configuration) {
  const TemporaryDirectory directory;
  write_file(directory.path / "outpost.yml", configuration);
  const std::vector<config::SourceType> types{{.type = "dci"}};
  const auto loaded = config::load(directory.path / "outpost.yml", {}, types);
  INFO(configuration);
  INFO((loaded ? "" : loaded.error().text()));
  CHECK(loaded.has_value());
}

}  // namespace

TEST_CASE("the contract's documents name exactly the variables that a hook gets") {
  const Words given = variables_of_hooks();
  REQUIRE(given.contains("OUTPOST_COMPONENT_<TYPE>_PATH"));
  Words ours;
  std::copy_if(given.begin(), given.end(), std::inserter(ours, ours.end()),
               [](const auto& name) { return name.starts_with("OUTPOST"); });
  REQUIRE(ours.size() > 30);
  for (const auto& file : contract) {
    INFO(file);
    const std::string text = page(file);
    CHECK(without(ours, variables_in(text)) == Words{});
    CHECK(without(variables_in(text), ours) == Words{});
    CHECK(without(given, all_matches(text, "[A-Za-z_<>]+")) == Words{});
  }
}

TEST_CASE("the table of variables in hooks/README.md has each of them once") {
  Words listed;
  for (const auto& row : rows(section(text_of("hooks/README.md"), "## Environment")))
    for (const auto& name : quoted(row.at(0))) {
      INFO(name);
      CHECK(listed.insert(name).second);
    }
  CHECK(listed == variables_of_hooks());
}

TEST_CASE("the documents list the verbs of outpost-hook with their forms and options") {
  const std::string readme = text_of("hooks/README.md"), page = replace_all(text_of("hooks/outpost-hook.1"), "\\-", "-");
  Words verbs, in_readme;
  for (const auto& verb : hook::all_verbs()) {
    verbs.insert(std::string{verb.name});
    for (const auto& form : split(verb.usage, '\n')) {
      const std::string call = std::string{verb.name} + (form.empty() ? "" : " " + form);
      INFO(call);
      CHECK(readme.find("`" + replace_all(call, "|", "\\|") + "`") != std::string::npos);
      CHECK(page.find("\n" + call + "\n") != std::string::npos);
    }
    CHECK(readme.find("| " + std::string{verb.summary} + " |") != std::string::npos);
    for (const auto& option : verb.options) {
      INFO(verb.name << " " << option.name);
      const std::string tag = "\n" + std::string{option.name} + (option.value.empty() ? "" : " " + std::string{option.value}) + "\n" + std::string{option.text};
      CHECK(page.find(tag) != std::string::npos);
    }
  }
  for (const auto& verb : all_matches(part(readme, "| verb | does |", "\n"), "\\n\\| `([a-z]+)")) in_readme.insert(verb);
  CHECK(in_readme == verbs);
}

TEST_CASE("the contract's documents name exactly the exit codes that mean something") {
  std::map<int, std::string> table, list;
  std::string others;
  for (const auto& row : rows(section(text_of("hooks/README.md"), "## Exit codes"))) {
    if (row.at(0) == "all others")
      others = row.at(1);
    else
      table[std::stoi(row.at(0))] = row.at(1);
  }
  CHECK(table == exit_codes());
  CHECK(others == to_string(job::classify_exit(1)));
  for (const auto& [tag, text] : tagged(man_section(page("hooks/outpost-hooks.7"), "EXIT STATUS")))
    list[std::stoi(tag)] = tag.substr(tag.find(' ') + 1);
  CHECK(list == exit_codes());
}

TEST_CASE("the contract's documents list the stages in their order, with their limits and what a failure means") {
  std::vector<StageRow> table, list;
  for (const auto& row : rows(section(text_of("hooks/README.md"), "## Stages"))) {
    table.push_back({*quoted(row.at(0)).begin(), as_shown(row.at(2)), failure_told(row.at(3))});
  }
  CHECK(table == stages());
  for (const auto& [name, text] : tagged(man_section(page("hooks/outpost-hooks.7"), "STAGES"))) {
    list.push_back({name, as_shown(text.substr(0, text.find(".\n"))), failure_told(text)});
  }
  CHECK(list == stages());
}

TEST_CASE("the table of profiles in hooks/README.md says what they are compared by, and what their units do") {
  Words listed, expected;
  for (const auto& row : rows(section(text_of("hooks/README.md"), "## The manifest")))
    if (row.size() == 5) listed.insert(row[0] + " " + join({row.begin() + 1, row.end()}, " "));
  const auto yes = [](bool value) { return value ? "`true`" : "`false`"; };
  for (const auto& profile : hooks::profiles) {
    const std::string name{profile.name}, unit = text_of("systemd/step/" + name + ".conf");
    expected.insert(name + (profile.root ? " `root`" : " `job`") + (profile.network ? " `host` " : " `none` ") + yes(profile.private_tmp) + " " + yes(profile.no_new_privileges));
    CHECK((unit.find("PrivateNetwork=yes") == std::string::npos) == profile.network);
    if (name == "offline") continue;  // It adds to the default.
    CHECK((unit.find("NoNewPrivileges=yes") != std::string::npos) == profile.no_new_privileges);
    const bool own_sandbox = unit.find("OUTPOST_STEP_WRITABLE") != std::string::npos;
    CHECK((own_sandbox || unit.find("TemporaryFileSystem=/tmp") != std::string::npos) == profile.private_tmp);
  }
  CHECK(listed == expected);
}

TEST_CASE("the table of the manifest in hooks/README.md has exactly the keys that there are") {
  static const std::regex of_stage{"^hooks\\.(?:admit|acquire|pre-run|install|certify|test|collect|success|failure|release|cleanup|on-timeout|on-cancel|agent-start|agent-stop|health)"};
  Words known, listed;
  for (const auto& key : hooks::manifest_keys()) known.insert(std::regex_replace(key, of_stage, "hooks.STAGE"));
  known.erase("hooks.STAGE");  // Described by its keys.
  for (const auto& row : rows(section(text_of("hooks/README.md"), "## The manifest")))
    for (const auto& key : quoted(row.at(0))) listed.insert(key);
  REQUIRE(known.size() > 20);
  CHECK(without(known, listed) == Words{});
  CHECK(without(listed, known) == Words{});
}

TEST_CASE("the table of test cases in hooks/README.md has exactly the keys that there are") {
  Words known, listed;
  for (const auto& key : hooks::test_case_keys()) known.insert(key);
  known.erase("job.resources.NAME");
  known.erase("stubs.NAME");
  for (const auto& row : rows(section(text_of("hooks/README.md"), "## Tests")))
    for (const auto& key : quoted(row.at(0)))
      if (key.find('@') == std::string::npos && key != "disk-full") listed.insert(key);
  REQUIRE(known.size() > 40);
  CHECK(without(known, listed) == Words{});
  CHECK(without(listed, known) == Words{});
}

constexpr const char* folders_of_plugins[]{"hooks/plugins", "samples/plugins", "samples/pipelines/plugins"};

TEST_CASE("test cases of samples and packaged plugins are right") {
  for (const char* folder : folders_of_plugins)
    for (const auto& entry : std::filesystem::directory_iterator{source_directory / folder})
      for (const auto& file : hooks::test_case_files(entry.path())) {
        hooks::Diagnoses diagnoses;
        CHECK(hooks::parse_test_case(read_file(file), file, file.string(), diagnoses));
        CHECK(hooks::text_of(diagnoses) == "");
      }
}

TEST_CASE("the table of lint codes in hooks/README.md is that of the code") {
  std::vector<std::string> listed, known;
  for (const auto& row : rows(section(text_of("hooks/README.md"), "## Write, check, try"))) listed.push_back(*quoted(row.at(0)).begin() + " " + row.at(1));
  for (const auto& code : hooks::all_codes()) known.push_back(std::string{code.code} + " " + std::string{code.title});
  CHECK(listed == known);
}

TEST_CASE("manifests in documents, samples and packaged plugins are right") {
  int found = 0;
  const auto check = [&](const std::string& text, const std::string& name) {
    hooks::Diagnoses diagnoses;
    CHECK(hooks::parse_manifest(text, name, diagnoses).has_value());
    CHECK(hooks::text_of(diagnoses) == "");
    ++found;
  };
  for (const auto& block : blocks(text_of("hooks/README.md"), "yaml"))
    if (block.starts_with("apiVersion:")) check(block, "hooks/README.md");
  for (const char* folder : folders_of_plugins)
    for (const auto& entry : std::filesystem::recursive_directory_iterator{source_directory / folder})
      if (entry.path().filename() == hooks::manifest_name) check(read_file(entry.path()), entry.path().string());
  CHECK(found >= 5);
}

TEST_CASE("outpost.yml(5) describes exactly the keys that there are, each in its place") {
  REQUIRE_FALSE(options_of_plugins().empty());
  const Words known = places_known();
  const Words documented = places_documented(man_section(page("agent/config/outpost.yml.5"), "KEYS"));
  REQUIRE(known.size() > 50);
  CHECK(without(known, documented) == Words{});
  CHECK(without(documented, known) == Words{});
}

TEST_CASE("manual pages name every key that a source file of agent/config asks for") {
  const Words settings = keys_read_in(sources("agent/config", "decode.*\\.cpp")),
              job_file = keys_read_in(sources("agent/config", "job_file\\.cpp"));
  REQUIRE(settings.size() > 40);
  const auto bold_in = [](const std::string& file) {
    Words bold;
    for (const auto& line : all_matches(page(file), "\n\\.BR? ([^\n]+)"))
      bold = united(bold, all_matches(line, "[a-z_]+"));
    return bold;
  };
  CHECK(without(settings, bold_in("agent/config/outpost.yml.5")) == Words{});
  CHECK(without(job_file, bold_in("agent/cli/outpost.1")) == Words{});
}

TEST_CASE("the configurations in documents can be loaded") {
  int found = 0;
  for (const auto& block : blocks(text_of("README.md"), "yaml")) {
    if (block.find("\nsources:") == std::string::npos && !block.starts_with("sources:")) continue;
    check_loads(block);
    ++found;
  }
  CHECK(found == 1);
  check_loads(part(man_section(page("agent/config/outpost.yml.5"), "EXAMPLE"), ".EX", ".EE") + "\n");
}
