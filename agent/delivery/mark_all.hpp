#pragma once

#include "agent/journal/deliveries.hpp"

#include <boost/asio/awaitable.hpp>

#include <string>
#include <vector>

namespace outpost::delivery {

/// Marks many items as attempting; they share the journal's syncs. The first error that there was. Not cancellable.
[[nodiscard]] boost::asio::awaitable<Result<void>> mark_all_attempting(journal::Deliveries& deliveries,
                                                                       std::string reporter,
                                                                       std::vector<std::string> keys);

}  // namespace outpost::delivery
