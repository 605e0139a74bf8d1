// What is written for those who work on Outpost, checked against the code: layers, folders, programs, the local API.
#include "agent/job/verdict.hpp"
#include "support/catch.hpp"
#include "support/document.hpp"

#include <filesystem>
#include <map>

namespace fs = std::filesystem;
using namespace outpost;
using namespace outpost::test;

namespace {

using Layers = std::map<std::string, Words>;

Layers layers_of_test() {
  const std::string code = text_of("tests/support/layers_test.cpp");
  Layers layers;
  static const std::regex row{"\\{\"([a-z/]+)\", \\{([^{}]*)\\}\\}"};
  for (std::sregex_iterator match{code.begin(), code.end(), row}, end; match != end; ++match)
    layers[match->str(1)] = all_matches(match->str(2), "\"([a-z/]+)\"");
  for (const auto& name : all_matches(*all_matches(code, "roots\\{([^}]*)\\}").begin(), "\"([a-z/]+)\""))
    layers[name] = {"everything"};
  return layers;
}

Layers layers_of_document() {
  Layers layers;
  for (const auto& row : rows(section(text_of("CONTRIBUTING.md"), "## Layers")))
    for (const auto& name : quoted(row.at(0)))
      layers[name] = row.at(1) == "everything" ? Words{"everything"} : quoted(row.at(1));
  return layers;
}

}  // namespace

TEST_CASE("the layers in CONTRIBUTING.md are those that the test checks") {
  const auto checked = layers_of_test(), written = layers_of_document();
  REQUIRE(checked.size() > 15);
  CHECK(written == checked);
}

TEST_CASE("CONTRIBUTING.md knows every folder and every preset") {
  const std::string text = text_of("CONTRIBUTING.md");
  const Words known = quoted(section(text, "## Folders"));
  for (const char* top : {"agent", "plugins"}) {
    for (const auto& entry : fs::recursive_directory_iterator{source_directory / top}) {
      if (entry.path().filename() != "CMakeLists.txt" || entry.path().parent_path() == source_directory / top) continue;
      const std::string folder = fs::relative(entry.path().parent_path(), source_directory).string();
      INFO(folder);
      CHECK(known.contains(folder));
    }
  }
  const Words presets = all_matches(text_of("CMakePresets.json"), "\"name\": \"([a-z]+)\", \"inherits\"");
  REQUIRE(presets.size() > 5);
  CHECK(without(presets, quoted(section(text, "## Build and test"))) == Words{});
}

TEST_CASE("no file holds the marks of a merge") {
  std::size_t looked_at = 0;
  for (const char* top : {".ci", "agent", "hooks", "plugins", "rpm", "samples", "systemd", "tests"})
    for (auto each = fs::recursive_directory_iterator{source_directory / top}; each != fs::recursive_directory_iterator{}; ++each) {
      if (each->path().filename() == "node_modules") each.disable_recursion_pending();
      if (!each->is_regular_file()) continue;
      INFO(each->path());
      CHECK(("\n" + read_file(each->path())).find("\n<<<<<<< ") == std::string::npos);
      ++looked_at;
    }
  CHECK(looked_at > 1000);
}

TEST_CASE("links between documents lead somewhere") {
  for (const char* file :
       {"README.md", "CONTRIBUTING.md", "hooks/README.md", "agent/control/README.md", "tests/faults/README.md"}) {
    for (const auto& target : all_matches(text_of(file), "\\]\\(([^)#:]+)\\)")) {
      INFO(file << " links to " << target);
      CHECK(fs::exists((source_directory / file).parent_path() / target));
    }
  }
}

TEST_CASE("the manual pages of the programs have their options, commands and exit statuses, and no others") {
  const std::map<std::string, std::string> programs{{"agent/cli", "agent/cli/outpost.1"},
                                                    {"agent/daemon", "agent/daemon/outpostd.8"}};
  for (const auto& [folder, file] : programs) {
    const std::string code = sources(folder, ".*\\.[ch]pp"), text = page(file);
    Words options{"--help"};
    for (const auto& names : all_matches(code, "\\b(?:add_option|add_flag|set_version_flag)\\(\"([^\"]+)\""))
      for (const auto& name : split(names, ',')) options.insert(name);
    REQUIRE(options.size() > 3);
    INFO(file);
    for (const auto& option : options) {
      INFO(option);
      CHECK(text.find(option) != std::string::npos);
    }
    CHECK(without(all_matches(text, "--[a-z]+(?:-[a-z]+)*"), options) == Words{});
    const std::string synopsis = man_section(text, "SYNOPSIS");
    for (const auto& command : all_matches(code, "\\badd_subcommand\\(\"([a-z]+)\""))
      CHECK(all_matches(synopsis, "[a-z]+").contains(command));
    Words statuses;
    for (const auto& [status, meaning] : tagged(man_section(text, "EXIT STATUS"))) statuses.insert(status);
    CHECK(statuses == all_matches(code, "\\bexit_[a-z_]+ = ([0-9]+);"));
  }
}

