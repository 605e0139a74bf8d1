#include "plugins/dlrn/source.hpp"

#include "agent/base/ids.hpp"
#include "plugins/dlrn/builder.hpp"

namespace outpost::dlrn {
namespace {

using namespace test;
using Catch::Matchers::Equals;

const std::string aggregate(32, 'a'), older(32, 'b');

job::Definition nightly(std::vector<std::string> selections) {
  job::Definition definition;
  definition.name = "nightly";
  definition.source = "dlrn";
  definition.selections = std::move(selections);
  return definition;
}

Result<std::vector<job::Component>> polled(pipeline::Source& source, const std::string& selection, std::size_t depth = 20) {
  const auto definition = nightly({selection});
  auto all = await(source.poll(definition, depth));
  if (!all) return all.error();
  return all->at(0).components;
}

/// A row of the history; empty texts are null there.
json::object promotion(const BuildHash& build, const std::string& of_aggregate, const std::string& component = "") {
  const auto or_null = [](const std::string& text) { return text.empty() ? json::value{} : json::value(json::string{text}); };
  return {{"commit_hash", build.commit}, {"distro_hash", build.distro}, {"extended_hash", or_null(build.extended)}, {"aggregate_hash", or_null(of_aggregate)},
          {"component", or_null(component)}, {"timestamp", 1795213180}, {"promote_name", "tested"}};
}

TEST_CASE("a label of a builder with components is its aggregate") {
  FakeBuilder builder;
  builder.files["consistent/delorean.repo.md5"] = aggregate;
  const auto source = builder.source();
  const auto found = polled(*source, "consistent");
  REQUIRE(found);
  REQUIRE(found->size() == 1);
  const auto& one = found->front();
  CHECK(one.id == aggregate);
  CHECK(one.type == "delorean");
  CHECK(one.url == tree_url + "/consistent/aa/aa/" + aggregate);
  CHECK(aggregate_of(one) == aggregate);
  CHECK(build_of(one).commit.empty());
}

TEST_CASE("a label of a builder without components, and one of a component, is a build") {
  FakeBuilder builder;
  builder.files["consistent/commit.yaml"] = commit_yaml(first, "");
  builder.files["component/compute/consistent/commit.yaml"] = commit_yaml(second, "compute");
  const auto source = builder.source();
  const auto whole = polled(*source, "consistent");
  REQUIRE(whole);
  CHECK(build_of(whole->front()) == first);
  CHECK(whole->front().url == url_of(tree_url, "", first));
  CHECK(whole->front().released_at.starts_with("2023-11-16T"));
  const auto part = polled(*source, "component/compute/consistent");
  REQUIRE(part);
  CHECK(part->front().type == "compute");
  CHECK(part->front().id == to_string(second));
  CHECK(part->front().url.ends_with("_eeeeeeee_ffffffff"));
}

TEST_CASE("trap: one ETag for two contents: every tenth poll asks without it") {
  FakeBuilder builder;
  builder.files["consistent/delorean.repo.md5"] = aggregate;
  builder.etags["consistent/delorean.repo.md5"] = "\"65564a48-20\"";
  const auto source = builder.source();
  CHECK(polled(*source, "consistent")->front().id == aggregate);
  builder.files["consistent/delorean.repo.md5"] = older;  // Made in the same second, of the same size.
  int polls = 0;
  while (polled(*source, "consistent")->front().id == aggregate) REQUIRE(++polls < 20);
  CHECK(polls == 9);
  for (const auto& request : builder.client.requests) {
    CHECK_FALSE(request.headers.has("If-Modified-Since"));
    CHECK_FALSE(request.headers.has("Authorization"));
  }
}

TEST_CASE("trap: a new ETag with the same content is no news") {
  FakeBuilder builder;
  builder.files["tested/delorean.repo.md5"] = aggregate;
  builder.etags["tested/delorean.repo.md5"] = "\"1\"";
  const auto source = builder.source();
  CHECK(polled(*source, "tested"));
  const auto asked = builder.count("GET", "/api/promotions");
  builder.etags["tested/delorean.repo.md5"] = "\"2\"";
  CHECK(polled(*source, "tested")->front().id == aggregate);
  CHECK(builder.count("GET", "/api/promotions") == asked);
}

TEST_CASE("what a label was before comes from the API, once per hash, without the rows of a batch that have no aggregate") {
  FakeBuilder builder;
  builder.files["tested/delorean.repo.md5"] = aggregate;
  builder.promotions = {promotion(first, aggregate), promotion(second, ""), promotion(first, older), promotion(second, ""), promotion(first, older)};
  const auto source = builder.source();
  const auto found = polled(*source, "tested");
  REQUIRE(found);
  REQUIRE(found->size() == 2);
  CHECK(found->at(0).id == aggregate);
  CHECK_FALSE(found->at(0).released_at.empty());
  CHECK(found->at(1).id == older);
  CHECK(polled(*builder.source(), "tested", 1)->size() == 1);
}

TEST_CASE("a label's newest promotion may be asked of the API alone") {
  FakeBuilder builder;
  builder.promotions = {promotion(second, older, "compute"), promotion(first, aggregate, "compute")};
  const auto source = builder.source();
  const auto found = polled(*source, R"({"promoted":"tested","component":"compute"})");
  REQUIRE(found);
  REQUIRE(found->size() == 2);
  CHECK(build_of(found->at(0)) == second);
  CHECK(found->at(0).url == url_of(tree_url, "compute", second));
}

TEST_CASE("trap: what another job has tested last is offered, but not the vote of a third that the builder answers with instead") {
  FakeBuilder builder;
  const auto source = builder.source();
  CHECK(polled(*source, R"({"tested":"first"})")->empty());  // 400: nobody has voted yet.
  builder.last_tested = {{"commit_hash", first.commit}, {"distro_hash", first.distro}, {"extended_hash", nullptr}, {"job_id", "first"}, {"component", nullptr}, {"timestamp", 1795213180}};
  CHECK(build_of(polled(*source, R"({"tested":"first"})")->front()) == first);
  builder.last_tested.as_object()["job_id"] = "another";
  CHECK(polled(*source, R"({"tested":"first"})")->empty());
}

TEST_CASE("trap: the builder's fallback drops the component, so the same job's vote on another component is not offered") {
  FakeBuilder builder;
  std::string warned;
  const auto source = builder.source({.name = "dlrn", .warn = [&](const std::string& message) { warned += message; }});
  builder.last_tested = {{"commit_hash", first.commit}, {"distro_hash", first.distro}, {"extended_hash", nullptr}, {"job_id", "first"}, {"component", "network"}, {"timestamp", 1795213180}};
  CHECK(polled(*source, R"({"tested":"first","component":"compute"})")->empty());
  CHECK_THAT(warned, holds("no build has been tested by first yet as this asks for it"));
  CHECK(polled(*source, R"({"tested":"first","component":"network"})")->size() == 1);
}

TEST_CASE("trap: a build that is still being tested, or that has failed since it succeeded, was not tested") {
  FakeBuilder builder;
  const auto source = builder.source();
  builder.last_tested = {{"commit_hash", first.commit}, {"distro_hash", first.distro}, {"extended_hash", nullptr}, {"job_id", "first"}, {"component", nullptr},
                         {"success", true}, {"in_progress", true}, {"timestamp", 1795213180}};
  CHECK(polled(*source, R"({"tested":"first"})")->empty());
  builder.last_tested.as_object()["in_progress"] = false;
  CHECK(polled(*source, R"({"tested":"first","success":true})")->size() == 1);
  json::object later{{"job_id", "first"}, {"success", false}, {"in_progress", true}, {"timestamp", 1795213190}};
  builder.votes = {later};
  CHECK(polled(*source, R"({"tested":"first","success":true})")->size() == 1);  // In progress: it stays beside the final one for ever.
  later["in_progress"] = false;
  builder.votes = {later};
  CHECK(polled(*source, R"({"tested":"first","success":true})")->empty());
}

TEST_CASE("what is promoted is offered after another job has passed it, until ours has a vote") {
  FakeBuilder builder;
  const auto source = builder.source();
  const std::string triggered = R"({"promoted":"tested","after":"images"})";
  const auto is_offered = [&] {
    const auto found = polled(*source, triggered);
    REQUIRE(found);
    REQUIRE(found->size() <= 1);
    return !found->empty();
  };
  const auto vote = [](const std::string& job, bool success, int at, bool in_progress = false) {
    return json::object{{"job_id", job}, {"success", success}, {"in_progress", in_progress}, {"timestamp", at}};
  };
  CHECK_FALSE(is_offered());
  SECTION("an aggregate") { builder.promotions = {promotion(first, aggregate), promotion(second, ""), promotion(first, older)}; }
  SECTION("a build") { builder.promotions = {promotion(second, ""), promotion(first, "")}; }
  CHECK_FALSE(is_offered());
  builder.votes = {vote("another", true, 5), vote("images", true, 5, true)};
  CHECK_FALSE(is_offered());
  builder.votes = {vote("images", false, 5)};
  CHECK_FALSE(is_offered());
  builder.votes = {vote("images", false, 5), vote("images", true, 9)};
  CHECK(is_offered());
  CHECK(polled(*source, triggered)->front().id == polled(*source, R"({"promoted":"tested"})", 1)->front().id);
  builder.votes = {vote("images", true, 5), vote("images", false, 9)};
  CHECK_FALSE(is_offered());
  for (const bool in_progress : {true, false}) {
    builder.votes = {vote("images", true, 9), vote("nightly", false, 12, in_progress)};
    CHECK_FALSE(is_offered());
  }
  CHECK_FALSE(source->check(nightly({R"({"promoted":"tested","after":"nightly"})"})));
}

TEST_CASE("what was promoted is asked for in full only when there is news, and however many rows a batch has") {
  FakeBuilder builder;
  std::string warned;
  const auto source = builder.source({.name = "dlrn", .warn = [&](const std::string& message) { warned += message; }});
  CHECK(polled(*source, R"({"promoted":"tested"})")->empty());
  CHECK_THAT(warned, holds("nothing was ever promoted to tested at " + api_url + "; is it spelt right?"));
  for (const char c : std::string{"cba"}) {
    builder.promotions.push_back(promotion(first, std::string(32, c)));
    for (int other = 0; other < 29; ++other) builder.promotions.push_back(promotion(second, ""));
  }
  const auto found = polled(*source, R"({"promoted":"tested"})", 3);
  REQUIRE(found);
  REQUIRE(found->size() == 3);
  CHECK(found->at(2).id == aggregate);
  const auto asked = builder.count("GET", "/api/promotions");
  CHECK(polled(*source, R"({"promoted":"tested"})", 3)->size() == 3);
  CHECK(builder.count("GET", "/api/promotions") == asked + 1);
}

TEST_CASE("trap: a label that does not exist is told, one that is just being moved is asked for again") {
  FakeBuilder builder;
  const auto source = builder.source();
  const auto none = polled(*source, "consistant");
  REQUIRE_FALSE(none);
  CHECK(none.error().fault == Fault::refused);
  CHECK_THAT(none.error().message, holds("the label consistant does not exist at " + tree_url));
  builder.files["component/compute/tested/commit.yaml"] = commit_yaml(first, "compute");
  CHECK(polled(*source, "component/compute/tested"));
  builder.files.clear();
  CHECK(polled(*source, "component/compute/tested").error().fault == Fault::retry_later);
}

TEST_CASE("a portal's page is no hash") {
  FakeBuilder builder;
  builder.files["consistent/delorean.repo.md5"] = "<html><title>Log in</title>";
  const auto found = polled(*builder.source(), "consistent");
  REQUIRE_FALSE(found);
  CHECK(found.error().fault == Fault::malformed);
}

TEST_CASE("a definition is checked without a builder") {
  FakeBuilder builder;
  const auto source = builder.source();
  CHECK(source->check(nightly({"consistent", "component/compute/consistent"})));
  CHECK_THAT(source->check(nightly({})).error().message, holds("components are missing"));
  CHECK_THAT(source->check(nightly({"a/b"})).error().message, !holds("nightly"));  // Who asks knows the job.
  CHECK(builder.client.requests.empty());
}

/// A claim for what a poll has found.
struct Claiming {
  FakeBuilder builder;
  pipeline::ClaimRequest request;
  std::unique_ptr<pipeline::Source> source = builder.source();

