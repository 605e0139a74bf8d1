// The archive that carries delivery rows between hosts: what is written is read, and nothing else is.
#include "agent/delivery/spool_reader.hpp"
#include "agent/delivery/spool_writer.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <boost/json/serialize.hpp>

#include <archive.h>
#include <archive_entry.h>

#include <filesystem>

namespace fs = std::filesystem;
using namespace outpost;
using namespace outpost::delivery;
using namespace std::string_literals;
using journal::DeliveryState;
using test::holds;
using test::read_file;
using test::write_file;

namespace {

const SpoolKey our_key{"remoteci/6f1b2c7e-2f6a-4f0e-9d0c-000000000001", "a secret of the lab"};
const Timestamp long_ago{std::chrono::hours{24 * 365 * 40}};

struct Carried {
  SpoolEntry entry;
  std::string bytes;
};

SpoolManifest manifest() {
  return {.reporter = "dci",
          .reporter_type = "dci",
          .client_id = our_key.client_id(),
          .server = "https://api.example.org",
          .host_id = "host",
          .journal_id = "journal",
          .agent_version = "0.1.0",
          .created = long_ago,
          .items = 3,
          .parked = 1,
          .jobs = 1,
          .bytes = 11};
}

/// One entry of every sort.
std::vector<Carried> every_sort() {
  std::vector<Carried> list(5);
  list[0].entry = {.item = {.key = "job/state/new", .job_id = "job", .kind = "state"},
                   .state = DeliveryState::delivered,
                   .remote_ref = "ref-1"};
  list[1].entry.item = {.key = "job/log/1",
                        .job_id = "job",
                        .kind = "log",
                        .needs = {"job/state/new"},
                        .follows = {"job/log/0"},
                        .body = {{"log", "install.log"}, {"offset", 5}},
                        .blob = job::Blob{.sha256 = "abc", .size = 11, .mime = "text/plain", .codec = "zstd"}};
  list[1].bytes = "hello\0world"s;
  list[2].entry.item = {.key = "job/artifact/empty", .job_id = "job", .kind = "artifact", .blob = job::Blob{.size = 0}};
  list[3].entry = {
      .item = {.key = "job/artifact/gone", .job_id = "job", .kind = "artifact", .blob = job::Blob{.size = 99}},
      .reason = "No such file"};
  list[4].entry = {.item = {.key = "job/artifact/big", .job_id = "job", .kind = "artifact"},
                   .state = DeliveryState::parked,
                   .reason = "too large"};
  return list;
}

std::string written(const std::vector<Carried>& list, const SpoolKey& key = our_key) {
  std::string archive;
  SpoolWriter writer{key, [&](std::string_view bytes) {
                       archive += bytes;
                       return Result<void>{};
                     }};
  REQUIRE(writer.begin(manifest()));
  for (const auto& each : list) {
    REQUIRE(writer.add(each.entry));
    REQUIRE(writer.write(each.bytes));
  }
  REQUIRE(writer.finish());
  return archive;
}

/// A tar of these members with a right seal: what only somebody with the secret could make.
std::string sealed_tar(const std::vector<std::pair<std::string, std::string>>& members, int type = AE_IFREG) {
  std::string archive(1 << 20, '\0');
  std::size_t used = 0;
  struct archive* tar = ::archive_write_new();
  ::archive_write_set_format_pax_restricted(tar);
  ::archive_write_add_filter_zstd(tar);
  ::archive_write_open_memory(tar, archive.data(), archive.size(), &used);
  for (const auto& [name, content] : members) {
    struct archive_entry* entry = ::archive_entry_new();
    ::archive_entry_set_pathname(entry, name.c_str());
    ::archive_entry_set_filetype(entry, static_cast<unsigned>(type));
    if (type == AE_IFLNK) ::archive_entry_set_symlink(entry, "/etc/passwd");
    ::archive_entry_set_perm(entry, 0600);
    ::archive_entry_set_size(entry, type == AE_IFREG ? static_cast<la_int64_t>(content.size()) : 0);
    ::archive_write_header(tar, entry);
    if (type == AE_IFREG) ::archive_write_data(tar, content.data(), content.size());
    ::archive_entry_free(entry);
  }
  ::archive_write_close(tar);
  ::archive_write_free(tar);
  archive.resize(used);
  archive += seal::head(our_key.client_id());
  HmacSha256 mac = our_key.mac();
  mac.update(archive);
  return archive + seal::digest(std::move(mac));
}

struct Site {
  test::TemporaryDirectory directory;
  fs::path file = directory.path / "spool.tar.zst", bytes = directory.path / "bytes";

