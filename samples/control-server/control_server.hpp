#pragma once

#include "agent/base/result.hpp"
#include "agent/http/server.hpp"
#include "samples/control-server/authentication.hpp"
#include "samples/control-server/database.hpp"
#include "samples/control-server/faults.hpp"
#include "samples/control-server/object_store.hpp"
#include "samples/control-server/records.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

namespace outpost::sample {

struct ServerOptions {
  std::filesystem::path data;  ///< For the files; also for the database unless that is in memory. Made if need be.
  bool in_memory = false;
  std::uint64_t max_content_length = 20 * 1024 * 1024;  ///< Of a body with a Content-Length; more is 413.
  std::chrono::seconds clock_offset{0};                 ///< This server's clock is so far ahead.
  bool https = false;                                   ///< For the URLs it hands out.
  std::filesystem::path request_log;                    ///< One line of JSON for each request; empty: none.
};

/// The whole double: give handler() to an http::Server. One thread; it must outlive the server.
/// A new database has the teams admin, EPM and Red Hat, and the user admin with the password "admin".
class ControlServer {
 public:
  /// Throws std::exception when the data directory or the database cannot be used.
  explicit ControlServer(ServerOptions options);

  [[nodiscard]] http::Handler handler();
  void set_faults(Faults faults) { faults_ = std::move(faults); }
  /// The tables, for who lays data before the server runs.
  [[nodiscard]] Records& records() { return records_; }
  /// Turns this server's clock; on its own thread only.
  void set_clock_offset(std::chrono::seconds offset) { records_.set_clock_offset(offset); }

 private:
  struct Outcome {
    http::ServerResponse response;
    bool dropped = false;
  };
  boost::asio::awaitable<http::ServerResponse> serve(http::ServerRequest& request);
  boost::asio::awaitable<http::ServerResponse> execute(http::ServerRequest& request);
  boost::asio::awaitable<http::ServerResponse> spoil(http::ServerRequest& request, FaultAction action);
  http::ServerResponse answer(http::ServerRequest& request, Body& body, bool too_large);
  http::ServerResponse put_object(http::ServerRequest& request, Body& body);
  http::ServerResponse change_faults(http::ServerRequest& request, const Body& body);
  void finish(const http::ServerRequest& request, http::ServerResponse& response,
              std::chrono::steady_clock::time_point start, bool faulty);
  void lay_database();

  ServerOptions options_;
  std::unique_ptr<Database> database_;
  Records records_;
  ObjectStore objects_;
  Authentication authentication_;
  Faults faults_;
  std::ofstream request_log_;
};

}  // namespace outpost::sample
