#pragma once

#include "integration/sample_lab.hpp"

#include <array>
#include <cstdio>
#include <stdexcept>
#include <string>

/// Archives that no decent program would write (POSIX ustar).
namespace outpost::test {

inline std::string tar_entry(const std::string& name, char type, const std::string& link, const std::string& content) {
  std::string header(512, '\0');
  const auto put = [&](std::size_t at, const std::string& text) { header.replace(at, text.size(), text); };
  std::array<char, 16> octal{};
  put(0, name);
  put(100, "0000644");
  put(108, "0000000");
  put(116, "0000000");
  std::snprintf(octal.data(), octal.size(), "%011zo", content.size());
  put(124, octal.data());
  put(136, "00000000000");
  put(148, "        ");
  header[156] = type;
  put(157, link);
  put(257, std::string{"ustar\0"
                       "00",
                       8});
  unsigned sum = 0;
  for (const char byte : header) sum += static_cast<unsigned char>(byte);
  std::snprintf(octal.data(), octal.size(), "%06o", sum);
  put(148, std::string{octal.data()} + '\0');
  return header + content + std::string((512 - content.size() % 512) % 512, '\0');
}

inline std::string tar_file(const std::string& name, const std::string& content) {
  return tar_entry(name, '0', "", content);
}
/// Type '1': a hard link, '2': a symbolic one.
inline std::string tar_link(const std::string& name, char type, const std::string& target) {
  return tar_entry(name, type, target, "");
}
inline std::string tar_end() { return std::string(1024, '\0'); }

/// Compressed by the program, in a directory of the test's.
inline std::string gzip(const std::filesystem::path& directory, const std::string& content) {
  const auto file = directory / "to-compress";
  write_file(file, content);
  Process program{{"/bin/gzip", "-9", "--force", file.string()}, directory / "gzip.log"};
  if (program.wait() != 0) throw std::runtime_error{"gzip: " + read_file(directory / "gzip.log")};
  return read_file(file.string() + ".gz");
}

}  // namespace outpost::test
