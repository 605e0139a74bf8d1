#include "plugins/dlrn/answer.hpp"

#include "agent/base/text.hpp"
#include "agent/http/page_title.hpp"
#include "agent/http/retry_after.hpp"
#include "agent/job/event.hpp"

#include <boost/json/parse.hpp>
#include <boost/throw_exception.hpp>

#include <stdexcept>

namespace outpost::dlrn {
namespace {

namespace json = boost::json;

constexpr std::size_t words_limit = 300;

/// What the server says went wrong; "" when it says nothing.
std::string words_of(const json::value& value, const std::string& body) {
  std::string words = value.is_object() ? job::text_at(value.get_object(), "message") : std::string{http::page_title(body)};
  if (words.empty() && body == "Unauthorized Access") words = body;
  return printable(words, words_limit);
}

}  // namespace

void throw_exception_from_error(const Failure& failure, const boost::source_location& where) {
  boost::throw_exception(std::logic_error("value() of a failure: " + failure.message), where);
}

Error to_error(const Failure& failure) {
  switch (failure.meaning) {
    case Meaning::retry_later: return {Fault::retry_later, failure.message};
    case Meaning::fix_credentials: return {Fault::credentials, failure.message};
    default: return {Fault::refused, failure.message};
  }
}

Answer<json::value> judge(const http::Response& response, const Asked& asked) {
  boost::system::error_code not_json;
  json::value value = response.body.empty() ? json::value{} : json::parse(response.body, not_json);
  if (not_json) value = nullptr;
  const bool structured = value.is_object() || value.is_array();

  Failure failure;
  failure.status = response.status;
  const std::string words = words_of(value, response.body);
  failure.message = asked.what + ": " + std::to_string(response.status) + (words.empty() ? "" : " " + words);
  const std::string who = asked.user.empty() ? "nobody (credentials are not configured)" : asked.user;
  switch (response.status) {
    case 200:
    case 201:
      if (structured) return value;
      failure.message += ", but not what a builder answers: is this the base of its API, and nothing in between?";
      failure.uncertain = asked.changes;
      return failure;
    case 401:
      failure.meaning = Meaning::fix_credentials;
      failure.message += ": asked as " + who + "; is this user known there, are password or ticket right, and does the builder take this way of signing in?";
      return failure;
    case 403:
      if (structured) {
        failure.meaning = Meaning::forbidden;
      } else {
        failure.meaning = Meaning::fix_credentials;
        failure.message += ": " + who + " is not in a group that may do this";
      }
      return failure;
    case 400:
    case 415: failure.meaning = Meaning::refused; return failure;
    case 404:
    case 405:
      failure.meaning = Meaning::refused;
      failure.message += ": there is no such call at this address; is the url the base of the builder's API?";
      return failure;
    case 409: failure.meaning = Meaning::conflict; return failure;
    case 410:
      failure.meaning = Meaning::gone;
      failure.message += ": the build's directory was purged from the builder";
      return failure;
    default: break;
  }
  // The builder uses no redirects: these come from something in between, like 407.
  failure.wait = http::retry_after(response.headers, asked.sent_at);
  failure.uncertain = asked.changes && response.status >= 500;
  return failure;
}

Failure judge(const Error& error, const Asked& asked) {
  Failure failure;
  // The client refuses for TLS only; nothing gets through until a person has looked at it.
  failure.meaning = error.fault == Fault::refused ? Meaning::fix_credentials : Meaning::retry_later;
  failure.message = asked.what + ": " + error.message;
  failure.uncertain = asked.changes && failure.meaning == Meaning::retry_later;
  return failure;
}

}  // namespace outpost::dlrn
