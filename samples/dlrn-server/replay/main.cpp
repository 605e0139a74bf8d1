// dlrn-replay: sends recorded exchanges with an original builder to another one and compares the answers.
#include "agent/base/clock.hpp"
#include "agent/base/text.hpp"
#include "agent/http/beast/beast_server.hpp"
#include "agent/http/url.hpp"
#include "samples/control-server/replay/wire.hpp"
#include "samples/dlrn-server/replay/comparison.hpp"
#include "samples/dlrn-server/replay/seed.hpp"

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <thread>

namespace {

using namespace outpost;
using builder_replay::Pair;

std::filesystem::path temporary_directory() {
  auto name = (std::filesystem::temp_directory_path() / "dlrn-replay-XXXXXX").string();
  if (!::mkdtemp(name.data())) throw std::runtime_error{"cannot create a directory in " + std::filesystem::temp_directory_path().string()};
  return name;
}

/// A double of our own that stands for one of the recorded builders, on a thread, gone with its data at the end.
class OwnBuilder {
 public:
  explicit OwnBuilder(const std::vector<Pair>& pairs)
      : directory_{temporary_directory()}, builder_{options(pairs)}, server_{http::make_beast_server(loop_.get_executor())} {
    builder_.set_url("http://127.0.0.1");
    builder_.builder().now = [this] { return time_.load(); };
    builder_replay::seed(pairs, builder_.builder());
    const auto port = server_->listen({}, builder_.handler());
    if (!port) throw std::runtime_error{port.error().message};
    url = "http://127.0.0.1:" + std::to_string(*port) + "/builder";
    thread_ = std::thread{[this] { loop_.run(); }};
  }
  ~OwnBuilder() {
    boost::asio::post(loop_, [this] { server_->stop(); });
    thread_.join();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  OwnBuilder(const OwnBuilder&) = delete;
  OwnBuilder& operator=(const OwnBuilder&) = delete;

  /// Votes have an age: it is that of the recording.
  void set_time(std::int64_t seconds) { time_ = seconds; }
  std::string url;

 private:
  sample_builder::DlrnServer::Options options(const std::vector<Pair>& pairs) const {
    auto made = builder_replay::options_for(pairs);
    made.data = directory_;
    return made;
  }

  std::filesystem::path directory_;
  std::atomic<std::int64_t> time_{0};
  boost::asio::io_context loop_{1};
  sample_builder::DlrnServer builder_;
  std::unique_ptr<http::Server> server_;
  std::thread thread_;
};

struct Arguments {
  std::filesystem::path directory;
  std::string server, only;
  bool quiet = false;
};

struct Counts {
  int passed = 0, failed = 0, skipped = 0;
};

int complain(const std::string& message) {
  std::fprintf(stderr, "dlrn-replay: %s\n", printable(message).c_str());
  return 2;
}

/// "" when it can be sent anew.
std::string why_not(const Pair& pair, bool own) {
  if (!own && pair.has_ticket() && pair.status != 401) return "it needs a ticket of the recorded Kerberos realm";
  return "";
}

void report(const Pair& pair, const char* word, const std::vector<std::string>& details) {
  std::printf("%s %s  %s %s -> %d\n", word, printable(pair.file).c_str(), printable(pair.method).c_str(), printable(pair.target(), 100).c_str(), pair.status);
  for (const auto& detail : details) std::printf("       %s\n", detail.c_str());
}

replay::WireRequest request_of(const Pair& pair, const http::Url& url, const builder_replay::Comparison& comparison) {
  replay::WireRequest request;
  request.method = pair.method;
  request.target = (url.target == "/" ? "" : url.target) + comparison.translated(pair.target());
  request.body = comparison.translated(pair.body);
  request.headers.set("Host", url.host_header);
  for (const auto& [name, value] : pair.headers)
    if (!equal_ignoring_case(name, "Host") && !equal_ignoring_case(name, "Content-Length") && !equal_ignoring_case(name, "Connection")) request.headers.add(name, value);
  if (pair.headers.has("Content-Length") || !request.body.empty()) request.headers.set("Content-Length", std::to_string(request.body.size()));
  return request;
}

void replay_builder(const std::vector<Pair>& pairs, const Arguments& arguments, Counts& counts) {
  std::optional<OwnBuilder> own;
  if (arguments.server.empty()) own.emplace(pairs);
  const auto url = http::parse_url(own ? own->url : arguments.server);
  if (!url) throw std::runtime_error{url.error().message};
  builder_replay::Comparison comparison{pairs, !own};
  for (const auto& pair : pairs) {
    std::vector<std::string> details;
    const char* word = "ok  ";
    if (const std::string reason = why_not(pair, own.has_value()); !reason.empty()) {
      word = "skip";
      details = {reason};
      ++counts.skipped;
    } else {
      if (own) own->set_time(std::chrono::floor<std::chrono::seconds>(parse_http_date(pair.answer_headers.get("Date")).value_or(Timestamp{})).time_since_epoch().count());
      const auto answer = replay::exchange(url->host, url->port, request_of(pair, *url, comparison));
      details = answer ? comparison.compare(pair, *answer) : std::vector{answer.error().message};
      const bool undecided = details.empty() && !comparison.undecided().empty();
      if (!details.empty()) word = "DIFF";
      ++(undecided ? counts.skipped : details.empty() ? counts.passed : counts.failed);
      if (undecided) {
        word = "skip";
        details = {comparison.undecided()};
      }
    }
    if (!arguments.quiet || !details.empty()) report(pair, word, details);
  }
}

int run(const Arguments& arguments) {
  auto pairs = builder_replay::read_recording(arguments.directory);
  if (!pairs) return complain(pairs.error().message);
  std::map<std::string, std::vector<Pair>> builders;
  Counts counts;
  for (auto& pair : *pairs) {
    if (!pair.unusable.empty()) {
      report(pair, "skip", {pair.unusable});
      ++counts.skipped;
      continue;
    }
    if (arguments.only.empty() || pair.server == arguments.only) builders[pair.server].push_back(std::move(pair));
  }
  if (builders.empty()) return complain("--only " + arguments.only + ": no such builder was recorded");
  if (!arguments.server.empty() && builders.size() > 1) return complain("several builders were recorded: say with --only which of them --server is");
  for (const auto& [name, of_builder] : builders) replay_builder(of_builder, arguments, counts);
  std::printf("%d passed, %d failed, %d skipped\n", counts.passed, counts.failed, counts.skipped);
  return counts.failed == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Replays recorded exchanges with a DLRN builder and compares status, headers and values of the answers"};
  Arguments arguments;
  app.add_option("DIR", arguments.directory, "Directory of pairs (NN-name.json); ordered by number")->required()->check(CLI::ExistingDirectory);
  app.add_option("--server", arguments.server, "http://HOST:PORT[/PREFIX] of the API of a builder in the state of the recording; without it the double is started");
  app.add_option("--only", arguments.only, "Of several builders that were recorded, this one");
  app.add_flag("-q,--quiet", arguments.quiet, "Print no line for pairs that pass");
  app.footer("Exit status: 0 all passed or skipped, 1 differences, 2 the recording or the server cannot be used.");
  CLI11_PARSE(app, argc, argv);
  try {
    return run(arguments);
  } catch (const std::exception& error) {
    return complain(error.what());
  } catch (const sample_builder::Refusal& refusal) {
    return complain("the recording contradicts itself: " + refusal.message);
  }
}
