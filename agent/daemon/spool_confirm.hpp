#pragma once

#include "agent/base/workers.hpp"
#include "agent/daemon/spool.hpp"
#include "agent/daemon/spool_export.hpp"

#include <boost/asio/awaitable.hpp>

#include <filesystem>
#include <vector>

namespace outpost::daemon {

/// Settles the items that a receipt says were delivered, for the owner that it names. Nothing is settled when the
/// receipt is not whole and right. refused: of another remoteci or reporter, or no receipt.
[[nodiscard]] boost::asio::awaitable<Result<Confirmed>> confirm_receipt(std::filesystem::path file,
                                                                        std::vector<SpoolOwner> owners,
                                                                        Workers& workers);

}  // namespace outpost::daemon
