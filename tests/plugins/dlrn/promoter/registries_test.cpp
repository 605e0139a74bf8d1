// skopeo and the containers of a hash, against Debian's docker-registry.

#include "agent/process/local/local_command_runner.hpp"
#include "agent/base/hash.hpp"
#include "plugins/dlrn/promoter/containers_place.hpp"
#include "plugins/dlrn/promoter/image_list.hpp"
#include "plugins/dlrn/promoter/promoter.hpp"
#include "plugins/dlrn/promoter/skopeo.hpp"

#include "fakes.hpp"
#include "fakes/fake_http_client.hpp"
#include "fakes/fixed_clock.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"
#include "support/registry_server.hpp"

using namespace outpost;
using namespace outpost::promoter;
using namespace outpost::test;

namespace {

bool available() {
  const bool there =
      find_tool("skopeo", "skopeo").has_value() && find_tool("docker-registry", "docker-registry").has_value();
  if (!there) WARN("SKIPPED: containers in registries: skopeo or docker-registry is not installed");
  return there;
}

Registry registry(const RegistryServer& server, const std::string& name_space = "tripleomaster") {
  return {.host = server.host(), .name_space = name_space, .secure = false};
}

/// What runs skopeo, in one loop for a whole test.
struct Tools {
  boost::asio::io_context loop;
  process::LocalCommandRunner commands{OUTPOST_GUARDIAN};

  Skopeo skopeo(const Containers& containers, const Skopeo::Passwords& passwords = {}) {
    auto made = Skopeo::make(commands, containers, passwords);
    return *std::move(made);
  }
  template <class Value>
  Value wait(boost::asio::awaitable<Value> work) {
    return await(loop, std::move(work));
  }
  void push(const std::string& from, const ImageAt& to) {
    std::vector<std::string> arguments{
        "--insecure-policy",    "copy", "--all", "--preserve-digests", "--dest-tls-verify=false", from,
        "docker://" + to.text()};
    const auto said = wait(run_tool(commands, *find_tool("skopeo", "skopeo"), std::move(arguments),
                                    {"PATH=/usr/bin:/bin"}, std::chrono::minutes{2}));
    REQUIRE(said.has_value());
    INFO(said->output);
    REQUIRE(said->status == 0);
  }
  void push_list(const std::string& content, const ImageAt& to) {
    ImageDirectory images;
    images.add_list(content);
    push(images.reference(), to);
  }
  std::string digest(Skopeo& skopeo, const ImageAt& image) {
    const auto found = wait(skopeo.digest(image));
    if (!found) FAIL(found.error().message);
    return found->value_or("");
  }
};

/// A registry that goes away in the middle: before its n-th tag is written.
struct Fickle final : Registries {
  Registries& real;
  RegistryServer& server;
  int copies_left;
  std::vector<std::string> copies;

  Fickle(Registries& registries, RegistryServer& away, int copies_before)
      : real{registries}, server{away}, copies_left{copies_before} {}
  boost::asio::awaitable<Result<std::optional<std::string>>> digest(ImageAt image) override {
    return real.digest(std::move(image));
  }
  boost::asio::awaitable<Result<std::string>> manifest(ImageAt image) override { return real.manifest(std::move(image)); }
  boost::asio::awaitable<Result<void>> put_list(std::string list, ImageAt to) override {
    return real.put_list(std::move(list), std::move(to));
  }
  boost::asio::awaitable<Result<void>> copy(ImageAt from, ImageAt to) override {
    if (to.registry.host == server.host() && copies_left-- == 0) server.stop();
    copies.push_back(to.text());
    return real.copy(std::move(from), std::move(to));
  }
};

/// A source, two targets and a hash of two images, one a list of two platforms.
struct World {
  Tools tools;
  RegistryServer source, first, second;
  Release release;
  FakeHttpClient web;
  const Move move{{.build = build('2')}, "tripleo-ci-testing", "current-tripleo"};
  const std::string hash = move.candidate.full_hash();
  const std::vector<std::string> images{"openstack-neutron-server", "openstack-nova-api"};

  World() {
    release.name = "master";
    release.repo_url = "http://trunk.example.org/centos9-master";
    release.targets = {{.label = "current-tripleo", .candidate_label = "tripleo-ci-testing", .criteria = {"a"}}};
    release.containers = Containers{.source = registry(source),
                                    .targets = {registry(first), registry(second)},
                                    .list_base_url = "http://lists.example.org",
                                    .list_path = "list.yaml"};
    web = FakeHttpClient{[](const http::Request& request) {
      FakeReply reply;
      if (request.url.ends_with("versions.csv"))
        reply.body = "Project,Source Sha\nopenstack-tripleo-common," + std::string(40, 'a') + "\n";
      else
        reply.body =
            "container_images:\n- {image_source: tripleo, imagename: quay.io/x/openstack-nova-api:t}\n- {image_source: "
            "tripleo, imagename: quay.io/x/openstack-neutron-server:t}\n- {image_source: ceph, imagename: "
            "quay.io/ceph/daemon:v4}\n";
      return reply;
    }};
    for (const auto& image : images) {
      tools.push_list("old " + image, {registry(source), image, "old"});
      tools.push_list("new " + image, {registry(source), image, hash});
    }
  }
  /// The old images under the label, everywhere.
  void label_old(Skopeo& skopeo) {
    for (const RegistryServer* server : {&source, &first, &second})
      for (const auto& image : images) {
        const ImageAt old{registry(source), image, "old"}, label{registry(*server), image, "current-tripleo"};
        REQUIRE(tools.wait(skopeo.copy(old, label)).has_value());
      }
  }
  /// Whether everybody's label names the images of that tag of the source.
  bool everywhere(Skopeo& skopeo, const std::string& tag) {
    bool all = true;
    for (const RegistryServer* server : {&source, &first, &second})
      for (const auto& image : images)
        all = all && tools.digest(skopeo, {registry(*server), image, "current-tripleo"}) ==
                         tools.digest(skopeo, {registry(source), image, tag});
    return all;
  }
};

}  // namespace

