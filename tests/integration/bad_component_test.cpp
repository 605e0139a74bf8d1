// What labs really meet: files, lists and archives of a component that are broken or hostile. Each gives one message that
// says what to do, the right verdict, and an agent that goes on without hurry.

#include "agent/job/event.hpp"
#include "integration/bad_input.hpp"
#include "integration/tar.hpp"
#include "support/catch.hpp"

#include <sys/mount.h>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <random>

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using namespace outpost;
using namespace outpost::test;
using job::text_at;

/// What a hook or an archive may have left where it should not.
Names escaped(const fs::path& root) {
  Names found;
  for (const auto& entry : fs::recursive_directory_iterator{root})
    if (entry.path().filename().string().find("escaped") != std::string::npos) found.push_back(entry.path().string());
  return found;
}

/// A small file system; `mounted` is false where that is not allowed.
struct TinyDisk {
  explicit TinyDisk(fs::path where) : path{std::move(where)} {
    fs::create_directories(path);
    mounted = ::mount("tmpfs", path.c_str(), "tmpfs", 0, "size=1m,mode=0750") == 0;
    if (!mounted) why = std::strerror(errno);
  }
  ~TinyDisk() {
    if (mounted) ::umount2(path.c_str(), MNT_DETACH);
  }
  fs::path path;
  bool mounted = false;
  std::string why;
};

}  // namespace

TEST_CASE("A file that is not what its list says makes an error, and is not asked for again and again", "[bad]") {
  SampleLab lab;
  lab.hook("install", "#!/bin/sh\necho never\n");
  lab.feed("1.0", {{"notes.txt", "read me\n"}}, "acme",
           [](json::object& list) { list["files"].as_array()[0].as_object()["sha256"] = std::string(64, 'a'); });
  CHECK_THAT(verdict(lab, lab_error), holds("pre-run: the components could not be downloaded: ") &&
                                          holds("notes.txt") && holds(std::string(64, 'a')));
  const auto all = lab.requests();
  CHECK(std::count_if(all.begin(), all.end(), [](const auto& one) {
          return text_at(one, "target").starts_with("/object-store") && text_at(one, "method") == "GET" &&
                 text_at(one, "target").find("notes.txt") != std::string::npos;
        }) <= 2);
}

TEST_CASE("A list of files that leads out of the component's directory is refused", "[bad]") {
  SampleLab lab;
  lab.hook("install", "#!/bin/sh\necho never\n");
  std::string words;
  std::function<void(json::object&)> change;
  SECTION("by ..") {
    change = [](json::object& list) { list["files"].as_array()[0].as_object()["path"] = "../../../.."; };
    words = "..";
  }
  SECTION("by a symbolic link") {
    change = [](json::object& list) {
      list["symlinks"] = json::array{{{"name", "escaped"}, {"path", ""}, {"destination", "../../../../../../etc"}}};
    };
    words = "escaped";
  }
  lab.feed("1.0", {{"escaped.txt", "outside\n"}}, "acme", change);
  CHECK_THAT(verdict(lab, lab_error), holds("pre-run: the components could not be downloaded: ") && holds(words));
  CHECK(escaped(lab.directory.path / "agent") == Names{});
}

TEST_CASE("A hostile or broken archive makes an error, and nothing of it is left anywhere", "[bad]") {
  SampleLab lab;
  lab.hook("install", "#!/bin/sh\necho never\n");
  const std::string outside = (lab.directory.path / "agent/escaped-absolute").string();
  std::string archive, words, name = "product.tar";
  SECTION("a name with ..") {
    archive = tar_file("../../../../escaped-parent", "x");
    words = "..";
  }
  SECTION("an absolute name") {
    archive = tar_file(outside, "x");
    words = "absolute";
  }
  SECTION("a symbolic link out of the tree") {
    archive = tar_link("way", '2', "../../../../..") + tar_file("way/escaped-by-link", "x");
    words = "way";
  }
  SECTION("a hard link to a file outside") {
    archive = tar_link("escaped-hard", '1', "../../../job.json");
    words = "escaped-hard";
  }
  SECTION("a bomb by size") {
    lab.configure("", "downloads: {unpack: {bytes: 1MiB}}\n");
    archive = tar_file("escaped-bomb", std::string(3 << 20, '\0'));
    words = "limit";
  }
  SECTION("a bomb by ratio") {
    lab.configure("", "downloads: {unpack: {ratio: 20}}\n");
    name = "product.tar.gz";
    archive = gzip(lab.directory.path, tar_file("escaped-bomb", std::string(70 << 20, '\0')));
    words = "unpack";
  }
  SECTION("one that is cut off in the middle") {
    name = "product.tar.gz";
    std::mt19937 random;  // What does not compress, always the same.
    std::string noise(300'000, '\0');
    for (char& byte : noise) byte = static_cast<char>(random());
    const std::string whole = gzip(lab.directory.path, tar_file("escaped-cut", noise) + tar_end());
    archive = whole.substr(0, whole.size() / 2);
    words = "cut off";
  }
  SECTION("one that is cut off near its beginning") {
    name = "product.tar.gz";
    const std::string whole = gzip(lab.directory.path, tar_file("escaped-cut", std::string(100'000, 'c')) + tar_end());
    archive = whole.substr(0, whole.size() / 2);
    words = "cut off";
  }
  if (words != "cut off") archive += name.ends_with("gz") ? "" : tar_end();
  lab.feed("1.0", {{name, archive}});
  const std::string comment = verdict(lab, lab_error);
  CHECK_THAT(comment, holds("pre-run: the components could not be downloaded: ") && holds(name) && holds(words));
  CHECK(escaped(lab.directory.path / "agent") == Names{});
  CHECK_FALSE(fs::exists(outside));
}

TEST_CASE("A disk that is full while an archive is unpacked makes an error that says so", "[bad]") {
  SampleLab lab;
  lab.hook("install", "#!/bin/sh\necho never\n");
  const TinyDisk disk{lab.directory.path / "agent/state/jobs"};
  if (!disk.mounted) {
    std::printf("SKIPPED: a full disk while unpacking: a tmpfs cannot be mounted (%s)\n", disk.why.c_str());
    SUCCEED();
    return;
  }
  lab.feed("1.0",
           {{"product.tar.gz", gzip(lab.directory.path, tar_file("big", std::string(5 << 20, '\0')) + tar_end())}});
  CHECK_THAT(verdict(lab, lab_error), holds("pre-run: the components could not be downloaded: ") &&
                                          holds("the disk is full") && holds("make room"));
  CHECK(lab.stop_agent(SIGTERM) == 0);
}
