// The loop behind a reporter: how soon it gets going with a long backlog, and what a long line to the server costs.
#include "agent/base/hash.hpp"
#include "agent/delivery/dispatcher.hpp"
#include "agent/http/beast/beast_client.hpp"
#include "agent/http/url.hpp"
#include "agent/journal/sqlite/sqlite_journal.hpp"
#include "bench/bare_client.hpp"
#include "bench/benchmarks.hpp"
#include "bench/delay_proxy.hpp"
#include "bench/row.hpp"
#include "integration/sample_lab.hpp"
#include "plugins/dci/dci.hpp"
#include "plugins/dci/expand.hpp"
#include "support/await.hpp"
#include "support/temporary_directory.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <atomic>
#include <cstdio>
#include <optional>
#include <thread>

namespace outpost::bench {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
namespace fs = std::filesystem;

constexpr std::size_t backlog = 10'000, files = 1300, file_size = 10UL * 1024, at_once = 8;
constexpr std::chrono::milliseconds one_way{25};

std::unique_ptr<journal::SqliteJournal> open_journal(const fs::path& directory, const Clock& clock,
                                                     asio::io_context& loop) {
  auto opened =
      journal::SqliteJournal::open(directory / "journal.db", {"bench", "boot", "0"}, clock, loop.get_executor());
  if (!opened) throw std::runtime_error{opened.error().message};
  return std::move(*opened);
}

template <class T>
T good(Result<T> result) {
  if (!result) throw std::runtime_error{result.error().message};
  return std::move(*result);
}

/// Registers the reporter "dci" with these items, as if they had come from the journal's first event.
void fill(journal::SqliteJournal& journal, asio::io_context& loop, std::vector<journal::Item> items) {
  std::vector<job::Event> drafts(1);
  drafts[0].type = "agent.started";
  const auto events = good(test::await(loop, journal.append(std::move(drafts))));
  if (auto filled = test::await(loop, journal.expand("dci", events.front().seq, std::move(items))); !filled)
    throw std::runtime_error{filled.error().message};
}

/// Says when the first item comes, and never answers.
struct SilentReporter final : pipeline::Reporter {
  std::function<void()> asked;
  [[nodiscard]] std::string_view type() const override { return "silent"; }
  [[nodiscard]] std::vector<journal::Item> expand(const job::Event&, const job::Story&) const override { return {}; }
  asio::awaitable<pipeline::Outcome> send(const journal::Item&, const pipeline::Refs&) override {
    asked();
    asio::steady_timer never{co_await asio::this_coro::executor, asio::steady_timer::time_point::max()};
    co_await never.async_wait(asio::use_awaitable);
    co_return pipeline::RetryAfter{};
  }
  asio::awaitable<Result<std::optional<std::string>>> find(const journal::Item&, const pipeline::Refs&) override {
    co_return std::optional<std::string>{};
  }
};

/// The pieces of 40 logs, each after the one before, in the state they belong to.
std::vector<journal::Item> waiting_items() {
  std::vector<journal::Item> items;
  for (std::size_t i = 0; i < backlog; ++i) {
    journal::Item item;
    item.job_id = "job-" + std::to_string(i % 40);
    const std::string state = item.job_id + "/state/running";
    item.key = i < 40 ? state : item.job_id + "/log/" + std::to_string(i / 40);
    item.kind = i < 40 ? "state" : "log";
    item.body = {{"job", "00000000-0000-4000-8000-000000000001"}, {"log", "install/acme/install.log"}, {"offset", i}};
    if (i >= 40) {
      item.needs = {state};
      item.blob = job::Blob{"steps/install.acme/output.log", std::string(64, 'a'), 4096, "text/plain", "", {}};
    }
    if (i >= 80) item.follows = {item.job_id + "/log/" + std::to_string(i / 40 - 1)};
    items.push_back(std::move(item));
  }
  return items;
}

/// Turns the loop once and again; the longest time between two of its turns is how long others had to wait.
asio::awaitable<void> watch_loop(double& longest) {
  const auto loop = co_await asio::this_coro::executor;
  for (;;) {
    const Stopwatch turn;
    co_await asio::post(loop, asio::use_awaitable);
    longest = std::max(longest, turn.milliseconds());
  }
}

struct Started {
  double seconds = 0, pause = 0;
};

Started start_dispatcher(const fs::path& directory, const Clock& clock) {
  asio::io_context loop;
  Started started;
  const Stopwatch watch;
  const auto journal = open_journal(directory, clock, loop);
  SilentReporter reporter;
  delivery::Dispatcher dispatcher{"dci",
                                  *journal,
                                  *journal,
                                  reporter,
                                  clock,
                                  loop.get_executor(),
                                  delivery::system_timing(loop.get_executor()),
                                  delivery::Options{},
                                  [](const delivery::Alarm&) {}};
  reporter.asked = [&] {
    if (started.seconds == 0) started.seconds = watch.seconds();
    loop.stop();
  };
  asio::cancellation_signal stop, enough;
  bool stopped = false;
  asio::co_spawn(loop, watch_loop(started.pause),
                 asio::bind_cancellation_slot(enough.slot(), [](std::exception_ptr) {}));
  asio::co_spawn(loop, dispatcher.run(),
                 asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr) { stopped = true; }));
  loop.run();
  const double pause = started.pause;
  loop.restart();
  stop.emit(asio::cancellation_type::terminal);
  while (!stopped) loop.run_one();
  enough.emit(asio::cancellation_type::terminal);
  loop.poll();
  started.pause = pause;
  return started;
}

