#pragma once

#include "agent/base/ids.hpp"
#include "plugins/dci/fake_client.hpp"

#include <boost/json/array.hpp>

#include <map>
#include <string>
#include <vector>

namespace outpost::dci::test {

/// A control server in memory: as much of it as an agent needs, with the odd answers of the original.
class FakeServer {
 public:
  FakeServer() {
    client.handler = [this](const Seen& seen) { return answer_to(seen); };
  }

  /// Before the server answers: an answer of the test's own, or none.
  std::function<std::optional<Result<http::Response>>(const Seen&)> before;
  /// After it has acted: replaces its answer (a lost answer, a 500 after storing...).
  std::function<std::optional<Result<http::Response>>(const Seen&)> after;

  std::string add_topic(const std::string& name, std::vector<std::string> types) {
    boost::json::object topic{{"id", id()},
                              {"name", name},
                              {"state", "active"},
                              {"component_types", boost::json::array(types.begin(), types.end())},
                              {"component_types_optional", boost::json::array{}},
                              {"data", {{"registry", {{"password", "hunter2"}}}}}};
    topics.push_back(topic);
    return text(topic, "id");
  }

  std::string add_component(const std::string& topic, const std::string& type, const std::string& version,
                            std::vector<std::string> tags = {}, const std::string& released = "2026-11-01T00:00:00") {
    boost::json::object component{{"id", id()},
                                  {"type", type},
                                  {"name", type + " " + version},
                                  {"display_name", type + " " + version},
                                  {"version", version},
                                  {"topic_id", topic},
                                  {"state", "active"},
                                  {"released_at", released},
                                  {"created_at", released + ".000001"},
                                  {"team_id", nullptr},
                                  {"url", ""},
                                  {"data", boost::json::object{}},
                                  {"tags", boost::json::array(tags.begin(), tags.end())}};
    components.push_back(component);
    return text(component, "id");
  }

  std::string add_job(boost::json::object fields = {}) {
    boost::json::object job{{"id", id()},
                            {"etag", id()},
                            {"name", ""},
                            {"status", "new"},
                            {"state", "active"},
                            {"tags", boost::json::array{}},
                            {"remoteci_id", lab.id()},
                            {"created_at", stamp()},
                            {"components", boost::json::array{}}};
    for (auto& [name, value] : fields) job[name] = value;
    const std::string job_id = text(job, "id");
    jobs.push_back(std::move(job));
    return job_id;
  }

  boost::json::object& job(const std::string& wanted) {
    for (auto& one : jobs)
      if (text(one, "id") == wanted) return one;
    throw std::logic_error{"no job " + wanted};
  }

  [[nodiscard]] std::vector<boost::json::object> files_of(const std::string& job_id) const {
    std::vector<boost::json::object> found;
    for (const auto& file : files)
      if (text(file, "job_id") == job_id) found.push_back(file);
    return found;
  }

  static std::string text(const boost::json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    return value && value->is_string() ? std::string{value->get_string()} : "";
  }

  static std::string id() {
    static int next = 0;
    const std::string number = std::to_string(++next);
    return "00000000-0000-4000-8000-" + std::string(12 - number.size(), '0') + number;
  }

  FakeClient client;
  std::vector<boost::json::object> topics, components, jobs, states, files, values;
  std::map<std::string, std::string> contents;  ///< File id to bytes.
  std::uint64_t limit = 20 * 1024 * 1024;
  std::vector<std::string> refused_components;  ///< Their attachment fails after the job was inserted.

 private:
  std::string stamp() {
    ++clock_;
    return "2026-11-20T22:12:12." + std::string(6 - std::to_string(clock_).size(), '0') + std::to_string(clock_);
  }

  Result<http::Response> answer_to(const Seen& seen) {
    if (before)
      if (auto ours = before(seen)) return *ours;
    auto theirs = act(seen);
    if (after)
      if (auto ours = after(seen)) return *ours;
    return theirs;
  }

  http::Response act(const Seen& seen) {
    const auto parts = split(std::string_view{seen.path}.substr(1), '/');  // api v1 <plural> <id> <part>...
    const std::string plural = parts.size() > 2 ? parts[2] : "";
    const std::string part = parts.size() > 4 ? parts[4] : "";
    if (plural == "topics" && parts.size() == 3) return page_of(topics, seen, "topics");
    if (plural == "topics" && part == "components")
      return page_of(with(components, "topic_id", parts[3]), seen, "components");
    if (plural == "jobs" && parts.size() == 3)
      return seen.method == "POST" ? create(seen) : page_of(expanded_jobs(), seen, "jobs");
    if (plural == "jobs") return job_request(seen, parts[3], part);
    if (plural == "jobstates") return post_state(seen.json());
    if (plural == "files" && seen.method == "POST") return post_file(seen);
    return page(404, "404 Not Found");
  }

