#pragma once

#include "agent/base/result.hpp"
#include "agent/http/server.hpp"

#include <CLI/CLI.hpp>

#include <functional>
#include <string>

/// What the programs of the samples that serve something have in common.
namespace outpost::sample {

struct Serving {
  std::string listen = "127.0.0.1:0", port_file, certificate, key;
};

/// --listen, --port-file, --tls-cert, --tls-key.
void define(CLI::App& app, Serving& serving);

/// Serves until SIGINT or SIGTERM. `ready` is told the address ("http://127.0.0.1:5000") before the first request comes.
/// Says where it listens on standard output. malformed: the options; unavailable: the address.
[[nodiscard]] Result<void> serve(const std::string& program, const Serving& serving, http::Handler handler,
                                 const std::function<void(const std::string& url)>& ready = {});

}  // namespace outpost::sample
