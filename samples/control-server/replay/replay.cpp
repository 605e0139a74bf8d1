#include "samples/control-server/replay/replay.hpp"

#include "agent/base/clock.hpp"
#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <ctime>

namespace outpost::replay {
namespace {

namespace json = boost::json;

/// Endpoints of the original that an agent does not need and that the sample server does not have.
struct Foreign {
  std::string_view path, reason;
};
constexpr Foreign foreign[] = {{"/analytics/", "analytics is another service of the original"},
                               {"/stats", "statistics are not in the sample server"},
                               {"/audits", "audits are not in the sample server"},
                               {"/certifications", "it is sent on to Red Hat's certification service"}};

std::optional<std::chrono::sys_seconds> basic_time(std::string_view text) {
  std::tm fields{};
  const std::string copy{text};
  const auto* end = ::strptime(copy.c_str(), "%Y%m%dT%H%M%SZ", &fields);
  if (!end || *end != '\0') return {};
  return std::chrono::sys_seconds{std::chrono::seconds{::timegm(&fields)}};
}

std::string_view date_header(const http::Headers& headers) {
  return headers.has("x-amz-date") ? "x-amz-date" : "x-dci-date";
}

std::string decode_base64(std::string_view text) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  unsigned buffer = 0;
  int bits = 0;
  for (const char c : text) {
    const auto digit = digits.find(c);
    if (digit == std::string_view::npos) continue;
    buffer = buffer << 6 | static_cast<unsigned>(digit);
    if ((bits += 6) >= 8) bytes += static_cast<char>(buffer >> (bits -= 8) & 0xFF);
  }
  return bytes;
}

void collect_ids(const json::value& value, std::set<std::string>& ids) {
  if (value.is_object())
    for (const auto& [name, element] : value.as_object()) {
      if (Mapping::kind_of(name) == Mapping::Token::id) ids.emplace(name);
      collect_ids(element, ids);
    }
  if (value.is_array())
    for (const auto& element : value.as_array()) collect_ids(element, ids);
  if (value.is_string() && Mapping::kind_of(value.as_string()) == Mapping::Token::id) ids.emplace(value.as_string());
}

}  // namespace

Replay::Replay(Recording recording, Target target, std::vector<std::pair<std::string, std::string>> replacements,
               const std::set<std::string>& known_ids)
    : recording_{std::move(recording)}, target_{std::move(target)}, replacements_{std::move(replacements)} {
  for (const auto& id : known_ids) mapping_.learn(id, id);
  for (const auto& [client, secret] : recording_.secrets) {
    secrets_[client].push_back(secret);
    if (known_ids.contains(client.substr(client.find('/') + 1))) mapping_.learn(secret, secret);
  }
  int gaps = 0;
  for (std::size_t i = 0; i < recording_.pairs.size(); ++i) {
    if (i > 0 && recording_.pairs[i].number > recording_.pairs[i - 1].number + 1) ++gaps;
    gaps_.push_back(gaps);
  }
}

std::string Replay::replaced(std::string text) const {
  for (const auto& [from, to] : replacements_) text = replace_all(std::move(text), from, to);
  return text;
}

std::string Replay::reason_to_skip(const Pair& pair) const {
  const auto path = pair.target.substr(0, pair.target.find('?'));
  if (target_.is_sample)
    for (const auto& [part, reason] : foreign)
      if (path.find(part) != std::string::npos && pair.status != 404) return std::string{reason};
  if (pair.request_headers.get("Authorization").starts_with("Bearer ") && pair.status != 401)
    return "the token was accepted: that needs the key of the identity provider";
  if (pair.status >= 400) return {};
  auto mentioned = pair.target + "\n" + std::string{pair.request_headers.get("DCI-JOB-ID")} + "\n" +
                   std::string{pair.request_headers.get("DCI-JOBSTATE-ID")} + "\n" +
                   std::string{pair.request_headers.get("Authorization")};
  if (pair.body_is_text && pair.body.size() < 65536) mentioned += "\n" + pair.body;
  for (const auto& id : mapping_.unknown_ids(mentioned))
    if (!seen_ids_.contains(id))
      return "it is about " + id + ", which no earlier pair shows (give the directory of the earlier pairs too)";
  return {};
}

