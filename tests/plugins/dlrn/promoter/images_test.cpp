// Images on a server: links of labels, and directories of hashes that are brought there. A local directory, and
// OpenSSH's server, with nothing but SFTP where that is enough.

#include "agent/process/local/local_command_runner.hpp"
#include "plugins/dlrn/promoter/images_place.hpp"

#include "fakes.hpp"
#include "support/await.hpp"
#include "support/background_process.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <netinet/in.h>
#include <pwd.h>
#include <sys/socket.h>

#include <cstdlib>

using namespace outpost;
using namespace outpost::promoter;
using namespace outpost::test;
namespace fs = std::filesystem;

namespace {

int free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ::bind(socket, reinterpret_cast<sockaddr*>(&address), size);
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(socket);
  return ntohs(address.sin_port);
}

void run(const std::string& command) {
  if (std::system(command.c_str()) != 0) throw std::runtime_error{command};
}

/// sshd on loopback, with a key of its own and one login.
class SshServer {
 public:
  TemporaryDirectory directory;

  static std::string why_not() {
    if (!find_tool("sftp", "") || !find_tool("ssh-keygen", "") || ::access("/usr/sbin/sshd", X_OK) != 0)
      return "openssh-server or openssh-client is not installed";
    if (::geteuid() == 0 && ::access("/run/sshd", X_OK) != 0 && ::mkdir("/run/sshd", 0755) != 0)
      return "/run/sshd, which sshd needs, cannot be made";
    return "";
  }

  /// `runs_commands`: logins get a shell too, which rsync needs.
  explicit SshServer(bool runs_commands = false) : runs_commands_{runs_commands} {
    for (const char* name : {"host_key", "login"})
      run("ssh-keygen -q -t ed25519 -N '' -f '" + (directory.path / name).string() + "'");
    fs::copy(directory.path / "login.pub", directory.path / "authorized_keys");
    // A port that somebody else takes in between is tried again.
    for (int attempt = 0; !process_; ++attempt) try {
        port = free_port();
        start();
      } catch (const std::runtime_error&) {
        if (attempt == 5) throw;
      }
    const std::string key = read_file(directory.path / "host_key.pub");
    write_file(directory.path / "known_hosts", "[127.0.0.1]:" + std::to_string(port) + " " + key);
  }
  void start() {
    write_file(
        directory.path / "config",
        "ListenAddress 127.0.0.1:" + std::to_string(port) + "\nHostKey " + (directory.path / "host_key").string() +
            "\nAuthorizedKeysFile " + (directory.path / "authorized_keys").string() +
            "\nStrictModes no\nUsePAM no\nPidFile none\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n"
            "Subsystem sftp internal-sftp\n" + (runs_commands_ ? "" : "ForceCommand internal-sftp\n"));
    process_ = std::make_unique<BackgroundProcess>(
        std::vector<std::string>{"/usr/sbin/sshd", "-D", "-e", "-f", (directory.path / "config").string()},
        "Server listening on 127.0.0.1");
  }
  void stop() { process_.reset(); }

  [[nodiscard]] ImageHost host(const fs::path& images) const {
    return {.sftp = true,
            .user = ::getpwuid(::geteuid())->pw_name,
            .host = "127.0.0.1",
            .port = port,
            .key = directory.path / "login",
            .known_hosts = directory.path / "known_hosts",
            .directory = images.string()};
  }
  int port = 0;

 private:
  bool runs_commands_;
  std::unique_ptr<BackgroundProcess> process_;
};

bool available() {
  const std::string why = SshServer::why_not();
  if (!why.empty()) WARN("SKIPPED: images over SFTP: " << why);
  return why.empty();
}

const std::string one(32, '1'), two(32, '2');
const Move to_two{{.aggregate = two}, "tripleo-ci-testing", "current-tripleo"};

struct Images {
  TemporaryDirectory directory;

  Images() {
    for (const auto& hash : {one, two}) write_file(directory.path / hash / "overcloud-full.tar", hash);
  }
  void link(const std::string& label, const std::string& hash) const {
    fs::create_directory_symlink(hash, directory.path / label);
  }
  [[nodiscard]] std::string target(const std::string& label) const {
    std::error_code error;
    return fs::read_symlink(directory.path / label, error).string();
  }
};

