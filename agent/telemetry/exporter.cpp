#include "agent/telemetry/exporter.hpp"

#include "agent/base/text.hpp"
#include "agent/base/wakeup.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <random>
#include <utility>

namespace outpost::telemetry {

namespace asio = boost::asio;
using std::chrono::milliseconds;

namespace {

/// Half to all of a limit that doubles: agents that lost the same collector must not come back together.
milliseconds pause_after(unsigned failures, const Patience& patience) {
  const auto limit = std::min(patience.retry_longest, patience.retry_first * (1U << std::min(failures - 1, 16U)));
  static thread_local std::minstd_rand random{std::random_device{}()};
  return milliseconds{std::uniform_int_distribution<std::int64_t>{limit.count() / 2, limit.count()}(random)};
}

}  // namespace

/// All that belongs to one destination. Its coroutines keep it alive, and end when it is closed.
struct Exporter::Line : std::enable_shared_from_this<Line> {
  Line(const Ports& given, const Resource& who, const Patience& how, Destination where)
      : ports{given}, resource{who}, patience{how}, to{std::move(where)}, started{given.clock.now()} {}

  Ports ports;
  Resource resource;
  Patience patience;
  Destination to;
  Timestamp started;
  std::deque<Span> waiting;
  std::size_t travelling = 0;
  std::uint64_t sent = 0, lost = 0;
  bool closed = false;
  unsigned working = 0;
  Wakeup spans_wait{ports.executor}, figures_wait{ports.executor}, ended{ports.executor};
  Timestamp last_contact{};
  std::string problem_of_traces, problem_of_metrics;

  void start() {
    if (to.traces) spawn(send_spans());
    if (to.metrics) spawn(send_figures());
  }

  void close() {
    closed = true;
    spans_wait.notify();
    figures_wait.notify();
  }

  void add(Span span) {
    waiting.push_back(std::move(span));
    keep_bound();
    spans_wait.notify();
  }

 private:
  void spawn(asio::awaitable<void> work) {
    ++working;
    asio::co_spawn(ports.executor, std::move(work), [self = shared_from_this()](std::exception_ptr error) {
      --self->working;
      self->ended.notify();
      if (error) std::rethrow_exception(error);
    });
  }

  void keep_bound() {
    for (; waiting.size() + travelling > patience.queue && !waiting.empty(); waiting.pop_front()) ++lost;
  }

  asio::awaitable<void> send_spans() {
    const auto self = shared_from_this();
    while (!closed) {
      if (waiting.empty()) {
        co_await spans_wait.wait();
        continue;
      }
      co_await rest(spans_wait, patience.gather);
      co_await send_batch();
    }
    while (!waiting.empty()) co_await send_batch();
  }

  /// Waits so long whatever is told meanwhile, but not when it is to end.
  asio::awaitable<void> rest(Wakeup& wakeup, milliseconds limit) {
    const auto until = std::chrono::steady_clock::now() + limit;
    for (auto left = until - std::chrono::steady_clock::now(); !closed && left.count() > 0; left = until - std::chrono::steady_clock::now())
      co_await wakeup.wait(left);
  }

  /// Until it is taken or refused. Once it is closed there is one more try.
  asio::awaitable<void> send_batch() {
    const auto count = std::min(waiting.size(), patience.batch);
    const auto end = waiting.begin() + static_cast<std::ptrdiff_t>(count);
    const std::vector<Span> batch{std::make_move_iterator(waiting.begin()), std::make_move_iterator(end)};
    waiting.erase(waiting.begin(), end);
    travelling = count;
    const std::string body = trace_request(resource, batch);
    for (unsigned failures = 1;; ++failures) {
      const bool last = closed;
      std::string again = body;
      const Receipt receipt = co_await post("/v1/traces", std::move(again));
      tell(problem_of_traces, problem_of_metrics, receipt, "spans");
      if (receipt.kind == Receipt::Kind::later && !last) {
        const auto pause = std::max(receipt.wait.value_or(milliseconds{0}), pause_after(failures, patience));
        co_await rest(spans_wait, pause);
        continue;
      }
      const auto refused = receipt.kind == Receipt::Kind::taken ? std::min<std::uint64_t>(receipt.rejected, count) : count;
      sent += count - refused;
      lost += refused;
      break;
    }
    travelling = 0;
  }

