#pragma once

#include <string>
#include <string_view>

/// Ids of W3C trace context (https://www.w3.org/TR/trace-context/): a job is a trace, its stages and steps are spans of it.
/// They are made of our own ids, so nobody has to keep them.
namespace outpost::job {

/// 32 hexadecimal digits.
[[nodiscard]] std::string trace_id_of(std::string_view job_id);
/// 16 hexadecimal digits.
[[nodiscard]] std::string span_id_of_job(std::string_view job_id);
[[nodiscard]] std::string span_id_of_stage(std::string_view job_id, std::string_view stage);
[[nodiscard]] std::string span_id_of_step(std::string_view job_id, std::string_view step_id);

/// What a step gets as TRACEPARENT, so that spans of its own hang below its span.
[[nodiscard]] std::string traceparent_of(std::string_view job_id, std::string_view step_id);

}  // namespace outpost::job
