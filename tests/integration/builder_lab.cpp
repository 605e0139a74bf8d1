#include "integration/builder_lab.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"
#include "agent/http/beast/beast_client.hpp"
#include "agent/job/event.hpp"
#include "support/await.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <csignal>
#include <stdexcept>
#include <thread>

namespace outpost::test {

namespace fs = std::filesystem;
namespace json = boost::json;

BuilderLab::BuilderLab(std::vector<std::string> arguments) {
  auto client = http::make_beast_client({});
  if (!client) throw std::runtime_error{client.error().message};
  client_ = std::move(*client);
  const fs::path port = directory.path / "port";
  std::vector<std::string> command{OUTPOST_SAMPLE_BUILDER, "--data", (directory.path / "builder").string(), "--port-file", port.string(),
                                   "--request-log", (directory.path / "requests.log").string()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  builder_ = std::make_unique<Process>(std::move(command), directory.path / "builder.log");
  until("the builder's port", [&] {
    if (!builder_->is_running()) throw std::runtime_error{"the builder ended: " + read_file(directory.path / "builder.log")};
    return fs::exists(port);
  });
  url = "http://127.0.0.1:" + std::string{trim(read_file(port))};
}

json::value BuilderLab::request(http::Request wanted) {
  const std::string what = wanted.method + ' ' + wanted.url;
  auto answer = await(loop_, client_->send(std::move(wanted)));
  if (!answer) throw std::runtime_error{what + ": " + answer.error().message};
  if (answer->status < 200 || answer->status > 299) throw std::runtime_error{what + ": " + std::to_string(answer->status) + ' ' + answer->body};
  return json::parse(answer->body);
}

json::value BuilderLab::feed(json::object build, const std::string& path) {
  http::Request wanted;
  wanted.method = "POST";
  wanted.url = url + path;
  wanted.body = json::serialize(build);
  return request(std::move(wanted));
}

json::value BuilderLab::api(const std::string& method, const std::string& path, json::value body) {
  http::Request wanted;
  wanted.method = method;
  wanted.url = url + "/api-centos9/api" + path;
  wanted.headers.set("Authorization", "Basic " + to_base64("ciuser:secret"));
  if (!body.is_null()) {
    wanted.headers.set("Content-Type", "application/json");
    wanted.body = json::serialize(body);
  }
  return request(std::move(wanted));
}

std::vector<json::object> BuilderLab::votes(const std::string& query, const std::string& job) {
  std::vector<json::object> found;
  const auto rows = api("GET", query);
  for (const auto& row : rows.as_array())
    if (row.at("job_id").as_string() == job && !row.at("in_progress").as_bool()) found.push_back(row.as_object());
  return found;
}

void BuilderLab::hook(const std::string& stage, const std::string& script) {
  const fs::path path = directory.path / "plugins/acme/hooks" / stage;
  write_file(path, script);
  fs::permissions(path, fs::perms::owner_all | fs::perms::group_read | fs::perms::group_exec | fs::perms::others_read | fs::perms::others_exec);
}

void BuilderLab::configure(const std::string& selection, const std::string& source) {
  const fs::path login = directory.path / "agent/dlrn.sh";
  write_file(login, "DLRNAPI_USERNAME=ciuser\nDLRNAPI_PASSWORD=secret\n");
  fs::permissions(login, fs::perms::owner_read | fs::perms::owner_write);
  write_file(directory.path / "agent/outpost.yml",
             "sources:\n  dlrn: {type: dlrn, url: \"" + url + "/api-centos9\", tree: \"" + url + "/centos9\", poll: 100ms" + (source.find("kerberos") == std::string::npos ? ", credentials: dlrn.sh" : "") +
                 (source.empty() ? "" : ", " + source) + "}\njobs:\n  - name: nightly\n    source: dlrn\n    components: [" + selection +
                 "]\n    plugins: [acme]\nplugins_path: [../plugins]\nstate_directory: state\nruntime_directory: run\n");
}

void BuilderLab::start_agent() {
  agent_ = std::make_unique<Process>(std::vector<std::string>{OUTPOST_DAEMON, "--config", (directory.path / "agent/outpost.yml").string()}, directory.path / "outpostd.log");
}

void BuilderLab::kill_agent() {
  agent_->signal(SIGKILL);
  agent_->wait();
}

json::object BuilderLab::local(const std::string& path) {
  http::Request wanted;
  wanted.url = "http://localhost" + path;
  wanted.unix_socket = (directory.path / "agent/run/api.sock").string();
  return request(std::move(wanted)).as_object();
}

void BuilderLab::wait_for_jobs(std::size_t count) {
  until(std::to_string(count) + " jobs", [&] {
    if (!agent_->is_running()) throw std::runtime_error{"the agent ended\n--- outpostd.log\n" + read_file(directory.path / "outpostd.log")};
    if (!fs::exists(directory.path / "agent/run/api.sock")) return false;
    json::object jobs;
    try {
      jobs = local("/api/v1/jobs");
    } catch (const std::runtime_error&) {
      return false;  // It is still starting.
    }
    std::size_t ended = 0;
    for (const auto& one : jobs.at("jobs").as_array()) ended += !one.at("ended_at").is_null();
    const auto status = local("/api/v1/status");
    const auto& reporter = status.at("reporters").as_array().at(0).as_object();
    // Each job of these tests has one vote.
    return ended >= count && job::number_at(reporter, "delivered") >= static_cast<std::int64_t>(count) && job::number_at(reporter, "waiting") == 0;
  });
}

void BuilderLab::until(const std::string& what, const std::function<bool()>& is_so) {
  // Only a hang gets there.
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds{180};
  while (!is_so()) {
    if (std::chrono::steady_clock::now() > give_up) throw std::runtime_error{"gave up waiting for " + what + "\n--- outpostd.log\n" + read_file(directory.path / "outpostd.log")};
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  }
}

}  // namespace outpost::test
