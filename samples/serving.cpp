#include "samples/serving.hpp"

#include "agent/http/beast/beast_server.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace outpost::sample {
namespace {

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

/// Written elsewhere and renamed, so that who waits for the file never reads half of it.
void write_port(const std::string& file, std::uint16_t port) {
  std::ofstream{file + ".new"} << port << '\n';
  std::filesystem::rename(file + ".new", file);
}

}  // namespace

void define(CLI::App& app, Serving& serving) {
  app.add_option("--listen", serving.listen, "HOST:PORT to listen on; port 0 takes any free one")->capture_default_str();
  app.add_option("--port-file", serving.port_file, "Write the port there once the server accepts connections");
  app.add_option("--tls-cert", serving.certificate, "PEM certificate: serve https")->check(CLI::ExistingFile);
  app.add_option("--tls-key", serving.key, "PEM key of the certificate")->check(CLI::ExistingFile);
}

Result<void> serve(const std::string& program, const Serving& serving, http::Handler handler,
                   const std::function<void(const std::string& url)>& ready) {
  if (serving.certificate.empty() != serving.key.empty())
    return Error{Fault::malformed, "--tls-cert and --tls-key belong together"};
  const auto address = address_of(serving.listen);
  if (!address) return address.error();
  boost::asio::io_context loop{1};
  const auto server = http::make_beast_server(loop.get_executor());
  http::ListenOptions options;
  options.address = *address;
  const bool https = !serving.certificate.empty();
  if (https) options.tls = http::TlsIdentity{serving.certificate, serving.key, {}};
  const auto port = server->listen(options, std::move(handler));
  if (!port) return port.error();
  const std::string url = std::string{https ? "https" : "http"} + "://" + address->host + ':' + std::to_string(*port);
  if (ready) ready(url);
  if (!serving.port_file.empty()) write_port(serving.port_file, *port);
  std::printf("%s: listening on %s\n", program.c_str(), url.c_str());
  std::fflush(stdout);
  boost::asio::signal_set signals{loop, SIGINT, SIGTERM};
  signals.async_wait([&](auto, int) { server->stop(); });
  loop.run();
  return {};
}

}  // namespace outpost::sample
