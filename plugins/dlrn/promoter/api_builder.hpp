#pragma once

#include "agent/http/client.hpp"
#include "plugins/dlrn/api.hpp"
#include "plugins/dlrn/promoter/builder.hpp"

#include <string>

namespace outpost::promoter {

/// A builder by its API and its web tree, which says of which builds an aggregate is made. All outlive it.
class ApiBuilder final : public Builder {
 public:
  /// `tree`: the address of the web tree, without a slash at its end.
  ApiBuilder(const dlrn::Api& api, http::Client& client, std::string tree)
      : api_{api}, client_{client}, tree_{std::move(tree)} {}

  boost::asio::awaitable<Result<std::vector<dlrn::Promotion>>> history(Label label, std::size_t offset) override;
  boost::asio::awaitable<Result<std::vector<dlrn::Vote>>> votes(Candidate candidate) override;
  boost::asio::awaitable<Result<void>> promote(Candidate candidate, std::string from, std::string to) override;

 private:
  /// The builds of an aggregate, in the order of their commits. All is read below our tree, wherever the builder's files
  /// lead. refused: they are not those of the aggregate.
  boost::asio::awaitable<Result<std::vector<dlrn::BuildHash>>> members(Candidate candidate, std::string label);

  const dlrn::Api& api_;
  http::Client& client_;
  std::string tree_;
};

/// Where the files of a hash lie in the web tree; those of an aggregate below the label that names it.
[[nodiscard]] std::string tree_url(const std::string& tree, const Candidate& candidate, const std::string& label);

struct DatedBuild {
  dlrn::BuildHash build;
  double committed = 0;  ///< Seconds since the epoch; builders write "123" and "123.0".
};
/// The first commit in a commit.yaml.
[[nodiscard]] Result<DatedBuild> parse_commit(std::string_view text, const std::string& name);

/// A small text from the web. refused: it is not there. retry_later: network, 5xx.
boost::asio::awaitable<Result<std::string>> fetch_text(http::Client& client, std::string url);

}  // namespace outpost::promoter
