#pragma once

#include "agent/control/agent_control.hpp"

#include <boost/json/array.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace outpost::test {

/// An agent to drive, which remembers what it was told.
struct FakeAgent final : control::AgentControl {
  std::string cancelled, reason, held;
  std::size_t limit = 0;
  bool polled = false;
  boost::json::object status() override { return said; }
  boost::json::object said{{"state", "idle"}};
  Result<boost::json::array> jobs(std::size_t wanted) override {
    limit = wanted;
    return boost::json::array{};
  }
  Result<boost::json::object> job(const std::string& id) override {
    if (id != "known") return Error{Fault::unavailable, "there is no job " + id};
    return boost::json::object{{"job_id", id}};
  }
  boost::asio::awaitable<Result<std::string>> run_job(std::string name) override {
    if (name == "far") co_return Error{Fault::retry_later, "the server does not answer"};
    if (name != "nightly") co_return Error{Fault::unavailable, "there is no job " + name};
    co_return "new-1";
  }
  boost::asio::awaitable<Result<std::string>> retry_job(std::string id) override {
    if (id != "known") co_return Error{Fault::unavailable, "there is no job " + id};
    co_return "new-2";
  }
  boost::asio::awaitable<Result<void>> hold_job(std::string id, std::string why) override {
    if (id != "known") co_return Error{Fault::refused, "job " + id + " does not wait"};
    held = why;
    co_return Result<void>{};
  }
  boost::asio::awaitable<Result<void>> release_job(std::string id) override {
    held.clear();
    if (id != "known") co_return Error{Fault::refused, "job " + id + " is not held"};
    co_return Result<void>{};
  }
  Result<void> cancel(const std::string& id, const std::string& why) override {
    if (id == "ended") return Error{Fault::refused, "job ended has ended: success"};
    cancelled = id;
    reason = why;
    return {};
  }
  boost::asio::awaitable<void> note_asked(control::Asked one) override {
    asked.push_back(one.who + " " + one.what + " " + one.about);
    co_return;
  }
  std::vector<std::string> asked;
  void poll_now() override { polled = true; }
  boost::asio::awaitable<Result<boost::json::object>> reload() override {
    if (polled) co_return Error{Fault::malformed, "outpost.yml:1:1: a\noutpost.yml:2:1: b\n"};
    co_return boost::json::object{{"changed", boost::json::array{"slots"}}};
  }
  boost::json::object claims() override { return {{"state", steered}}; }
  boost::asio::awaitable<Result<boost::json::object>> pause(control::Scope scope, std::string why) override {
    if (scope.source == "nobody") co_return Error{Fault::unavailable, "there is no source nobody"};
    steered = "paused " + scope.source + scope.resource + why;
    co_return claims();
  }
  boost::asio::awaitable<Result<boost::json::object>> resume(control::Scope scope, bool all) override {
    steered = "resumed " + scope.source + scope.resource + (all ? "all" : "");
    co_return claims();
  }
  boost::asio::awaitable<Result<boost::json::object>> drain(std::string why) override {
    steered = "draining " + why;
    co_return claims();
  }
  std::string steered;
  boost::asio::awaitable<Result<control::SpoolStream>> export_spool(std::string reporter) override {
    if (reporter.empty()) co_return Error{Fault::malformed, "something waits for a, b: say which with --reporter"};
    if (reporter != "lab 4") co_return Error{Fault::refused, "nothing waits for " + reporter};
    auto pieces = std::make_shared<std::vector<std::string>>(std::vector<std::string>{"", "lo", "hel"});
    http::Producer archive = [pieces] { return next_of(pieces); };
    co_return control::SpoolStream{{{"items", 7}}, std::move(archive)};
  }
  boost::asio::awaitable<Result<boost::json::object>> confirm_spool(http::ServerRequest& receipt) override {
    const auto body = co_await receipt.read_all(100);
    if (!body || *body != "receipt") co_return Error{Fault::malformed, "it is no receipt"};
    co_return boost::json::object{{"settled", 3}};
  }
  static boost::asio::awaitable<Result<std::string>> next_of(std::shared_ptr<std::vector<std::string>> pieces) {
    std::string piece = std::move(pieces->back());
    pieces->pop_back();
    co_return piece;
  }
  Result<boost::json::object> spool() override { return boost::json::object{{"waiting", 5}}; }
  Result<boost::json::array> flush_spool(const std::string& reporter) override {
    if (reporter == "nobody") return Error{Fault::unavailable, "there is no reporter nobody"};
    return boost::json::array{boost::json::object{{"name", reporter}}};
  }
  boost::asio::awaitable<Result<boost::json::object>> prune_spool(control::Pruning wanted) override {
    pruning = wanted;
    if (wanted.reporter == "nobody") co_return Error{Fault::unavailable, "there is no reporter nobody"};
    co_return boost::json::object{{"bytes", 7}};
  }
  control::Pruning pruning;
  Result<boost::json::array> reporters() override { return boost::json::array{boost::json::object{{"name", "dci"}}}; }
  boost::asio::awaitable<Result<boost::json::object>> forget_reporter(std::string name, bool drop_waiting) override {
    if (!drop_waiting) co_return Error{Fault::refused, "3 items would be dropped"};
    co_return boost::json::object{{"reporter", name}};
  }
  Result<void> acknowledge(const std::string& alarm) override {
    if (alarm != "dci/parked/x") return Error{Fault::unavailable, "there is no alarm " + alarm};
    return {};
  }
  Result<boost::json::array> parked(const std::string& reporter) override {
    if (reporter != "dci") return Error{Fault::unavailable, "there is no reporter " + reporter};
    return boost::json::array{{{"key", "x"}}};
  }
  boost::asio::awaitable<Result<std::size_t>> retry(std::string reporter, std::vector<std::string> keys) override {
    if (reporter != "dci") co_return Error{Fault::unavailable, "there is no reporter " + reporter};
    retried = std::move(keys);
    co_return std::size_t{3};
  }
  std::vector<std::string> retried;
};

}  // namespace outpost::test
