// `outpost promote` as a process, against a builder over HTTP and links in a directory: killed wherever it asks.

#include "agent/base/text.hpp"
#include "agent/http/beast/beast_server.hpp"

#include "plugins/dlrn/realm.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

extern char** environ;

using namespace outpost;
using namespace outpost::test;
namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

const std::string one(40, '1'), two(40, '2');
std::string directory_of(const std::string& hash) { return hash + "_" + hash.substr(0, 8); }

/// `outpost`, running; its output goes to a file.
class Outpost {
 public:
  static std::vector<std::string> by_password() {
    return {"DLRNAPI_USERNAME=ciuser", "DLRNAPI_PASSWORD=secret", "PATH=/usr/bin:/bin"};
  }
  Outpost(std::vector<std::string> arguments, fs::path log, std::vector<std::string> variables = by_password())
      : log_{std::move(log)} {
    arguments.insert(arguments.begin(), OUTPOST_CLI);
    std::vector<char*> argv;
    for (auto& each : arguments) argv.push_back(each.data());
    argv.push_back(nullptr);
    std::vector<char*> envp;
    for (auto& each : variables) envp.push_back(each.data());
    envp.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ::posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    pid_t started = -1;
    REQUIRE(::posix_spawn(&started, argv[0], &actions, nullptr, argv.data(), envp.data()) == 0);
    ::posix_spawn_file_actions_destroy(&actions);
    pid = started;
  }
  ~Outpost() {
    if (pid > 0) {
      ::kill(pid, SIGKILL);
      wait();
    }
  }
  /// Its exit status, or 128 and the signal.
  int wait() {
    int status = 0;
    ::waitpid(pid, &status, 0);
    pid = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  [[nodiscard]] std::string output() const { return read_file(log_); }

  std::atomic<pid_t> pid{-1};

 private:
  fs::path log_;
};

/// A builder without components, as far as a promoter sees one.
class Builder {
 public:
  Builder() : thread_{[this] { serve(); }} {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [this] { return port_ != 0; });
  }
  ~Builder() {
    loop_.stop();
    thread_.join();
  }

  /// Called with the number of each request, before and after what it does.
  std::function<void(unsigned number, bool done)> watch = [](unsigned, bool) {};
  std::function<std::optional<http::ServerResponse>(const std::string& path)> disturb = [](const std::string&) {
    return std::nullopt;
  };

  void add(const std::string& label, const std::string& hash) {
    const std::lock_guard lock{mutex_};
    rows_[label].push_front(hash);
  }
  void succeed(const std::string& hash, const std::string& job) {
    const std::lock_guard lock{mutex_};
    votes_[hash].push_back(job);
  }
  std::string state() {
    const std::lock_guard lock{mutex_};
    std::string text;
    for (const auto& [label, rows] : rows_)
      text += label + "=" + rows.front().substr(0, 1) + " of " + std::to_string(rows.size()) + " ";
    return text;
  }
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  unsigned requests = 0;
  std::vector<std::string> signed_by;  ///< The Authorization of each request that changes something.

 private:
  void serve() {
    auto server = http::make_beast_server(loop_.get_executor());
    http::ListenOptions options;
    options.address = http::TcpAddress{};
    const auto port = server->listen(options, [this](http::ServerRequest& request) { return answer(request); });
    {
      const std::lock_guard lock{mutex_};
      port_ = *port;
    }
    changed_.notify_all();
    const auto guard = boost::asio::make_work_guard(loop_);
    loop_.run();
  }

