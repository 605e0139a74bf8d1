#include "plugins/hooks/step_socket.hpp"

#include "agent/base/descriptor.hpp"
#include "agent/base/text.hpp"
#include "agent/base/wakeup.hpp"
#include "plugins/hooks/call_line.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/serialize.hpp>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <list>
#include <string>

namespace outpost::hooks {

namespace asio = boost::asio;
namespace fs = std::filesystem;
namespace json = boost::json;
using namespace asio::experimental::awaitable_operators;
using asio::posix::stream_descriptor;
using Clock = std::chrono::steady_clock;

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

/// One that is served.
struct StepConnection {
  explicit StepConnection(const asio::any_io_executor& loop) : stream{loop} {}

  stream_descriptor stream;
  std::string heard;            ///< Not a whole line yet.
  std::list<Descriptor> files;  ///< That came with it, in order.
  asio::cancellation_signal stop;
};

struct StepSocket::State {
  State(const asio::any_io_executor& loop, Where at, pipeline::StepCalls& who, Limits most)
      : where{std::move(at)}, calls{who}, limits{most}, listener{loop}, room{loop}, ended{loop}, tokens{most.burst} {}

  /// How long the next call has to wait for its turn.
  std::chrono::milliseconds take_turn() {
    const auto now = Clock::now();
    tokens = std::min(limits.burst, tokens + std::chrono::duration<double>(now - refilled).count() * limits.calls_per_second);
    refilled = now;
    tokens -= 1;
    return tokens >= 0 ? std::chrono::milliseconds{0} : std::chrono::milliseconds{static_cast<std::int64_t>(-tokens / limits.calls_per_second * 1000)};
  }

  Where where;
  pipeline::StepCalls& calls;
  Limits limits;
  stream_descriptor listener;
  Wakeup room;   ///< For another connection, or there will be none any more.
  Wakeup ended;  ///< A connection, or the loop that accepts them.
  std::list<std::shared_ptr<StepConnection>> connections;
  double tokens;
  Clock::time_point refilled = Clock::now();
  bool accepting = false, stopped = false;
};

namespace {

/// An address for a path of any length: what is too long is named below its open directory.
struct Address {
  explicit Address(const fs::path& path) {
    std::string name = path.string();
    if (name.size() >= sizeof address.sun_path) {
      directory = Descriptor{::open(path.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
      name = "/proc/self/fd/" + std::to_string(directory.get()) + "/" + path.filename().string();
    }
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path, sizeof address.sun_path - 1);
  }
  Descriptor directory{};
  sockaddr_un address{};
};

Result<Descriptor> listen_at(const StepSocket::Where& where) {
  const auto fail = [&](const char* what, int code) { return errno_error(what, where.path.native(), code); };
  Descriptor socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!socket.is_open()) return fail("cannot make", errno);
  ::unlink(where.path.c_str());
  const Address there{where.path};
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&there.address), sizeof there.address) != 0) return fail("cannot bind", errno);
  // With a group it lies in a directory that only we can change; without one everybody involved is us.
  if (where.group && ::chown(where.path.c_str(), static_cast<uid_t>(-1), *where.group) != 0) return fail("cannot give to the slot's group", errno);
  if (::chmod(where.path.c_str(), where.group ? 0660 : 0600) != 0) return fail("cannot change the mode of", errno);
  if (::listen(socket.get(), 64) != 0) return fail("cannot listen at", errno);
  return socket;
}

/// Whether the process that has connected is there and of the step.
asio::awaitable<bool> is_welcome(StepConnection& connection, const StepSocket::Where& where) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(connection.stream.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.pid <= 0) co_return false;
  auto asking = where.is_of_step(peer.pid);
  co_return co_await std::move(asking);
}

