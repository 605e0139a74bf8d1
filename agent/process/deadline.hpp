#pragma once

#include <chrono>
#include <functional>

namespace outpost::process {

/// When the time of a command is up, for one whose time may change while it runs. For the loop's thread.
class Deadline {
 public:
  using Moment = std::chrono::steady_clock::time_point;

  explicit Deadline(Moment at) : at_{at} {}

  [[nodiscard]] Moment at() const { return at_; }
  void move_to(Moment at) {
    at_ = at;
    if (moved_) moved_();
  }

  /// Calls `moved` after each change for as long as this lives; one of them at a time.
  class Watch {
   public:
    Watch(Deadline& deadline, std::function<void()> moved) : deadline_{deadline} { deadline_.moved_ = std::move(moved); }
    ~Watch() { deadline_.moved_ = nullptr; }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

   private:
    Deadline& deadline_;
  };

 private:
  Moment at_;
  std::function<void()> moved_;
};

}  // namespace outpost::process
