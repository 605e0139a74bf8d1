#pragma once

#include "agent/base/result.hpp"

#include <span>
#include <string>

namespace outpost::promoter {

/// One image of a list, with its manifest byte for byte as the registry has it.
struct PlatformImage {
  std::string platform;  ///< As the kernel calls it: "x86_64", "ppc64le".
  std::string manifest;
};

/// The list of images for several platforms that `docker manifest create` would make of them; the same for the same
/// images. Of images in the form of OCI it is an OCI index. malformed: one is no manifest of an image; `name` is what
/// messages call them.
[[nodiscard]] Result<std::string> make_image_list(std::span<const PlatformImage> images, const std::string& name);

}  // namespace outpost::promoter
