#pragma once

#include "agent/base/result.hpp"
#include "agent/config/settings.hpp"
#include "agent/doctor/outside.hpp"

#include <boost/json/value.hpp>

#include <chrono>
#include <cstddef>
#include <string>

/// Questions to a configured control server by somebody who waits for the answer. Everything here blocks.
namespace outpost::daemon {

struct ServerQuestion {
  enum class About { identity, topic, topics, components, jobs };
  About about = About::identity;
  std::string topic;       ///< Its name: for topic and components; of these empty: of all.
  std::string type;        ///< Of the components; empty: all.
  std::size_t limit = 20;  ///< Rows; topics are all told.
};

/// The server's rows as they are, without its secrets: an object, or a list. retry_later: it does not answer;
/// credentials: it does not know us; refused: what was asked for is not there.
[[nodiscard]] Result<boost::json::value> ask_server(const config::Source& source, const ServerQuestion& question);

/// Asks a server who we are. Errors: the credentials or another file of the source cannot be used.
[[nodiscard]] Result<doctor::ServerAnswer> contact_server(const config::Source& source);

/// The source of this name; with "" the only one. malformed: which there are.
[[nodiscard]] Result<const config::Source*> source_named(const config::Settings& settings, const std::string& name);

}  // namespace outpost::daemon
