#pragma once

#include "agent/config/window.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// What outpost.yml says, checked, with every default filled in. Paths are absolute (relative ones count from the
/// directory of outpost.yml). How the file is written: README.md here.
namespace outpost::config {

using std::chrono::milliseconds;

/// Where a secret is read from; never the secret itself. Both empty: not configured.
struct SecretSource {
  std::filesystem::path file;
  std::string credential;  ///< The name of a file in $CREDENTIALS_DIRECTORY (systemd LoadCredential=).

  [[nodiscard]] bool empty() const { return file.empty() && credential.empty(); }
  friend bool operator==(const SecretSource&, const SecretSource&) = default;
};

/// One instance of a control server. Keys that only its type knows are in `options`.
struct Source {
  std::string name;
  std::string type;          ///< "dci"...
  std::string url;           ///< http:// or https://, without a trailing slash; empty: what the credentials say.
  SecretSource credentials;  ///< dcirc.sh, dci_credentials.yml or another file of that kind.
  std::string client_id;     ///< Instead of `credentials`, together with `api_secret`.
  SecretSource api_secret;   ///< The key `api_secret_file`.
  milliseconds poll{std::chrono::seconds{30}};               ///< 1 s to 1 d.
  milliseconds idle_timeout{std::chrono::seconds{60}};  ///< Without a byte; 100 ms to 1 h. Large files get more.
  milliseconds slow_window{std::chrono::seconds{60}};   ///< Below 1000 bytes a second for so long; 100 ms to 1 h.
  milliseconds credentials_retry{std::chrono::minutes{20}};  ///< Between tries with refused credentials; 100 ms to 1 d.
  std::string ca_file, client_certificate, client_key;       ///< PEM files; empty: the system's, none, none.
  std::string proxy;                                         ///< Empty: none. It may hold a password: never print it.
  std::string no_proxy;                                      ///< "localhost,.example.org,10.0.0.0/8"
  std::optional<std::uint64_t> upload_limit;  ///< The largest file the server takes, in bytes; unset: learned.
  bool allow_local_redirects = false;         ///< Downloads may be redirected to loopback and link-local addresses.
  /// Checked against the OptionSpecs of the type: durations are whole milliseconds, sizes bytes, files absolute paths.
  boost::json::object options;
  friend bool operator==(const Source&, const Source&) = default;
};

/// What to do with components that were there before the first start.
enum class Backlog { newest, none, all };

/// How steps are run: as units of systemd with users, limits and sandboxes of their own, or as children of the agent.
enum class Runner { automatic, systemd, local };

struct Limits {
  std::optional<std::uint64_t> memory;  ///< Bytes.
  std::optional<std::uint64_t> tasks;   ///< Processes and threads at once.
  std::optional<unsigned> cpu_percent;  ///< Of one processor.

  friend bool operator==(const Limits&, const Limits&) = default;
};

/// Which plugins may have the machine restarted in the middle of a job.
struct Reboots {
  std::vector<std::string> plugins;  ///< None: no plugin.
  unsigned limit = 3;                ///< So often in one job.

