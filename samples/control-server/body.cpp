#include "samples/control-server/body.hpp"

#include "agent/base/hash.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <utility>

namespace outpost::sample {
namespace {

constexpr std::size_t in_memory = 256 * 1024;

struct Descriptor {
  explicit Descriptor(int opened) : number{opened} {}
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int number;
};

bool write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

Body::~Body() { forget(); }

Body::Body(Body&& other) noexcept
    : memory_{std::move(other.memory_)},
      file_{std::exchange(other.file_, {})},
      size_{other.size_},
      sha256_{std::move(other.sha256_)} {}

Body& Body::operator=(Body&& other) noexcept {
  memory_.swap(other.memory_);
  file_.swap(other.file_);
  std::swap(size_, other.size_);
  sha256_.swap(other.sha256_);
  return *this;
}

void Body::forget() {
  if (!file_.empty()) ::unlink(file_.c_str());
  file_.clear();
  memory_.clear();
  size_ = 0;
  sha256_ = sha256_hex("");
}

boost::asio::awaitable<Result<Body>> Body::receive(http::ServerRequest& request, std::filesystem::path directory) {
  Body body;
  Sha256 hash;
  Descriptor file{-1};
  for (;;) {
    auto piece = co_await request.read_some();
    if (!piece) co_return piece.error();
    if (piece->empty()) break;
    hash.update(*piece);
    body.size_ += piece->size();
    if (file.number < 0 && body.size_ > in_memory) {
      auto name = (directory / "body-XXXXXX").string();
      file.number = ::mkostemp(name.data(), O_CLOEXEC);
      if (file.number < 0) co_return errno_error("create", name, errno);
      body.file_ = name;
      if (!write_all(file.number, body.memory_)) co_return errno_error("write", name, errno);
      body.memory_ = {};
    }
    if (file.number < 0)
      body.memory_ += *piece;
    else if (!write_all(file.number, *piece))
      co_return errno_error("write", body.file_.string(), errno);
  }
  body.sha256_ = hash.hex();
  co_return body;
}

std::string Body::text() const {
  if (file_.empty()) return memory_;
  std::ifstream stream{file_, std::ios::binary};
  return {std::istreambuf_iterator<char>{stream}, {}};
}

void Body::keep_as(const std::filesystem::path& target) {
  std::error_code failed;
  std::filesystem::create_directories(target.parent_path(), failed);
  if (!file_.empty()) {
    std::filesystem::rename(file_, target);
    file_.clear();
    return;
  }
  const Descriptor file{::open(target.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
  if (file.number < 0 || !write_all(file.number, memory_)) throw std::runtime_error{"cannot write " + target.string()};
}

}  // namespace outpost::sample
