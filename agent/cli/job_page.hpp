#pragma once

#include <boost/json/object.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace outpost::cli {

/// What a step has printed, without the secrets.
struct StepLog {
  std::string step;
  std::string text;  ///< Perhaps only its end.
  bool complete = true;
};

/// Text that stands in HTML as it is: nothing of it is markup, and control bytes are visible.
[[nodiscard]] std::string html_text(std::string_view text);

/// One job as a page of its own: no script, no other file, nothing that is fetched. `job` is what the local API says of
/// it (agent/control/README.md).
[[nodiscard]] std::string job_page(const boost::json::object& job, const std::vector<StepLog>& logs);

}  // namespace outpost::cli