  /// The next figures say what those that got lost had said, so none of them wait.
  asio::awaitable<void> send_figures() {
    const auto self = shared_from_this();
    for (bool last = false; !last;) {
      last = closed;
      std::string body = metric_request(resource, ports.figures(), started, ports.clock.now());
      const Receipt receipt = co_await post("/v1/metrics", std::move(body));
      tell(problem_of_metrics, problem_of_traces, receipt, "figures");
      const auto pause = std::max(to.interval, receipt.wait.value_or(milliseconds{0}));
      if (!last) co_await rest(figures_wait, pause);
    }
  }

  asio::awaitable<Receipt> post(std::string_view path, std::string body) {
    http::Request request{.method = "POST", .url = to.url + std::string{path}, .headers = to.headers, .body = std::move(body)};
    request.headers.set("Content-Type", "application/json");
    request.idle_timeout = patience.answer;
    request.response_limit = 64 * 1024;
    const auto client = to.client;
    const auto response = co_await client->send(std::move(request));
    if (response) last_contact = ports.clock.now();
    co_return receipt_of(response, ports.clock.now());
  }

  /// One line when it begins to go wrong, another when it is well again. Spans and figures that fail alike are one story.
  void tell(std::string& own, const std::string& other, const Receipt& receipt, const std::string& what) {
    std::string problem = receipt.kind == Receipt::Kind::taken && receipt.rejected == 0 ? "" : printable(receipt.message, 300);
    if (receipt.rejected > 0) problem = "it refused " + std::to_string(receipt.rejected) + " " + what + (problem.empty() ? "" : ": " + problem);
    const bool was_wrong = !own.empty();
    own = std::move(problem);
    const std::string collector = "metrics.otlp: the collector " + to.url;
    if (!own.empty() && !was_wrong && own != other)
      ports.warn(collector + " does not take " + what + ": " + own + (receipt.kind == Receipt::Kind::later ? " (it is tried again; jobs do not wait for it)" : ""));
    if (own.empty() && was_wrong && other.empty()) ports.notice(collector + " takes " + what + " again; " + std::to_string(lost) + " spans were lost so far");
  }
};

Exporter::Exporter(Ports ports, Resource resource, Patience patience)
    : ports_{std::move(ports)}, resource_{std::move(resource)}, patience_{patience} {}

Exporter::~Exporter() {
  if (line_) line_->close();
}

void Exporter::go_on_with(std::optional<Destination> destination) {
  auto before = std::exchange(line_, nullptr);
  if (destination) {
    line_ = std::make_shared<Line>(ports_, resource_, patience_, std::move(*destination));
    if (before) {
      line_->started = before->started;
      line_->sent = before->sent;
      line_->lost = before->lost;
      if (line_->to.url == before->to.url) {  // What is known of it need not be told again.
        line_->last_contact = before->last_contact;
        line_->problem_of_traces = before->problem_of_traces;
        line_->problem_of_metrics = before->problem_of_metrics;
      }
      if (line_->to.traces) line_->waiting.swap(before->waiting);
    }
    line_->start();
  }
  if (!before) return;
  before->waiting.clear();
  before->close();
}

bool Exporter::takes_spans() const { return line_ && line_->to.traces; }

void Exporter::add(Span span) {
  if (takes_spans()) line_->add(std::move(span));
}

boost::json::object Exporter::status() const {
  if (!line_) return {};
  const bool contact = line_->last_contact != Timestamp{};
  return {{"url", line_->to.url},
          {"traces", line_->to.traces},
          {"metrics", line_->to.metrics},
          {"spans_waiting", line_->waiting.size() + line_->travelling},
          {"spans_sent", line_->sent},
          {"spans_lost", line_->lost},
          {"last_contact", contact ? boost::json::value(to_rfc3339(line_->last_contact)) : boost::json::value(nullptr)},
          {"last_error", line_->problem_of_traces.empty() ? line_->problem_of_metrics : line_->problem_of_traces}};
}

asio::awaitable<void> Exporter::stop() {
  const auto line = std::exchange(line_, nullptr);
  if (!line) co_return;
  line->close();
  const auto until = std::chrono::steady_clock::now() + patience_.farewell;
  for (auto left = until - std::chrono::steady_clock::now(); line->working > 0 && left.count() > 0; left = until - std::chrono::steady_clock::now())
    co_await line->ended.wait(left);
}

}  // namespace outpost::telemetry
