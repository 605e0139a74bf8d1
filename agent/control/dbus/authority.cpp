#include "agent/control/dbus/authority.hpp"

#include <unistd.h>

#include <chrono>

namespace outpost::control {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr auto patience_with_people = 2min;
constexpr std::uint32_t may_ask = 1;  ///< AllowUserInteraction, of org.freedesktop.PolicyKit1.Authority.

Error refusal(const std::string& action) {
  return {Fault::refused, "polkit does not allow " + action + " to you; members of the groups wheel and sudo may"};
}

}  // namespace

asio::awaitable<Result<void>> Authority::check(sd_bus_message* call, std::string action) {
  const char* sender = sd_bus_message_get_sender(call);
  if (sender == nullptr) co_return refusal(action);
  const bool interactive = sd_bus_message_get_allow_interactive_authorization(call) > 0;
  auto question = bus_.method("org.freedesktop.PolicyKit1", "/org/freedesktop/PolicyKit1/Authority", "org.freedesktop.PolicyKit1.Authority", "CheckAuthorization",
                              "(sa{sv})sa{ss}us", "system-bus-name", 1, "name", "s", sender, action.c_str(), 0,
                              interactive ? may_ask : std::uint32_t{0}, "");
  std::string name = sender;
  const auto limit = interactive ? std::chrono::microseconds{patience_with_people} : std::chrono::microseconds{25s};
  auto asking = bus_.call(std::move(question), limit);
  const auto answer = co_await std::move(asking);
  if (!answer && answer.error().fault == Fault::unavailable) co_return co_await check_without_polkit(std::move(name));
  if (!answer) co_return answer.error();
  int allowed = 0, challenge = 0;
  if (sd_bus_message_enter_container(answer->get(), 'r', "bba{ss}") < 0 || sd_bus_message_read(answer->get(), "bb", &allowed, &challenge) < 0)
    co_return Error{Fault::unavailable, "the answer of polkit cannot be read"};
  if (allowed == 0) co_return refusal(action);
  co_return Result<void>{};
}

asio::awaitable<Result<std::uint32_t>> Authority::user_of(std::string sender) {
  auto question = bus_.method("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetConnectionUnixUser", "s", sender.c_str());
  auto asking = bus_.call(std::move(question));
  const auto answer = co_await std::move(asking);
  if (!answer) co_return answer.error();
  std::uint32_t uid = 0;
  if (sd_bus_message_read(answer->get(), "u", &uid) < 0) co_return Error{Fault::malformed, "the bus does not say whose call it is"};
  co_return uid;
}

asio::awaitable<Result<void>> Authority::check_without_polkit(std::string sender) {
  auto asking = user_of(std::move(sender));
  const auto uid = co_await std::move(asking);
  if (!uid) co_return Error{Fault::refused, "it is not known who you are"};
  if (*uid != 0 && *uid != ::geteuid()) co_return Error{Fault::refused, "without polkit only root may do that"};
  co_return Result<void>{};
}

}  // namespace outpost::control
