#include "agent/pipeline/usage_watch.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

namespace outpost::pipeline {

namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

/// Only the worker that looks touches it, and there is one look at a time.
struct Kept {
  fs::path file;
  std::size_t most;
  std::vector<UsageSample> samples;
  bool is_read = false;
  unsigned thinned = 0;  ///< So many times every second sample was dropped.

  void read() {
    if (std::exchange(is_read, true)) return;
    samples = read_usage(file);
    if (samples.empty()) {
      std::error_code ignored;
      fs::create_directories(file.parent_path(), ignored);
    }
  }

  void add(UsageSample sample) {
    samples.push_back(sample);
    if (samples.size() < most) {
      std::ofstream{file, std::ios::app} << to_line(sample) << '\n';
      return;
    }
    for (std::size_t index = 0; 2 * index < samples.size(); ++index) samples[index] = samples[2 * index];
    samples.resize((samples.size() + 1) / 2);
    ++thinned;
    // Readers see the old file or the new one.
    const fs::path draft = file.string() + ".new";
    std::ofstream whole{draft, std::ios::trunc};
    for (const auto& each : samples) whole << to_line(each) << '\n';
    whole.close();
    std::error_code ignored;
    if (whole) fs::rename(draft, file, ignored);
  }
};

}  // namespace

std::string to_line(const UsageSample& sample) {
  std::string line = std::to_string(sample.at_ms);
  for (const auto& value : {sample.usage.cpu_us, sample.usage.memory, sample.usage.tasks, sample.workspace})
    line += value ? " " + std::to_string(*value) : " -";
  return line;
}

std::optional<UsageSample> usage_sample_in(const std::string& line) {
  UsageSample sample;
  std::istringstream words{line};
  if (!(words >> sample.at_ms)) return std::nullopt;
  for (auto* value : {&sample.usage.cpu_us, &sample.usage.memory, &sample.usage.tasks, &sample.workspace}) {
    std::string word;
    if (!(words >> word)) return std::nullopt;
    if (word == "-") continue;
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (error != std::errc{} || end != word.data() + word.size()) return std::nullopt;
    *value = number;
  }
  return sample;
}

std::vector<UsageSample> read_usage(const fs::path& file) {
  constexpr std::size_t most = 10'000;  // Of a file that somebody else has written.
  std::vector<UsageSample> samples;
  std::ifstream text{file};
  for (std::string line; samples.size() < most && std::getline(text, line);)
    if (const auto sample = usage_sample_in(line)) samples.push_back(*sample);
  return samples;
}

struct UsageWatch::State {
  Workers& workers;
  const Clock& clock;
  Options options;
  Find find;
  Workspace workspace;
  asio::steady_timer timer;
  std::shared_ptr<Kept> kept;  ///< A worker may still be at it when all else is gone.
  bool stopped = false;
};

UsageWatch::UsageWatch(const asio::any_io_executor& loop, Workers& workers, const Clock& clock, Options options, Find find, Workspace workspace) {
  auto kept = std::make_shared<Kept>(Kept{.file = options.file, .most = options.most, .samples = {}});
  state_ = std::make_shared<State>(State{workers, clock, std::move(options), std::move(find), std::move(workspace), asio::steady_timer{loop}, std::move(kept)});
  asio::co_spawn(loop, look_regularly(state_), asio::detached);
}

UsageWatch::~UsageWatch() {
  state_->stopped = true;
  state_->timer.cancel();
}

asio::awaitable<void> UsageWatch::look_regularly(std::shared_ptr<State> state) {
  process::Probe probe;
  for (auto wait = state->options.first;; wait = state->options.interval * (1 << std::min(state->kept->thinned, 20U))) {
    state->timer.expires_after(wait);
    co_await state->timer.async_wait(asio::as_tuple(asio::use_awaitable));
    if (state->stopped) co_return;
    if (!probe) probe = state->find();
    if (!probe) continue;
    const auto at = std::chrono::duration_cast<std::chrono::milliseconds>(state->clock.now().time_since_epoch());
    auto look = [kept = state->kept, probe, at, workspace = state->workspace()] {
      const auto usage = probe();
      if (!usage) return false;
      kept->read();
      kept->add({.at_ms = at.count(), .usage = *usage, .workspace = workspace});
      return true;
    };
    const bool is_there = co_await state->workers.run(std::move(look));
    if (state->stopped) co_return;
    if (!is_there) probe = nullptr;  // What runs under its name next is another one.
  }
}

}  // namespace outpost::pipeline
