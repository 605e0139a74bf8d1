#include "integration/sample_lab.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"
#include "agent/http/beast/beast_client.hpp"
#include "agent/job/event.hpp"
#include "support/await.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <csignal>
#include <stdexcept>
#include <thread>

namespace outpost::test {

namespace fs = std::filesystem;
namespace json = boost::json;

std::string wait_for_file(const std::filesystem::path& file) {
  return "n=0\nwhile [ ! -e " + file.string() + " ]; do sleep 0.05; n=$((n+1)); [ $n -lt 2400 ] || exit 77; done\n";
}

std::string waiting_hook(const std::filesystem::path& running, const std::filesystem::path& go) {
  return "#!/bin/sh\ntouch " + running.string() + "\n" + wait_for_file(go);
}

Process::Process(std::vector<std::string> command, fs::path log, std::vector<std::string> environment) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  ::posix_spawn_file_actions_adddup2(&actions, 1, 2);
  std::vector<char*> arguments, variables;
  for (auto& argument : command) arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  for (char** variable = environ; *variable; ++variable) variables.push_back(*variable);
  for (auto& variable : environment) variables.push_back(variable.data());
  variables.push_back(nullptr);
  const int error = ::posix_spawn(&pid_, arguments[0], &actions, nullptr, arguments.data(), variables.data());
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::runtime_error{errno_error("cannot start", command[0], error).message};
}

Process::~Process() {
  if (ended_) return;
  ::kill(pid_, SIGKILL);
  wait();
}

bool Process::is_running() {
  if (!ended_ && ::waitpid(pid_, &status_, WNOHANG) == pid_) ended_ = true;
  return !ended_;
}

void Process::signal(int number) {
  if (is_running()) ::kill(pid_, number);
}

int Process::wait() {
  while (!ended_)
    if (::waitpid(pid_, &status_, 0) == pid_ || errno != EINTR) ended_ = true;
  return WIFSIGNALED(status_) ? -WTERMSIG(status_) : WEXITSTATUS(status_);
}

SampleLab::SampleLab() : SampleLab{Options{}} {}

SampleLab::SampleLab(Options options) {
  const bool tls = !options.certificate.empty();
  auto client = http::make_beast_client({.ca_file = options.ca_file});
  if (!client) throw std::runtime_error{client.error().message};
  client_ = std::move(*client);
  const fs::path port = directory.path / "port";
  std::vector<std::string> command{
      OUTPOST_SAMPLE_SERVER, "--listen",    "127.0.0.1:0", "--data",        (directory.path / "server").string(),
      "--port-file",         port.string(), "--in-memory", "--request-log", (directory.path / "requests.log").string()};
  command.insert(command.end(), options.server.begin(), options.server.end());
  if (tls)
    command.insert(command.end(), {"--tls-cert", options.certificate.string(), "--tls-key", options.key.string()});
  server_ = std::make_unique<Process>(std::move(command), directory.path / "server.log");
  until("the sample server's port", [&] {
    if (!server_->is_running())
      throw std::runtime_error{"the sample server ended: " + read_file(directory.path / "server.log")};
    return fs::exists(port) && !read_file(port).empty();
  });
  url = (tls ? "https" : "http") + ("://127.0.0.1:" + std::string{trim(read_file(port))});

  team = admin("POST", "/teams", {{"name", "lab"}, {"country", "FR"}}).at("team").at("id").as_string();
  const std::string product{admin("POST", "/products", {{"name", "ACME"}, {"label", "ACME"}, {"description", "d"}})
                                .at("product")
                                .at("id")
                                .as_string()};
  admin("POST", "/products/" + product + "/teams", {{"team_id", team}});
  topic = admin("POST", "/topics",
                {{"name", "ACME-1"},
                 {"product_id", product},
                 {"export_control", true},
                 {"component_types", json::array(options.component_types.begin(), options.component_types.end())}})
              .at("topic")
              .at("id")
              .as_string();
  const auto made = admin("POST", "/remotecis", {{"name", "rci"}, {"team_id", team}});
  remoteci = made.at("remoteci").at("id").as_string();
  secret = made.at("remoteci").at("api_secret").as_string();
  configure();
}

SampleLab::~SampleLab() {
  if (agent_) {
    agent_->signal(SIGKILL);
    agent_->wait();
  }
  server_->signal(SIGTERM);
  server_->wait();
}

json::value SampleLab::request(http::Request request) {
  request.headers.set("Authorization", "Basic " + to_base64("admin:admin"));
  const std::string what = request.method + " " + request.url;
  auto answer = await(loop_, client_->send(std::move(request)));
  if (!answer) throw std::runtime_error{what + ": " + answer.error().message};
  if (answer->status / 100 != 2)
    throw std::runtime_error{what + ": " + std::to_string(answer->status) + " " + answer->body};
  boost::system::error_code error;
  json::value parsed = json::parse(answer->body, error);
  return error ? json::value{json::string{answer->body}} : parsed;
}