/// What both kinds of servers promise.
void check_moves(boost::asio::io_context& loop, ImageServer& server, const Images& images) {
  ImagesPlace place{"images", server, {"overcloud-full.tar"}};
  images.link("current-tripleo", one);

  const auto plan = await(loop, place.check(to_two));
  INFO((plan ? std::string{} : plan.error().message));
  REQUIRE(plan.has_value());
  CHECK(plan->size() == 2);
  const auto before = await(loop, place.look(to_two));
  REQUIRE(before.has_value());
  // There is no previous link yet: one is made all the same.
  REQUIRE(await(loop, place.move(to_two, *before)).has_value());
  CHECK(images.target("current-tripleo") == two);
  CHECK(images.target("previous-current-tripleo") == one);
  REQUIRE(await(loop, place.move(to_two, *before)).has_value());
  CHECK(images.target("previous-current-tripleo") == one);
  CHECK(read_file(images.directory.path / "current-tripleo" / "overcloud-full.tar") == two);

  REQUIRE(await(loop, place.restore(to_two, *before)).has_value());
  CHECK(images.target("current-tripleo") == one);
  CHECK(images.target("previous-current-tripleo").empty());
  // Nothing of ours is left beside them.
  CHECK(std::distance(fs::directory_iterator{images.directory.path}, fs::directory_iterator{}) == 3);
}

void check_refusals(boost::asio::io_context& loop, ImageServer& server, const Images& images) {
  ImagesPlace place{"images", server, {"overcloud-full.tar", "ironic.tar"}};
  const auto lacking = await(loop, place.check(to_two));
  REQUIRE(lacking.has_error());
  CHECK(lacking.error().message.find("lacks ironic.tar") != std::string::npos);
  Move absent = to_two;
  absent.candidate.aggregate = std::string(32, '3');
  const auto missing = await(loop, place.check(absent));
  REQUIRE(missing.has_error());
  CHECK(missing.error().message.find("does not exist") != std::string::npos);

  ImagesPlace simple{"images", server, {}};
  fs::create_directory(images.directory.path / "current-tripleo");
  const auto directory = await(loop, simple.check(to_two));
  REQUIRE(directory.has_error());
  CHECK(directory.error().message.find("is not a link") != std::string::npos);
  fs::remove(images.directory.path / "current-tripleo");
  images.link("current-tripleo", "gone");
  CHECK_FALSE(await(loop, server.link("current-tripleo"))->has_value());
}

}  // namespace

TEST_CASE("links in a local directory move, are kept and put back") {
  boost::asio::io_context loop;
  Workers workers;
  const Images images;
  LocalImageServer server{images.directory.path, workers};
  check_moves(loop, server, images);
}

TEST_CASE("what is wrong in a local directory is found before a link moves") {
  boost::asio::io_context loop;
  Workers workers;
  const Images images;
  LocalImageServer server{images.directory.path, workers};
  check_refusals(loop, server, images);
}

TEST_CASE("an absolute link, as the old promoter made them, is understood") {
  boost::asio::io_context loop;
  Workers workers;
  const Images images;
  fs::create_directory_symlink(images.directory.path / one, images.directory.path / "current-tripleo");
  LocalImageServer server{images.directory.path, workers};
  CHECK(await(loop, server.link("current-tripleo"))->value() == one);
}

TEST_CASE("links on an SFTP server move, are kept and put back") {
  if (!available()) return;
  boost::asio::io_context loop;
  process::LocalCommandRunner commands{OUTPOST_GUARDIAN};
  const SshServer ssh;
  const Images images;
  const auto server = SftpImageServer::make(commands, ssh.host(images.directory.path));
  REQUIRE(server.has_value());
  check_moves(loop, **server, images);
}

TEST_CASE("what is wrong on an SFTP server is found before a link moves") {
  if (!available()) return;
  boost::asio::io_context loop;
  process::LocalCommandRunner commands{OUTPOST_GUARDIAN};
  const SshServer ssh;
  const Images images;
  const auto server = SftpImageServer::make(commands, ssh.host(images.directory.path));
  REQUIRE(server.has_value());
  check_refusals(loop, **server, images);
}

namespace {

bool can_bring() {
  if (find_tool("rsync", "")) return true;
  WARN("SKIPPED: images that are brought: rsync is not installed");
  return false;
}

/// Where images are built: hash two, which the server does not have yet.
struct Built {
  TemporaryDirectory directory;
  fs::path hash = directory.path / two;

