#include "plugins/dlrn/promoter/dlrn_place.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace outpost::promoter {

namespace asio = boost::asio;
namespace json = boost::json;

namespace {

constexpr int attempts = 3;

bool names(const std::optional<Candidate>& label, const Candidate& candidate) {
  return label && label->full_hash() == candidate.full_hash();
}

/// What look() has kept under a key.
Result<std::optional<Candidate>> kept(const json::object& before, std::string_view key) {
  const auto* value = before.if_contains(key);
  if (!value || !value->is_object()) return std::optional<Candidate>{};
  auto candidate = candidate_from_json(value->get_object());
  if (!candidate) return candidate.error();
  return std::optional{*std::move(candidate)};
}

}  // namespace

asio::awaitable<Result<std::vector<std::string>>> DlrnPlace::check(Move move) {
  const Label label = move.target();
  const auto incumbent = co_await newest(builder_, label);
  if (!incumbent) co_return incumbent.error();
  std::vector<std::string> lines;
  if (*incumbent) lines.push_back("label " + label.previous().text() + " := " + (*incumbent)->full_hash());
  lines.push_back("label " + label.text() + " := " + move.candidate.full_hash());
  co_return lines;
}

asio::awaitable<Result<json::object>> DlrnPlace::look(Move move) {
  const Label label = move.target(), previous_label = label.previous();
  const auto incumbent = co_await newest(builder_, label);
  if (!incumbent) co_return incumbent.error();
  const auto previous = co_await newest(builder_, previous_label);
  if (!previous) co_return previous.error();
  json::object before;
  if (*incumbent) before["incumbent"] = to_json(**incumbent);
  if (*previous) before["previous"] = to_json(**previous);
  co_return before;
}

asio::awaitable<Result<void>> DlrnPlace::set(Candidate candidate, std::string from, Label to) {
  for (int attempt = 1;; ++attempt) {
    // First, because a row more is written each time, and because an answer may have been lost.
    auto now = co_await newest(builder_, to);
    if (!now) co_return now.error();
    if (names(*now, candidate)) co_return Result<void>{};
    const auto done = co_await builder_.promote(candidate, from, to.name);
    auto after = co_await newest(builder_, to);
    if (!after) co_return after.error();
    if (names(*after, candidate)) co_return Result<void>{};
    const bool unchanged = *after ? names(*now, **after) : !*now;
    if (done)
      co_return Error{Fault::malformed, "the builder has moved " + to.text() + " to " +
                                            (*after ? (*after)->full_hash() : "nothing") + " instead of " +
                                            candidate.full_hash() +
                                            ": a component may have changed, or is missing in the label"};
    if (!unchanged)
      co_return Error{Fault::refused, "somebody else has moved " + to.text() + " to " + (*after)->full_hash() + " meanwhile"};
    if (done.error().fault != Fault::retry_later || attempt == attempts) co_return done;
    asio::steady_timer timer{co_await asio::this_coro::executor, pause_};
    co_await timer.async_wait(asio::use_awaitable);
  }
}

asio::awaitable<Result<void>> DlrnPlace::move(Move move, json::object before) {
  const auto incumbent = kept(before, "incumbent");
  if (!incumbent) co_return incumbent.error();
  const Label label = move.target(), previous = label.previous();
  if (*incumbent && !names(*incumbent, move.candidate)) {
    auto kept_back = co_await set(**incumbent, move.to, previous);
    // One that was purged cannot be gone back to anyway.
    if (!kept_back && kept_back.error().fault != Fault::refused)
      co_return std::move(kept_back.error()).in("label " + previous.text());
  }
  auto done = co_await set(move.candidate, move.from, label);
  if (done) co_return done;
  // It names something that nobody has tested, and that restore() would take for somebody else's.
  if (done.error().fault == Fault::malformed && *incumbent) {
    const auto put_back = co_await set(**incumbent, move.to, label);
    done.error().message += put_back ? "; it names what it did before again"
                                     : "; and it could not be put back: " + put_back.error().message;
  }
  co_return std::move(done.error()).in("label " + label.text());
}

asio::awaitable<Result<void>> DlrnPlace::restore(Move move, json::object before) {
  const auto incumbent = kept(before, "incumbent");
  if (!incumbent) co_return incumbent.error();
  const auto previous = kept(before, "previous");
  if (!previous) co_return previous.error();
  const Label label = move.target(), previous_label = label.previous();
  const auto now = co_await newest(builder_, label);
  if (!now) co_return now.error();
  if (names(*now, move.candidate) && !names(*incumbent, move.candidate)) {
    if (!*incumbent)
      co_return Error{Fault::refused,
                      "label " + label.text() + " named nothing before, and a builder cannot take a label away"};
    auto done = co_await set(**incumbent, move.to, label);
    if (!done) co_return std::move(done.error()).in("label " + label.text());
  }
  const auto previous_now = co_await newest(builder_, previous_label);
  if (!previous_now) co_return previous_now.error();
  const bool ours = *incumbent && names(*previous_now, **incumbent);
  if (*previous && ours && !names(*previous, **incumbent)) {
    auto done = co_await set(**previous, previous_label.name, previous_label);
    if (!done) co_return std::move(done.error()).in("label " + previous_label.text());
  }
  co_return Result<void>{};
}

}  // namespace outpost::promoter
