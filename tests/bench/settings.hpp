#pragma once

#include "integration/sample_lab.hpp"

#include <string>

namespace outpost::bench {

/// Writes the configuration of a lab's agent: one job that runs the plugin `noop`, and how often to poll.
inline void write_settings(const test::SampleLab& lab, const std::string& poll) {
  test::write_file(lab.directory.path / "agent/outpost.yml",
                   "sources:\n  dci: {type: dci, credentials: dcirc.sh, poll: " + poll +
                       "}\n"
                       "jobs:\n  - {name: bench, source: dci, topic: ACME-1, components: [acme], plugins: [noop]}\n"
                       "plugins_path: [\"" OUTPOST_SOURCE_DIR
                       "/samples/plugins\"]\n"
                       "state_directory: state\nruntime_directory: run\n");
}

}  // namespace outpost::bench
