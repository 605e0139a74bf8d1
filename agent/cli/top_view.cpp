#include "agent/cli/top_view.hpp"

#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/cli/daemon_call.hpp"
#include "agent/cli/shown.hpp"
#include "agent/job/event.hpp"

#include <algorithm>

namespace outpost::cli {

namespace json = boost::json;
using job::number_at;
using job::text_at;
using std::chrono::milliseconds;

namespace {

constexpr std::size_t most_alarms = 3, most_waiting = 3, most_others = 4;
constexpr std::size_t most_shown_rows = 3;  ///< Of what the steps of one stage say.
constexpr std::size_t time_column = 15, bar_column = 27;
constexpr std::size_t widest_bar = 40, narrowest_bar = 10;
constexpr std::size_t beside_bar = 30;        ///< Columns for the words behind it...
constexpr std::size_t least_beside_bar = 12;  ///< ... and for "  of 2h 03min", without which it says nothing.

/// What a stage looks like in the list.
struct Look {
  const char *unicode, *ascii;
  Style style;
};

Look look_of(const std::string& outcome) {
  if (outcome == "running") return {"▶", ">", Style::busy};
  if (outcome == "ok") return {"✔", "+", Style::good};
  if (outcome == "empty") return {"·", ".", Style::faint};
  return {"✘", "x", Style::bad};
}

/// A duration without its parts of a second, which would only flicker.
std::string seconds_of(milliseconds duration) {
  const auto whole = std::max(std::chrono::seconds{}, std::chrono::floor<std::chrono::seconds>(duration));
  return whole < std::chrono::minutes{1} ? std::to_string(whole.count()) + "s" : format_duration(whole);
}

class View {
 public:
  View(const TopFacts& facts, Screen::Size size, bool unicode) : facts_{facts}, size_{size}, unicode_{unicode} {}

  std::vector<Row> rows() {
    head();
    wrapped(printable(facts_.trouble), Style::bad, size_.rows);
    if (facts_.status.empty()) return filled();
    sources();
    alarms();
    jobs();
    log();
    return filled();
  }

 private:
  Row& line() { return rows_.emplace_back(); }
  [[nodiscard]] std::string since(const std::string& moment, const char* otherwise) const {
    const auto then = parse_rfc3339(moment);
    return then ? seconds_of(std::chrono::duration_cast<milliseconds>(facts_.now - *then)) : otherwise;
  }

  /// A text in as many rows as it needs, broken between words; cut where it needs more than `most`.
  void wrapped(std::string_view text, Style style, std::size_t most) {
    for (std::size_t row = 1; !text.empty(); ++row) {
      const auto fits = beginning_of(text, size_.columns);
      if (row == most && fits.size() < text.size()) return cut(text, style);
      const std::size_t length = fits.size() < text.size() ? broken_at(fits) : fits.size();
      if (length == 0) return;  // Of a character that is wider than the screen nothing can be shown.
      line().put(text.substr(0, length), style);
      text.remove_prefix(length);
    }
  }
  /// Behind its last blank, if a word is before that.
  static std::size_t broken_at(std::string_view text) {
    const auto word = text.find_first_not_of(' '), blank = text.rfind(' ');
    return blank == std::string_view::npos || blank < word ? text.size() : blank + 1;
  }
  void cut(std::string_view text, Style style) {
    const std::string_view dots = unicode_ ? "…" : "...";
    const std::size_t room = size_.columns - std::min(size_.columns, width_of(dots));
    line().put(beginning_of(text, room), style).put(dots, style);
  }

  void head() {
    const auto& status = facts_.status;
    Row& row = line();
    row.put("outpostd ", Style::strong);
    if (!status.empty()) {
      const auto& slots = object_at(status, "slots");
      const std::string state = text_at(status, "state");
      row.put(text_at(status, "version") + "  ").put(state, state == "degraded" ? Style::bad : Style::strong);
      row.put("  up for " + since(text_at(status, "since"), "?") + "  " + std::to_string(number_at(slots, "busy")) +
              " of " + std::to_string(number_at(slots, "total")) + " slots busy");
    }
    const std::string clock = to_rfc3339(facts_.now).substr(11, 8) + "Z";
    if (size_.columns > clock.size()) row.to(size_.columns - clock.size()).put(clock, Style::faint);
  }

