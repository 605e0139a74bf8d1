#pragma once

#include "agent/base/result.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace outpost::config {

/// A configuration made from that of one of DCI's agents.
struct DciSetup {
  std::string configuration;       ///< An outpost.yml.
  std::vector<std::string> notes;  ///< What could not be carried over, or had to be guessed: one sentence each.
};

/// Reads a directory such as /etc/dci-openshift-agent: its credentials (dcirc.sh, dci_credentials.yml), settings.yml,
/// files of dci-pipeline (*.yml that hold a list of jobs), and hooks/. None of it is run, and no secret is copied: the
/// configuration names the file. unavailable or malformed when there is nothing to make a job of. Blocks.
[[nodiscard]] Result<DciSetup> setup_from_dci(const std::filesystem::path& directory);

}  // namespace outpost::config
