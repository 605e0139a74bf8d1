#pragma once

#include "agent/base/result.hpp"
#include "agent/base/wakeup.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <systemd/sd-bus.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace outpost::bus {

struct MessageDeleter {
  void operator()(sd_bus_message* message) const { sd_bus_message_unref(message); }
};
using Message = std::unique_ptr<sd_bus_message, MessageDeleter>;

/// How long an answer may take where nobody says otherwise.
inline constexpr std::chrono::microseconds usual_limit = std::chrono::seconds{25};

/// The system bus within an Asio loop. A connection that breaks (a restart of the bus) is made anew by the next call.
class Bus {
 public:
  /// Called with each new connection, before anything is sent over it; an error is a negative errno.
  using Prepare = std::function<int(sd_bus* connection)>;
  explicit Bus(boost::asio::any_io_executor executor, Prepare prepare = {}) : executor_{std::move(executor)}, prepare_{std::move(prepare)} {}
  ~Bus();
  Bus(const Bus&) = delete;
  Bus& operator=(const Bus&) = delete;

  /// A call to be filled with arguments. retry_later: there is no system bus, at least not now.
  Result<Message> method(const char* destination, const std::string& path, const char* interface, const char* member);
  /// The same with arguments, as sd_bus_message_append(3) takes them.
  template <class... Arguments>
  Result<Message> method(const char* destination, const std::string& path, const char* interface, const char* member,
                         const char* types, Arguments... arguments) {
    auto request = method(destination, path, interface, member);
    if (request && sd_bus_message_append(request->get(), types, arguments...) < 0)
      return Error{Fault::bug, std::string{member} + ": its arguments are not \"" + types + "\""};
    return request;
  }
  /// The answer, which never takes longer than `limit`, 0 or more, or the error that `request` is. `refused`: the caller may not do
  /// that; `retry_later`: there is no bus, the connection broke or the answer did not come, so it may have been done all
  /// the same; `unavailable`: any other error of the callee.
  boost::asio::awaitable<Result<Message>> call(Result<Message> request, std::chrono::microseconds limit = usual_limit);

  /// The connection, for what sd-bus can do beside calls, made anew if it broke. retry_later: there is no system bus.
  Result<sd_bus*> handle();
  /// Something was given to sd-bus that has to be sent.
  void send();

  /// For as long as it lives, `changed` is notified whenever properties of an object change, and when the connection
  /// breaks, because then a change may have gone by unseen: look, then wait.
  class Watch {
   public:
    Watch() = default;
    Watch(Watch&& other) noexcept
        : slot_{std::exchange(other.slot_, nullptr)}, look_{std::move(other.look_)}, changed_{other.changed_}, connection_{std::move(other.connection_)} {}
    Watch& operator=(Watch&& other) noexcept;
    ~Watch();
    /// The connection has broken since: make a new one.
    [[nodiscard]] bool is_broken() const;

   private:
    friend class Bus;
    sd_bus_slot* slot_ = nullptr;
    std::shared_ptr<struct BusLook> look_;
    Wakeup* changed_ = nullptr;
    std::shared_ptr<struct BusConnection> connection_;
  };
  /// Takes what it wants of a signal's arguments; false: this one is none to be notified of.
  using Take = std::function<bool(sd_bus_message* signal)>;
  Result<Watch> watch(const char* sender, const std::string& path, Wakeup& changed, Take take = {});
  /// The same for a signal.
  Result<Watch> watch(const char* sender, const std::string& path, const char* interface, const char* member, Wakeup& changed, Take take = {});
  /// Only for the end of the connection.
  Result<Watch> watch_connection(Wakeup& changed);

 private:
  Result<std::shared_ptr<BusConnection>> connection();

  boost::asio::any_io_executor executor_;
  Prepare prepare_;
  std::shared_ptr<BusConnection> connection_;
};

}  // namespace outpost::bus
