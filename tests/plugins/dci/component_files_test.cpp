#include "plugins/dci/component_files.hpp"

#include "agent/base/hash.hpp"
#include "fakes/fake_http_client.hpp"
#include "plugins/dci/fake_client.hpp"
#include "plugins/dci/fake_server.hpp"
#include "plugins/dci/source.hpp"
#include "support/await.hpp"
#include "support/catch.hpp"

#include <archive.h>
#include <archive_entry.h>

namespace outpost::dci {
namespace {

namespace fs = std::filesystem;
using outpost::test::await;
using outpost::test::read_file;
using test::FakeClient;
using test::FakeServer;
using test::page;
using test::refusal;
using test::Seen;

/// A tar archive with one file, compressed by zstd.
std::string tar_zst(const std::string& name, const std::string& content) {
  std::string bytes(1 << 16, '\0');
  std::size_t used = 0;
  archive* out = archive_write_new();
  archive_write_set_format_pax_restricted(out);
  archive_write_add_filter_zstd(out);
  archive_write_open_memory(out, bytes.data(), bytes.size(), &used);
  archive_entry* entry = archive_entry_new();
  archive_entry_set_pathname(entry, name.c_str());
  archive_entry_set_size(entry, static_cast<la_int64_t>(content.size()));
  archive_entry_set_filetype(entry, AE_IFREG);
  archive_entry_set_perm(entry, 0644);
  archive_write_header(out, entry);
  archive_write_data(out, content.data(), content.size());
  archive_entry_free(entry);
  archive_write_close(out);
  archive_write_free(out);
  return bytes.substr(0, used);
}

/// The control server that redirects, and the object store behind it.
struct Fixture {
  Fixture() {
    client.handler = [this](const Seen& seen) -> Result<http::Response> {
      if (seen.url.starts_with(store)) return from_store(seen);
      if (seen.path == "/api/v1/components/" + component.id + "/files") {
        boost::json::array rows;
        for (const auto& [name, content] : uploaded)
          rows.push_back({{"id", ids.at(name)}, {"name", name}, {"size", content.size()}, {"state", "active"}});
        return test::answer(200, {{"component_files", rows}, {"_meta", {{"count", rows.size()}}}});
      }
      if (seen.path.ends_with("/content"))
        for (const auto& [name, content] : uploaded)
          if (seen.path.find(ids.at(name)) != std::string::npos) return http::Response{200, {}, content};
      const std::string below = seen.path.substr(("/api/v1/components/" + component.id + "/files/").size());
      return http::Response{302, {{"Location", store + percent_encode(below, true) + "?X-Amz-Signature=s"}}, ""};
    };
    component.id = "00000000-0000-4000-8000-0000000000c0";
    component.type = "ocp";
    component.name = "OpenShift";
  }

  http::Response from_store(const Seen& seen) {
    const auto path = percent_decode(seen.url.substr(store.size(), seen.url.find('?') - store.size()));
    const auto found = objects.find(path);
    if (found == objects.end()) return {404, {}, "<Error>NoSuchKey</Error>"};
    return {200, {{"Content-Length", std::to_string(found->second.size())}}, found->second};
  }

  void add(const std::string& path, const std::string& name, const std::string& content, const std::string& sha = "") {
    objects[path.empty() ? name : path + "/" + name] = content;
    files.push_back({{"path", path},
                     {"name", name},
                     {"size", content.size()},
                     {"sha256", sha.empty() ? sha256_hex(content) : sha}});
  }
  void list() {
    objects["dci_files_list.json"] = boost::json::serialize(
        boost::json::object{{"directories", directories}, {"files", files}, {"symlinks", links}});
  }

  Result<void> fetch(bool unpack = true, bool make_list = true) {
    if (make_list) list();
    ComponentFiles all{api,
                       client,
                       workers,
                       cache ? &*cache : nullptr,
                       limits,
                       allow_local,
                       {.attempts = 2, .backoff_base = std::chrono::milliseconds{1}},
                       files::Unpacker{OUTPOST_UNPACK, workers}};
    return await(all.fetch(component, root, unpack, [this](std::string_view line) { lines.emplace_back(line); },
                           [this](std::string_view why, bool) { stalls.emplace_back(why); }));
  }
  std::size_t requests_to_store() {
    return static_cast<std::size_t>(std::count_if(client.seen.begin(), client.seen.end(),
                                                  [&](const Seen& seen) { return seen.url.starts_with(store); }));
  }

