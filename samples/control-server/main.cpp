// outpost-sample-server: the double of the control server as a program.
#include "agent/http/beast/beast_server.hpp"
#include "samples/control-server/control_server.hpp"

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace {

using namespace outpost;

struct Arguments {
  std::string listen = "127.0.0.1:0", port_file, certificate, key, fault;
  sample::ServerOptions server;
  std::uint64_t max_content_length_mb = 20;
  long clock_offset = 0;
};

void define(CLI::App& app, Arguments& arguments) {
  app.add_option("--listen", arguments.listen, "HOST:PORT to listen on; port 0 takes any free one")
      ->capture_default_str();
  app.add_option("--data", arguments.server.data, "Directory for the database and the files; made if need be")
      ->required();
  app.add_flag("--in-memory", arguments.server.in_memory, "Keep the database in memory (files still go to --data)");
  app.add_option("--port-file", arguments.port_file, "Write the port there once the server accepts connections");
  app.add_option("--tls-cert", arguments.certificate, "PEM certificate: serve https")->check(CLI::ExistingFile);
  app.add_option("--tls-key", arguments.key, "PEM key of the certificate")->check(CLI::ExistingFile);
  app.add_option("--max-content-length-mb", arguments.max_content_length_mb, "Larger bodies are answered with 413")
      ->capture_default_str();
  app.add_option("--clock-offset", arguments.clock_offset,
                 "Seconds that this server's clock is ahead (or, negative, behind)");
  app.add_option("--fault", arguments.fault, "Misbehave: a script (lines or JSON), or a file that holds one");
  app.add_option("--request-log", arguments.server.request_log, "Append a line of JSON for each request");
  app.footer(
      "A new database has the user admin with the password admin.\n"
      "Example: outpost-sample-server --listen 127.0.0.1:5000 --data /tmp/dci --fault 'POST /api/v1/files nth=2 "
      "status=503'\n"
      "The answers, the faults and what differs from the original: samples/control-server/README.md");
}

Result<http::TcpAddress> address_of(const std::string& text) {
  const auto colon = text.rfind(':');
  try {
    const auto port = std::stoul(text.substr(colon + 1));
    if (colon != std::string::npos && colon > 0 && port < 65536)
      return http::TcpAddress{text.substr(0, colon), static_cast<std::uint16_t>(port)};
  } catch (const std::exception&) {
  }
  return Error{Fault::malformed, "--listen: \"" + text + "\" is not HOST:PORT (example: 127.0.0.1:5000)"};
}

Result<sample::Faults> faults_of(const std::string& fault) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(fault, ignored)) return sample::Faults::parse(fault);
  std::ifstream file{fault, std::ios::binary};
  const std::string script{std::istreambuf_iterator<char>{file}, {}};
  return sample::Faults::parse(script);
}

/// Written elsewhere and renamed, so that who waits for the file never reads half of it.
void write_port(const std::string& file, std::uint16_t port) {
  std::ofstream{file + ".new"} << port << '\n';
  std::filesystem::rename(file + ".new", file);
}

int complain(const Error& error) {
  std::fprintf(stderr, "outpost-sample-server: %s\n", error.message.c_str());
  return 2;
}

int run(Arguments& arguments) {
  const auto address = address_of(arguments.listen);
  if (!address) return complain(address.error());
  auto faults = faults_of(arguments.fault);
  if (!faults) return complain(faults.error());
  arguments.server.https = !arguments.certificate.empty();
  arguments.server.max_content_length = arguments.max_content_length_mb * 1024 * 1024;
  arguments.server.clock_offset = std::chrono::seconds{arguments.clock_offset};
  boost::asio::io_context loop{1};
  sample::ControlServer control{arguments.server};
  control.set_faults(std::move(*faults));
  const auto server = http::make_beast_server(loop.get_executor());
  http::ListenOptions options;
  options.address = *address;
  if (arguments.server.https) options.tls = http::TlsIdentity{arguments.certificate, arguments.key, {}};
  const auto port = server->listen(options, control.handler());
  if (!port) return complain(port.error());
  if (!arguments.port_file.empty()) write_port(arguments.port_file, *port);
  std::printf("outpost-sample-server: listening on %s://%s:%u\n", arguments.server.https ? "https" : "http",
              address->host.c_str(), *port);
  std::fflush(stdout);
  boost::asio::signal_set signals{loop, SIGINT, SIGTERM};
  signals.async_wait([&](auto, int) { server->stop(); });
  loop.run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"A control server that speaks the DCI protocol: a test double, not a product"};
  Arguments arguments;
  define(app, arguments);
  CLI11_PARSE(app, argc, argv);
  if (arguments.certificate.empty() != arguments.key.empty())
    return complain({Fault::malformed, "--tls-cert and --tls-key belong together"});
  try {
    return run(arguments);
  } catch (const std::exception& error) {
    return complain({Fault::unavailable, error.what()});
  }
}
