#pragma once

#include "agent/base/result.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/system/error_code.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>

namespace outpost::http {

/// What an operation on a stream did: bytes moved, and why it stopped early. Never an exception but for a cancellation.
struct Moved {
  boost::system::error_code error;
  std::size_t bytes = 0;
};

class SocketStream;

/// A connection, in the clear or inside TLS. One reader and one writer may be under way at the same time.
class Stream {
 public:
  virtual ~Stream() = default;
  /// At least one byte, or an error; the peer's orderly end is asio::error::eof.
  virtual boost::asio::awaitable<Moved> read_some(char* into, std::size_t size) = 0;
  /// All of the bytes, or an error.
  virtual boost::asio::awaitable<Moved> write(std::string_view bytes) = 0;
  /// Tells the peer that nothing more will be sent.
  virtual boost::asio::awaitable<void> shutdown() = 0;
  /// Why it broke, when the stream knows more than the code of the error (TLS); otherwise null.
  [[nodiscard]] virtual const Error* failure() const { return nullptr; }
  /// Bytes have arrived that read_some() has not returned yet, or the peer has closed.
  [[nodiscard]] virtual bool is_readable() const = 0;
  [[nodiscard]] virtual SocketStream& socket() = 0;
};

/// A TCP or unix socket whose every operation is watched: it fails with asio::error::timed_out when no byte moves for
/// the idle limit, or at the deadline. One timer serves all operations, so a transfer does not pay for it per piece.
class SocketStream final : public Stream {
 public:
  using Clock = std::chrono::steady_clock;
  using Socket = boost::asio::generic::stream_protocol::socket;
  using Endpoint = boost::asio::generic::stream_protocol::endpoint;

  explicit SocketStream(const boost::asio::any_io_executor& executor);
  explicit SocketStream(Socket accepted);
  ~SocketStream() override;
  SocketStream(const SocketStream&) = delete;
  SocketStream& operator=(const SocketStream&) = delete;

  /// Limits from now on; they also forget an earlier time-out.
  void limit(Clock::duration idle, Clock::time_point deadline = Clock::time_point::max());
  [[nodiscard]] bool timed_out() const;
  /// The time-out was one of begin_flow().
  [[nodiscard]] bool was_slow() const;

  /// From here to end_flow() bytes are due all the time, in either direction: it is a time-out when fewer than `rate` a
  /// second moved during `window`. What we sent counts when the peer's machine has acknowledged it. Pairs may overlap.
  void begin_flow(std::uint64_t rate, Clock::duration window);
  void end_flow();
  /// From here to let_go() we ourselves hold bytes back; nobody is to blame for that time.
  void hold_back();
  void let_go();

  boost::asio::awaitable<boost::system::error_code> connect(Endpoint to);
  boost::asio::awaitable<Moved> read_some(char* into, std::size_t size) override;
  boost::asio::awaitable<Moved> write(std::string_view bytes) override;
  boost::asio::awaitable<void> shutdown() override;
  [[nodiscard]] bool is_readable() const override;
  [[nodiscard]] SocketStream& socket() override { return *this; }

  /// Ends the operations under way with operation_aborted; the socket stays usable.
  void interrupt();
  void close();
  [[nodiscard]] int descriptor() const;
  /// Bytes that the kernel has accepted so far.
  [[nodiscard]] std::uint64_t bytes_sent() const;
  [[nodiscard]] std::uint64_t bytes_received() const;

 private:
  struct State;
  std::shared_ptr<State> state_;  // The timer's handler may outlive us.
};

/// Keeps a TCP connection honest: no Nagle delay, probes when it is silent, and data that nobody acknowledges for
/// 30 s breaks it (TCP_USER_TIMEOUT). Does nothing to a unix socket.
void tune_tcp(int descriptor);

}  // namespace outpost::http
