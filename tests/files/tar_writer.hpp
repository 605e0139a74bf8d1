#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>

namespace outpost::test {

/// Makes archives with libarchive, as they should be.
class TarWriter {
 public:
  /// `filter`: "", "gzip", "xz", "zstd".
  explicit TarWriter(const std::filesystem::path& file, const std::string& filter = {})
      : archive_{::archive_write_new()} {
    ::archive_write_set_format_pax_restricted(archive_);
    if (!filter.empty()) ::archive_write_add_filter_by_name(archive_, filter.c_str());
    ::archive_write_open_filename(archive_, file.c_str());
  }
  ~TarWriter() { ::archive_write_free(archive_); }
  TarWriter(const TarWriter&) = delete;
  TarWriter& operator=(const TarWriter&) = delete;

  void file(const std::string& name, std::string_view content, unsigned mode = 0644) {
    add(name, AE_IFREG, mode, content, nullptr, nullptr);
  }
  void directory(const std::string& name, unsigned mode = 0755) { add(name, AE_IFDIR, mode, {}, nullptr, nullptr); }
  void symlink(const std::string& name, const std::string& to) { add(name, AE_IFLNK, 0777, {}, to.c_str(), nullptr); }
  void hard_link(const std::string& name, const std::string& to) { add(name, AE_IFREG, 0644, {}, nullptr, to.c_str()); }
  void special(const std::string& name, unsigned type) { add(name, type, 0644, {}, nullptr, nullptr); }

 private:
  void add(const std::string& name, unsigned type, unsigned mode, std::string_view content, const char* link,
           const char* hard) {
    struct archive_entry* entry = ::archive_entry_new();
    ::archive_entry_set_pathname(entry, name.c_str());
    ::archive_entry_set_filetype(entry, type);
    ::archive_entry_set_perm(entry, static_cast<mode_t>(mode));
    ::archive_entry_set_mtime(entry, 1'700'000'000, 0);
    ::archive_entry_set_size(entry, static_cast<la_int64_t>(content.size()));
    if (link) ::archive_entry_set_symlink(entry, link);
    if (hard) ::archive_entry_set_hardlink(entry, hard);
    ::archive_write_header(archive_, entry);
    ::archive_write_data(archive_, content.data(), content.size());
    ::archive_entry_free(entry);
  }

  struct archive* archive_;
};

/// One entry of a tar archive, byte by byte, as nobody should make it (POSIX ustar header).
inline std::string raw_entry(std::string_view name, char type, std::string_view content = {},
                             std::string_view link = {}, unsigned mode = 0644) {
  std::string header(512, '\0');
  const auto put = [&](std::size_t at, std::string_view text) { header.replace(at, text.size(), text); };
  const auto octal = [&](std::size_t at, std::size_t width, unsigned long long number) {
    char text[24];
    std::snprintf(text, sizeof text, "%0*llo", static_cast<int>(width - 1), number);
    put(at, text);
  };
  put(0, name.substr(0, 100));
  octal(100, 8, mode);
  octal(108, 8, 0);
  octal(116, 8, 0);
  octal(124, 12, content.size());
  octal(136, 12, 1'700'000'000);
  put(148, "        ");
  header[156] = type;
  put(157, link.substr(0, 100));
  put(257, std::string_view{"ustar\00000", 8});
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  octal(148, 7, sum);
  header[155] = ' ';
  std::string entry = header + std::string{content};
  entry.resize((entry.size() + 511) / 512 * 512, '\0');
  return entry;
}

inline std::string end_mark() { return std::string(1024, '\0'); }

}  // namespace outpost::test
