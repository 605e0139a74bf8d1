#pragma once

#include "agent/base/result.hpp"
#include "plugins/dlrn/promoter/settings.hpp"

#include <boost/asio/awaitable.hpp>

#include <optional>
#include <string>

namespace outpost::promoter {

/// An image in a registry, by a tag or, when it begins with "sha256:", by its digest.
struct ImageAt {
  Registry registry;
  std::string image, tag;

  /// "quay.io/tripleomaster/nova-api:tag"
  [[nodiscard]] std::string text() const;
};

/// What is done with images in registries. Lists of images for several platforms are copied as they are.
class Registries {
 public:
  virtual ~Registries() = default;

  /// "sha256:..." of the manifest, or of the list of manifests; nothing when there is no such image or tag.
  virtual boost::asio::awaitable<Result<std::optional<std::string>>> digest(ImageAt image) = 0;

  /// Makes `to` the same image as `from`, digest included. Within a registry only the tag moves.
  virtual boost::asio::awaitable<Result<void>> copy(ImageAt from, ImageAt to) = 0;

  /// The manifest byte for byte. refused: there is no such image or tag.
  virtual boost::asio::awaitable<Result<std::string>> manifest(ImageAt image) = 0;

  /// Makes `to` this list of images, each of which is in the same repository already.
  virtual boost::asio::awaitable<Result<void>> put_list(std::string list, ImageAt to) = 0;
};

}  // namespace outpost::promoter