json::value SampleLab::admin(const std::string& method, const std::string& path, json::value body) {
  http::Request wanted;
  wanted.method = method;
  wanted.url = url + "/api/v1" + path;
  if (!body.is_null()) {
    wanted.headers.set("Content-Type", "application/json");
    wanted.body = json::serialize(body);
  }
  return request(std::move(wanted));
}

void SampleLab::put_object(const std::string& component, const std::string& path, std::string content) {
  http::Request wanted;
  wanted.method = "PUT";
  wanted.url = url + "/object-store/dci-components/" + component + "/" + percent_encode(path, true);
  wanted.headers.set("Content-Type", "application/octet-stream");
  wanted.body = std::move(content);
  request(std::move(wanted));
}

void SampleLab::set_faults(const std::string& rules) {
  http::Request wanted;
  wanted.method = "PUT";
  wanted.url = url + "/_faults";
  wanted.headers.set("Content-Type", "application/json");
  wanted.body = rules;
  request(std::move(wanted));
}

void SampleLab::renew_secret() {
  const std::string path = "/remotecis/" + remoteci;
  http::Request wanted;
  wanted.method = "PUT";
  wanted.url = url + "/api/v1" + path + "/api_secret";
  wanted.headers.set("If-match", std::string{admin("GET", path).at("remoteci").at("etag").as_string()});
  secret = request(std::move(wanted)).at("remoteci").at("api_secret").as_string();
}

std::string SampleLab::feed(const std::string& version, const std::map<std::string, std::string>& files,
                            const std::string& type, const std::function<void(json::object&)>& change_list) {
  const auto made = admin("POST", "/components",
                          {{"display_name", type + " " + version},
                           {"version", version},
                           {"type", type},
                           {"topic_id", topic},
                           {"state", "inactive"}});
  const std::string id{made.at("component").at("id").as_string()};
  json::object list{{"directories", json::array{}}, {"files", json::array{}}, {"symlinks", json::array{}}};
  for (const auto& [path, content] : files) {
    put_object(id, path, content);
    const fs::path whole{path};
    list["files"].as_array().push_back({{"name", whole.filename().string()},
                                        {"path", whole.parent_path().string()},
                                        {"sha256", sha256_hex(content)},
                                        {"size", content.size()}});
  }
  if (change_list) change_list(list);
  put_object(id, "dci_files_list.json", json::serialize(list));
  http::Request publish;
  publish.method = "PUT";
  publish.url = url + "/api/v1/components/" + id;
  publish.headers.set("Content-Type", "application/json");
  publish.headers.set("If-match",
                      std::string{admin("GET", "/components/" + id).at("component").at("etag").as_string()});
  publish.body = R"({"state": "active"})";
  request(std::move(publish));
  return id;
}

/// The hook of a plugin that was given none: it has no part in a job that goes well.
static const std::string placeholder_hook = "on-timeout";

void SampleLab::hook(const std::string& stage, const std::string& script) {
  fs::remove(directory.path / "plugins/acme/hooks" / placeholder_hook);
  const fs::path path = directory.path / "plugins/acme/hooks" / stage;
  write_file(path, script);
  fs::permissions(path, fs::perms::owner_all | fs::perms::group_read | fs::perms::group_exec | fs::perms::others_read |
                            fs::perms::others_exec);
}

void SampleLab::configure(const std::string& job, const std::string& top, const std::string& source) {
  write_credentials(directory.path / "agent/dcirc.sh", remoteci, secret);
  fs::create_directories(directory.path / "plugins/acme/hooks");
  // No job of a plugin without a hook is claimed.
  if (fs::is_empty(directory.path / "plugins/acme/hooks")) hook(placeholder_hook, "#!/bin/sh\n");
  write_file(directory.path / "agent/outpost.yml",
             "sources:\n  dci: {type: dci, credentials: dcirc.sh, poll: 100ms" + (source.empty() ? "" : ", " + source) +
                 "}\n"
                 "jobs:\n  - name: nightly\n    source: dci\n    topic: ACME-1\n    components: [acme]\n    plugins: "
                 "[acme]\n" +
                 job + "plugins_path: [../plugins]\nstate_directory: state\nruntime_directory: run\n" + top);
}

void SampleLab::write_credentials(const fs::path& file, const std::string& of, const std::string& its_secret) const {
  write_file(file, "export DCI_CLIENT_ID='remoteci/" + of + "'\nexport DCI_API_SECRET='" + its_secret +
                       "'\nexport DCI_CS_URL='" + url + "'\n");
  fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
}

void SampleLab::start_agent(std::vector<std::string> environment, std::vector<std::string> command) {
  if (command.empty()) command = {OUTPOST_DAEMON, "--config", (directory.path / "agent/outpost.yml").string()};
  agent_ = std::make_unique<Process>(std::move(command), directory.path / "outpostd.log", std::move(environment));
}

int SampleLab::stop_agent(int signal) {
  agent_->signal(signal);
  const int status = agent_->wait();
  agent_.reset();
  return status;
}

bool SampleLab::agent_is_running() { return agent_ && agent_->is_running(); }

