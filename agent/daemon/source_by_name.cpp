#include "agent/daemon/source_by_name.hpp"

namespace outpost::daemon {

namespace asio = boost::asio;

Error SourceByName::removed() const { return {Fault::refused, "the source \"" + name_ + "\" is no longer configured"}; }

Result<void> SourceByName::check(const job::Definition& definition) const {
  const auto source = find_(name_);
  if (!source) return removed();
  return source->check(definition);
}

asio::awaitable<Result<std::vector<pipeline::Candidates>>> SourceByName::poll(const job::Definition& definition, std::size_t depth) {
  const auto source = find_(name_);
  if (!source) co_return removed();
  co_return co_await source->poll(definition, depth);
}

asio::awaitable<Result<pipeline::Claimed>> SourceByName::claim(const pipeline::ClaimRequest& request) {
  const auto source = find_(name_);
  if (!source) co_return removed();
  co_return co_await source->claim(request);
}

asio::awaitable<Result<std::optional<pipeline::Claimed>>> SourceByName::find(const pipeline::ClaimRequest& request) {
  const auto source = find_(name_);
  if (!source) co_return removed();
  co_return co_await source->find(request);
}

asio::awaitable<bool> SourceByName::is_worth_asking() {
  const auto source = find_(name_);
  if (!source) co_return false;
  co_return co_await source->is_worth_asking();
}

asio::awaitable<Result<pipeline::Watched>> SourceByName::watch(const job::Claim& claim) {
  const auto source = find_(name_);
  if (!source) co_return removed();
  co_return co_await source->watch(claim);
}

asio::awaitable<Result<void>> SourceByName::fetch(const pipeline::FetchRequest& request, pipeline::Report report) {
  const auto source = find_(name_);
  if (!source) co_return removed();
  co_return co_await source->fetch(request, std::move(report));
}

}  // namespace outpost::daemon