  explicit Claiming(const std::string& selection) {
    builder.files["consistent/commit.yaml"] = commit_yaml(first, "");
    builder.last_tested = {{"commit_hash", first.commit}, {"distro_hash", first.distro}, {"extended_hash", nullptr}, {"job_id", "first"}, {"component", nullptr}, {"timestamp", 1795213180}};
    request.job.definition = nightly({selection});
    request.job.components = *polled(*source, selection);
    request.claim_id = new_id(builder.clock.now());
  }
};

TEST_CASE("a claim of what a job has tested puts a vote in progress there") {
  Claiming c{R"({"tested":"first","max_age":"24h"})"};
  const auto claimed = await(c.source->claim(c.request));
  REQUIRE(claimed);
  CHECK(claimed->claim.external_ref == c.request.claim_id);
  CHECK(claimed->claim.source == "dlrn");
  CHECK(claimed->url == url_of(tree_url, "", first));
  CHECK(claimed->document.at("components").at(0).at("commit_hash").as_string() == first.commit);
  REQUIRE(c.builder.votes.size() == 1);
  CHECK(c.builder.votes[0].at("job_id").as_string() == "nightly");
}

TEST_CASE("a claim whose answer was lost is found, and makes no second vote") {
  Claiming c{R"({"tested":"first"})"};
  c.builder.loses_answers = true;
  CHECK(await(c.source->claim(c.request)).error().fault == Fault::retry_later);
  c.builder.loses_answers = false;
  CHECK(await(c.source->find(c.request))->has_value());
  CHECK(await(c.source->claim(c.request)));
  CHECK(c.builder.votes.size() == 1);
}

TEST_CASE("a vote in progress of an earlier run is not this claim's") {
  Claiming c{R"({"tested":"first"})"};
  CHECK(await(c.source->claim(c.request)));
  c.builder.clock.time += std::chrono::hours{1};
  c.request.claim_id = new_id(c.builder.clock.now());
  CHECK_FALSE(await(c.source->find(c.request))->has_value());
  CHECK(await(c.source->claim(c.request)));
  CHECK(c.builder.votes.size() == 2);
}

TEST_CASE("trap: the builder chooses what is taken, so it is asked before") {
  Claiming c{R"({"tested":"first"})"};
  c.builder.last_tested.as_object()["commit_hash"] = second.commit;
  CHECK(await(c.source->claim(c.request)));
  CHECK(c.builder.votes.empty());
}

TEST_CASE("a claim of a label writes nothing: the builder could not be told which build is meant") {
  Claiming c{"consistent"};
  CHECK(await(c.source->claim(c.request)));
  CHECK_FALSE(await(c.source->find(c.request))->has_value());
  CHECK(c.builder.count("POST", "") == 0);
  CHECK_FALSE(await(c.source->watch({"dlrn", "x", {}}))->cancelled);
}

/// Fetches what a poll has found.
struct Fetching {
  outpost::test::TemporaryDirectory directory;
  std::string lines;

