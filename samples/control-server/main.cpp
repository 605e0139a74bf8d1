// outpost-sample-server: the double of the control server as a program.
#include "samples/control-server/control_server.hpp"
#include "samples/serving.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace {

using namespace outpost;

struct Arguments {
  sample::Serving serving;
  std::string fault;
  sample::ServerOptions server;
  std::uint64_t max_content_length_mb = 20;
  long clock_offset = 0;
};

void define(CLI::App& app, Arguments& arguments) {
  define(app, arguments.serving);
  app.add_option("--data", arguments.server.data, "Directory for the database and the files; made if need be")
      ->required();
  app.add_flag("--in-memory", arguments.server.in_memory, "Keep the database in memory (files still go to --data)");
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

Result<sample::Faults> faults_of(const std::string& fault) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(fault, ignored)) return sample::Faults::parse(fault);
  std::ifstream file{fault, std::ios::binary};
  const std::string script{std::istreambuf_iterator<char>{file}, {}};
  return sample::Faults::parse(script);
}

int complain(const Error& error) {
  std::fprintf(stderr, "outpost-sample-server: %s\n", error.message.c_str());
  return 2;
}

int run(Arguments& arguments) {
  auto faults = faults_of(arguments.fault);
  if (!faults) return complain(faults.error());
  arguments.server.https = !arguments.serving.certificate.empty();
  arguments.server.max_content_length = arguments.max_content_length_mb * 1024 * 1024;
  arguments.server.clock_offset = std::chrono::seconds{arguments.clock_offset};
  sample::ControlServer control{arguments.server};
  control.set_faults(std::move(*faults));
  const auto served = sample::serve("outpost-sample-server", arguments.serving, control.handler());
  return served ? 0 : complain(served.error());
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"A control server that speaks the DCI protocol: a test double, not a product"};
  Arguments arguments;
  define(app, arguments);
  CLI11_PARSE(app, argc, argv);
  try {
    return run(arguments);
  } catch (const std::exception& error) {
    return complain({Fault::unavailable, error.what()});
  }
}
