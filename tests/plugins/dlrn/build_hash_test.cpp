#include "plugins/dlrn/build_hash.hpp"

#include "support/catch.hpp"

namespace outpost::dlrn {
namespace {

const std::string source(40, 'a'), packaging = "0123456789012345678901234567890123456789";

TEST_CASE("trap: a build's directory is named by all its hashes, which repo_hash is not") {
  CHECK(directory_name({source, packaging, ""}) == source + "_01234567");
  CHECK(directory_name({source, "", ""}) == source);
  CHECK(directory_name({source, packaging, "nightly-rebuild"}) == source + "_01234567_nightly-");
  const std::string two = std::string(40, 'c') + '_' + "dddddddd" + std::string(32, 'e');
  CHECK(directory_name({source, packaging, two}) == source + "_01234567_cccccccc_dddddddd");
}

TEST_CASE("a build lies below its component, an aggregate below its label") {
  const BuildHash build{"12ab" + std::string(36, '0'), packaging, ""};
  CHECK(url_of("http://t/c9", "", build) == "http://t/c9/12/ab/" + directory_name(build));
  CHECK(url_of("http://t/c9", "compute", build) == "http://t/c9/component/compute/12/ab/" + directory_name(build));
  const std::string aggregate = "5e6f" + std::string(28, '7');
  CHECK(url_of_aggregate("http://t/c9", "tested", aggregate) == "http://t/c9/tested/5e/6f/" + aggregate);
}

TEST_CASE("only digits of the right number are a hash") {
  CHECK(is_commit_hash(source));
  CHECK_FALSE(is_commit_hash(source + "a"));
  CHECK_FALSE(is_commit_hash("../" + std::string(37, 'a')));
  CHECK_FALSE(is_commit_hash(std::string(40, 'A')));
  CHECK(is_aggregate_hash(std::string(32, '9')));
  CHECK_FALSE(is_aggregate_hash(source));
}

TEST_CASE("an extended hash may be any text, and leads nowhere else") {
  CHECK(url_of("http://t", "", {std::string(40, 'a'), std::string(40, 'b'), "../ ?#"}).ends_with("_bbbbbbbb_..%2F%20%3F%23"));
}

}  // namespace
}  // namespace outpost::dlrn
