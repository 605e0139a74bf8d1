// What was not there at the start, tried again by the agent itself.

#include "agent/base/text.hpp"
#include "agent/daemon/composition.hpp"
#include "agent/daemon/try_again.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <algorithm>

namespace outpost::daemon {

namespace asio = boost::asio;

void Composition::recover() {
  if (only_finishes_ && (unread_ || !closed_.empty())) {
    logger_.notice("what cannot be read is tried again by itself, at least every 5 minutes; outpost reload does it at once");
    asio::co_spawn(executor_, try_again([this] { return read_once_more(); }, sleep_by_timer()), asio::detached);
  }
  if (page_handler_) asio::co_spawn(executor_, try_again([this] { return listen_once_more(); }, sleep_by_timer()), asio::detached);
}

/// Nothing of what is read here changes meanwhile: a reload waits.
asio::awaitable<bool> Composition::read_once_more() {
  if (!only_finishes_ || (!unread_ && closed_.empty())) co_return true;
  if (reloading_) co_return false;
  recovering_ = true;
  auto reading = [this] { return unread_ ? read_unread() : read_closed(); };
  auto fresh = co_await workers_.run(std::move(reading));
  bool done = false;
  if (fresh) {
    auto taking = take_up(*fresh);
    done = co_await std::move(taking);
  } else {
    logger_.info("what cannot be read was tried again: " + split(fresh.error().message, '\n').front());
  }
  recovering_ = false;
  recovered_.notify();
  co_return done;
}

/// The configuration that the start could not take. Not when it has become another: somebody is about to correct it.
Result<Composition::Fresh> Composition::read_unread() const {
  auto fresh = read_again(file_, settings_, uploads_, closed_);
  const auto is_same = [](const config::FileText& left, const config::FileText& right) { return left.name == right.name && left.text == right.text; };
  if (fresh && !std::equal(unread_->begin(), unread_->end(), fresh->loaded.texts.begin(), fresh->loaded.texts.end(), is_same))
    return Error{Fault::refused, "the configuration has changed, and waits for outpost reload"};
  return fresh;
}

/// What the last good configuration names; the files are wrong, and stay so.
Result<Composition::Fresh> Composition::read_closed() const {
  Fresh fresh{.loaded = {}, .needs_restart = {}, .uploads = uploads_, .named = {}};
  fresh.loaded.settings = settings_;
  auto named = read_named(settings_, uploads_, [this](const std::string& name) { return closed_.contains(name); }, &kept_secrets_);
  if (!named) return named.error();
  for (const auto& [name, opened] : named->servers)
    if (opened.closed) return Error{opened.closed->fault, "sources." + name + ": " + opened.closed->message};
  fresh.named = std::move(*named);
  return fresh;
}

/// Whether it is in force.
asio::awaitable<bool> Composition::take_up(Fresh& fresh) {
  const std::string happened = "what could not be read can be read now";
  Result<void> done;
  if (unread_) {
    auto putting = put_in_force(fresh, happened);
    if (auto put = co_await std::move(putting); !put) done = put.error();
  } else {
    auto going_on = go_on_with(fresh);
    done = co_await std::move(going_on);
    if (done) logger_.notice(happened + ": the servers of what was begun are asked again");
  }
  if (!done) logger_.warning(happened + ", and cannot be made use of: " + done.error().message);
  co_return done.has_value();
}

asio::awaitable<bool> Composition::listen_once_more() {
  const auto on_tcp = listen_on_tcp(page_handler_);
  if (!on_tcp) {
    logger_.info("tried again: " + on_tcp.error().message);
    co_return false;
  }
  page_handler_ = nullptr;
  alarms_->clear("dashboard");
  logger_.notice("the page is on " + page_url_ + " now");
  co_return true;
}

}  // namespace outpost::daemon
