#include "plugins/dlrn/promoter/selection.hpp"

#include "fakes.hpp"
#include "support/catch.hpp"

using namespace outpost;
using namespace outpost::promoter;
using outpost::test::aggregate;
using outpost::test::build;
using outpost::test::vote;

namespace {

const Timestamp now = *parse_rfc3339("2026-11-20T12:00:00Z");

dlrn::Promotion row(const dlrn::BuildHash& hash, const std::string& of = {}, int at = 1) {
  dlrn::Promotion promotion;
  promotion.build = hash;
  promotion.aggregate = of;
  promotion.timestamp = std::chrono::sys_seconds{std::chrono::seconds{at}};
  return promotion;
}

std::string hashes(const std::vector<Candidate>& candidates) {
  std::string text;
  for (const auto& each : candidates) text += each.full_hash().substr(0, 1);
  return text;
}

std::vector<Candidate> these(std::string_view digits) {
  std::vector<Candidate> found;
  for (const char digit : digits) found.push_back({.build = build(digit)});
  return found;
}

Target target_of(std::vector<std::string> criteria, Alternatives alternatives = {}) {
  return {.label = "current-tripleo",
          .candidate_label = "tripleo-ci-testing",
          .criteria = std::move(criteria),
          .alternatives = std::move(alternatives)};
}

}  // namespace

TEST_CASE("a build without an extended hash is a candidate like any other") {
  const std::string extended = std::string(40, 'a') + "_" + std::string(40, 'b');
  const std::vector<dlrn::Promotion> rows{row(build('1')), row(build('2', extended)),
                                          row(build('3', std::string(40, 'c')))};
  const auto found = distinct(rows);
  REQUIRE(hashes(found) == "12");
  CHECK(found[0].full_hash() == std::string(40, '1') + "_11111111");
  CHECK(found[1].full_hash() == std::string(40, '2') + "_22222222_aaaaaaaa_bbbbbbbb");
}

TEST_CASE("of a batch only the aggregate is a candidate, not the builds of its other rows") {
  const std::vector<dlrn::Promotion> rows{row(build('f'), aggregate('2')), row(build('e')), row(build('d')),
                                          row(build('f'), aggregate('1')), row(build('e'))};
  CHECK(hashes(distinct(rows)) == "21");
}

TEST_CASE("a hash that was promoted twice to a label is one candidate, whatever the times") {
  const std::vector<dlrn::Promotion> rows{row(build('2'), {}, 9), row(build('1'), {}, 8), row(build('2'), {}, 7)};
  const auto found = distinct(rows);
  REQUIRE(hashes(found) == "21");
  CHECK(found[0].promoted_at.time_since_epoch().count() == 9);
}

TEST_CASE("candidates end at the first that was ever promoted to the target") {
  CHECK(hashes(eligible(these("54321"), these("3"), 10)) == "54");
  CHECK(hashes(eligible(these("54321"), these("915"), 10)).empty());
  CHECK(hashes(eligible(these("54321"), {}, 2)) == "54");
  CHECK(hashes(eligible(these("54321"), these("1"), 10)) == "5432");
}

TEST_CASE("every criterion has to have passed") {
  const auto target = target_of({"a", "b"});
  const std::vector<dlrn::Vote> one{vote("a"), vote("other")}, both{vote("a"), vote("b")};
  CHECK(judge(target, {.build = build('1')}, one, {}, now).missing() == std::vector<std::string>{"b"});
  CHECK(judge(target, {.build = build('1')}, both, {}, now).passed());
  CHECK_FALSE(judge(target, {.build = build('1')}, {}, {}, now).passed());
}

TEST_CASE("a vote in progress says nothing") {
  auto running = vote("a", true, 2000);
  running.in_progress = true;
  const auto judged = judge(target_of({"a"}), {}, std::vector{running}, {}, now);
  CHECK(judged.jobs[0].state == JobState::absent);
  CHECK(judge(target_of({"a"}), {}, std::vector{vote("a"), running}, {}, now).passed());
}

