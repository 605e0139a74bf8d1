#pragma once

#include "agent/base/descriptor.hpp"
#include "agent/base/result.hpp"

#include <termios.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace outpost::cli {

enum class Style { plain, strong, faint, good, bad, busy };

/// One row of a screen: text in styles. What is put in has to be printable() already.
class Row {
 public:
  Row& put(std::string_view text, Style style = Style::plain);
  /// Blanks up to this column; one at least.
  Row& to(std::size_t column);
  /// What the terminal is sent: cut after so many columns. Without colours the styles are left out, and without
  /// `unicode` each character that is not ASCII is a question mark.
  [[nodiscard]] std::string text(std::size_t columns, bool colours, bool unicode) const;
  [[nodiscard]] std::size_t columns() const { return columns_; }

 private:
  struct Part {
    std::string text;
    Style style;
  };
  std::vector<Part> parts_;
  std::size_t columns_ = 0;
};

/// Columns that a text takes on a terminal.
[[nodiscard]] std::size_t width_of(std::string_view text);
/// As many whole characters from its beginning as so many columns take.
[[nodiscard]] std::string_view beginning_of(std::string_view text, std::size_t columns);

/// The terminal as a whole: on its alternate screen, without echo, and as it was before when this goes. While it lives,
/// SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP and SIGWINCH come as events instead; make it before any thread.
class Screen {
 public:
  /// unavailable: standard input and output are no terminal, or one that cannot do it.
  [[nodiscard]] static Result<Screen> open();
  Screen(Screen&& other) noexcept;
  Screen& operator=(Screen&&) = delete;
  ~Screen();

  struct Size {
    std::size_t columns = 80, rows = 24;
  };
  [[nodiscard]] Size size() const;
  /// Draws these rows from the top, over what was there; those that do not fit are left out.
  void show(const std::vector<Row>& rows);

  struct Event {
    enum class Kind { nothing, key, resized, woken, ended } kind = Kind::nothing;
    std::string key;  ///< A character, or the whole escape sequence of a key.
    int signal = 0;   ///< That ends it; 0: the terminal is gone.
  };
  /// The next event; `nothing` when none came in time. `wake` is a descriptor that becomes readable. A stop by ^Z
  /// happens in here, and the screen is back when it is over.
  [[nodiscard]] Event wait(int wake, std::chrono::milliseconds limit);

  [[nodiscard]] bool unicode() const { return unicode_; }

 private:
  Screen() = default;
  void enter();
  void leave();
  [[nodiscard]] Event signalled();

  Descriptor signals_;
  ::termios before_{};
  ::sigset_t mask_before_{};
  bool colours_ = false, unicode_ = false, entered_ = false;
};

}  // namespace outpost::cli
