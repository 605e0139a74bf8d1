#pragma once

#include "integration/sample_lab.hpp"

#include <boost/json/value.hpp>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace outpost::test {

/// The double of a package builder, and an agent that tests what it publishes: all on loopback and in a directory of its
/// own.
class BuilderLab {
 public:
  /// `arguments`: more of outpost-sample-builder.
  explicit BuilderLab(std::vector<std::string> arguments = {});

  /// Says what was built: {project, component, commit, distro, extended...}; the answer has {directory, url}.
  boost::json::value feed(boost::json::object build, const std::string& path = "/_feed");
  /// A request to its API as a user of it; throws unless the answer is 2xx.
  boost::json::value api(const std::string& method, const std::string& path, boost::json::value body = nullptr);
  /// The votes that a job has made, without those in progress.
  std::vector<boost::json::object> votes(const std::string& query, const std::string& job = "nightly");

  /// A hook of the plugin "acme".
  void hook(const std::string& stage, const std::string& script);
  /// Writes outpost.yml with a job "nightly" of this selection; `source` are further keys of the source,
  /// which has a password unless they say kerberos.
  void configure(const std::string& selection, const std::string& source = "");
  void start_agent();
  void kill_agent();
  /// GET of the agent's local API.
  boost::json::object local(const std::string& path);
  /// Waits until so many jobs have ended and all about them is delivered.
  void wait_for_jobs(std::size_t count);
  void until(const std::string& what, const std::function<bool()>& is_so);
  [[nodiscard]] std::string builder_log() const { return read_file(directory.path / "requests.log"); }

  TemporaryDirectory directory;
  std::string url;

 private:
  boost::json::value request(http::Request request);

  boost::asio::io_context loop_;
  std::unique_ptr<http::Client> client_;
  std::unique_ptr<Process> builder_, agent_;
};

}  // namespace outpost::test
