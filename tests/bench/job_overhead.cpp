// What a job costs whose steps do nothing: outpostd and the sample control server, as they are, on loopback.
#include "agent/http/beast/beast_client.hpp"
#include "agent/job/event_types.hpp"
#include "agent/journal/sqlite/sqlite_journal.hpp"
#include "bench/bare_job.hpp"
#include "bench/benchmarks.hpp"
#include "bench/row.hpp"
#include "bench/settings.hpp"
#include "support/await.hpp"

#include <algorithm>
#include <thread>

namespace outpost::bench {
namespace {

namespace fs = std::filesystem;
namespace event = job::event;
using namespace std::chrono_literals;

constexpr int warm_up = 5, count = 100;

/// The lab, with an agent that looks for new components only when it is asked to.
class Lab {
 public:
  Lab() : log_{lab_.directory.path / "requests.log"} {
    auto client = http::make_beast_client({});
    if (!client) throw std::runtime_error{client.error().message};
    client_ = std::move(*client);
    write_settings(lab_, "1d");
    lab_.start_agent();
    lab_.until("outpostd's first poll", [&] { return is_up(); });
  }

  /// Feeds a component and waits for the end of its job. Returns the requests that the agent made for it.
  std::vector<Logged> run_job(const std::string& version) {
    component_ = lab_.feed(version, {});
    log_.take();
    http::Request poll;
    poll.method = "POST";
    poll.url = "http://localhost/api/v1/poll";
    poll.unix_socket = (lab_.directory.path / "agent/run/api.sock").string();
    if (const auto answer = test::await(loop_, client_->send(std::move(poll))); !answer || answer->status != 202)
      throw std::runtime_error{"outpostd does not poll: " + (answer ? answer->body : answer.error().message)};
    std::vector<Logged> requests;
    const auto claims = [](const Logged& request) { return request.target.starts_with("/api/v1/jobs"); };
    lab_.until("the end of a job", [&] {
      // The agent is left alone while it works: it is asked only when it has been quiet for a while.
      auto more = log_.take();
      if (!more.empty()) std::this_thread::sleep_for(40ms);
      requests.insert(requests.end(), more.begin(), more.end());
      return more.empty() && std::any_of(requests.begin(), requests.end(), claims) && has_nothing_to_do();
    });
    requests.erase(requests.begin(), std::find_if(requests.begin(), requests.end(), claims));
    return requests;
  }

  /// The agent's events of one type, once it has been stopped.
  std::vector<job::Event> stop_and_read(const std::vector<std::string>& types) {
    lab_.stop_agent(SIGTERM);
    const SystemClock clock;
    auto journal =
        journal::SqliteJournal::open(lab_.directory.path / "agent/state/journal.db", {}, clock, loop_.get_executor());
    if (!journal) throw std::runtime_error{journal.error().message};
    const auto events = (*journal)->read({.types = types, .limit = 100'000});
    if (!events) throw std::runtime_error{events.error().message};
    return *events;
  }

  [[nodiscard]] BareClient bare_client() { return {lab_.url, {"remoteci/" + lab_.remoteci, lab_.secret}}; }
  [[nodiscard]] const std::string& topic() const { return lab_.topic; }
  [[nodiscard]] const std::string& component() const { return component_; }

 private:
  bool is_up() {
    if (!lab_.agent_is_running()) throw std::runtime_error{"outpostd ended: " + lab_.agent_log()};
    if (!fs::exists(lab_.directory.path / "agent/run/api.sock")) return false;
    return !lab_.status().at("sources").at(0).at("last_poll").is_null();
  }

  bool has_nothing_to_do() {
    const auto status = lab_.status();
    const auto& jobs = status.at("jobs").as_object();
    return jobs.at("running").as_array().empty() && jobs.at("waiting").as_array().empty() &&
           status.at("reporters").at(0).at("waiting").to_number<int>() == 0;
  }

  test::SampleLab lab_;
  RequestLog log_;
  boost::asio::io_context loop_;
  std::unique_ptr<http::Client> client_;
  std::string component_;
};

/// Where the time of the jobs went, in milliseconds.
struct Times {
  std::vector<double> whole, claim, run, rest, server, bare;
};

double seconds_of(const job::Event& event) {
  return std::chrono::duration<double>{event.occurred_at.time_since_epoch()}.count();
}

/// A job begins when its claim is journaled and ends with the server's answer to its last request.
void add_job(Times& times, const std::vector<Logged>& requests, const job::Event* events) {
  double last = 0, served = 0;
  for (const auto& request : requests) {
    if (request.status >= 400 && !is_optional(request.target))
      throw std::runtime_error{request.method + " " + request.target + " was answered with " +
                               std::to_string(request.status)};
    if (request.writes()) last = std::max(last, request.end);
    served += request.end - request.begin;
  }
  const double begin = seconds_of(events[0]), granted = seconds_of(events[1]), ended = seconds_of(events[2]);
  times.whole.push_back((last - begin) * 1e3);
  times.claim.push_back((granted - begin) * 1e3);
  times.run.push_back((ended - granted) * 1e3);
  times.rest.push_back((last - ended) * 1e3);
  times.server.push_back(served * 1e3);
}

}  // namespace

void job_overhead() {
  Lab lab;
  std::vector<std::vector<std::string>> steps;
  for (const char* stage : {"acquire", "pre-run", "install", "certify", "test", "collect", "release", "cleanup"})
    steps.push_back({OUTPOST_SOURCE_DIR "/samples/plugins/noop/hooks/" + std::string{stage}});
  BareClient client = lab.bare_client();
  Times times;
  std::vector<std::vector<Logged>> requests;
  for (int i = 0; i < warm_up + count; ++i) {
    requests.push_back(lab.run_job("1." + std::to_string(i)));
    // Job and floor by turns, so that both see the same machine and the same server.
    const double bare = run_bare_job(client, steps, requests.back(), lab.topic(), lab.component());
    if (i >= warm_up) times.bare.push_back(bare * 1e3);
  }
  const auto events = lab.stop_and_read(
      {std::string{event::claim_requested}, std::string{event::claim_granted}, std::string{event::job_ended}});
  if (events.size() != 3 * requests.size())
    throw std::runtime_error{"the journal does not hold the jobs that were run"};
  for (std::size_t i = warm_up; i < requests.size(); ++i) add_job(times, requests[i], &events[3 * i]);
  print({"job_overhead", "ms", median(times.whole), median(times.bare), "ours <= 25",
         "8 steps, " + std::to_string(requests.back().size()) + " requests, median of " + std::to_string(count) +
             "; fastest " + format(quantile(times.whole, 0)) + ", p95 " + format(quantile(times.whole, 0.95)) + "; claim " + format(median(times.claim)) +
             ", to the job's end " + format(median(times.run)) + ", last answer " + format(median(times.rest)) +
             " after it; the server worked " + format(median(times.server))});
}

}  // namespace outpost::bench
