#include "agent/config/decode.hpp"

#include "agent/base/text.hpp"
#include "agent/config/decode_job.hpp"
#include "agent/config/decode_source.hpp"

#include <algorithm>
#include <charconv>
#include <type_traits>

namespace outpost::config {

using namespace std::chrono_literals;

namespace {

/// Everything but sources and jobs, key by key.
class Decoder {
 public:
  Decoder(Reading& reading, const Node& root, std::span<const SourceType> source_types, std::vector<KnownKey>& known)
      : reading_{reading}, known_{known}, source_types_{source_types}, file_{reading, known, root, "", {}} {}

  Settings decode() {
    secrets();
    sources();
    resources();
    jobs();
    promotions();
    file_.read("slots", settings_.slots, as_integer, 1, most_slots);
    runner();
    spool();
    downloads();
    alarms();
    logs();
    history();
    disk();
    health();
    file_.texts("capabilities", settings_.capabilities);
    dashboard();
    metrics();
    plugins_path();
    file_.read("state_directory", settings_.state_directory, as_path);
    file_.read("runtime_directory", settings_.runtime_directory, as_path);
    file_.finish("x-");
    return std::move(settings_);
  }

 private:
  /// Calls `body` with each entry of a mapping of names and its fields. An entry that is wrong exists nevertheless, so
  /// that who refers to it is not blamed.
  template <class Value, class Body>
  void each_named(const std::string& key, std::map<std::string, Value>& entries, Body body) {
    Fields all = file_.child(key);
    for (const auto& item : all.node().items) {
      Node named = item;
      named.kind = Node::Kind::scalar;
      named.text = item.key;
      if (!as_name(reading_, named, key)) continue;
      Value& entry = entries[item.key];
      // A resource needs nothing but its name.
      if constexpr (std::is_same_v<Value, Resource>) {
        entry.name = item.key;
        if (item.kind == Node::Kind::null) continue;
      }
      if (item.kind != Node::Kind::map) {
        wrong_kind(reading_, item, key + "." + item.key, "a mapping (lines of \"key: value\")");
        continue;
      }
      Fields fields{reading_, known_, item, key + "." + item.key, {key, item.key}};
      body(item.key, entry, fields);
    }
  }

  void secrets() {
    each_named("secrets", settings_.secrets, [&](const std::string& name, SecretSource& secret, Fields& fields) {
      fields.read("file", secret.file, as_path);
      fields.read("credential", secret.credential, as_name);
      fields.finish();
      const bool has_file = fields.node().find("file") != nullptr,
                 has_credential = fields.node().find("credential") != nullptr;
      if (has_file == has_credential)
        reading_.problem(fields.node().origin, "secrets." + name, "either file or credential is due");
    });
  }

  void sources() {
    each_named("sources", settings_.sources, [&](const std::string& name, Source& source, Fields& fields) {
      source = decode_source(reading_, fields, source_types_, settings_.secrets);
      source.name = name;
    });
  }

  void resources() {
    each_named("resources", settings_.resources, [&](const std::string&, Resource& resource, Fields& fields) {
      fields.texts("hosts", resource.hosts);
      fields.finish();
    });
  }

  /// Each job takes of it what its plugins need.
  const Node* plugin_config() {
    const Node* configs = file_.take_list("plugin_config");
    if (configs == nullptr || configs->kind == Node::Kind::map) return configs;
    wrong_kind(reading_, *configs, "plugin_config", "a mapping (example: {acme-storage: {address: 192.0.2.10}})");
    return nullptr;
  }

  void check_plugin_config(const Node* configs) {
    std::vector<std::string> used;
    for (const auto& job : settings_.jobs) used.insert(used.end(), job.plugins.begin(), job.plugins.end());
    if (configs == nullptr) return;
    for (const auto& item : configs->items)
      if (std::find(used.begin(), used.end(), item.key) == used.end())
        reading_.problem(item.origin, "plugin_config", "no job runs a plugin " + quote(item.key) + suggestion(item.key, used));
  }

