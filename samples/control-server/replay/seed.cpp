#include "samples/control-server/replay/seed.hpp"

#include "agent/base/clock.hpp"
#include "samples/control-server/authentication.hpp"
#include "samples/control-server/errors.hpp"

#include <algorithm>
#include <array>
#include <map>

namespace outpost::replay {
namespace {

namespace json = boost::json;
using sample::text_at;

/// In the order in which they refer to each other.
struct Kind {
  const sample::Table* table;
  std::array<std::string_view, 3> names;  ///< Members of answers that hold such objects.
};
const Kind kinds[] = {{&sample::teams, {"team", "teams", ""}},
                      {&sample::products, {"product", "products", ""}},
                      {&sample::topics, {"topic", "topics", "next_topic"}},
                      {&sample::remotecis, {"remoteci", "remotecis", ""}},
                      {&sample::feeders, {"feeder", "feeders", ""}},
                      {&sample::users, {"user", "users", ""}},
                      {&sample::pipelines, {"pipeline", "pipelines", ""}},
                      {&sample::components, {"component", "components", ""}},
                      {&sample::jobs, {"job", "jobs", ""}},
                      {&sample::jobstates, {"jobstate", "jobstates", ""}},
                      {&sample::files, {"file", "files", ""}},
                      {&sample::component_files, {"component_file", "component_files", ""}},
                      {&sample::tests_results, {"results", "", ""}}};

class Seeder {
 public:
  Seeder(const Recording& recording, sample::Records& records) : recording_{recording}, records_{records} {}

  std::set<std::string> run() {
    begin_ = beginning();
    for (const auto& pair : recording_.pairs) {
      if (pair.method == "POST" && pair.status == 201) note_created(pair.answer);
      collect(pair, pair.answer, "");
    }
    add_clients();
    records_.database().query("PRAGMA foreign_keys=OFF");
    for (const auto& kind : kinds)
      for (const auto& object : found_[std::string{kind.table->name}]) insert(*kind.table, object);
    join();
    records_.database().query("PRAGMA foreign_keys=ON");
    return seeded_;
  }

 private:
  /// The first date in a signature, as answers write it.
  [[nodiscard]] std::string beginning() const {
    std::string first = "9999";
    for (const auto& pair : recording_.pairs) {
      const std::string date{pair.request_headers.get("x-dci-date")};
      if (date.size() == 16)
        first = std::min(first, date.substr(0, 4) + "-" + date.substr(4, 2) + "-" + date.substr(6, 5) + ":" +
                                    date.substr(11, 2) + ":" + date.substr(13, 2));
    }
    return first;
  }

  void note_created(const json::value& answer) {
    if (!answer.is_object()) return;
    for (const auto& [name, value] : answer.as_object())
      if (value.is_object()) created_.insert(text_at(value.as_object(), "id"));
  }

  void collect(const Pair& pair, const json::value& value, std::string_view name) {
    if (value.is_array())
      for (const auto& element : value.as_array()) collect(pair, element, name);
    if (!value.is_object()) return;
    const auto& object = value.as_object();
    for (const auto& kind : kinds)
      if (!name.empty() && std::ranges::find(kind.names, name) != kind.names.end()) consider(pair, *kind.table, object);
    for (const auto& [member, inner] : object) collect(pair, inner, member);
  }

  void consider(const Pair& pair, const sample::Table& table, json::object object) {
    const auto id = text_at(object, "id");
    const auto made = text_at(object, "created_at");
    if (id.empty() || made.empty() || made >= begin_ || created_.contains(id)) return;
    if (!seen_.insert(id).second) return remember_more(table, id, object);
    // An answer to a change shows the new etag; the client named the old one.
    if (pair.method == "PUT" && pair.request_headers.has("If-Match"))
      object["etag"] = std::string{pair.request_headers.get("If-Match")};
    found_[std::string{table.name}].push_back(std::move(object));
  }

  /// Later answers may show columns that the first did not.
  void remember_more(const sample::Table& table, const std::string& id, const json::object& object) {
    for (auto& known : found_[std::string{table.name}])
      if (text_at(known, "id") == id)
        for (const auto& [name, value] : object)
          if (!known.contains(name)) known.emplace(name, value);
  }

  /// Clients that can sign must be there even if no answer shows them.
  void add_clients() {
    for (const auto& [client, secret] : recording_.secrets) {
      const auto slash = client.find('/');
      const auto id = client.substr(slash + 1);
      auto& list = found_[client.substr(0, slash) + "s"];
      if (created_.contains(id)) continue;
      const auto known =
          std::ranges::find_if(list, [&](const json::object& object) { return text_at(object, "id") == id; });
      if (known != list.end()) {
        known->emplace("api_secret", secret);
        continue;
      }
      const auto& teams = found_["teams"];
      if (teams.empty()) continue;
      list.push_back({{"id", id}, {"name", id}, {"team_id", teams.front().at("id")}, {"api_secret", secret}});
    }
  }

  void insert(const sample::Table& table, const json::object& object) {
    try {
      records_.create(table, object);
      seeded_.insert(text_at(object, "id"));
    } catch (const sample::ApiError&) {  // For example the team "admin", which is always there.
    }
  }

  void join() {
    auto& database = records_.database();
    for (const auto& product : found_["products"])
      for (const auto& team : found_["teams"])
        database.query("INSERT OR IGNORE INTO products_teams (product_id, team_id) VALUES (?,?)",
                       {text_at(product, "id"), text_at(team, "id")});
    for (const auto& topic : found_["topics"])
      for (const auto& team : found_["teams"])
        database.query("INSERT OR IGNORE INTO products_teams (product_id, team_id) VALUES (?,?)",
                       {text_at(topic, "product_id"), text_at(team, "id")});
    for (const auto& job : found_["jobs"])
      if (const auto* components = job.if_contains("components"); components && components->is_array())
        for (const auto& component : components->as_array())
          database.query("INSERT OR IGNORE INTO jobs_components (job_id, component_id) VALUES (?,?)",
                         {text_at(job, "id"), text_at(component.as_object(), "id")});
  }

  const Recording& recording_;
  sample::Records& records_;
  std::string begin_;
  std::set<std::string> created_, seen_, seeded_;
  std::map<std::string, std::vector<json::object>, std::less<>> found_;
};

}  // namespace

std::set<std::string> seed(const Recording& recording, sample::Records& records) {
  return Seeder{recording, records}.run();
}

}  // namespace outpost::replay
