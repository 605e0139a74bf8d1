#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

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
    co_return co_await boost::asio::co_spawn(pool_.get_executor(), std::move(call), boost::asio::use_awaitable);
  }

  /// Waits for the running work.
  void join() { pool_.join(); }

 private:
  template <class Work>
  static boost::asio::awaitable<decltype(std::declval<Work&>()())> called(Work work) {
    co_return work();
  }

  boost::asio::thread_pool pool_;
};

}  // namespace outpost
