#include "plugins/dlrn/promoter/images_place.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event.hpp"

#include <algorithm>

namespace outpost::promoter {

namespace asio = boost::asio;
namespace json = boost::json;
using job::text_at;

namespace {

std::string previous_label(const std::string& label) { return "previous-" + label; }

}  // namespace

asio::awaitable<Result<std::vector<std::string>>> ImagesPlace::check(Move move) {
  const std::string hash = move.candidate.full_hash();
  const auto names = co_await server_.list(hash);
  if (!names) co_return names.error();
  std::vector<std::string> missing;
  for (const auto& file : files_)
    if (std::find(names->begin(), names->end(), file) == names->end()) missing.push_back(file);
  if (!missing.empty())
    co_return Error{Fault::unavailable, server_.text() + "/" + hash + " lacks " + join(missing, ", ")};
  const auto now = co_await server_.link(move.to);
  if (!now) co_return now.error();
  std::vector<std::string> lines;
  if (*now && **now != hash)
    lines.push_back("link " + previous_label(move.to) + " := " + **now + " on " + server_.text());
  lines.push_back("link " + move.to + " := " + hash + " on " + server_.text());
  co_return lines;
}

asio::awaitable<Result<json::object>> ImagesPlace::look(Move move) {
  const std::string previous_name = previous_label(move.to);
  const auto label = co_await server_.link(move.to);
  if (!label) co_return label.error();
  const auto previous = co_await server_.link(previous_name);
  if (!previous) co_return previous.error();
  json::object before{{"label", label->value_or("")}, {"previous", previous->value_or("")}};
  co_return before;
}

asio::awaitable<Result<void>> ImagesPlace::lead(std::string label, std::string hash) {
  auto now = co_await server_.link(label);
  if (!now) co_return now.error();
  if (now->value_or("") == hash) co_return Result<void>{};
  auto turning = hash.empty() ? server_.remove_link(label) : server_.set_link(label, hash);
  auto turned = co_await std::move(turning);
  if (!turned) co_return turned;
  now = co_await server_.link(label);
  if (!now) co_return now.error();
  if (now->value_or("") != hash)
    co_return Error{Fault::retry_later, server_.text() + "/" + label + " does not lead to " + hash + " after all"};
  co_return Result<void>{};
}

asio::awaitable<Result<void>> ImagesPlace::move(Move move, json::object before) {
  const std::string hash = move.candidate.full_hash(), was = text_at(before, "label");
  if (!was.empty() && was != hash) {
    const std::string previous_name = previous_label(move.to);
    auto kept = co_await lead(previous_name, was);
    if (!kept) co_return kept;
  }
  co_return co_await lead(move.to, hash);
}

asio::awaitable<Result<void>> ImagesPlace::restore(Move move, json::object before) {
  const std::string hash = move.candidate.full_hash(), was = text_at(before, "label"),
                    previous_was = text_at(before, "previous"), previous_name = previous_label(move.to);
  const auto now = co_await server_.link(move.to);
  if (!now) co_return now.error();
  if (*now == hash && was != hash) {
    auto put_back = co_await lead(move.to, was);
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