  void sources() {
    for (const auto& each : array_at(facts_.status, "sources")) {
      const auto& source = each.as_object();
      const std::string name = text_at(source, "name"), error = text_at(source, "last_error");
      Row& row = line();
      row.put(printable(name)).put("  answered " + since(text_at(source, "last_poll"), "never"));
      if (parse_rfc3339(text_at(source, "last_poll"))) row.put(" ago");
      for (const auto& one : array_at(facts_.status, "reporters")) {
        const auto& reporter = one.as_object();
        if (text_at(reporter, "name") != name) continue;
        row.put("; " + std::to_string(number_at(reporter, "waiting")) + " waiting, ");
        const auto parked = number_at(reporter, "parked");
        row.put(std::to_string(parked) + " parked", parked > 0 ? Style::bad : Style::plain);
        row.put(", " + std::to_string(number_at(reporter, "delivered")) + " delivered");
      }
      if (!error.empty()) row.put("; " + printable(error), Style::bad);
    }
    const auto& disk = object_at(facts_.status, "disk");
    const auto& spool = object_at(disk, "spool");
    if (!disk.empty())
      line().put("spool  " + size_at(spool, "waiting") + " of " + size_at(spool, "limit") + ", artifacts " +
                 size_at(spool, "artifacts_waiting") + " of " + size_at(spool, "artifacts_limit") + "; disk " +
                 size_at(disk, "free") + " free");
  }

  void alarms() {
    const auto& alarms = array_at(facts_.status, "alarms");
    for (std::size_t index = 0; index < alarms.size() && index < most_alarms; ++index) {
      const auto& alarm = alarms[index].as_object();
      line().put("ALARM  ", Style::bad).put(printable(text_at(alarm, "message")));
    }
    if (alarms.size() > most_alarms)
      line().put("       and " + std::to_string(alarms.size() - most_alarms) + " more: outpost alarm list",
                 Style::faint);
  }

  void jobs() {
    const auto& jobs = object_at(facts_.status, "jobs");
    const auto& running = array_at(jobs, "running");
    const auto& waiting = array_at(jobs, "waiting");
    if (running.empty()) {
      line();
      line().put("no job runs");
    }
    std::size_t others = 0;
    for (const auto& each : running) {
      const auto& job = each.as_object();
      if (text_at(job, "job_id") == facts_.job_id) {
        line();
        job_line(job, Style::strong);
        stages(job);
      } else if (++others <= most_others) {
        job_line(job, Style::plain);
      }
    }
    for (std::size_t index = 0; index < waiting.size() && index < most_waiting; ++index) {
      const auto& job = waiting[index].as_object();
      const std::string why = text_at(job, "waits_for");
      line()
          .put("waits  ", Style::faint)
          .put(printable(text_at(job, "name")) + "  for " + since(text_at(job, "queued_at"), "?") +
               (why.empty() ? "" : ": " + printable(why)));
    }
    if (waiting.size() > most_waiting)
      line().put("       and " + std::to_string(waiting.size() - most_waiting) + " more", Style::faint);
  }

  void job_line(const json::object& job, Style style) {
    std::string components;
    for (const auto& each : array_at(job, "components"))
      components += "  " + printable(text_at(each.as_object(), "name"));
    line()
        .put(printable(text_at(job, "name")), style)
        .put(components)
        .put("  " + since(text_at(job, "claimed_at"), "claiming"))
        .put("  " + text_at(job, "job_id").substr(0, 18), Style::faint);
  }

