// What outpost top makes of what it knows, without a terminal.
#include "agent/cli/top_view.hpp"

#include "support/catch.hpp"

#include <boost/json/parse.hpp>

#include <clocale>

using namespace outpost;
using namespace outpost::test;
using namespace std::chrono_literals;

namespace {

boost::json::object stage(const std::string& name, const std::string& outcome, const std::string& begin,
                          const std::string& end) {
  boost::json::object made{
      {"stage", name}, {"outcome", outcome}, {"started_at", "2026-11-26T" + begin + "Z"}, {"ended_at", nullptr}};
  if (!end.empty()) made["ended_at"] = "2026-11-26T" + end + "Z";
  return made;
}

boost::json::object job_of(const std::string& name, const std::string& id, boost::json::array stages) {
  return {{"job_id", id},
          {"name", name},
          {"components", {{{"type", "ocp"}, {"name", "OCP 4.16\x1b[2J"}}}},
          {"claimed_at", "2026-11-26T10:00:00Z"},
          {"ended_at", nullptr},
          {"stages", std::move(stages)}};
}

cli::TopFacts facts_of(boost::json::array running) {
  cli::TopFacts facts;
  facts.now = parse_rfc3339("2026-11-26T10:30:00Z").value();
  facts.status = {{"version", "0.1.0"},
                  {"state", "busy"},
                  {"jobs", {{"running", std::move(running)}, {"waiting", boost::json::array{}}}}};
  return facts;
}

std::string text_of(const cli::TopFacts& facts, cli::Screen::Size size, bool unicode = false) {
  std::string text;
  const auto rows = cli::top_view(facts, size, unicode);
  CHECK(rows.size() == size.rows);
  for (const auto& row : rows) {
    const auto line = row.text(size.columns, false, unicode);
    CHECK(cli::width_of(line) <= size.columns);
    text += line + "\n";
  }
  return text;
}

}  // namespace

TEST_CASE("the usual duration of a stage is the median of those that went well") {
  boost::json::array jobs;
  const auto ended = [](boost::json::object job) {
    job["ended_at"] = "2026-11-26T11:00:00Z";
    return job;
  };
  jobs.push_back(job_of("nightly", "4", {stage("install", "running", "10:00:00", "")}));  // It runs.
  jobs.push_back(ended(job_of("weekly", "3", {stage("install", "ok", "10:00:00", "10:59:00")})));
  for (const char* end : {"10:10:00", "10:30:00", "10:12:00"})
    jobs.push_back(ended(job_of("nightly", "2", {stage("install", "ok", "10:00:00", end)})));
  jobs.push_back(ended(job_of("nightly", "1", {stage("install", "failed", "10:00:00", "10:00:01")})));
  const auto usual = cli::usual_durations(jobs, "nightly");
  CHECK(usual.size() == 1);
  CHECK(usual.at("install") == 12min);
  CHECK(cli::usual_durations(jobs, "monthly").empty());
}

TEST_CASE("a running stage is drawn as the part of its usual duration that is gone") {
  auto facts = facts_of(
      {job_of("nightly", "01a1-1",
              {stage("pre-run", "ok", "10:00:00", "10:00:41"), stage("certify", "empty", "10:00:41", "10:00:41"),
               stage("install", "running", "10:00:41", "")})});
  facts.job_id = "01a1-1";
  facts.usual["nightly"] = {{"install", 60min}, {"pre-run", 30s}};
  facts.step_id = "install.acme";
  for (int line = 1; line <= 30; ++line) facts.log.push_back("line " + std::to_string(line));
  const std::string text = text_of(facts, {80, 24});
  INFO(text);
  CHECK_THAT(text, holds("nightly  OCP 4.16\\x1b[2J  30min 00s") && holds("  + pre-run    41s         usual 30s") &&
                       holds("  > install    29min 19s   ###########------------  of 1h 00min"));
  CHECK(text.find("certify") == std::string::npos);
  CHECK_THAT(text, holds("log of install.acme\nline 15\n") && holds("line 30\nq quits\n"));
  facts.usual["nightly"]["install"] = 10min;
  CHECK_THAT(text_of(facts, {80, 24}), holds("#######################  over 10min 00s"));
  facts.usual.clear();
  CHECK_THAT(text_of(facts, {80, 24}), holds("  > install    29min 19s\n") || holds("  > install    29min 19s   "));
}

