#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <optional>
#include <utility>

namespace outpost {

/// A few threads for what would block the loop: disk syncs, hashing, unpacking, XML.
class Workers {
 public:
  explicit Workers(unsigned threads = 2) : pool_{threads} {}

  /// Runs `work` on a thread of the pool and resumes the caller on its own loop with what it returned (not void).
  /// `work` must own what it uses: it runs to its end even when the caller is cancelled.
  template <class Work>
  boost::asio::awaitable<decltype(std::declval<Work&>()())> run(Work work) {
    auto call = called(std::move(work));
    auto value = co_await boost::asio::co_spawn(pool_.get_executor(), std::move(call), boost::asio::use_awaitable);
    co_return std::move(*value);
  }

  /// Waits for the running work.
  void join() { pool_.join(); }

 private:
  /// Optional, because co_spawn wants to default-construct what it hands over.
  template <class Work>
  static boost::asio::awaitable<std::optional<decltype(std::declval<Work&>()())>> called(Work work) {
    co_return work();
  }

  boost::asio::thread_pool pool_;
};

}  // namespace outpost
