#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

namespace outpost {

/// A few threads for what would block the loop: disk syncs, hashing, unpacking, XML. The loop of its callers outlives it.
class Workers {
 public:
  explicit Workers(unsigned threads = 2) : pool_{threads} {}

  /// Runs `work` on a thread of the pool and resumes the caller on its own loop with what it returned (not void).
  /// `work` must own what it uses: it runs to its end even when the caller is cancelled. What it owns is gone before the
  /// caller goes on.
  template <class Work>
  boost::asio::awaitable<decltype(std::declval<Work&>()())> run(Work work) {
    using End = Ended<decltype(std::declval<Work&>()())>;
    auto left = std::make_shared<std::atomic_flag>();
    End ended = co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>&, void(End)>(
        Start<End>{}, boost::asio::use_awaitable, &pool_, std::move(work), left);
    // The other thread is on its way out of our loop, which may be destroyed as soon as we have returned.
    left->wait(false);
    if (ended.thrown) std::rethrow_exception(ended.thrown);
    co_return std::move(*ended.value);
  }

  /// Waits for the running work.
  void join() { pool_.join(); }

 private:
  template <class Value>
  struct Ended {
    std::optional<Value> value;
    std::exception_ptr thrown;
  };

  /// Not co_spawn on the pool: that ties the caller's cancellation slot, which belongs to its loop, to a coroutine that
  /// ends on the pool's thread. Below `&&` and `||`, where there is such a slot, the two threads then write to it at once.
  template <class End>
  struct Start {
    template <class Handler, class Work>
    void operator()(Handler handler, boost::asio::thread_pool* pool, Work work, std::shared_ptr<std::atomic_flag> left) const {
      auto loop = boost::asio::make_work_guard(boost::asio::get_associated_executor(handler));
      auto task = [handler = std::move(handler), loop = std::move(loop), work = std::optional<Work>{std::move(work)}, left = std::move(left)]() mutable {
        End end;
        try {
          end.value.emplace((*work)());
        } catch (...) {
          end.thrown = std::current_exception();
        }
        work.reset();
        const auto executor = loop.get_executor();
        auto finish = [handler = std::move(handler), loop = std::move(loop), end = std::move(end)]() mutable {
          std::move(handler)(std::move(end));
        };
        boost::asio::post(executor, std::move(finish));
        left->test_and_set();
        left->notify_all();
      };
      boost::asio::post(*pool, std::move(task));
    }
  };

  boost::asio::thread_pool pool_;
};

}  // namespace outpost
