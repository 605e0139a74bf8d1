#include "agent/log/time_index.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace outpost::log {
namespace {

using std::chrono::microseconds;
using Record = TimeIndex::Record;

constexpr std::uint64_t magic = 0x3173656d69546f4fULL;  // "OoTimes1" as little-endian bytes
constexpr std::uint64_t resolution_us = 1000;
constexpr std::size_t block_records = 4096;

struct Head {
  std::uint64_t magic = 0;
  std::int64_t clock_us = 0;
  std::int64_t since_boot_ns = 0;
};

template <class T>
std::string_view bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

std::optional<Head> read_head(const File& file) {
  std::array<char, sizeof(Head)> bytes{};
  if (!file.is_open() || file.read(0, bytes) != bytes.size()) return {};
  Head head;
  std::memcpy(&head, bytes.data(), sizeof head);
  // A year so far away cannot be shown, and has not been written by us.
  constexpr std::int64_t far = 400LL * 366 * 86400 * 1'000'000;
  if (head.magic != magic || head.clock_us < -far || head.clock_us > far || head.since_boot_ns < 0) return {};
  return head;
}

std::vector<Record> read_records(const File& file, std::uint64_t first, std::size_t count) {
  std::vector<Record> records(count);
  const auto size = file.read(sizeof(Head) + first * sizeof(Record),
                              {reinterpret_cast<char*>(records.data()), count * sizeof(Record)});
  records.resize(size / sizeof(Record));
  return records;
}

/// How many records are whole and in order: a crash may have left zeros behind them.
std::uint64_t count_records(const File& file, std::optional<Record>& last) {
  std::uint64_t count = 0;
  for (;;) {
    const auto block = read_records(file, count, block_records);
    for (const auto& record : block) {
      const bool sane = record.elapsed_us < std::uint64_t{1} << 53;
      const bool follows = !last || (record.offset > last->offset && record.elapsed_us >= last->elapsed_us);
      if (!sane || !follows) return count;
      last = record;
      ++count;
    }
    if (block.size() < block_records) return count;
  }
}

}  // namespace

void TimeIndex::note(std::uint64_t offset, const Clock& clock) {
  const auto now = clock.since_boot();
  if (!file_.is_open()) {
    file_ = File::open(path_, O_RDWR | O_CREAT | O_TRUNC, 0640);
    const Head head{magic, clock.now().time_since_epoch().count(), now.count()};
    if (!file_.is_open() || file_.write(0, bytes_of(head)) != sizeof head) return file_.close();
    began_ = now;
    size_ = sizeof head;
  }
  const auto elapsed = std::chrono::duration_cast<microseconds>(std::max(now - began_, std::chrono::nanoseconds{}));
  const Record record{offset, static_cast<std::uint64_t>(elapsed.count())};
  if (last_ && (record.offset <= last_->offset || record.elapsed_us < last_->elapsed_us + resolution_us)) return;
  if (file_.write(size_, bytes_of(record)) != sizeof record) return;
  size_ += sizeof record;
  last_ = record;
}

void TimeIndex::resume(std::uint64_t log_size) {
  file_ = File::open(path_, O_RDWR);
  const auto head = read_head(file_);
  if (!head) return file_.close();
  began_ = std::chrono::nanoseconds{head->since_boot_ns};
  auto count = count_records(file_, last_);
  while (count > 0 && last_->offset >= log_size) {
    --count;
    last_.reset();
    if (count > 0) last_ = read_records(file_, count - 1, 1).at(0);
  }
  size_ = sizeof(Head) + count * sizeof(Record);
  if (!file_.truncate(size_)) file_.close();
}

LineTimes::LineTimes(const std::filesystem::path& path) : file_{File::open(path, O_RDONLY)} {
  const auto head = read_head(file_);
  if (!head) return;
  std::optional<Record> last;
  count_ = count_records(file_, last);
  start_ = Timestamp{microseconds{head->clock_us}};
  if (count_ > 0) first_ = record(0).offset;
}

Record LineTimes::record(std::uint64_t number) {
  if (number < block_begin_ || number >= block_begin_ + block_.size()) {
    block_begin_ = number;
    block_ =
        read_records(file_, number, static_cast<std::size_t>(std::min<std::uint64_t>(block_records, count_ - number)));
    if (block_.empty()) block_.resize(1);  // The file became shorter meanwhile.
  }
  return block_[static_cast<std::size_t>(number - block_begin_)];
}

std::optional<Timestamp> LineTimes::at(std::uint64_t offset) {
  if (count_ == 0 || first_ > offset) return {};
  // Usually the next line has the same record, or the one behind it.
  std::uint64_t low = record(hint_).offset <= offset ? hint_ : 0, high = count_;
  for (int steps = 0; steps < 8 && low + 1 < high; ++steps) {
    if (record(low + 1).offset > offset)
      high = low + 1;
    else
      ++low;
  }
  while (low + 1 < high) {
    const auto middle = low + (high - low) / 2;
    (record(middle).offset <= offset ? low : high) = middle;
  }
  hint_ = low;
  return start_ + microseconds{record(low).elapsed_us};
}

std::optional<Timestamp> LineTimes::began() const {
  if (count_ == 0) return {};
  return start_;
}

}  // namespace outpost::log
