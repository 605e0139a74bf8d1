#include "agent/daemon/source_by_name.hpp"

#include "agent/daemon/closed_server.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace outpost::daemon {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds look_again{1};  ///< Whether another has taken the place of a closed server.

}  // namespace

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

/// What is there of a job goes on while its server is closed, so a download waits for one that can be asked.
asio::awaitable<Result<void>> SourceByName::fetch(const pipeline::FetchRequest& request, pipeline::Report report) {
  auto source = find_(name_);
  if (const auto why = source ? why_closed(*source) : std::nullopt) {
    report(name_ + " cannot be asked: " + *why + "; the download waits until that is corrected (outpost reload)");
    asio::steady_timer timer{co_await asio::this_coro::executor};
    while (source && why_closed(*source)) {
      source.reset();  // Nothing of it is needed, and it may go.
      timer.expires_after(look_again);
      co_await timer.async_wait(asio::use_awaitable);
      source = find_(name_);
    }
  }
  if (!source) co_return removed();
  co_return co_await source->fetch(request, std::move(report));
}

}  // namespace outpost::daemon
