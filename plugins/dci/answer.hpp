#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/result.hpp"
#include "agent/http/client.hpp"

#include <boost/json/value.hpp>

#include <chrono>
#include <optional>
#include <string>

namespace outpost::dci {

/// What a request was for, as far as judging its answer needs it.
struct Expectation {
  std::string what;        ///< "POST /api/v1/jobstates", for messages.
  std::string key;         ///< The member that a good answer's JSON object has ("jobstate"); empty: no body is due.
  bool rows = false;       ///< It is a list of rows instead of an object.
  std::string host;        ///< As it was signed.
  std::string client;      ///< "remoteci/<uuid>"
  Timestamp sent_at{};     ///< By our clock.
  std::uint64_t size = 0;  ///< Bytes of the request's body.
  std::chrono::milliseconds took{0};  ///< From sent_at to the answer, by a clock that nobody sets.
};

/// What an answer means to whoever asked. DCI's statuses do not say it by themselves (protocol §9, §13).
enum class Meaning {
  ok,
  retry_later,      ///< Network, 5xx, 429, and everything that DCI itself would not say (a portal's page).
  fix_credentials,  ///< Wrong signature or clock (a 400!), unknown identity, inactive team, 403, TLS: a person must
                    ///< act.
  refused,          ///< This request will never be accepted.
  gone,             ///< 404: absent, archived, another team's, or a stale If-Match.
  duplicate,        ///< 409
  too_large,        ///< 413
  too_slow,         ///< It was on its way for longer than its signature is valid.
};

struct Judged {
  Meaning meaning = Meaning::ok;
  std::string message;  ///< One line for a person: what was asked, what came back, what to do.
  std::optional<std::chrono::milliseconds> wait;  ///< Retry-After.
  bool unsent = false;  ///< There was no request: an earlier Retry-After still holds the endpoint back.
};

/// An answer, read with suspicion: the status counts, the body is JSON only if it parses.
struct Answer {
  int status = 0;
  http::Headers headers;
  boost::json::value json;  ///< null when the body was not JSON. Secrets of the server's rows are already out of it.
  bool has_body = false;
  std::string words;  ///< What the server says went wrong, printable, at most 300 bytes; "" when it says nothing.

  /// The object at `key`, or nullptr.
  [[nodiscard]] const boost::json::object* object(std::string_view key) const;
  /// The same, empty when there is none.
  [[nodiscard]] const boost::json::object& row(std::string_view key) const;
  /// The list at `key`; empty when there is none.
  [[nodiscard]] const boost::json::array& list(std::string_view key) const;
};

/// `secret` is taken out of the server's words, should it ever repeat it.
[[nodiscard]] Answer read_answer(http::Response response, std::string_view secret);

[[nodiscard]] Judged judge(const Answer& answer, const Expectation& expected);
/// The same for a request that got no answer.
[[nodiscard]] Judged judge(const Error& error, const Expectation& expected);

/// How far the server's clock is ahead of ours, by the answer's Date, which is in whole seconds; 0 while it lies between
/// the question and the answer.
[[nodiscard]] std::optional<std::chrono::seconds> clock_ahead(const http::Headers& headers, Timestamp sent, Timestamp received);

/// For the source port: retry_later and credentials stay what they are, everything else is refused.
[[nodiscard]] Error to_error(const Judged& judged);

}  // namespace outpost::dci