TEST_CASE("a list of images goes from one registry to another with its digests") {
  if (!available()) return;
  Tools tools;
  const RegistryServer source, target;
  Skopeo skopeo = tools.skopeo({.source = registry(source)});
  const ImageAt from{registry(source), "nova-api", "hash"}, to{registry(target, "elsewhere"), "nova-api", "hash"};
  CHECK(tools.digest(skopeo, from).empty());
  tools.push_list("one", from);
  const std::string digest = tools.digest(skopeo, from);
  REQUIRE(digest.starts_with("sha256:"));
  CHECK(tools.digest(skopeo, to).empty());
  REQUIRE(tools.wait(skopeo.copy(from, to)).has_value());
  CHECK(tools.digest(skopeo, to) == digest);
  CHECK(tools.digest(skopeo, {to.registry, "nova-api", digest}) == digest);
  CHECK(tools.digest(skopeo, {to.registry, "nova-api", "other"}).empty());
}

TEST_CASE("a registry that is away is something else than an image that is not there") {
  if (!available()) return;
  Tools tools;
  RegistryServer server;
  Skopeo skopeo = tools.skopeo({.source = registry(server)});
  server.stop();
  const auto found = tools.wait(skopeo.digest({registry(server), "nova-api", "hash"}));
  REQUIRE(found.has_error());
  CHECK(found.error().fault == Fault::retry_later);
}

TEST_CASE("a registry that wants a login gets it, and not on a command line") {
  if (!available()) return;
  Tools tools;
  const RegistryServer server{true};
  Registry with_user = registry(server);
  with_user.user = "bot";
  Skopeo nobody = tools.skopeo({.source = with_user}),
         wrong = tools.skopeo({.source = with_user}, {{server.host(), config::Secret{"guess"}}}),
         right = tools.skopeo({.source = with_user}, {{server.host(), config::Secret{"secret"}}});
  const ImageAt image{with_user, "nova-api", "hash"};
  for (Skopeo* each : {&nobody, &wrong}) {
    const auto refused = tools.wait(each->digest(image));
    REQUIRE(refused.has_error());
    CHECK(refused.error().fault == Fault::credentials);
  }
  CHECK(tools.digest(right, image).empty());
}

TEST_CASE("containers go to every registry by their hash, then all labels move") {
  if (!available()) return;
  World world;
  Skopeo skopeo = world.tools.skopeo(*world.release.containers);
  world.label_old(skopeo);
  ContainersPlace place{skopeo, world.web, world.release};
  const auto plan = world.tools.wait(place.check(world.move));
  REQUIRE(plan.has_value());
  CHECK(plan->size() == 5);
  const auto before = world.tools.wait(place.look(world.move));
  REQUIRE(before.has_value());
  REQUIRE(world.tools.wait(place.move(world.move, *before)).has_value());
  CHECK(world.everywhere(skopeo, world.hash));
  // Again, as after a crash: the same.
  REQUIRE(world.tools.wait(place.move(world.move, *before)).has_value());
  REQUIRE(world.tools.wait(place.restore(world.move, *before)).has_value());
  CHECK(world.everywhere(skopeo, "old"));
}

TEST_CASE("an image that the source lacks is found before anything is written") {
  if (!available()) return;
  World world;
  Skopeo skopeo = world.tools.skopeo(*world.release.containers);
  ContainersPlace place{skopeo, world.web, world.release};
  Move other = world.move;
  other.candidate.build = build('3');
  const auto plan = world.tools.wait(place.check(other));
  REQUIRE(plan.has_error());
  CHECK(plan.error().message.find("2 of 2 images have no tag") == 0);
  CHECK(world.tools.digest(skopeo, {registry(world.first), world.images[0], other.candidate.full_hash()}).empty());
}

TEST_CASE("with one of two registries away, no label moves anywhere") {
  if (!available()) return;
  World world;
  Skopeo skopeo = world.tools.skopeo(*world.release.containers);
  world.label_old(skopeo);
  ContainersPlace place{skopeo, world.web, world.release};
  const auto before = world.tools.wait(place.look(world.move));
  Fickle fickle{skopeo, world.second, 1};
  ContainersPlace failing{fickle, world.web, world.release};
  CHECK(world.tools.wait(failing.move(world.move, *before)).has_error());
  for (const auto& copy : fickle.copies) CHECK(copy.find("current-tripleo") == std::string::npos);
  world.second.start();
  CHECK(world.everywhere(skopeo, "old"));
}

