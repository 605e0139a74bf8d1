#include "bench/sample_log.hpp"

#include <array>
#include <string_view>

namespace outpost::bench {

std::vector<std::string> make_secrets(std::mt19937& random, std::size_t count) {
  static constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  std::vector<std::string> secrets(count);
  for (auto& secret : secrets)
    for (std::size_t length = 16 + random() % 25; length > 0; --length) secret += letters[random() % letters.size()];
  return secrets;
}

std::string make_log(std::mt19937& random, const std::vector<std::string>& secrets, std::size_t size) {
  static constexpr std::array words{"TASK",     "[acme-storage",   ":",    "wait",    "for",       "nodes]", "ok:",
                                    "changed:", "rack1-3",         "msg=", "retries", "installed", "0",      "rpm",
                                    "false",    "/usr/lib/systemd"};
  std::string log;
  log.reserve(size + 256);
  while (log.size() < size) {
    for (auto count = 6 + random() % 8; count > 0; --count) log.append(words[random() % words.size()]).append(" ");
    if (random() % 1000 == 0) log += "password=" + secrets[random() % secrets.size()];
    log += '\n';
  }
  log.resize(size);
  return log;
}

}  // namespace outpost::bench
