#include "agent/http/beast/beast_server.hpp"

#include "agent/base/text.hpp"
#include "agent/http/beast/listener.hpp"
#include "agent/http/beast/server_connection.hpp"
#include "agent/http/beast/tls_stream.hpp"
#include "agent/http/url.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstring>
#include <list>
#include <optional>
#include <set>

#include <sys/socket.h>

namespace outpost::http {

namespace asio = boost::asio;
using boost::system::error_code;
using Protocol = asio::generic::stream_protocol;

namespace {

struct Peer {
  std::string name;
  std::optional<std::uint32_t> uid;
};

Peer peer_of(int descriptor) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  sockaddr_storage address{};
  socklen_t address_size = sizeof address;
  if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&address), &address_size) != 0)
    return {"a client that left", {}};
  if (address.ss_family == AF_UNIX) {
    if (::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return {"a local client", {}};
    return {"uid " + std::to_string(credentials.uid), credentials.uid};
  }
  asio::ip::tcp::endpoint endpoint;
  std::memcpy(endpoint.data(), &address, std::min<std::size_t>(address_size, endpoint.capacity()));
  return {host_and_port(endpoint.address().to_string(), endpoint.port()), {}};
}

/// What outlives the server object: the coroutines that run when it is destroyed end a little later.
struct Running {
  bool stopped = false;
  std::set<std::shared_ptr<ServerConnection>> connections;
};

struct ListeningSocket {
  ListeningSocket(const asio::any_io_executor& executor, Listener bound)
      : file{std::move(bound)}, acceptor{executor, Protocol{file->family(), 0}, file->release()}, pause{executor} {}

  std::optional<Listener> file;  // Removes a unix socket's file.
  asio::basic_socket_acceptor<Protocol> acceptor;
  asio::steady_timer pause;
  std::optional<TlsContext> tls;
  std::shared_ptr<const Service> service;
};

asio::awaitable<void> serve(std::shared_ptr<Running> running, std::shared_ptr<ServerConnection> connection,
                            TlsStream* tls) {
  const struct Registered {
    Registered(Running& in, const std::shared_ptr<ServerConnection>& what) : running{in}, connection{what} {
      running.connections.insert(connection);
    }
    ~Registered() { running.connections.erase(connection); }
    Registered(const Registered&) = delete;
    Registered& operator=(const Registered&) = delete;
    Running& running;
    const std::shared_ptr<ServerConnection>& connection;
  } registered{*running, connection};
  if (running->stopped) co_return;
  if (tls) {
    const auto limit = connection->handshake_timeout();
    tls->socket().limit(limit, SocketStream::Clock::now() + limit);
    const error_code failed = co_await tls->handshake();
    if (failed) co_return;
  }
  co_await connection->serve();
}

void spawn_connection(const std::shared_ptr<Running>& running, const ListeningSocket& listening,
                      Protocol::socket socket) {
  const asio::any_io_executor executor = socket.get_executor();
  tune_tcp(socket.native_handle());
  Peer peer = peer_of(socket.native_handle());
  std::unique_ptr<Stream> stream = std::make_unique<SocketStream>(std::move(socket));
  TlsStream* tls = nullptr;
  if (listening.tls) {
    auto secured = std::make_unique<TlsStream>(std::move(stream), *listening.tls);
    tls = secured.get();
    stream = std::move(secured);
  }
  auto connection =
      std::make_shared<ServerConnection>(std::move(stream), listening.service, std::move(peer.name), peer.uid);
  auto& signal = connection->cancel;
  // The handler keeps the connection, and with it the signal, until the coroutine has ended.
  asio::co_spawn(executor, serve(running, connection, tls),
                 asio::bind_cancellation_slot(signal.slot(), [connection](const std::exception_ptr&) {}));
}

asio::awaitable<void> accept(std::shared_ptr<Running> running, std::shared_ptr<ListeningSocket> listening) {
  while (!running->stopped) {
    auto [error, socket] = co_await listening->acceptor.async_accept(asio::as_tuple(asio::use_awaitable));
    if (running->stopped) co_return;
    if (!error) {
      spawn_connection(running, *listening, std::move(socket));
      continue;
    }
    if (error == asio::error::operation_aborted || error == asio::error::bad_descriptor) co_return;
    // Too many open files, or a client that has gone already: the next one may work, but not at once.
    listening->pause.expires_after(std::chrono::milliseconds{100});
    co_await listening->pause.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

class BeastServer final : public Server {
 public:
  explicit BeastServer(asio::any_io_executor executor) : executor_{std::move(executor)} {}
  ~BeastServer() override { stop(); }

  Result<std::uint16_t> listen(ListenOptions options, Handler handler) override {
    std::optional<TlsContext> tls;
    if (options.tls) {
      auto made = TlsContext::server(*options.tls);
      if (!made) return made.error();
      tls.emplace(std::move(*made));
    }
    const auto* tcp = std::get_if<TcpAddress>(&options.address);
    auto bound = tcp ? Listener::tcp(*tcp) : Listener::local(std::get<UnixAddress>(options.address));
    if (!bound) return bound.error();
    const std::uint16_t port = bound->port();
    auto listening = std::make_shared<ListeningSocket>(executor_, std::move(*bound));
    listening->tls = std::move(tls);
    listening->service =
        std::make_shared<const Service>(Service{std::move(handler), options.idle_timeout, options.head_limit});
    listening_.push_back(listening);
    asio::co_spawn(executor_, accept(running_, listening), asio::detached);
    return port;
  }

  void stop() override {
    running_->stopped = true;
    for (const auto& listening : listening_) {
      error_code ignored;
      listening->acceptor.close(ignored);
      listening->pause.cancel();
      listening->file.reset();
    }
    listening_.clear();
    // On the loop even when we are called from outside of it: Asio hands a signal on to a coroutine by a handler of its
    // own there, which must not find the coroutine gone.
    for (const auto& connection : running_->connections) asio::post(executor_, [connection] { connection->stop(); });
    running_ = std::make_shared<Running>();  // For whoever listens again.
  }

 private:
  asio::any_io_executor executor_;
  std::shared_ptr<Running> running_ = std::make_shared<Running>();
  std::list<std::shared_ptr<ListeningSocket>> listening_;
};

}  // namespace

std::unique_ptr<Server> make_beast_server(asio::any_io_executor executor) {
  return std::make_unique<BeastServer>(std::move(executor));
}

}  // namespace outpost::http
