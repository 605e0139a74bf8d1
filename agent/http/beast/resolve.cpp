#include "agent/http/beast/resolve.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cerrno>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>

#include <netdb.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace outpost::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace asio::experimental::awaitable_operators;

namespace {

/// Shared by the coroutine and the thread that sits in getaddrinfo; whoever is last destroys it. The thread reports
/// through a descriptor and not by posting to the loop, because the loop may be gone by then.
struct Lookup {
  ~Lookup() { ::close(done); }

  int done = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  std::string host;
  std::mutex mutex;
  int code = 0;
  int system_code = 0;
  std::vector<asio::ip::address> addresses;
};

asio::ip::address address_of(const addrinfo& entry) {
  if (entry.ai_family == AF_INET) {
    asio::ip::address_v4::bytes_type bytes;
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in*>(entry.ai_addr)->sin_addr, bytes.size());
    return asio::ip::address_v4{bytes};
  }
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(entry.ai_addr);
  asio::ip::address_v6::bytes_type bytes;
  std::memcpy(bytes.data(), &v6->sin6_addr, bytes.size());
  return asio::ip::address_v6{bytes, v6->sin6_scope_id};
}

void look_up(const std::shared_ptr<Lookup>& lookup) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int code = ::getaddrinfo(lookup->host.c_str(), nullptr, &hints, &found);
  const int system_code = errno;
  {
    const std::lock_guard lock{lookup->mutex};
    lookup->code = code;
    lookup->system_code = system_code;
    for (const addrinfo* entry = found; code == 0 && entry; entry = entry->ai_next)
      if (entry->ai_family == AF_INET || entry->ai_family == AF_INET6) lookup->addresses.push_back(address_of(*entry));
  }
  if (found) ::freeaddrinfo(found);
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(lookup->done, &one, sizeof one);
}

Error not_found(const Lookup& lookup) {
  if (lookup.code == EAI_NONAME || lookup.code == EAI_NODATA || lookup.code == 0)
    return {Fault::retry_later, "unknown host " + lookup.host + "; is the name right, and does DNS work here?"};
  const char* reason = lookup.code == EAI_SYSTEM ? std::strerror(lookup.system_code) : ::gai_strerror(lookup.code);
  return {Fault::retry_later, "looking up the host " + lookup.host + ": " + reason};
}

}  // namespace

asio::awaitable<Result<std::vector<tcp::endpoint>>> resolve(std::string host, std::uint16_t port,
                                                            std::chrono::steady_clock::time_point deadline) {
  std::vector<tcp::endpoint> endpoints;
  boost::system::error_code no_address;
  const auto literal = asio::ip::make_address(host, no_address);
  if (!no_address) {
    endpoints.emplace_back(literal, port);
    co_return endpoints;
  }

  const auto executor = co_await asio::this_coro::executor;
  const auto lookup = std::make_shared<Lookup>();
  if (lookup->done < 0) co_return errno_error("looking up the host", host, errno);
  lookup->host = host;
  // A thread of its own for each look-up: one that hangs must not delay the next, of another server.
  std::thread{look_up, lookup}.detach();

  asio::posix::stream_descriptor done{executor, ::dup(lookup->done)};
  asio::steady_timer too_late{executor, deadline};
  const auto ended =
      co_await (done.async_wait(asio::posix::stream_descriptor::wait_read, asio::as_tuple(asio::use_awaitable)) ||
                too_late.async_wait(asio::as_tuple(asio::use_awaitable)));
  const auto cancelled = (co_await asio::this_coro::cancellation_state).cancelled();
  if (cancelled != asio::cancellation_type::none) co_return Error{Fault::cancelled, "looking up the host " + host};
  if (ended.index() == 1)
    co_return Error{Fault::retry_later, "looking up the host " + host + ": the name server does not answer in time"};
  const std::lock_guard lock{lookup->mutex};
  if (lookup->addresses.empty()) co_return not_found(*lookup);
  for (const auto& address : lookup->addresses) endpoints.emplace_back(address, port);
  co_return endpoints;
}

bool is_local(const asio::ip::address& address) {
  if (address.is_v6()) {
    const auto v6 = address.to_v6();
    if (v6.is_v4_mapped()) return is_local(asio::ip::make_address_v4(asio::ip::v4_mapped, v6));
    return v6.is_loopback() || v6.is_unspecified() || v6.is_link_local();
  }
  const auto bytes = address.to_v4().to_bytes();
  return bytes[0] == 127 || bytes[0] == 0 || (bytes[0] == 169 && bytes[1] == 254);
}

}  // namespace outpost::http
