// What waits for servers, as the daemon has it: looked at, tried now, or given up.

#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/cli/commands.hpp"
#include "agent/cli/daemon_call.hpp"
#include "agent/cli/exit_codes.hpp"
#include "agent/cli/shown.hpp"
#include "agent/cli/terminal.hpp"
#include "agent/daemon/client.hpp"
#include "agent/job/event.hpp"

#include <boost/json/serialize.hpp>

#include <unistd.h>

#include <chrono>
#include <iomanip>
#include <iostream>
#include <optional>
#include <thread>

namespace outpost::cli {

namespace json = boost::json;
using job::number_at;
using job::text_at;
using SteadyClock = std::chrono::steady_clock;

namespace {

constexpr auto look_again = std::chrono::milliseconds{250};
constexpr std::size_t page = 1000;  ///< Items in one answer; the API gives no more.

/// What is in an answer under a name that every daemon of this version writes.
Result<json::object> part_of(const Result<json::value>& answer, std::string_view key) {
  if (!answer) return answer.error();
  if (!answer->is_object() || !answer->get_object().contains(key))
    return Error{Fault::malformed,
                 "the daemon's answer has no \"" + std::string{key} + "\"; is it of this version? outpost status"};
  return answer->get_object();
}

void print_reporter(const json::object& reporter) {
  const bool configured = job::flag_at(reporter, "configured");
  std::cout << printable(text_at(reporter, "name")) << "  "
            << (configured ? printable(text_at(reporter, "url")) : "NOT configured") << "\n  "
            << number_at(reporter, "waiting") << " waiting (" << size_at(reporter, "waiting_bytes") << " of files)";
  if (number_at(reporter, "waiting") > 0) std::cout << ", the oldest for " << age(text_at(reporter, "oldest"));
  std::cout << "; " << number_at(reporter, "parked") << " parked, " << number_at(reporter, "delivered")
            << " delivered\n";
  if (!configured) {
    std::cout << "  kept until: outpost reporter forget " << printable(text_at(reporter, "name")) << "\n";
    return;
  }
  std::cout << "  answered " << ago(text_at(reporter, "last_contact"));
  if (const auto next = parse_rfc3339(text_at(reporter, "next_attempt"))) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(*next - SystemClock{}.now());
    std::cout << ", next try " << (left.count() <= 0 ? "now" : "in " + format_duration(left));
  }
  if (job::flag_at(reporter, "credentials_refused")) std::cout << "; our credentials are refused";
  if (job::flag_at(reporter, "link_down")) std::cout << "; it cannot be reached, so one item at a time is tried";
  std::cout << "\n";
  if (const auto error = text_at(reporter, "last_error"); !error.empty()) std::cout << "  " << printable(error) << "\n";
}

/// All names that were asked for.
Result<std::vector<std::string>> reporters_in(const std::filesystem::path& socket, const std::string& wanted) {
  if (!wanted.empty()) return std::vector<std::string>{wanted};
  const auto answer = part_of(daemon::ask_daemon(socket, "/api/v1/reporters"), "reporters");
  if (!answer) return answer.error();
  std::vector<std::string> names;
  for (const auto& each : array_at(*answer, "reporters")) names.push_back(text_at(each.as_object(), "name"));
  return names;
}

/// Adds the items of one reporter to the rows, up to the limit; whether there are more.
Result<bool> add_items(const std::filesystem::path& socket, const std::string& reporter,
                       const SpoolListOptions& options, json::array& rows) {
  for (std::int64_t after = 0;;) {
    const auto answer = part_of(
        daemon::ask_daemon(socket, "/api/v1/reporters/" + percent_encode(reporter) +
                                       "/waiting?limit=" + std::to_string(page) + "&after=" + std::to_string(after)),
        "waiting");
    if (!answer) return answer.error();
    const auto& items = array_at(*answer, "waiting");
    for (const auto& each : items) {
      json::object item = each.as_object();
      after = number_at(item, "position");
      if (!text_at(item, "job_id").starts_with(options.job)) continue;
      if (rows.size() >= options.limit) return true;
      item["reporter"] = reporter;
      rows.push_back(std::move(item));
    }
    if (items.size() < page) return false;
  }
}

void print_items(const json::array& rows, bool more) {
  std::string last;
  for (const auto& each : rows) {
    const auto& item = each.as_object();
    if (const auto reporter = text_at(item, "reporter"); reporter != last)
      std::cout << "for " << printable(last = reporter) << ":\n";
    const auto tries = number_at(item, "attempts");
    std::cout << "  " << std::right << std::setw(10) << age(text_at(item, "since")) << std::setw(10)
              << size_at(item, "bytes") << "  " << std::left << std::setw(8) << printable(text_at(item, "kind")) << " "
              << printable(text_at(item, "key"));
    if (tries > 0) std::cout << ", tried " << counted(static_cast<std::uint64_t>(tries), "time");
    std::cout << "\n";
    if (const auto reason = text_at(item, "reason"); !reason.empty())
      std::cout << "      " << printable(reason) << "\n";
  }
  if (rows.empty()) std::cout << "nothing waits\n";
  if (more) std::cout << "and more; --limit says how many are shown\n";
}

/// How many items wait for those that were asked for.
Result<std::uint64_t> waiting_for(const std::filesystem::path& socket, const std::string& reporter) {
  const auto answer = part_of(daemon::ask_daemon(socket, "/api/v1/spool"), "spool");
  if (!answer) return answer.error();
  std::uint64_t waiting = 0;
  for (const auto& each : array_at(object_at(*answer, "spool"), "reporters"))
    if (const auto& row = each.as_object();
        reporter.empty() ? job::flag_at(row, "configured") : text_at(row, "name") == reporter)
      waiting += static_cast<std::uint64_t>(number_at(row, "waiting"));
  return waiting;
}

int wait_until_flushed(const std::filesystem::path& socket, const SpoolFlushOptions& options,
                       std::optional<SteadyClock::time_point> give_up) {
  ProgressLine line;
  for (;;) {
    const auto waiting = waiting_for(socket, options.reporter);
    if (!waiting) {
      line.clear();
      return fail(waiting.error());
    }
    const auto now = SteadyClock::now();
    if (*waiting > 0 && !(give_up && now >= *give_up)) {
      line.show(counted(*waiting, "item") + " left");
      std::this_thread::sleep_for(give_up ? std::min<SteadyClock::duration>(look_again, *give_up - now) : look_again);
      continue;
    }
    line.clear();
    if (options.as_json)
      print_document("outpost-spool-flush", {{"left", *waiting}});
    else if (*waiting == 0)
      std::cout << "nothing waits any more\n";
    if (*waiting == 0) return exit_ok;
    return fail(Error{Fault::refused, counted(*waiting, "item") + " still wait; outpost spool status says why"});
  }
}

/// Whether somebody who sits there wants it.
bool is_confirmed(const std::string& question) {
  std::cerr << question << " [y/N] " << std::flush;
  std::string reply;
  std::getline(std::cin, reply);
  return reply == "y" || reply == "Y" || to_lower(reply) == "yes";
}

std::string describe(const json::object& pruned, bool waiting) {
  const auto bytes = size_at(pruned, "bytes");
  return waiting ? counted(static_cast<std::uint64_t>(number_at(pruned, "items")), "item") + " (" + bytes +
                       ") that no server has"
                 : counted(static_cast<std::uint64_t>(number_at(pruned, "jobs")), "job") + " (" + bytes +
                       ") of which all is delivered";
}

Result<json::object> prune(const std::filesystem::path& socket, const SpoolPruneOptions& options,
                           std::chrono::seconds older_than, bool dry_run) {
  const auto answer = part_of(daemon::tell_daemon(socket, "/api/v1/spool/prune",
                                                  {{"waiting", options.waiting},
                                                   {"reporter", options.reporter},
                                                   {"older_than", older_than.count()},
                                                   {"dry_run", dry_run}}),
                              "pruned");
  if (!answer) return answer.error();
  return object_at(*answer, "pruned");
}

/// Empty: nothing is lost that somebody might miss.
std::string question_about(const json::object& would, bool waiting) {
  if (waiting) return "Give up " + describe(would, true) + "?";
  return number_at(would, "jobs") > 0 ? "Remove the whole history, " + describe(would, false) + "?" : "";
}

}  // namespace

