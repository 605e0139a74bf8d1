#include "agent/control/dbus/machine_restart.hpp"

#include <string>

namespace outpost::control {

namespace asio = boost::asio;

namespace {

constexpr const char* logind = "org.freedesktop.login1";
constexpr const char* manager_path = "/org/freedesktop/login1";
constexpr const char* manager = "org.freedesktop.login1.Manager";

/// What logind's CanReboot says: yes, no, challenge (a password), na; newer ones name inhibitors too.
Result<void> meaning_of(const std::string& said) {
  if (said == "yes") return {};
  if (said.find("inhibit") != said.npos) return Error{Fault::retry_later, "an inhibitor holds up a restart of the machine (systemd-inhibit --list)"};
  if (said == "na") return Error{Fault::unavailable, "logind says that this machine cannot be restarted"};
  return Error{Fault::refused, "polkit does not let the agent restart the machine: see SYSTEM BUS in outpostd(8)"};
}

}  // namespace

asio::awaitable<Result<void>> MachineRestart::restart() {
  auto question = bus_.method(logind, manager_path, manager, "CanReboot");
  auto asking = bus_.call(std::move(question));
  const auto answer = co_await std::move(asking);
  if (!answer) co_return Error{Fault::unavailable, "there is no logind that could restart the machine: " + answer.error().message};
  const char* said = nullptr;
  if (sd_bus_message_read(answer->get(), "s", &said) < 0) co_return Error{Fault::malformed, "logind's answer cannot be read"};
  if (const auto may = meaning_of(said); !may) co_return may.error();
  auto request = bus_.method(logind, manager_path, manager, "Reboot", "b", 0);
  auto restarting = bus_.call(std::move(request));
  const auto begun = co_await std::move(restarting);
  if (!begun) co_return Error{Fault::retry_later, "logind does not restart the machine: " + begun.error().message};
  co_return Result<void>{};
}

}  // namespace outpost::control
