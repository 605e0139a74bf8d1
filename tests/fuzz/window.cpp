// The windows of a job: the text, and what a window that was understood then says about moments.
#include "promise.hpp"

#include "agent/config/window.hpp"
#include "config/configuration.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace outpost;
  const auto window = config::Window::parse(fuzz::text_of(data, size), config::test::test_zones);
  if (!window) {
    fuzz::promise_message(window.error().message);
    return 0;
  }
  // Any day, and the nights on which Prague's and New York's clocks jump.
  for (const char* text : {"2026-11-20T12:00:00Z", "2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z", "2026-10-25T00:30:00Z",
                           "2026-10-25T01:30:00Z", "2026-03-08T07:00:00Z", "2026-11-01T05:59:59Z", "2024-02-29T23:59:59Z"}) {
    const Timestamp moment = *parse_rfc3339(text);
    const Timestamp opening = window->next_opening(moment);
    fuzz::promise(opening >= moment, "the next opening is not over");
    fuzz::promise(opening <= moment + std::chrono::days{9}, "a window opens every week");
    fuzz::promise(window->contains(opening), "a window is open when it opens");
    fuzz::promise(window->contains(moment) == (opening == moment), "an open window is not waited for");
  }
  return 0;
}
