// outpost.yml: the YAML, the layers, every key, and the checks across keys.
#include "promise.hpp"

#include "agent/config/load.hpp"
#include "config/configuration.hpp"
#include "plugins/dci/dci.hpp"
#include "support/temporary_directory.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace outpost;
  static const test::TemporaryDirectory directory;
  static const std::vector<config::SourceType> types{dci::source_type()};
  const auto file = directory.path / "outpost.yml";
  test::write_file(file, fuzz::text_of(data, size));

  const auto loaded = config::load(file, {}, types, config::test::test_zones);
  if (loaded) {
    fuzz::promise(loaded->file == "outpost.yml", "the origin names the file");
  } else {
    fuzz::promise(!loaded.error().list.empty(), "a refusal says why");
    for (const auto& problem : loaded.error().list) fuzz::promise_message(problem.text());
  }
  return 0;
}
