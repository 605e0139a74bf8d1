// What is seen on a terminal, which tmux is.
#include "cli/command_lab.hpp"
#include "support/catch.hpp"

#include <csignal>

namespace {

namespace fs = std::filesystem;
using namespace outpost;
using namespace outpost::test;

constexpr const char* tmux = "/usr/bin/tmux";

/// A terminal with one command in it.
class Screen {
 public:
  Screen(CommandLab& lab, const std::string& command) : lab_{lab} {
    REQUIRE(lab_.run(
                {tmux, "-S", socket(), "-f", "/dev/null", "new-session", "-d", "-x", "300", "-y", "40", command}) == 0);
  }
  ~Screen() { lab_.run({tmux, "-S", socket(), "kill-server"}); }

  std::string text() {
    static_cast<void>(lab_.run({tmux, "-S", socket(), "capture-pane", "-p"}));
    return lab_.said;
  }
  void until_shown(const std::string& words) {
    lab_.until(words + " on the screen", [&] { return text().find(words) != std::string::npos; });
  }

 private:
  [[nodiscard]] std::string socket() const { return (lab_.directory.path / "tmux").string(); }
  CommandLab& lab_;
};

}  // namespace

TEST_CASE("the watched status follows the daemon as it comes, works and goes", "[cli]") {
  if (!fs::exists(tmux)) {
    std::puts("SKIPPED: the watched status on a terminal: tmux is not installed");
    return;
  }
  CommandLab lab;
  const fs::path go = lab.directory.path / "go";
  lab.hook("install", "#!/bin/sh\nn=0\nwhile [ ! -e " + go.string() +
                          " ]; do sleep 0.05; n=$((n+1)); [ $n -lt 2400 ] || exit 77; done\n");
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
