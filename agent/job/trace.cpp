#include "agent/job/trace.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"

namespace outpost::job {
namespace {

std::string span_id(std::string_view of) { return sha256_hex(of).substr(0, 16); }

std::string span_id_in(std::string_view job_id, std::string_view part) {
  return span_id(std::string{job_id} + "/" + std::string{part});
}

}  // namespace

std::string trace_id_of(std::string_view job_id) {
  std::string digits = replace_all(std::string{job_id}, "-", "");
  const bool is_uuid = digits.size() == 32 && digits.find_first_not_of("0123456789abcdef") == std::string::npos;
  return is_uuid ? digits : sha256_hex(job_id).substr(0, 32);
}

std::string span_id_of_job(std::string_view job_id) { return span_id(job_id); }

std::string span_id_of_stage(std::string_view job_id, std::string_view stage) { return span_id_in(job_id, stage); }

/// Jobs have steps of the same ids; a store of traces may take a span id for unique.
std::string span_id_of_step(std::string_view job_id, std::string_view step_id) { return span_id_in(job_id, step_id); }

std::string traceparent_of(std::string_view job_id, std::string_view step_id) {
  return "00-" + trace_id_of(job_id) + "-" + span_id_of_step(job_id, step_id) + "-01";
}

}  // namespace outpost::job
