#include "plugins/dlrn/promoter/image_list.hpp"

#include "agent/base/hash.hpp"
#include "agent/job/event.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

namespace outpost::promoter {

namespace json = boost::json;

namespace {

constexpr const char* docker_image = "application/vnd.docker.distribution.manifest.v2+json";
constexpr const char* docker_list = "application/vnd.docker.distribution.manifest.list.v2+json";
constexpr const char* oci_image = "application/vnd.oci.image.manifest.v1+json";
constexpr const char* oci_index = "application/vnd.oci.image.index.v1+json";

/// As images call the processor; the kernel's word where both have the same.
std::string architecture_of(const std::string& platform) {
  if (platform == "x86_64") return "amd64";
  return platform == "aarch64" ? "arm64" : platform;
}

/// Manifests of OCI need not say what they are.
std::string media_type_of(const json::object& manifest) {
  const std::string said = job::text_at(manifest, "mediaType");
  return said.empty() && !manifest.contains("manifests") ? oci_image : said;
}

}  // namespace

Result<std::string> make_image_list(std::span<const PlatformImage> images, const std::string& name) {
  json::array entries;
  bool all_docker = true;
  for (const auto& image : images) {
    boost::system::error_code error;
    const auto manifest = json::parse(image.manifest, error);
    const std::string type = !error && manifest.is_object() ? media_type_of(manifest.get_object()) : "";
    if (type != docker_image && type != oci_image)
      return Error{Fault::malformed, name + ": the tag of " + image.platform + " is no single image" +
                                         (type.empty() ? "" : " but " + type) + ", and no list can be made of it"};
    all_docker = all_docker && type == docker_image;
    entries.push_back(json::object{{"mediaType", type},
                                   {"size", image.manifest.size()},
                                   {"digest", "sha256:" + sha256_hex(image.manifest)},
                                   {"platform", {{"architecture", architecture_of(image.platform)}, {"os", "linux"}}}});
  }
  return json::serialize(json::object{
      {"schemaVersion", 2}, {"mediaType", all_docker ? docker_list : oci_index}, {"manifests", std::move(entries)}});
}

}  // namespace outpost::promoter
