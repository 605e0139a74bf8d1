#pragma once

#include "agent/config/fields.hpp"
#include "agent/config/option.hpp"
#include "agent/config/settings.hpp"

#include <map>
#include <span>
#include <string>

namespace outpost::config {

[[nodiscard]] Source decode_source(Reading& reading, Fields& fields, std::span<const SourceType> source_types,
                                   const std::map<std::string, SecretSource>& secrets);

/// A path, or {file: PATH}, {credential: NAME}, {secret: NAME of an entry of `secrets`}.
[[nodiscard]] SecretSource decode_secret(Reading& reading, std::vector<KnownKey>& known, const Node& node,
                                         const std::string& label, const std::map<std::string, SecretSource>& secrets);

/// What both sources and collectors have: how their host is reached. `Peer` has members of the keys' names.
template <class Peer>
void read_connection(Fields& fields, Peer& peer) {
  fields.read("ca_file", peer.ca_file, as_path);
  fields.read("client_certificate", peer.client_certificate, as_path);
  fields.read("client_key", peer.client_key, as_path);
  fields.read("proxy", peer.proxy, as_private_url);
  fields.read("no_proxy", peer.no_proxy, as_text);
}

/// A certificate without its key, or the other way round, is a problem.
void check_certificate_and_key(Fields& fields);

[[nodiscard]] const SourceType* find_type(std::span<const SourceType> types, std::string_view name);

}  // namespace outpost::config