/// How far the client's clock was off when the pair was recorded: against the signed requests around it.
std::chrono::seconds Replay::skew_of(std::size_t index) const {
  const auto time_of = [&](std::size_t i) {
    const auto& headers = recording_.pairs[i].request_headers;
    return basic_time(headers.get(date_header(headers)));
  };
  const auto own = time_of(index);
  if (!own) return {};
  std::vector<std::chrono::sys_seconds> around;
  for (std::size_t i = index, count = 0; i-- > 0 && count < 3;)
    if (const auto time = time_of(i)) around.push_back(*time), ++count;
  for (std::size_t i = index + 1, count = 0; i < recording_.pairs.size() && count < 3; ++i)
    if (const auto time = time_of(i)) around.push_back(*time), ++count;
  if (around.empty()) return {};
  std::ranges::sort(around);
  const auto skew = *own - around[around.size() / 2];
  return skew > std::chrono::minutes{2} || skew < -std::chrono::minutes{2} ? skew : std::chrono::seconds{0};
}

std::string Replay::live_target(const Pair& pair) const {
  auto target = mapping_.translate(replaced(pair.target));
  for (const std::string_view name : {"created_after=", "updated_after="}) {
    const auto at = target.find(name);
    if (at == std::string::npos) continue;
    const auto start = at + name.size();
    const auto end = std::min(target.find('&', start), target.size());
    const auto given = percent_decode(target.substr(start, end - start), true);
    const bool epoch = !given.empty() && given.find_first_not_of("0123456789") == std::string::npos;
    const auto recorded =
        epoch ? to_rfc3339(Timestamp{std::chrono::milliseconds{std::stoll(given)}}).substr(0, 26) : given;
    if (!parse_rfc3339(recorded)) continue;
    auto moment = mapping_.live_moment(recorded);
    if (moment == recorded) continue;
    if (epoch)
      moment = std::to_string(
          std::chrono::duration_cast<std::chrono::milliseconds>(parse_rfc3339(moment)->time_since_epoch()).count());
    target.replace(start, end - start, percent_encode(moment));
  }
  return target;
}

/// Signs anew what was signed well, and badly what was signed badly.
std::string Replay::live_authorization(const Pair& pair, const WireRequest& live,
                                       std::vector<std::string>& notes) const {
  const std::string recorded{pair.request_headers.get("Authorization")};
  if (recorded.starts_with("Basic ")) return "Basic " + to_base64(replaced(decode_base64(recorded.substr(6))));
  const auto line = read_line(recorded);
  if (!line) return mapping_.translate(recorded);
  std::string secret(64, '0');  // Certainly wrong.
  auto style = QueryStyle::as_sent;
  const auto known = secrets_.find(line->client);
  const Signable was{pair.method, pair.target, pair.request_headers, pair.body};
  bool valid = false;
  if (known != secrets_.end())
    for (const auto& candidate : known->second)
      for (const auto candidate_style : {QueryStyle::as_sent, QueryStyle::without_blanks})
        if (!valid && sign(*line, was, candidate, candidate_style) == line->signature) {
          valid = true;
          style = candidate_style;
          secret = mapping_.live(candidate).value_or(secret);
        }
  if (!valid && !pair.body_doubt.empty() && known != secrets_.end() && pair.status < 400) {
    secret = mapping_.live(known->second.back()).value_or(secret);  // It was accepted, so it was valid.
    valid = true;
  }
  if (!valid && pair.status < 400)
    notes.emplace_back("its recorded signature does not fit, yet the original accepted it");
  auto fresh = *line;
  fresh.client = mapping_.translate(line->client);
  const auto recorded_date = pair.request_headers.get(date_header(pair.request_headers));
  const auto live_date = live.headers.get(date_header(live.headers));
  if (recorded_date.substr(0, 8) == line->date && live_date.size() >= 8) fresh.date = live_date.substr(0, 8);
  const Signable now{live.method, live.target, live.headers, live.body};
  return fresh.scheme + " Credential=" + fresh.client + "/" + fresh.date + "/" + fresh.scope +
         ", SignedHeaders=" + fresh.signed_headers + ", Signature=" + sign(fresh, now, secret, style);
}

