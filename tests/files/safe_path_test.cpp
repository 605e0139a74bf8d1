#include "agent/files/safe_path.hpp"

#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

using namespace outpost;
using namespace outpost::files;
using namespace std::string_literals;
namespace fs = std::filesystem;

TEST_CASE("a plain relative name lies inside") {
  const test::TemporaryDirectory root;
  for (const std::string name :
       {"a", "a/b/c.rpm", ".hidden", "..data", "a..b", "with space", "b\xC3\xBC", "a/...", "~"}) {
    const auto path = inside(root.path, name);
    REQUIRE(path);
    CHECK(*path == root.path / name);
  }
}

TEST_CASE("a name that could leave the directory is refused, whatever it is") {
  const test::TemporaryDirectory root;
  std::string deep = "d";
  for (int i = 0; i < 70; ++i) deep += "/d";
  std::string long_path;
  for (int i = 0; i < 20; ++i) long_path += std::string(250, 'x') + "/";
  for (const std::string& name : {""s,
                                  "/"s,
                                  "/etc/passwd"s,
                                  ".."s,
                                  "."s,
                                  "../x"s,
                                  "a/../b"s,
                                  "a/.."s,
                                  "a//b"s,
                                  "a/"s,
                                  "./a"s,
                                  "a/./b"s,
                                  "a\0b"s,
                                  "a\nb"s,
                                  "a\\b"s,
                                  "..\\b"s,
                                  "\x7f"s,
                                  std::string(256, 'x'),
                                  "a/"s + std::string(256, 'x'),
                                  deep,
                                  long_path + "x"}) {
    const auto path = inside(root.path, name);
    INFO(name);
    REQUIRE_FALSE(path);
    CHECK(path.error().fault == Fault::refused);
    CHECK(path.error().message.find("refused to use") != std::string::npos);
  }
}

TEST_CASE("a path through a symbolic link is refused, even one that stays inside") {
  const test::TemporaryDirectory root;
  const test::TemporaryDirectory elsewhere;
  fs::create_directories(root.path / "real");
  fs::create_symlink(elsewhere.path, root.path / "out");
  fs::create_symlink("real", root.path / "in");
  fs::create_symlink("nowhere", root.path / "real" / "dangling");
  for (const std::string name : {"out/file", "in/file", "out", "in", "real/dangling", "real/dangling/file"}) {
    const auto path = inside(root.path, name);
    INFO(name);
    REQUIRE_FALSE(path);
    CHECK(path.error().message.find("symbolic link") != std::string::npos);
    CHECK_FALSE(prepare_inside(root.path, name));
  }
  CHECK(inside(root.path, "real/file"));
  CHECK(fs::is_empty(elsewhere.path));
}

TEST_CASE("the root may be a link itself, and must exist") {
  const test::TemporaryDirectory root;
  fs::create_directory(root.path / "real");
  fs::create_symlink("real", root.path / "root");
  CHECK(inside(root.path / "root", "file"));
  CHECK_FALSE(inside(root.path / "missing", "file"));
}

TEST_CASE("missing directories are made when asked for") {
  const test::TemporaryDirectory root;
  const auto path = prepare_inside(root.path, "a/b/file");
  REQUIRE(path);
  CHECK(fs::is_directory(root.path / "a" / "b"));
  CHECK_FALSE(fs::exists(*path));
  test::write_file(root.path / "a" / "plain", "");
  const auto through_file = prepare_inside(root.path, "a/plain/file");
  REQUIRE_FALSE(through_file);
  CHECK(through_file.error().message.find("plain") != std::string::npos);
}

TEST_CASE("a symbolic link inside is made, with its directories, and replaced") {
  const test::TemporaryDirectory root;
  test::write_file(root.path / "images" / "v2" / "disk", "two");
  REQUIRE(make_symlink_inside(root.path, "images/latest", "v1"));
  REQUIRE(make_symlink_inside(root.path, "images/latest", "v2"));
  REQUIRE(make_symlink_inside(root.path, "x/y/link", "../../images/latest/disk"));
  CHECK(test::read_file(root.path / "x" / "y" / "link") == "two");
  CHECK(make_symlink_inside(root.path, "a/root", ".."));
  test::write_file(root.path / "file", "content");
  CHECK_FALSE(make_symlink_inside(root.path, "file", "images"));
  CHECK(test::read_file(root.path / "file") == "content");
}

TEST_CASE("a symbolic link that leaves the tree is refused") {
  const test::TemporaryDirectory root;
  struct Case {
    std::string link, destination;
  };
  for (const Case& bad : {Case{"l", ".."},
                          {"l", "../x"},
                          {"a/l", "../../x"},
                          {"l", "/etc"},
                          {"l", ""},
                          {"l", "a/../../b"},
                          {"l", "a/../b"},
                          {"a/b/l", "../../.."},
                          {"../l", "x"},
                          {"/l", "x"},
                          {"l", "a\nb"},
                          {"l", "./../x"},
                          {"l", "..\\x"}}) {
    const auto made = make_symlink_inside(root.path, bad.link, bad.destination);
    INFO(bad.link << " -> " << bad.destination);
    REQUIRE_FALSE(made);
    CHECK(made.error().fault == Fault::refused);
  }
  CHECK(fs::is_empty(root.path));
}

TEST_CASE("links cannot be chained to leave the tree") {
  const test::TemporaryDirectory root;
  // Each looks harmless by its letters; a/b/l/.. would be outside once a/b/l is a link to the root.
  CHECK_FALSE(make_symlink_inside(root.path, "e", "a/b/l/../x"));
  CHECK(make_symlink_inside(root.path, "a/b/l", "../.."));
  CHECK_FALSE(make_symlink_inside(root.path, "a/b/l/escape", "../x"));
}

TEST_CASE("only regular files inside are opened, and nothing is waited for") {
  const test::TemporaryDirectory root;
  test::write_file(root.path / "dir" / "file", "content");
  fs::create_symlink("dir", root.path / "link");
  fs::create_symlink("file", root.path / "dir" / "link");
  REQUIRE(::mkfifo((root.path / "fifo").c_str(), 0600) == 0);
  const auto opened = open_inside(root.path, "dir/file");
  REQUIRE(opened);
  char byte = 0;
  CHECK(::read(opened->get(), &byte, 1) == 1);
  CHECK(byte == 'c');
  for (const std::string name : {"link/file", "dir/link", "fifo", "dir", "../x", "dir/missing", "missing/file"}) {
    INFO(name);
    CHECK_FALSE(open_inside(root.path, name));
  }
}
