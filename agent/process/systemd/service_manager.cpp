#include "agent/process/systemd/service_manager.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>

namespace outpost::process {
namespace {

namespace asio = boost::asio;

constexpr const char* systemd = "org.freedesktop.systemd1";
constexpr const char* manager_path = "/org/freedesktop/systemd1";
constexpr const char* manager_interface = "org.freedesktop.systemd1.Manager";
constexpr const char* unit_interface = "org.freedesktop.systemd1.Unit";
constexpr const char* service_interface = "org.freedesktop.systemd1.Service";
constexpr const char* job_interface = "org.freedesktop.systemd1.Job";
constexpr std::array<const char*, 4> limit_names{"MemoryMax", "MemorySwapMax", "TasksMax", "CPUQuotaPerSecUSec"};

std::string path_of(const std::string& unit) {
  char* encoded = nullptr;
  if (sd_bus_path_encode("/org/freedesktop/systemd1/unit", unit.c_str(), &encoded) < 0) return manager_path;
  std::string path = encoded;
  std::free(encoded);
  return path;
}

/// What a question that takes more than one call leaves to the next of them.
class Rest {
 public:
  explicit Rest(std::chrono::microseconds limit) : end_{std::chrono::steady_clock::now() + limit} {}
  [[nodiscard]] std::chrono::microseconds left() const {
    return std::chrono::duration_cast<std::chrono::microseconds>(end_ - std::chrono::steady_clock::now());
  }

