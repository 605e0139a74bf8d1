#include "plugins/dlrn/promoter/builder.hpp"

#include "plugins/dlrn/promoter/selection.hpp"

#include <iterator>

namespace outpost::promoter {

namespace asio = boost::asio;

namespace {

/// A label that is promoted every hour has as many in a year.
constexpr std::size_t most_rows = 10'000;

}  // namespace

asio::awaitable<Result<std::vector<Candidate>>> history_of(Builder& builder, Label label, std::size_t enough) {
  std::vector<dlrn::Promotion> rows;
  for (;;) {
    auto page = co_await builder.history(label, rows.size());
    if (!page) co_return page.error();
    const bool last = page->size() < Builder::page;
    // Each row says what became of the aggregate of all components; the label names the build.
    if (!label.component.empty())
      for (auto& row : *page) row.aggregate.clear();
    rows.insert(rows.end(), std::make_move_iterator(page->begin()), std::make_move_iterator(page->end()));
    auto found = distinct(rows);
    // One more than asked for: of the last hash of a page, an older row may still come.
    if (last || found.size() > enough || rows.size() >= most_rows) co_return found;
  }
}

asio::awaitable<Result<std::optional<Candidate>>> newest(Builder& builder, Label label) {
  auto found = co_await history_of(builder, std::move(label), 1);
  if (!found) co_return found.error();
  if (found->empty()) co_return std::optional<Candidate>{};
  co_return std::optional{std::move(found->front())};
}

}  // namespace outpost::promoter
