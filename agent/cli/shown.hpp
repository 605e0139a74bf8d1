#pragma once

#include <boost/json/object.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace outpost::cli {

// How parts of the daemon's answers are shown to people.

/// A part of an answer; an empty one when it is not there, as in those of older daemons.
[[nodiscard]] const boost::json::object& object_at(const boost::json::object& object, std::string_view key);

/// How long a moment (RFC 3339) is gone: "3min 12s"; "unknown" for none.
[[nodiscard]] std::string age(const std::string& moment);
/// "3min 12s ago"; "never" for no moment.
[[nodiscard]] std::string ago(const std::string& moment);

/// A number of bytes: "1.5MiB".
[[nodiscard]] std::string size_at(const boost::json::object& object, std::string_view key);

/// "1 item", "7 items".
[[nodiscard]] std::string counted(std::uint64_t count, const std::string& what);

/// Prints a JSON document for programs: the object with the name and version of its schema, which outpost(1) describes.
void print_document(std::string_view schema, const boost::json::object& content);

}  // namespace outpost::cli
