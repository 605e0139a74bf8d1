// outpost-sample-builder: the double of a DLRN package builder as a program.
#include "samples/dlrn-server/dlrn_server.hpp"
#include "samples/dlrn-server/tickets.hpp"
#include "samples/serving.hpp"

#include <cstdio>
#include <string>
#include <vector>

namespace {

using namespace outpost;

int complain(const std::string& message) {
  std::fprintf(stderr, "outpost-sample-builder: %s\n", message.c_str());
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"A package builder as DLRN's clients see one: a test double, not a product"};
  sample::Serving serving;
  sample_builder::DlrnServer::Options options;
  bool single = false;
  std::vector<std::string> users;
  sample_builder::TicketOptions tickets;
  bool without_graphql = false;
  define(app, serving);
  app.add_option("--data", options.data, "Directory for the web tree; made if need be")->required();
  app.add_flag("--single", single, "Without components");
  app.add_option("--user", users, "NAME:PASSWORD of somebody who may write (ciuser:secret)");
  app.add_flag("--protected-reads", options.access.protected_reads, "Reads need a user too");
  auto* keytab = app.add_option("--keytab", tickets.keytab, "Takes Kerberos tickets, with these keys of its own (HTTP/host@REALM)")->check(CLI::ExistingFile);
  app.add_option("--writer", tickets.writers, "Who may write with a ticket: the principal's name before the @")->needs(keytab);
  app.add_option("--reader", tickets.readers, "Who may only read with a ticket")->needs(keytab);
  app.add_flag("--without-graphql", without_graphql, "/api/graphql answers 501, as where its libraries are missing");
  app.add_option("--api", options.api, "Where the API is mounted")->capture_default_str();
  app.add_option("--tree", options.tree, "Where the web tree is mounted")->capture_default_str();
  app.add_option("--request-log", options.request_log, "Append a line for each request");
  app.footer("Feed it with samples/dlrn-server/feed, or by POST /_feed. What it does as the original and what not:\n"
             "samples/dlrn-server/README.md");
  CLI11_PARSE(app, argc, argv);
  options.components = !single;
  options.access.graphql = !without_graphql;
  options.access.kerberos_first = !tickets.keytab.empty();
  if (options.access.kerberos_first) options.access.ticket = accept_tickets(std::move(tickets));
  if (!users.empty()) options.access.users.clear();
  for (const auto& user : users) {
    const auto colon = user.find(':');
    if (colon == std::string::npos || colon == 0) return complain("--user: NAME:PASSWORD is due");
    options.access.users[user.substr(0, colon)] = user.substr(colon + 1);
  }
  try {
    sample_builder::DlrnServer builder{options};
    const auto served = sample::serve("outpost-sample-builder", serving, builder.handler(), [&](const std::string& url) { builder.set_url(url); });
    return served ? 0 : complain(served.error().message);
  } catch (const std::exception& error) {
    return complain(error.what());
  }
}