int show_spool(const DaemonOptions& daemon, bool as_json) {
  const auto socket = socket_of(daemon);
  if (!socket) return fail(socket.error(), exit_configuration);
  const auto answer = part_of(daemon::ask_daemon(*socket, "/api/v1/spool"), "spool");
  if (!answer) return fail(answer.error());
  const auto& spool = object_at(*answer, "spool");
  if (as_json) {
    print_document("outpost-spool", spool);
    return exit_ok;
  }
  for (const auto& each : array_at(spool, "reporters")) print_reporter(each.as_object());
  if (array_at(spool, "reporters").empty()) std::cout << "no reporters\n";
  std::cout << "room: " << size_at(spool, "waiting") << " of " << size_at(spool, "limit") << " for logs and results, "
            << size_at(spool, "artifacts_waiting") << " of " << size_at(spool, "artifacts_limit") << " for artifacts\n";
  if (number_at(spool, "given_up") > 0)
    std::cout << size_at(spool, "given_up") << " that waited were given up: [gap: ...] stands for them\n";
  return exit_ok;
}

int list_spool(const DaemonOptions& daemon, const SpoolListOptions& options) {
  const auto socket = socket_of(daemon);
  if (!socket) return fail(socket.error(), exit_configuration);
  const auto reporters = reporters_in(*socket, options.reporter);
  if (!reporters) return fail(reporters.error());
  json::array rows;
  bool more = false;
  for (const auto& reporter : *reporters) {
    const auto left = add_items(*socket, reporter, options, rows);
    if (!left) return fail(left.error());
    more = more || *left;
  }
  if (options.as_json)
    print_document("outpost-spool-list", {{"items", std::move(rows)}, {"more", more}});
  else
    print_items(rows, more);
  return exit_ok;
}