TEST_CASE("what a step shows is beside its bar, below it where it has no room, and no narrow terminal gets half a word of it") {
  auto job = job_of("nightly", "01a1-1", {stage("install", "running", "10:00:41", "")});
  const auto show = [&](const std::string& text) {
    job["shows"] = boost::json::array{{{"step_id", "install.acme"}, {"kind", "status"}, {"text", text}}};
    auto facts = facts_of({job});
    facts.job_id = "01a1-1";
    facts.usual["nightly"] = {{"install", 60min}};
    return facts;
  };
  CHECK_THAT(text_of(show("locked"), {80, 24}), holds("------------  of 1h 00min  locked\n"));
  const auto download = show("downloading a.tar: attempt 3, next in 20.0s: connection refused");
  CHECK_THAT(text_of(download, {80, 24}), holds("of 1h 00min\n    downloading a.tar: attempt 3, next in 20.0s: connection refused\n"));
  CHECK_THAT(text_of(download, {40, 15}), holds("  > install    29min 19s   of 1h 00min\n    downloading a.tar: attempt 3, next \nin 20.0s: connection refused\n"));
}

TEST_CASE("what a step shows is broken between words and characters, and has three rows at most") {
  if (!std::setlocale(LC_CTYPE, "C.UTF-8"))
    return void(std::puts("SKIPPED: wide characters: there is no locale C.UTF-8"));
  auto job = job_of("nightly", "01a1-1", {stage("install", "running", "10:00:41", "")});
  const auto show = [&](const std::string& text, std::size_t columns) {
    job["shows"] = boost::json::array{{{"step_id", "install.acme"}, {"kind", "status"}, {"text", text}}};
    auto facts = facts_of({job});
    facts.job_id = "01a1-1";
    return text_of(facts, {columns, 15}, true);
  };
  CHECK_THAT(show("語語語語語語語語語 語", 20), holds("\n    語語語語語語語語\n語 語\n"));
  CHECK_THAT(show("a 語語語語語語語", 20), holds("\n    a 語語語語語語語\n"));
  CHECK_THAT(show(std::string(17, 'x') + " y", 20), holds("\n    " + std::string(16, 'x') + "\nx y\n"));
  const std::string long_one = show("one two three four five six seven eight nine ten eleven twelve thirteen", 20);
  CHECK_THAT(long_one, holds("\n    one two three \nfour five six seven \neight nine ten elev…\n\n"));
  CHECK_THAT(show("語 語", 1), holds("\n \n \n \n"));
  std::setlocale(LC_CTYPE, "C");
}

TEST_CASE("every size of a terminal gets rows that fit it") {
  auto facts =
      facts_of({job_of("one", "01a1-1", {stage("install", "running", "10:00:41", "")}), job_of("two", "01a1-2", {})});
  facts.job_id = "01a1-2";
  facts.log.assign(50, std::string(300, 'x'));
  facts.step_id = "install.acme";
  for (const std::size_t columns : {1U, 20U, 80U, 300U})
    for (const std::size_t rows : {1U, 2U, 5U, 24U, 100U}) static_cast<void>(text_of(facts, {columns, rows}));
  CHECK_THAT(text_of(facts, {80, 24}), holds("tab shows the next job"));
}

TEST_CASE("a row is cut by columns, not in the middle of a character") {
  if (!std::setlocale(LC_CTYPE, "C.UTF-8"))
    return void(std::puts("SKIPPED: wide characters: there is no locale C.UTF-8"));
  const auto row = cli::Row{}.put("a語語");
  CHECK(row.text(5, false, true) == "a語語");
  CHECK(row.text(4, false, true) == "a語");
  CHECK(row.text(3, false, false) == "a?");
  CHECK(cli::Row{}.put("red", cli::Style::bad).text(2, true, true) == "\x1b[31mre\x1b[0m");
  std::setlocale(LC_CTYPE, "C");
}

TEST_CASE("without a daemon the trouble is what is shown, and what was known stays") {
  cli::TopFacts facts;
  facts.now = parse_rfc3339("2026-11-26T10:30:00Z").value();
  facts.trouble = "the daemon does not answer";
  CHECK_THAT(text_of(facts, {80, 24}), holds("the daemon does not answer\n"));
  CHECK_THAT(text_of(facts, {14, 24}), holds("\nthe daemon \ndoes not \nanswer\n"));
}
