#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/cli/commands.hpp"
#include "agent/cli/daemon_call.hpp"
#include "agent/cli/exit_codes.hpp"
#include "agent/cli/screen.hpp"
#include "agent/cli/shown.hpp"
#include "agent/daemon/client.hpp"
#include "agent/job/event.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <clocale>
#include <iostream>
#include <sstream>
#include <thread>

namespace outpost::cli {

namespace json = boost::json;
using job::number_at;
using job::text_at;

namespace {

void print_jobs(std::ostream& out, const json::object& jobs) {
  const auto& running = array_at(jobs, "running");
  const auto& waiting = array_at(jobs, "waiting");
  for (const auto& each : running) {
    const auto& job = each.as_object();
    out << "running   " << printable(text_at(job, "name")) << "  " << printable(text_at(job, "state")) << ", claimed "
              << ago(text_at(job, "claimed_at"))
              << (job.contains("workspace_bytes") ? ", workspace " + size_at(job, "workspace_bytes") : "") << "\n          " << text_at(job, "job_id") << "  " << printable(text_at(job, "url")) << "\n";
    if (const auto problem = text_at(job, "claim_error"); !problem.empty()) out << "          not claimed yet: " << printable(problem) << "\n";
    for (const auto& shown : array_at(job, "shows")) {
      const auto& note = shown.as_object();
      out << "          " << printable(text_at(note, "step_id")) << ": ";
      if (note.contains("done")) out << note.at("done").to_number<double>() << "/" << note.at("of").to_number<double>() << " ";
      out << printable(text_at(note, "text")) << "\n";
    }
  }
  for (const auto& each : waiting) {
    const auto& job = each.as_object();
    const std::string why = text_at(job, "waits_for");
    out << "waiting   " << printable(text_at(job, "name")) << "  for " << age(text_at(job, "queued_at"))
              << (why.empty() ? "" : ": " + printable(why)) << "\n";
  }
  if (running.empty() && waiting.empty()) out << "jobs      none running, none waiting\n";
}

void print_disk(std::ostream& out, const json::object& disk) {
  if (disk.empty()) return;  // An older daemon.
  const auto& spool = object_at(disk, "spool");
  out << "disk      " << size_at(disk, "free") << " free of " << size_at(disk, "total") << "; jobs " << size_at(disk, "history") << ", journal "
            << size_at(disk, "journal") << ", waiting " << size_at(spool, "waiting") << " of " << size_at(spool, "limit") << " and artifacts "
            << size_at(spool, "artifacts_waiting") << " of " << size_at(spool, "artifacts_limit") << "\n";
  if (number_at(spool, "given_up") > 0) out << "          " << size_at(spool, "given_up") << " that waited were given up: [gap: ..., spool-full]\n";
  if (number_at(disk, "reserve") > 0 && !job::flag_at(disk, "reserve_there")) out << "          the reserve of " << size_at(disk, "reserve") << " is not there\n";
}

void print_claims(std::ostream& out, const json::object& claims) {
  if (const auto state = text_at(claims, "state"); state == "draining" || state == "drained") {
    const auto reason = text_at(claims, "reason");
    out << "claims    " << state << " for " << age(text_at(claims, "since")) << (reason.empty() ? "" : ": " + printable(reason)) << "\n";
  }
  if (text_at(claims, "state") == "unhealthy") out << "claims    unhealthy: " << printable(text_at(claims, "reason")) << "\n";
  for (const auto& each : array_at(claims, "paused")) {
    const auto& pause = each.as_object();
    const auto source = text_at(pause, "source"), resource = text_at(pause, "resource"), reason = text_at(pause, "reason");
    out << "claims    " << (!source.empty() ? "source " + printable(source) + " " : !resource.empty() ? "resource " + printable(resource) + " " : "")
              << "paused for " << age(text_at(pause, "since")) << (reason.empty() ? "" : ": " + printable(reason)) << "\n";
  }
}

void print_configuration(std::ostream& out, const json::object& configuration) {
  const auto problem = text_at(configuration, "problem");
  if (problem.empty()) return;
  out << "config    " << (job::flag_at(configuration, "last_good") ? "the last good one, of " : "that of ") << text_at(configuration, "since")
            << " is in force, because " << printable(text_at(configuration, "file")) << " is wrong:\n          " << printable(problem) << "\n";
}

void print_promotion(std::ostream& out, const json::object& promotion) {
  const auto release = text_at(promotion, "release"), outcome = text_at(promotion, "outcome"), message = text_at(promotion, "message"), next = text_at(promotion, "next_run");
  out << "promotion " << printable(text_at(promotion, "name")) << (release.empty() || release == text_at(promotion, "name") ? "" : "  " + printable(release));
  if (job::flag_at(promotion, "running")) out << ", running for " << age(text_at(promotion, "last_run"));
  else if (outcome.empty()) out << ", has not run yet";
  else out << ", ran " << ago(text_at(promotion, "last_run")) << ", again at " << next.substr(0, 19) << "Z";
  out << (outcome == "failed" ? ": FAILED" : outcome == "busy" ? ": left to another promoter" : "") << "\n";
  for (const auto& each : array_at(promotion, "targets")) {
    const auto& target = each.as_object();
    const auto missing = array_at(target, "missing").size();
    const auto hash = text_at(target, "last_hash");
    out << "          " << printable(text_at(target, "target")) << ": " << printable(text_at(target, "outcome"));
    if (missing > 0) out << ", the nearest candidate lacks " << missing << (missing == 1 ? " job" : " jobs");
    if (!hash.empty()) out << "; " << printable(hash) << " since " << ago(text_at(target, "last_promoted"));
    out << "\n";
  }
  if (!message.empty()) out << "          " << printable(message) << "\n";
}

void print_telemetry(std::ostream& out, const json::object& collector) {
  if (collector.empty()) return;
  out << "collector " << printable(text_at(collector, "url")) << ", answered " << ago(text_at(collector, "last_contact"));
  if (job::flag_at(collector, "traces"))
    out << ", spans: " << number_at(collector, "spans_waiting") << " waiting, " << number_at(collector, "spans_sent") << " sent, " << number_at(collector, "spans_lost") << " lost";
  out << "\n";
  if (const auto error = text_at(collector, "last_error"); !error.empty()) out << "          " << printable(error) << "\n";
}

void print_status(std::ostream& out, const json::object& status) {
  const auto& slots = object_at(status, "slots");
  out << "outpostd  " << text_at(status, "version") << ", " << text_at(status, "state") << ", up for " << age(text_at(status, "since"))
            << ", " << number_at(slots, "busy") << " of " << number_at(slots, "total") << " slots busy, steps run by " << text_at(status, "runner") << "\n";
  for (const auto& each : array_at(status, "sources")) {
    const auto& source = each.as_object();
    out << "source    " << text_at(source, "name") << "  " << printable(text_at(source, "url")) << ", answered " << ago(text_at(source, "last_poll"))
              << (job::flag_at(source, "leaving") ? ", no longer configured: leaves when its jobs have ended" : "") << "\n";
    if (const auto error = text_at(source, "last_error"); !error.empty()) out << "          " << printable(error) << "\n";
  }
  print_configuration(out, object_at(status, "configuration"));
  print_claims(out, object_at(status, "claims"));
  print_jobs(out, object_at(status, "jobs"));
  for (const auto& each : array_at(status, "reporters")) {
    const auto& reporter = each.as_object();
    out << "delivery  " << text_at(reporter, "name") << "  " << number_at(reporter, "waiting") << " waiting, " << number_at(reporter, "parked")
              << " parked, " << number_at(reporter, "delivered") << " delivered\n";
    if (const auto error = text_at(reporter, "last_error"); !error.empty()) out << "          " << printable(error) << "\n";
  }
  print_disk(out, object_at(status, "disk"));
  for (const auto& [name, resource] : object_at(status, "resources")) {
    const auto holder = text_at(resource.as_object(), "held_by");
    out << "resource  " << std::string_view{name} << "  " << (holder.empty() ? "free" : "held by " + holder) << "\n";
  }
  print_telemetry(out, object_at(status, "telemetry"));
  for (const auto& each : array_at(status, "promotions")) print_promotion(out, each.as_object());
  for (const auto& each : array_at(status, "alarms")) {
    const auto& alarm = each.as_object();
    out << "ALARM     " << text_at(alarm, "kind") << " for " << age(text_at(alarm, "since")) << ": " << printable(text_at(alarm, "message")) << "\n";
    if (const auto fix = text_at(alarm, "fix"); !fix.empty()) out << "          to do: " << printable(fix) << "\n";
  }
}

}  // namespace

int show_status(const DaemonOptions& daemon, bool as_json) {
  const auto socket = socket_of(daemon);
  if (!socket) return fail(socket.error(), exit_configuration);
  const auto status = daemon::ask_daemon(*socket, "/api/v1/status");
  if (!status) return fail(status.error());
  if (!status->is_object()) return fail(Error{Fault::malformed, "the daemon's answer is no status"});
  if (as_json) {
    json::object content = status->get_object();
    // The version of the document is another.
    content["daemon_version"] = text_at(content, "version");
    content.erase("version");
    print_document("outpost-status", content);
  } else {
    print_status(std::cout, status->get_object());
  }
  return exit_ok;
}

namespace {

/// The lines that the terminal has rows for, from the first: otherwise the end would push away what matters most. A long
/// one takes several rows.
std::string as_much_as_fits(const std::string& text) {
  ::winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row < 3) return text;
  auto lines = split(text, '\n');
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  std::string shown;
  std::size_t room = size.ws_row - 2U;  // One for the rest, and one for the cursor.
  for (std::size_t index = 0; index < lines.size(); ++index) {
    const std::size_t rows = std::max<std::size_t>(1, (width_of(lines[index]) + size.ws_col - 1U) / size.ws_col);
    const bool is_last = index + 1 == lines.size();
    if (rows > room + (is_last ? 1 : 0)) return shown + "and " + std::to_string(lines.size() - index) + " more lines: outpost status\n";
    room -= std::min(room, rows);
    shown += lines[index] + "\n";
  }
  return shown;
}

/// Over what was there before, line by line, so that nothing flickers.
void show_over(const std::string& text) {
  std::cout << "\x1b[H" << replace_all(as_much_as_fits(text), "\n", "\x1b[K\n") << "\x1b[J" << std::flush;
}

}  // namespace

int watch_status(const DaemonOptions& daemon, std::chrono::milliseconds interval) {
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  std::setlocale(LC_CTYPE, "");  // To know how wide characters are.
  if (terminal) std::cout << "\x1b[2J";
  for (;;) {
    // Asked for anew each time: a daemon that is not there yet may come, also with another configuration.
    const auto socket = socket_of(daemon);
    if (!socket) return fail(socket.error(), exit_configuration);
    const auto status = daemon::ask_daemon(*socket, "/api/v1/status");
    std::ostringstream text;
    text << to_rfc3339(SystemClock{}.now()).substr(0, 19) << "Z, every " << format_duration(interval) << "; ^C ends it\n\n";
    if (status && status->is_object()) print_status(text, status->get_object());
    else text << printable(status ? "the daemon's answer is no status" : status.error().message) << "\n";
    if (terminal) show_over(text.str());
    else std::cout << text.str() << "\n" << std::flush;
    if (!std::cout) return exit_ok;  // main() tells why.
    std::this_thread::sleep_for(interval);
  }
}

}  // namespace outpost::cli
