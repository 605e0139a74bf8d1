#include "plugins/dlrn/promoter/images_place.hpp"

#include "agent/base/text.hpp"
#include "agent/job/event.hpp"

#include <algorithm>

namespace outpost::promoter {

namespace asio = boost::asio;
namespace json = boost::json;
using job::text_at;

namespace {

/// What is on its way. One name for all hashes, so that of those that never arrived no more than one takes room.
constexpr const char* incoming = ".incoming.outpost";

std::string previous_label(const std::string& label) { return "previous-" + label; }

bool is_absent(const Result<void>& looked) { return looked.has_error() && looked.error().fault == Fault::refused; }

}  // namespace

asio::awaitable<Result<void>> ImagesPlace::look_into(ImageServer& server, std::string hash) {
  const auto names = co_await server.list(hash);
  if (!names) co_return names.error();
  std::vector<std::string> missing;
  for (const auto& file : files_)
    if (std::find(names->begin(), names->end(), file) == names->end()) missing.push_back(file);
  if (!missing.empty())
    co_return Error{Fault::unavailable, server.text() + "/" + hash + " lacks " + join(missing, ", ")};
  co_return Result<void>{};
}

asio::awaitable<Result<std::vector<std::string>>> ImagesPlace::check(Move move) {
  const std::string hash = move.candidate.full_hash();
  std::vector<std::string> lines;
  auto looked = co_await look_into(server_, hash);
  if (origin_ && is_absent(looked)) {
    lines.push_back("copy " + hash + " from " + origin_->server.text() + " to " + server_.text());
    const std::string here = looked.error().message;
    looked = co_await look_into(origin_->server, hash);
    if (is_absent(looked)) co_return Error{Fault::refused, here + ", and neither does " + origin_->server.text() + "/" + hash};
  }
  if (!looked) co_return looked.error();
  const auto now = co_await server_.link(move.to);
  if (!now) co_return now.error();
  if (*now && **now != hash)
    lines.push_back("link " + previous_label(move.to) + " := " + **now + " on " + server_.text());
  lines.push_back("link " + move.to + " := " + hash + " on " + server_.text());
  co_return lines;
}

asio::awaitable<Result<void>> ImagesPlace::bring(std::string hash) {
  auto looked = co_await look_into(server_, hash);
  if (!origin_ || !is_absent(looked)) co_return looked;
  const std::string as = incoming;
  auto carried = co_await origin_->carrier.carry(hash, as);
  if (!carried) co_return carried;
  looked = co_await look_into(server_, as);
  if (!looked) co_return looked;
  const auto named = co_await server_.name_directory(as, hash);
  // Somebody else may have brought it in the same moment: what counts is that it is there.
  looked = co_await look_into(server_, hash);
  if (!looked && !named) co_return named;
  co_return looked;
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
  auto brought = co_await bring(hash);
  if (!brought) co_return brought;
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
