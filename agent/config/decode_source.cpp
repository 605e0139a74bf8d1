#include "agent/config/decode_source.hpp"

#include "agent/base/text.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <limits>

namespace outpost::config {

using namespace std::chrono_literals;

namespace {

template <class Key, class Value>
std::vector<std::string> keys_of(const std::map<Key, Value>& map) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : map) keys.push_back(key);
  return keys;
}

/// One option of a type, as JSON; nothing when it does not fit.
std::optional<boost::json::value> option_value(Reading& reading, const OptionSpec& spec, const Node& node,
                                               const std::string& label) {
  switch (spec.kind) {
    case OptionKind::text:
      if (auto text = as_text(reading, node, label)) {
        const auto checked = spec.check ? spec.check(*text) : Result<void>{};
        if (!checked) reading.problem(node.origin, label, checked.error().message);
        return boost::json::string{*text};
      }
      return std::nullopt;
    case OptionKind::boolean:
      if (auto value = as_boolean(reading, node, label)) return *value;
      return std::nullopt;
    case OptionKind::integer:
      if (auto value = as_integer(reading, node, label, std::numeric_limits<std::int64_t>::min(),
                                  std::numeric_limits<std::int64_t>::max()))
        return *value;
      return std::nullopt;
    case OptionKind::duration:
      if (auto value = as_duration(reading, node, label, 0ms, 24h * 366))
        return boost::json::value(std::int64_t{value->count()});
      return std::nullopt;
    case OptionKind::size:
      if (auto value = as_size(reading, node, label, 0)) return *value;
      return std::nullopt;
    case OptionKind::url:
      if (auto url = as_url(reading, node, label)) return boost::json::string{*url};
      return std::nullopt;
    case OptionKind::file:
      if (auto path = as_path(reading, node, label)) return boost::json::string{path->native()};
      return std::nullopt;
    case OptionKind::texts: {
      boost::json::array array;
      for (const auto& text : as_texts(reading, node, label)) array.emplace_back(text);
      return array;
    }
  }
  return std::nullopt;
}

void decode_options(Reading& reading, Fields& fields, const SourceType& type, boost::json::object& options) {
  for (const auto& spec : type.options) {
    const Node* node = fields.take(spec.name, spec.kind != OptionKind::texts);
    if (node == nullptr) {
      if (spec.required) fields.missing(spec.name, spec.help);
    } else if (auto value = option_value(reading, spec, *node, fields.label_of(spec.name))) {
      options.insert_or_assign(spec.name, *std::move(value));
    }
  }
}

bool is_set(const Fields& fields, const char* key) {
  const Node* node = fields.node().find(key);
  return node != nullptr && node->kind != Node::Kind::null;
}

/// What one key alone cannot show.
void check_together(Fields& fields, const SourceType& type, const boost::json::object& options) {
  const auto has = [&](const char* key) { return is_set(fields, key); };
  if (has("credentials") && (has("client_id") || has("api_secret_file")))
    fields.problem("credentials", "either this, or client_id and api_secret_file");
  else if (has("client_id") != has("api_secret_file"))
    fields.missing(has("client_id") ? "api_secret_file" : "client_id", "client_id and api_secret_file belong together");
  else if (type.needs_credentials && !(type.signs_in_otherwise && type.signs_in_otherwise(options)) && !has("credentials") && !has("client_id"))
    fields.missing("credentials", "example: credentials: /etc/outpost/dci_credentials.yml");
  check_certificate_and_key(fields);
  if (type.needs_url && !has("url")) fields.missing("url", "example: url: https://api.example.org");
  const auto checked = type.check_options ? type.check_options(options) : Result<void>{};
  if (!checked) fields.problem("type", checked.error().message);
}

}  // namespace

const SourceType* find_type(std::span<const SourceType> types, std::string_view name) {
  const auto found =
      std::find_if(types.begin(), types.end(), [&](const SourceType& type) { return type.type == name; });
  return found == types.end() ? nullptr : &*found;
}

SecretSource decode_secret(Reading& reading, std::vector<KnownKey>& known, const Node& node, const std::string& label,
                           const std::map<std::string, SecretSource>& secrets) {
  SecretSource source;
  if (node.kind != Node::Kind::map) {
    if (auto path = as_path(reading, node, label)) source.file = *path;
    return source;
  }
  Fields fields{reading, known, node, label, {label}};
  std::string secret;
  fields.read("file", source.file, as_path);
  fields.read("credential", source.credential, as_name);
  fields.read("secret", secret, as_name);
  fields.finish();
  if (node.items.size() != 1)
    reading.problem(node.origin, label, "exactly one of the keys file, credential and secret is due");
  if (secret.empty()) return source;
  if (const auto found = secrets.find(secret); found != secrets.end()) return found->second;
  fields.problem("secret", "there is no " + quote(secret) + " in secrets" + suggestion(secret, keys_of(secrets)));
  return source;
}

void check_certificate_and_key(Fields& fields) {
  const bool has_certificate = is_set(fields, "client_certificate");
  if (has_certificate != is_set(fields, "client_key"))
    fields.missing(has_certificate ? "client_key" : "client_certificate", "certificate and key belong together");
}

Source decode_source(Reading& reading, Fields& fields, std::span<const SourceType> source_types,
                     const std::map<std::string, SecretSource>& secrets) {
  Source source;
  std::vector<std::string> type_names;
  for (const auto& known_type : source_types) type_names.push_back(known_type.type);
  fields.read("type", source.type, as_name);
  fields.read("url", source.url, as_url);
  fields.read("poll", source.poll, as_duration, 100ms, 24h);
  fields.read("idle_timeout", source.idle_timeout, as_duration, 100ms, 1h);
  fields.read("slow_window", source.slow_window, as_duration, 100ms, 1h);
  fields.read("credentials_retry", source.credentials_retry, as_duration, 100ms, 24h);
  fields.read("client_id", source.client_id, as_text);
  read_connection(fields, source);
  fields.read("upload_limit", source.upload_limit, as_size, std::uint64_t{1024});
  fields.read("allow_local_redirects", source.allow_local_redirects, as_boolean);
  std::vector<KnownKey> not_settable;
  if (const Node* node = fields.take("credentials"))
    source.credentials = decode_secret(reading, not_settable, *node, fields.label_of("credentials"), secrets);
  if (const Node* node = fields.take("api_secret_file"))
    source.api_secret = decode_secret(reading, not_settable, *node, fields.label_of("api_secret_file"), secrets);

  const SourceType* type = find_type(source_types, source.type);
  if (type != nullptr) {
    decode_options(reading, fields, *type, source.options);
    check_together(fields, *type, source.options);
    fields.finish();
  } else if (fields.node().find("type") == nullptr) {
    fields.missing("type", "known types: " + join(type_names, ", "));
  } else if (!source.type.empty()) {
    // Its other keys cannot be judged.
    auto advice = suggestion(source.type, type_names);
    if (advice.empty()) advice = " (known types: " + join(type_names, ", ") + ")";
    fields.problem("type", quote(source.type) + " is not a type of source" + advice);
  }
  return source;
}

}  // namespace outpost::config
