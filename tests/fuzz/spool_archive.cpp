// Spool archives: as they come, which must be refused, and with a right seal, as only somebody with the secret could
// make them.
#include "promise.hpp"
#include "tar_sums.hpp"

#include "agent/delivery/spool_reader.hpp"
#include "support/temporary_directory.hpp"

#include <boost/json/serialize.hpp>

#include <filesystem>

namespace {

namespace fs = std::filesystem;
using namespace outpost;
using delivery::SpoolReader;

const delivery::SpoolKey our_key{"remoteci/00000000-0000-4000-8000-000000000001", "not a secret"};

std::string sealed(std::string content) {
  content += delivery::seal::head(our_key.client_id());
  HmacSha256 mac = our_key.mac();
  mac.update(content);
  return content + delivery::seal::digest(std::move(mac));
}

void read_entries(SpoolReader& reader, const fs::path& bytes) {
  const auto manifest = reader.begin(our_key);
  if (!manifest) return fuzz::promise_message(manifest.error().message);
  for (;;) {
    const auto entry = reader.next();
    if (!entry) return fuzz::promise_message(entry.error().message);
    if (!*entry) return;
    const auto text = boost::json::serialize(to_json(**entry));
    const auto again = delivery::entry_from_json(to_json(**entry));
    fuzz::promise(again && boost::json::serialize(to_json(*again)) == text,
                  "an entry that was read can be written and read");
    if (!(*entry)->has_bytes()) continue;
    const auto saved = reader.save_bytes(bytes);
    fuzz::promise(saved.has_value() == fs::exists(bytes), "a file appears whole or not at all");
    if (!saved) return fuzz::promise_message(saved.error().message);
    fuzz::promise(fs::file_size(bytes) == (*entry)->item.blob->size, "a file has the size of its description");
    fs::remove(bytes);
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const test::TemporaryDirectory directory;
  const auto archive = directory.path / "archive";
  const std::string input{fuzz::text_of(data, size)};

  test::write_file(archive, input);
  if (auto reader = SpoolReader::open(archive)) {
    fuzz::promise_message(reader->client_id());
    const auto verified = reader->verify(our_key);
    fuzz::promise(!verified, "nobody guesses a seal");
    fuzz::promise_message(verified.error().message);
  } else {
    fuzz::promise_message(reader.error().message);
  }

  test::write_file(archive, sealed(fuzz::with_right_sums(input)));
  auto reader = SpoolReader::open(archive);
  fuzz::promise(reader && reader->verify(our_key), "a right seal is taken");
  read_entries(*reader, directory.path / "bytes");
  fs::remove(directory.path / "bytes");
  return 0;
}
