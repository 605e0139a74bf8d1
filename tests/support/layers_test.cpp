// The layer table of CONTRIBUTING.md, checked against every #include of agent/ and plugins/.
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <regex>
#include <set>

namespace fs = std::filesystem;
using Layers = std::set<std::string>;

namespace {

/// A port is named apart from its adapters: "http" is agent/http/*.hpp, "http/beast" the adapter.
const std::map<std::string, Layers> allowed{
    {"base", {}},
    {"job", {"base"}},
    {"config", {"base"}},
    {"http", {"base"}},
    {"process", {"base"}},
    {"journal", {"base", "job"}},
    {"log", {"base", "job"}},
    {"pipeline", {"base", "job", "journal", "process", "log"}},
    {"files", {"base", "http"}},
    {"delivery", {"base", "job", "log", "journal", "pipeline"}},
    {"telemetry", {"base", "job", "journal", "http"}},
    {"http/beast", {"base", "http"}},
    {"files/archive", {"base", "files"}},
    {"process/local", {"base", "process"}},
    {"bus", {"base"}},
    {"process/systemd", {"base", "bus", "process"}},
    {"journal/sqlite", {"base", "job", "journal"}},
    {"doctor", {"base", "config", "http"}},
    {"plugins", {"base", "config", "job", "files", "pipeline", "http", "process", "journal"}},
    {"control", {"base", "job", "journal", "pipeline", "http", "process", "log", "delivery"}},
    {"control/dbus", {"base", "bus", "job", "journal", "control"}},
    {"dashboard", {"base", "job", "journal", "pipeline", "http", "process", "log", "delivery", "control"}},
};
/// These may include everything, the command line only functions of the composition root and what works alone.
const Layers roots{"daemon"};
const std::map<std::string, Layers> clients{{"cli", {"base", "config", "job", "http", "doctor", "control", "daemon"}}};

/// "agent/http/beast/x.hpp" is "http/beast", "agent/base/x.hpp" is "base", "plugins/dci/x.hpp" is "plugins/dci".
std::string layer_of(const fs::path& path) {
  std::vector<std::string> parts;
  for (const auto& part : path) parts.push_back(part.string());
  if (parts.size() < 3) return {};
  if (parts[0] == "plugins") return "plugins/" + parts[1];
  if (parts[0] != "agent") return {};
  return parts.size() > 3 ? parts[1] + "/" + parts[2] : parts[1];
}

bool may_include(const std::string& from, const std::string& to) {
  if (from == to || to.empty() || roots.contains(from)) return true;
  if (from.starts_with("plugins/")) return allowed.at("plugins").contains(to);
  if (const auto client = clients.find(from); client != clients.end()) return client->second.contains(to);
  const auto row = allowed.find(from);
  return row != allowed.end() && row->second.contains(to);
}

std::vector<std::string> violations_of(const fs::path& root) {
  static const std::regex include{R"re(^\s*#\s*include\s*"((agent|plugins|tests|samples)/[^"]+)")re"};
  std::vector<std::string> found;
  for (const char* top : {"agent", "plugins"}) {
    for (const auto& entry : fs::recursive_directory_iterator{root / top}) {
      const auto extension = entry.path().extension();
      if (extension != ".hpp" && extension != ".cpp") continue;
      const fs::path file = fs::relative(entry.path(), root);
      std::istringstream text{outpost::test::read_file(entry.path())};
      for (std::string line; std::getline(text, line);) {
        std::smatch match;
        if (!std::regex_search(line, match, include)) continue;
        const fs::path target = match[1].str();
        const bool outside = *target.begin() == "tests" || *target.begin() == "samples";
        if (outside || !may_include(layer_of(file), layer_of(target))) found.push_back(file.string() + " includes " + target.string());
      }
    }
  }
  return found;
}

}  // namespace

TEST_CASE("no file includes what its layer may not know") {
  const auto violations = violations_of(OUTPOST_SOURCE_DIR);
  for (const auto& violation : violations) UNSCOPED_INFO(violation);
  CHECK(violations.empty());
}

TEST_CASE("the check itself finds a wrong include") {
  outpost::test::TemporaryDirectory tree;
  fs::create_directories(tree.path / "plugins");
  outpost::test::write_file(tree.path / "agent/job/good.hpp", "#include \"agent/base/text.hpp\"\n");
  outpost::test::write_file(tree.path / "agent/job/bad.hpp", "#include \"agent/journal/journal.hpp\"\n");
  outpost::test::write_file(tree.path / "agent/pipeline/bad.cpp", "#  include \"agent/http/client.hpp\"\n");
  outpost::test::write_file(tree.path / "agent/control/bad.cpp", "#include \"plugins/dci/api.hpp\"\n");
  outpost::test::write_file(tree.path / "plugins/dci/bad.cpp", "#include \"plugins/hooks/x.hpp\"\n#include \"agent/http/beast/x.hpp\"\n");
  CHECK(violations_of(tree.path).size() == 5);
}

TEST_CASE("Beast, SSL streams, SQLite and libarchive stay in their adapters") {
  std::vector<std::string> found;
  static const std::regex beast{R"(#\s*include\s*<boost/(beast|asio/ssl))"}, sqlite{R"(#\s*include\s*<sqlite3)"}, archive{R"(#\s*include\s*<archive)"};
  for (const char* top : {"agent", "plugins"}) {
    for (const auto& entry : fs::recursive_directory_iterator{fs::path{OUTPOST_SOURCE_DIR} / top}) {
      if (!entry.is_regular_file()) continue;
      const std::string layer = layer_of(fs::relative(entry.path(), OUTPOST_SOURCE_DIR));
      const std::string text = outpost::test::read_file(entry.path());
      if ((layer != "http/beast" && std::regex_search(text, beast)) || (layer != "journal/sqlite" && std::regex_search(text, sqlite)) ||
          (layer != "files/archive" && std::regex_search(text, archive)))
        found.push_back(entry.path().string());
    }
  }
  for (const auto& file : found) UNSCOPED_INFO(file);
  CHECK(found.empty());
}

TEST_CASE("no list of JSON values is a temporary of a co_await expression, which GCC 12 rejects") {
  static const std::regex list{R"(co_await [^;]*[(,] ?\{\{)"};
  CHECK(std::regex_search("  co_await note(call, {{\"name\", name}});", list));
  std::vector<std::string> found;
  for (const char* top : {"agent", "plugins", "samples", "tests"}) {
    for (const auto& entry : fs::recursive_directory_iterator{fs::path{OUTPOST_SOURCE_DIR} / top}) {
      if (entry.path().extension() != ".cpp" && entry.path().extension() != ".hpp") continue;
      std::istringstream text{outpost::test::read_file(entry.path())};
      for (std::string line; std::getline(text, line);)
        if (line.starts_with(' ') && line.find("regex_search") == line.npos && std::regex_search(line, list)) found.push_back(entry.path().string() + ": " + line);
    }
  }
  for (const auto& line : found) UNSCOPED_INFO(line);
  CHECK(found.empty());
}
