#pragma once

#include "agent/http/beast/connection.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/error.hpp>
#include <boost/beast/http/error.hpp>

namespace outpost::http {

/// One step of a parser that is not done: parses what is buffered or, when that is not enough, reads more.
/// A connection that ends is beast::http::error::end_of_stream before the message and partial_message within it.
template <class Parser>
boost::asio::awaitable<boost::system::error_code> advance(Connection& connection, Parser& parser) {
  constexpr std::size_t read_size = 64UL * 1024;
  boost::system::error_code error;
  if (connection.buffer.size() > 0) {
    connection.buffer.consume(parser.put(connection.buffer.data(), error));
    if (error != boost::beast::http::error::need_more) co_return error;
  }
  const auto space = connection.buffer.prepare(read_size);
  const Moved moved = co_await connection.stream->read_some(static_cast<char*>(space.data()), space.size());
  connection.buffer.commit(moved.bytes);
  if (moved.error != boost::asio::error::eof) co_return moved.error;
  error = boost::beast::http::error::end_of_stream;
  if (parser.got_some()) parser.put_eof(error);
  co_return error;
}

}  // namespace outpost::http
