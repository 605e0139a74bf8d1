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
/// a registry went away half way.
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
  boost::asio::awaitable<Result<void>> copy_if_different(ImageAt from, ImageAt to);
  /// What every label of one image named, by what look() has kept; registries come in the order of everywhere().
  [[nodiscard]] std::vector<Registry> everywhere() const;

  Registries& registries_;
  http::Client& client_;
  const Release& release_;
};

}  // namespace outpost::promoter
