#pragma once

#include <string>
#include <vector>

namespace outpost::bench {

// Each prints its rows, and throws when it could not be run. What they measure: README.md.
void job_overhead();
void upload_1g();
void idle();
void journal_append();
void step_spawn();
void unit_spawn();
void redact();
void backlog_start();
void small_files();
void log_ingest();
void ansible_callback();
void junit_parse();
void author_loop();
void hook_overhead();
void hook_helper();
void command_line();

// Parts of upload_1g that are processes of their own.

/// Serves https on loopback and throws away what it receives, until SIGTERM. Arguments: certificate, key, port file.
int discard_server(const std::vector<std::string>& arguments);
/// Hashes and uploads one file and says by how much its memory grew. Arguments: url, ca file, file.
int upload_once(const std::vector<std::string>& arguments);

}  // namespace outpost::bench
