#include "agent/daemon/removed_source.hpp"

namespace outpost::daemon {

namespace asio = boost::asio;

namespace {

Error removed(const std::string& source) { return {Fault::refused, "the source \"" + source + "\" is no longer configured"}; }

}  // namespace

Result<void> RemovedSource::check(const job::Definition& definition) const { return removed(definition.source); }

asio::awaitable<Result<std::vector<pipeline::Candidates>>> RemovedSource::poll(const job::Definition& definition, std::size_t) {
  co_return removed(definition.source);
}

asio::awaitable<Result<pipeline::Claimed>> RemovedSource::claim(const pipeline::ClaimRequest& request) {
  co_return removed(request.job.definition.source);
}

asio::awaitable<Result<std::optional<pipeline::Claimed>>> RemovedSource::find(const pipeline::ClaimRequest& request) {
  co_return removed(request.job.definition.source);
}

asio::awaitable<Result<pipeline::Watched>> RemovedSource::watch(const job::Claim& claim) { co_return removed(claim.source); }

asio::awaitable<Result<void>> RemovedSource::fetch(const pipeline::FetchRequest& request, pipeline::Report) {
  co_return removed(request.job.definition.source);
}

}  // namespace outpost::daemon
