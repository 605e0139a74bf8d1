#pragma once

#include "agent/pipeline/reporter.hpp"
#include "plugins/dlrn/api.hpp"
#include "plugins/dlrn/expand.hpp"

namespace outpost::dlrn {

/// Votes on the hashes that were tested. A builder writes another row for each request, and rows never go away: a vote
/// whose answer was lost is looked for among those of its hash before it is sent again.
class DlrnReporter final : public pipeline::Reporter {
 public:
  DlrnReporter(Api api, VoteSettings settings) : api_{std::move(api)}, settings_{std::move(settings)} {}

  [[nodiscard]] std::string_view type() const override { return "dlrn"; }
  [[nodiscard]] std::vector<journal::Item> expand(const job::Event& event, const job::Story& before) const override {
    return dlrn::expand(event, before, settings_);
  }
  boost::asio::awaitable<pipeline::Outcome> send(const journal::Item& item, const pipeline::Refs& refs) override;
  boost::asio::awaitable<Result<std::optional<std::string>>> find(const journal::Item& item,
                                                                  const pipeline::Refs& refs) override;

 private:
  Api api_;
  VoteSettings settings_;
};

}  // namespace outpost::dlrn
