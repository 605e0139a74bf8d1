#include "faults/machine_lab.hpp"

#include "agent/job/event.hpp"

#include <boost/json/parse.hpp>

#include <utility>

namespace outpost::test {

namespace fs = std::filesystem;
using job::text_at;

namespace {

std::uint16_t port_of(const std::string& url) {
  return static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
}

std::string end_of(const std::string& text, std::size_t size) {
  return text.size() <= size ? text : "[...]" + text.substr(text.size() - size);
}

}  // namespace

MachineLab::MachineLab(std::uint64_t size)
    : network{port_of(lab.url), SecondKernel::test_address},
      // The machine calls when its agent has been started, and is told what to do.
      control_{[this](RawConnection& machine, int number) {
                 latest_ = number;  // A machine that was cut does not hang up.
                 ++started_;
                 while (latest_ == number && !machine.is_readable(20)) {
                   const std::lock_guard lock{mutex_};
                   if (asked_.empty()) continue;
                   machine.write(std::exchange(asked_, {}) + "\n");
                   if (machine.read_until("\n") != "done\n") return;
                   ++done_;
                 }
               },
               SecondKernel::test_address} {
  lab.configure("", "", "url: \"" + network.url() + "\"");
  const fs::path disk = lab.directory.path / "disk";
  write_file(disk, "");
  fs::resize_file(disk, size);
  if (Process{{"/sbin/mkfs.ext4", "-q", "-F", disk.string()}, lab.directory.path / "mkfs.log"}.wait() != 0)
    throw std::runtime_error{read_file(lab.directory.path / "mkfs.log")};
}

std::unique_ptr<SecondKernel> MachineLab::boot(const std::string& before) {
  started_ = 0;
  const std::string configuration = " --config " + path("agent/outpost.yml");
  return std::make_unique<SecondKernel>(
      out(),
      "mount /dev/ubda /mnt/disk || { echo 'the disk is broken' > /mnt/out/broken; exit; }\n" + before +
          "\necho \"boot $(cat /proc/sys/kernel/random/boot_id)\" >> /mnt/out/synced"
          "\nexport OUTPOST_CFG_STATE_DIRECTORY=/mnt/disk/state OUTPOST_CFG_RUNTIME_DIRECTORY=/run/outpost\n"
          "OUTPOST_SYNC_WITNESS=/mnt/out/synced LD_PRELOAD=" OUTPOST_SYNC_WITNESS " " OUTPOST_DAEMON +
          configuration + " >> /mnt/out/log 2>&1 &\nexec 3<>/dev/tcp/" + SecondKernel::test_address + "/" +
          std::to_string(control_.port()) +
          "\nwhile read -r -u 3 word argument; do\n  case $word in\n"
          "    status) kill -0 $! || { wait $!; echo \"exit status $?\" > /mnt/out/ended; }; " OUTPOST_COMMAND
          " status --json" +
          configuration +
          " > /mnt/out/status.json ;;\n"
          "    spool) { " OUTPOST_COMMAND " status" +
          configuration + "; " OUTPOST_COMMAND " spool list" + configuration +
          "; } > /mnt/out/spool 2>&1 ;;\n"
          "    read-only) echo u > /proc/sysrq-trigger; while : 2> /dev/null > /mnt/disk/probe; do sleep 0.1; done ;;\n"
          "    writable) mount -o remount,rw /mnt/disk ;;\n"
          "    clock) date -s \"@$argument\" > /dev/null ;;\n"
          "    stop) kill -TERM $!; wait $!; cp /mnt/disk/state/journal.db* /mnt/out/\n"
          "      find /mnt/disk/state/jobs -name '*.raw.*' -exec sha256sum {} + > /mnt/out/raw ;;\n"
          "  esac\n  echo done >&3\ndone\n",
      lab.directory.path / "disk");
}

void MachineLab::set_clock(std::chrono::system_clock::time_point to) {
  ask("clock " + std::to_string(std::chrono::system_clock::to_time_t(to)));
}

void MachineLab::ask(const std::string& word) {
  const int before = done_;
  {
    const std::lock_guard lock{mutex_};
    asked_ = word;
  }
  until("the machine to do: " + word, [&] { return done_ > before; });
}

boost::json::value MachineLab::status() {
  ask("status");
  if (fs::exists(out() / "ended"))
    throw std::runtime_error{"the agent in the machine has ended: " + read_file(out() / "ended")};
  boost::system::error_code error;
  auto status = boost::json::parse(read_file(out() / "status.json"), error);
  return error ? boost::json::value{} : status;
}

std::string MachineLab::spool() {
  if (!has_started()) return "the machine has not called";
  {
    const std::lock_guard lock{mutex_};
    asked_ = "spool";
  }
  const int before = done_;
  try {
    lab.until("the machine's answer", [&] { return done_ > before; }, std::chrono::seconds{60});
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return read_file(out() / "spool");
}

void MachineLab::until(const std::string& what, const std::function<bool()>& is_so, std::chrono::seconds limit) {
  try {
    lab.until(what, is_so, limit);
  } catch (const std::runtime_error& error) {
    // What was waited for inside of what is waited for comes with all of this already.
    const std::string why = error.what();
    if (why.find("--- console") != std::string::npos) throw;
    std::string jobs;
    for (const auto& job : lab.jobs())
      jobs += text_at(job, "id") + " " + text_at(job, "status") +
              (lab.key_values(text_at(job, "id")).contains("steps") ? ", ended\n" : "\n");
    throw std::runtime_error{why.substr(0, why.find('\n')) + "\n--- jobs at the server\n" + jobs +
                             "--- what the agent says\n" + spool() + "\n--- outpostd.log\n" +
                             end_of(agent_log(), 20'000) + "\n--- console\n" +
                             end_of(read_file(out() / "console"), 5'000)};
  }
}

bool MachineLab::is_at_rest() {
  if (!has_started()) return false;
  const auto now = status();
  if (now.is_null()) return false;
  const auto& jobs = now.at("jobs");
  return jobs.at("running").as_array().empty() && jobs.at("waiting").as_array().empty() &&
         now.at("reporters").at(0).at("waiting").as_int64() == 0;
}

}  // namespace outpost::test
