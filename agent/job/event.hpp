#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/result.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace outpost::job {

using Seq = std::uint64_t;

/// Bytes of a file in the job's directory. The file is written and synced before an event names it.
struct Blob {
  struct Range { std::uint64_t offset = 0; };
  std::string path;  ///< Relative to the job's directory.
  std::string sha256;
  std::uint64_t size = 0;  ///< Bytes of this blob: of the range, when there is one.
  std::string mime;
  std::string codec;  ///< "" or "zstd".
  std::optional<Range> range;  ///< The blob is `size` bytes from this offset, not the whole file.
};

struct Claim {
  std::string source;        ///< The source instance.
  std::string external_ref;  ///< What the source calls the job.
  std::string fence;         ///< Grows with every claim of the same work, where the source has such a thing.
};

struct Link { std::string type, target; };
struct Subject { std::string purl, digest; };

/// One fact about a job or the agent. Version 1: additive from here on; unknown fields are kept; events on disk are
/// never rewritten. The journal fills in everything down to `agent_version`.
struct Event {
  std::string journal_id;  ///< New after a quarantine or a restore, so that readers notice.
  Seq seq = 0;             ///< 1, 2, 3... without gaps within one journal_id.
  std::string event_id;    ///< UUIDv7
  Timestamp occurred_at{};
  std::string boot_id;
  std::int64_t monotonic_ns = 0;  ///< Since boot.
  std::string host_id;
  std::string agent_version;

  std::string type;  ///< A name of event_types.hpp.
  int type_version = 1;
  std::string actor = "agent";  ///< agent | plugin@digest | source | uid
  std::string job_id;           ///< Ours, never a server's.
  std::string pipeline_run_id;
  std::string step_id;
  int attempt = 1;
  std::string causation_id;
  std::string chain_id;
  std::vector<Link> links;
  std::string traceparent;
  std::optional<Claim> claim;
  std::optional<Subject> subject;
  std::vector<Blob> blobs;
  boost::json::object data;
  boost::json::object unknown;  ///< Fields of a newer version, kept as they were.
};

[[nodiscard]] boost::json::object to_json(const Event& event);
/// malformed when a field has the wrong type.
[[nodiscard]] Result<Event> event_from_json(const boost::json::value& json);

/// The text at `key`, or "" when there is none.
[[nodiscard]] std::string text_at(const boost::json::object& object, std::string_view key);
/// The whole number at `key`, or `otherwise`.
[[nodiscard]] std::int64_t number_at(const boost::json::object& object, std::string_view key, std::int64_t otherwise = 0);
[[nodiscard]] bool flag_at(const boost::json::object& object, std::string_view key);
[[nodiscard]] std::vector<std::string> texts_at(const boost::json::object& object, std::string_view key);

}  // namespace outpost::job