  Built() {
    write_file(hash / "overcloud-full.tar", std::string(300'000, 'o') + two);
    write_file(hash / "ironic.tar", two);
    write_file(hash / "logs" / "build.log", "well");
    fs::create_symlink("/etc/passwd", hash / "leads-out");
  }
  [[nodiscard]] ImageHost host() const { return {.directory = directory.path.string()}; }
};

/// A server that has hash one, and what brings it others.
struct Way {
  boost::asio::io_context loop;
  process::LocalCommandRunner commands{OUTPOST_GUARDIAN};
  Workers workers;
  Images images;
  Built built;
  TemporaryDirectory rest;
  std::unique_ptr<ImageServer> from, to;
  std::unique_ptr<Rsync> rsync;

  Way() {
    fs::remove_all(images.directory.path / two);
    images.link("current-tripleo", one);
  }
  [[nodiscard]] ImageHost here() const { return {.directory = images.directory.path.string()}; }
  std::unique_ptr<ImageServer> server(const ImageHost& host) {
    if (!host.sftp) return std::make_unique<LocalImageServer>(host.directory, workers);
    auto made = SftpImageServer::make(commands, host);
    REQUIRE(made.has_value());
    return *std::move(made);
  }
  ImagesPlace place(const ImageHost& source, const ImageHost& target, std::vector<std::string> files = {"overcloud-full.tar", "ironic.tar"}) {
    from = server(source);
    to = server(target);
    rsync = *Rsync::make(commands, workers, source, target, rest.path / "rest");
    return {"images", *to, std::move(files), ImagesPlace::Origin{*from, *rsync}};
  }
  Result<void> move(ImagesPlace& place) {
    const auto before = await(loop, place.look(to_two));
    REQUIRE(before.has_value());
    return await(loop, place.move(to_two, *before));
  }
  [[nodiscard]] std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator{images.directory.path}, fs::directory_iterator{}));
  }
  void check_all_there() const {
    const fs::path brought = images.directory.path / two;
    for (const char* file : {"overcloud-full.tar", "ironic.tar", "logs/build.log"})
      CHECK(read_file(brought / file) == read_file(built.hash / file));
    CHECK_FALSE(fs::exists(fs::symlink_status(brought / "leads-out")));
    CHECK(images.target("current-tripleo") == two);
    CHECK(images.target("previous-current-tripleo") == one);
    CHECK(entries() == 4);
    CHECK_FALSE(fs::exists(rest.path / "rest"));
  }
  void check_untouched() const {
    CHECK(images.target("current-tripleo") == one);
    CHECK(images.target("previous-current-tripleo").empty());
    CHECK_FALSE(fs::exists(images.directory.path / two));
  }
};

void check_way(Way& way, const ImageHost& source, const ImageHost& target) {
  ImagesPlace place = way.place(source, target);
  const auto plan = await(way.loop, place.check(to_two));
  INFO((plan ? std::string{} : plan.error().message));
  REQUIRE(plan.has_value());
  CHECK(plan->size() == 3);
  CHECK(plan->front() == "copy " + two + " from " + way.from->text() + " to " + way.to->text());
  way.check_untouched();
  const auto moved = way.move(place);
  INFO((moved ? std::string{} : moved.error().message));
  REQUIRE(moved.has_value());
  way.check_all_there();
}

}  // namespace

TEST_CASE("a hash's images are brought from another directory before its label leads there, and stay when it is put back") {
  if (!can_bring()) return;
  Way way;
  check_way(way, way.built.host(), way.here());
  ImagesPlace place = way.place(way.built.host(), way.here());
  // What is there is not brought again, whatever became of the source.
  fs::remove_all(way.built.hash);
  CHECK(await(way.loop, place.check(to_two)).has_value());
  REQUIRE(await(way.loop, place.restore(to_two, {{"label", one}, {"previous", ""}})).has_value());
  CHECK(way.images.target("current-tripleo") == one);
  CHECK(fs::exists(way.images.directory.path / two / "ironic.tar"));
}

TEST_CASE("images are brought to another machine, from one, and between two others") {
  if (!available() || !can_bring()) return;
  const SshServer ssh{true};
  Way way;
  const ImageHost here = way.here(), built = way.built.host();
  const ImageHost far_target = ssh.host(here.directory), far_source = ssh.host(built.directory);
  SECTION("to one") { check_way(way, built, far_target); }
  SECTION("from one") { check_way(way, far_source, here); }
  SECTION("between two others") { check_way(way, far_source, far_target); }
}