TEST_CASE("an alternative of one candidate does not change the criteria of the next") {
  const auto target = target_of({"a", "b"}, {{"b", {"b-internal", "b-other"}}});
  const std::vector<dlrn::Vote> with_alternative{vote("a"), vote("b", false), vote("b-internal")};
  const auto first = judge(target, {.build = build('1')}, with_alternative, {}, now);
  REQUIRE(first.passed());
  CHECK(first.jobs[1].state == JobState::alternative);
  CHECK(first.jobs[1].by == "b-internal");
  const std::vector<dlrn::Vote> original{vote("a"), vote("b")};
  CHECK(judge(target, {.build = build('2')}, original, {}, now).passed());
}

TEST_CASE("the newest vote of a job counts, unless any success does") {
  auto target = target_of({"a"});
  const std::vector<dlrn::Vote> broke_later{vote("a", true, 1000), vote("a", false, 2000)};
  CHECK(judge(target, {}, broke_later, {}, now).jobs[0].state == JobState::failed);
  target.any_success = true;
  CHECK(judge(target, {}, broke_later, {}, now).passed());
  const std::vector<dlrn::Vote> repaired{vote("a", false, 1000), vote("a", true, 1000)};
  target.any_success = false;
  CHECK(judge(target, {}, repaired, {}, now).passed());
}

TEST_CASE("a success that is too old does not count") {
  auto target = target_of({"a"});
  target.max_vote_age = std::chrono::hours{24};
  const auto seconds = static_cast<int>(std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count());
  CHECK(judge(target, {}, std::vector{vote("a", true, seconds - 3600)}, {}, now).passed());
  CHECK(judge(target, {}, std::vector{vote("a", true, seconds - 90'000)}, {}, now).jobs[0].state == JobState::too_old);
}

TEST_CASE("a waiver lets one hash pass without one job until its day is over") {
  const auto target = target_of({"a", "b"});
  const Candidate candidate{.build = build('1')};
  Waiver waiver{.target = "current-tripleo",
                .job = "b",
                .hash = candidate.full_hash(),
                .by = "jane",
                .why = "known bug",
                .until = now + std::chrono::hours{1}};
  const std::vector<dlrn::Vote> votes{vote("a"), vote("b", false)};
  const auto judged = judge(target, candidate, votes, std::vector{waiver}, now);
  REQUIRE(judged.passed());
  CHECK(judged.jobs[1].by == "jane: known bug");
  CHECK_FALSE(judge(target, {.build = build('2')}, votes, std::vector{waiver}, now).passed());
  CHECK_FALSE(judge(target, candidate, votes, std::vector{waiver}, now + std::chrono::hours{2}).passed());
  waiver.target = "current-tripleo-rdo";
  CHECK_FALSE(judge(target, candidate, votes, std::vector{waiver}, now).passed());
}

TEST_CASE("a job that nobody has heard of is named, with the one that may be meant") {
  const auto target =
      target_of({"periodic-standalone", "perodic-undercloud", "elsewhere"}, {{"elsewhere", {"elsewhere-internal"}}});
  const std::vector<std::string> seen{"periodic-standalone", "periodic-undercloud", "elsewhere-internal"};
  const auto unknown = unknown_jobs(target, seen);
  REQUIRE(unknown.size() == 1);
  CHECK(unknown.at("perodic-undercloud") == "periodic-undercloud");
}

TEST_CASE("hashes are read as people write them") {
  const std::string commit(40, 'a'), distro(40, 'b');
  CHECK(parse_candidate(commit + "_" + distro)->build == dlrn::BuildHash{commit, distro, {}});
  CHECK(parse_candidate(commit + "_" + distro + "_" + commit + "_" + distro)->build.extended == commit + "_" + distro);
  CHECK(parse_candidate(aggregate('c'))->is_aggregate());
  for (const std::string& wrong : {std::string{}, commit, commit + "_bbbbbbbb", std::string{"../x"}})
    CHECK(parse_candidate(wrong).has_error());
}

TEST_CASE("a candidate survives the journal") {
  for (const Candidate& candidate : {Candidate{.build = build('1'), .component = "tripleo"},
                                     Candidate{.build = build('2'), .aggregate = aggregate('3')}}) {
    const auto back = candidate_from_json(to_json(candidate));
    REQUIRE(back.has_value());
    CHECK(back->full_hash() == candidate.full_hash());
    CHECK(back->build == candidate.build);
  }
  auto broken = to_json(Candidate{.build = build('1')});
  broken["commit_hash"] = std::string(40, '9');
  CHECK(candidate_from_json(broken).has_error());
}