  http::Response job_request(const Seen& seen, const std::string& wanted, const std::string& part) {
    auto found = with(jobs, "id", wanted);
    std::erase_if(found, [](const auto& job) { return text(job, "state") == "archived"; });
    if (found.empty()) return refusal(404, "job not found");
    if (part == "files") return page_of(with(files, "job_id", wanted), seen, "files");
    if (part == "jobstates") return page_of(with(states, "job_id", wanted), seen, "jobstates");
    auto& row = job(wanted);
    if (part == "kv") return post_value(seen.json(), wanted);
    if (part == "components") {
      const std::string component = text(seen.json(), "id");
      if (std::find(refused_components.begin(), refused_components.end(), component) != refused_components.end())
        return refusal(401, "Operation not authorized.");
      attach(row, component);
      return {201, {}, ""};
    }
    if (seen.method == "PUT") {
      if (!seen.headers.has("If-Match")) return refusal(412, "'If-match' header must be provided");
      if (seen.headers.get("If-Match") != text(row, "etag")) return refusal(404, "job not found");
      for (const auto& [name, value] : seen.json()) row[name] = value;
      row["etag"] = id();
      return answer(200, {{"job", row}});
    }
    return answer(200, {{"job", expanded(row)}});
  }

  boost::json::object expanded(const boost::json::object& row) {
    boost::json::object job = row;
    job["remoteci"] = {{"id", lab.id()}, {"name", "lab"}, {"api_secret", lab.secret}, {"data", {{"k", "v"}}}};
    for (const auto& topic : topics)
      if (text(topic, "id") == text(row, "topic_id")) job["topic"] = topic;
    boost::json::array own_states, own_values;
    for (const auto& state : with(states, "job_id", text(row, "id"))) own_states.push_back(state);
    for (const auto& value : with(values, "job_id", text(row, "id"))) own_values.push_back(value);
    job["jobstates"] = own_states;
    job["keys_values"] = own_values;
    return job;
  }

  std::vector<boost::json::object> expanded_jobs() {
    std::vector<boost::json::object> all;
    for (const auto& row : jobs)
      if (text(row, "state") != "archived") all.push_back(expanded(row));
    return all;
  }

  void attach(boost::json::object& job, const std::string& component) {
    for (const auto& one : components)
      if (text(one, "id") == component) job["components"].get_array().push_back(one);
  }

  http::Response create(const Seen& seen) {
    boost::json::object fields = seen.json();
    const boost::json::array wanted = fields.at("components").get_array();
    fields.erase("components");
    if (text(fields, "topic_id").empty()) return refusal(404, "topic not found");
    const std::string job_id = add_job(fields);
    for (const auto& component : wanted) {
      const std::string component_id{component.get_string()};
      if (std::find(refused_components.begin(), refused_components.end(), component_id) != refused_components.end())
        return refusal(401, "Operation not authorized.");
      attach(job(job_id), component_id);
    }
    boost::json::object shown = job(job_id);
    shown.erase("components");
    return answer(201, {{"job", shown}});
  }

  http::Response post_state(const boost::json::object& body) {
    if (with(jobs, "id", text(body, "job_id")).empty()) return refusal(404, "job not found");
    auto& row = job(text(body, "job_id"));
    const std::string status = text(body, "status");
    const bool early = text(row, "status") == "new" || text(row, "status") == "pre-run";
    boost::json::object state{{"id", id()},
                              {"job_id", row["id"]},
                              {"comment", body.at("comment")},
                              {"created_at", stamp()},
                              {"status", early && status == "failure" ? "error" : status},
                              {"files", boost::json::array{}}};
    row["status"] = status;
    row["etag"] = id();
    states.push_back(state);
    return answer(201, {{"jobstate", state}});
  }

  http::Response post_value(const boost::json::object& body, const std::string& job_id) {
    for (const auto& one : with(values, "job_id", job_id))
      if (one.at("key") == body.at("key") && one.at("value") == body.at("value"))
        return refusal(409, "We are unable to create this resource. A similar resource already exists.");
    values.push_back({{"job_id", job_id}, {"key", body.at("key")}, {"value", body.at("value")}});
    job(job_id)["etag"] = id();
    return answer(201, {{"kv", values.back()}});
  }

  http::Response post_file(const Seen& seen) {
    if (seen.body.size() > limit) return page(413, "413 Request Entity Too Large");
    const std::string job_id{seen.headers.get("DCI-JOB-ID")};
    if (with(jobs, "id", job_id).empty()) return refusal(404, "job not found");
    std::string name;  // Latin-1 on the wire, UTF-8 in JSON.
    for (const char byte : seen.headers.get("DCI-NAME")) {
      const auto code = static_cast<unsigned char>(byte);
      if (code < 0x80)
        name += byte;
      else
        (name += static_cast<char>(0xC0 | (code >> 6))) += static_cast<char>(0x80 | (code & 0x3F));
    }
    boost::json::object file{{"id", id()},
                             {"job_id", job_id},
                             {"name", name},
                             {"mime", seen.headers.get("DCI-MIME")},
                             {"state", "active"},
                             {"size", seen.body.size()},
                             {"created_at", stamp()},
                             {"jobstate_id", nullptr}};
    if (seen.headers.has("DCI-JOBSTATE-ID")) file["jobstate_id"] = seen.headers.get("DCI-JOBSTATE-ID");
    job(job_id)["etag"] = id();
    files.push_back(file);
    contents[text(file, "id")] = seen.body;
    if (text(file, "mime") == "application/junit" && seen.body.starts_with("broken"))
      return refusal(400, "Invalid XML: unclosed token: line 1");
    return answer(201, {{"file", file}});
  }

