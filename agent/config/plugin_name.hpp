#pragma once

#include <string>

namespace outpost::config {

/// The name of the plugin in a folder: without the order number, so that "20-acme-storage" is "acme-storage".
[[nodiscard]] inline std::string plugin_name(const std::string& folder) {
  const auto digits = folder.find_first_not_of("0123456789");
  return digits != std::string::npos && digits > 0 && folder[digits] == '-' ? folder.substr(digits + 1) : folder;
}

}  // namespace outpost::config
