#pragma once

#include "agent/base/result.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace outpost::config {

/// What the value of an option may be, and as what it arrives in Source::options.
enum class OptionKind {
  text,      ///< A JSON string; numbers are taken as they are written (4.16 stays "4.16").
  boolean,   ///< true or false.
  integer,   ///< A 64-bit whole number.
  duration,  ///< "30s": whole milliseconds.
  size,      ///< "64KiB": bytes.
  url,       ///< http:// or https://
  file,      ///< An absolute path; a relative one counts from the directory of outpost.yml.
  texts,     ///< A list of strings.
};

/// A key that one type of source knows besides the common ones of config::Source.
struct OptionSpec {
  std::string name;
  OptionKind kind = OptionKind::text;
  bool required = false;
  std::string help;  ///< One sentence, shown when it is missing or wrong.
  /// Says what is wrong with the value of a text, beyond being one; may be empty.
  std::function<Result<void>(std::string_view)> check = {};
};

/// A type of source, told to the reader by the composition root.
struct SourceType {
  std::string type;  ///< The value of the key `type`: "dci".
  std::vector<OptionSpec> options;
  bool needs_credentials = true;  ///< Either `credentials`, or `client_id` with `api_secret_file`.
  /// Whether a source with these options does without them, because it signs in by other means; may be empty.
  std::function<bool(const boost::json::object& options)> signs_in_otherwise = {};
  /// Says what is wrong with the options together; may be empty.
  std::function<Result<void>(const boost::json::object& options)> check_options = {};
  bool needs_url = false;         ///< Even though the credentials may name the server.
  bool needs_topic = true;        ///< Its jobs need `topic`.
  bool needs_components = true;   ///< Its jobs need at least one of `components`.
  /// Says what is wrong with one of a job's `components` (a string or an object, see Job::components); may be empty.
  std::function<Result<void>(const boost::json::value&)> check_component = {};
};

}  // namespace outpost::config