 private:
  std::chrono::steady_clock::time_point end_;
};

Error cannot_read(const std::string& unit) { return {Fault::malformed, unit + ": systemd's answer cannot be read"}; }

}  // namespace

/// systemd tells nobody of changes who has not asked for it.
ServiceManager::ServiceManager(asio::any_io_executor executor)
    : bus_{std::move(executor), [](sd_bus* connection) {
             return sd_bus_call_method_async(connection, nullptr, systemd, manager_path, manager_interface, "Subscribe", nullptr,
                                             nullptr, nullptr);
           }} {}

std::optional<ServiceManager::Properties> ServiceManager::read_properties(sd_bus_message* message) {
  Properties found;
  if (sd_bus_message_enter_container(message, 'a', "{sv}") < 0) return std::nullopt;
  while (sd_bus_message_enter_container(message, 'e', "sv") > 0) {
    const char *key = nullptr, *type = nullptr;
    if (sd_bus_message_read(message, "s", &key) < 0 || sd_bus_message_peek_type(message, nullptr, &type) < 0) return std::nullopt;
    const std::string_view kind = type;
    const char* text = nullptr;
    std::uint64_t number = 0;
    std::uint32_t small = 0;
    std::int32_t with_sign = 0;
    int read = 0;
    if (kind == "s" && (read = sd_bus_message_read(message, "v", "s", &text)) > 0) found.texts[key] = text;
    else if (kind == "t" && (read = sd_bus_message_read(message, "v", "t", &number)) > 0) found.numbers[key] = number;
    else if (kind == "i" && (read = sd_bus_message_read(message, "v", "i", &with_sign)) > 0)
      found.numbers[key] = static_cast<std::uint64_t>(with_sign);
    else if (kind == "(uo)" && (read = sd_bus_message_read(message, "v", "(uo)", &small, &text)) > 0) {
      found.numbers[key] = small;
      found.texts[key] = text;
    } else {
      read = sd_bus_message_skip(message, "v");
    }
    if (read < 0 || sd_bus_message_exit_container(message) < 0) return std::nullopt;
  }
  return found;
}

asio::awaitable<Result<ServiceManager::Properties>> ServiceManager::properties(std::string path, std::string name, const char* interface, std::chrono::microseconds limit) {
  auto request = bus_.method(systemd, path, "org.freedesktop.DBus.Properties", "GetAll", "s", interface);
  auto asking = bus_.call(std::move(request), limit);
  auto answer = co_await std::move(asking);
  if (!answer) co_return std::move(answer.error()).in(name);
  auto found = read_properties(answer->get());
  if (!found) co_return cannot_read(name);
  co_return std::move(*found);
}

asio::awaitable<Result<ServiceManager::Properties>> ServiceManager::service_properties(std::string unit) {
  auto path = path_of(unit);
  return properties(std::move(path), std::move(unit), service_interface);
}

/// Not by GetAll, for which systemd, which does one thing at a time, puts together a hundred values.
asio::awaitable<Result<ServiceManager::State>> ServiceManager::state(std::string unit) {
  auto request = bus_.method(systemd, manager_path, manager_interface, "ListUnitsByNames", "as", 1, unit.c_str());
  auto asking = bus_.call(std::move(request));
  auto answer = co_await std::move(asking);
  if (!answer) co_return std::move(answer.error()).in(unit);
  const char *load = nullptr, *active = nullptr, *sub = nullptr;
  std::uint32_t job = 0;
  sd_bus_message* message = answer->get();
  if (sd_bus_message_enter_container(message, 'a', "(ssssssouso)") < 0 ||
      sd_bus_message_read(message, "(ssssssouso)", nullptr, nullptr, &load, &active, &sub, nullptr, nullptr, &job, nullptr, nullptr) <= 0)
    co_return cannot_read(unit);
  co_return State{active, sub, load, job != 0};
}

/// Not by /proc, which below a sandbox tells nothing of other users' processes, and not always of one's own.
asio::awaitable<Result<std::string>> ServiceManager::unit_path_of(pid_t process, std::chrono::microseconds limit) {
  auto request = bus_.method(systemd, manager_path, manager_interface, "GetUnitByPID", "u", static_cast<std::uint32_t>(process));
  auto asking = bus_.call(std::move(request), limit);
  auto answer = co_await std::move(asking);
  if (!answer) co_return answer.error();
  const char* path = nullptr;
  if (sd_bus_message_read(answer->get(), "o", &path) < 0) co_return cannot_read("GetUnitByPID");
  co_return std::string{path};
}

asio::awaitable<Result<std::string>> ServiceManager::own_unit(std::chrono::microseconds limit) {
  const Rest rest{limit};
  auto asking = unit_path_of(0, limit);
  auto path = co_await std::move(asking);
  if (!path) co_return path.error();
  std::string name = "the unit of this process";
  auto reading = properties(std::move(*path), std::move(name), unit_interface, rest.left());
  auto found = co_await std::move(reading);
  if (!found) co_return found.error();
  co_return found->texts["Id"];
}

asio::awaitable<bool> ServiceManager::is_in(std::string unit, pid_t process) {
  auto asking = unit_path_of(process);
  const auto path = co_await std::move(asking);
  co_return path && *path == path_of(unit);
}

asio::awaitable<Result<std::string>> ServiceManager::job(std::string unit, std::chrono::microseconds limit) {
  const Rest rest{limit};
  auto path = path_of(unit);
  auto reading = properties(std::move(path), unit, unit_interface, limit);
  auto found = co_await std::move(reading);
  if (!found) co_return found.error();
  if (found->numbers["Job"] == 0) co_return std::string{};
  std::string job_path = found->texts["Job"];
  auto reading_job = properties(std::move(job_path), std::move(unit), job_interface, rest.left());
  auto job = co_await std::move(reading_job);
  if (!job) co_return job.error();
  co_return job->texts["JobType"];
}

asio::awaitable<Result<std::optional<std::chrono::microseconds>>> ServiceManager::stop_limit(std::string unit) {
  auto reading = service_properties(std::move(unit));
  auto found = co_await std::move(reading);
  if (!found) co_return found.error();
  const auto limit = found->numbers.find("TimeoutStopUSec");
  constexpr auto most = static_cast<std::uint64_t>(std::chrono::microseconds::max().count());
  if (limit == found->numbers.end() || limit->second > most) co_return std::nullopt;
  co_return std::chrono::microseconds{limit->second};
}

asio::awaitable<std::string> ServiceManager::describe_end(std::string unit) {
  auto reading = service_properties(std::move(unit));
  auto found = co_await std::move(reading);
  if (!found) co_return found.error().message;
  const auto code = found->numbers["ExecMainCode"], status = found->numbers["ExecMainStatus"];
  if (code == CLD_EXITED && status != 0) co_return "status " + std::to_string(status);
  if (code == CLD_KILLED || code == CLD_DUMPED) co_return "signal " + std::to_string(status);
  co_return found->texts["Result"];
}

asio::awaitable<Result<void>> ServiceManager::manage(Result<Message> request, std::string unit) {
  auto asking = bus_.call(std::move(request));
  auto answer = co_await std::move(asking);
  if (!answer) co_return std::move(answer.error()).in(unit);
  co_return Result<void>{};
}

Result<void> ServiceManager::reach() {
  if (const auto connection = bus_.handle(); !connection) return connection.error();
  return {};
}

asio::awaitable<Result<void>> ServiceManager::start(std::string unit) {
  auto request = bus_.method(systemd, manager_path, manager_interface, "StartUnit", "ss", unit.c_str(), "fail");
  return manage(std::move(request), std::move(unit));
}

asio::awaitable<Result<void>> ServiceManager::stop(std::string unit) {
  auto request = bus_.method(systemd, manager_path, manager_interface, "StopUnit", "ss", unit.c_str(), "replace");
  return manage(std::move(request), std::move(unit));
}

asio::awaitable<Result<void>> ServiceManager::reset_failed(std::string unit) {
  auto request = bus_.method(systemd, manager_path, manager_interface, "ResetFailedUnit", "s", unit.c_str());
  return manage(std::move(request), std::move(unit));
}

asio::awaitable<Result<void>> ServiceManager::kill(std::string unit, int signal) {
  auto request = bus_.method(systemd, manager_path, manager_interface, "KillUnit", "ssi", unit.c_str(), "all", signal);
  return manage(std::move(request), std::move(unit));
}

asio::awaitable<Result<ServiceManager::LimitValues>> ServiceManager::limits(std::string unit) {
  auto reading = service_properties(std::move(unit));
  auto found = co_await std::move(reading);
  if (!found) co_return found.error();
  LimitValues values;
  for (const char* name : limit_names)
    if (const auto value = found->numbers.find(name); value != found->numbers.end()) values.insert(*value);
  co_return values;
}

/// systemd keeps them in drop-ins of its own.
asio::awaitable<Result<bool>> ServiceManager::has_set_limits(std::string unit) {
  auto request = bus_.method(systemd, path_of(unit), "org.freedesktop.DBus.Properties", "Get", "ss", unit_interface, "DropInPaths");
  auto asking = bus_.call(std::move(request));
  auto answer = co_await std::move(asking);
  if (!answer) co_return std::move(answer.error()).in(unit);
  sd_bus_message* message = answer->get();
  if (sd_bus_message_enter_container(message, 'v', "as") < 0 || sd_bus_message_enter_container(message, 'a', "s") < 0) co_return cannot_read(unit);
  const char* path = nullptr;
  while (sd_bus_message_read(message, "s", &path) > 0)
    if (std::string_view{path}.starts_with("/run/systemd/system.control/")) co_return true;
  co_return false;
}

asio::awaitable<Result<void>> ServiceManager::set_limits(std::string unit, LimitValues values) {
  constexpr int until_restart = 1;
  auto request = bus_.method(systemd, manager_path, manager_interface, "SetUnitProperties", "sb", unit.c_str(), until_restart);
  if (!request) return manage(std::move(request), std::move(unit));
  sd_bus_message* message = request->get();
  sd_bus_message_open_container(message, 'a', "(sv)");
  for (const auto& [name, value] : values) sd_bus_message_append(message, "(sv)", name.c_str(), "t", value);
  sd_bus_message_close_container(message);
  return manage(std::move(request), std::move(unit));
}

/// systemd sends what a unit is together with what a service is, of which there is more. It sends them to all who listen,
/// and the bus sees to it that they are systemd's; what is addressed to us alone anybody may have sent.
Result<Bus::Watch> ServiceManager::watch(const std::string& unit, Wakeup& changed, std::optional<State>& seen) {
  return bus_.watch(systemd, path_of(unit), changed, [&seen](sd_bus_message* signal) {
    const char* interface = nullptr;
    const bool is_systemds = !sd_bus_message_get_destination(signal) && sd_bus_message_read(signal, "s", &interface) >= 0;
    if (is_systemds && std::string_view{interface} != unit_interface) return false;
    auto found = is_systemds ? read_properties(signal) : std::nullopt;
    seen.reset();
    if (found && found->texts.contains("ActiveState") && found->texts.contains("SubState") && found->numbers.contains("Job"))
      seen = State{found->texts["ActiveState"], found->texts["SubState"], "loaded", found->numbers["Job"] != 0};
    return true;
  });
}

namespace {

/// By the names and in the measures of systemd.
ServiceManager::LimitValues asked_for(const Limits& limits) {
  ServiceManager::LimitValues values;
  if (limits.memory) values["MemoryMax"] = *limits.memory;
  if (limits.tasks) values["TasksMax"] = *limits.tasks;
  if (limits.cpu_percent) values["CPUQuotaPerSecUSec"] = std::uint64_t{*limits.cpu_percent} * 10'000;
  return values;
}

}  // namespace

ServiceManager::LimitValues with_limits(ServiceManager::LimitValues base, const Limits& limits) {
  for (const auto& [name, limit] : asked_for(limits)) {
    auto& value = base.try_emplace(name, limit).first->second;
    value = std::min(value, limit);  // Infinity is the largest number.
  }
  if (limits.memory && base["MemoryMax"] == *limits.memory) base["MemorySwapMax"] = 0;  // A limit that swap makes soft would only be slow.
  return base;
}

std::vector<std::string> outranked(const ServiceManager::LimitValues& base, const Limits& limits) {
  std::vector<std::string> found;
  for (const auto& [name, limit] : asked_for(limits))
    if (const auto value = base.find(name); value != base.end() && value->second < limit)
      found.push_back(name + "=" + std::to_string(value->second) + " counts, not " + std::to_string(limit));
  return found;
}

}  // namespace outpost::process
