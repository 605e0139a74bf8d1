// The bytes that a server sends after our request, whole and cut into pieces: the answer is the same.
#include "promise.hpp"

#include "agent/http/beast/exchange.hpp"
#include "support/await.hpp"

#include <boost/asio/error.hpp>

#include <cstring>

namespace {

using namespace outpost;
namespace asio = boost::asio;

/// A connection whose other end has said all it will say, and then closed.
class Recording final : public http::Stream {
 public:
  Recording(const asio::any_io_executor& executor, std::string_view bytes, std::size_t piece)
      : socket_{executor}, bytes_{bytes}, piece_{piece} {}

  asio::awaitable<http::Moved> read_some(char* into, std::size_t size) override {
    const std::size_t count = std::min({size, piece_, bytes_.size()});
    if (count == 0) co_return http::Moved{asio::error::eof, 0};
    std::memcpy(into, bytes_.data(), count);
    bytes_.remove_prefix(count);
    co_return http::Moved{{}, count};
  }
  asio::awaitable<http::Moved> write(std::string_view bytes) override { co_return http::Moved{{}, bytes.size()}; }
  asio::awaitable<void> shutdown() override { co_return; }
  [[nodiscard]] bool is_readable() const override { return true; }
  [[nodiscard]] http::SocketStream& socket() override { return socket_; }

 private:
  http::SocketStream socket_;
  std::string_view bytes_;
  std::size_t piece_;
};

struct Told {
  std::optional<http::Response> response;
  std::string to_sink;
};

Told exchange(std::string_view bytes, std::size_t piece, const std::string& method, bool into_sink) {
  asio::io_context loop{1};
  http::Connection connection{std::make_unique<Recording>(loop.get_executor(), bytes, piece)};
  http::Request request;
  request.method = method;
  request.response_limit = 4096;
  const std::string head = method + " / HTTP/1.1\r\nHost: api.example.org\r\n\r\n";
  const std::string peer = "api.example.org";
  Told told;
  const http::BodySink sink{{}, [&](std::string_view more) -> Result<void> {
                              told.to_sink += more;
                              return {};
                            }};
  const http::ClientOptions options;
  http::Exchange running{connection, request, head, nullptr, peer, options};
  auto answer = test::await(loop, running.run(into_sink ? &sink : nullptr));
  if (answer) {
    fuzz::promise(answer->status >= 200 && answer->status <= 999, "an answer has a final status");
    fuzz::promise(answer->body.size() <= request.response_limit, "an answer in memory has a limit");
    told.response = std::move(*answer);
  } else {
    fuzz::promise_message(answer.error().message);
  }
  return told;
}

void compare(std::string_view bytes, const std::string& method, bool into_sink) {
  const Told whole = exchange(bytes, bytes.size(), method, into_sink);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}}) {
    const Told cut = exchange(bytes, piece, method, into_sink);
    fuzz::promise(cut.response.has_value() == whole.response.has_value(), "pieces do not decide about an answer");
    if (!cut.response) continue;
    fuzz::promise(cut.response->status == whole.response->status && cut.response->body == whole.response->body,
                  "an answer in pieces is the same answer");
    fuzz::promise(cut.to_sink == whole.to_sink, "a body in pieces is the same body");
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = fuzz::text_of(data, size);
  compare(bytes, "GET", false);
  compare(bytes, "GET", true);
  compare(bytes, "HEAD", false);
  return 0;
}