WireRequest Replay::live_request(const Pair& pair, std::size_t index, std::vector<std::string>& notes) const {
  WireRequest live;
  live.method = pair.method;
  live.target = live_target(pair);
  live.body = pair.body_is_text ? mapping_.translate(replaced(pair.body)) : pair.body;
  const bool chunked = equal_ignoring_case(pair.request_headers.get("Transfer-Encoding"), "chunked");
  const auto now =
      std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now()) + skew_of(index);
  for (const auto& [name, value] : pair.request_headers) {
    if (equal_ignoring_case(name, "Host"))
      live.headers.add(name, target_.host + ":" + std::to_string(target_.port));
    else if (equal_ignoring_case(name, "Content-Length"))
      live.headers.add(name, std::to_string(live.body.size()));
    else if (equal_ignoring_case(name, "x-dci-date") || equal_ignoring_case(name, "x-amz-date"))
      live.headers.add(name, basic_time(value) ? to_basic_utc(now) : value);
    else if (!equal_ignoring_case(name, "Connection") && !equal_ignoring_case(name, "Accept-Encoding"))
      live.headers.add(name, mapping_.translate(replaced(value)));
  }
  if (!live.headers.has("Host")) live.headers.add("Host", target_.host + ":" + std::to_string(target_.port));
  if (!chunked && !live.body.empty() && !live.headers.has("Content-Length"))
    live.headers.add("Content-Length", std::to_string(live.body.size()));
  if (live.headers.has("Authorization")) live.headers.set("Authorization", live_authorization(pair, live, notes));
  if (!pair.body_doubt.empty()) notes.push_back(pair.body_doubt);
  return live;
}

void Replay::remember_secrets(const json::value& answer, std::string_view type) {
  if (answer.is_array())
    for (const auto& element : answer.as_array()) remember_secrets(element, type);
  if (!answer.is_object()) return;
  const auto& object = answer.as_object();
  const auto *id = object.if_contains("id"), *secret = object.if_contains("api_secret");
  if (id && secret && id->is_string() && secret->is_string() && (type == "remoteci" || type == "feeder")) {
    auto& known = secrets_[std::string{type} + "/" + std::string{id->as_string()}];
    const std::string text{secret->as_string()};
    std::erase(known, text);
    known.push_back(text);
  }
  for (const auto& [name, element] : object) remember_secrets(element, name);
}

Outcome Replay::run(std::size_t index) {
  const auto& pair = recording_.pairs[index];
  const auto after = [&](Outcome outcome) {
    collect_ids(pair.answer, seen_ids_);
    remember_secrets(pair.answer, "");
    return outcome;
  };
  if (const auto reason = reason_to_skip(pair); !reason.empty()) return {Outcome::Kind::skipped, {reason}};
  std::vector<std::string> notes;
  const auto request = live_request(pair, index, notes);
  const auto answer = exchange(target_.host, target_.port, request);
  if (!answer) return after({Outcome::Kind::failed, {answer.error().message}});
  Pair expected = pair;
  if (!replacements_.empty()) {
    if (!pair.answer.is_null()) expected.answer = json::parse(replaced(json::serialize(pair.answer)));
    if (pair.answer_text) expected.answer_text = replaced(*pair.answer_text);
  }
  auto verdict = comparison_.compare(expected, *answer, gaps_[index]);
  if (!verdict.differences.empty()) return after({Outcome::Kind::failed, std::move(verdict.differences)});
  std::ranges::move(verdict.notes, std::back_inserter(notes));
  return after({Outcome::Kind::passed, std::move(notes)});
}

}  // namespace outpost::replay