TEST_CASE("what an interrupted copy has left is made whole, and never taken for the hash") {
  if (!can_bring()) return;
  Way way;
  // Of the same size and time as the file that belongs there, and of another hash.
  const fs::path left = way.images.directory.path / ".incoming.outpost";
  write_file(left / "ironic.tar", std::string(two.size(), 'x'));
  fs::last_write_time(left / "ironic.tar", fs::last_write_time(way.built.hash / "ironic.tar"));
  write_file(left / "overcloud-full.tar", std::string(100'000, 'o'));
  write_file(left / "of-another-hash.tar", "old");
  check_way(way, way.built.host(), way.here());
  CHECK_FALSE(fs::exists(way.images.directory.path / two / "of-another-hash.tar"));
}

TEST_CASE("images that are nowhere, or not complete, are found before anything is copied") {
  if (!can_bring()) return;
  Way way;
  ImagesPlace place = way.place(way.built.host(), way.here(), {"overcloud-full.tar", "undercloud.tar"});
  const auto lacking = await(way.loop, place.check(to_two));
  REQUIRE(lacking.has_error());
  CHECK(lacking.error().message == way.built.hash.string() + " lacks undercloud.tar");
  // A source that lost it in between: it is not named after the hash.
  REQUIRE(way.move(place).has_error());
  way.check_untouched();
  fs::remove_all(way.built.hash);
  const auto absent = await(way.loop, place.check(to_two));
  REQUIRE(absent.has_error());
  CHECK(absent.error().message.find("does not exist, and neither does " + way.built.hash.string()) != std::string::npos);
  const auto gone = way.move(place);
  REQUIRE(gone.has_error());
  CHECK(gone.error().fault == Fault::refused);
  way.check_untouched();
}

TEST_CASE("a copy that is not what the source holds moves no link") {
  if (!can_bring()) return;
  Way way;
  const TemporaryDirectory tools;
  const std::string path = std::getenv("PATH"), real = find_tool("rsync", "")->string();
  write_file(tools.path / "rsync", "#!/bin/sh\n" + real + " \"$@\" || exit\ncase \"$*\" in *--dry-run*) ;; *) echo rot >>" +
                                       (way.images.directory.path / ".incoming.outpost" / "ironic.tar").string() + " ;; esac\n");
  fs::permissions(tools.path / "rsync", fs::perms::owner_all);
  ::setenv("PATH", (tools.path.string() + ":" + path).c_str(), 1);
  ImagesPlace place = way.place(way.built.host(), way.here());
  ::setenv("PATH", path.c_str(), 1);
  const auto moved = way.move(place);
  REQUIRE(moved.has_error());
  CHECK(moved.error().message.find("is not what") != std::string::npos);
  CHECK(moved.error().message.find("ironic.tar") != std::string::npos);
  way.check_untouched();
}

TEST_CASE("a machine that runs no rsync for us, does not let us in, or is away is told with what to do") {
  if (!available() || !can_bring()) return;
  SshServer ssh;
  Way way;
  const auto fails = [&](const ImageHost& target) {
    way.place(way.built.host(), target);
    const auto carried = await(way.loop, way.rsync->carry(two, ".incoming.outpost"));
    REQUIRE(carried.has_error());
    way.check_untouched();
    return carried.error();
  };
  const ImageHost host = ssh.host(way.here().directory);
  const Error no_shell = fails(host);
  INFO(no_shell.message);
  CHECK(no_shell.fault == Fault::unavailable);
  CHECK(no_shell.message.find("127.0.0.1 does not run rsync for us (is it installed there") != std::string::npos);
  ImageHost stranger = host;
  stranger.known_hosts = "/dev/null";
  CHECK(fails(stranger).fault == Fault::credentials);
  ssh.stop();
  CHECK(fails(host).fault == Fault::retry_later);
}

TEST_CASE("an unknown host key, a wrong login and a server that is away are told apart") {
  if (!available()) return;
  boost::asio::io_context loop;
  process::LocalCommandRunner commands{OUTPOST_GUARDIAN};
  SshServer ssh;
  const Images images;
  const auto fault = [&](ImageHost host) {
    const auto server = SftpImageServer::make(commands, std::move(host));
    const auto found = await(loop, (*server)->link("current-tripleo"));
    REQUIRE(found.has_error());
    return found.error().fault;
  };
  ImageHost stranger = ssh.host(images.directory.path);
  stranger.known_hosts = "/dev/null";
  CHECK(fault(stranger) == Fault::credentials);
  ImageHost wrong = ssh.host(images.directory.path);
  wrong.key = ssh.directory.path / "host_key";
  CHECK(fault(wrong) == Fault::credentials);
  ssh.stop();
  CHECK(fault(ssh.host(images.directory.path)) == Fault::retry_later);
}
