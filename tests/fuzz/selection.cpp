// A selection of components in the first line, and in the second a component as a server describes it.
#include "promise.hpp"

#include "plugins/dci/selection.hpp"

#include <boost/json/parse.hpp>

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace outpost;
  std::string_view rest = fuzz::text_of(data, size);
  const auto selection = dci::parse_selection(fuzz::take_line(rest));
  if (!selection) {
    fuzz::promise_message(selection.error().message);
    return 0;
  }
  fuzz::promise(!selection->type.empty(), "a selection has a type");

  boost::system::error_code error;
  const auto component = boost::json::parse(rest, error);
  const auto queries = dci::compile(*selection, *parse_rfc3339("2026-11-20T12:00:00Z"));
  fuzz::promise(!queries.empty(), "a selection is a question");
  for (const auto& query : queries) {
    for (const auto& [name, value] : query.parameters)
      fuzz::promise(!name.empty() && !value.empty(), "a parameter is never blank");
    if (!error && component.is_object()) (void)dci::matches(*selection, query, component.get_object());
  }
  return 0;
}
