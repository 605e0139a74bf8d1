#pragma once

#include "agent/pipeline/source.hpp"

namespace outpost::daemon {

/// Stands for a source that is no longer configured, for jobs of it that have to be closed: it has nothing to offer, and
/// whatever it is asked it refuses.
class RemovedSource final : public pipeline::Source {
 public:
  [[nodiscard]] std::string_view name() const override { return "removed"; }
  Result<void> check(const job::Definition& definition) const override;
  boost::asio::awaitable<Result<std::vector<pipeline::Candidates>>> poll(const job::Definition& definition, std::size_t depth) override;
  boost::asio::awaitable<Result<pipeline::Claimed>> claim(const pipeline::ClaimRequest& request) override;
  boost::asio::awaitable<Result<std::optional<pipeline::Claimed>>> find(const pipeline::ClaimRequest& request) override;
  boost::asio::awaitable<Result<pipeline::Watched>> watch(const job::Claim& claim) override;
  boost::asio::awaitable<Result<void>> fetch(const pipeline::FetchRequest& request, pipeline::Report report) override;
};

}  // namespace outpost::daemon
