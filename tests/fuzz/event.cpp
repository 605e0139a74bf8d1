// Events as the journal and its exports hold them, one in each line, and the story that they tell.
#include "promise.hpp"

#include "agent/job/event.hpp"
#include "agent/job/story.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace outpost;
  std::vector<job::Event> events;
  for (std::string_view rest = fuzz::text_of(data, size); !rest.empty();) {
    boost::system::error_code error;
    const auto json = boost::json::parse(fuzz::take_line(rest), error);
    if (error) continue;
    auto event = job::event_from_json(json);
    if (!event) {
      fuzz::promise(event.error().fault == Fault::malformed, "what is no event is malformed");
      fuzz::promise_message(event.error().message);
      continue;
    }
    const auto again = job::event_from_json(job::to_json(*event));
    fuzz::promise(again.has_value(), "an event that was written can be read");
    fuzz::promise(job::to_json(*again) == job::to_json(*event), "an event is read as it was written");
    events.push_back(std::move(*event));
  }
  (void)job::replay(events).describe();
  return 0;
}