  /// Why it is not taken; "" when it is.
  std::string refusal(const std::string& archive, const SpoolKey& key = our_key) {
    write_file(file, archive);
    return refusal_of_file(key);
  }
  std::string refusal_of_file(const SpoolKey& key = our_key) {
    auto reader = SpoolReader::open(file);
    if (!reader) return reader.error().message;
    const auto verified = reader->verify(key);
    return verified ? "" : verified.error().message;
  }

  /// The entries with their bytes. What is not told is an error.
  Result<std::vector<Carried>> entries(SpoolReader& reader, const SpoolKey& key = our_key) {
    if (auto begun = reader.begin(key); !begun) return begun.error();
    std::vector<Carried> list;
    for (;;) {
      auto entry = reader.next();
      if (!entry) return entry.error();
      if (!*entry) return list;
      list.push_back({**entry, {}});
      if (!(*entry)->has_bytes()) continue;
      fs::remove(bytes);
      if (auto saved = reader.save_bytes(bytes); !saved) return saved.error();
      list.back().bytes = read_file(bytes);
    }
  }
  std::string failure(const std::string& archive) {
    if (auto refused = refusal(archive); !refused.empty()) return refused;
    auto reader = SpoolReader::open(file);
    REQUIRE(reader);
    const auto list = entries(*reader);
    return list ? "" : list.error().message;
  }
};

std::string text(const std::vector<Carried>& list) {
  std::string text;
  for (const auto& each : list) text += boost::json::serialize(to_json(each.entry)) + " " + each.bytes + "\n";
  return text;
}

}  // namespace

TEST_CASE("a spool archive is read as it was written") {
  Site site;
  const auto list = every_sort();
  write_file(site.file, written(list));
  auto reader = SpoolReader::open(site.file);
  REQUIRE(reader);
  CHECK(reader->client_id() == our_key.client_id());
  REQUIRE(reader->verify(our_key));
  const auto said = reader->begin(our_key);
  REQUIRE(said);
  CHECK(to_json(*said) == to_json(manifest()));
  const auto read = site.entries(*reader);
  REQUIRE(read);
  CHECK(text(*read) == text(list));
  CHECK((fs::status(site.bytes).permissions() & fs::perms::mask) == (fs::perms::owner_read | fs::perms::owner_write));
}

TEST_CASE("an archive without entries and one with many are read as they were written") {
  Site site;
  for (const std::size_t count : {0, 3000}) {
    std::vector<Carried> list(count);
    for (std::size_t index = 0; index < count; ++index) {
      list[index].bytes = std::string(index, 'x') + std::to_string(index);
      list[index].entry.item = {.key = "job/log/" + std::to_string(index),
                                .job_id = "job",
                                .kind = "log",
                                .blob = job::Blob{.size = list[index].bytes.size()}};
    }
    REQUIRE(site.refusal(written(list)).empty());
    auto reader = SpoolReader::open(site.file);
    REQUIRE(reader);
    const auto read = site.entries(*reader);
    REQUIRE(read);
    CHECK(text(*read) == text(list));
  }
}

TEST_CASE("tar lists a spool archive as it lists any") {
  Site site;
  write_file(site.file, written(every_sort()));
  const fs::path list = site.directory.path / "list";
  REQUIRE(std::system(("tar tf " + site.file.string() + " > " + list.string() + " 2>&1").c_str()) == 0);
  CHECK(read_file(list) ==
        "outpost-spool/manifest.json\noutpost-spool/items/00000001.json\noutpost-spool/items/00000002.json\n"
        "outpost-spool/items/00000002.data\noutpost-spool/items/00000003.json\noutpost-spool/items/00000003.data\n"
        "outpost-spool/items/00000004.json\noutpost-spool/items/00000005.json\n");
}

