#include "agent/http/server.hpp"

namespace outpost::http {

boost::asio::awaitable<Result<std::string>> ServerRequest::read_all(std::size_t limit) {
  const Error too_long{Fault::refused, "the request body is longer than " + std::to_string(limit) + " bytes"};
  if (content_length && *content_length > limit) co_return too_long;
  std::string whole;
  for (;;) {
    auto piece = co_await read_some();
    if (!piece) co_return piece.error();
    if (piece->empty()) co_return whole;
    if (whole.size() + piece->size() > limit) co_return too_long;
    whole += *piece;
  }
}

}  // namespace outpost::http
