// Archives of components: whatever they hold, it stays in its directory.
#include "promise.hpp"
#include "tar_sums.hpp"

#include "agent/files/archive/unpack.hpp"
#include "support/temporary_directory.hpp"

#include <iterator>

namespace fs = std::filesystem;
using namespace outpost;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const test::TemporaryDirectory directory;
  const auto archive = directory.path / "archive";
  const auto target = directory.path / "target";
  test::write_file(archive, fuzz::with_right_sums(std::string{fuzz::text_of(data, size)}));

  const auto unpacked = files::unpack(archive, target, {.bytes = 1 << 20, .entries = 50, .ratio = 100, .ratio_from = 1 << 16, .depth = 8});
  if (!unpacked) fuzz::promise_message(unpacked.error().message);
  const auto left = std::distance(fs::directory_iterator{directory.path}, fs::directory_iterator{});
  fuzz::promise(left == (unpacked ? 2 : 1), "the directory appears complete, or nothing does");
  if (!unpacked) return 0;

  fuzz::promise(unpacked->entries <= 50 && unpacked->bytes <= 1 << 20, "the limits hold");
  for (const auto& entry : fs::recursive_directory_iterator{target}) {
    const auto kind = entry.symlink_status().type();
    fuzz::promise(kind == fs::file_type::regular || kind == fs::file_type::directory || kind == fs::file_type::symlink,
                  "there are only files, directories and links");
    if (kind != fs::file_type::symlink) {
      fuzz::promise((entry.symlink_status().permissions() & fs::perms{07022}) == fs::perms::none,
                    "nobody but the owner may write, and nothing has a set-id bit");
      continue;
    }
    std::error_code error;  // Of links that go in circles.
    const auto leads_to = fs::weakly_canonical(entry.path(), error);
    if (!error) fuzz::promise(!fs::relative(leads_to, fs::canonical(target)).string().starts_with(".."), "a link stays in the tree");
  }
  fs::remove_all(target);
  return 0;
}
