// One large file over TLS, as the DCI reporter sends it: hashed first, because the signature needs the hash.
#include "agent/base/hash.hpp"
#include "agent/base/workers.hpp"
#include "agent/http/beast/beast_client.hpp"
#include "agent/http/beast/beast_server.hpp"
#include "bench/benchmarks.hpp"
#include "bench/child.hpp"
#include "bench/process_status.hpp"
#include "bench/row.hpp"
#include "integration/sample_lab.hpp"
#include "support/await.hpp"
#include "support/certificates.hpp"

#include <boost/asio/signal_set.hpp>

#include <unistd.h>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <random>
#include <thread>

namespace outpost::bench {
namespace {

namespace fs = std::filesystem;
namespace asio = boost::asio;

constexpr std::uint64_t gibibyte = std::uint64_t{1} << 30, mebibyte = std::uint64_t{1} << 20;
constexpr int runs = 3;

/// Random bytes, so that nothing on the way can make them fewer.
void make_file(const fs::path& path, std::uint64_t size) {
  std::mt19937_64 random{1};
  std::vector<std::uint64_t> piece(mebibyte / sizeof(std::uint64_t));
  std::ofstream file{path, std::ios::binary};
  for (std::uint64_t written = 0; written < size; written += mebibyte) {
    std::generate(piece.begin(), piece.end(), std::ref(random));
    file.write(reinterpret_cast<const char*>(piece.data()), mebibyte);
  }
  if (!file.flush()) throw std::runtime_error{"cannot write " + path.string() + ": is there 1 GiB of room?"};
}

asio::awaitable<http::ServerResponse> discard(http::ServerRequest& request) {
  std::uint64_t received = 0;
  for (;;) {
    const auto piece = co_await request.read_some();
    if (!piece) throw std::runtime_error{piece.error().message};
    if (piece->empty()) break;
    received += piece->size();
  }
  http::ServerResponse response;
  response.status = 201;
  response.body = std::to_string(received);
  co_return response;
}

asio::awaitable<Result<http::Response>> upload(http::Client& client, Workers& workers, std::string url, fs::path path) {
  const std::uint64_t size = fs::file_size(path);
  auto hashing = [path, size] { return sha256_of_file(path, 0, size); };
  auto sha256 = co_await workers.run(std::move(hashing));
  if (!sha256) co_return sha256.error();
  http::Request request;
  request.method = "PUT";
  request.url = std::move(url);
  request.headers.set("Content-Type", "application/octet-stream");
  request.headers.set("X-Content-SHA256", std::move(*sha256));
  request.body = http::FileRange{path, 0, size};
  co_return co_await client.send(std::move(request));
}

/// The server, as a process of its own.
struct DiscardServer {
  explicit DiscardServer(const fs::path& directory)
      : authority{directory},
        identity{authority.issue()},
        port_file{directory / "port"},
        process{{own_program().string(), "discard-server", identity.certificate, identity.key, port_file},
                directory / "server.log"} {
    while (!fs::exists(port_file)) {
      if (!process.is_running()) throw std::runtime_error{test::read_file(directory / "server.log")};
      std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    url = "https://127.0.0.1:" + test::read_file(port_file) + "/";
  }
  ~DiscardServer() {
    process.signal(SIGTERM);
    process.wait();
  }

  test::CertificateAuthority authority;
  test::Identity identity;
  fs::path port_file;
  test::Process process;
  std::string url;
};

}  // namespace

int discard_server(const std::vector<std::string>& arguments) {
  asio::io_context loop{1};
  const auto server = http::make_beast_server(loop.get_executor());
  http::ListenOptions options;
  options.address = http::TcpAddress{};
  options.tls = http::TlsIdentity{arguments.at(0), arguments.at(1), {}};
  const auto port = server->listen(options, discard);
  if (!port) throw std::runtime_error{port.error().message};
  std::ofstream{arguments.at(2) + ".new"} << *port;
  fs::rename(arguments.at(2) + ".new", arguments.at(2));
  asio::signal_set signals{loop, SIGTERM};
  signals.async_wait([&](auto, int) { server->stop(); });
  loop.run();
  return 0;
}

int upload_once(const std::vector<std::string>& arguments) {
  http::ClientOptions options;
  options.ca_file = arguments.at(1);
  auto client = http::make_beast_client(options);
  if (!client) throw std::runtime_error{client.error().message};
  asio::io_context loop{1};
  Workers workers;
  // An agent has polled over TLS for long when it uploads: what that needs is not the upload's.
  http::Request poll;
  poll.url = arguments.at(0);
  if (auto polled = test::await(loop, (*client)->send(std::move(poll))); !polled)
    throw std::runtime_error{polled.error().message};

  reset_peak();
  const auto before = memory_of(::getpid()).resident;
  auto answer =
      test::await(loop, upload(**client, workers, arguments.at(0), arguments.at(2)), std::chrono::minutes{10});
  const auto peak = memory_of(::getpid()).peak;
  if (!answer) throw std::runtime_error{answer.error().message};
  if (answer->body != std::to_string(fs::file_size(arguments.at(2))))
    throw std::runtime_error{"the server received " + answer->body + " bytes"};
  std::cout << (peak > before ? peak - before : 0) << "\n";
  return 0;
}

void upload_1g() {
  const test::TemporaryDirectory directory;
  const fs::path large = directory.path / "large", small = directory.path / "small", grown = directory.path / "grown";
  make_file(large, gibibyte);
  make_file(small, mebibyte);
  const DiscardServer server{directory.path};
  const std::string program = own_program().string(), ca = server.authority.file();

  std::vector<double> ours, floor, growth, growth_small;
  for (int run = 0; run < runs; ++run) {
    const double hashing = run_child({"sha256sum", large.string()});
    const double sending = run_child({"curl", "-sS", "--fail", "--cacert", ca, "-T", large.string(), server.url});
    floor.push_back(hashing + sending);
    ours.push_back(run_child({program, "upload-once", server.url, ca, large.string()}, grown));
    growth.push_back(std::stod(test::read_file(grown)) / mebibyte);
    run_child({program, "upload-once", server.url, ca, small.string()}, grown);
    growth_small.push_back(std::stod(test::read_file(grown)) / mebibyte);
  }
  print({"upload_1g", "s", median(ours), median(floor), "ratio <= 1.25",
         format(1024 / median(ours), 0) + " MiB/s with the hash, median of 3; the floor is sha256sum, then curl -T"});
  print({"upload_1g_memory", "MiB", quantile(growth, 1), quantile(growth_small, 1), "ours <= 16",
         "growth of resident memory, the largest of 3; the floor is the same with a file of 1 MiB"});
}

}  // namespace outpost::bench
