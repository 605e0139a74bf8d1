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

[[nodiscard]] const SourceType* find_type(std::span<const SourceType> types, std::string_view name);

}  // namespace outpost::config