  void jobs() {
    const Node* configs = plugin_config();
    const Node* list = file_.take_list("jobs");
    if (list == nullptr) return;
    for (const auto& item : items_of(reading_, *list, "jobs", "lines of \"- name: ...\"")) {
      if (item.kind != Node::Kind::map) {
        wrong_kind(reading_, item, "jobs", "a mapping that starts with \"- name: ...\"");
        continue;
      }
      const Node* name_node = item.find("name");
      const auto name = name_node != nullptr ? as_name(reading_, *name_node, "jobs.name") : std::nullopt;
      Fields fields{reading_, known_, item, "jobs", {"jobs", name.value_or("?")}};
      (void)fields.take("name");
      known_.pop_back();  // A variable finds a job by its name, so it cannot change it.
      if (name_node == nullptr) fields.missing("name", "each job needs one");
      Job job = decode_job(reading_, fields, settings_, source_types_, configs);
      job.name = name.value_or("");
      settings_.jobs.push_back(std::move(job));
    }
    check_plugin_config(configs);
  }

  void promotions() {
    each_named("promotions", settings_.promotions, [&](const std::string& name, Promotion& promotion, Fields& fields) {
      promotion.name = name;
      fields.read("config", promotion.config, as_path);
      if (fields.node().find("config") == nullptr)
        fields.missing("config", "what `outpost promote --config` takes, example: config: promoter/" + name + ".yaml");
      fields.read("waivers", promotion.waivers, as_path);
      std::vector<KnownKey> not_settable;
      if (const Node* node = fields.take("credentials"))
        promotion.credentials =
            decode_secret(reading_, not_settable, *node, fields.label_of("credentials"), settings_.secrets);
      fields.read("every", promotion.every, as_duration, 1s, 24h * 7);
      fields.read("timeout", promotion.timeout, as_duration, 1s, 24h * 7);
      fields.finish();
    });
  }

  void runner() {
    const Node* node = file_.take("runner");
    const auto text = node != nullptr ? as_text(reading_, *node, file_.label_of("runner")) : std::nullopt;
    if (!text) return;
    if (*text == "auto") settings_.runner = Runner::automatic;
    else if (*text == "systemd") settings_.runner = Runner::systemd;
    else if (*text == "local") settings_.runner = Runner::local;
    else file_.problem("runner", quote(*text) + " is not one of auto, systemd and local" + suggestion(*text, {"auto", "systemd", "local"}));
  }

  void spool() {
    Fields fields = file_.child("spool");
    fields.read("limit", settings_.spool.limit, as_size, std::uint64_t{1} << 20);
    fields.read("artifacts", settings_.spool.artifacts, as_size, std::uint64_t{0});
    if (const Node* node = fields.take("bandwidth"))
      settings_.spool.bandwidth = bandwidth(*node, fields.label_of("bandwidth"));
    fields.read("uploads", settings_.spool.uploads, as_integer, 1, 32);
    fields.read("retry_first", settings_.spool.retry_first, as_duration, 10ms, 1h);
    fields.read("retry_longest", settings_.spool.retry_longest, as_duration, 10ms, 24h);
    fields.read("link_back", settings_.spool.link_back, as_duration, 10ms, 1h);
    if (settings_.spool.retry_longest < settings_.spool.retry_first)
      fields.problem("retry_longest", "it is less than retry_first");
    fields.finish();
  }

  std::optional<std::uint64_t> bandwidth(Node node, const std::string& label) {
    if (node.text == "unlimited") return std::nullopt;
    if (node.text.ends_with("/s")) node.text.resize(node.text.size() - 2);
    return as_size(reading_, node, label, 1024);
  }

