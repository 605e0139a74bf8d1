#include "plugins/dlrn/promoter/ssh.hpp"

#include "agent/base/text.hpp"

#include <cstdlib>

namespace outpost::promoter {

std::vector<std::string> ssh_options(const ImageHost& host) {
  std::vector<std::string> options{"-o", "Port=" + std::to_string(host.port),
                                   "-o", "BatchMode=yes",
                                   "-o", "StrictHostKeyChecking=yes",
                                   "-o", "ConnectTimeout=20",
                                   "-o", "ServerAliveInterval=15"};
  if (!host.known_hosts.empty())
    options.insert(options.end(), {"-o", "UserKnownHostsFile=" + host.known_hosts.string()});
  if (!host.key.empty()) options.insert(options.end(), {"-i", host.key.string(), "-o", "IdentitiesOnly=yes"});
  return options;
}

std::vector<std::string> ssh_environment() {
  std::vector<std::string> environment;
  for (const char* name : {"PATH", "HOME", "SSH_AUTH_SOCK"})
    if (const char* value = std::getenv(name)) environment.push_back(std::string{name} + "=" + value);
  return environment;
}

std::string ssh_address(const ImageHost& host) { return (host.user.empty() ? "" : host.user + "@") + host.host; }

bool is_not_let_in(std::string_view words) {
  const std::string said = to_lower(words);
  return said.find("permission denied (") != std::string::npos ||
         said.find("host key verification failed") != std::string::npos;
}

}  // namespace outpost::promoter