int flush_spool(const DaemonOptions& daemon, const SpoolFlushOptions& options) {
  std::optional<SteadyClock::time_point> give_up;
  if (!options.timeout.empty()) {
    const auto limit = parse_duration(options.timeout);
    if (!limit)
      return fail(Error{Fault::malformed,
                        "--timeout: \"" + printable(options.timeout) + "\" is not a duration (example: 5min)"},
                  exit_usage);
    give_up = SteadyClock::now() + *limit;
  }
  const auto socket = socket_of(daemon);
  if (!socket) return fail(socket.error(), exit_configuration);
  const auto answer =
      part_of(daemon::tell_daemon(*socket, "/api/v1/spool/flush", {{"reporter", options.reporter}}), "flushed");
  if (!answer) return fail(answer.error());
  if (options.wait || give_up) return wait_until_flushed(*socket, options, give_up);
  if (options.as_json) {
    print_document("outpost-spool-flush", *answer);
    return exit_ok;
  }
  for (const auto& each : array_at(*answer, "flushed")) {
    const auto waiting = static_cast<std::uint64_t>(number_at(each.as_object(), "waiting"));
    std::cout << printable(text_at(each.as_object(), "name")) << ": "
              << (waiting == 0 ? "nothing waits" : "trying " + counted(waiting, "item") + " now") << "\n";
  }
  return exit_ok;
}

int prune_spool(const DaemonOptions& daemon, const SpoolPruneOptions& options) {
  std::chrono::milliseconds older_than{};
  if (!options.older_than.empty()) {
    const auto given = parse_duration(options.older_than);
    if (!given)
      return fail(Error{Fault::malformed,
                        "--older-than: \"" + printable(options.older_than) + "\" is not a duration (example: 30d)"},
                  exit_usage);
    older_than = *given;
  }
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(older_than);
  const auto socket = socket_of(daemon);
  if (!socket) return fail(socket.error(), exit_configuration);
  // Without an age it is the whole history, with the logs of all jobs.
  if ((options.waiting || options.older_than.empty()) && !options.yes && !options.dry_run) {
    const auto would = prune(*socket, options, seconds, true);
    if (!would) return fail(would.error());
    const std::string question = question_about(*would, options.waiting);
    if (!question.empty() && (::isatty(STDIN_FILENO) == 0 || options.as_json))
      return fail(Error{Fault::refused, question + " If that is what you want, say --yes" + (options.waiting ? "" : ", or which ones with --older-than")});
    if (!question.empty() && !is_confirmed(question)) return fail(Error{Fault::refused, options.waiting ? "nothing was given up" : "nothing was removed"});
  }
  const auto pruned = prune(*socket, options, seconds, options.dry_run);
  if (!pruned) return fail(pruned.error());
  if (options.as_json)
    print_document("outpost-spool-prune", *pruned);
  else
    std::cout << (options.dry_run   ? "would go: "
                  : options.waiting ? "given up: "
                                    : "removed: ")
              << describe(*pruned, options.waiting) << "\n";
  return exit_ok;
}

}  // namespace outpost::cli
