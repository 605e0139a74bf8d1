#include "bench/bare_job.hpp"

#include "agent/http/url.hpp"
#include "agent/job/event.hpp"
#include "bench/child.hpp"
#include "bench/row.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <array>
#include <regex>
#include <stdexcept>

namespace outpost::bench {
namespace {

namespace json = boost::json;

/// The requests of one job, made anew for another.
class Repetition {
 public:
  Repetition(BareClient& client, std::string topic, std::string component)
      : client_{client}, topic_{std::move(topic)}, component_{std::move(component)} {}

  void repeat(const Logged& request) {
    const std::string target = target_of(request);
    if (target.starts_with("/object-store/")) {
      client_.get_unsigned(redirect_);  // The log does not show the signature that is a part of it.
    } else if (!request.writes()) {
      const std::string location = client_.send(request.method, target, {}).location;
      if (const auto url = http::parse_url(location)) redirect_ = url->target;
    } else if (target == "/api/v1/files") {
      const std::string content(request.request_bytes, 'x');
      client_.send(request.method, target, content,
                   {{"DCI-NAME", "log-" + std::to_string(number_++)},
                    {"DCI-JOB-ID", job_},
                    {"DCI-MIME", "text/plain"},
                    {"Content-Type", "application/octet-stream"}});
    } else {
      const std::string answer = client_
                                     .send(request.method, target, padded(body_of(request), request.request_bytes),
                                           {{"Content-Type", "application/json"}})
                                     .body;
      if (target == "/api/v1/jobs") job_ = job::text_at(json::parse(answer).at("job").as_object(), "id");
    }
  }

 private:
  [[nodiscard]] std::string target_of(const Logged& request) const {
    // "$01", not "$1": the id may begin with a digit.
    static const std::regex of_a_job{"^(/api/v1/jobs/)[0-9a-f-]{36}"};
    return std::regex_replace(request.target, of_a_job, "$01" + job_);
  }

  json::object body_of(const Logged& request) {
    static constexpr std::array<const char*, 5> states{"new", "pre-run", "running", "post-run", "success"};
    if (request.target == "/api/v1/jobs")
      return {{"topic_id", topic_}, {"components", json::array{component_}}, {"name", "bare"}};
    if (request.target == "/api/v1/jobstates")
      return {{"job_id", job_}, {"status", states.at(state_++)}, {"comment", ""}};
    if (request.target.ends_with("/kv")) return {{"key", "key" + std::to_string(number_++)}, {"value", 1.5}};
    throw std::runtime_error{"the floor does not know what to send with " + request.method + " " + request.target};
  }

  /// Blanks at the end of JSON mean nothing.
  static std::string padded(const json::object& body, std::uint64_t size) {
    std::string text = json::serialize(body);
    if (text.size() < size) text.resize(size, ' ');
    return text;
  }

  BareClient& client_;
  std::string topic_, component_, job_, redirect_;
  std::size_t state_ = 0;
  unsigned number_ = 0;
};

}  // namespace

double run_bare_job(BareClient& client, const std::vector<std::vector<std::string>>& steps,
                    const std::vector<Logged>& requests, const std::string& topic, const std::string& component) {
  Repetition repetition{client, topic, component};
  const Stopwatch watch;
  for (const auto& step : steps) run_child(step);
  for (const auto& request : requests) repetition.repeat(request);
  return watch.seconds();
}

}  // namespace outpost::bench
