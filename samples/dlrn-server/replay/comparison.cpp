#include "samples/dlrn-server/replay/comparison.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cstdlib>

namespace outpost::builder_replay {
namespace {

namespace json = boost::json;

/// A build's address without the server and the mount point: from the component or the shards on.
std::string place_of(const std::string& url) {
  const auto component = url.find("/component/");
  if (component != std::string::npos) return url.substr(component);
  const auto parts = split(url, '/');
  return join(std::vector<std::string>(parts.end() - std::min<std::ptrdiff_t>(3, std::ssize(parts)), parts.end()), "/");
}

/// The numbers of a builder that others than this builder's packages are about.
std::set<std::string> builder_metrics(const std::string& text) {
  std::set<std::string> names;
  for (const auto& line : split(text, '\n'))
    if (line.starts_with("dlrn_builds_")) names.insert(line.substr(0, line.find('{')));
  return names;
}

}  // namespace

Comparison::Comparison(const std::vector<Pair>& pairs, bool same_rows) : same_rows_{same_rows} {
  for (const auto& pair : pairs) {
    for (const auto& row : rows_of(pair.given))
      if (const std::string text = job::text_at(row, "timestamp"); !text.empty()) given_times_.insert(std::atoll(text.c_str()));
      else given_times_.insert(job::number_at(row, "timestamp"));
    for (const auto& row : rows_of(pair.answer))
      if (job::text_at(row, "job_id") == "consistent") given_times_.insert(job::number_at(row, "timestamp"));
  }
  given_times_.erase(0);
}

std::string Comparison::translated(std::string text) const {
  for (const auto& [recorded, live] : aggregates_) text = replace_all(std::move(text), recorded, live);
  return text;
}

void Comparison::differ(const std::string& where, const json::value& recorded, const json::value& live) {
  differences_.push_back(where + ": recorded " + printable(json::serialize(recorded), 160) + ", live " + printable(json::serialize(live), 160));
}

void Comparison::compare_member(const std::string& where, std::string_view key, const json::value& recorded, const json::value& live) {
  if ((key == "id" || key == "commitId") && recorded.kind() == live.kind()) return;  // Numbers of rows.
  if (key == "timestamp" && recorded.is_number() && live.is_number()) {
    const auto time = recorded.to_number<std::int64_t>();
    const bool same_form = recorded.is_double() == live.is_double();
    if (!same_form || (given_times_.contains(time) && live.to_number<std::int64_t>() != time)) differ(where, recorded, live);
  } else if (key == "aggregate_hash" && recorded.is_string() && live.is_string() && live.get_string().size() == 32) {
    const auto known = aggregates_.try_emplace(std::string{recorded.get_string()}, std::string{live.get_string()}).first;
    if (known->second != live.get_string()) differ(where, json::string{known->second}, live);
  } else if (key == "repo_url" && recorded.is_string() && live.is_string()) {
    if (place_of(std::string{recorded.get_string()}) != place_of(std::string{live.get_string()})) differ(where, recorded, live);
  } else {
    compare(where, recorded, live);
  }
}

void Comparison::compare(const std::string& where, const json::value& recorded, const json::value& live) {
  if (recorded.is_object() && live.is_object()) {
    for (const auto& [key, value] : recorded.get_object()) {
      const std::string inner = where + '.' + std::string{key};
      if (const auto* other = live.get_object().if_contains(key)) compare_member(inner, key, value, *other);
      else differences_.push_back(inner + ": is missing");
    }
    for (const auto& [key, value] : live.get_object())
      if (!recorded.get_object().contains(key)) differences_.push_back(where + '.' + std::string{key} + ": was not there");
  } else if (recorded.is_array() && live.is_array() && recorded.get_array().size() == live.get_array().size()) {
    for (std::size_t i = 0; i < recorded.get_array().size(); ++i) compare(where + '[' + std::to_string(i) + ']', recorded.get_array()[i], live.get_array()[i]);
  } else if (recorded != live) {
    differ(where, recorded, live);
  }
}

void Comparison::compare_form(const std::string& where, const json::value& recorded, const json::value& live) {
  if (recorded.is_object() && live.is_object()) {
    for (const auto& [key, value] : recorded.get_object()) {
      const std::string inner = where + '.' + std::string{key};
      if (const auto* other = live.get_object().if_contains(key)) compare_form(inner, value, *other);
      else differences_.push_back(inner + ": is missing");
    }
    for (const auto& [key, value] : live.get_object())
      if (!recorded.get_object().contains(key)) differences_.push_back(where + '.' + std::string{key} + ": was not there");
  } else if (recorded.is_array() && live.is_array()) {
    if (recorded.get_array().empty()) return;
    if (live.get_array().empty()) undecided_ = where + ": the recording does not show what of this was built";
    else compare_form(where + "[0]", recorded.get_array().front(), live.get_array().front());
  } else if (!recorded.is_null() && !live.is_null() && recorded.kind() != live.kind()) {
    differ(where, recorded, live);
  }
}

/// What was wrong with a query is told in the words of whoever reads it.
void Comparison::compare_graphql(const json::value& recorded, const json::value& live) {
  for (const std::string_view part : {"data", "errors"}) {
    const auto* was = recorded.is_object() ? recorded.get_object().if_contains(part) : nullptr;
    const auto* is = live.is_object() ? live.get_object().if_contains(part) : nullptr;
    if ((was != nullptr) != (is != nullptr)) differences_.push_back(std::string{part} + (was ? ": is missing" : ": was not there"));
    else if (was && part == "data" && same_rows_) compare("data", *was, *is);
    else if (was && part == "data") compare_form("data", *was, *is);
  }
}

std::vector<std::string> Comparison::compare(const Pair& pair, const replay::WireAnswer& live) {
  differences_.clear();
  undecided_.clear();
  if (live.status != pair.status) {
    differences_.push_back("status: recorded " + std::to_string(pair.status) + ", live " + std::to_string(live.status) + ' ' + printable(live.body, 200));
    return differences_;
  }
  for (const std::string_view name : {"Content-Type", "WWW-Authenticate"})
    if (pair.answer_headers.get(name) != live.headers.get(name))
      differences_.push_back(std::string{name} + ": recorded \"" + std::string{pair.answer_headers.get(name)} + "\", live \"" + printable(live.headers.get(name), 200) + '"');
  if (pair.path == "/metrics") {
    if (builder_metrics(pair.answer_body) != builder_metrics(live.body)) differences_.emplace_back("the numbers about builds have other names");
    return differences_;
  }
  // What pages say is their own business; the two words of a refusal are not.
  if (pair.answer.is_null()) {
    if (pair.answer_body.size() < 30 && pair.answer_body != live.body) differences_.push_back("body: recorded " + pair.answer_body + ", live " + printable(live.body, 100));
    return differences_;
  }
  boost::system::error_code broken;
  const auto value = json::parse(live.body, broken);
  if (broken) differences_.emplace_back("the answer is not JSON");
  else if (pair.path == "/api/graphql" && pair.status != 501) compare_graphql(pair.answer, value);
  else if (pair.succeeded()) compare("answer", pair.answer, value);
  // The wording of refusals is the framework's and changes with it.
  else if (!value.is_object() || job::text_at(value.get_object(), "message").empty()) differ("answer", pair.answer, value);
  return differences_;
}

}  // namespace outpost::builder_replay
