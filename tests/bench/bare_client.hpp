#pragma once

#include "agent/http/message.hpp"
#include "plugins/dci/signing.hpp"

#include <string>
#include <string_view>

namespace outpost::bench {

/// The least that can speak to a control server: one blocking connection that is kept, one request at a time.
class BareClient {
 public:
  /// `url`: "http://127.0.0.1:port". Throws when nobody listens.
  BareClient(const std::string& url, dci::Credentials credentials);
  ~BareClient();
  BareClient(const BareClient&) = delete;
  BareClient& operator=(const BareClient&) = delete;

  struct Answer {
    std::string location;  ///< Where a redirect leads to.
    std::string body;
  };

  /// Sends a signed request. Throws when the answer is not 2xx or 3xx.
  Answer send(const std::string& method, const std::string& target, std::string_view body,
              const http::Headers& headers = {});
  /// GET of a target that says itself who may read it.
  Answer get_unsigned(const std::string& target);

 private:
  Answer exchange(const std::string& what, std::string head, std::string_view body);
  Answer receive(const std::string& what);

  std::string host_;
  dci::Credentials credentials_;
  int socket_ = -1;
  std::string buffer_;
};

/// Whether a request asks for a file that a component need not have: 404 is an answer then.
[[nodiscard]] bool is_optional(std::string_view target);

}  // namespace outpost::bench