  outpost::test::TemporaryDirectory directory;
  fs::path root = directory.path / "component";
  FakeClient client;
  test::FixedClock clock;
  Workers workers{2};
  Api api = *Api::make(client, clock, test::lab, "https://dci.example.org");
  std::string store = "https://store.example.com/dci-components/";
  std::map<std::string, std::string> objects, uploaded, ids;
  boost::json::array files, directories, links;
  job::Component component;
  FetchLimits limits;
  bool allow_local = false;
  std::optional<files::Cache> cache;
  std::vector<std::string> lines, stalls;
};

std::string problem(const Result<void>& result) {
  REQUIRE_FALSE(result);
  return result.error().message;
}

TEST_CASE("the files of the list are brought below the component's directory, checked") {
  Fixture f;
  f.add("", "top.txt", "top");
  f.add("BaseOS/x86_64", "libstdc++-11.rpm", "an rpm");
  f.directories = {"empty/dir"};
  f.links = {{{"path", "BaseOS"}, {"name", "latest.rpm"}, {"destination", "x86_64/libstdc++-11.rpm"}}};
  REQUIRE(f.fetch());
  CHECK(read_file(f.root / "top.txt") == "top");
  CHECK(read_file(f.root / "BaseOS/x86_64/libstdc++-11.rpm") == "an rpm");
  CHECK(read_file(f.root / "BaseOS/latest.rpm") == "an rpm");
  CHECK(fs::is_directory(f.root / "empty/dir"));
  CHECK(f.lines.at(0) == "ocp OpenShift: 2 files, 9 bytes");
}

TEST_CASE("the object store gets no header of ours, and may not be at a local address") {
  Fixture f;
  f.add("", "a", "content");
  REQUIRE(f.fetch());
  for (const auto& seen : f.client.seen) {
    const bool ours = seen.url.starts_with("https://dci.example.org");
    CHECK(seen.headers.has("Authorization") == ours);
    CHECK(seen.headers.has("X-DCI-Date") == ours);
    CHECK(seen.refuses_local == !ours);
  }
  f.allow_local = true;
  f.client.seen.clear();
  fs::remove_all(f.root);
  REQUIRE(f.fetch());
  for (const auto& seen : f.client.seen) CHECK_FALSE(seen.refuses_local);
}

TEST_CASE("https never falls to http") {
  Fixture f;
  f.store = "http://store.example.com/";
  f.add("", "a", "content");
  CHECK(problem(f.fetch()).find("https to http") != std::string::npos);
}

TEST_CASE("a second call goes on with what the first left, and repairs what was changed") {
  Fixture f;
  f.add("", "a", "content of a");
  f.add("", "b", "content of b");
  REQUIRE(f.fetch());
  const auto before = f.requests_to_store();
  REQUIRE(f.fetch());
  CHECK(f.requests_to_store() == before + 2);  // The lists only.
  outpost::test::write_file(f.root / "a", "CONTENT OF A");
  REQUIRE(f.fetch());
  CHECK(read_file(f.root / "a") == "content of a");
  CHECK(f.requests_to_store() == before + 5);
}

TEST_CASE("the list of container images is brought for hooks, when there is one") {
  Fixture f;
  f.add("", "a", "content");
  REQUIRE(f.fetch());
  CHECK_FALSE(fs::exists(f.root / "images_list.yaml"));
  const std::string images = "- quay.io/acme/storage:1.0\n";
  f.objects["images_list.yaml"] = images;
  REQUIRE(f.fetch());
  CHECK(read_file(f.root / "images_list.yaml") == images);
  CHECK(f.lines.back() == "images_list.yaml: 27 bytes; mirroring its images is up to hooks");
  f.objects["images_list.yaml"] = "<html>a portal</html>";
  CHECK(problem(f.fetch()).find("images_list.yaml: a page came instead") != std::string::npos);
}

TEST_CASE("a checksum that does not fit is an error that names both") {
  Fixture f;
  f.add("", "a", "content", sha256_hex("another"));
  const auto message = problem(f.fetch());
  CHECK(message.find("ocp OpenShift: a:") != std::string::npos);
  CHECK(message.find(sha256_hex("another").substr(0, 16)) != std::string::npos);
  CHECK_FALSE(fs::exists(f.root / "a"));
}

TEST_CASE("nothing is written outside the directory, whatever the list says") {
  for (const std::string bad : {"../evil", "/evil", "a/../../evil", "a//evil", "./a/./evil"}) {
    CAPTURE(bad);
    Fixture f;
    f.add("", bad, "content");
    CHECK_FALSE(f.fetch());
    CHECK_FALSE(fs::exists(f.directory.path / "evil"));
  }
  Fixture f;
  f.directories = {"../evil"};
  CHECK_FALSE(f.fetch());
  CHECK_FALSE(fs::exists(f.directory.path / "evil"));
}

TEST_CASE("links stay inside the directory") {
  for (const auto& [name, destination] :
       {std::pair{"l", "/etc/passwd"}, std::pair{"l", "../../x"}, std::pair{"../l", "x"}, std::pair{"l", ""}}) {
    CAPTURE(name, destination);
    Fixture f;
    f.links = {{{"path", ""}, {"name", name}, {"destination", destination}}};
    CHECK(problem(f.fetch()).find("symlinks") != std::string::npos);
    CHECK_FALSE(fs::is_symlink(f.root / "l"));
  }
}

TEST_CASE("a file cannot be written through a link of the list") {
  Fixture f;
  f.links = {{{"path", ""}, {"name", "d"}, {"destination", "elsewhere"}}};
  f.directories = {"elsewhere"};
  REQUIRE(f.fetch());
  f.add("d", "x", "content");
  CHECK_FALSE(f.fetch());
  CHECK_FALSE(fs::exists(f.root / "elsewhere/x"));
}

TEST_CASE("a component above the limits is refused before anything is downloaded") {
  Fixture f;
  f.add("", "a", std::string(2000, 'x'));
  f.limits.bytes = 1000;
  CHECK(problem(f.fetch()).find("downloads.limit") != std::string::npos);
  CHECK(f.requests_to_store() == 1);
  f.limits.bytes = 10'000;
  f.limits.files = 0;
  CHECK(problem(f.fetch()).find("1 files; at most 0") != std::string::npos);
}

TEST_CASE("a file that is longer than the list says is refused") {
  Fixture f;
  f.add("", "a", "content");
  f.files.at(0).get_object()["size"] = 3;
  CHECK_FALSE(f.fetch());
  CHECK_FALSE(fs::exists(f.root / "a"));
}

TEST_CASE("without a list the files that a feeder uploaded are brought; without any there is nothing to do") {
  Fixture f;
  REQUIRE(f.fetch(true, false));
  CHECK(f.lines.at(0) == "ocp OpenShift: no files to download");
  f.uploaded = {{"notes.txt", "some notes"}};
  f.ids = {{"notes.txt", FakeServer::id()}};
  REQUIRE(f.fetch(true, false));
  CHECK(read_file(f.root / "notes.txt") == "some notes");
  REQUIRE(f.fetch(true, false));
  CHECK(std::count_if(f.client.seen.begin(), f.client.seen.end(),
                      [](const Seen& seen) { return seen.path.ends_with("/content"); }) == 1);
  f.uploaded = {{"../evil", "x"}};
  f.ids = {{"../evil", FakeServer::id()}};
  CHECK_FALSE(f.fetch(true, false));
  CHECK_FALSE(fs::exists(f.directory.path / "evil"));
}

TEST_CASE("archives are unpacked beside themselves, unless the job does not want that") {
  Fixture f;
  f.add("", "product.tar.zst", tar_zst("packages/a.rpm", "an rpm"));
  REQUIRE(f.fetch(false));
  CHECK_FALSE(fs::exists(f.root / "unpacked"));
  REQUIRE(f.fetch());
  CHECK(read_file(f.root / "unpacked/packages/a.rpm") == "an rpm");
  outpost::test::write_file(f.root / "unpacked/mine", "x");
  REQUIRE(f.fetch());  // It is there already.
  CHECK(fs::exists(f.root / "unpacked/mine"));
}

TEST_CASE("an archive that would leave its directory, or is none, is an error with its name") {
  Fixture f;
  f.add("", "evil.tar.zst", tar_zst("../evil", "x"));
  CHECK(problem(f.fetch()).find("evil.tar.zst") != std::string::npos);
  CHECK_FALSE(fs::exists(f.root / "evil"));
  Fixture h;
  h.limits.unpack.bytes = 3;
  h.add("", "large.tar.zst", tar_zst("large", "1234"));
  CHECK(problem(h.fetch()).find("raise the limit if this is right (downloads.unpack)") != std::string::npos);
  Fixture g;
  g.add("", "broken.tar.gz", "not an archive at all");
  CHECK_FALSE(g.fetch());
  CHECK_FALSE(fs::exists(g.root / "unpacked"));
}

TEST_CASE("a component that has the place of our unpacked files is refused, not mixed with them") {
  Fixture f;
  f.add("", "product.tar", "x");
  f.add("unpacked", "own", "x");
  CHECK(problem(f.fetch()).find("unpack: false") != std::string::npos);
  REQUIRE(f.fetch(false));
}

TEST_CASE("files come from the cache when it has them") {
  Fixture f;
  f.cache.emplace(*files::Cache::open(f.directory.path / "cache", 1 << 20, f.workers));
  f.add("", "a", "content of a");
  REQUIRE(f.fetch());
  const auto before = f.requests_to_store();
  fs::remove_all(f.root);
  REQUIRE(f.fetch());
  CHECK(read_file(f.root / "a") == "content of a");
  CHECK(f.requests_to_store() == before + 2);  // The lists.
}

TEST_CASE("what goes wrong with the list is told apart") {
  Fixture f;
  f.objects["dci_files_list.json"] = "<html>portal</html>";
  CHECK(f.fetch(true, false).error().fault == Fault::retry_later);
  f.objects["dci_files_list.json"] = "[1, 2";
  CHECK(f.fetch(true, false).error().fault == Fault::malformed);
  const auto answering = [&](Result<http::Response> answer) {
    f.client.handler = [answer](const Seen&) { return answer; };
    return f.fetch(true, false);
  };
  CHECK(answering(page(503)).error().fault == Fault::retry_later);
  CHECK(answering(refusal(404, "component not found")).error().fault == Fault::refused);
  CHECK(problem(answering(refusal(400, "HmacMechanism failed: signature is invalid"))).find("API secret") !=
        std::string::npos);
  CHECK(answering(http::Response{302, {{"Location", "https://dci.example.org/again"}}, ""}).error().fault ==
        Fault::refused);
  CHECK(answering(Error{Fault::retry_later, "reset"}).error().fault == Fault::retry_later);
}

TEST_CASE("a fault in between is tried again") {
  Fixture f;
  f.add("", "a", "content");
  f.list();
  f.client.script = {page(502), Error{Fault::retry_later, "reset"}};
  REQUIRE(f.fetch());
  CHECK(read_file(f.root / "a") == "content");
}

TEST_CASE("what is tried again is told, with the reason, until it goes on") {
  Fixture f;
  f.add("", "a", "content");
  f.list();
  SECTION("the list of files") {
    f.client.script = {page(502)};
    REQUIRE(f.fetch());
    REQUIRE(f.stalls.size() == 2);
    CHECK(f.stalls[0].starts_with("downloading dci_files_list.json: attempt 1, next in "));
    CHECK(f.stalls[0].find("502") != std::string::npos);
  }
  SECTION("a file") {
    const auto usual = f.client.handler;
    bool failed = false;
    f.client.handler = [&](const Seen& seen) -> Result<http::Response> {
      if (seen.path.ends_with("/a") && !std::exchange(failed, true)) return Error{Fault::retry_later, "connection refused"};
      return usual(seen);
    };
    REQUIRE(f.fetch());
    REQUIRE(f.stalls.size() == 2);
    CHECK(f.stalls[0].starts_with("downloading a: attempt 1, next in "));
    CHECK(f.stalls[0].ends_with(": connection refused"));
  }
  CHECK(f.stalls.back().empty());
}

TEST_CASE("thousands of small files arrive") {
  Fixture f;
  for (int i = 0; i < 300; ++i)
    f.add("d" + std::to_string(i % 7), "f" + std::to_string(i), "content " + std::to_string(i));
  REQUIRE(f.fetch());
  for (int i = 0; i < 300; ++i)
    CHECK(read_file(f.root / ("d" + std::to_string(i % 7)) / ("f" + std::to_string(i))) ==
          "content " + std::to_string(i));
}

void cancel_when_there(boost::asio::io_context& loop, const fs::path& file, boost::asio::cancellation_signal& stop) {
  if (fs::exists(file)) return stop.emit(boost::asio::cancellation_type::terminal);
  boost::asio::post(loop, [&loop, file, &stop] { cancel_when_there(loop, file, stop); });
}

TEST_CASE("a cancelled fetch ends at once and keeps what is complete") {
  Fixture f;
  f.add("", "a", "content of a");
  f.add("", "b", "content of b");
  f.list();
  boost::asio::io_context loop;
  boost::asio::cancellation_signal stop;
  outpost::test::FakeHttpClient client{[&](const http::Request& request) {
    outpost::test::FakeReply reply;
    reply.body = request.url.ends_with("dci_files_list.json") ? f.objects.at("dci_files_list.json") : "content of a";
    reply.hang = request.url.ends_with("/b");
    if (reply.hang) {
      reply.body = "content";
      reply.headers.set("Content-Length", "12");
    }
    return reply;
  }};
  // Not before the other file is there: then only the one that hangs is under way.
  client.on_hang = [&] { cancel_when_there(loop, f.root / "a", stop); };
  const Api api = *Api::make(client, f.clock, test::lab, "https://dci.example.org");
  ComponentFiles all{api, client, f.workers, nullptr, f.limits, false, {}, files::Unpacker{OUTPOST_UNPACK, f.workers}};
  const auto fetched =
      await(loop, all.fetch(f.component, f.root, true, [](std::string_view) {}), std::chrono::seconds{120}, &stop);
  REQUIRE_FALSE(fetched);
  CHECK(fetched.error().fault == Fault::cancelled);
  CHECK(read_file(f.root / "a") == "content of a");
  CHECK_FALSE(fs::exists(f.root / "b"));
  REQUIRE(f.fetch());
  CHECK(read_file(f.root / "b") == "content of b");
}

TEST_CASE("an id that is none never becomes a path") {
  Fixture f;
  f.component.id = "../topics";
  CHECK_FALSE(f.fetch());
  CHECK(f.client.seen.empty());
}

TEST_CASE("the source fetches each component where it was told to, or nothing when downloads are off") {
  Fixture f;
  f.add("", "a", "content");
  f.list();
  SourceSettings settings;
  settings.name = "lab";
  DciSource source{*Api::make(f.client, f.clock, test::lab, "https://dci.example.org"),
                   f.client,
                   f.workers,
                   f.clock,
                   nullptr,
                   settings};
  pipeline::FetchRequest request;
  request.job.components = {f.component};
  request.directories = {{f.component.id, f.root}};
  request.job.definition.options = {{"download", false}};
  REQUIRE(await(source.fetch(request, [](std::string_view) {})));
  CHECK(f.client.seen.empty());
  request.job.definition.options = {};
  REQUIRE(await(source.fetch(request, [](std::string_view) {})));
  CHECK(read_file(f.root / "a") == "content");
}

}  // namespace
}  // namespace outpost::dci
