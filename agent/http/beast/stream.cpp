#include "agent/http/beast/stream.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

namespace outpost::http {

namespace asio = boost::asio;
using boost::system::error_code;

struct SocketStream::State : std::enable_shared_from_this<State> {
  explicit State(Socket open) : socket{std::move(open)}, timer{socket.get_executor()} {}

  [[nodiscard]] Clock::time_point due() const { return std::min(last_move + idle, deadline); }

  void arm() {
    armed = true;
    timer.expires_at(due());
    timer.async_wait([weak = weak_from_this()](error_code error) {
      const auto self = weak.lock();
      if (self && error != asio::error::operation_aborted) self->wake();
    });
  }

  void wake() {
    armed = false;
    if (pending == 0) return;  // The next operation arms it again; an idle connection costs no wake-ups.
    if (Clock::now() < due()) return arm();
    expired = true;
    error_code ignored;
    socket.cancel(ignored);
  }

  /// While it lives, the timer watches.
  struct Operation {
    explicit Operation(State& of) : state{of} {
      state.last_move = Clock::now();
      ++state.pending;
      if (!state.armed) state.arm();
    }
    ~Operation() { --state.pending; }
    Operation(const Operation&) = delete;
    Operation& operator=(const Operation&) = delete;
    State& state;
  };

  [[nodiscard]] error_code told_apart(error_code error) const {
    return error == asio::error::operation_aborted && expired ? asio::error::timed_out : error;
  }

  Socket socket;
  asio::steady_timer timer;
  Clock::duration idle = std::chrono::minutes{1};
  Clock::time_point deadline = Clock::time_point::max();
  Clock::time_point last_move;
  int pending = 0;
  bool armed = false;
  bool expired = false;
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
};

SocketStream::SocketStream(const asio::any_io_executor& executor) : SocketStream{Socket{executor}} {}
SocketStream::SocketStream(Socket accepted) : state_{std::make_shared<State>(std::move(accepted))} {}
SocketStream::~SocketStream() { close(); }

void SocketStream::limit(Clock::duration idle, Clock::time_point deadline) {
  state_->idle = std::min<Clock::duration>(idle, std::chrono::hours{24 * 365});  // No overflow in due().
  state_->deadline = deadline;
  state_->last_move = Clock::now();
  state_->expired = false;
  if (state_->armed && state_->due() < state_->timer.expiry()) state_->arm();
}

bool SocketStream::timed_out() const { return state_->expired; }

asio::awaitable<error_code> SocketStream::connect(Endpoint to) {
  const State::Operation watched{*state_};
  const auto [error] = co_await state_->socket.async_connect(to, asio::as_tuple(asio::use_awaitable));
  if (!error) tune_tcp(descriptor());
  co_return state_->told_apart(error);
}

asio::awaitable<Moved> SocketStream::read_some(char* into, std::size_t size) {
  if (state_->expired) co_return Moved{asio::error::timed_out, 0};
  const State::Operation watched{*state_};
  const auto [error, bytes] =
      co_await state_->socket.async_read_some(asio::buffer(into, size), asio::as_tuple(asio::use_awaitable));
  state_->received += bytes;
  co_return Moved{state_->told_apart(error), bytes};
}

asio::awaitable<Moved> SocketStream::write(std::string_view bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    if (state_->expired) co_return Moved{asio::error::timed_out, done};
    const State::Operation watched{*state_};
    const auto rest = asio::buffer(bytes.data() + done, bytes.size() - done);
    const auto [error, count] = co_await state_->socket.async_write_some(rest, asio::as_tuple(asio::use_awaitable));
    done += count;
    state_->sent += count;
    if (error) co_return Moved{state_->told_apart(error), done};
  }
  co_return Moved{{}, done};
}

asio::awaitable<void> SocketStream::shutdown() {
  error_code ignored;
  state_->socket.shutdown(Socket::shutdown_send, ignored);
  co_return;
}

bool SocketStream::is_readable() const {
  pollfd poll_for{descriptor(), POLLIN | POLLRDHUP, 0};
  return ::poll(&poll_for, 1, 0) != 0;  // An error counts as readable: the connection is not to be used.
}

void SocketStream::interrupt() {
  error_code ignored;
  state_->socket.cancel(ignored);
}

void SocketStream::close() {
  error_code ignored;
  state_->socket.close(ignored);
  state_->timer.cancel();
  state_->armed = false;
}

int SocketStream::descriptor() const { return state_->socket.native_handle(); }
std::uint64_t SocketStream::bytes_sent() const { return state_->sent; }
std::uint64_t SocketStream::bytes_received() const { return state_->received; }

void tune_tcp(int descriptor) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) != 0) return;
  if (address.ss_family != AF_INET && address.ss_family != AF_INET6) return;
  // A refused option is no reason to refuse the connection: the idle limit is still there.
  const auto set = [&](int level, int option, int value) {
    ::setsockopt(descriptor, level, option, &value, sizeof value);
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 30'000);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 10);
}

}  // namespace outpost::http
