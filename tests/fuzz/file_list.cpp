// dci_files_list.json, which whoever made the component wrote.
#include "promise.hpp"

#include "plugins/dci/file_list.hpp"

#include <set>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace outpost;
  const auto list = dci::parse_file_list(fuzz::text_of(data, size));
  if (!list) {
    fuzz::promise(list.error().fault == Fault::malformed, "what is no list is malformed");
    fuzz::promise_message(list.error().message);
    return 0;
  }
  std::set<std::string> paths;
  for (const auto& file : list->files) {
    fuzz::promise(paths.insert(file.path).second, "a path is listed once");
    fuzz::promise(file.sha256.empty() || file.sha256.size() == 64, "a sum is one or is unknown");
  }
  (void)list->bytes();
  std::set<std::string> targets;
  for (const auto& [archive, target] : dci::unpack_targets(list->files)) {
    fuzz::promise(dci::is_archive(archive), "only archives are unpacked");
    fuzz::promise(targets.insert(target).second, "two archives are not unpacked into one directory");
  }
  return 0;
}
