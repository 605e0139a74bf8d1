// dci-replay: sends recorded exchanges with the original control server to another server and compares the answers.
#include "agent/base/text.hpp"
#include "agent/http/beast/beast_server.hpp"
#include "samples/control-server/control_server.hpp"
#include "samples/control-server/replay/replay.hpp"
#include "samples/control-server/replay/seed.hpp"

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <thread>

namespace {

using namespace outpost;

/// A sample server of our own, on a thread, gone with its data at the end.
class OwnServer {
 public:
  OwnServer(std::uint64_t max_content_length, const replay::Recording& recording)
      : control_{options(max_content_length)}, server_{http::make_beast_server(loop_.get_executor())} {
    known_ids = replay::seed(recording, control_.records());
    const auto port = server_->listen({}, control_.handler());
    if (!port) throw std::runtime_error{port.error().message};
    port_ = *port;
    thread_ = std::thread{[this] { loop_.run(); }};
  }
  ~OwnServer() {
    boost::asio::post(loop_, [this] { server_->stop(); });
    thread_.join();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  OwnServer(const OwnServer&) = delete;
  OwnServer& operator=(const OwnServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  std::set<std::string> known_ids;  ///< Objects older than the recording.

 private:
  sample::ServerOptions options(std::uint64_t max_content_length) {
    auto name = (std::filesystem::temp_directory_path() / "dci-replay-XXXXXX").string();
    if (!::mkdtemp(name.data()))
      throw std::runtime_error{"cannot create a directory in " + std::filesystem::temp_directory_path().string()};
    directory_ = name;
    sample::ServerOptions options;
    options.data = directory_;
    options.in_memory = true;
    options.max_content_length = max_content_length;
    return options;
  }

  std::filesystem::path directory_;
  boost::asio::io_context loop_{1};
  sample::ControlServer control_;
  std::unique_ptr<http::Server> server_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

struct Arguments {
  std::vector<std::filesystem::path> directories;
  std::string server;
  std::vector<std::string> replace;
  std::uint64_t max_content_length_mb = 20;
  bool quiet = false;
};

int complain(const std::string& message) {
  std::fprintf(stderr, "dci-replay: %s\n", printable(message).c_str());
  return 2;
}

std::optional<replay::Target> target_of(std::string url) {
  if (!url.starts_with("http://")) return {};
  url = url.substr(7, url.find('/', 7) - 7);
  const auto colon = url.rfind(':');
  const auto port = colon == std::string::npos ? 80 : std::atoi(url.c_str() + colon + 1);
  if (port <= 0 || port > 65535) return {};
  return replay::Target{url.substr(0, colon), static_cast<std::uint16_t>(port), false};
}

void print(const replay::Pair& pair, const replay::Outcome& outcome, bool quiet) {
  using Kind = replay::Outcome::Kind;
  if (quiet && outcome.kind == Kind::passed) return;
  const auto* word = outcome.kind == Kind::passed ? "ok  " : outcome.kind == Kind::failed ? "DIFF" : "skip";
  std::printf("%s %s  %s %s -> %d\n", word, printable(pair.file).c_str(), printable(pair.method).c_str(),
              printable(pair.target, 100).c_str(), pair.status);
  for (const auto& detail : outcome.details) std::printf("       %s\n", detail.c_str());
}

int run(const Arguments& arguments) {
  auto recording = replay::read_recording(arguments.directories);
  if (!recording) return complain(recording.error().message);
  std::vector<std::pair<std::string, std::string>> replacements;
  for (const auto& text : arguments.replace) {
    const auto equal = text.find('=');
    if (equal == std::string::npos || equal == 0) return complain("--replace " + text + " is not FROM=TO");
    replacements.emplace_back(text.substr(0, equal), text.substr(equal + 1));
  }
  std::optional<OwnServer> own;
  std::optional<replay::Target> target;
  if (arguments.server.empty()) {
    own.emplace(arguments.max_content_length_mb * 1024 * 1024, *recording);
    if (!own->known_ids.empty())
      std::printf("%zu objects are older than this recording and were put into the server first\n",
                  own->known_ids.size());
    target = replay::Target{"127.0.0.1", own->port(), true};
  } else if (target = target_of(arguments.server); !target) {
    return complain("--server " + arguments.server + " is not http://HOST[:PORT]");
  }
  replay::Replay replaying{std::move(*recording), *target, std::move(replacements),
                           own ? own->known_ids : std::set<std::string>{}};
  int counts[3] = {0, 0, 0};
  for (std::size_t i = 0; i < replaying.pairs().size(); ++i) {
    const auto outcome = replaying.run(i);
    ++counts[static_cast<int>(outcome.kind)];
    print(replaying.pairs()[i], outcome, arguments.quiet);
  }
  std::printf("%d passed, %d failed, %d skipped\n", counts[0], counts[1], counts[2]);
  return counts[1] == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Replays recorded exchanges with a DCI control server and compares status and shape of the answers"};
  Arguments arguments;
  app.add_option("DIR", arguments.directories,
                 "Directories of pairs (NNN-name.json, credentials.json); ordered by number")
      ->required()
      ->check(CLI::ExistingDirectory);
  app.add_option("--server", arguments.server,
                 "http://HOST:PORT of a fresh server; without it a sample server is started");
  app.add_option(
      "--replace", arguments.replace,
      "FROM=TO: put TO for FROM in all requests and expected answers (names that a used server already has)");
  app.add_option("--max-content-length-mb", arguments.max_content_length_mb, "Of the sample server that is started")
      ->capture_default_str();
  app.add_flag("-q,--quiet", arguments.quiet, "Print no line for pairs that pass");
  app.footer("Exit status: 0 all passed or skipped, 1 differences, 2 the recording or the server cannot be used.");
  CLI11_PARSE(app, argc, argv);
  try {
    return run(arguments);
  } catch (const std::exception& error) {
    return complain(error.what());
  }
}
