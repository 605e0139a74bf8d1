// Our headers, and those of libarchive: each reads the other's.
#include "agent/delivery/tar_header.hpp"
#include "support/catch.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace outpost;
using namespace outpost::delivery;

namespace {

const Timestamp some_day{std::chrono::seconds{1'790'000'000}};
const std::vector<std::uint64_t> sizes{0, 1, 512, (1ULL << 33) - 1, 1ULL << 33, 1ULL << 40, 123'456'789'012'345ULL};

/// The member that a header announces, and how long the header is.
struct Found {
  tar::Member member;
  std::size_t length = 0;
};

Found read(const std::string& bytes) {
  Found found;
  std::optional<std::uint64_t> size;
  for (;;) {
    tar::Block block{};
    REQUIRE(bytes.size() >= found.length + block.size());
    bytes.copy(block.data(), block.size(), found.length);
    found.length += block.size();
    const auto member = tar::parse(block);
    REQUIRE(member);
    found.member = *member;
    if (size) found.member.size = *size;
    if (member->kind != tar::Member::Kind::pax) return found;
    size = tar::pax_size(std::string_view{bytes}.substr(found.length, member->size));
    found.length += member->size + tar::padding(member->size);
  }
}

/// Only the header, of a file of any size.
std::string header_by_libarchive(std::uint64_t size) {
  std::vector<char> room(64 * 1024);
  std::size_t used = 0;
  struct archive* writer = ::archive_write_new();
  ::archive_write_set_format_pax_restricted(writer);
  ::archive_write_set_bytes_per_block(writer, 0);
  ::archive_write_open_memory(writer, room.data(), room.size(), &used);
  struct archive_entry* entry = ::archive_entry_new();
  ::archive_entry_set_pathname(entry, "outpost-spool/items/00000001.data");
  ::archive_entry_set_filetype(entry, AE_IFREG);
  ::archive_entry_set_perm(entry, 0600);
  ::archive_entry_set_size(entry, static_cast<la_int64_t>(size));
  CHECK(::archive_write_header(writer, entry) == ARCHIVE_OK);
  ::archive_entry_free(entry);
  std::string bytes{room.data(), used};
  ::archive_write_free(writer);  // It would write the body that is due, and ends where there is no more room.
  return bytes;
}

}  // namespace

TEST_CASE("libarchive reads a header of ours, however large the member is") {
  for (const std::uint64_t size : sizes) {
    INFO(size << " bytes");
    const std::string bytes = tar::header("outpost-spool/items/00000001.data", size, some_day);
    CHECK(bytes.size() % tar::block == 0);
    struct archive* reader = ::archive_read_new();
    ::archive_read_support_format_tar(reader);
    REQUIRE(::archive_read_open_memory(reader, bytes.data(), bytes.size()) == ARCHIVE_OK);
    struct archive_entry* entry = nullptr;
    REQUIRE(::archive_read_next_header(reader, &entry) == ARCHIVE_OK);
    CHECK(std::string{::archive_entry_pathname(entry)} == "outpost-spool/items/00000001.data");
    CHECK(::archive_entry_filetype(entry) == AE_IFREG);
    CHECK(::archive_entry_perm(entry) == 0600);
    CHECK(::archive_entry_mtime(entry) == 1'790'000'000);
    CHECK(static_cast<std::uint64_t>(::archive_entry_size(entry)) == size);
    ::archive_read_free(reader);
  }
}

TEST_CASE("a header of libarchive is read, and one of ours") {
  for (const std::uint64_t size : sizes) {
    INFO(size << " bytes");
    for (const auto& bytes :
         {header_by_libarchive(size), tar::header("outpost-spool/items/00000001.data", size, some_day)}) {
      const Found found = read(bytes);
      CHECK(found.member.kind == tar::Member::Kind::file);
      CHECK(found.member.name == "outpost-spool/items/00000001.data");
      CHECK(found.member.size == size);
      CHECK(found.length == bytes.size());
    }
  }
}

TEST_CASE("a header with a changed bit is none, and zeros are the end") {
  const std::string good = tar::header("name", 12, some_day);
  tar::Block block{};
  CHECK(tar::parse(block)->kind == tar::Member::Kind::end);
  for (std::size_t at = 0; at < tar::block; ++at) {
    INFO("byte " << at);
    good.copy(block.data(), block.size());
    block.at(at) = static_cast<char>(block.at(at) ^ 0x40);
    // A character of the sum may become a blank, which changes nothing.
    if (const auto member = tar::parse(block)) CHECK((at >= 148 && at < 156 && member->size == 12));
  }
}

TEST_CASE("damaged pax records give no size") {
  CHECK(tar::pax_size("") == std::nullopt);
  CHECK(tar::pax_size("10 size=1\n") == 1);
  CHECK(tar::pax_size("13 mtime=1.5\n10 size=1\n") == 1);
  for (const char* damaged : {"10", "10 ", "99 size=1\n", "0 size=1\n", "2 \n", "10 size=x\n", "-1 size=1\n",
                              "18446744073709551616 size=1\n"}) {
    INFO(damaged);
    CHECK(tar::pax_size(damaged) == std::nullopt);
  }
}
