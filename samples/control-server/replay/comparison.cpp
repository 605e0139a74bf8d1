#include "samples/control-server/replay/comparison.hpp"

#include "agent/base/clock.hpp"
#include "agent/base/text.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

namespace outpost::replay {
namespace {

namespace json = boost::json;

std::string text_at(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value && value->is_string() ? std::string{value->as_string()} : std::string{};
}

std::string media_type(const http::Headers& headers) {
  return to_lower(trim(split(headers.get("Content-Type"), ';').front()));
}

std::string_view kind_name(const json::value& value) {
  if (value.is_number()) return "a number";
  if (value.is_string()) return "a text";
  if (value.is_object()) return "an object";
  if (value.is_array()) return "a list";
  return value.is_null() ? "null" : "true or false";
}

std::string shown(const json::value& value) { return printable(json::serialize(value), 160); }

/// Texts of the original that depend on its database or on the order of its sets: only how they begin is compared.
bool same_kind_of_message(std::string_view recorded, std::string_view live) {
  for (const std::string_view start : {"(psycopg2.errors.", "error while parsing the query "})
    if (recorded.starts_with(start) && live.starts_with(start)) return true;
  return recorded.find("[SQL: ") != std::string_view::npos && live.starts_with("(psycopg2.errors.");
}

std::set<std::string> parameter_names(std::string_view url) {
  std::set<std::string> names;
  if (const auto question = url.find('?'); question != std::string_view::npos)
    for (const auto& part : split(url.substr(question + 1), '&')) names.insert(part.substr(0, part.find('=')));
  return names;
}

/// Lists inside an object have no order that the original promises; neither have these two answers.
bool is_unordered(const std::string& path, const Pair& pair) {
  if (std::ranges::count(path, '.') > 1) return true;
  const auto target = pair.target.substr(0, pair.target.find('?'));
  return target.find("/jobs/") != std::string::npos &&
         (target.ends_with("/components") || target.ends_with("/results"));
}

}  // namespace

Comparison::Verdict Comparison::compare(const Pair& pair, const WireAnswer& answer, int gaps) {
  verdict_ = {};
  pair_ = &pair;
  gaps_ = gaps;
  excused_values_ = 0;
  if (answer.status != pair.status) {
    verdict_.differences.push_back("status: recorded " + std::to_string(pair.status) + ", live " +
                                   std::to_string(answer.status) + " " + printable(answer.body, 300));
    return std::move(verdict_);
  }
  if (!answer.complete) verdict_.differences.emplace_back("the connection broke before the end of the answer");
  if (!pair.answer.is_null()) {
    boost::system::error_code broken;
    const auto live = json::parse(answer.body, broken);
    if (broken)
      verdict_.differences.push_back("body: not JSON: " + printable(answer.body, 160));
    else
      value("", pair.answer, live, false);
  } else if (pair.answer_text && mapping_.translate(*pair.answer_text) != answer.body) {
    verdict_.differences.push_back("body: recorded " + printable(*pair.answer_text, 240) + ", live " +
                                   printable(answer.body, 240));
  } else if (!pair.answer_text && !answer.body.empty()) {
    verdict_.differences.push_back("body: recorded none, live " + printable(answer.body, 160));
  }
  headers(pair, answer);
  if (excused_values_ > 0)
    verdict_.notes.push_back(std::to_string(excused_values_) +
                             " values of objects that were changed where this recording has a gap");
  return std::move(verdict_);
}

void Comparison::headers(const Pair& pair, const WireAnswer& answer) {
  const auto& recorded = pair.response_headers;
  const auto& live = answer.headers;
  if (recorded.has("Content-Type") && media_type(recorded) != media_type(live))
    differ("Content-Type", media_type(recorded), media_type(live), false);
  if (recorded.has("ETag") != live.has("ETag"))
    differ("ETag", recorded.has("ETag") ? "there" : "none", live.has("ETag") ? "there" : "none", false);
  else if (recorded.has("ETag"))
    text("ETag", std::string{recorded.get("ETag")}, std::string{live.get("ETag")}, excused_values_ > 0);
  if (recorded.has("Location")) url(std::string{recorded.get("Location")}, std::string{live.get("Location")});
  if (recorded.has("Content-Disposition"))
    text("Content-Disposition", std::string{recorded.get("Content-Disposition")},
         std::string{live.get("Content-Disposition")}, false);
  if (recorded.has("Allow")) {
    const auto methods = [](std::string_view list) {
      std::set<std::string> names;
      for (const auto& name : split(list, ',')) names.emplace(trim(name));
      return names;
    };
    if (methods(recorded.get("Allow")) != methods(live.get("Allow")))
      differ("Allow", std::string{recorded.get("Allow")}, std::string{live.get("Allow")}, false);
  }
  const bool was_chunked = equal_ignoring_case(recorded.get("Transfer-Encoding"), "chunked");
  if (was_chunked != answer.chunked)
    differ("Transfer-Encoding", was_chunked ? "chunked" : "none", answer.chunked ? "chunked" : "none", false);
}

/// Another host and perhaps a path in front of it, but the same object and the same parameters.
void Comparison::url(const std::string& recorded, const std::string& live) {
  const auto path_of = [](std::string_view address) {
    const auto scheme = address.find("://");
    const auto start = scheme == std::string_view::npos ? 0 : address.find('/', scheme + 3);
    return std::string{
        address.substr(std::min(start, address.size()), address.find('?') - std::min(start, address.size()))};
  };
  if (live.find("://") == std::string::npos || !path_of(live).ends_with(mapping_.translate(path_of(recorded))))
    differ("Location", recorded, live, false);
  if (parameter_names(recorded) != parameter_names(live)) differ("Location's parameters", recorded, live, false);
}

void Comparison::value(const std::string& path, const json::value& recorded, const json::value& live, bool excused) {
  if (kind_name(recorded) != kind_name(live)) {
    if (excused && (recorded.is_null() || live.is_null())) return void(++excused_values_);
    return differ(path, std::string{kind_name(recorded)} + " " + shown(recorded),
                  std::string{kind_name(live)} + " " + shown(live), false);
  }
  if (recorded.is_object()) return object(path, recorded.as_object(), live.as_object(), excused);
  if (recorded.is_array()) return array(path, recorded.as_array(), live.as_array(), excused);
  if (recorded.is_string())
    return text(path, std::string{recorded.as_string()}, std::string{live.as_string()}, excused);
  if (path.ends_with(".duration")) return;  // It depends on how fast the requests follow each other.
  const bool same = recorded.is_number() ? recorded.to_number<double>() == live.to_number<double>() : recorded == live;
  if (!same) differ(path, shown(recorded), shown(live), excused);
}

bool Comparison::changed_unseen(const json::object& recorded) {
  const auto id = text_at(recorded, "id");
  const auto etag = text_at(recorded, "etag");
  if (id.empty() || etag.empty()) return false;
  const auto [known, first] = seen_.try_emplace(id, Seen{etag, gaps_});
  if (!first) {
    const bool asked_for = pair_->method != "GET" && pair_->target.find(id) != std::string::npos;
    if (known->second.etag != etag && known->second.gaps < gaps_ && !asked_for) excused_.insert(id);
    known->second = {etag, gaps_};
  }
  return excused_.contains(id);
}

void Comparison::object(const std::string& path, const json::object& recorded, const json::object& live, bool excused) {
  excused = changed_unseen(recorded) || (excused && !recorded.contains("id"));
  for (const auto& [name, element] : live)
    if (!recorded.contains(name) && !mapping_.live(name) && Mapping::kind_of(name) == Mapping::Token::none)
      differ(path + "." + std::string{name}, "absent", shown(element), false);
  for (const auto& [name, element] : recorded) {
    const auto live_name = mapping_.live(name).value_or(std::string{name});
    const auto inner = path + "." + std::string{name};
    if (const auto* found = live.if_contains(live_name))
      value(inner, element, *found, excused);
    else if (Mapping::kind_of(name) == Mapping::Token::id && recorded.size() == 1 && live.size() == 1) {
      text(inner, std::string{name}, std::string{live.begin()->key()}, excused);  // An id that is a key, as in teams.
      value(inner, element, live.begin()->value(), excused);
    } else {
      differ(inner, shown(element), "absent", false);
    }
  }
}

void Comparison::array(const std::string& path, const json::array& recorded, const json::array& live, bool excused) {
  if (recorded.size() != live.size())
    return differ(path, std::to_string(recorded.size()) + " elements", std::to_string(live.size()) + " elements",
                  excused);
  std::vector<const json::value*> partners;
  for (const auto& element : live) partners.push_back(&element);
  if (is_unordered(path, *pair_)) {
    for (std::size_t i = 0; i < recorded.size(); ++i) {
      if (!recorded[i].is_object()) break;
      const auto wanted = mapping_.live(text_at(recorded[i].as_object(), "id"));
      const auto found = std::find_if(
          partners.begin() + static_cast<std::ptrdiff_t>(i), partners.end(), [&](const json::value* candidate) {
            return wanted && candidate->is_object() && text_at(candidate->as_object(), "id") == *wanted;
          });
      if (found != partners.end()) std::iter_swap(partners.begin() + static_cast<std::ptrdiff_t>(i), found);
    }
  }
  for (std::size_t i = 0; i < recorded.size(); ++i)
    value(path + "[" + std::to_string(i) + "]", recorded[i], *partners[i], excused);
}

void Comparison::text(const std::string& path, const std::string& recorded, const std::string& live, bool excused) {
  if (Mapping::kind_of(recorded) != Mapping::Token::none) return token(path, recorded, live, excused);
  if (mapping_.translate(recorded) == live || same_kind_of_message(recorded, live)) return;
  differ(path, recorded, live, excused);
}

void Comparison::token(const std::string& path, const std::string& recorded, const std::string& live, bool excused) {
  const auto kind = Mapping::kind_of(recorded);
  if (Mapping::kind_of(live) != kind) return differ(path, recorded, live, excused);
  const auto known = mapping_.live(recorded);
  if (kind == Mapping::Token::time) {
    const auto expected = parse_rfc3339(known.value_or(live));
    if (parse_rfc3339(recorded) == parse_rfc3339(live) || expected == parse_rfc3339(live)) {
      if (!known && recorded != live) mapping_.learn(recorded, live);
      return;
    }
    if (excused) return void(++excused_values_);
    return differ(path, recorded + " (here " + *known + ")", live, false);
  }
  if (known == live) return;
  if (known && !excused) return differ(path, recorded + " (here " + *known + ")", live, false);
  if (kind == Mapping::Token::etag) {
    const auto [earlier, fresh] = recorded_of_live_etag_.try_emplace(live, recorded);
    if (!fresh && earlier->second != recorded && !excused)
      return differ(path, "a new etag", "the one from before, " + live, false);
    if (!fresh) ++excused_values_;
  }
  mapping_.learn(recorded, live);
}

void Comparison::differ(const std::string& path, const std::string& recorded, const std::string& live, bool excused) {
  if (excused) return void(++excused_values_);
  verdict_.differences.push_back((path.starts_with('.') ? path.substr(1) : path) + ": recorded " +
                                 printable(recorded, 300) + ", live " + printable(live, 300));
}

}  // namespace outpost::replay
