#pragma once

#include "agent/base/result.hpp"
#include "agent/http/server.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <filesystem>
#include <string>

namespace outpost::sample {

/// A request's body: small ones in memory, others in a temporary file, hashed on the way. Constant memory.
class Body {
 public:
  Body() = default;
  ~Body();
  Body(Body&& other) noexcept;
  Body& operator=(Body&& other) noexcept;

  /// Reads all of a request's body; `directory` is for the temporary file.
  static boost::asio::awaitable<Result<Body>> receive(http::ServerRequest& request, std::filesystem::path directory);

  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] const std::string& sha256() const { return sha256_; }  ///< Hexadecimal.
  /// The bytes; reads the temporary file when there is one.
  [[nodiscard]] std::string text() const;
  /// Moves the bytes to `target`, whose directories are made.
  void keep_as(const std::filesystem::path& target);
  /// What the original sees of a form: its parser has eaten the bytes.
  void forget();

 private:
  std::string memory_;
  std::filesystem::path file_;  ///< Empty: all in memory.
  std::uint64_t size_ = 0;
  std::string sha256_;
};

}  // namespace outpost::sample