json::object SampleLab::local(const std::string& path) {
  http::Request wanted;
  wanted.url = "http://localhost" + path;
  wanted.unix_socket = (directory.path / "agent/run/api.sock").string();
  return request(std::move(wanted)).as_object();
}

bool SampleLab::agent_is_up() {
  http::Request wanted;
  wanted.url = "http://localhost/api/v1/status";
  wanted.unix_socket = (directory.path / "agent/run/api.sock").string();
  const auto answer = await(loop_, client_->send(std::move(wanted)));
  return answer && answer->status == 200;
}

std::vector<json::object> SampleLab::list(const std::string& path, const std::string& key) {
  std::vector<json::object> rows;
  for (;;) {
    const auto answer = admin("GET", path + "?limit=200&offset=" + std::to_string(rows.size()) + "&sort=created_at");
    const auto& page = answer.at(key).as_array();
    for (const auto& row : page) rows.push_back(row.as_object());
    if (page.size() < 200) return rows;
  }
}

std::vector<json::object> SampleLab::jobs() { return list("/jobs", "jobs"); }

std::vector<json::object> SampleLab::jobstates(const std::string& job) {
  return list("/jobs/" + job + "/jobstates", "jobstates");
}

std::vector<json::object> SampleLab::files(const std::string& job) { return list("/jobs/" + job + "/files", "files"); }

std::vector<std::string> SampleLab::states(const std::string& job) {
  std::vector<std::string> list;
  for (const auto& state : jobstates(job)) list.push_back(job::text_at(state, "status"));
  return list;
}

std::string SampleLab::content(const std::string& file) {
  http::Request wanted;
  wanted.url = url + "/api/v1/files/" + file + "/content";
  wanted.response_limit = std::size_t{1} << 31;
  wanted.headers.set("Authorization", "Basic " + to_base64("admin:admin"));
  auto answer = await(loop_, client_->send(std::move(wanted)));
  if (!answer || answer->status != 200) throw std::runtime_error{"no content of file " + file};
  return answer->body;
}

json::array SampleLab::results(const std::string& job) {
  return admin("GET", "/jobs/" + job + "/results").at("results").as_array();
}

std::string SampleLab::log_of(const std::string& job, const std::string& step) {
  // One piece's name ends in its offset: there must be neither a hole nor an overlap.
  std::map<std::size_t, std::string> pieces;
  const std::string prefix = step + ".log@";
  for (const auto& file : files(job)) {
    const std::string name = job::text_at(file, "name");
    if (!name.starts_with(prefix)) continue;
    if (!pieces.emplace(std::stoull(name.substr(prefix.size())), content(job::text_at(file, "id"))).second)
      throw std::runtime_error{"the piece " + name + " is at the server twice"};
  }
  std::string log;
  for (const auto& [offset, piece] : pieces) {
    if (offset != log.size())
      throw std::runtime_error{"the piece at " + std::to_string(offset) + " of " + step + " should be at " +
                               std::to_string(log.size())};
    log += piece;
  }
  return log;
}

void SampleLab::until(const std::string& what, const std::function<bool()>& is_so, std::chrono::seconds limit) {
  const auto give_up = std::chrono::steady_clock::now() + limit;
  while (!is_so()) {
    if (std::chrono::steady_clock::now() > give_up)
      throw std::runtime_error{"gave up waiting for " + what + "\n--- outpostd.log\n" + agent_log()};
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  }
}

bool SampleLab::all_is_delivered(const std::string& job) {
  // The last thing that the agent says about a job is how many steps it had.
  if (!key_values(job).contains("steps") || !agent_is_up()) return false;
  const auto now = status();
  const auto& reporter = now.at("reporters").as_array().at(0).as_object();
  return now.at("jobs").at("running").as_array().empty() && job::number_at(reporter, "waiting") == 0;
}

json::object SampleLab::finished_job(std::size_t count) {
  json::object last;
  until("job " + std::to_string(count) + " to end", [&] {
    if (!agent_is_running()) throw std::runtime_error{"the agent ended\n--- outpostd.log\n" + agent_log()};
    const auto all = jobs();
    return all.size() >= count && all_is_delivered(job::text_at(all[count - 1], "id"));
  });
  last = jobs()[count - 1];
  return last;
}

std::map<std::string, double> SampleLab::key_values(const std::string& job) {
  std::map<std::string, double> values;
  const auto row = admin("GET", "/jobs/" + job);
  for (const auto& value : row.at("job").at("keys_values").as_array()) {
    const std::string key{value.at("key").as_string()};
    if (!values.emplace(key, value.at("value").to_number<double>()).second)
      throw std::runtime_error{"the key " + key + " is at the server twice"};
  }
  return values;
}

std::vector<json::object> SampleLab::requests() {
  std::vector<json::object> list;
  std::string log = read_file(directory.path / "requests.log");
  log.resize(log.rfind('\n') + 1);  // The server may be writing the next line.
  for (const auto& line : split(log, '\n'))
    if (!line.empty()) list.push_back(json::parse(line).as_object());
  return list;
}

}  // namespace outpost::test
