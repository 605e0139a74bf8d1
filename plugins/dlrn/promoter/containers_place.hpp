#pragma once

#include "agent/http/client.hpp"
#include "plugins/dlrn/promoter/place.hpp"
#include "plugins/dlrn/promoter/registries.hpp"
#include "plugins/dlrn/promoter/settings.hpp"

namespace outpost::promoter {

/// The containers of a hash, in the registry where they were built and in all to which they are pushed.
///
/// Nothing is written before every image is found at the source. Then all images go to all registries under the tag of
/// the hash, and only when that is done the label's tags move: whoever pulls by the label never gets a mixture because
/// a registry went away half way. Where the release wants lists of the images of several platforms, they are made of
/// <hash>_<platform> before the labels, as <hash>_manifest.
class ContainersPlace final : public Place {
 public:
  /// All outlive it; `release` has containers.
  ContainersPlace(Registries& registries, http::Client& client, const Release& release)
      : registries_{registries}, client_{client}, release_{release} {}

  [[nodiscard]] std::string_view name() const override { return "containers"; }
  boost::asio::awaitable<Result<std::vector<std::string>>> check(Move move) override;
  boost::asio::awaitable<Result<boost::json::object>> look(Move move) override;
  boost::asio::awaitable<Result<void>> move(Move move, boost::json::object before) override;
  boost::asio::awaitable<Result<void>> restore(Move move, boost::json::object before) override;

 private:
  /// Those of the images that have no such tag at the source.
  boost::asio::awaitable<Result<std::vector<std::string>>> lacking(std::vector<std::string> images, std::string tag);
  [[nodiscard]] Error not_there(const std::vector<std::string>& missing, std::size_t of, const std::string& tag) const;
  /// Of which platforms lists are made: an optional one only when every image has it, so that all lists are alike.
  boost::asio::awaitable<Result<std::vector<std::string>>> platforms(std::vector<std::string> images, std::string hash);
  boost::asio::awaitable<Result<void>> copy_if_different(ImageAt from, ImageAt to);
  /// Copies the image of each platform, and makes <hash>_manifest of them.
  boost::asio::awaitable<Result<void>> make_list(Registry target, std::string image, std::string hash,
                                                 std::vector<std::string> platforms);
  /// What every label of one image named, by what look() has kept; registries come in the order of everywhere().
  [[nodiscard]] std::vector<Registry> everywhere() const;

  Registries& registries_;
  http::Client& client_;
  const Release& release_;
};

}  // namespace outpost::promoter
