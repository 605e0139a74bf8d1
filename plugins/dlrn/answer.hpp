#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/result.hpp"
#include "agent/http/client.hpp"

#include <boost/json/value.hpp>

#include <chrono>
#include <optional>
#include <string>

namespace outpost::dlrn {

/// What a builder's refusal means to whoever asked. Only the status counts: the texts change between versions, and half of
/// the error bodies are pages.
enum class Meaning {
  retry_later,      ///< Network, 429, 5xx, and everything that a builder itself would not say (a portal's page).
  fix_credentials,  ///< 401, a 403 without JSON (the wrong group of a Kerberos user), TLS: a person must act.
  refused,          ///< 400 (also: no such build that succeeded), 404, 405, 415: this request will never be accepted.
  forbidden,        ///< 403 with JSON: a label that nobody may write.
  conflict,         ///< 409: the last build of the package succeeded.
  gone,             ///< 410: the build's directory was purged.
};

/// Why a request did not do what it was sent for.
struct Failure {
  Meaning meaning = Meaning::retry_later;
  int status = 0;       ///< 0: there was no answer.
  std::string message;  ///< One line for a person: what was asked, what came back, what to do.
  /// It would have changed something, and perhaps it has: read before sending it again, because nothing here is
  /// idempotent.
  bool uncertain = false;
  std::optional<std::chrono::milliseconds> wait;  ///< Retry-After.
};

template <class T>
using Answer = boost::system::result<T, Failure>;

/// Found by boost::system::result when value() is called on a failure: always a bug in the caller.
[[noreturn]] void throw_exception_from_error(const Failure& failure, const boost::source_location& where);

/// The same in the words of the ports. malformed never comes: what nobody can read may be a portal's page.
[[nodiscard]] Error to_error(const Failure& failure);

/// A request, as far as judging its answer needs it.
struct Asked {
  std::string what;        ///< "POST /api/promote", for messages.
  bool changes = false;    ///< A POST that writes a row.
  std::string user;        ///< Who asks, for messages; empty: nobody.
  Timestamp sent_at{};     ///< By our clock.
};

/// The JSON of a good answer, or why there is none.
[[nodiscard]] Answer<boost::json::value> judge(const http::Response& response, const Asked& asked);
/// For a request that got no answer.
[[nodiscard]] Failure judge(const Error& error, const Asked& asked);

}  // namespace outpost::dlrn