  Result<void> run(FakeBuilder& builder, const std::string& selection) {
    auto source = builder.source({.name = "dlrn", .download = {.attempts = 1}});
    pipeline::FetchRequest request;
    request.job.definition = nightly({selection});
    request.job.components = *polled(*source, selection, 1);
    request.directories[request.job.components.front().id] = directory.path / "delorean";
    return await(source->fetch(request, [&](std::string_view line) { lines += std::string{line} + '\n'; }));
  }
  std::string file(const std::string& name) const { return outpost::test::read_file(directory.path / "delorean" / name); }
};

TEST_CASE("trap: files of a label are exchanged one by one, so those of a build come from the directory of the hash") {
  FakeBuilder builder;
  const std::string place = "11/aa/" + directory_name(first) + "/";
  builder.files["consistent/commit.yaml"] = commit_yaml(first, "");
  builder.files[place + "commit.yaml"] = commit_yaml(first, "");
  builder.files[place + "delorean.repo"] = repo_file("delorean", "http://public.example.org/centos9/" + place);
  builder.files[place + "versions.csv"] = "Project,Source Repo\n";
  Fetching fetching;
  CHECK(fetching.run(builder, "consistent"));
  CHECK(fetching.file("delorean.repo") == builder.files[place + "delorean.repo"]);
  CHECK(fetching.file("versions.csv") == "Project,Source Repo\n");

  SECTION("an older builder without versions is fine") {
    builder.files.erase(place + "versions.csv");
    Fetching without;
    CHECK(without.run(builder, "consistent"));
    CHECK_THAT(without.lines, holds("no versions.csv"));
  }
  SECTION("a purged one is told") {
    builder.files.erase(place + "delorean.repo");
    Fetching purged;
    const auto failed = purged.run(builder, "consistent");
    REQUIRE_FALSE(failed);
    CHECK(failed.error().fault == Fault::refused);
    CHECK_THAT(failed.error().message, holds("404: the builder has purged this hash"));
  }
  SECTION("one whose files name another build is refused") {
    builder.files[place + "commit.yaml"] = commit_yaml(second, "");
    Fetching other;
    CHECK_THAT(other.run(builder, "consistent").error().message, holds("commit.yaml names " + second.commit));
    builder.files[place + "commit.yaml"] = commit_yaml(first, "");
    builder.files[place + "delorean.repo"] = repo_file("delorean", url_of(tree_url, "", second));
    Fetching elsewhere;
    CHECK_THAT(elsewhere.run(builder, "consistent").error().message, holds("delorean.repo leads to"));
  }
}

TEST_CASE("of an aggregate the repository file has the hash, and the commits of its components come along") {
  FakeBuilder builder;
  const std::string repo = repo_file("delorean-component-compute", url_of(tree_url, "compute", first)) + "\n" +
                           repo_file("delorean-component-network", url_of("http://elsewhere.example.org/master", "network", second)) + "\n" +
                           repo_file("delorean-component-storage", "http://elsewhere.example.org/component/storage/aa/bb/c") + "\n";
  const std::string hash = md5_hex(repo);
  const std::string place = "consistent/" + hash.substr(0, 2) + '/' + hash.substr(2, 2) + '/' + hash + '/';
  builder.files["consistent/delorean.repo.md5"] = hash;
  builder.files[place + "delorean.repo"] = repo;
  builder.files["component/compute/11/aa/" + directory_name(first) + "/commit.yaml"] = commit_yaml(first, "compute");
  builder.files["component/network/33/cc/" + directory_name(second) + "/commit.yaml"] = commit_yaml(second, "network");
  Fetching fetching;
  CHECK(fetching.run(builder, "consistent"));
  CHECK(fetching.file("delorean.repo") == repo);
  CHECK(fetching.file("components/compute/commit.yaml") == commit_yaml(first, "compute"));
  // The builder may call its own tree by another name; what is asked is the tree that we know.
  CHECK(fetching.file("components/network/commit.yaml") == commit_yaml(second, "network"));
  CHECK_THAT(fetching.lines, holds("delorean-component-storage: its address http://elsewhere.example.org/component/storage/aa/bb/c is not that of a component's build"));
  CHECK(builder.count("GET", "elsewhere") == 0);

  SECTION("trap: a repository file with another MD5 is refused, with both") {
    builder.files[place + "delorean.repo"] = repo + "# changed\n";
    Fetching changed;
    const auto failed = changed.run(builder, "consistent");
    REQUIRE_FALSE(failed);
    CHECK(failed.error().fault == Fault::refused);
    CHECK_THAT(failed.error().message, holds(md5_hex(repo + "# changed\n")) && holds(hash));
  }
}

}  // namespace
}  // namespace outpost::dlrn
