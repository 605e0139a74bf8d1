#pragma once

#include "agent/base/result.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace outpost {

/// MD5 of a stream: for names that others have made that way, never to trust anything.
class Md5 {
 public:
  Md5();
  ~Md5();
  Md5(Md5&&) noexcept;
  Md5& operator=(Md5&&) noexcept;

  void update(std::string_view bytes);
  /// 32 lower-case hexadecimal digits. The object is spent afterwards.
  [[nodiscard]] std::string hex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// sha256_of_file() with MD5.
[[nodiscard]] Result<std::string> md5_of_file(const std::filesystem::path& path, std::uint64_t offset, std::uint64_t size);

}  // namespace outpost
