// Links of labels on an image server: a local directory, and OpenSSH's server with nothing but SFTP.

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

  SshServer() {
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
            "Subsystem sftp internal-sftp\nForceCommand internal-sftp\n");
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
