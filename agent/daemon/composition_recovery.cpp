// What was not there at the start, tried again by the agent itself.

#include "agent/base/text.hpp"
#include "agent/daemon/composition.hpp"
#include "agent/daemon/try_again.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <algorithm>
#include <exception>

namespace outpost::daemon {

namespace asio = boost::asio;

void Composition::recover() {
  const auto threw = [this](const std::string& what) {
    return [this, what](const std::string& message) { logger_.error(what + " was tried again, with an exception (a bug, please report it): " + message); };
  };
  if (lacks_something()) {
    logger_.notice("what cannot be read is tried again by itself, at least every 5 minutes; outpost reload does it at once");
    asio::co_spawn(executor_, try_again([this] { return read_once_more(); }, sleep_by_timer(), threw("what cannot be read")), asio::detached);
  }
  if (page_handler_) asio::co_spawn(executor_, try_again([this] { return listen_once_more(); }, sleep_by_timer(), threw("the page's port")), asio::detached);
}

/// Nothing of what is read here changes meanwhile: a reload waits.
asio::awaitable<bool> Composition::read_once_more() {
  if (!lacks_something()) co_return true;
  if (reloading_) co_return false;
  recovering_ = true;
  std::exception_ptr thrown;
  try {
    auto taking = take_what_is_back();
    co_await std::move(taking);
  } catch (...) {
    thrown = std::current_exception();
  }
  // Not by a guard, which would look at us when the loop is taken apart after us.
  recovering_ = false;
  recovered_.cancel();
  if (thrown) std::rethrow_exception(thrown);
  co_return !lacks_something();
}

/// What was begun need not wait for what else is missing.
asio::awaitable<void> Composition::take_what_is_back() {
  if (unread_) {
    auto taking = take_whole();
    if (co_await std::move(taking)) co_return;
  }
  if (done_without_.empty()) co_return;
  auto taking = take_part();
  co_await std::move(taking);
}

/// Whether the configuration that the start could not take is in force.
asio::awaitable<bool> Composition::take_whole() {
  auto reading = [this] { return read_unread(); };
  auto fresh = co_await workers_.run(std::move(reading));
  if (!fresh) {
    logger_.info("what cannot be read was tried again: " + split(fresh.error().message, '\n').front());
    co_return false;
  }
  const std::string happened = "what could not be read can be read now";
  auto putting = put_in_force(*fresh, happened);
  const auto put = co_await std::move(putting);
  if (!put) logger_.warning(happened + ", and cannot be made use of: " + put.error().message);
  co_return put.has_value();
}

asio::awaitable<void> Composition::take_part() {
  auto reading = [this] { return read_closed(); };
  auto fresh = co_await workers_.run(std::move(reading));
  if (!fresh) {
    logger_.info("what cannot be read was tried again: " + split(fresh.error().message, '\n').front());
    co_return;
  }
  std::vector<std::string> back;
  for (const auto& [key, why] : done_without_)
    if (!fresh->named.done_without.contains(key)) back.push_back(key);
  if (back.empty()) co_return;
  const std::string happened = join(back, ", ") + " could not be read, and can be read now";
  auto going_on = go_on_with(*fresh);
  const auto done = co_await std::move(going_on);
  if (done) logger_.notice(happened + ": what was begun goes on with it");
  else logger_.warning(happened + ", and cannot be made use of: " + done.error().message);
}

/// The configuration that the start could not take. Not when it has become another: somebody is about to correct it.
Result<Composition::Fresh> Composition::read_unread() const {
  auto fresh = read_again(file_, settings_, uploads_, closed_);
  const auto is_same = [](const config::FileText& left, const config::FileText& right) { return left.name == right.name && left.text == right.text; };
  if (fresh && !std::equal(unread_->begin(), unread_->end(), fresh->loaded.texts.begin(), fresh->loaded.texts.end(), is_same))
    return Error{Fault::refused, "the configuration has changed, and waits for outpost reload"};
  return fresh;
}

/// What the configuration names with which what was begun is finished, as far as it can be read.
Result<Composition::Fresh> Composition::read_closed() const {
  Fresh fresh{.loaded = {}, .needs_restart = {}, .uploads = uploads_, .named = {}, .closed = {}};
  fresh.loaded.settings = settings_;
  auto named = read_named(settings_, uploads_, [this](const std::string& name) { return closed_.contains(name); }, &kept_secrets_);
  if (!named) return named.error();
  for (const auto& [name, opened] : named->servers)
    if (opened.closed) fresh.closed.insert(name);
  for (const auto& name : fresh.closed) named->servers.erase(name);
  fresh.named = std::move(*named);
  return fresh;
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