TEST_CASE("a spool archive that was cut anywhere is refused") {
  Site site;
  const std::string whole = written(every_sort());
  write_file(site.file, whole);
  for (std::size_t size = whole.size(); size-- > 0;) {
    INFO("cut to " << size << " of " << whole.size() << " bytes");
    fs::resize_file(site.file, size);
    CHECK_THAT(site.refusal_of_file(), holds(size < 4 ? "no spool archive" : "cut off"));
  }
}

TEST_CASE("a spool archive with any bit changed is refused") {
  Site site;
  const std::string archive = written(every_sort());
  write_file(site.file, archive);
  std::FILE* file = std::fopen(site.file.c_str(), "r+");
  REQUIRE(file);
  std::setvbuf(file, nullptr, _IONBF, 0);
  const auto put = [&](std::size_t at, int byte) {
    std::fseek(file, static_cast<long>(at), SEEK_SET);
    std::fputc(byte, file);
  };
  for (std::size_t at = 0; at < archive.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      put(at, archive[at] ^ (1 << bit));
      INFO("bit " << bit << " of byte " << at << " of " << archive.size());
      CHECK_FALSE(site.refusal_of_file().empty());
    }
    put(at, archive[at]);
  }
  std::fclose(file);
  CHECK(site.refusal_of_file().empty());
}

TEST_CASE("a spool archive with something added, or put together from others, is refused") {
  Site site;
  const auto list = every_sort();
  const std::string archive = written(list), other = written({list[1]});
  CHECK_THAT(site.refusal(archive + "\n"), holds("cut off"));
  CHECK_THAT(site.refusal(archive + archive), holds("not what was exported"));
  CHECK_THAT(site.refusal("x" + archive), holds("not what was exported"));
  const auto content = [](const std::string& whole) { return whole.substr(0, whole.size() - seal::size); };
  const auto end = [](const std::string& whole) { return whole.substr(whole.size() - seal::size); };
  CHECK_THAT(site.refusal(content(archive) + end(other)), holds("not what was exported"));
  CHECK_THAT(site.refusal(content(other) + content(archive) + end(archive)), holds("not what was exported"));
}

TEST_CASE("a spool archive of somebody else is refused, and the message says whose it is") {
  Site site;
  const SpoolKey other_secret{our_key.client_id(), "an older secret"},
      other_lab{"remoteci/other", "a secret of the lab"};
  const std::string archive = written(every_sort());
  CHECK_THAT(site.refusal(archive, other_secret), holds("older secret of " + our_key.client_id()));
  CHECK_THAT(site.refusal(archive, other_lab),
             holds("it is of " + our_key.client_id() + ", and the configuration is for remoteci/other"));
  // Who has a secret cannot make an archive of another lab with it.
  std::string forged = written(every_sort(), other_lab);
  const std::string head = seal::head(our_key.client_id());
  forged.replace(forged.size() - seal::size, head.size(), head);
  CHECK_THAT(site.refusal(forged), holds("not what was exported"));
}

TEST_CASE("a spool archive of a newer version is refused as that") {
  Site site;
  std::string archive = written({});
  const auto version = archive.rfind("outpost-spool 1\n");
  REQUIRE(version != std::string::npos);
  archive[version + 14] = '2';
  CHECK_THAT(site.refusal(archive), holds("format 2 of a newer outpost"));
}