  void downloads() {
    Fields fields = file_.child("downloads");
    fields.read("limit", settings_.downloads.limit, as_size, std::uint64_t{1});
    fields.read("cache_limit", settings_.downloads.cache_limit, as_size, std::uint64_t{0});
    Fields unpack = fields.child("unpack");
    unpack.read("bytes", settings_.downloads.unpack_bytes, as_size, std::uint64_t{1});
    unpack.read("entries", settings_.downloads.unpack_entries, as_integer, 1, 1'000'000'000);
    unpack.read("ratio", settings_.downloads.unpack_ratio, as_number, 1.0);
    unpack.finish();
    fields.finish();
  }

  void alarms() {
    Fields fields = file_.child("alarms");
    fields.read("webhook", settings_.alarms.webhook, as_private_url);
    fields.texts("command", settings_.alarms.command);
    fields.read("no_component_after", settings_.alarms.no_component_after, as_duration, 1min, 24h * 366);
    fields.finish();
  }

  void logs() {
    Fields fields = file_.child("logs");
    Logs& logs = settings_.logs;
    fields.read("step_limit", logs.step_limit, as_size, std::uint64_t{64 * 1024});
    fields.read("segment_size", logs.segment_size, as_size, std::uint64_t{4 * 1024});
    fields.read("segment_age", logs.segment_age, as_duration, 100ms, 24h);
    fields.read("live_first", logs.live_first, as_duration, 10ms, 24h);
    fields.read("live_longest", logs.live_longest, as_duration, 10ms, 24h);
    fields.read("live_pieces", logs.live_pieces, as_integer, 0, 100'000);
    if (logs.live_longest < logs.live_first) fields.problem("live_longest", "is shorter than live_first");
    fields.finish();
  }

  void history() {
    Fields fields = file_.child("history");
    fields.read("jobs", settings_.history.jobs, as_integer, 0, 1'000'000);
    fields.read("age", settings_.history.age, as_duration, 1s, 24h * 3660);
    fields.read("size", settings_.history.size, as_size, std::uint64_t{0});
    fields.finish();
  }

  void disk() {
    Fields fields = file_.child("disk");
    fields.read("keep_free", settings_.disk.keep_free, as_size, std::uint64_t{0});
    fields.read("reserve", settings_.disk.reserve, as_size, std::uint64_t{0});
    fields.read("check", settings_.disk.check, as_duration, 100ms, 1h);
    fields.finish();
  }

  void health() {
    Fields fields = file_.child("health");
    fields.read("interval", settings_.health_interval, as_duration, 1s, 24h);
    fields.finish();
  }

  void dashboard() {
    Fields fields = file_.child("dashboard");
    std::string listen;
    fields.read("listen", listen, as_text);
    fields.read("actions", settings_.dashboard.actions, as_boolean);
    fields.finish();
    if (listen.empty()) return;
    const auto colon = listen.rfind(':');
    std::string host = listen.substr(0, colon);
    const std::string port = colon == std::string::npos ? "" : listen.substr(colon + 1);
    if (host == "localhost") host = "127.0.0.1";
    if (host == "[::1]") host = "::1";
    std::uint16_t number = 0;
    const auto [rest, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    if (error != std::errc{} || rest != port.data() + port.size())
      return fields.problem("listen", quote(listen) + " is no address and port (example: 127.0.0.1:8420)");
    if (host != "127.0.0.1" && host != "::1")
      return fields.problem("listen", quote(listen) + " is not of this machine alone; only 127.0.0.1 and [::1] can be listened on (from elsewhere: ssh -L 8420:127.0.0.1:8420)");
    settings_.dashboard.host = host;
    settings_.dashboard.port = number;
  }

  void metrics() {
    Fields fields = file_.child("metrics");
    Fields child = fields.child("otlp");
    otlp(child);
    fields.finish();
  }

  void otlp(Fields& fields) {
    Otlp& otlp = settings_.otlp;
    fields.read("url", otlp.url, as_url);
    std::vector<KnownKey> not_settable;
    if (const Node* node = fields.take("headers"))
      otlp.headers = decode_secret(reading_, not_settable, *node, fields.label_of("headers"), settings_.secrets);
    fields.read("traces", otlp.traces, as_boolean);
    fields.read("metrics", otlp.metrics, as_boolean);
    fields.read("interval", otlp.interval, as_duration, 1s, 24h);
    read_connection(fields, otlp);
    check_certificate_and_key(fields);
    if (!fields.node().items.empty() && fields.node().find("url") == nullptr)
      fields.missing("url", "example: url: https://collector.example.org:4318");
    fields.finish();
  }

  void plugins_path() {
    const Node* list = file_.take_list("plugins_path");
    if (list == nullptr) return;
    settings_.plugins_path.clear();
    for (const auto& item : items_of(reading_, *list, "plugins_path", "[/etc/outpost/plugins.d]"))
      if (auto path = as_path(reading_, item, "plugins_path")) settings_.plugins_path.push_back(*std::move(path));
  }

  Reading& reading_;
  std::vector<KnownKey>& known_;
  std::span<const SourceType> source_types_;
  Fields file_;
  Settings settings_;
};

}  // namespace

Settings decode(Reading& reading, const Node& root, std::span<const SourceType> source_types,
                std::vector<KnownKey>& known) {
  return Decoder{reading, root, source_types, known}.decode();
}

}  // namespace outpost::config
