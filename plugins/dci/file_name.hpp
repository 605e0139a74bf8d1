#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// Names of files as the server keeps them: at most 255 characters of Latin-1, sent as one header value.
namespace outpost::dci {

/// The name as the server will show it: characters that Latin-1 lacks, control characters and spaces at the ends become
/// percent codes of their UTF-8 bytes; one that is too long loses its middle to a short hash, so that it stays unique
/// and the same in every run. UTF-8 in, UTF-8 out. Never empty.
[[nodiscard]] std::string stored_name(std::string_view name, std::size_t limit = 255);

/// The bytes of a stored name on the wire.
[[nodiscard]] std::string to_latin1(std::string_view stored);

/// "install/acme/install.log@000000004096": a piece of a log that begins at that byte. Twelve digits sort like numbers.
[[nodiscard]] std::string piece_name(std::string_view log, std::uint64_t offset);

/// Room that piece_name() needs behind the log's name.
inline constexpr std::size_t piece_suffix = 13;

/// What a file of that name is to the server (protocol §6), for those whose type nobody gave.
[[nodiscard]] std::string mime_of(std::string_view name);

/// A media type that can be a header value; "application/octet-stream" for what cannot.
[[nodiscard]] std::string safe_mime(std::string_view mime);

inline constexpr std::string_view junit_mime = "application/junit";
/// The server's user interface lists files of this type as the tasks of the job.
inline constexpr std::string_view task_mime = "application/x-ansible-output";

}  // namespace outpost::dci
