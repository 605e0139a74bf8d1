#include "agent/journal/deliveries.hpp"

#include <array>

namespace outpost::journal {
namespace {

constexpr std::array<std::string_view, 4> names{"pending", "attempting", "delivered", "parked"};

}  // namespace

std::string_view to_string(DeliveryState state) { return names.at(static_cast<std::size_t>(state)); }

std::optional<DeliveryState> parse_delivery_state(std::string_view text) {
  for (std::size_t index = 0; index < names.size(); ++index)
    if (names[index] == text) return static_cast<DeliveryState>(index);
  return std::nullopt;
}

void give_up_bytes(Item& item, std::string_view reason) {
  if (!item.blob) return;
  item.body["content"] = "[gap: " + std::to_string(item.blob->size) + " bytes, " + std::string{reason} + "]\n";
  item.body["mime"] = "text/plain";
  item.blob.reset();
}

boost::asio::awaitable<Result<void>> Deliveries::expand(std::string reporter, job::Seq upto, std::vector<Item> items) {
  std::vector<Expansion> expansions;
  if (!items.empty()) expansions.push_back({upto, std::move(items)});
  co_return co_await expand_all(std::move(reporter), upto, std::move(expansions));
}

}  // namespace outpost::journal
