#include "agent/cli/job_page.hpp"

#include "agent/base/clock.hpp"
#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/cli/daemon_call.hpp"
#include "agent/job/event.hpp"

#include <algorithm>
#include <optional>

namespace outpost::cli {

namespace json = boost::json;
using job::number_at;
using job::text_at;
using std::chrono::milliseconds;

namespace {

constexpr std::string_view style = R"css(
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin-bottom:.2rem}h2{font-size:1.15rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid #8884;vertical-align:top}
pre{overflow:auto;background:#8881;padding:.8rem;border-radius:.3rem;white-space:pre-wrap;overflow-wrap:anywhere}
.verdict{display:inline-block;padding:.1rem .7rem;border-radius:1rem;color:#fff;background:#555}
.success{background:#1a6b34}.failure{background:#a31621}.error{background:#8a4b00}
.bar{position:relative;height:1.1rem;min-width:14rem;background:#8882}.bar i{position:absolute;top:0;bottom:0;min-width:2px;background:#3a6ea5}
.bar i.failed{background:#a31621}.muted{opacity:.75}
)css";

std::string at(const json::object& object, std::string_view key) { return html_text(text_at(object, key)); }

std::string row(const std::string& name, const std::string& value) {
  return value.empty() ? "" : "<tr><th scope=\"row\">" + name + "</th><td>" + value + "</td></tr>\n";
}

/// From when to when something ran; what still runs ends now.
struct Span {
  std::optional<Timestamp> begin, end;

  explicit Span(const json::object& of)
      : begin{parse_rfc3339(text_at(of, "started_at"))}, end{parse_rfc3339(text_at(of, "ended_at"))} {
    if (begin && !end) end = SystemClock{}.now();
  }
  [[nodiscard]] std::string duration() const {
    return begin ? format_duration(std::chrono::duration_cast<milliseconds>(*end - *begin)) : "";
  }
};

const json::object& object_of(const json::value& value) {
  static const json::object nothing;
  return value.is_object() ? value.get_object() : nothing;
}

std::string percent(Timestamp::duration part, Timestamp::duration whole) {
  const auto thousandths =
      whole.count() > 0 ? std::clamp<std::int64_t>(1000 * part.count() / whole.count(), 0, 1000) : 0;
  return std::to_string(thousandths / 10) + "." + std::to_string(thousandths % 10) + "%";
}

std::string stages_of(const json::object& job) {
  const auto& stages = array_at(job, "stages");
  std::optional<Timestamp> first, last;
  for (const auto& each : stages) {
    const Span span{object_of(each)};
    if (!span.begin) continue;
    first = first ? std::min(*first, *span.begin) : *span.begin;
    last = last ? std::max(*last, *span.end) : *span.end;
  }
  if (!first) return "";
  std::string table =
      "<h2>Stages</h2>\n<table><thead><tr><th>stage</th><th>outcome</th><th>took</th><th>when</th></tr></"
      "thead><tbody>\n";
  for (const auto& each : stages) {
    const auto& stage = object_of(each);
    const Span span{stage};
    if (!span.begin) continue;
    table += "<tr><td>" + at(stage, "stage") + "</td><td>" + at(stage, "outcome") + "</td><td>" + span.duration() +
             "</td><td><div class=\"bar\"><i class=\"" + (text_at(stage, "outcome") == "failed" ? "failed" : "") +
             "\" style=\"left:" + percent(*span.begin - *first, *last - *first) +
             ";width:" + percent(*span.end - *span.begin, *last - *first) + "\"></i></div></td></tr>\n";
  }
  return table + "</tbody></table>\n";
}

std::string steps_of(const json::object& job) {
  const auto& steps = array_at(job, "steps");
  const auto& skipped = array_at(job, "skipped");
  if (steps.empty() && skipped.empty()) return "";
  std::string table =
      "<h2>Steps</h2>\n<table><thead><tr><th>step</th><th>ended</th><th>took</th><th>log</th></tr></thead><tbody>\n";
  for (const auto& each : steps) {
    const auto& step = object_of(each);
    table += "<tr><td><a href=\"#log-" + percent_encode(text_at(step, "step_id")) + "\">" + at(step, "step_id") +
             "</a></td><td>" + at(step, "state") + "</td><td>" + Span{step}.duration() + "</td><td>" +
             format_size(static_cast<std::uint64_t>(number_at(step, "log_bytes"))) + "</td></tr>\n";
  }
  for (const auto& each : skipped) {
    const auto& hook = object_of(each);
    const std::string stage = text_at(hook, "stage"), name = text_at(hook, "hook");
    table += "<tr><td>" + html_text(stage) + "." + at(hook, "plugin") + (name == stage ? "" : " / " + html_text(name)) +
             "</td><td colspan=\"3\">skipped: " + at(hook, "reason") + "</td></tr>\n";
  }
  return table + "</tbody></table>\n";
}

std::string list_of(const json::object& job, std::string_view key, const std::string& title) {
  const auto& items = array_at(job, key);
  if (items.empty()) return "";
  std::string list = "<h2>" + title + "</h2>\n<ul>\n";
  for (const auto& each : items)
    list += "<li>" + html_text(each.is_string() ? std::string_view{each.get_string()} : "") + "</li>\n";
  return list + "</ul>\n";
}

std::string tests_of(const json::object& job) {
  const auto* tests = job.if_contains("tests");
  if (!tests || !tests->is_object() || number_at(tests->get_object(), "total") == 0) return "";
  const auto number = [&](const char* key) { return std::to_string(number_at(tests->get_object(), key)); };
  const auto flaky = number_at(tests->get_object(), "flaky") > 0 ? " (" + number("flaky") + " flaky)" : "";
  return number("total") + ": " + number("success") + " passed" + flaky + ", " + number("failures") + " failed, " +
         number("errors") + " errors, " + number("skips") + " skipped";
}

std::string summary_of(const json::object& job) {
  const auto* found = job.if_contains("judgement");
  const json::object& judgement = found ? object_of(*found) : object_of({});
  const std::string verdict = text_at(judgement, "verdict");
  std::string head = "<h1>" + at(job, "name") + "</h1>\n<p><span class=\"verdict " +
                     (verdict == "success" || verdict == "failure" || verdict == "error" ? verdict : "") + "\">" +
                     at(job, "state") + "</span> " + at(judgement, "message") + "</p>\n<table><tbody>\n";
  std::string components;
  for (const auto& each : array_at(job, "components"))
    components += (components.empty() ? "" : "<br>") + at(object_of(each), "name") + " <span class=\"muted\">(" +
                  at(object_of(each), "type") + ")</span>";
  head += row("job", at(job, "job_id")) + row("topic", at(job, "topic")) + row("components", components) +
          row("reason", at(judgement, "reason")) + row("tests", tests_of(job)) + row("queued", at(job, "queued_at")) +
          row("claimed", at(job, "claimed_at")) + row("ended", at(job, "ended_at")) +
          row("at the server", at(job, "url"));
  return head + "</tbody></table>\n";
}

}  // namespace

std::string html_text(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char byte : text) {
    switch (byte) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      case '\n':
      case '\t': out += byte; break;
      case '\r': break;
      default:
        if (static_cast<unsigned char>(byte) < 0x20 || byte == 0x7f)
          out += printable({&byte, 1});
        else
          out += byte;
    }
  }
  return out;
}

std::string job_page(const json::object& job, const std::vector<StepLog>& logs) {
  std::string page =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width\">\n<title>" +
      at(job, "name") + ": " + at(job, "state") + "</title>\n<style>" + std::string{style} +
      "</style>\n</head>\n<body>\n<main>\n";
  page += summary_of(job) + list_of(job, "warnings", "Warnings") + stages_of(job) + steps_of(job) +
          list_of(job, "results", "Results") + list_of(job, "artifacts", "Artifacts");
  if (!logs.empty()) page += "<h2>Logs</h2>\n";
  for (const auto& log : logs) {
    page += "<details id=\"log-" + percent_encode(log.step) + "\"><summary>" + html_text(log.step) + "</summary>\n";
    if (!log.complete) page += "<p class=\"muted\">Only the end of this log is here.</p>\n";
    page += "<pre>" + html_text(log.text) + "</pre></details>\n";
  }
  return page + "</main>\n<footer class=\"muted\"><p>Written by Outpost " OUTPOST_VERSION " on " +
         to_rfc3339(SystemClock{}.now()).substr(0, 19) +
         "Z. Secrets that the agent knows are not in it.</p></footer>\n</body>\n</html>\n";
}

}  // namespace outpost::cli
