#include "plugins/dlrn/promoter/container_list.hpp"
#include "plugins/dlrn/promoter/api_builder.hpp"

#include "agent/base/hash.hpp"
#include "fakes.hpp"
#include "fakes/fake_http_client.hpp"
#include "fakes/fixed_clock.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>

using namespace outpost;
using namespace outpost::promoter;
using namespace outpost::test;
using Names = std::vector<std::string>;

namespace {

const std::string sha(40, 'a');

Release release_with_list() {
  Release release;
  release.name = "master";
  release.distro_name = "centos";
  release.distro_version = "9";
  release.repo_url = "http://trunk.example.org/centos9-master";
  release.containers = Containers{.list_base_url = "http://lists.example.org",
                                  .list_path = "list.yaml",
                                  .exclude_url = "http://lists.example.org/exclude.yaml"};
  return release;
}

constexpr const char* list = R"(container_images:
- image_source: tripleo
  imagename: quay.io/tripleomaster/openstack-nova-api:current-tripleo
- image_source: tripleo
  imagename: quay.io/tripleomaster/openstack-aodh-api:current-tripleo
- image_source: ceph
  imagename: quay.io/ceph/daemon:v4
)";

}  // namespace

TEST_CASE("a project's commit is found by the names of the columns") {
  const std::string now =
      "Project,Source Repo,Source Sha,Dist Repo\nother,x,y,z\nopenstack-tripleo-common,url," + sha + ",url\r\n";
  CHECK(*source_commit(now, "openstack-tripleo-common", "v") == sha);
  const std::string other_order = "Source Sha,Project\n" + sha + ",openstack-tripleo-common\n";
  CHECK(*source_commit(other_order, "openstack-tripleo-common", "v") == sha);
  CHECK(source_commit(now, "absent", "v").has_error());
  CHECK(source_commit("<!doctype html>\n<title>502</title>\n", "openstack-tripleo-common", "v").error().message ==
        "v: it has no columns \"Project\" and \"Source Sha\"");
  CHECK(source_commit("", "openstack-tripleo-common", "v").has_error());
  CHECK(source_commit("Project,Source Sha\nopenstack-tripleo-common,../x\n", "openstack-tripleo-common", "v")
            .has_error());
}

TEST_CASE("the images of both forms of the list are found") {
  CHECK(*parse_container_list(list, {}, "l") == Names{"aodh-api", "nova-api"});
  const char* old_list =
      "container_images_template:\n- imagename: \"{{namespace}}/{{name_prefix}}nova-api{{name_suffix}}:{{tag}}\"\n- "
      "imagename: docker.io/t/centos-binary-heat-api:t\n";
  CHECK(*parse_container_list(old_list, {}, "l") == Names{"heat-api", "nova-api"});
}

TEST_CASE("a list that is none, or names what is no image, is an error") {
  for (const char* wrong :
       {"", "[]", "container_images: []", "<html>", "container_images:\n- {image_source: tripleo}\n",
        "container_images:\n- {imagename: '../x y:1'}\n"}) {
    INFO(wrong);
    CHECK(parse_container_list(wrong, {}, "l").has_error());
  }
}

TEST_CASE("exclusions are those of the release, or of its distribution") {
  const auto release = release_with_list();
  CHECK(*parse_excludes("exclude_containers: {master: {centos9: [nova-api], centos8: [x]}}", release, "e") ==
        Names{"nova-api"});
  CHECK(*parse_excludes("exclude_containers: {master: [aodh-api]}", release, "e") == Names{"aodh-api"});
  CHECK(parse_excludes("exclude_containers: {train: [x]}", release, "e")->empty());
  CHECK(parse_excludes("other: 1", release, "e").has_error());
}

TEST_CASE("the containers of a hash are those of its tripleo-common, without the excluded") {
  const auto release = release_with_list();
  std::string excludes = "exclude_containers: {master: [aodh-api]}";
  FakeHttpClient web{[&](const http::Request& request) {
    FakeReply reply;
    if (request.url.ends_with("/versions.csv"))
      reply.body = "Project,Source Sha\nopenstack-tripleo-common," + sha + "\n";
    else if (request.url == "http://lists.example.org/" + sha + "/list.yaml")
      reply.body = list;
    else if (excludes.empty())
      reply.status = 503;
    else
      reply.body = excludes;
    return reply;
  }};
  const Candidate candidate{.aggregate = std::string(32, 'c')};
  CHECK(*await(list_containers(web, release, candidate, "tripleo-ci-testing")) == Names{"openstack-nova-api"});
  CHECK(web.requests[0].url ==
        "http://trunk.example.org/centos9-master/tripleo-ci-testing/cc/cc/" + std::string(32, 'c') + "/versions.csv");
  // Whoever cannot say what is excluded does not push everything.
  excludes.clear();
  CHECK(await(list_containers(web, release, candidate, "tripleo-ci-testing")).error().fault == Fault::retry_later);
}

TEST_CASE("commits are read with their dates as numbers, and None as nothing") {
  const std::string text = "commits:\n- commit_hash: " + sha + "\n  distro_hash: " + sha +
                           "\n  extended_hash: None\n  dt_commit: '999.0'\n- {}\n";
  const auto commit = parse_commit(text, "c");
  REQUIRE(commit.has_value());
  CHECK(commit->build.extended.empty());
  CHECK(commit->committed == 999);
  for (const char* wrong :
       {"", "commits: []", "<html>", "commits:\n- {commit_hash: x, distro_hash: y, dt_commit: z}\n"})
    CHECK(parse_commit(wrong, "c").has_error());
}

