#include "plugins/dlrn/documents.hpp"

#include "plugins/dlrn/builder.hpp"

namespace outpost::dlrn {
namespace {

using test::holds;

TEST_CASE("trap: in commit.yaml everything is text, and nothing is the word None") {
  const auto commits = parse_commit_yaml(test::commit_yaml(test::first, ""), "commit.yaml");
  REQUIRE(commits);
  REQUIRE(commits->size() == 1);
  CHECK(commits->front().build == test::first);
  CHECK(commits->front().component.empty());
  CHECK(commits->front().project == "openstack-nova");
  CHECK(commits->front().built_at.time_since_epoch().count() == 1700173400);
  CHECK(parse_commit_yaml(test::commit_yaml(test::second, "compute"), "x")->front().build == test::second);
  CHECK(parse_commit_yaml(test::commit_yaml(test::second, "compute"), "x")->front().component == "compute");
}

TEST_CASE("of several commits one that succeeded is the first") {
  auto failed = test::commit_yaml(test::first, "");
  failed.replace(failed.find("SUCCESS"), 7, "FAILED");
  const std::string good = test::commit_yaml(test::second, "");
  const auto commits = parse_commit_yaml(failed + good.substr(good.find("- ")), "commit.yaml");
  REQUIRE(commits);
  REQUIRE(commits->size() == 2);
  CHECK(commits->front().build == test::second);
}

TEST_CASE("what is no commit.yaml is told, not taken for an empty one") {
  for (const std::string text : {"", "commits: []\n", "commits:\n- commit_hash: abc\n", "<html><title>Login</title>", "- 1\n"}) {
    const auto none = parse_commit_yaml(text, "http://t/commit.yaml");
    REQUIRE_FALSE(none);
    CHECK(none.error().fault == Fault::malformed);
    CHECK_THAT(none.error().message, holds("http://t/commit.yaml"));
  }
}

TEST_CASE("a repository file is its sections") {
  const auto two = parse_repo_file(test::repo_file("delorean-component-compute", "http://t/a") + "\n" + test::repo_file("delorean", "http://t/b"), "x");
  REQUIRE(two);
  REQUIRE(two->size() == 2);
  CHECK(two->at(0).id == "delorean-component-compute");
  CHECK(two->at(1).baseurl == "http://t/b");
  CHECK_FALSE(parse_repo_file("<html>", "x"));
  CHECK_FALSE(parse_repo_file("[a]\nname=b\n", "x"));
}

TEST_CASE("the hash file has 32 digits, with or without a line end") {
  const std::string hash(32, 'a');
  CHECK(*parse_md5(hash, "x") == hash);
  CHECK(*parse_md5(hash + "\n", "x") == hash);
  CHECK_THAT(parse_md5("<html>\x1b[2J", "http://t/md5").error().message, holds("http://t/md5") && holds("\\x1b"));
}

}  // namespace
}  // namespace outpost::dlrn
