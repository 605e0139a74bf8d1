#include "plugins/dci/file_list.hpp"

#include "support/catch.hpp"

namespace outpost::dci {
namespace {

std::string problem(const std::string& text) {
  const auto list = parse_file_list(text);
  REQUIRE_FALSE(list);
  CHECK(list.error().fault == Fault::malformed);
  return list.error().message;
}

const std::string sum(64, 'a');

TEST_CASE("a file list names files, directories and links below the component") {
  const auto list = parse_file_list(R"({"directories": ["a/b", {"path": "c", "name": "d"}],
    "files": [{"name": "x.rpm", "path": "a/b", "sha256": ")" +
                                    std::string(64, 'A') + R"(", "size": 12},
              {"name": "top", "path": "", "sha256": null, "size": null}, {"name": "y", "path": "./e/"}],
    "symlinks": [{"destination": "x.rpm", "name": "latest.rpm", "path": "a/b"}]})");
  REQUIRE(list);
  CHECK(list->directories == std::vector<std::string>{"a/b", "c/d"});
  REQUIRE(list->files.size() == 3);
  CHECK(list->files[0].path == "a/b/x.rpm");
  CHECK(list->files[0].sha256 == sum);
  CHECK(list->files[0].size == 12U);
  CHECK(list->files[1].path == "top");
  CHECK(list->files[1].sha256.empty());
  CHECK_FALSE(list->files[1].size);
  CHECK(list->files[2].path == "e/y");
  CHECK(list->links.at(0).path == "a/b/latest.rpm");
  CHECK(list->bytes() == 12);
  CHECK(parse_file_list("{}")->files.empty());
}

TEST_CASE("a file list that is none is malformed") {
  CHECK(problem("").find("not a JSON object") != std::string::npos);
  CHECK(problem("[]").find("not a JSON object") != std::string::npos);
  CHECK(problem(R"({"files": {}})").find("must be lists") != std::string::npos);
  CHECK(problem(R"({"files": ["x"]})").find("not an object") != std::string::npos);
  CHECK(problem(R"({"files": [{"path": "x"}]})").find("no name") != std::string::npos);
  CHECK(problem(R"({"files": [{"name": "x", "sha256": "abc"}]})").find("sha256 of x") != std::string::npos);
  CHECK(problem(R"({"symlinks": [{"path": "x"}]})").find("no name") != std::string::npos);
  CHECK(problem(R"({"directories": [1]})").find("no path") != std::string::npos);
  CHECK(problem(R"({"files": [{"name": "x"}, {"name": "x"}]})").find("twice") != std::string::npos);
}

TEST_CASE("the same file listed twice is one file") {
  const std::string entry = R"({"name": "x", "sha256": ")" + sum + R"("})";
  CHECK(parse_file_list(R"({"files": [)" + entry + "," + entry + "]}")->files.size() == 1);
}

TEST_CASE("sizes that no disk has do not overflow") {
  const auto list = parse_file_list(
      R"({"files": [{"name": "x", "size": 9223372036854775807}, {"name": "y", "size": 9223372036854775807},
                                                  {"name": "z", "size": 9223372036854775807}]})");
  REQUIRE(list);
  CHECK(list->bytes() == UINT64_MAX);
}

TEST_CASE("archives are unpacked beside themselves, several of one directory apart") {
  const auto targets = [](std::vector<std::string> paths) {
    std::vector<ListedFile> files;
    for (auto& path : paths) files.push_back({path, path, "", {}});
    std::vector<std::string> list;
    for (const auto& [archive, target] : unpack_targets(files)) list.push_back(archive + " " + target);
    return list;
  };
  using List = std::vector<std::string>;
  CHECK(targets({"product.tar.zst", "readme.txt"}) == List{"product.tar.zst unpacked"});
  CHECK(targets({"a/one.tar", "b/two.TGZ"}) == List{"a/one.tar a/unpacked", "b/two.TGZ b/unpacked"});
  CHECK(targets({"one.tar.gz", "two.tar.xz"}) == List{"one.tar.gz unpacked/one", "two.tar.xz unpacked/two"});
  CHECK(targets({"one.tar.gz", "one.tar"}) == List{"one.tar.gz unpacked/one", "one.tar unpacked/one-2"});
  CHECK(targets({"x.gz", "y.zip", "tar"}).empty());
}

}  // namespace
}  // namespace outpost::dci