  boost::asio::awaitable<http::ServerResponse> answer(http::ServerRequest& request) {
    const auto body = co_await request.read_all(100'000);
    const unsigned number = ++requests;
    watch(number, false);
    if (request.method == "POST") signed_by.emplace_back(request.headers.get("Authorization"));
    http::ServerResponse response;
    if (auto disturbed = disturb(request.path)) {
      response = *std::move(disturbed);
    } else {
      std::map<std::string, std::string> query;
      for (const auto& each : split(request.query, '&'))
        if (const auto equals = each.find('='); equals != std::string::npos)
          query[each.substr(0, equals)] = percent_decode(each.substr(equals + 1));
      response.headers.set("Content-Type", "application/json");
      const std::lock_guard lock{mutex_};
      if (request.path == "/api/promotions")
        response.body = promotions(query);
      else if (request.path == "/api/repo_status")
        response.body = votes(query["commit_hash"]);
      else if (request.path == "/api/promote") {
        const auto item = json::parse(*body).as_object();
        rows_[std::string{item.at("promote_name").as_string()}].push_front(
            std::string{item.at("commit_hash").as_string()});
        response.status = 201;
        response.body = json::serialize(
            row(std::string{item.at("commit_hash").as_string()}, std::string{item.at("promote_name").as_string()}));
      } else
        response.status = 404;
    }
    watch(number, true);
    co_return response;
  }
  static json::object row(const std::string& hash, const std::string& label) {
    return {{"commit_hash", hash},  {"distro_hash", hash},   {"extended_hash", nullptr},  {"aggregate_hash", nullptr},
            {"component", nullptr}, {"promote_name", label}, {"timestamp", 1795213010.0}, {"user", "ciuser"},
            {"repo_url", ""},       {"repo_hash", ""}};
  }
  std::string promotions(std::map<std::string, std::string>& query) {
    json::array found;
    const auto& rows = rows_[query["promote_name"]];
    const auto offset = query["offset"].empty() ? 0u : static_cast<unsigned>(std::stoul(query["offset"]));
    for (std::size_t index = offset; index < rows.size() && found.size() < 100; ++index)
      found.push_back(row(rows[index], query["promote_name"]));
    if (rows.empty()) rows_.erase(query["promote_name"]);
    return json::serialize(found);
  }
  std::string votes(const std::string& hash) {
    json::array found;
    for (const auto& job : votes_[hash]) {
      auto vote = row(hash, "");
      vote["job_id"] = job;
      vote["success"] = true;
      vote["in_progress"] = false;
      vote["url"] = "";
      vote["notes"] = "";
      found.push_back(std::move(vote));
    }
    return json::serialize(found);
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint16_t port_ = 0;
  std::map<std::string, std::deque<std::string>> rows_;
  std::map<std::string, std::vector<std::string>> votes_;
  boost::asio::io_context loop_;
  std::thread thread_;
};

/// A release whose hash two has passed, with images on this machine.
struct Lab {
  TemporaryDirectory directory;
  Builder builder;

  Lab() {
    const fs::path images = directory.path / "images";
    for (const auto& hash : {one, two}) write_file(images / directory_of(hash) / "overcloud-full.tar", hash);
    fs::create_directory_symlink(directory_of(one), images / "current-tripleo");
    write_file(directory.path / "master.yaml",
               "release: master\napi_url: " + builder.url() +
                   "\nallowed_clients: qcow_client,dlrn_client\novercloud_images:\n  qcow_servers:\n    here: {client: "
                   "local, directory: " +
                   images.string() +
                   "}\n  qcow_images: [overcloud-full.tar]\npromotions:\n  current-tripleo: {candidate_label: "
                   "tripleo-ci-testing, criteria: [job-a]}\n");
    builder.add("tripleo-ci-testing", one);
    builder.add("current-tripleo", one);
    builder.add("tripleo-ci-testing", two);
    builder.succeed(two, "job-a");
  }
  std::vector<std::string> arguments(std::vector<std::string> more = {}) const {
    std::vector<std::string> all{"promote", "--config", (directory.path / "master.yaml").string(), "--state",
                                 (directory.path / "state").string()};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  std::string output;
  int run(std::vector<std::string> more = {}) {
    Outpost outpost{arguments(std::move(more)), directory.path / "log"};
    const int status = outpost.wait();
    output = outpost.output();
    return status;
  }
  std::string state() {
    std::string text = builder.state();
    for (const char* label : {"current-tripleo", "previous-current-tripleo"}) {
      std::error_code none;
      text += std::string{label} + "->" +
              fs::read_symlink(directory.path / "images" / label, none).string().substr(0, 1) + " ";
    }
    return text;
  }
};

constexpr const char* promoted =
    "current-tripleo=2 of 2 previous-current-tripleo=1 of 1 tripleo-ci-testing=2 of 2 current-tripleo->2 "
    "previous-current-tripleo->1 ";
constexpr const char* untouched =
    "current-tripleo=1 of 1 tripleo-ci-testing=2 of 2 current-tripleo->1 previous-current-tripleo-> ";

}  // namespace

TEST_CASE("a dry run says what a run then does, and writes nothing") {
  Lab lab;
  REQUIRE(lab.run({"--dry-run"}) == 0);
  INFO(lab.output);
  CHECK(lab.output.find("would be promoted: " + directory_of(two)) != std::string::npos);
  CHECK(lab.output.find("would do: images: link current-tripleo := " + directory_of(two)) != std::string::npos);
  CHECK(lab.state() == untouched);
  CHECK_FALSE(fs::exists(lab.directory.path / "state"));
  REQUIRE(lab.run() == 0);
  CHECK(lab.state() == promoted);
  REQUIRE(lab.run({"--history", "--json"}) == 0);
  const auto history = json::parse(lab.output);
  CHECK(history.at("promotions").at(0).at("outcome").as_string() == "promoted");
  REQUIRE(lab.run({"--json"}) == 0);
  CHECK(json::parse(lab.output).at("targets").at(0).at("outcome").as_string() == "nothing new");
}

TEST_CASE(
    "killed at any request, before or after the builder acts on it, the next run ends where an uninterrupted one "
    "does") {
  bool was_killed = true;
  unsigned killed = 0;
  for (unsigned at = 1; was_killed; ++at)
    for (const bool done : {false, true}) {
      INFO("killed " << (done ? "after" : "before") << " request " << at);
      Lab lab;
      std::mutex starting;
      pid_t pid = -1;
      lab.builder.watch = [&](unsigned number, bool now_done) {
        if (number != at || now_done != done) return;
        const std::lock_guard wait_for_pid{starting};
        ::kill(pid, SIGKILL);
      };
      std::unique_lock lock{starting};
      Outpost outpost{lab.arguments(), lab.directory.path / "log"};
      pid = outpost.pid;
      lock.unlock();
      was_killed = outpost.wait() == 128 + SIGKILL;
      killed += was_killed ? 1 : 0;
      lab.builder.watch = [](unsigned, bool) {};
      const int status = lab.run();
      INFO(lab.output);
      CHECK(status == 0);
      CHECK(lab.state() == promoted);
    }
  CHECK(killed > 10);
}

TEST_CASE("killed while images are on their way, the next run brings them and ends as if nothing had been") {
  if (::access("/usr/bin/rsync", X_OK) != 0) {
    std::puts("SKIPPED: images that are brought: rsync is not installed");
    return;
  }
  Lab lab;
  const fs::path images = lab.directory.path / "images", built = lab.directory.path / "built",
                 begun = lab.directory.path / "begun";
  fs::create_directories(built);
  fs::rename(images / directory_of(two), built / directory_of(two));
  std::string configuration = read_file(lab.directory.path / "master.yaml");
  configuration.replace(configuration.find("overcloud_images:\n"), 18, "overcloud_images:\n  source: {client: local, directory: " + built.string() + "}\n");
  write_file(lab.directory.path / "master.yaml", configuration);
  REQUIRE(lab.run({"--dry-run"}) == 0);
  INFO(lab.output);
  CHECK(lab.output.find("would do: images: copy " + directory_of(two)) != std::string::npos);

  // An rsync that has half of it there, and goes on for ever.
  const fs::path slow = lab.directory.path / "slow" / "rsync";
  write_file(slow, "#!/bin/sh\nmkdir -p " + (images / ".incoming.outpost").string() + "\nprintf 22 >" +
                       (images / ".incoming.outpost" / "overcloud-full.tar").string() + "\ntouch " + begun.string() +
                       "\nexec sleep 600\n");
  fs::permissions(slow, fs::perms::owner_all);
  {
    auto variables = Outpost::by_password();
    variables.back() = "PATH=" + slow.parent_path().string() + ":/usr/bin:/bin";
    Outpost outpost{lab.arguments(), lab.directory.path / "log", std::move(variables)};
    for (int tries = 0; !fs::exists(begun) && tries < 6'000; ++tries) ::usleep(10'000);
    REQUIRE(fs::exists(begun));
    ::kill(outpost.pid, SIGKILL);
    outpost.wait();
  }
  CHECK(lab.state() == untouched);
  REQUIRE(lab.run() == 0);
  INFO(lab.output);
  CHECK(lab.state() == promoted);
  CHECK(read_file(images / directory_of(two) / "overcloud-full.tar") == two);
  CHECK_FALSE(fs::exists(images / ".incoming.outpost"));
}

TEST_CASE("a log of each run is kept on request, with the words of the old promoter") {
  Lab lab;
  const fs::path logs = lab.directory.path / "logs";
  const auto newest_log = [&](std::size_t due) {
    std::vector<fs::path> files;
    for (const auto& each : fs::directory_iterator{logs}) files.push_back(each.path());
    REQUIRE(files.size() == due);
    // Two of one second are told apart by a number.
    const auto last = std::max_element(files.begin(), files.end(), [](const auto& left, const auto& right) { return fs::last_write_time(left) < fs::last_write_time(right); });
    CHECK(last->filename().string().starts_with("master_20"));
    return read_file(*last);
  };
  REQUIRE(lab.run({"--log-directory", logs.string()}) == 0);
  const std::string log = newest_log(1);
  INFO(log);
  std::size_t at = 0;
  for (const std::string& words : {" INFO promoter Candidate hash '" + directory_of(two) + "': criteria met, attempting promotion to current-tripleo\n",
                                  std::string{" INFO promoter images: moving current-tripleo"},
                                  " INFO promoter Candidate hash '" + directory_of(two) + "': SUCCESSFUL promotion to current-tripleo\n",
                                  std::string{" INFO promoter Summary: Promoted 1 hashes this round\n"},
                                  std::string{" INFO promoter Promoter terminated normally\n"}}) {
    at = log.find(words, at);
    INFO(words);
    REQUIRE(at != std::string::npos);
  }
  CHECK(log[4] == '-');
  CHECK(log[10] == ' ');
  CHECK(log[19] == ',');

  lab.builder.disturb = [](const std::string& path) -> std::optional<http::ServerResponse> {
    if (path != "/api/promote") return std::nullopt;
    http::ServerResponse response;
    response.status = 410;
    return response;
  };
  CHECK(lab.run({"--log-directory", logs.string(), "--target", "current-tripleo", "--roll-back", "--reason", "x"}) == 1);
  const std::string failed = newest_log(2);
  INFO(failed);
  CHECK(failed.find("': wanted by ") != std::string::npos);
  CHECK(failed.find(" WARNING promoter Candidate hash '" + directory_of(one) + "': FAILED promotion attempt to current-tripleo: rolled back: ") != std::string::npos);
  CHECK(failed.find("Summary: Promoted 0 hashes") != std::string::npos);

  // One that did not end on its own says so by what it lacks.
  Outpost nobody{lab.arguments({"--log-directory", logs.string()}), lab.directory.path / "log", {"PATH=/usr/bin:/bin"}};
  CHECK(nobody.wait() == 5);
  const std::string cut = newest_log(3);
  CHECK(cut.find(" ERROR promoter the builder wants to know who promotes") != std::string::npos);
  CHECK(cut.find("terminated normally") == std::string::npos);
}

TEST_CASE("two promoters of one release do not run at once") {
  Lab lab;
  std::string second;
  int status = 0;
  lab.builder.watch = [&, begun = false](unsigned, bool) mutable {
    if (std::exchange(begun, true)) return;
    // The first waits for its answer meanwhile.
    Outpost other{lab.arguments(), lab.directory.path / "other"};
    status = other.wait();
    second = other.output();
  };
  REQUIRE(lab.run() == 0);
  CHECK(status == 6);
  INFO(second);
  CHECK(second.find("another promoter of master may be running") != std::string::npos);
  CHECK(lab.state() == promoted);
}

TEST_CASE("what a builder should never say promotes nothing, and says where") {
  const auto page = [](int status, std::string body) {
    return [status, body](const std::string&) -> std::optional<http::ServerResponse> {
      http::ServerResponse response;
      response.status = status;
      response.headers.set("Content-Type", "text/html");
      response.body = body;
      return response;
    };
  };
  for (const auto& disturb : {page(200, "<html>sign in</html>"), page(500, "<!doctype html><title>500</title>"),
                              page(200, "[1.5]"), page(200, "null"), page(401, "Unauthorized Access")}) {
    Lab lab;
    lab.builder.disturb = disturb;
    CHECK(lab.run() == 1);
    INFO(lab.output);
    CHECK(lab.output.find("failed") != std::string::npos);
    CHECK(lab.state() == untouched);
  }
}

TEST_CASE("a builder that refuses the label has its images put back") {
  Lab lab;
  lab.builder.disturb = [](const std::string& path) -> std::optional<http::ServerResponse> {
    if (path != "/api/promote") return std::nullopt;
    http::ServerResponse response;
    response.status = 410;
    response.headers.set("Content-Type", "application/json");
    response.body = R"({"message": "has been purged, cannot promote it"})";
    return response;
  };
  CHECK(lab.run() == 1);
  INFO(lab.output);
  CHECK(lab.output.find("has been purged") != std::string::npos);
  CHECK(lab.state() == untouched);
}

TEST_CASE("going back on the command line needs a reason and a target") {
  Lab lab;
  REQUIRE(lab.run() == 0);
  CHECK(lab.run({"--roll-back"}) == 2);
  CHECK(lab.run({"--roll-back", "--target", "current-tripleo"}) == 2);
  CHECK(lab.run({"--roll-back", "--target", "nowhere", "--reason", "x"}) == 5);
  CHECK(lab.run({"--roll-back", "--target", "current-tripleo", "--reason", "breaks deployments"}) == 0);
  CHECK(lab.state().find("current-tripleo->1 previous-current-tripleo->2") != std::string::npos);
  REQUIRE(lab.run({"--history"}) == 0);
  INFO(lab.output);
  CHECK(lab.output.find(": breaks deployments") != std::string::npos);
}

TEST_CASE("a wrong configuration is status 5, with each mistake in a line") {
  Lab lab;
  write_file(lab.directory.path / "master.yaml",
             "release: master\napi_url: nowhere\npromotions: {t: {criteria: []}}\n");
  CHECK(lab.run() == 5);
  INFO(lab.output);
  CHECK(lab.output.find("master.yaml:2:1: api_url: ") != std::string::npos);
  CHECK(lab.output.find("promotions.t.criteria") != std::string::npos);
}

TEST_CASE("with tickets of a realm each request that promotes is signed anew") {
  if (!AcceptingRealm::is_possible()) {
    std::puts("SKIPPED: promotions with Kerberos: krb5-kdc and krb5-admin-server are not installed");
    return;
  }
  const AcceptingRealm realm;
  const std::string here = realm.directory.path.string();
  const std::vector<std::string> tickets{"PATH=/usr/bin:/bin", "KRB5_CONFIG=" + here + "/krb5.conf",
                                         "DLRNAPI_AUTHMETHOD=kerberosAuth",
                                         "DLRNAPI_PRINCIPAL=HTTP/builder.example.org@OUTPOST.TEST"};
  const auto run = [&](Lab& lab, std::vector<std::string> more) {
    more.insert(more.end(), tickets.begin(), tickets.end());
    Outpost outpost{lab.arguments(), lab.directory.path / "log", std::move(more)};
    const int status = outpost.wait();
    lab.output = outpost.output();
    return status;
  };
  SECTION("by a keytab") {
    Lab lab;
    CHECK(run(lab, {"KRB5_CLIENT_KTNAME=" + here + "/client.keytab"}) == 0);
    INFO(lab.output);
    CHECK(lab.state() == promoted);
    REQUIRE(lab.builder.signed_by.size() == 2);
    for (const auto& header : lab.builder.signed_by) CHECK(realm.accepted(header) == "tester@OUTPOST.TEST");
  }
  SECTION("without a ticket nothing is promoted, and links are put back") {
    Lab lab;
    CHECK(run(lab, {"KRB5CCNAME=FILE:" + here + "/no-tickets"}) == 1);
    INFO(lab.output);
    CHECK(lab.output.find("Kerberos: the tickets of this user") != std::string::npos);
    CHECK(lab.state().find("current-tripleo=1 of 1") == 0);
    CHECK(lab.builder.signed_by.empty());
  }
  SECTION("a keytab that is not there, and a way that there is not, are mistakes of the configuration") {
    Lab lab;
    CHECK(run(lab, {"KRB5_CLIENT_KTNAME=/nowhere/keytab"}) == 5);
    CHECK(lab.output.find("KRB5_CLIENT_KTNAME: /nowhere/keytab is not there") != std::string::npos);
    Outpost outpost{lab.arguments(), lab.directory.path / "log", {"DLRNAPI_AUTHMETHOD=magic"}};
    CHECK(outpost.wait() == 5);
  }
}