/// Reads what is there, with the files that come along; more of these than belong to a call are closed at once.
/// Bytes, 0 at the end, or -1 with errno.
ssize_t receive(StepConnection& connection) {
  std::array<char, std::size_t{16} * 1024> bytes;
  iovec into{bytes.data(), bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(8 * sizeof(int))> space{};
  msghdr message{};
  message.msg_iov = &into;
  message.msg_iovlen = 1;
  message.msg_control = space.data();
  message.msg_controllen = space.size();
  const auto size = ::recvmsg(connection.stream.native_handle(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (size < 0) return size;
  for (cmsghdr* head = CMSG_FIRSTHDR(&message); head; head = CMSG_NXTHDR(&message, head)) {
    if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t index = 0; index < count; ++index) {
      int number = -1;
      std::memcpy(&number, CMSG_DATA(head) + index * sizeof(int), sizeof number);
      Descriptor file{number};
      if (connection.files.empty()) connection.files.push_back(std::move(file));
    }
  }
  connection.heard.append(bytes.data(), static_cast<std::size_t>(size));
  return size;
}

asio::awaitable<void> sleep(std::chrono::milliseconds duration) {
  asio::steady_timer timer{co_await asio::this_coro::executor, duration};
  co_await timer.async_wait(as_result);
}

/// The next line; nothing: it has said its last, or too much, or nothing for too long.
asio::awaitable<std::optional<std::string>> next_line(StepConnection& connection, const StepSocket::Limits& limits) {
  for (std::size_t searched = 0;;) {
    if (const auto end = connection.heard.find('\n', searched); end != std::string::npos) {
      std::string line = connection.heard.substr(0, end);
      connection.heard.erase(0, end + 1);
      co_return line;
    }
    searched = connection.heard.size();
    if (searched > limits.line) co_return std::nullopt;
    auto idle = sleep(limits.idle);
    const auto ready = co_await (connection.stream.async_wait(stream_descriptor::wait_read, as_result) || std::move(idle));
    if (ready.index() == 1) co_return std::nullopt;
    const auto size = receive(connection);
    if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) co_return std::nullopt;
  }
}

/// A reader that reads nothing gets nothing: an answer fits the socket's buffer, or the connection is over.
bool send(StepConnection& connection, json::object answer) {
  answer["v"] = 1;
  const std::string line = json::serialize(answer) + "\n";
  return ::send(connection.stream.native_handle(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT) == static_cast<ssize_t>(line.size());
}

json::object failure(int status, std::string message) { return {{"status", status}, {"message", std::move(message)}}; }

/// The exit status that says what the hook can do about it (hooks/README.md).
int status_of(Fault fault) {
  switch (fault) {
    case Fault::malformed: return 64;
    case Fault::retry_later: return 75;
    case Fault::refused: return 1;
    case Fault::bug: return 70;
    default: return 69;
  }
}

/// With the file that came along, if it says that there is one; others are closed.
Result<pipeline::StepCall> call_of(const std::string& line, StepConnection& connection) {
  auto said = parse_call(line);
  if (!said) return said.error();
  if (said->brings_file && !connection.files.empty()) said->call.file = std::move(connection.files.front());
  connection.files.clear();
  return std::move(said->call);
}

/// Lets a caller that waits know, again and again, that it is not forgotten; returns when that one has gone.
asio::awaitable<void> keep_in_touch(StepConnection& connection, std::chrono::milliseconds sign) {
  for (;;) {
    auto pause = sleep(sign);
    const auto first = co_await (connection.stream.async_wait(stream_descriptor::wait_read, as_result) || std::move(pause));
    if (first.index() == 1) {
      if (!send(connection, {{"busy", true}})) co_return;
      continue;
    }
    char next = 0;
    const auto size = ::recv(connection.stream.native_handle(), &next, 1, MSG_PEEK | MSG_DONTWAIT);
    if (size == 0 || (size < 0 && errno != EAGAIN)) co_return;
    co_await sleep(sign);  // It has more to say already: its turn comes.
  }
}

}  // namespace

Result<StepSocket> StepSocket::open(const asio::any_io_executor& loop, Where where, pipeline::StepCalls& calls, Limits limits) {
  auto socket = listen_at(where);
  if (!socket) return socket.error();
  auto state = std::make_shared<State>(loop, std::move(where), calls, limits);
  state->listener.assign(socket->get());
  socket->release();
  state->accepting = true;
  asio::co_spawn(loop, accept(state), asio::detached);
  return StepSocket{std::move(state)};
}

StepSocket::StepSocket(StepSocket&&) noexcept = default;

StepSocket::~StepSocket() {
  if (!state_) return;
  state_->stopped = true;
  boost::system::error_code ignored;
  state_->listener.close(ignored);
}

asio::awaitable<void> StepSocket::accept(std::shared_ptr<State> state) {
  const auto loop = co_await asio::this_coro::executor;
  while (!state->stopped) {
    if (state->connections.size() >= state->limits.connections) {
      co_await state->room.wait();
      continue;
    }
    const auto [error] = co_await state->listener.async_wait(stream_descriptor::wait_read, as_result);
    if (error || state->stopped) break;
    Descriptor socket{::accept4(state->listener.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
    if (!socket.is_open()) {
      // Out of descriptors, perhaps: there may be some again soon.
      if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) co_await sleep(std::chrono::milliseconds{100});
      continue;
    }
    auto connection = std::make_shared<StepConnection>(loop);
    connection->stream.assign(socket.get());
    socket.release();
    state->connections.push_back(connection);
    // Its signal has to be there until nothing of the coroutine is left, not only until that has let go of it.
    auto done = [connection](const std::exception_ptr&) {};
    asio::co_spawn(loop, serve(state, connection), asio::bind_cancellation_slot(connection->stop.slot(), std::move(done)));
  }
  state->accepting = false;
  state->ended.notify();
}

/// Takes a connection off the list, however that ends.
struct StepSocket::Served {
  std::shared_ptr<State> state;
  std::shared_ptr<StepConnection> connection;

  ~Served() {
    boost::system::error_code ignored;
    connection->stream.close(ignored);
    std::erase(state->connections, connection);
    state->room.notify();
    state->ended.notify();
  }
};

asio::awaitable<void> StepSocket::serve(std::shared_ptr<State> state, std::shared_ptr<StepConnection> connection) {
  const Served served{state, connection};
  auto asking = is_welcome(*connection, state->where);
  const bool is_welcome_here = co_await std::move(asking);
  while (is_welcome_here && !state->stopped) {
    const auto line = co_await next_line(*connection, state->limits);
    if (!line) {
      if (connection->heard.size() > state->limits.line) send(*connection, failure(64, "a call has at most " + std::to_string(state->limits.line) + " bytes"));
      break;
    }
    if (const auto wait = state->take_turn(); wait.count() > 0) co_await sleep(wait);
    if (state->stopped) break;
    auto call = call_of(*line, *connection);
    if (!call) {
      send(*connection, failure(status_of(call.error().fault), call.error().message));
      break;
    }
    json::object answer;
    const std::string id = call->id;
    auto answering = state->calls.answer(std::move(*call));
    auto waiting = keep_in_touch(*connection, state->limits.sign);
    auto first = co_await (std::move(answering) || std::move(waiting));
    if (first.index() == 1) break;
    auto& given = std::get<0>(first);
    if (given) answer = {{"status", 0}, {"value", std::move(*given)}};
    else answer = failure(status_of(given.error().fault), printable(given.error().message));
    answer["id"] = id;
    if (!send(*connection, std::move(answer))) break;
  }
}

asio::awaitable<void> StepSocket::stop() {
  const auto state = state_;
  state->stopped = true;
  ::unlink(state->where.path.c_str());
  boost::system::error_code ignored;
  state->listener.close(ignored);
  state->room.notify();
  for (const auto& connection : std::list{state->connections}) connection->stop.emit(asio::cancellation_type::terminal);
  while (state->accepting || !state->connections.empty()) co_await state->ended.wait();
}

}  // namespace outpost::hooks
