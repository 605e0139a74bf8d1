#include "agent/files/archive/unpack.hpp"

#include "files/small_disk.hpp"
#include "files/tar_writer.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <random>
#include <string>
#include <thread>

using namespace outpost;
using namespace outpost::files;
using test::end_mark;
using test::raw_entry;
using test::TarWriter;
namespace fs = std::filesystem;

namespace {

struct Bench {
  test::TemporaryDirectory directory;
  fs::path archive = directory.path / "component.tar";
  fs::path target = directory.path / "out";
  UnpackLimits limits;

  Result<Unpacked> run(std::stop_token stop = {}) const { return unpack(archive, target, limits, std::move(stop)); }
  /// Nothing but the archive (and what the test put there).
  [[nodiscard]] bool nothing_written() const {
    return !fs::exists(target) && !fs::exists(directory.path / "out.unpacking");
  }
};

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// Without printing 100 kB when it does not.
bool has_sample(const fs::path& target) { return test::read_file(target / "repo/a.rpm") == std::string(100'000, 'a'); }

void write_sample(const fs::path& archive, const std::string& filter) {
  TarWriter tar{archive, filter};
  tar.directory("./");
  tar.directory("./repo");
  tar.file("./repo/a.rpm", std::string(100'000, 'a'));
  tar.file("repo/b\xC3\xBC.rpm", "umlaut");
  tar.file("deep/er/without/entries", "x", 0755);
  tar.file("empty", "");
  tar.file("units/dev-disk-by\\x2duuid.swap", "systemd");
  tar.symlink("latest", "repo");
  tar.symlink("repo/up", "../empty");
  tar.hard_link("again", "repo/a.rpm");
}

}  // namespace

TEST_CASE("archives of all kinds are unpacked, told by their content") {
  const std::string filter = GENERATE("", "gzip", "xz", "zstd");
  Bench bench;
  bench.archive = bench.directory.path / "misleading.zip";
  write_sample(bench.archive, filter);
  const auto unpacked = bench.run();
  INFO(filter);
  REQUIRE(unpacked);
  CHECK(unpacked->entries == 10);
  CHECK(unpacked->bytes == 100'000 + 6 + 1 + 7);
  CHECK(has_sample(bench.target));
  CHECK(test::read_file(bench.target / "repo/b\xC3\xBC.rpm") == "umlaut");
  CHECK(test::read_file(bench.target / "deep/er/without/entries") == "x");
  CHECK(test::read_file(bench.target / "units/dev-disk-by\\x2duuid.swap") == "systemd");
  CHECK(fs::read_symlink(bench.target / "latest") == "repo");
  CHECK(fs::equivalent(bench.target / "again", bench.target / "repo/a.rpm"));
  CHECK(fs::file_size(bench.target / "empty") == 0);
  struct stat status{};
  REQUIRE(::stat((bench.target / "repo/a.rpm").c_str(), &status) == 0);
  CHECK(status.st_mtime == 1'700'000'000);
  CHECK(status.st_uid == ::geteuid());
  CHECK(fs::is_directory(bench.target));
  CHECK_FALSE(fs::exists(bench.directory.path / "out.unpacking"));
}

TEST_CASE("set-id bits and write permission for others are dropped") {
  Bench bench;
  {
    TarWriter tar{bench.archive};
    tar.file("tool", "#!/bin/sh", 06777);
    tar.file("secret", "x", 0000);
    tar.directory("closed", 01000);
    tar.file("closed/file", "x", 0444);
  }
  REQUIRE(bench.run());
  const auto mode = [&](const std::string& name) {
    struct stat status{};
    REQUIRE(::stat((bench.target / name).c_str(), &status) == 0);
    return status.st_mode & 07777;
  };
  CHECK((mode("tool") & 07022) == 0);
  CHECK((mode("tool") & 0700) == 0700);
  CHECK((mode("secret") & 0777) == 0600);
  CHECK((mode("closed") & 07777) == 0700);
  CHECK((mode("closed/file") & 0700) == 0600);
}

TEST_CASE("unpacking changes neither the working directory nor the umask of the process") {
  const fs::path before = fs::current_path();
  const mode_t mask = ::umask(0027);
  Bench bench;
  write_sample(bench.archive, "");
  REQUIRE(bench.run());
  CHECK(::umask(mask) == 0027);
  CHECK(fs::current_path() == before);
}

TEST_CASE("an entry that leads out of the directory is refused and named") {
  struct Case {
    std::string what, bytes, entry;
  };
  const std::string good = raw_entry("good", '0', "content");
  const auto [what, bytes, entry] = GENERATE_COPY(
      Case{"dot dot", good + raw_entry("../evil", '0', "x"), "../evil"},
      Case{"dot dot inside", good + raw_entry("a/../../evil", '0', "x"), "a/../../evil"},
      Case{"absolute", good + raw_entry("/tmp/outpost-evil", '0', "x"), "/tmp/outpost-evil"},
      Case{"dot dot directory", raw_entry("..", '5'), ".."},
      Case{"symbolic link up", raw_entry("l", '2', "", "../../etc"), "\"l\""},
      Case{"absolute symbolic link", raw_entry("l", '2', "", "/etc/passwd"), "\"l\""},
      Case{"write through a link",
           raw_entry("real", '5', "", "", 0755) + raw_entry("l", '2', "", "real") + raw_entry("l/x", '0', "x"), "l/x"},
      Case{"hard link up", raw_entry("h", '1', "", "../../etc/passwd"), "\"h\""},
      Case{"absolute hard link", raw_entry("h", '1', "", "/etc/passwd"), "\"h\""},
      Case{"hard link to nothing", raw_entry("h", '1', "", "missing"), "\"h\""},
      Case{"hard link to a link", raw_entry("a/b/l", '2', "", "../x") + raw_entry("h", '1', "", "a/b/l"), "\"h\""},
      Case{"hard link through a link", good + raw_entry("l", '2', "", ".") + raw_entry("h", '1', "", "l/good"),
           "\"h\""},
      Case{"links in a chain", raw_entry("a/b/l", '2', "", "../..") + raw_entry("e", '2', "", "a/b/l/../x"), "\"e\""},
      Case{"character device", raw_entry("null", '3'), "null"}, Case{"block device", raw_entry("disk", '4'), "disk"},
      Case{"fifo", raw_entry("pipe", '6'), "pipe"}, Case{"control byte", raw_entry("a\nb", '0', "x"), "a\\nb"},
      Case{"escape sequence", raw_entry("a\x1b[31m", '0', "x"), "a\\x1b[31m"});
  Bench bench;
  test::write_file(bench.archive, bytes + end_mark());
  test::write_file(bench.directory.path / "evil", "untouched");
  const auto unpacked = bench.run();
  INFO(what);
  REQUIRE_FALSE(unpacked);
  INFO(unpacked.error().message);
  CHECK(unpacked.error().fault == Fault::refused);
  CHECK(has(unpacked.error().message, bench.archive.string()));
  CHECK(has(unpacked.error().message, entry));
  CHECK(bench.nothing_written());
  CHECK(test::read_file(bench.directory.path / "evil") == "untouched");
  CHECK_FALSE(fs::exists("/tmp/outpost-evil"));
}

TEST_CASE("an entry may replace an earlier one, also a link, without writing through it") {
  Bench bench;
  test::write_file(bench.archive, raw_entry("victim", '0', "old") + raw_entry("l", '2', "", "victim") +
                                      raw_entry("l", '0', "new") + raw_entry("victim2", '0', "1") +
                                      raw_entry("victim2", '0', "22") + end_mark());
  REQUIRE(bench.run());
  CHECK(test::read_file(bench.target / "victim") == "old");
  CHECK(test::read_file(bench.target / "l") == "new");
  CHECK_FALSE(fs::is_symlink(bench.target / "l"));
  CHECK(test::read_file(bench.target / "victim2") == "22");
}

TEST_CASE("limits on bytes, entries, depth and ratio are kept") {
  Bench bench;
  SECTION("bytes") {
    write_sample(bench.archive, "gzip");
    bench.limits.bytes = 100'005;
    const auto unpacked = bench.run();
    REQUIRE_FALSE(unpacked);
    CHECK(has(unpacked.error().message, "100005 bytes"));
    CHECK(has(unpacked.error().message, "raise the limit"));
  }
  SECTION("entries") {
    write_sample(bench.archive, "gzip");
    bench.limits.entries = 5;
    const auto unpacked = bench.run();
    REQUIRE_FALSE(unpacked);
    CHECK(has(unpacked.error().message, "5 entries"));
  }
  SECTION("depth") {
    bench.limits.depth = 3;
    test::write_file(bench.archive, raw_entry("a/b/c/d", '0', "x") + end_mark());
    const auto unpacked = bench.run();
    REQUIRE_FALSE(unpacked);
    CHECK(has(unpacked.error().message, "a/b/c/d"));
  }
  SECTION("ratio") {
    {
      TarWriter tar{bench.archive, "zstd"};
      tar.file("zeros", std::string(20 << 20, '\0'));
    }
    bench.limits.ratio_from = 1 << 20;
    const auto unpacked = bench.run();
    REQUIRE_FALSE(unpacked);
    CHECK(unpacked.error().fault == Fault::refused);
    CHECK(has(unpacked.error().message, "bomb"));
  }
  SECTION("a bomb behind the end of the archive") {
    // The tar ends at once; what makes it a bomb comes after the end mark.
    {
      struct archive* raw = ::archive_write_new();
      ::archive_write_set_format_raw(raw);
      ::archive_write_add_filter_gzip(raw);
      ::archive_write_open_filename(raw, bench.archive.c_str());
      struct archive_entry* entry = ::archive_entry_new();
      ::archive_entry_set_pathname(entry, "data");
      ::archive_entry_set_filetype(entry, AE_IFREG);
      ::archive_write_header(raw, entry);
      const std::string zeros(32 << 20, '\0');
      ::archive_write_data(raw, zeros.data(), zeros.size());
      ::archive_entry_free(entry);
      ::archive_write_free(raw);
    }
    bench.limits.ratio_from = 1 << 20;
    const auto unpacked = bench.run();
    REQUIRE_FALSE(unpacked);
    CHECK(has(unpacked.error().message, "bomb"));
  }
  CHECK(bench.nothing_written());
}

TEST_CASE("a truncated archive is malformed wherever it is cut") {
  const std::string filter = GENERATE("", "gzip", "xz", "zstd");
  Bench bench;
  {
    TarWriter tar{bench.archive, filter};
    std::mt19937 random{7};
    std::string noise(5000, '\0');
    for (char& c : noise) c = static_cast<char>(random());
    tar.file("one", noise);
    tar.file("two", noise.substr(0, 1000));
  }
  const std::string whole = test::read_file(bench.archive);
  // Behind the second end block a plain tar is complete; the rest is padding.
  const std::size_t content_end = filter.empty() ? 512 + 5120 + 512 + 1024 : whole.size() - 1;
  for (std::size_t size = 0; size <= content_end; size += size + 64 > content_end ? 1 : 61) {
    test::write_file(bench.archive, whole.substr(0, size));
    const auto unpacked = bench.run();
    INFO(filter << " cut at " << size << " of " << whole.size());
    REQUIRE_FALSE(unpacked);
    INFO(unpacked.error().message);
    REQUIRE(unpacked.error().fault == Fault::malformed);
    REQUIRE(has(unpacked.error().message, bench.archive.string()));
    REQUIRE(bench.nothing_written());
  }
}

TEST_CASE("a tar cut exactly between two entries is noticed") {
  Bench bench;
  test::write_file(bench.archive, raw_entry("one", '0', "1") + raw_entry("two", '0', "2"));
  const auto unpacked = bench.run();
  REQUIRE_FALSE(unpacked);
  CHECK(has(unpacked.error().message, "cut off"));
  CHECK(bench.nothing_written());
}

TEST_CASE("a damaged archive never escapes, crashes or passes as whole") {
  const std::string filter = GENERATE("gzip", "xz", "zstd");
  Bench bench;
  write_sample(bench.archive, filter);
  const std::string whole = test::read_file(bench.archive);
  std::mt19937 random{42};
  unsigned refused = 0, rounds = 150;
  for (unsigned i = 0; i < rounds; ++i) {
    std::string damaged = whole;
    damaged[random() % damaged.size()] ^= static_cast<char>(1 << (random() % 8));
    test::write_file(bench.archive, damaged);
    if (const auto unpacked = bench.run(); unpacked) {
      // The flipped bit was one that means nothing, such as the time in the gzip header: then nothing may differ.
      INFO(filter << " bit flipped in round " << i);
      // libarchive's writer puts no checksum into zstd frames (the zstd program does), so nothing can notice it there.
      if (filter != "zstd") CHECK(has_sample(bench.target));
      fs::remove_all(bench.target);
    } else {
      ++refused;
      REQUIRE(bench.nothing_written());
    }
  }
  CHECK(refused > rounds / 2);
}

TEST_CASE("random bytes in a tar's headers never get anything written outside") {
  Bench bench;
  fs::create_directory(bench.directory.path / "box");
  bench.target = bench.directory.path / "box" / "out";
  const std::string whole = raw_entry("dir", '5', "", "", 0755) + raw_entry("dir/file", '0', "content") +
                            raw_entry("dir/link", '2', "", "file") + raw_entry("hard", '1', "", "dir/file") +
                            end_mark();
  std::mt19937 random{99};
  for (int i = 0; i < 300; ++i) {
    std::string damaged = whole;
    for (int flips = 0; flips < 4; ++flips) damaged[random() % damaged.size()] = "./0215\0ab\xff"[random() % 10];
    for (std::size_t at = 0; at + 1024 < damaged.size(); at += 512) {  // Valid sums, so that the entries are looked at.
      if (damaged.compare(at + 257, 5, "ustar") != 0) continue;
      damaged.replace(at + 148, 8, "        ");
      unsigned sum = 0;
      for (std::size_t b = 0; b < 512; ++b) sum += static_cast<unsigned char>(damaged[at + b]);
      char text[8];
      std::snprintf(text, sizeof text, "%06o", sum);
      damaged.replace(at + 148, 7, std::string{text, 7});
    }
    test::write_file(bench.archive, damaged);
    const auto unpacked = bench.run();
    for (const auto& entry : fs::directory_iterator{bench.directory.path / "box"})
      REQUIRE(entry.path().filename() == "out");
    if (unpacked) fs::remove_all(bench.target);
    REQUIRE(fs::is_empty(bench.directory.path / "box"));
  }
}

TEST_CASE("what is no archive is called so") {
  Bench bench;
  for (const std::string& content :
       {std::string{"<html>404</html>"}, std::string(5000, 'x'), std::string{"PK\3\4 a zip"}, std::string{}}) {
    test::write_file(bench.archive, content);
    const auto unpacked = bench.run();
    REQUIRE_FALSE(unpacked);
    INFO(unpacked.error().message);
    CHECK(unpacked.error().fault == Fault::malformed);
    CHECK(has(unpacked.error().message, content.empty() ? "empty" : "not a tar archive"));
  }
  fs::remove(bench.archive);
  const auto unpacked = bench.run();
  REQUIRE_FALSE(unpacked);
  CHECK(unpacked.error().fault == Fault::unavailable);
}

TEST_CASE("an existing target is never touched, and what a crash left is removed") {
  Bench bench;
  write_sample(bench.archive, "");
  test::write_file(bench.target / "mine", "keep");
  const auto unpacked = bench.run();
  REQUIRE_FALSE(unpacked);
  CHECK(has(unpacked.error().message, "is there already"));
  CHECK(test::read_file(bench.target / "mine") == "keep");
  fs::remove_all(bench.target);
  test::write_file(bench.directory.path / "out.unpacking" / "half", "x");
  REQUIRE(bench.run());
  CHECK_FALSE(fs::exists(bench.target / "half"));
}

TEST_CASE("a full disk names what is needed and free, and leaves nothing") {
  test::SmallDisk disk{256 * 1024};
  if (!disk.usable) {
    WARN("not tested: a small file system can only be mounted by root");
    return;
  }
  Bench bench;
  bench.target = disk.directory.path / "out";
  const std::size_t files = GENERATE(1, 100);
  {
    TarWriter tar{bench.archive, "zstd"};
    for (std::size_t i = 0; i < files; ++i) tar.file("file" + std::to_string(i), std::string(400'000 / files, 'x'));
  }
  const auto unpacked = bench.run();
  REQUIRE_FALSE(unpacked);
  CHECK(unpacked.error().fault == Fault::retry_later);
  CHECK(has(unpacked.error().message, "the disk is full"));
  CHECK(has(unpacked.error().message, "bytes free"));
  CHECK(has(unpacked.error().message, "out.unpacking/file"));
  CHECK(fs::is_empty(disk.directory.path));
}

TEST_CASE("unpacking stops when it is asked to, and removes what it wrote") {
  Bench bench;
  write_sample(bench.archive, "");
  std::stop_source stop;
  stop.request_stop();
  const auto unpacked = bench.run(stop.get_token());
  REQUIRE_FALSE(unpacked);
  CHECK(unpacked.error().fault == Fault::cancelled);
  CHECK(bench.nothing_written());
}

TEST_CASE("where a thread may not have its own working directory, unpacking is as safe") {
  Bench bench;
  Result<Unpacked> good = Error{}, evil = Error{};
  bool filtered = false;
  std::thread{[&] {
    // As container runtimes do it: unshare(2) is forbidden, for this thread and those it starts.
    sock_filter program[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                             BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_unshare, 0, 1),
                             BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
                             BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    sock_fprog filter{4, program};
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    filtered = ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
    write_sample(bench.archive, "zstd");
    good = bench.run();
    test::write_file(bench.archive, raw_entry("good", '0', "x") + raw_entry("../evil", '0', "x") + end_mark());
    evil = unpack(bench.archive, bench.directory.path / "second");
  }}.join();
  if (!filtered) {
    WARN("not tested: this kernel has no seccomp filters");
    return;
  }
  REQUIRE(good);
  CHECK(has_sample(bench.target));
  CHECK(fs::equivalent(bench.target / "again", bench.target / "repo/a.rpm"));
  REQUIRE_FALSE(evil);
  CHECK_FALSE(fs::exists(bench.directory.path / "evil"));
  CHECK_FALSE(fs::exists(bench.directory.path / "second.unpacking"));
}