namespace {

const std::string tree = "http://trunk.example.org/centos9-master";

std::string commit_of(char digit, const std::string& date) {
  return "commits:\n- {commit_hash: " + std::string(40, digit) + ", distro_hash: " + std::string(40, digit) +
         ", extended_hash: None, dt_commit: '" + date + "'}\n";
}

/// Where a build of a component is, by whatever name the builder calls its tree.
std::string build_at(const std::string& any_tree, const std::string& component, char digit) {
  const std::string shard(2, digit);
  return any_tree + "/component/" + component + "/" + shard + "/" + shard + "/" + std::string(40, digit) + "_" +
         std::string(8, digit);
}

/// A builder that publishes one aggregate; what it is asked to promote is in the requests.
struct AggregateWeb {
  std::string repository;
  FakeHttpClient web{[this](const http::Request& request) {
    FakeReply reply;
    if (request.url.ends_with("/delorean.repo"))
      reply.body = repository;
    else if (request.url == build_at(tree, "a", '1') + "/commit.yaml")
      reply.body = commit_of('1', "1000");
    else if (request.url == build_at(tree, "b", '2') + "/commit.yaml")
      reply.body = commit_of('2', "999.0");
    else if (request.url.ends_with("/promote-batch"))
      reply = {.status = 201,
               .headers = {{"Content-Type", "application/json"}},
               .body = R"({"commit_hash":"x","aggregate_hash":"y","timestamp":1.0})"};
    else
      reply.status = 404;
    return reply;
  }};
  FixedClock clock;

  explicit AggregateWeb(std::string text) : repository{std::move(text)} {}
  Result<void> promote(const std::string& aggregate_hash) {
    dlrn::Api::Options options{
        .base = "http://trunk.example.org/api",
        .authorization = std::make_shared<dlrn::BasicAuthorization>("ciuser", config::Secret{"secret"})};
    const auto api = dlrn::Api::make(web, clock, std::move(options));
    ApiBuilder builder{*api, web, tree};
    return await(builder.promote({.aggregate = aggregate_hash}, "tripleo-ci-testing", "current-tripleo"));
  }
  [[nodiscard]] bool has_promoted() const {
    return std::any_of(web.requests.begin(), web.requests.end(), [](const auto& each) { return each.method == "POST"; });
  }
};

}  // namespace

TEST_CASE("an aggregate is promoted as a batch of its builds, in the order of their commits") {
  AggregateWeb builder{"[delorean-component-a]\nbaseurl=" + build_at(tree, "a", '1') +
                       "\nenabled=1\n\n[delorean-component-b]\nbaseurl=" + build_at(tree, "b", '2') + "/\n"};
  const std::string aggregate_hash = md5_hex(builder.repository);
  const auto done = builder.promote(aggregate_hash);
  INFO((done ? std::string{} : done.error().message));
  REQUIRE(done.has_value());
  CHECK(builder.web.requests[0].url == tree + "/tripleo-ci-testing/" + aggregate_hash.substr(0, 2) + "/" +
                                           aggregate_hash.substr(2, 2) + "/" + aggregate_hash + "/delorean.repo");
  const auto& sent = builder.web.requests.back();
  CHECK(sent.url == "http://trunk.example.org/api/api/promote-batch");
  const auto body = boost::json::parse(std::get<std::string>(sent.body));
  REQUIRE(body.as_array().size() == 2);
  CHECK(body.as_array()[0].at("commit_hash").as_string() == std::string(40, '2'));
  CHECK(body.as_array()[0].at("promote_name").as_string() == "current-tripleo");
}

TEST_CASE("the builds of an aggregate are read in our tree, wherever the builder's file leads") {
  AggregateWeb builder{"[a]\nbaseurl=" + build_at("http://169.254.169.254/latest", "a", '1') +
                       "\n[b]\nbaseurl=" + build_at("https://other.example.org", "b", '2') + "\n"};
  CHECK(builder.promote(md5_hex(builder.repository)).has_value());
  for (const auto& request : builder.web.requests) CHECK(request.url.starts_with("http://trunk.example.org/"));

  for (const std::string elsewhere :
       {"http://169.254.169.254/latest/meta-data", "file:///etc/passwd", "http://x/component/../11/11/y"}) {
    AggregateWeb leading{"[a]\nbaseurl=" + elsewhere + "\n"};
    const auto refused = leading.promote(md5_hex(leading.repository));
    REQUIRE(refused.has_error());
    CHECK(refused.error().message.find(elsewhere + " is not the address of a component's build") != std::string::npos);
    CHECK(leading.web.requests.size() == 1);
  }
}

TEST_CASE("an aggregate whose file is not what its hash says is not promoted") {
  AggregateWeb builder{"[a]\nbaseurl=" + build_at(tree, "a", '1') + "\n"};
  const auto refused = builder.promote(std::string(32, 'c'));
  REQUIRE(refused.has_error());
  CHECK(refused.error().fault == Fault::refused);
  CHECK(refused.error().message.find("has the MD5 " + md5_hex(builder.repository)) != std::string::npos);
  CHECK_FALSE(builder.has_promoted());
}

TEST_CASE("a builder's pages instead of its files promote nothing") {
  FixedClock clock;
  FakeHttpClient web{
      [&](const http::Request&) { return FakeReply{.status = 200, .headers = {}, .body = "<html>sign in</html>"}; }};
  const auto api = dlrn::Api::make(web, clock, {.base = "http://trunk.example.org/api"});
  ApiBuilder builder{*api, web, "http://trunk.example.org/tree"};
  CHECK(await(builder.promote({.aggregate = std::string(32, 'c')}, "a", "b")).has_error());
  CHECK(await(builder.history({"a"}, 0)).has_error());
  CHECK(await(builder.votes({.build = build('1')})).has_error());
}