  friend bool operator==(const Reboots&, const Reboots&) = default;
};

struct Job {
  std::string name;
  bool enabled = true;
  bool block_shutdown = false;  ///< While it runs the machine refuses to be shut down.
  bool download = true;  ///< Its components are brought before pre-run.
  bool unpack = true;    ///< Archives among them are unpacked.
  std::string source;  ///< Exists in Settings::sources.
  std::string topic;
  /// Selections in the order of the file: strings ("ocp?tags:build:nightly") or objects ({type, tags, max_age...},
  /// every scalar in them a string as it was written, but true and false). The source's type reads them.
  boost::json::array components;
  Backlog backlog = Backlog::newest;
  std::vector<Window> windows;                   ///< None: always.
  std::vector<std::string> resources;            ///< Exist in Settings::resources.
  std::vector<std::string> plugins;              ///< Folders in Settings::plugins_path, in this order.
  /// What its plugins are configured with: the key of the file, and the job's own laid over it.
  std::map<std::string, boost::json::object> plugin_config;
  milliseconds timeout{std::chrono::hours{24}};  ///< From the claim to the verdict.
  milliseconds grace{std::chrono::seconds{30}};  ///< Between SIGTERM and SIGKILL of a step.
  std::string profile;                           ///< Of the sandbox of its steps; empty: the default.
  Limits limits;                                 ///< Of each of its steps.
  Reboots reboots;
  std::vector<std::string> reporters;            ///< Names of sources; when the key is absent: the job's own source.
  std::string configuration, comment, url;       ///< Told to the server with the job.
  std::vector<std::string> tags;
  std::map<std::string, double> key_values;
  friend bool operator==(const Job&, const Job&) = default;
};

/// A lab machine or cluster that one job holds at a time.
struct Resource {
  std::string name;
  std::vector<std::string> hosts;
  friend bool operator==(const Resource&, const Resource&) = default;
};

/// One release of a package builder, whose hashes are promoted again and again: what `outpost promote` does once.
struct Promotion {
  std::string name;
  std::filesystem::path config;   ///< Of the release, as `outpost promote --config` takes it.
  std::filesystem::path waivers;  ///< Empty: waivers.yml beside it.
  SecretSource credentials;       ///< Variables of its environment, as shell assignments: DLRNAPI_PASSWORD=...
  milliseconds every{std::chrono::minutes{10}};  ///< From the end of a run to the next; 1 s to 7 d.
  milliseconds timeout{std::chrono::hours{4}};   ///< Of a run; 1 s to 7 d. What it has begun the next one goes on with.
  friend bool operator==(const Promotion&, const Promotion&) = default;
};

/// What may wait for a server, and how fast it goes. A tenth of the file system is the limit when that is less.
struct Spool {
  unsigned uploads = 4;  ///< Items that are on their way to one server at once; 1 to 32.
  // How soon what did not get through is tried again. Each pause is a random part of its limit, which doubles.
  milliseconds retry_first{std::chrono::seconds{1}};    ///< 10 ms to 1 h.
  milliseconds retry_longest{std::chrono::minutes{5}};  ///< Not less than `retry_first`; to 1 d.
  milliseconds link_back{std::chrono::seconds{5}};      ///< All that waits is tried within this once the server answers.
  std::uint64_t limit = 5ULL << 30;        ///< Bytes of logs and results that still have to reach a server.
  std::uint64_t artifacts = 20ULL << 30;   ///< Bytes of artifacts.
  std::optional<std::uint64_t> bandwidth;  ///< Bytes a second, all uploads together; unset: unlimited.
  friend bool operator==(const Spool&, const Spool&) = default;
};

struct Downloads {
  std::uint64_t limit = 100ULL << 30;         ///< Bytes of one component.
  std::uint64_t cache_limit = 50ULL << 30;    ///< Bytes; 0: nothing is kept.
  std::uint64_t unpack_bytes = 200ULL << 30;  ///< Of one archive, unpacked.
  std::uint64_t unpack_entries = 1'000'000;
  double unpack_ratio = 200;  ///< Unpacked to packed size.
  friend bool operator==(const Downloads&, const Downloads&) = default;
};

struct Alarms {
  std::string webhook;               ///< Gets a POST with JSON; empty: none.
  std::vector<std::string> command;  ///< An argument vector, no shell; the alarm's text is its standard input.
  std::optional<milliseconds> no_component_after;  ///< Unset: no such alarm.
  friend bool operator==(const Alarms&, const Alarms&) = default;
};

struct Logs {
  std::uint64_t step_limit = 1ULL << 30;              ///< Bytes kept of one step's output; a gap marker stands for the rest.
  std::uint64_t segment_size = 4ULL << 20;            ///< Bytes of raw output that are compressed together.
  milliseconds segment_age{std::chrono::minutes{1}};  ///< They wait no longer for more.
  milliseconds live_first{std::chrono::seconds{2}};   ///< From the start of a step to the first piece that is sent.
  milliseconds live_longest{std::chrono::minutes{1}};  ///< What the interval grows to.
  unsigned live_pieces = 200;                         ///< Of a running step; the rest is one piece at its end.
  friend bool operator==(const Logs&, const Logs&) = default;
};

/// How long ended jobs are kept, in the journal and as directories: until the first of these is reached.
struct History {
  std::size_t jobs = 500;                   ///< The newest so many.
  milliseconds age{std::chrono::days{90}};  ///< Since the end of the job.
  std::uint64_t size = 20ULL << 30;         ///< Bytes of all their directories together.
  friend bool operator==(const History&, const History&) = default;
};

/// The file system of the state directory.
struct Disk {
  std::uint64_t keep_free = 256ULL << 20;   ///< Bytes; with less nothing is claimed.
  std::uint64_t reserve = 64ULL << 20;      ///< Bytes of a file that is given up when nothing else is left; 0: none.
  milliseconds check{std::chrono::seconds{30}};  ///< Between two looks.
  friend bool operator==(const Disk&, const Disk&) = default;
};

/// The page and the API on TCP, beside the unix socket.
struct Dashboard {
  std::string host;  ///< An address of the loopback, "127.0.0.1" or "::1"; empty: not on TCP.
  std::uint16_t port = 0;
  bool actions = false;  ///< Whether the page may change something.
  friend bool operator==(const Dashboard&, const Dashboard&) = default;
};

/// A collector that gets traces and figures as OTLP over HTTP.
struct Otlp {
  std::string url;       ///< Without a trailing slash; empty: nobody gets them.
  SecretSource headers;  ///< Lines "Name: value" for every request.
  bool traces = true, metrics = true;
  milliseconds interval{std::chrono::seconds{60}};      ///< Between two times that figures are sent; 1 s to 1 d.
  std::string ca_file, client_certificate, client_key;  ///< PEM files; empty: the system's, none, none.
  std::string proxy;                                    ///< Empty: none. It may hold a password: never print it.
  std::string no_proxy;
  friend bool operator==(const Otlp&, const Otlp&) = default;
};

/// Each slot has a user; the agent's own hooks (agent-start, agent-stop, health) have the last one.
inline constexpr unsigned most_slots = 63, agent_slot = 64;

struct Settings {
  std::map<std::string, Source> sources;
  std::vector<Job> jobs;  ///< In the order of the files; names are unique.
  std::map<std::string, Resource> resources;
  std::map<std::string, SecretSource> secrets;
  std::map<std::string, Promotion> promotions;
  unsigned slots = 1;  ///< 1 to most_slots.
  Runner runner = Runner::automatic;
  Spool spool;
  Downloads downloads;
  Alarms alarms;
  Logs logs;
  History history;
  Disk disk;
  milliseconds health_interval{std::chrono::seconds{60}};  ///< Between two checks; 1 s to 1 d.
  std::vector<std::string> capabilities;                   ///< What plugins can require of this site, by the site's word.
  Dashboard dashboard;
  Otlp otlp;
  std::vector<std::filesystem::path> plugins_path{"/etc/outpost/plugins.d", "/usr/share/outpost/plugins"};
  std::filesystem::path state_directory = "/var/lib/outpost";
  std::filesystem::path runtime_directory = "/run/outpost";
  friend bool operator==(const Settings&, const Settings&) = default;
};

}  // namespace outpost::config
