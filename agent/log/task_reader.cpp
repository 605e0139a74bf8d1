#include "agent/log/task_reader.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/sync.hpp"
#include "agent/base/text.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>

namespace outpost::log {
namespace {

namespace json = boost::json;

constexpr std::size_t chunk_size = std::size_t{256} << 10;
constexpr std::size_t one_turn = std::size_t{8} << 20;
constexpr std::size_t longest_line = std::size_t{1} << 20;
constexpr std::size_t longest_name = 1000;
constexpr std::uint64_t task_limit = std::uint64_t{2} << 20;   ///< Bytes of one task's output.
constexpr std::uint64_t step_limit = std::uint64_t{64} << 20;  ///< Of all tasks of a step.
constexpr unsigned most_tasks = 10'000;
constexpr std::size_t most_at_once = 200;

constexpr std::array<std::string_view, 6> results{"ok", "changed", "skipped", "ignored", "unreachable", "failed"};

bool is_result(std::string_view text) { return std::find(results.begin(), results.end(), text) != results.end(); }

double time_at(const json::object& fact) {
  const auto* at = fact.if_contains("at");
  return at && at->is_double() && std::isfinite(at->get_double()) ? at->get_double() : 0;
}

json::object hosts_of(const json::object& fact) {
  json::object hosts;
  const auto* told = fact.if_contains("hosts");
  if (!told || !told->is_object()) return hosts;
  for (const auto result : results)
    if (const auto count = job::number_at(told->get_object(), result); count > 0) hosts[result] = count;
  return hosts;
}

}  // namespace

/// The task that has begun and not ended.
struct TaskReader::Open {
  std::string name;
  double began = 0;
  std::uint64_t offset = 0, size = 0, left_out = 0;
  Sha256 hash;
};

TaskReader::TaskReader(std::filesystem::path stream, Place place, Redactor redactor, Progress progress)
    : path_{std::move(stream)},
      place_{std::move(place)},
      redactor_{std::move(redactor)},
      progress_{progress},
      position_{progress.stream} {}
TaskReader::~TaskReader() = default;
TaskReader::TaskReader(TaskReader&&) noexcept = default;

Result<TaskReader::News> TaskReader::read(bool last) {
  std::size_t turn = 0;
  news_.more = false;
  if (!given_up_ && open_stream()) {
    if (stream_.size() < position_) give_up("its report of tasks is shorter than it was; the rest of them is only in the log");
    for (take_lines(); !given_up_ && !full() && turn < one_turn; take_lines()) {
      const std::string bytes = stream_.read(position_, chunk_size);
      if (bytes.empty()) break;
      position_ += bytes.size();
      turn += bytes.size();
      rest_ += bytes;
    }
    news_.more = !given_up_ && (full() || turn >= one_turn);
  }
  if (last && !news_.more && open_) end("interrupted", {}, position_);
  if (last && !news_.more && nonsense_ > 0)
    problems_.push_back(std::to_string(std::exchange(nonsense_, 0)) + " lines of its report of tasks make no sense");
  if (auto synced = sync(); !synced) return synced.error();
  News news = std::exchange(news_, {});
  if (open_) news.running = open_->name;
  return news;
}

bool TaskReader::full() const { return news_.ended.size() >= most_at_once; }

void TaskReader::give_up(std::string why) {
  given_up_ = true;
  problems_.push_back(std::move(why));
}

bool TaskReader::open_stream() {
  if (stream_.is_open()) return true;
  stream_ = File::open(path_, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!stream_.is_open()) return false;
  struct stat status{};
  if (::fstat(stream_.descriptor(), &status) == 0 && S_ISREG(status.st_mode)) {
    output_ = File::open(place_.directory() / (place_.step + ".tasks"), O_WRONLY | O_CREAT | O_NOFOLLOW, 0640);
    // What an agent wrote that died before it told of it.
    if (output_.is_open() && output_.truncate(progress_.output)) return true;
    give_up(errno_error("its tasks are not reported one by one: cannot write", place_.step + ".tasks", errno).message);
  } else {
    give_up("its report of tasks is not a file");
  }
  return false;
}

void TaskReader::take_lines() {
  const std::uint64_t offset = position_ - rest_.size();
  std::size_t done = 0;
  while (!given_up_ && !full()) {
    const auto end = rest_.find('\n', done);
    if (end == std::string::npos) break;
    if (!skipping_) take_line(std::string_view{rest_}.substr(done, end - done), offset + done);
    skipping_ = false;
    done = end + 1;
  }
  rest_.erase(0, done);
  if (rest_.size() <= longest_line || rest_.find('\n') != std::string::npos) return;
  nonsense_ += skipping_ ? 0 : 1;
  skipping_ = true;
  rest_.clear();
}

void TaskReader::take_line(std::string_view line, std::uint64_t offset) {
  boost::system::error_code broken;
  const auto parsed = json::parse(line, broken);
  const auto* fact = broken ? nullptr : parsed.if_object();
  if (!fact) {
    ++nonsense_;
  } else if (const auto* name = fact->if_contains("start"); name && name->is_string()) {
    if (open_) end("interrupted", {}, offset);
    begin(name->get_string(), time_at(*fact));
  } else if (const auto* text = fact->if_contains("out"); text && text->is_string()) {
    if (open_) write(redactor_.feed(text->get_string()));
  } else if (fact->contains("end")) {
    const std::string result = job::text_at(*fact, "end");
    if (open_) end(is_result(result) ? result : "ok", *fact, offset + line.size() + 1);
  } else {
    ++nonsense_;
  }
}

void TaskReader::begin(std::string_view name, double at) {
  if (progress_.tasks >= most_tasks)
    return give_up("only its first " + std::to_string(most_tasks) + " tasks are reported one by one; the log has all");
  open_ = std::make_unique<Open>();
  open_->name = printable(redactor_.redact(name), longest_name);
  open_->began = at;
  open_->offset = progress_.output;
}

void TaskReader::write(std::string_view text) {
  const std::uint64_t used = open_->offset + open_->size;
  const std::uint64_t room = std::min(task_limit - std::min(task_limit, open_->size), step_limit - std::min(step_limit, used));
  const auto kept = text.substr(0, open_->left_out > 0 ? 0 : static_cast<std::size_t>(room));
  const auto written = output_.write(used, kept);
  open_->hash.update(kept.substr(0, written));
  open_->size += written;
  open_->left_out += text.size() - written;
}

void TaskReader::end(std::string result, const json::object& fact, std::uint64_t told_to) {
  write(redactor_.flush());
  if (open_->left_out > 0) {
    const std::string mark = "[gap: " + std::to_string(open_->left_out) + " bytes; see the log of the step]\n";
    open_->left_out = 0;
    const auto written = output_.write(open_->offset + open_->size, mark);
    open_->hash.update(std::string_view{mark}.substr(0, written));
    open_->size += written;
  }
  Task task;
  task.name = std::move(open_->name);
  task.result = std::move(result);
  task.hosts = hosts_of(fact);
  task.where = printable(redactor_.redact(job::text_at(fact, "where")), longest_name);
  task.warnings = std::max<std::int64_t>(job::number_at(fact, "warnings"), 0);
  const double seconds = time_at(fact) - open_->began;
  if (open_->began > 0 && seconds > 0 && seconds < 1e7) task.duration = std::chrono::milliseconds{static_cast<std::int64_t>(seconds * 1000)};
  task.blob = {.path = place_.folder + "/" + place_.step + ".tasks",
               .sha256 = open_->hash.hex(),
               .size = open_->size,
               .mime = "text/plain",
               .codec = "",
               .range = job::Blob::Range{open_->offset}};
  task.stream = told_to;
  progress_.output += open_->size;
  ++progress_.tasks;
  open_.reset();
  news_.ended.push_back(std::move(task));
}

Result<void> TaskReader::sync() {
  if (news_.ended.empty()) return {};
  const auto file = place_.step + ".tasks";
  if (!output_.sync()) return errno_error("cannot sync", file, errno);
  if (!synced_folder_)
    if (auto synced = sync_directory(place_.directory()); !synced) return synced;
  synced_folder_ = true;
  return {};
}

}  // namespace outpost::log
