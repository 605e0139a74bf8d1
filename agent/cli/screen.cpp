#include "agent/cli/screen.hpp"

#include "agent/cli/terminal.hpp"

#include <langinfo.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <cwchar>
#include <utility>

namespace outpost::cli {

namespace {

constexpr const char* enter_alternate = "\x1b[?1049h\x1b[?25l\x1b[2J";
constexpr const char* leave_alternate = "\x1b[0m\x1b[?25h\x1b[?1049l";

std::string_view code_of(Style style) {
  switch (style) {
    case Style::strong: return "\x1b[1m";
    case Style::faint: return "\x1b[2m";
    case Style::good: return "\x1b[32m";
    case Style::bad: return "\x1b[31m";
    case Style::busy: return "\x1b[36m";
    case Style::plain: break;
  }
  return "";
}

/// The next character of a text, and the columns that it takes.
struct Character {
  std::string_view bytes;
  std::size_t columns;
};

Character next_of(std::string_view text) {
  std::mbstate_t state{};
  wchar_t wide = 0;
  const std::size_t length = std::mbrtowc(&wide, text.data(), text.size(), &state);
  if (length == 0 || length > text.size()) return {text.substr(0, 1), 1};  // No character of this terminal.
  const int columns = ::wcwidth(wide);
  return {text.substr(0, length), columns < 0 ? 1U : static_cast<std::size_t>(columns)};
}

void send(std::string_view text) {
  while (!text.empty()) {
    const auto sent = ::write(STDOUT_FILENO, text.data(), text.size());
    if (sent < 0 && errno != EINTR && errno != EAGAIN) return;
    if (sent > 0) text.remove_prefix(static_cast<std::size_t>(sent));
  }
}

::sigset_t signals_of_ours() {
  ::sigset_t set;
  ::sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH}) ::sigaddset(&set, number);
  return set;
}

}  // namespace

std::size_t width_of(std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) {
    const auto character = next_of(text);
    columns += character.columns;
    text.remove_prefix(character.bytes.size());
  }
  return columns;
}

std::string_view beginning_of(std::string_view text, std::size_t columns) {
  std::size_t length = 0;
  while (length < text.size()) {
    const auto character = next_of(text.substr(length));
    if (character.columns > columns) break;
    columns -= character.columns;
    length += character.bytes.size();
  }
  return text.substr(0, length);
}

Row& Row::put(std::string_view text, Style style) {
  columns_ += width_of(text);
  parts_.push_back({std::string{text}, style});
  return *this;
}

Row& Row::to(std::size_t column) { return put(std::string(columns_ < column ? column - columns_ : 1, ' ')); }

std::string Row::text(std::size_t columns, bool colours, bool unicode) const {
  std::string shown;
  for (const auto& part : parts_) {
    const auto code = colours ? code_of(part.style) : "";
    shown += code;
    for (std::string_view rest = part.text; !rest.empty();) {
      const auto character = next_of(rest);
      if (character.columns > columns) {
        columns = 0;
        break;
      }
      columns -= character.columns;
      const bool is_ascii = character.bytes.size() == 1 && static_cast<unsigned char>(character.bytes[0]) < 0x80;
      shown += is_ascii || unicode ? character.bytes : std::string_view{"?"};
      rest.remove_prefix(character.bytes.size());
    }
    if (!code.empty()) shown += "\x1b[0m";
    if (columns == 0) break;
  }
  return shown;
}

Result<Screen> Screen::open() {
  const char* terminal = std::getenv("TERM");
  const std::string kind = terminal ? terminal : "";
  if (::isatty(STDIN_FILENO) == 0 || ::isatty(STDOUT_FILENO) == 0 || kind.empty() || kind == "dumb")
    return Error{Fault::unavailable, "standard input and output have to be a terminal"};
  Screen screen;
  if (::tcgetattr(STDIN_FILENO, &screen.before_) != 0)
    return Error{Fault::unavailable, std::string{"the terminal says nothing of itself: "} + std::strerror(errno)};
  std::setlocale(LC_CTYPE, "");
  screen.unicode_ = std::string_view{::nl_langinfo(CODESET)} == "UTF-8";
  screen.colours_ = may_colour(STDOUT_FILENO);
  const ::sigset_t ours = signals_of_ours();
  ::pthread_sigmask(SIG_BLOCK, &ours, &screen.mask_before_);
  screen.signals_ = Descriptor{::signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK)};
  screen.enter();
  return screen;
}

Screen::Screen(Screen&& other) noexcept
    : signals_{std::move(other.signals_)},
      before_{other.before_},
      mask_before_{other.mask_before_},
      colours_{other.colours_},
      unicode_{other.unicode_},
      entered_{std::exchange(other.entered_, false)} {}

Screen::~Screen() {
  if (!entered_) return;
  leave();
  ::pthread_sigmask(SIG_SETMASK, &mask_before_, nullptr);
}

void Screen::enter() {
  ::termios raw = before_;
  raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);  // ^C and ^Z stay signals.
  raw.c_cc[VMIN] = 0;
  raw.c_cc[VTIME] = 0;
  ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
  send(enter_alternate);
  entered_ = true;
}

void Screen::leave() {
  send(leave_alternate);
  ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  entered_ = false;
}

Screen::Size Screen::size() const {
  ::winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {size.ws_col, size.ws_row};
}

void Screen::show(const std::vector<Row>& rows) {
  const auto [columns, lines] = size();
  std::string all = "\x1b[H";
  for (std::size_t line = 0; line < lines; ++line) {
    if (line > 0) all += "\r\n";
    if (line < rows.size()) all += rows[line].text(columns, colours_, unicode_);
    all += "\x1b[K";
  }
  send(all);
}

Screen::Event Screen::wait(int wake, std::chrono::milliseconds limit) {
  ::pollfd sources[]{{signals_.get(), POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}, {wake, POLLIN, 0}};
  if (::poll(sources, 3, static_cast<int>(limit.count())) <= 0) return {};
  if (sources[0].revents != 0) return signalled();
  if (sources[1].revents != 0) {
    char bytes[32];
    const auto count = ::read(STDIN_FILENO, bytes, sizeof bytes);
    if (count <= 0) return {Event::Kind::ended, "", 0};
    return {Event::Kind::key, std::string(bytes, static_cast<std::size_t>(count)), 0};
  }
  return {Event::Kind::woken, "", 0};
}

Screen::Event Screen::signalled() {
  ::signalfd_siginfo info{};
  if (::read(signals_.get(), &info, sizeof info) != sizeof info) return {};
  const int number = static_cast<int>(info.ssi_signo);
  if (number == SIGWINCH) return {Event::Kind::resized, "", 0};
  if (number != SIGTSTP) return {Event::Kind::ended, "", number};
  leave();
  ::raise(SIGSTOP);
  enter();
  return {Event::Kind::resized, "", 0};
}

}  // namespace outpost::cli
