#pragma once

#include <boost/json/object.hpp>

#include <string>
#include <utility>

namespace outpost::sample {

/// What the original raises to answer with {"message","payload","status_code"}. Handlers of this double throw it too,
/// because the protocol is defined by where the original leaves a handler; ControlServer catches it.
struct ApiError {
  int status = 400;
  std::string message;
  boost::json::object payload;
};

/// An answer that is a page for people, not JSON: unmatched routes, wrong methods, large or undecodable bodies,
/// crashes.
struct PageError {
  int status = 500;
  std::string detail;  ///< For 400: the sentence of the page.
  std::string allow;   ///< For 405: the methods there are.
};

inline ApiError not_found(const std::string& singular) { return {404, singular + " not found", {}}; }
inline ApiError unauthorized() { return {401, "Operation not authorized.", {}}; }

/// What PostgreSQL says about a text that is not of a column's type; the original passes it on.
inline ApiError invalid_text(const std::string& type, const std::string& text) {
  return {400,
          "(psycopg2.errors.InvalidTextRepresentation) invalid input syntax for type " + type + ": \"" + text + "\"\n",
          {}};
}

}  // namespace outpost::sample
