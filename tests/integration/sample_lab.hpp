#pragma once

#include "agent/http/client.hpp"
#include "support/temporary_directory.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

namespace outpost::test {

using Names = std::vector<std::string>;

/// The states of a job in which all goes well.
inline const Names good_way{"new", "pre-run", "running", "post-run", "success"};

/// Lines of a hook that wait for a file; their own limit is for a test that has failed.
[[nodiscard]] std::string wait_for_file(const std::filesystem::path& file);
/// A hook that tells that it runs and waits until it may go on.
[[nodiscard]] std::string waiting_hook(const std::filesystem::path& running, const std::filesystem::path& go);

/// A process of the test's own, ended by its pid.
class Process {
 public:
  Process(std::vector<std::string> command, std::filesystem::path log, std::vector<std::string> environment = {});
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  [[nodiscard]] bool is_running();
  void signal(int number);
  /// Waits for its end: the exit status, or -N for signal N.
  int wait();
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  int status_ = 0;
  bool ended_ = false;
};

/// The sample control server with a team, a product, a topic and a remoteci, and an agent that belongs to it: all on
/// loopback and in a directory of its own.
class SampleLab {
 public:
  struct Options {
    std::vector<std::string> server;  ///< More arguments of outpost-sample-server.
    std::vector<std::string> component_types{"acme"};
    std::filesystem::path certificate, key, ca_file;  ///< The server is reached by TLS, when they are given.
  };
  SampleLab();
  explicit SampleLab(Options options);
  ~SampleLab();

  /// A request as the server's administrator; throws unless the answer is 2xx. JSON null for an empty answer.
  boost::json::value admin(const std::string& method, const std::string& path, boost::json::value body = nullptr);
  /// Puts a file of a component into the object store.
  void put_object(const std::string& component, const std::string& path, std::string content);
  /// Tells the server how to misbehave; "[]" ends it.
  void set_faults(const std::string& rules);

  /// Has the server make a new secret for the remoteci; the agent's file keeps the old one until configure().
  void renew_secret();

  /// Publishes a component with files and their list; returns its id.
  std::string feed(const std::string& version, const std::map<std::string, std::string>& files,
                   const std::string& type = "acme",
                   const std::function<void(boost::json::object& list)>& change_list = {});

  /// A hook of the plugin "acme".
  void hook(const std::string& stage, const std::string& script);

  /// Writes outpost.yml; `job` and `top` are further YAML lines for the job and for the file.
  void configure(const std::string& job = "", const std::string& top = "", const std::string& source = "");
  /// Writes the dcirc.sh of a remoteci at this server.
  void write_credentials(const std::filesystem::path& file, const std::string& of, const std::string& its_secret) const;
  /// Starts outpostd with this configuration, or another program in its place.
  void start_agent(std::vector<std::string> environment = {}, std::vector<std::string> command = {});
  /// Ends the agent by a signal and waits; its exit status as Process::wait().
  int stop_agent(int signal);
  [[nodiscard]] bool agent_is_running();
  [[nodiscard]] pid_t agent_pid() const { return agent_->pid(); }
  [[nodiscard]] std::string agent_configuration() const { return read_file(directory.path / "agent/outpost.yml"); }
  [[nodiscard]] std::string agent_log() const { return read_file(directory.path / "outpostd.log"); }
  /// Whether the agent's local API answers; it does soon after the start.
  bool agent_is_up();
  /// GET of the agent's local API.
  boost::json::object local(const std::string& path);
  boost::json::object status() { return local("/api/v1/status"); }

  /// The jobs at the server, oldest first.
  std::vector<boost::json::object> jobs();
  /// The job states of a job, oldest first: as the server has them, and only their names.
  std::vector<boost::json::object> jobstates(const std::string& job);
  std::vector<std::string> states(const std::string& job);
  std::vector<boost::json::object> files(const std::string& job);
  std::string content(const std::string& file);
  boost::json::array results(const std::string& job);
  /// The log of a step ("install/acme/install"): its pieces in the order of their offsets, without hole or overlap.
  std::string log_of(const std::string& job, const std::string& step);

  /// Waits until something is so, looking every 20 ms. Throws after `limit`, which only a hang reaches.
  void until(const std::string& what, const std::function<bool()>& is_so,
             std::chrono::seconds limit = std::chrono::seconds{180});
  /// Waits until the server has so many jobs and everything about the last of them was delivered; returns it.
  boost::json::object finished_job(std::size_t count = 1);
  bool all_is_delivered(const std::string& job);
  /// The key-values of a job; each must be there once.
  std::map<std::string, double> key_values(const std::string& job);
  /// What the server was asked, as its request log has it: {method, target, status...}.
  std::vector<boost::json::object> requests();

  TemporaryDirectory directory;
  std::string url, team, topic, remoteci, secret;

 private:
  boost::json::value request(http::Request request);
  std::vector<boost::json::object> list(const std::string& path, const std::string& key);

  boost::asio::io_context loop_;
  std::unique_ptr<http::Client> client_;
  std::unique_ptr<Process> server_;
  std::unique_ptr<Process> agent_;
};

}  // namespace outpost::test
