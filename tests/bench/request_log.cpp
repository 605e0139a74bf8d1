#include "bench/request_log.hpp"

#include "agent/base/clock.hpp"
#include "agent/job/event.hpp"

#include <boost/json/parse.hpp>

#include <stdexcept>

namespace outpost::bench {

std::vector<Logged> RequestLog::take() {
  std::ifstream file{path_};
  file.seekg(offset_);
  std::vector<Logged> requests;
  for (std::string line; std::getline(file, line) && !file.eof();) {
    offset_ += static_cast<std::streamoff>(line.size()) + 1;
    const auto json = boost::json::parse(line).as_object();
    const auto time = parse_rfc3339(job::text_at(json, "time"));
    if (!time) throw std::runtime_error{"a line of the request log without a time: " + line};
    Logged request;
    request.method = job::text_at(json, "method");
    request.target = job::text_at(json, "target");
    request.status = static_cast<int>(job::number_at(json, "status"));
    request.end = std::chrono::duration<double>{time->time_since_epoch()}.count();
    request.begin = request.end - json.at("ms").to_number<double>() / 1e3;
    request.request_bytes = static_cast<std::uint64_t>(job::number_at(json, "request_bytes"));
    requests.push_back(std::move(request));
  }
  return requests;
}

}  // namespace outpost::bench
