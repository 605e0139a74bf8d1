#include "plugins/dci/answer.hpp"

#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/http/page_title.hpp"
#include "agent/http/retry_after.hpp"
#include "agent/job/event.hpp"
#include "plugins/dci/documents.hpp"
#include "plugins/dci/signing.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

#include <algorithm>

namespace outpost::dci {
namespace {

namespace json = boost::json;
using std::chrono::milliseconds;

constexpr std::size_t words_limit = 300;

std::string shortened(std::string text) {
  if (text.size() <= words_limit) return text;
  std::size_t end = words_limit - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // Not inside a character.
  return text.substr(0, end) + "...";
}

std::string words_of(const json::value& value, const std::string& body) {
  if (!value.is_object()) return std::string{http::page_title(body)};
  std::string words = job::text_at(value.get_object(), "message");
  if (const auto* payload = value.get_object().if_contains("payload"); payload && payload->is_object())
    if (const std::string error = job::text_at(payload->get_object(), "error"); !error.empty()) words += ": " + error;
  return words.empty() ? job::text_at(value.get_object(), "error") : words;
}

bool contains(const std::string& text, std::string_view part) { return to_lower(text).find(part) != std::string::npos; }

/// Our time when the answer came.
Timestamp answered_at(const Expectation& expected) { return expected.sent_at + expected.took; }

/// How far the server's clock is from ours, if the answer says it.
std::optional<milliseconds> skew(const Answer& answer, const Expectation& expected) {
  const auto date = parse_http_date(answer.headers.get("Date"));
  if (!date) return std::nullopt;
  return std::chrono::duration_cast<milliseconds>(*date - answered_at(expected));
}

bool is_too_far(std::optional<milliseconds> apart) {
  constexpr std::chrono::seconds margin{30};
  return apart && (*apart > clock_window - margin || *apart < margin - clock_window);
}

/// The server looks at the signature's age when the last byte has come. A large file on a slow line, and clocks that
/// agree: nothing is wrong with the credentials.
bool was_too_slow(const Answer& answer, const Expectation& expected) {
  const auto apart = skew(answer, expected);
  const auto age = expected.took + apart.value_or(milliseconds{0});
  return contains(answer.words, "expired") && expected.took >= std::chrono::minutes{1} && !is_too_far(apart) &&
         age > clock_window - std::chrono::seconds{30};
}

/// Only downloads are redirected by DCI. What else sends a request elsewhere stands in front of it, or is the right
/// address for a wrong one (http for https).
std::string where_to(const Answer& answer) {
  const std::string_view location = answer.headers.get("Location");
  if (answer.status < 300 || answer.status > 399 || location.empty()) return "";
  return ": sent on to " + printable(location.substr(0, location.find('?')), 200) +
         ", which the control server itself never does; if that is its address, write it as the url";
}

std::string clocks(const Answer& answer, Timestamp sent_at, milliseconds apart) {
  const milliseconds distance = apart.count() < 0 ? -apart : apart;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(apart).count();
  return "clock skew " + std::to_string(seconds) + " s: this machine's clock says " + to_rfc3339(sent_at) +
         ", the server's " + std::string{answer.headers.get("Date")} + ": " + format_duration(distance) +
         " apart, and a signature is valid for " + std::to_string(clock_window.count()) +
         " min; set the clock (timedatectl set-ntp true)";
}

std::string signature_advice(const Answer& answer, const Expectation& expected) {
  const auto apart = skew(answer, expected);
  if (is_too_far(apart)) return clocks(answer, answered_at(expected), *apart);
  if (contains(answer.words, "expired"))
    return apart ? "the clocks agree now (this machine's " + to_rfc3339(answered_at(expected)) + ", the server's " +
                       std::string{answer.headers.get("Date")} + "): was the request held up, or the clock just set?"
                 : "the clocks of this machine (" + to_rfc3339(answered_at(expected)) +
                       ") and of the server are more than " + std::to_string(clock_window.count()) +
                       " min apart; the server does not say its time";
  if (contains(answer.words, "headers")) return "something between here and the server removes request headers";
  return "is the API secret of " + expected.client +
         " right, and does no proxy rewrite the Host header (signed: " + printable(expected.host, 200) + ")?";
}

/// A 401 is both "who are you" and "not this": only the words tell.
bool is_about_identity(const Answer& answer) {
  if (!answer.json.is_object()) return true;  // Not DCI's own: a gateway wants a login.
  for (const std::string_view part : {"identity", "authorization header", "authorization scheme", "does not exists",
                                      "user credentials", "jwt", "token"})
    if (contains(answer.words, part)) return true;
  return false;
}

Judged judge_good(const Answer& answer, const Expectation& expected, const std::string& came) {
  if (expected.key.empty()) {
    if (!answer.has_body || answer.json.is_object()) return {};
  } else if (answer.json.is_object()) {
    const auto* member = answer.json.get_object().if_contains(expected.key);
    if (member && (expected.rows ? member->is_array() : member->is_object())) return {};
  }
  // A captive portal and a proxy's error page come with 200 too.
  return {Meaning::retry_later,
          came + ", but not what DCI answers: something between here and the server answered instead",
          {}};
}

/// Nothing is refused for good by a proxy's page: once that is gone the server itself may well agree.
Judged not_from_dci(const Answer& answer, const Expectation& expected, const std::string& came) {
  return {Meaning::retry_later, came + ": not what DCI answers: is there a proxy or a firewall in between?",
          http::retry_after(answer.headers, answered_at(expected))};
}

}  // namespace

const json::object* Answer::object(std::string_view key) const {
  if (!json.is_object()) return nullptr;
  const auto* value = json.get_object().if_contains(key);
  return value ? value->if_object() : nullptr;
}

const json::object& Answer::row(std::string_view key) const {
  static const json::object none;
  const auto* found = object(key);
  return found ? *found : none;
}

const json::array& Answer::list(std::string_view key) const {
  static const json::array none;
  if (!json.is_object()) return none;
  const auto* value = json.get_object().if_contains(key);
  return value && value->is_array() ? value->get_array() : none;
}

Answer read_answer(http::Response response, std::string_view secret) {
  Answer answer;
  answer.status = response.status;
  answer.headers = std::move(response.headers);
  answer.has_body = !response.body.empty();
  boost::system::error_code not_json;
  if (answer.has_body) {
    answer.json = json::parse(response.body, not_json);
    if (not_json) answer.json = nullptr;
  }
  strip_secrets(answer.json);
  std::string words = words_of(answer.json, response.body);
  if (!secret.empty()) words = replace_all(std::move(words), secret, "***");
  // A page's title often begins with the status, which stands before the words in any case.
  if (const std::string status = std::to_string(answer.status) + ' '; words.starts_with(status)) words.erase(0, status.size());
  answer.words = shortened(printable(words, 4 * words_limit));
  return answer;
}

Judged judge(const Answer& answer, const Expectation& expected) {
  const std::string came =
      expected.what + ": " + std::to_string(answer.status) +
      (answer.words.empty() ? answer.json.is_null() && answer.has_body ? " and not JSON" : "" : " " + answer.words);
  const bool from_dci = answer.json.is_object();
  switch (answer.status) {
    case 200:
    case 201:
    case 202:
    case 204: return judge_good(answer, expected, came);
    case 400:
      if (contains(answer.words, "hmacmechanism failed") && was_too_slow(answer, expected))
        return {Meaning::too_slow,
                came + ": " + format_size(expected.size) + " took " + format_duration(expected.took) +
                    ", and a signature is valid for " + std::to_string(clock_window.count()) +
                    " min; make it smaller, or the line faster (is spool.bandwidth too low?)",
                {}};
      if (contains(answer.words, "hmacmechanism failed"))
        return {Meaning::fix_credentials, came + ": " + signature_advice(answer, expected), {}};
      if (from_dci) return {Meaning::refused, came, {}};
      // DCI's own page is about JSON that it cannot read, and ours is whole when it leaves.
      return not_from_dci(answer, expected, came);
    case 401:
      if (is_about_identity(answer))
        return {Meaning::fix_credentials, came + ": is " + expected.client + " right, and active at the server?", {}};
      return {Meaning::refused, came + ": " + expected.client + " has no permission for this", {}};
    case 403:
      return {
          Meaning::fix_credentials,
          came + ": the control server never says this: is there a proxy or a firewall in between that forbids it to " +
              expected.client + "?",
          {}};
    case 404:
      if (from_dci) return {Meaning::gone, came, {}};
      // Ids are checked before they are sent, so this is no malformed uuid.
      return {Meaning::retry_later, came + ": there is no DCI API at this address; is the url right?", {}};
    case 409:
      if (from_dci) return {Meaning::duplicate, came, {}};
      return not_from_dci(answer, expected, came);
    case 412:
      if (!from_dci) return not_from_dci(answer, expected, came);
      if (to_lower(answer.words).starts_with("team "))
        return {Meaning::fix_credentials, came + ": ask the administrator of the control server", {}};
      return {Meaning::refused, came, {}};
    case 413:
      return {Meaning::too_large,
              came + ": " + format_size(expected.size) + " (" + std::to_string(expected.size) + " bytes) are too many",
              {}};
    default: break;
  }
  if (answer.status == 405 && from_dci) return {Meaning::refused, came, {}};
  // DCI uses no redirects (but for downloads): these come from something in between, like 407 and 5xx.
  return {Meaning::retry_later, came + where_to(answer), http::retry_after(answer.headers, answered_at(expected))};
}

Judged judge(const Error& error, const Expectation& expected) {
  // The client refuses for TLS only; nothing gets through until a person has looked at it.
  const Meaning meaning = error.fault == Fault::refused ? Meaning::fix_credentials : Meaning::retry_later;
  return {meaning, expected.what + ": " + error.message, {}};
}

std::optional<std::chrono::seconds> clock_ahead(const http::Headers& headers, Timestamp sent, Timestamp received) {
  const auto there = parse_http_date(headers.get("Date"));
  if (!there) return std::nullopt;
  const auto early = std::chrono::floor<std::chrono::seconds>(sent), late = std::chrono::ceil<std::chrono::seconds>(received);
  if (*there < early) return std::chrono::duration_cast<std::chrono::seconds>(*there - early);
  if (*there > late) return std::chrono::duration_cast<std::chrono::seconds>(*there - late);
  return std::chrono::seconds{0};
}

Error to_error(const Judged& judged) {
  switch (judged.meaning) {
    case Meaning::retry_later: return {Fault::retry_later, judged.message};
    case Meaning::fix_credentials: return {Fault::credentials, judged.message};
    default: return {Fault::refused, judged.message};
  }
}

}  // namespace outpost::dci