dci::Credentials who(const test::SampleLab& lab) {
  auto made = dci::make_credentials("remoteci/" + lab.remoteci, lab.secret);
  return good(std::move(made));
}

std::string make_job(const test::SampleLab& lab) {
  BareClient client{lab.url, who(lab)};
  const json::object body{{"topic_id", lab.topic}, {"components", json::array{}}, {"name", "bench"}};
  const auto answer =
      client.send("POST", "/api/v1/jobs", json::serialize(body), {{"Content-Type", "application/json"}});
  return std::string{json::parse(answer.body).at("job").at("id").as_string()};
}

std::vector<journal::Item> small_items(const fs::path& directory, const std::string& job) {
  std::vector<journal::Item> items;
  fs::create_directories(directory / "local");
  for (std::size_t i = 0; i < files; ++i) {
    const std::string name = "file-" + std::to_string(i), content = name + std::string(file_size - name.size(), 'x');
    test::write_file(directory / "local" / name, content);
    journal::Item item;
    item.key = "artifact/" + name;
    item.job_id = "local";
    item.kind = dci::kind::artifact;
    item.body = {{"job", job}, {"name", name}, {"mime", "text/plain"}};
    item.blob = job::Blob{name, sha256_hex(content), content.size(), "text/plain", "", {}};
    items.push_back(std::move(item));
  }
  return items;
}

asio::awaitable<bool> until_idle(delivery::Dispatcher& dispatcher) {
  co_await dispatcher.idle();
  co_return true;
}

