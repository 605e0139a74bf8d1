#pragma once

#include <cstdio>
#include <cstring>
#include <string>

namespace outpost::fuzz {

/// Gives each tar header the sum that libarchive wants to see; without it hardly any mutation would get further.
inline std::string with_right_sums(std::string archive) {
  constexpr std::size_t block = 512, sum_at = 148, sum_size = 8;
  for (std::size_t at = 0; at + block <= archive.size(); at += block) {
    char* header = archive.data() + at;
    if (std::memcmp(header + 257, "ustar", 5) != 0) continue;
    std::memset(header + sum_at, ' ', sum_size);
    unsigned sum = 0;
    for (std::size_t i = 0; i < block; ++i) sum += static_cast<unsigned char>(header[i]);
    std::snprintf(header + sum_at, sum_size, "%06o", sum);
  }
  return archive;
}

}  // namespace outpost::fuzz
