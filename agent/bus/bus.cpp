#include "agent/bus/bus.hpp"

#include "agent/base/text.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <set>
#include <utility>

namespace outpost::bus {

namespace asio = boost::asio;
using asio::posix::stream_descriptor;

struct BusConnection {
  BusConnection(const asio::any_io_executor& executor, sd_bus* opened)
      : bus{opened}, socket{executor, ::fcntl(sd_bus_get_fd(opened), F_DUPFD_CLOEXEC, 3)}, work{executor} {}
  ~BusConnection() { sd_bus_close_unref(bus); }
  BusConnection(const BusConnection&) = delete;
  BusConnection& operator=(const BusConnection&) = delete;

  void close() {
    open = false;
    socket.close();
    work.notify();
    for (Wakeup* watcher : std::set<Wakeup*>{watchers}) watcher->notify();
  }

  sd_bus* bus;
  stream_descriptor socket;
  Wakeup work;  ///< The socket is ready, or there is something to send.
  bool open = true, reading = false, writing = false;
  std::set<Wakeup*> watchers;
};

/// What is done with a signal when it comes.
struct BusLook {
  Bus::Take take;
  Wakeup* changed;
};

namespace {

using Connection = std::shared_ptr<BusConnection>;

Error bus_error(const std::string& what, int code) { return {Fault::retry_later, what + ": " + std::strerror(code < 0 ? -code : code)}; }

/// systemd counts in microseconds of CLOCK_MONOTONIC, which on Linux is the steady clock.
std::chrono::steady_clock::duration until(std::uint64_t usec) {
  using std::chrono::microseconds;
  if (usec >= static_cast<std::uint64_t>(microseconds::max().count())) return std::chrono::hours{24 * 365};
  const std::chrono::steady_clock::time_point when{microseconds{usec}};
  return std::max(when - std::chrono::steady_clock::now(), std::chrono::steady_clock::duration::zero());
}

void wait_for_socket(const Connection& connection, stream_descriptor::wait_type type, bool& waiting) {
  if (std::exchange(waiting, true)) return;
  connection->socket.async_wait(type, [connection, &waiting](const boost::system::error_code& error) {
    waiting = false;
    if (!error) connection->work.notify();
  });
}

/// Moves messages until the connection is closed. Callbacks only take down what came, so that no coroutine runs within
/// sd_bus_process().
asio::awaitable<void> pump(Connection connection) {
  while (connection->open) {
    int processed = 0;
    while (connection->open && (processed = sd_bus_process(connection->bus, nullptr)) > 0) {
    }
    const int events = processed < 0 || !connection->open ? -1 : sd_bus_get_events(connection->bus);
    if (events < 0) co_return connection->close();
    if (events & POLLIN) wait_for_socket(connection, stream_descriptor::wait_read, connection->reading);
    if (events & POLLOUT) wait_for_socket(connection, stream_descriptor::wait_write, connection->writing);
    std::uint64_t deadline = UINT64_MAX;
    sd_bus_get_timeout(connection->bus, &deadline);
    const auto patience = until(deadline);
    co_await connection->work.wait(patience);
  }
}

struct Pending {
  explicit Pending(const asio::any_io_executor& executor) : answered{executor} {}
  ~Pending() { sd_bus_slot_unref(slot); }
  Wakeup answered;
  Message answer;
  sd_bus_slot* slot = nullptr;
};

int take_answer(sd_bus_message* message, void* data, sd_bus_error*) {
  auto& pending = *static_cast<Pending*>(data);
  pending.answer.reset(sd_bus_message_ref(message));
  pending.answered.notify();
  return 0;
}

int notify_watcher(sd_bus_message* signal, void* data, sd_bus_error*) {
  const auto& look = *static_cast<BusLook*>(data);
  if (!look.take || look.take(signal)) look.changed->notify();
  return 0;
}

Fault fault_of(const sd_bus_error& error) {
  for (const char* refusal : {SD_BUS_ERROR_ACCESS_DENIED, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
                              SD_BUS_ERROR_AUTH_FAILED})
    if (std::strcmp(error.name, refusal) == 0) return Fault::refused;
  for (const char* silence : {SD_BUS_ERROR_NO_REPLY, SD_BUS_ERROR_TIMEOUT, SD_BUS_ERROR_DISCONNECTED})
    if (std::strcmp(error.name, silence) == 0) return Fault::retry_later;
  return Fault::unavailable;
}

}  // namespace

Bus::~Bus() {
  if (connection_) connection_->close();
}

Result<Connection> Bus::connection() {
  if (connection_ && connection_->open) return connection_;
  sd_bus* bus = nullptr;
  if (const int opened = sd_bus_open_system_with_description(&bus, "outpostd"); opened < 0)
    return bus_error("cannot connect to the system bus", opened);
  connection_ = std::make_shared<BusConnection>(executor_, bus);
  if (const int prepared = prepare_ ? prepare_(bus) : 0; prepared < 0) {
    connection_->close();
    return bus_error("cannot prepare a connection to the system bus", prepared);
  }
  asio::co_spawn(executor_, pump(connection_), asio::detached);
  return connection_;
}

Result<Message> Bus::method(const char* destination, const std::string& path, const char* interface,
                            const char* member) {
  const auto connected = connection();
  if (!connected) return connected.error();
  sd_bus_message* message = nullptr;
  const int made = sd_bus_message_new_method_call((*connected)->bus, &message, destination, path.c_str(), interface, member);
  if (made < 0) return bus_error(member, made);
  return Message{message};
}

asio::awaitable<Result<Message>> Bus::call(Result<Message> request, std::chrono::microseconds limit) {
  if (!request) co_return request.error();
  const std::string member = sd_bus_message_get_member(request->get());
  Pending pending{executor_};
  const auto watch = watch_connection(pending.answered);
  if (!watch) co_return watch.error();
  const Connection connection = watch->connection_;
  limit = std::max(limit, std::chrono::microseconds{1});  // To sd-bus, 0 is its default.
  const auto give_up = std::chrono::steady_clock::now() + limit;
  const int sent = sd_bus_call_async(connection->bus, &pending.slot, request->get(), take_answer, &pending, static_cast<std::uint64_t>(limit.count()));
  if (sent < 0) {
    connection->close();
    co_return bus_error(member, sent);
  }
  connection->work.notify();
  while (!pending.answer && connection->open) {
    const auto rest = give_up - std::chrono::steady_clock::now();  // sd-bus does not count while a bus lets nobody in.
    if (rest <= rest.zero()) co_return Error{Fault::retry_later, member + ": no answer came in time"};
    co_await pending.answered.wait(rest);
  }
  if (!pending.answer) co_return Error{Fault::retry_later, member + ": the connection to the system bus broke"};
  if (const auto* error = sd_bus_message_get_error(pending.answer.get()))
    co_return Error{fault_of(*error), member + ": " + printable(error->message ? error->message : error->name)};
  co_return std::move(pending.answer);
}

Bus::Watch& Bus::Watch::operator=(Watch&& other) noexcept {
  std::swap(slot_, other.slot_);
  std::swap(look_, other.look_);
  std::swap(changed_, other.changed_);
  std::swap(connection_, other.connection_);
  return *this;
}

Bus::Watch::~Watch() {
  if (connection_) connection_->watchers.erase(changed_);
  sd_bus_slot_unref(slot_);
}

bool Bus::Watch::is_broken() const { return !connection_ || !connection_->open; }

Result<sd_bus*> Bus::handle() {
  const auto connected = connection();
  if (!connected) return connected.error();
  return (*connected)->bus;
}

void Bus::send() {
  if (connection_ && connection_->open) connection_->work.notify();
}

Result<Bus::Watch> Bus::watch(const char* sender, const std::string& path, Wakeup& changed, Take take) {
  return watch(sender, path, "org.freedesktop.DBus.Properties", "PropertiesChanged", changed, std::move(take));
}

Result<Bus::Watch> Bus::watch(const char* sender, const std::string& path, const char* interface, const char* member,
                              Wakeup& changed, Take take) {
  auto watch = watch_connection(changed);
  if (!watch) return watch;
  watch->look_ = std::make_shared<BusLook>(BusLook{std::move(take), &changed});
  const int matched = sd_bus_match_signal_async(watch->connection_->bus, &watch->slot_, sender, path.c_str(), interface,
                                                member, notify_watcher, nullptr, watch->look_.get());
  if (matched < 0) return bus_error("cannot watch " + path, matched);
  watch->connection_->work.notify();
  return watch;
}

Result<Bus::Watch> Bus::watch_connection(Wakeup& changed) {
  const auto connected = connection();
  if (!connected) return connected.error();
  Watch watch;
  watch.changed_ = &changed;
  watch.connection_ = *connected;
  watch.connection_->watchers.insert(&changed);
  return watch;
}

}  // namespace outpost::bus