TEST_CASE("agent/control/README.md has the fields and paths of the local API, and no others") {
  const std::string code = sources("agent/daemon", "(status|story_view|claim_gate|self_examination)\\.cpp") + sources("agent/control", "(log_pages|records)\\.cpp"),
                    text = text_of("agent/control/README.md");
  Words documented, mentioned;
  for (const auto& phrase : quoted(text)) mentioned = united(mentioned, all_matches(phrase, "[a-z_]+"));
  Words routes, paths;
  for (const auto& each : all_matches(text_of("agent/control/local_api.cpp"), "\\{\"((?:GET|POST)\", \"[a-z/*]+)\""))
    routes.insert(replace_all(each, "\", \"", " /api/v1/"));
  for (const auto& each : all_matches(text_of("agent/control/records.cpp"), "\n    \\{\"([a-z/*]+)\", [a-z_]+\\},")) routes.insert("GET /api/v1/" + each);
  routes.insert("POST /api/v1/login");
  for (const auto& each : all_matches(text, "`((?:GET|POST) /api/v1/[^`?]+)"))
    paths.insert(std::regex_replace(each, std::regex{"<[a-z ]+>"}, "*"));
  REQUIRE(routes.size() > 10);
  CHECK(routes == paths);
  // The alarms are put into words by themselves.
  const std::string alarms = sources("agent/daemon", "alarms\\.cpp"),
                    writer = alarms.substr(alarms.find("Alarms::to_json()"));
  Words fields = all_matches(writer.substr(0, writer.find("return alarms")), "\\{\"([a-z_]+)\",");
  fields =
      united(fields, united(all_matches(code, "\\{\"([a-z_]+)\","), all_matches(code, "object\\[\"([a-z_]+)\"\\]")));
  const std::string outcome = sources("agent/pipeline", "job_runner_outcome\\.cpp"), result = outcome.substr(outcome.find("to_json(const FoundResult&"));
  fields = united(fields, all_matches(result.substr(0, result.find("return data;")), "(?:\\{|data\\[)\"([a-z_]+)\""));
  for (const auto& field : to_json(job::Judgement{.stage = job::Stage::test, .plugin = "p", .exit_status = 1}))
    fields.insert(std::string{field.key()});
  CHECK(without(fields, mentioned) == Words{});
  for (const auto& row : rows(text))
    if (!row.at(0).starts_with("`GET") && !row.at(0).starts_with("`POST"))
      documented = united(documented, quoted(row.at(0)));
  CHECK(without(documented, fields) == Words{});
}

TEST_CASE("outpostd(8) and agent/control/README.md have the kinds of alarms that are raised, and no others") {
  // raise(key, kind, message), where the kind may be one of two; reporters say {true, key, kind, message}.
  Words raised;
  for (const auto& kind : all_matches(sources("agent/daemon", ".*\\.cpp"), "\\braise\\([^,;]*,([^,;]*),"))
    raised = united(raised, all_matches(kind, "\"([a-z-]+)\""));
  raised = united(raised, all_matches(sources("agent/delivery", ".*\\.cpp"), "\\balarm_\\(\\{true, [^,;]*, \"([a-z-]+)\""));
  REQUIRE(raised.size() > 10);
  Words described, listed;
  for (const auto& [kind, text] : tagged(man_section(page("agent/daemon/outpostd.8"), "ALARMS"))) described.insert(kind);
  CHECK(described == raised);
  for (const auto& row : rows(text_of("agent/control/README.md")))
    if (row.at(0) == "`kind`" && quoted(row.at(1)).contains("parked")) listed = quoted(row.at(1));
  CHECK(listed == raised);
}

TEST_CASE("tests/faults/README.md names every fault test, and only tests that there are") {
  const std::string list = text_of("tests/faults/CMakeLists.txt"), text = text_of("tests/faults/README.md");
  Words registered;
  for (const auto& group : all_matches(list, "foreach\\(id ([A-Za-z0-9 -]+)\\)"))
    for (const auto& id : split(group, ' ')) registered.insert("faults." + std::string{id});
  for (const auto& id : all_matches(list, "\n  outpost_fault\\(([A-Za-z0-9-]+)")) registered.insert("faults." + id);
  const Words by_others = all_matches(list, "\n  outpost_fault_by\\(([A-Za-z0-9-]+)");
  for (const auto& id : by_others) registered.insert("faults." + id);
  REQUIRE(registered.size() > 10);
  const Words cases = all_matches(sources("tests", ".*\\.cpp"), "TEST_CASE(?:_METHOD)?\\((?:[A-Za-z]+, )?\"([^\"]+)\"");
  const Words tags = all_matches(sources("tests/faults", ".*_test\\.cpp"), "\"\\[([A-Za-z0-9-]+)\\]\"");
  Words named;
  for (const auto& row : rows(text)) {
    const Words quoted_tests = quoted(row.at(3));
    for (const auto& name : quoted_tests)
      if (name.starts_with("faults.")) named.insert(name);
    for (const auto& sentence : all_matches(row.at(3), "\"([^\"]+)\"")) {
      INFO(row.at(0) << " names " << sentence);
      CHECK(cases.contains(sentence));
    }
  }
  CHECK(named == registered);
  for (const auto& name : registered) {
    INFO(name);
    CHECK(tags.contains(name.substr(7)) != by_others.contains(name.substr(7)));
  }
}