/// All of the files by the agent's own parts, from disk and journal to the server's answer to the last one.
double deliver(const test::SampleLab& lab, const std::string& url, const std::string& job) {
  const test::TemporaryDirectory directory;
  asio::io_context loop;
  const SystemClock clock;
  Workers workers;
  const auto journal = open_journal(directory.path, clock, loop);
  fill(*journal, loop, small_items(directory.path, job));
  auto client = good(http::make_beast_client({}));
  dci::ReporterSettings settings{
      .source = "dci", .upload_limit = {}, .job_directory = [&](const std::string& id) { return directory.path / id; }};
  auto reporter = good(dci::make_reporter({url, who(lab)}, std::move(settings), *client, workers, clock));
  delivery::Options options;
  options.parallel = at_once;
  std::string trouble;
  delivery::Dispatcher dispatcher{"dci",
                                  *journal,
                                  *journal,
                                  *reporter,
                                  clock,
                                  loop.get_executor(),
                                  delivery::system_timing(loop.get_executor()),
                                  options,
                                  [&](const delivery::Alarm& alarm) { trouble = alarm.message; }};
  asio::cancellation_signal stop;
  bool stopped = false;
  const Stopwatch watch;
  asio::co_spawn(loop, dispatcher.run(),
                 asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr) { stopped = true; }));
  test::await(loop, until_idle(dispatcher), std::chrono::minutes{5});
  const double seconds = watch.seconds();
  const auto status = dispatcher.status();
  stop.emit(asio::cancellation_type::terminal);
  while (!stopped) loop.run_one();
  if (status.delivered != files)
    throw std::runtime_error{std::to_string(status.delivered) + " files were delivered: " + trouble};
  return seconds;
}

/// The same files by blocking clients on threads of their own, which read no disk and keep no books.
double send_bare(const test::SampleLab& lab, const std::string& url, const std::string& job) {
  std::atomic<std::size_t> next{0};
  std::atomic<bool> failed{false};
  const std::string content(file_size, 'x');
  const Stopwatch watch;
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < at_once; ++i)
    threads.emplace_back([&] {
      try {
        BareClient client{url, who(lab)};
        for (auto mine = next++; mine < files; mine = next++)
          client.send("POST", "/api/v1/files", content,
                      {{"DCI-NAME", "bare-" + std::to_string(mine)},
                       {"DCI-JOB-ID", job},
                       {"DCI-MIME", "text/plain"},
                       {"Content-Type", "text/plain"}});
      } catch (const std::exception& error) {
        std::fprintf(stderr, "outpost-bench: %s\n", error.what());
        failed = true;
      }
    });
  for (auto& thread : threads) thread.join();
  if (failed) throw std::runtime_error{"the bare clients did not get through"};
  return watch.seconds();
}

}  // namespace

void backlog_start() {
  const test::TemporaryDirectory directory;
  const SystemClock clock;
  {
    asio::io_context loop;
    fill(*open_journal(directory.path, clock, loop), loop, waiting_items());
  }
  std::vector<double> seconds, pauses, floor;
  for (int run = 0; run < 5; ++run) {
    {
      asio::io_context loop;
      const Stopwatch watch;
      const auto journal = open_journal(directory.path, clock, loop);
      if (good(journal->open("dci")).size() != backlog) throw std::runtime_error{"the backlog is not what was written"};
      floor.push_back(watch.seconds());
    }
    const auto started = start_dispatcher(directory.path, clock);
    seconds.push_back(started.seconds);
    pauses.push_back(started.pause);
  }
  print(
      {"backlog_start", "s", median(seconds), median(floor), "ours < 1",
       "from opening the journal to the first of 10000 waiting items at the reporter, median of 5; the floor opens it "
       "and reads the rows in one go"});
  print({"backlog_pause", "ms", quantile(pauses, 1), std::nullopt, "ours < 20",
         "the longest time that others of the loop had to wait meanwhile, in 5 runs"});
}

void small_files() {
  test::SampleLab lab;
  const auto server = http::parse_url(lab.url);
  if (!server) throw std::runtime_error{server.error().message};
  const DelayProxy far{server->port, one_way};
  const double floor = send_bare(lab, far.url(), make_job(lab));
  const unsigned before = far.connections();
  const double ours = deliver(lab, far.url(), make_job(lab));
  print({"small_files", "s", ours, floor, "ours <= 12",
         "1300 files of 10 KiB, 8 at a time, 50 ms there and back, on " + std::to_string(far.connections() - before) +
             " connections; the floor is 8 blocking clients without disk"});
}

}  // namespace outpost::bench
