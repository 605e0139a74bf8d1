#include "agent/daemon/kept_secrets.hpp"

#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <string>

using namespace outpost;
using namespace outpost::daemon;

namespace {

/// What systemd is for a service that has something kept.
struct Store {
  Store() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = (directory.path / "notify").string();
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  }
  ~Store() { ::unsetenv("NOTIFY_SOCKET"); }

  struct Message {
    std::string text;
    Descriptor descriptor;
  };
  /// The next message, which has been sent already.
  Message next() {
    std::array<char, 1000> text{};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(ucred))> control{};
    iovec buffer{text.data(), text.size()};
    msghdr message{};
    message.msg_iov = &buffer;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t size = ::recvmsg(socket.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    REQUIRE(size > 0);
    Message received{{text.data(), static_cast<std::size_t>(size)}, Descriptor{}};
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
      if (part->cmsg_type != SCM_RIGHTS) continue;
      int number = -1;
      std::memcpy(&number, CMSG_DATA(part), sizeof number);
      received.descriptor = Descriptor{number};
    }
    return received;
  }

  test::TemporaryDirectory directory;
  Descriptor socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
};

}  // namespace

TEST_CASE("secrets that systemd keeps come back as they were, whatever their bytes are") {
  const Secrets secrets{{"lab", "s3cret\nof two lines"}, {"key", std::string{"\0\xff\xfe\"", 4}}, {"none", ""}};
  const auto kept = sealed(secrets);
  REQUIRE(kept);
  CHECK(unsealed(*kept) == secrets);
  CHECK(unsealed(*kept) == secrets);  // Another start that is refused may have read them before.
  CHECK(::pwrite(kept->get(), "x", 1, 0) < 0);
  CHECK(::ftruncate(kept->get(), 0) != 0);
}

TEST_CASE("what is no store of secrets holds none") {
  CHECK(unsealed(Descriptor{}).empty());
  CHECK(unsealed(Descriptor{::open("/dev/null", O_RDONLY | O_CLOEXEC)}).empty());
  CHECK(unsealed(Descriptor{::open("/etc/passwd", O_RDONLY | O_CLOEXEC)}).empty());
}

TEST_CASE("what a step may know that has begun before is kept beside what is configured now") {
  const Secrets first = with_older({{"lab", "new"}, {"other", "same"}}, {{"lab", "old"}, {"gone", "taken out"}, {"other", "same"}});
  CHECK(first == Secrets{{"lab", "new"}, {"other", "same"}, {"gone", "taken out"}, {"\n0", "old"}});
  const Secrets second = with_older({{"lab", "newest"}, {"other", "same"}}, first);
  CHECK(second == Secrets{{"lab", "newest"}, {"other", "same"}, {"gone", "taken out"}, {"\n0", "old"}, {"\n1", "new"}});
  CHECK(with_older({{"lab", "newest"}, {"other", "same"}}, second) == second);
  CHECK(with_older({{"lab", "old"}}, {{"lab", "new"}, {"\n0", "old"}}) == Secrets{{"lab", "old"}, {"\n0", "old"}, {"\n1", "new"}});
}

TEST_CASE("secrets that a systemd was not told to keep are not said to be kept") {
  CHECK(keep_secrets({{"lab", "s3cret"}}));  // Nobody is there who could keep them.
  const test::TemporaryDirectory directory;
  ::setenv("NOTIFY_SOCKET", (directory.path / "nobody").c_str(), 1);
  const auto kept = keep_secrets({{"lab", "s3cret"}});
  ::unsetenv("NOTIFY_SOCKET");
  REQUIRE_FALSE(kept);
  CHECK_THAT(kept.error().message, test::holds("cannot have systemd keep"));
}

TEST_CASE("secrets that were kept before make room for those that are kept now") {
  Store systemd;
  REQUIRE(keep_secrets({{"lab", "s3cret"}}));
  CHECK(systemd.next().text == "FDSTOREREMOVE=1\nFDNAME=secrets");
  const auto stored = systemd.next();
  CHECK(stored.text == "FDSTORE=1\nFDPOLL=0\nFDNAME=secrets");
  CHECK(unsealed(stored.descriptor) == Secrets{{"lab", "s3cret"}});
}
