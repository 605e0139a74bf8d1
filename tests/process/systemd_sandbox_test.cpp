// What a command sees and may write below the sandbox that outpost-step makes, and that none runs without it. For the same
// machine as systemd_runner_test.cpp.
#include "systemd_fixture.hpp"

#include <pwd.h>
#include <sys/stat.h>

#include <sstream>

using namespace outpost;
using namespace outpost::process;
using namespace outpost::process::test;
namespace fs = std::filesystem;

namespace {

std::string home_of(const char* user) {
  const passwd* found = ::getpwnam(user);
  REQUIRE(found);
  return found->pw_dir;
}

std::string step_program() {
  std::istringstream words{property("ExecStart")};  // { path=... ; argv[]=... }
  for (std::string word; words >> word;)
    if (word.starts_with("path=")) return word.substr(5);
  return {};
}

/// What a command is told that is not run, because its sandbox cannot be made.
std::string why_not() {
  const auto result = run(with_path("echo it runs"));
  REQUIRE_FALSE(result.finished);
  CHECK(result.output.empty());
  CHECK(result.finished.error().message.find("cannot make the sandbox") != std::string::npos);
  return result.finished.error().message;
}

}  // namespace

TEST_CASE("a command sees the system read-only, and no other user's processes") {
  const auto result = run(with_path("for place in /usr/local /etc /home /run /var/lib; do touch $place/x 2>&1; done; cat /proc/1/cmdline 2>&1"));
  for (const char* place : {"/usr/local", "/etc", "/home", "/run", "/var/lib"})
    CHECK(result.output.find(std::string{place} + "/x': Read-only file system") != std::string::npos);
  CHECK(result.output.find("/proc/1/cmdline: No such file") != std::string::npos);
}

TEST_CASE("a command can write its home, shared memory, and a /tmp that is new for each") {
  const auto home = home_of("outpost-job-1");
  const auto result = run(with_path("cd " + home + "; for place in " + home + " /dev/shm /tmp /var/tmp; do ls -A $place | grep -x mark; touch $place/mark && echo wrote $place; done; "
                                    "rm /dev/shm/mark mark; stat -fc %T /tmp /var/tmp; stat -c '%a %U' /tmp"));
  CHECK(as<Exited>(result)->status == 0);
  CHECK(result.output == "wrote " + home + "\nwrote /dev/shm\nwrote /tmp\nwrote /var/tmp\ntmpfs\ntmpfs\n1777 root\n");
  CHECK(run(with_path("ls -A /tmp /var/tmp")).output == "/tmp:\n\n/var/tmp:\n");
}

TEST_CASE("a command has no capability, and cannot change what it sees") {
  for (const char* profile : {"", "offline"}) {
    auto command = with_path("sed -n 's/^Cap\\(Inh\\|Prm\\|Eff\\|Amb\\):\\s*0*//p; s/^NoNewPrivs:\\s*//p' /proc/self/status; "
                             "nsenter --mount=/proc/$$/ns/mnt true 2>/dev/null && echo enters; exit 0");
    command.profile = profile;
    CHECK(run(command).output == "\n\n\n\n1\n");
  }
  // As root of a user namespace of its own, where the kernel gives it one.
  const auto result = run(with_path("unshare -Urm sh -c 'echo root; for place in /proc /tmp /sys; do umount $place && echo $place; done; mount -o remount,bind,rw / && echo remounts; "
                                    "touch /etc/x && echo writes; test -d /proc/1 && echo sees; exit 0' 2>/dev/null || echo root"));
  CHECK(result.output == "root\n");
}

TEST_CASE("whatever a unit gives outpost-step, no command may administer the machine") {
  if (::getuid() != 0) return;
  auto command = with_path("grep CapEff /proc/self/status");
  SECTION("another capability that an administrator wants it to have, it has") {
    const ChangedUnit changed{"AmbientCapabilities=CAP_NET_RAW\n"};
    CHECK(run(command).output == "CapEff:\t0000000000002000\n");
  }
  SECTION("also where systemd makes the sandbox") {
    const ChangedUnit changed{"ExecStart=\nExecStart=" + step_program() + " run /run/outpost/slots/%i\n"};
    CHECK(run(command).output == "CapEff:\t0000000000000000\n");
  }
  SECTION("and none is run below a sandbox that it could leave") {
    const ChangedUnit changed{"NoNewPrivileges=no\nRestrictRealtime=no\nLockPersonality=no\n"};
    CHECK(why_not().find("Operation not permitted") != std::string::npos);
  }
}

