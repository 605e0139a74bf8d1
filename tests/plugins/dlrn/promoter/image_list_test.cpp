#include "plugins/dlrn/promoter/image_list.hpp"

#include "agent/base/hash.hpp"
#include "support/catch.hpp"

#include <boost/json/parse.hpp>

using namespace outpost;
using namespace outpost::promoter;

namespace {

const std::string docker = R"({"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json"})";
const std::string oci = R"({"schemaVersion":2,"config":{}})";

}  // namespace

TEST_CASE("a list names each image by digest, size and platform, in the form of the images") {
  const std::vector<PlatformImage> images{{"x86_64", docker}, {"ppc64le", docker + " "}};
  const auto text = make_image_list(images, "nova-api");
  REQUIRE(text.has_value());
  const auto list = boost::json::parse(*text);
  CHECK(list.at("mediaType") == "application/vnd.docker.distribution.manifest.list.v2+json");
  const auto& entries = list.at("manifests").as_array();
  REQUIRE(entries.size() == 2);
  CHECK(entries[0].at("platform").at("architecture") == "amd64");
  CHECK(entries[1].at("platform").at("architecture") == "ppc64le");
  CHECK(entries[1].at("digest") == boost::json::string{"sha256:" + sha256_hex(docker + " ")});
  CHECK(entries[1].at("size") == docker.size() + 1);
  CHECK(*make_image_list(images, "nova-api") == *text);

  const std::vector<PlatformImage> of_oci{{"x86_64", oci}};
  CHECK(boost::json::parse(*make_image_list(of_oci, "x")).at("mediaType") == "application/vnd.oci.image.index.v1+json");
}

TEST_CASE("of what is no single image no list is made") {
  for (const std::string manifest :
       {"", "<html>", "[]", R"({"manifests":[]})", R"({"mediaType":"application/vnd.oci.image.index.v1+json"})"}) {
    INFO(manifest);
    const std::vector<PlatformImage> images{{"x86_64", docker}, {"ppc64le", manifest}};
    const auto made = make_image_list(images, "quay.io/t/nova-api");
    REQUIRE(made.has_error());
    CHECK(made.error().message.find("quay.io/t/nova-api: the tag of ppc64le is no single image") == 0);
  }
}