TEST_CASE(
    "a registry that goes away between the labels leaves the promotion open; the next run puts all back, then "
    "promotes") {
  if (!available()) return;
  World world;
  Skopeo skopeo = world.tools.skopeo(*world.release.containers);
  world.label_old(skopeo);
  FakeJournal journal;
  FakeBuilder builder;
  builder.add("current-tripleo", build('1'));
  builder.add("tripleo-ci-testing", build('2'));
  builder.votes_on[world.hash] = {vote("a")};
  const FixedClock clock;
  // Two copies by hash, and the first of two labels.
  Fickle fickle{skopeo, world.second, 3};
  ContainersPlace place{fickle, world.web, world.release};
  Place* places[] = {&place};
  const auto run = [&] {
    Promoter promoter{{journal, builder, places, clock}, world.release, {}};
    return *world.tools.wait(promoter.run());
  };
  const auto first = run();
  CHECK(first.targets[0].outcome == TargetReport::Outcome::open);
  world.second.start();
  fickle.copies_left = -1;
  const auto second = run();
  REQUIRE(second.resumed.size() == 1);
  CHECK(second.resumed[0].outcome == "rolled back");
  INFO(to_text(second));
  CHECK(second.targets[0].outcome == TargetReport::Outcome::promoted);
  CHECK(world.everywhere(skopeo, world.hash));
}

TEST_CASE("labels that are new cannot be taken away, and are named") {
  if (!available()) return;
  World world;
  Skopeo skopeo = world.tools.skopeo(*world.release.containers);
  ContainersPlace place{skopeo, world.web, world.release};
  const auto before = world.tools.wait(place.look(world.move));
  REQUIRE(world.tools.wait(place.move(world.move, *before)).has_value());
  const auto restored = world.tools.wait(place.restore(world.move, *before));
  REQUIRE(restored.has_error());
  CHECK(restored.error().fault == Fault::refused);
  CHECK(restored.error().message.find("openstack-nova-api:current-tripleo") != std::string::npos);
}

TEST_CASE("of the images of each platform a list is made in every target, of those that all images have") {
  if (!available()) return;
  World world;
  world.release.containers->platforms = {"x86_64", "ppc64le"};
  Skopeo skopeo = world.tools.skopeo(*world.release.containers);
  world.label_old(skopeo);
  ContainersPlace place{skopeo, world.web, world.release};
  const auto plan_fails = world.tools.wait(place.check(world.move));
  REQUIRE(plan_fails.has_error());
  CHECK(plan_fails.error().message.find("2 of 2 images have no tag " + world.hash + "_x86_64") == 0);

  const auto push = [&](const std::string& image, const std::string& platform) {
    ImageDirectory directory;
    directory.add_image(platform == "x86_64" ? "amd64" : platform, image, "manifest.json");
    world.tools.push(directory.reference(), {registry(world.source), image, world.hash + "_" + platform});
  };
  for (const auto& image : world.images) push(image, "x86_64");
  push(world.images[0], "ppc64le");
  const std::vector<std::string> one{"x86_64"}, both{"x86_64", "ppc64le"};
  const auto lists_are_of = [&](const std::vector<std::string>& platforms) {
    const auto before = world.tools.wait(place.look(world.move));
    REQUIRE(before.has_value());
    // Twice, as after a crash.
    for (int time = 0; time < 2; ++time) {
      const auto moved = world.tools.wait(place.move(world.move, *before));
      if (!moved) FAIL(moved.error().message);
    }
    for (const RegistryServer* server : {&world.first, &world.second})
      for (const auto& image : world.images) {
        std::vector<PlatformImage> parts;
        for (const auto& platform : platforms) {
          const ImageAt part{registry(*server), image, world.hash + "_" + platform};
          parts.push_back({platform, *world.tools.wait(skopeo.manifest(part))});
          CHECK(world.tools.digest(skopeo, {registry(world.source), image, part.tag}) == "sha256:" + sha256_hex(parts.back().manifest));
        }
        CHECK(*world.tools.wait(skopeo.manifest({registry(*server), image, world.hash + "_manifest"})) == *make_image_list(parts, image));
      }
    CHECK(world.everywhere(skopeo, world.hash));
  };
  const auto plan = world.tools.wait(place.check(world.move));
  REQUIRE(plan.has_value());
  CHECK(std::count_if(plan->begin(), plan->end(), [&](const auto& line) { return line.find("list x86_64 as " + world.hash + "_manifest") != std::string::npos; }) == 2);
  lists_are_of(one);
  push(world.images[1], "ppc64le");
  lists_are_of(both);
}

TEST_CASE("a manifest is found behind warnings") {
  CHECK(manifest_in("{}") == "{}");
  CHECK(manifest_in("time=\"x\" level=warning msg=y\ntime=\"z\"\n{\"a\":1}") == "{\"a\":1}");
}
