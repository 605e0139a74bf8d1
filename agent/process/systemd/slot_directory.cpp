#include "agent/process/systemd/slot_directory.hpp"

#include "agent/process/exec_request.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <system_error>

namespace outpost::process {
namespace {

namespace fs = std::filesystem;

constexpr const char* new_command_file = "command.new";

std::string read_file(const fs::path& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

}  // namespace

/// Mode after group: only this order leaves no moment in which others than the slot's user may do something.
Result<void> SlotDirectory::give(const fs::path& path, mode_t mode) const {
  if (::chown(path.c_str(), static_cast<uid_t>(-1), group_) != 0)
    return errno_error("cannot give to the slot's group " + std::to_string(group_), path.native(), errno);
  if (::chmod(path.c_str(), mode) != 0) return errno_error("cannot change the mode of", path.native(), errno);
  return {};
}

Result<void> SlotDirectory::write(const char* name, const std::string& content, mode_t mode) const {
  const auto path = path_ / name;
  const Descriptor file{::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!file.is_open()) return errno_error("cannot create", path.native(), errno);
  for (std::size_t done = 0; done < content.size();) {
    const auto size = ::write(file.get(), content.data() + done, content.size() - done);
    if (size < 0) return errno_error("cannot write", path.native(), errno);
    done += static_cast<std::size_t>(size);
  }
  return give(path, mode);
}

Result<void> SlotDirectory::prepare(const Command& command) const {
  const auto request = ExecRequest::write(command);
  if (!request)
    return Error{Fault::unavailable, command.program.string() + ": cannot be started: an argument or variable contains a NUL byte"};
  std::error_code error;
  fs::create_directories(path_, error);
  if (error) return errno_error("cannot create", path_.native(), error.value());
  if (auto given = give(path_, 0750); !given) return given;
  // The report goes before the name changes: it is never taken for that of another command.
  for (const char* name : {report_file, step_file, output_file, stopping_file}) fs::remove(path_ / name, error);
  fs::remove(path_ / new_command_file, error);
  if (auto named = write(new_command_file, command.name + "\n", 0640); !named) return named;
  fs::rename(path_ / new_command_file, path_ / command_file, error);
  if (error) return errno_error("cannot replace", (path_ / command_file).native(), error.value());
  const auto output = path_ / output_file;
  if (::mkfifo(output.c_str(), 0600) != 0) return errno_error("cannot create", output.native(), errno);
  if (auto given = give(output, 0660); !given) return given;
  if (auto written = write(report_file, "", 0660); !written) return written;
  return write(step_file, *request, 0640);
}

std::string SlotDirectory::name() const {
  auto name = read_file(path_ / command_file);
  if (!name.empty() && name.back() == '\n') name.pop_back();
  return name;
}

Descriptor SlotDirectory::open_output(int flags) const {
  return Descriptor{::open((path_ / output_file).c_str(), flags | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW)};
}

void SlotDirectory::note_stopping(const Stopping& stopping) const {
  const auto when = std::chrono::duration_cast<std::chrono::milliseconds>(stopping.grace_end.time_since_epoch());
  std::error_code ignored;  // Without it leftovers are killed earlier.
  fs::remove(path_ / stopping_file, ignored);
  const auto* why = stopping.why.cancelled ? " cancel\n" : " timeout\n";
  static_cast<void>(write(stopping_file, std::to_string(when.count()) + why, 0640));
}

std::optional<SlotDirectory::Stopping> SlotDirectory::stopping() const {
  std::ifstream file{path_ / stopping_file};
  std::int64_t grace_end = 0;
  std::string why;
  if (!(file >> grace_end >> why)) return std::nullopt;
  const bool cancelled = why == "cancel";
  return Stopping{{.cancelled = cancelled, .timed_out = !cancelled},
                  std::chrono::steady_clock::time_point{std::chrono::milliseconds{grace_end}}};
}

StepReport SlotDirectory::report() const { return read_report(path_ / report_file); }

std::optional<SlotLimits> SlotDirectory::limits(const std::string& unit) const {
  const auto path = path_ / ("limits." + unit);
  std::error_code error;
  if (!fs::exists(path, error)) return std::nullopt;
  return SlotLimits::from_text(read_file(path));
}

Result<void> SlotDirectory::note_limits(const std::string& unit, const SlotLimits& limits) const {
  const std::string name = "limits." + unit, draft = name + ".new";
  std::error_code error;
  fs::remove(path_ / draft, error);
  if (auto written = write(draft.c_str(), limits.to_text(), 0640); !written) return written;
  fs::rename(path_ / draft, path_ / name, error);
  if (error) return errno_error("cannot replace", (path_ / name).native(), error.value());
  return {};
}

void SlotDirectory::close() const {
  std::error_code ignored;
  for (const char* name : {step_file, output_file}) fs::remove(path_ / name, ignored);
}

bool holds_steps(const fs::path& slots) {
  std::error_code ignored;
  return std::any_of(fs::directory_iterator{slots, ignored}, fs::directory_iterator{},
                     [&](const fs::directory_entry& slot) { return fs::exists(slot.path() / step_file, ignored); });
}

}  // namespace outpost::process
