// What is seen on a terminal, which tmux is.
#include "cli/command_lab.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>

namespace {

namespace fs = std::filesystem;
using namespace outpost;
using namespace outpost::test;

constexpr const char* tmux = "/usr/bin/tmux";

/// A terminal with one command in it.
class Screen {
 public:
  Screen(CommandLab& lab, const std::string& command, const std::string& columns = "300", const std::string& rows = "40")
      : lab_{lab} {
    REQUIRE(tell({"-u", "-f", "/dev/null", "new-session", "-d", "-x", columns, "-y", rows, command}) == 0);
  }
  ~Screen() { tell({"kill-server"}); }

  int tell(std::vector<std::string> command) {
    command.insert(command.begin(), {tmux, "-S", socket()});
    return lab_.run(std::move(command));
  }
  void press(const std::string& key) { REQUIRE(tell({"send-keys", key}) == 0); }
  /// With the escape sequences of colours.
  std::string styled() {
    static_cast<void>(tell({"capture-pane", "-p", "-e"}));
    return lab_.said;
  }

  std::string text() {
    static_cast<void>(tell({"capture-pane", "-p"}));
    return lab_.said;
  }
  void until_shown(const std::string& words) {
    lab_.until(words + " on the screen", [&] { return text().find(words) != std::string::npos; });
  }

