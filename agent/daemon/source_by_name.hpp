#pragma once

#include "agent/pipeline/source.hpp"

#include <functional>
#include <memory>
#include <string>

namespace outpost::daemon {

/// A source as a job knows it: by its name. Each call goes to whatever the configuration means by it at that moment, so
/// that a job that waits for its claim profits from a corrected address; one that is no longer configured refuses.
class SourceByName final : public pipeline::Source {
 public:
  /// The source of a name, or nullptr. A call keeps what it got for as long as it lasts.
  using Find = std::function<std::shared_ptr<pipeline::Source>(const std::string& name)>;

  SourceByName(std::string name, Find find) : name_{std::move(name)}, find_{std::move(find)} {}

  [[nodiscard]] std::string_view name() const override { return name_; }
  Result<void> check(const job::Definition& definition) const override;
  boost::asio::awaitable<Result<std::vector<pipeline::Candidates>>> poll(const job::Definition& definition, std::size_t depth) override;
  boost::asio::awaitable<Result<pipeline::Claimed>> claim(const pipeline::ClaimRequest& request) override;
  boost::asio::awaitable<Result<std::optional<pipeline::Claimed>>> find(const pipeline::ClaimRequest& request) override;
  boost::asio::awaitable<bool> is_worth_asking() override;
  boost::asio::awaitable<Result<pipeline::Watched>> watch(const job::Claim& claim) override;
  boost::asio::awaitable<Result<void>> fetch(const pipeline::FetchRequest& request, pipeline::Report report) override;

 private:
  [[nodiscard]] Error removed() const;

  std::string name_;
  Find find_;
};

}  // namespace outpost::daemon
