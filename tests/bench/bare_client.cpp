#include "bench/bare_client.hpp"

#include "agent/base/clock.hpp"
#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"
#include "agent/http/url.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>
#include <algorithm>
#include <stdexcept>

namespace outpost::bench {

BareClient::BareClient(const std::string& url, dci::Credentials credentials) : credentials_{std::move(credentials)} {
  const auto parsed = http::parse_url(url);
  if (!parsed) throw std::runtime_error{parsed.error().message};
  host_ = parsed->host_header;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(parsed->port);
  ::inet_pton(AF_INET, parsed->host.c_str(), &address.sin_addr);
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error{"cannot connect to " + url};
}

BareClient::~BareClient() { ::close(socket_); }

BareClient::Answer BareClient::send(const std::string& method, const std::string& target, std::string_view body,
                                    const http::Headers& headers) {
  const auto signature = dci::sign({method, target, host_, sha256_hex(body)}, credentials_, SystemClock{}.now());
  std::string head = "X-DCI-Date: " + signature.date + "\r\nAuthorization: " + signature.authorization +
                     "\r\nClient-Version: outpost-bench\r\n";
  for (const auto& [name, value] : headers) head += name + ": " + value + "\r\n";
  if (!body.empty()) head += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return exchange(method + " " + target, std::move(head), body);
}

BareClient::Answer BareClient::get_unsigned(const std::string& target) { return exchange("GET " + target, {}, {}); }

BareClient::Answer BareClient::exchange(const std::string& what, std::string head, std::string_view body) {
  const std::string request = what + " HTTP/1.1\r\nHost: " + host_ + "\r\n" + head + "\r\n" + std::string{body};
  for (std::string_view rest = request; !rest.empty();) {
    const auto count = ::send(socket_, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (count <= 0) throw std::runtime_error{what + ": the server has closed the connection"};
    rest.remove_prefix(static_cast<std::size_t>(count));
  }
  return receive(what);
}

BareClient::Answer BareClient::receive(const std::string& what) {
  const auto fill = [&] {
    char bytes[16 * 1024];
    const auto count = ::recv(socket_, bytes, sizeof bytes, 0);
    if (count <= 0) throw std::runtime_error{what + ": no answer"};
    buffer_.append(bytes, static_cast<std::size_t>(count));
  };
  while (buffer_.find("\r\n\r\n") == std::string::npos) fill();
  const std::size_t head_size = buffer_.find("\r\n\r\n") + 4;
  const int status = std::stoi(buffer_.substr(buffer_.find(' ') + 1, 3));
  std::size_t length = 0;
  Answer answer;
  for (const auto& line : split(buffer_.substr(0, head_size), '\n')) {
    const auto colon = std::min(line.find(':'), line.size());
    const std::string name = to_lower(line.substr(0, colon));
    if (name == "content-length") length = std::stoul(line.substr(colon + 1));
    if (name == "location") answer.location = trim(std::string_view{line}.substr(colon + 1));
  }
  while (buffer_.size() < head_size + length) fill();
  answer.body = buffer_.substr(head_size, length);
  buffer_.erase(0, head_size + length);
  if (status / 100 != 2 && status / 100 != 3 && !is_optional(what))
    throw std::runtime_error{what + ": " + std::to_string(status) + " " + answer.body};
  return answer;
}

bool is_optional(std::string_view target) { return target.find("/images_list.yaml") != std::string_view::npos; }

}  // namespace outpost::bench