TEST_CASE("what is no spool archive is refused as that") {
  Site site;
  CHECK_THAT(site.refusal(""), holds("no spool archive"));
  CHECK_THAT(site.refusal(std::string(10'000, 'x')), holds("no spool archive"));
  CHECK(SpoolReader::open(site.directory.path / "none").error().message.find("No such file") != std::string::npos);
  CHECK_THAT(SpoolReader::open(site.directory.path).error().message, holds("not a regular file"));
}

TEST_CASE("nothing is told as read when the file was changed after it had been verified") {
  Site site;
  write_file(site.file, written(every_sort()));
  auto reader = SpoolReader::open(site.file);
  REQUIRE(reader);
  REQUIRE(reader->verify(our_key));
  auto other = every_sort();
  other[1].bytes = "hello-world";
  const std::string changed = written(other);
  std::FILE* file = std::fopen(site.file.c_str(), "r+");  // In place: the reader has it open.
  REQUIRE(file);
  std::fwrite(changed.data(), 1, changed.size(), file);
  std::fclose(file);
  const auto read = site.entries(*reader);
  REQUIRE_FALSE(read);
}

TEST_CASE("members that are not what is due are refused although the seal is right") {
  Site site;
  const std::string manifest_text = boost::json::serialize(to_json(manifest()));
  const std::string item = R"({"key": "k", "job_id": "j", "kind": "log", "state": "pending", "blob": {"size": 3}})";
  const std::string first = "outpost-spool/items/00000001";
  CHECK(site
            .failure(sealed_tar(
                {{"outpost-spool/manifest.json", manifest_text}, {first + ".json", item}, {first + ".data", "abc"}}))
            .empty());
  CHECK_THAT(site.failure(sealed_tar({})), holds("it is empty"));
  CHECK_THAT(site.failure(sealed_tar({{"../../etc/cron.d/x", manifest_text}})),
             holds("is not outpost-spool/manifest.json"));
  CHECK_THAT(site.failure(sealed_tar({{"outpost-spool/manifest.json", manifest_text}}, AE_IFLNK)),
             holds("is not outpost-spool/manifest.json"));
  CHECK_THAT(site.failure(sealed_tar({{"outpost-spool/manifest.json", "[]"}})), holds("not a JSON object"));
  CHECK_THAT(site.failure(sealed_tar({{"outpost-spool/manifest.json", "{}"}})), holds("manifest lacks"));
  const auto with = [&](const std::string& description, const std::string& name, const std::string& bytes) {
    return site.failure(
        sealed_tar({{"outpost-spool/manifest.json", manifest_text}, {first + ".json", description}, {name, bytes}}));
  };
  CHECK_THAT(with("{", first + ".data", "abc"), holds("not a JSON object"));
  CHECK_THAT(with("{}", first + ".data", "abc"), holds("lacks its key"));
  CHECK_THAT(with(item, first + ".data", "ab"), holds("shorter than its description"));
  CHECK_THAT(with(item, first + ".data", "abcd"), holds("due there"));
  CHECK_THAT(with(item, "outpost-spool/items/../../x", "abc"), holds("due there"));
}

TEST_CASE("what the writer is told and does not get is noticed, and no seal is set") {
  std::string archive;
  SpoolWriter writer{our_key, [&](std::string_view bytes) {
                       archive += bytes;
                       return Result<void>{};
                     }};
  REQUIRE(writer.begin(manifest()));
  REQUIRE(writer.add(every_sort()[1].entry));
  CHECK_FALSE(writer.write("more than eleven bytes"));
  REQUIRE(writer.write("hello"));
  CHECK_THAT(writer.add(every_sort()[2].entry).error().message, holds("6 bytes are missing"));
  CHECK_FALSE(writer.finish());
  Site site;
  CHECK_FALSE(site.refusal(archive).empty());
}

TEST_CASE("an error of the output is the writer's") {
  std::uint64_t room = 1000;
  SpoolWriter writer{our_key, [&](std::string_view bytes) -> Result<void> {
                       if (bytes.size() > room) return Error{Fault::retry_later, "No space left on device"};
                       room -= bytes.size();
                       return {};
                     }};
  REQUIRE(writer.begin(manifest()));
  SpoolEntry entry;
  entry.item = {.key = "k", .job_id = "j", .kind = "log", .blob = job::Blob{.size = 4 << 20}};
  REQUIRE(writer.add(entry));
  Result<void> done;
  std::uint32_t noise = 1;
  for (int part = 0; done && part < 64; ++part) {
    std::string bytes;
    while (bytes.size() < 65536) bytes += static_cast<char>((noise = noise * 1664525 + 1013904223) >> 24);
    done = writer.write(bytes);
  }
  if (done) done = writer.finish();
  REQUIRE_FALSE(done);
  CHECK(done.error().message == "No space left on device");
  CHECK(done.error().fault == Fault::retry_later);
}

TEST_CASE("what stands in the clear does not tell the secret") {
  const std::string archive = written(every_sort());
  CHECK(archive.find("a secret of the lab") == std::string::npos);
  CHECK(archive.find(our_key.client_id()) != std::string::npos);
}
