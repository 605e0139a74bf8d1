#include "agent/http/beast/stream.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <deque>
#include <optional>

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace outpost::http {

namespace asio = boost::asio;
using boost::system::error_code;

struct SocketStream::State : std::enable_shared_from_this<State> {
  explicit State(Socket open) : socket{std::move(open)}, timer{socket.get_executor()} {}

  [[nodiscard]] Clock::time_point due() const {
    const auto limit = std::min(last_move + idle, deadline);
    return flows > 0 ? std::min(limit, next_look) : limit;
  }

  /// What has left this machine or come to it; bytes that only the kernel has are neither.
  [[nodiscard]] std::uint64_t moved() {
    int queued = 0;
    if (::ioctl(socket.native_handle(), SIOCOUTQ, &queued) != 0 || queued < 0) queued = 0;
    return received + sent - std::min<std::uint64_t>(sent, static_cast<std::uint64_t>(queued));
  }

  /// What would have been enough for the time in which we held bytes back ourselves.
  [[nodiscard]] std::uint64_t held_bytes() const {
    if (!held_since) return 0;
    const auto held = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - *held_since);
    return rate * static_cast<std::uint64_t>(held.count()) / 1000;
  }

  /// Looks four times in a window, so that a peer that slows down in its middle is found soon after.
  void look_at_flow() {
    const std::uint64_t now_moved = moved() + excused + held_bytes();
    const std::uint64_t due_bytes =
        rate * static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(window).count()) / 1000;
    if (looks.size() == looks_per_window && now_moved - looks.front() < due_bytes) slow = true;
    if (looks.size() == looks_per_window) looks.pop_front();
    looks.push_back(now_moved);
    next_look = Clock::now() + window / looks_per_window;
  }

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
    const auto now = Clock::now();
    if (flows > 0 && now >= next_look) look_at_flow();
    // A write that waits says nothing about what the peer takes out of the kernel's buffer meanwhile.
    if (const auto total = moved(); total != moved_before || held_since) {
      moved_before = total;
      if (now >= last_move + idle) last_move = now;
    }
    if (!slow && now < due()) return arm();
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
  std::uint64_t moved_before = 0;

  static constexpr std::size_t looks_per_window = 4;
  unsigned flows = 0;
  std::uint64_t rate = 0;
  Clock::duration window{};
  Clock::time_point next_look{};
  std::deque<std::uint64_t> looks;  ///< moved() at the last looks, oldest first; the first is a window ago.
  std::uint64_t excused = 0;
  std::optional<Clock::time_point> held_since;
  bool slow = false;

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
  state_->flows = 0;
  state_->slow = false;
  state_->held_since.reset();
  if (state_->armed && state_->due() < state_->timer.expiry()) state_->arm();
}

bool SocketStream::timed_out() const { return state_->expired; }
bool SocketStream::was_slow() const { return state_->slow; }

void SocketStream::begin_flow(std::uint64_t rate, Clock::duration window) {
  State& state = *state_;
  if (state.flows++ > 0) return;
  state.rate = rate;
  state.window = std::max<Clock::duration>(window, std::chrono::milliseconds{State::looks_per_window});
  state.excused = 0;
  state.slow = false;
  state.looks.clear();
  state.look_at_flow();
  if (state.armed && state.due() < state.timer.expiry()) state.arm();
}

void SocketStream::end_flow() {
  if (state_->flows > 0) --state_->flows;
}

void SocketStream::hold_back() { state_->held_since = Clock::now(); }

void SocketStream::let_go() {
  state_->last_move = Clock::now();
  state_->excused += state_->held_bytes();
  state_->held_since.reset();
}

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
