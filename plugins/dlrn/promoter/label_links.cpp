#include "plugins/dlrn/promoter/label_links.hpp"

#include "agent/job/event.hpp"

namespace outpost::promoter {

namespace asio = boost::asio;
namespace json = boost::json;
using job::text_at;

asio::awaitable<Result<json::object>> LabelLinks::look(std::string label) {
  const std::string previous_name = previous_label(label);
  const auto now = co_await server_.link(label);
  if (!now) co_return now.error();
  const auto previous = co_await server_.link(previous_name);
  if (!previous) co_return previous.error();
  json::object before{{"label", now->value_or("")}, {"previous", previous->value_or("")}};
  co_return before;
}

asio::awaitable<Result<void>> LabelLinks::lead(std::string label, std::string name) {
  auto now = co_await server_.link(label);
  if (!now) co_return now.error();
  if (now->value_or("") == name) co_return Result<void>{};
  auto turning = name.empty() ? server_.remove_link(label) : server_.set_link(label, name);
  auto turned = co_await std::move(turning);
  if (!turned) co_return turned;
  now = co_await server_.link(label);
  if (!now) co_return now.error();
  if (now->value_or("") != name)
    co_return Error{Fault::retry_later, server_.text() + "/" + label + " does not lead to " + name + " after all"};
  co_return Result<void>{};
}

asio::awaitable<Result<void>> LabelLinks::move(std::string label, std::string name, json::object before) {
  const std::string was = text_at(before, "label");
  if (!was.empty() && was != name) {
    const std::string previous_name = previous_label(label);
    auto kept = co_await lead(previous_name, was);
    if (!kept) co_return kept;
  }
  co_return co_await lead(label, name);
}

asio::awaitable<Result<void>> LabelLinks::restore(std::string label, std::string name, json::object before) {
  const std::string was = text_at(before, "label"), previous_was = text_at(before, "previous"),
                    previous_name = previous_label(label);
  const auto now = co_await server_.link(label);
  if (!now) co_return now.error();
  if (*now == name && was != name) {
    auto put_back = co_await lead(label, was);
    if (!put_back) co_return put_back;
  }
  const auto previous = co_await server_.link(previous_name);
  if (!previous) co_return previous.error();
  if (!was.empty() && *previous == was && previous_was != was) {
    auto put_back = co_await lead(previous_name, previous_was);
    if (!put_back) co_return put_back;
  }
  co_return Result<void>{};
}

}  // namespace outpost::promoter
