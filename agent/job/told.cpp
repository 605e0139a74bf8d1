#include "agent/job/told.hpp"

namespace outpost::job {
namespace {

ReportedCase case_of(const Event& event) {
  ReportedCase reported{text_at(event.data, "outcome"), text_at(event.data, "message"), std::chrono::milliseconds{number_at(event.data, "duration_ms")}, {}};
  if (const auto* keys = event.data.if_contains("keys"); keys && keys->is_object())
    for (const auto& [name, value] : keys->get_object())
      if (value.is_string()) reported.keys[name] = value.get_string();
  return reported;
}

}  // namespace

void Told::apply(const Event& event) {
  calls.insert(text_at(event.data, "call"));
  const auto verb = text_at(event.data, "verb");
  if (verb == "result") {
    auto& known = cases[{text_at(event.data, "suite"), text_at(event.data, "name")}];
    if (!known.outcome.empty()) --outcomes[known.outcome];
    known = case_of(event);
    ++outcomes[known.outcome];
  } else if (verb == "note" || verb == "warn" || verb == "error") {
    annotations.push_back({verb, text_at(event.data, "text"), text_at(event.data, "file")});
  } else if (verb == "metric") {
    const auto* value = event.data.if_contains("value");
    boost::system::error_code no_number;
    const double number = value ? value->to_number<double>(no_number) : 0;
    if (value && !no_number) metrics[text_at(event.data, "name")] = number;
  } else if (verb == "retry") {
    retry_after = std::chrono::milliseconds{number_at(event.data, "after_ms")};
  } else if (verb == "reboot") {
    reboot = text_at(event.data, "why");
  }
}

void Told::apply_found(const Event& event) {
  const auto call = text_at(event.data, "call");
  if (call.empty()) return;
  calls.insert(call);
  const auto bad = number_at(event.data, "failures") + number_at(event.data, "errors");
  handed.total += number_at(event.data, "total");
  handed.bad += bad;
  const auto failed = texts_at(event.data, "failed");
  if (handed.first_bad.empty() && !failed.empty()) handed.first_bad = failed.front();
}

void Told::forget_details() {
  calls.clear();
  cases.clear();
}

std::string Told::last_error() const {
  for (auto each = annotations.rbegin(); each != annotations.rend(); ++each)
    if (each->level == "error") return each->text;
  return {};
}

}  // namespace outpost::job