  static std::vector<boost::json::object> with(const std::vector<boost::json::object>& rows, std::string_view column,
                                               const std::string& value) {
    std::vector<boost::json::object> found;
    for (const auto& row : rows)
      if (text(row, column) == value) found.push_back(row);
    return found;
  }

  /// `where` and `query` as far as the tests need them; the newest first unless `sort` says otherwise.
  static http::Response page_of(std::vector<boost::json::object> rows, const Seen& seen, const std::string& plural) {
    const bool limit = !seen.parameter("limit").empty();
    if (limit != !seen.parameter("offset").empty()) return refusal(400, "Request malformed");
    if (const std::string where = seen.parameter("where"); !where.empty())
      for (const auto& term : split(where, ',')) {
        const auto colon = term.find(':');
        if (colon == std::string::npos) return refusal(400, "Request malformed");
        std::erase_if(
            rows, [&](const auto& row) { return !where_holds(row, term.substr(0, colon), term.substr(colon + 1)); });
      }
    if (const std::string query = seen.parameter("query"); !query.empty() && seen.parameter("where").empty())
      std::erase_if(rows, [&](const auto& row) { return !query_holds(row, query); });
    std::string column = seen.parameter("sort").empty() ? "-created_at" : seen.parameter("sort");
    const bool down = column.starts_with('-');
    if (down) column.erase(0, 1);
    std::sort(rows.begin(), rows.end(), [&](const auto& a, const auto& b) {
      const auto left = std::pair{text(a, column), text(a, "id")}, right = std::pair{text(b, column), text(b, "id")};
      return down ? left > right : left < right;
    });
    const std::size_t total = rows.size();
    const std::size_t size = limit ? std::min<std::size_t>(std::stoul(seen.parameter("limit")), 200) : 20;
    const std::size_t offset = limit ? std::stoul(seen.parameter("offset")) : 0;
    boost::json::array shown;
    for (std::size_t at = offset; at < std::min(offset + size, total); ++at) shown.push_back(rows[at]);
    return answer(200, {{plural, shown}, {"_meta", {{"count", total}}}});
  }

  static bool has_tag(const boost::json::object& row, const std::string& tag) {
    const auto* tags = row.if_contains("tags");
    return tags && std::any_of(tags->get_array().begin(), tags->get_array().end(),
                               [&](const auto& one) { return one.is_string() && one.get_string() == tag; });
  }

  static bool where_holds(const boost::json::object& row, const std::string& column, const std::string& value) {
    if (column == "tags") return has_tag(row, value);
    return value.ends_with('*')
               ? to_lower(text(row, column)).find(to_lower(value.substr(0, value.size() - 1))) != std::string::npos
               : equal_ignoring_case(text(row, column), value);
  }

  /// and(eq(..),ilike(..),contains(..),or(contains(..),..)): the forms that selections compile to.
  static bool query_holds(const boost::json::object& row, const std::string& query) {
    std::string inner = query.substr(query.find('(') + 1);
    inner.pop_back();
    const bool any = query.starts_with("or(");
    bool all_hold = true, one_holds = false;
    for (std::size_t at = 0; at < inner.size();) {
      std::size_t end = at, depth = 0;
      for (; end < inner.size() && (depth > 0 || inner[end] != ','); ++end)
        depth += inner[end] == '(' ? 1 : inner[end] == ')' ? std::size_t(-1) : 0;
      const std::string term = inner.substr(at, end - at);
      bool holds = false;
      if (term.starts_with("and(") || term.starts_with("or(")) {
        holds = query_holds(row, term);
      } else {
        const auto open = term.find('('), comma = term.find(',');
        const std::string op = term.substr(0, open), column = term.substr(open + 1, comma - open - 1),
                          value = term.substr(comma + 1, term.size() - comma - 2);
        if (op == "contains")
          holds = has_tag(row, value);
        else if (op == "ilike")
          holds =
              matches_glob(to_lower(text(row, column)), replace_all(replace_all(to_lower(value), "%", "*"), "_", "?"));
        else
          holds = text(row, column) == value;
      }
      all_hold = all_hold && holds;
      one_holds = one_holds || holds;
      at = end + 1;
    }
    return any ? one_holds : all_hold;
  }

  unsigned clock_ = 0;
};

}  // namespace outpost::dci::test
