#pragma once

#include "plugins/dlrn/promoter/builder.hpp"
#include "plugins/dlrn/promoter/place.hpp"

#include <chrono>

namespace outpost::promoter {

/// The builder's own label, and `previous-<label>` for what it named before. It goes last, so that the label never
/// names a hash without containers and images.
class DlrnPlace final : public Place {
 public:
  /// A move whose outcome is not known is tried again after `pause`, unless it has happened after all.
  explicit DlrnPlace(Builder& builder, std::chrono::milliseconds pause = std::chrono::seconds{2})
      : builder_{builder}, pause_{pause} {}

  [[nodiscard]] std::string_view name() const override { return "dlrn"; }
  boost::asio::awaitable<Result<std::vector<std::string>>> check(Move move) override;
  boost::asio::awaitable<Result<boost::json::object>> look(Move move) override;
  boost::asio::awaitable<Result<void>> move(Move move, boost::json::object before) override;
  boost::asio::awaitable<Result<void>> restore(Move move, boost::json::object before) override;

 private:
  boost::asio::awaitable<Result<void>> set(Candidate candidate, std::string from, Label to);

  Builder& builder_;
  std::chrono::milliseconds pause_;
};

}  // namespace outpost::promoter