  void stages(const json::object& job) {
    const auto known = facts_.usual.find(text_at(job, "name"));
    const StageDurations usual = known == facts_.usual.end() ? StageDurations{} : known->second;
    for (const auto& each : array_at(job, "stages")) {
      const auto& stage = each.as_object();
      const std::string name = text_at(stage, "stage"), outcome = text_at(stage, "outcome");
      if (outcome == "empty") continue;  // Nothing was to be done.
      const Look look = look_of(outcome);
      const auto begin = parse_rfc3339(text_at(stage, "started_at"));
      const auto end = parse_rfc3339(text_at(stage, "ended_at")).value_or(facts_.now);
      const milliseconds took = begin ? std::chrono::duration_cast<milliseconds>(end - *begin) : milliseconds{};
      Row& row = line();
      row.put("  ").put(unicode_ ? look.unicode : look.ascii, look.style).put(" " + name);
      row.to(time_column).put(seconds_of(took));
      const auto expected = usual.find(name);
      if (expected == usual.end()) {
        if (outcome == "running") row.to(bar_column);
      } else if (outcome == "running") {
        bar(row.to(bar_column), took, expected->second);
      } else {
        row.to(bar_column).put("usual " + seconds_of(expected->second), Style::faint);
      }
      if (outcome == "running") shows(job);
    }
  }

  /// As much of the usual duration as is gone.
  void bar(Row& row, milliseconds took, milliseconds usual) const {
    const bool is_narrow = size_.columns < bar_column + narrowest_bar + least_beside_bar;
    const std::size_t room = size_.columns > bar_column + beside_bar ? size_.columns - bar_column - beside_bar : 0;
    const std::size_t length = is_narrow ? 0 : std::clamp(room, narrowest_bar, widest_bar);
    const double part =
        usual.count() > 0 ? std::min(1.0, static_cast<double>(took.count()) / static_cast<double>(usual.count())) : 1.0;
    const auto done = static_cast<std::size_t>(part * static_cast<double>(length));
    std::string full, empty;
    for (std::size_t cell = 0; cell < length; ++cell)
      (cell < done ? full : empty) += unicode_ ? (cell < done ? "█" : "░") : (cell < done ? "#" : "-");
    row.put(full, took > usual ? Style::bad : Style::good)
        .put(empty, Style::faint)
        .put(is_narrow ? "" : "  ")
        .put(took > usual ? "over " : "of ")
        .put(seconds_of(usual));
  }

  /// What its steps say by outpost-hook: beside the bar, or below it where that has no room.
  void shows(const json::object& job) {
    std::string text;
    for (const auto& each : array_at(job, "shows")) {
      const auto& note = each.as_object();
      text += "  ";
      if (note.contains("done")) text += json_number(note.at("done")) + "/" + json_number(note.at("of")) + " ";
      text += printable(text_at(note, "text"));
    }
    if (text.empty()) return;
    if (rows_.back().columns() + width_of(text) <= size_.columns) rows_.back().put(text);
    else wrapped("    " + text.substr(2), Style::plain, most_shown_rows);
  }
  static std::string json_number(const json::value& value) {
    std::string text = value.is_number() ? std::to_string(value.to_number<double>()) : "?";
    if (text.find('.') == std::string::npos) return text;
    text.erase(text.find_last_not_of('0') + 1);
    if (text.ends_with('.')) text.pop_back();
    return text;
  }

  void log() {
    if (facts_.step_id.empty() || rows_.size() + 2 >= size_.rows) return;
    line();
    line().put("log of " + printable(facts_.step_id), Style::strong);
    const std::size_t room = size_.rows - 1 - std::min(size_.rows - 1, rows_.size());
    const std::size_t begin = facts_.log.size() > room ? facts_.log.size() - room : 0;
    for (std::size_t index = begin; index < facts_.log.size(); ++index) line().put(facts_.log[index]);
  }

  /// With the keys in the last row.
  std::vector<Row> filled() {
    rows_.resize(size_.rows);
    const bool several = array_at(object_at(facts_.status, "jobs"), "running").size() > 1;
    if (size_.rows > 1) rows_.back() = Row{}.put(several ? "q quits, tab shows the next job" : "q quits", Style::faint);
    return std::move(rows_);
  }

  const TopFacts& facts_;
  Screen::Size size_;
  bool unicode_;
  std::vector<Row> rows_;
};

}  // namespace

std::vector<Row> top_view(const TopFacts& facts, Screen::Size size, bool unicode) {
  return View{facts, size, unicode}.rows();
}

std::size_t most_log_lines(Screen::Size size) { return size.rows; }

}  // namespace outpost::cli