TEST_CASE("a command sees the device nodes and control groups of the system as they are, and what is mounted later") {
  if (::getuid() != 0) return;
  const fs::path place = "/var/lib/outpost-late";
  fs::create_directory(place);
  auto command = with_path("test -c /dev/null && test -c /dev/tty && test -e /dev/fd/0 && ls -d /sys/fs/cgroup >/dev/null && echo ready; "
                           "until test -e " + place.string() + "/late; do sleep 0.01; done");
  const auto result = run(command, [&](Run& so_far, boost::asio::cancellation_signal&) {
    CHECK(so_far.output == "ready\n");
    told("mount -t tmpfs late " + place.string() + " && touch " + (place / "late").string());
  });
  CHECK(as<Exited>(result)->status == 0);
  told("umount " + place.string());
  fs::remove(place);
}

TEST_CASE("an administrator adds what a command may write, also within its /tmp") {
  if (::getuid() != 0) return;
  for (const char* place : {"/srv/outpost-images", "/tmp/outpost-shown/deep"}) {
    fs::create_directories(place);
    REQUIRE(::chmod(place, 0777) == 0);
  }
  const ChangedUnit changed{"Environment=\"OUTPOST_STEP_WRITABLE=/srv/outpost-images -/srv/missing /tmp/outpost-shown/deep\"\n"};
  const auto result = run(with_path("touch /srv/outpost-images/x /tmp/outpost-shown/deep/x /tmp/x && ls -A /tmp; touch /srv/x"));
  CHECK(result.output.find("outpost-shown\nx\n") != std::string::npos);
  CHECK(result.output.find("/srv/x': Read-only file system") != std::string::npos);
  CHECK(fs::remove("/srv/outpost-images/x"));
  CHECK(fs::remove("/tmp/outpost-shown/deep/x"));
}

TEST_CASE("a /tmp of its own is in what a command may write besides") {
  if (::getuid() != 0) return;
  std::ofstream{"/var/tmp/outpost-theirs"} << "theirs";
  std::ofstream{"/tmp/outpost-file"} << "shown\n";
  const ChangedUnit changed{"Environment=\"OUTPOST_STEP_WRITABLE=/var/ /tmp/outpost-file\"\n"};
  const auto result = run(with_path("ls -A /var/tmp; cat /tmp/outpost-file; touch /var/lib/x 2>&1"));
  CHECK(result.output.find("theirs") == std::string::npos);
  CHECK(result.output.find("shown\n") == 0);
  CHECK(result.output.find("/var/lib/x': Permission denied") != std::string::npos);
  fs::remove("/var/tmp/outpost-theirs");
  fs::remove("/tmp/outpost-file");
}

TEST_CASE("no command runs where its sandbox cannot be made, and it is said why") {
  if (::getuid() != 0) return;
  SECTION("because what it may write is missing") {
    const ChangedUnit changed{"Environment=OUTPOST_STEP_WRITABLE=/srv/missing\n"};
    CHECK(why_not().find("No such file or directory") != std::string::npos);
    CHECK(told("journalctl -u outpost-step@1.service -n 20 -o cat").find("cannot make the sandbox: /srv/missing") != std::string::npos);
  }
  SECTION("because what it may write has no name") {
    const ChangedUnit changed{"Environment=\"OUTPOST_STEP_WRITABLE=''\"\n"};
    CHECK(why_not().find("Invalid argument") != std::string::npos);
  }
  SECTION("because it may write everything") {
    const ChangedUnit changed{"Environment=OUTPOST_STEP_WRITABLE=//\n"};
    why_not();
  }
  SECTION("because it may write everything, by another name") {
    fs::create_directory_symlink("/", "/srv/outpost-all");
    const ChangedUnit changed{"Environment=OUTPOST_STEP_WRITABLE=/srv/outpost-all\n"};
    why_not();
    fs::remove("/srv/outpost-all");
  }
  SECTION("because somebody took the capability for it") {
    const ChangedUnit changed{"AmbientCapabilities=\n"};
    why_not();
  }
  SECTION("because nobody in its unit may have that") {
    const ChangedUnit changed{"CapabilityBoundingSet=CAP_NET_RAW\n"};
    why_not();
  }
  SECTION("because what it may write is out of its user's reach") {
    fs::create_directories("/data-of-outpost/closed");
    REQUIRE(::chmod("/data-of-outpost", 0700) == 0);
    const ChangedUnit changed{"Environment=OUTPOST_STEP_WRITABLE=/data-of-outpost/closed\n"};
    why_not();
    fs::remove_all("/data-of-outpost");
  }
  CHECK(run(with_path("echo it runs")).output == "it runs\n");
}

TEST_CASE("a command has the network, and in the profile offline it has not") {
  CHECK(run(with_path("readlink /proc/self/ns/net")).output == fs::read_symlink("/proc/self/ns/net").string() + "\n");
  auto command = with_path("readlink /proc/self/ns/net; ls /sys/class/net");
  command.profile = "offline";
  const auto result = run(command);
  REQUIRE(as<Exited>(result));
  CHECK(result.output.find(fs::read_symlink("/proc/self/ns/net").string()) == std::string::npos);
}