 private:
  [[nodiscard]] std::string socket() const { return (lab_.directory.path / "tmux").string(); }
  CommandLab& lab_;
};

bool is_there(const char* what) {
  if (fs::exists(tmux)) return true;
  std::printf("SKIPPED: %s on a terminal: tmux is not installed\n", what);
  return false;
}

/// A lab with a job whose hook of install prints something and then waits until it may end.
struct WatchedLab : CommandLab {
  WatchedLab() {
    hook("install", "#!/bin/sh\nprintf 'line with \\033[31mred\\007 in it\\n'\n" + wait_for_file(go));
  }
  /// `outpost top` between two words of a shell that stays.
  [[nodiscard]] std::string top(const std::string& environment = "") const {
    return "sh -c 'echo before; LC_ALL=C.UTF-8 " + environment + " " + OUTPOST_COMMAND + " top --interval 100ms --config " +
           configuration() + "; echo after $?; exec sleep 600'";
  }
  fs::path go = directory.path / "go";
};

std::size_t rows_of(const std::string& text) { return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')); }

}  // namespace

TEST_CASE("the watched status follows the daemon as it comes, works and goes", "[cli]") {
  if (!is_there("the watched status")) return;
  CommandLab lab;
  const fs::path go = lab.directory.path / "go";
  lab.hook("install", "#!/bin/sh\n" + wait_for_file(go));
  Screen screen{lab, std::string{OUTPOST_COMMAND} + " status --watch --interval 100ms --config " + lab.configuration()};
  screen.until_shown("is outpostd running?");
  lab.start_agent();
  screen.until_shown("jobs      none running, none waiting");
  lab.feed("1.0", {});
  screen.until_shown("running   nightly");
  const std::string busy = screen.text();
  INFO(busy);
  CHECK(busy.find("is outpostd running?") == std::string::npos);  // Nothing of what was there before is left.
  CHECK(busy.find("none running") == std::string::npos);
  write_file(go, "");
  screen.until_shown("jobs      none running, none waiting");
  CHECK(lab.stop_agent(SIGTERM) == 0);
  screen.until_shown("is outpostd running?");
}

TEST_CASE("on a small terminal the watched status keeps its beginning, and says that there is more", "[cli]") {
  if (!is_there("the watched status")) return;
  CommandLab lab;
  lab.start_agent();
  Screen screen{lab, std::string{OUTPOST_COMMAND} + " status --watch --interval 100ms --config " + lab.configuration(), "40", "9"};
  screen.until_shown("outpostd  ");
  const auto is_cut = [&] {
    screen.until_shown("more lines: outpost status");
    const std::string shown = screen.text();
    INFO(shown);
    CHECK(shown.starts_with("20"));  // The date of the first line.
    CHECK(shown.find("\noutpostd  ") != std::string::npos);
  };
  is_cut();
  REQUIRE(screen.tell({"resize-window", "-x", "200", "-y", "50"}) == 0);
  screen.until_shown("disk      ");
  CHECK(screen.text().find("more lines") == std::string::npos);
  REQUIRE(screen.tell({"resize-window", "-x", "40", "-y", "9"}) == 0);
  is_cut();
}

TEST_CASE("top shows the stages, what is usual, the log and the spool in 80 columns and 24 rows", "[cli]") {
  if (!is_there("outpost top")) return;
  WatchedLab lab;
  Screen screen{lab, lab.top(), "80", "24"};
  screen.until_shown("is outpostd running?");
  lab.start_agent();
  screen.until_shown("no job runs");
  write_file(lab.go, "");
  lab.feed("1.0", {});
  static_cast<void>(lab.finished_job(1));
  fs::remove(lab.go);
  lab.feed("2.0", {});
  screen.until_shown("▶ install");
  screen.until_shown("log of install.acme");  // It may follow the stage a little later.
  screen.until_shown("line with \\x1b[31mred\\x07 in it");
  screen.until_shown("over ");  // The first one took less than this one does.
  const std::string shown = screen.text();
  INFO(shown);
  CHECK_THAT(shown, holds("1 of 1 slots busy") && holds("nightly  acme 2.0") && holds("✔ pre-run") && holds("log of install.acme") &&
                        holds("dci  answered ") && holds("spool  ") && holds("q quits"));
  CHECK(shown.find("is outpostd running?") == std::string::npos);
  CHECK(shown.find("before") == std::string::npos);
  CHECK(rows_of(shown) <= 24);
  CHECK_THAT(screen.styled(), holds("\x1b[31m"));

  REQUIRE(screen.tell({"resize-window", "-x", "120", "-y", "10"}) == 0);
  lab.until("the last row to follow", [&] {
    const auto text = screen.text();
    return rows_of(text) == 10 && text.find("q quits") != std::string::npos;
  });
  write_file(lab.go, "");
  screen.until_shown("no job runs");
}

TEST_CASE("top leaves the terminal as it was, whoever ends it", "[cli]") {
  if (!is_there("outpost top")) return;
  WatchedLab lab;
  lab.start_agent();
  Screen screen{lab, lab.top("NO_COLOR=1"), "80", "24"};
  screen.until_shown("no job runs");
  const std::string colours = screen.styled();
  CHECK(colours.find("\x1b[3") == std::string::npos);
  SECTION("a key") {
    screen.press("q");
    screen.until_shown("after 0");
  }
  SECTION("^C") {
    screen.press("C-c");
    lab.until("the shell to end with it", [&] { return screen.tell({"list-panes"}) != 0; });
    return;
  }
  SECTION("somebody else") {
    REQUIRE(screen.tell({"list-panes", "-F", "#{pane_pid}"}) == 0);
    const std::string shell = lab.said.substr(0, lab.said.find('\n'));
    REQUIRE(::kill(std::stoi(read_file("/proc/" + shell + "/task/" + shell + "/children")), SIGTERM) == 0);
    screen.until_shown("after 143");
  }
  CHECK_THAT(screen.text(), holds("before"));
  screen.press("echoed");  // By the terminal, which top had told not to.
  screen.until_shown("echoed");
}

TEST_CASE("top says what to do where there is no terminal", "[cli]") {
  CommandLab lab;
  CHECK(lab.outpost({"top"}) == 2);
  CHECK_THAT(lab.said, holds("outpost top needs a terminal") && holds("see: outpost status"));
  CHECK(lab.outpost({"top", "--interval", "1ms"}) == 2);
}
