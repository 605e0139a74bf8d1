// What networks do to a connection: they stall it, cut it, double its bytes; proxies that ask and look inside; TLS that
// is not what it should be.

#include "faults/fault_lab.hpp"

#include "agent/base/hash.hpp"
#include "agent/job/event.hpp"
#include "support/catch.hpp"
#include "support/certificates.hpp"
#include "support/proxy.hpp"

#include <openssl/ssl.h>

#include <algorithm>
#include <csignal>

using namespace outpost;
using namespace outpost::test;
using job::text_at;

namespace {

/// A TLS server that hands what it understands on to a plain one.
class TlsFront {
 public:
  TlsFront(const Identity& identity, std::uint16_t behind, int newest = 0)
      : context_{::SSL_CTX_new(::TLS_server_method())}, behind_{behind} {
    if (newest != 0) {
      ::SSL_CTX_set_security_level(context_, 0);
      ::SSL_CTX_set_min_proto_version(context_, TLS1_VERSION);
      ::SSL_CTX_set_max_proto_version(context_, newest);
    }
    ::SSL_CTX_use_certificate_chain_file(context_, identity.certificate.c_str());
    ::SSL_CTX_use_PrivateKey_file(context_, identity.key.c_str(), SSL_FILETYPE_PEM);
    server_ = std::make_unique<RawServer>([this](RawConnection& client, int) {
      if (!client.accept_tls(context_)) return;
      if (const auto server = RawConnection::connect(behind_)) RawConnection::relay(client, *server);
    });
  }
  ~TlsFront() {
    server_.reset();
    ::SSL_CTX_free(context_);
  }
  TlsFront(const TlsFront&) = delete;
  TlsFront& operator=(const TlsFront&) = delete;

  [[nodiscard]] std::string url() const { return "https://127.0.0.1:" + std::to_string(server_->port()); }

 private:
  SSL_CTX* context_;
  std::uint16_t behind_;
  std::unique_ptr<RawServer> server_;
};

std::uint16_t port_of(const std::string& url) {
  return static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
}

/// Requests of the agent that reached the server.
std::size_t polls(SampleLab& lab) {
  const auto all = lab.requests();
  return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [](const auto& one) {
    return text_at(one, "target").find("/topics?where=name") != std::string::npos;
  }));
}

}  // namespace

TEST_CASE(
    "F13: a server that vanishes in the middle of an upload is noticed; the file is sent again whole, and there once",
    "[F13]") {
  FaultLab lab{{.server = {"--max-content-length-mb", "256"}}};
  const auto patience = std::chrono::seconds{scaled(3, 60)};
  const std::string seconds = std::to_string(patience.count()) + "s";
  lab.configure("", "spool: {retry_first: 100ms, retry_longest: 1s, link_back: 500ms}\n",
                "idle_timeout: " + seconds + ", slow_window: " + seconds);
  const std::size_t size = scaled(24u << 20, 200u << 20);
  const std::string artifact = payload(size, 4);
  const auto file = (lab.directory.path / "artifact").string();
  write_file(file, artifact);
  lab.hook("test", "#!/bin/sh\ncp " + file + " \"$OUTPOST_ARTIFACTS/kept.bin\"\n");
  lab.feed("1.0", {});
  std::string how;
  std::uint64_t rate = 0;
  SECTION("without a word") { how = "vanished"; }
  SECTION("so slow that it would take days") { how = "drips", rate = 100; }
  lab.network.behave({.bytes_per_second = 20u << 20});
  lab.start_agent();
  lab.until("the upload to be under way", [&] { return lab.network.bytes_to_server() > size / 4; });
  lab.network.strand(rate);
  const auto before = lab.network.bytes_to_server();
  const Stopwatch time;
  lab.until("the file to be sent again", [&] { return lab.network.bytes_to_server() > before + size / 8; });
  figure("F13", how + ": noticed, and sent again after", time.text(),
         "at most 60 s; here after " + seconds + " and what the size adds (figure)");
  lab.finished_job();
  const auto content = content_of(lab, lab.the_job());
  CHECK(content.states == good_way);
  check_nothing_lost("F13", lab, content, {});
  CHECK((content.files.at("kept.bin") == artifact));
}

TEST_CASE(
    "F15: answers that are cut, doubled, reset in the middle, or come in drops lead neither to a crash nor to anything "
    "twice",
    "[F15]") {
  FaultLab lab;
  const std::string output = payload(2'000'000);
  lab.printing_hook("install", output, 100'000, std::chrono::milliseconds{50});
  lab.hook("test", "#!/bin/sh\necho testing\nprintf kept > \"$OUTPOST_ARTIFACTS/kept.bin\"\n");
  lab.feed("1.0", {{"notes.txt", payload(300'000, 2)}});
  std::string how;
  FaultProxy::Behaviour behaviour;
  SECTION("cut in the body") { how = "cut"; }
  SECTION("cut anywhere") { how = "cut anywhere", behaviour.cut_answers = 6000; }
  SECTION("reset anywhere") { how = "reset anywhere", behaviour.cut_answers = 6000, behaviour.by_reset = true; }
  SECTION("requests cut anywhere") { how = "requests cut", behaviour.cut_requests = 50'000; }
  SECTION("in drops") {
    how = "in drops", behaviour.answer_bytes_per_second = 1;
    lab.configure("", "", "idle_timeout: 3s, slow_window: 3s");
  }
  SECTION("each answer twice, so that the next request finds one already") { how = "doubled", behaviour.copies = 2; }
  INFO(how);
  if (how == "cut")
    lab.set_faults(R"([{"probability": 0.4, "seed": 9, "truncate": 20}])");
  else
    lab.network.behave(behaviour);
  lab.start_agent();
  // For as long as the hook prints, or would; then the network is good again.
  const int connections = how == "in drops" ? scaled(4, 20) : how == "requests cut" ? scaled(6, 100) : scaled(20, 400);
  const Stopwatch broken;
  lab.until(
      "many broken connections", [&] { return lab.network.connections() >= connections; },
      std::chrono::minutes{scaled(3, 30)});
  CHECK(lab.agent_is_running());
  if (how == "in drops")
    figure("F15", how + ": " + std::to_string(connections) + " connections given up in", broken.text(),
           "at most 60 s each; here 3 s and growing pauses (figure)");
  lab.set_faults("[]");
  lab.network.behave({});
  const Stopwatch good;
  lab.finished_job();
  figure("F15", how + ": converged after", good.text(), "at most 60 s (figure)");
  const auto content = content_of(lab, lab.the_job());
  if (content.states == good_way) {
    check_nothing_lost("F15", lab, content, {{"install/acme/install", output}, {"test/acme/test", "testing\n"}});
    CHECK(content.files.at("kept.bin") == "kept");
  } else {
    // The download gave up, which is for the lab to repeat; what it said is there, once.
    CHECK(content.states == Names{"new", "pre-run", "post-run", "error"});
    check_nothing_lost("F15", lab, content, {});
  }
  CHECK(lab.stop_agent(SIGTERM) == 0);
}

TEST_CASE("F16: a proxy that wants a password, and one that looks into TLS, are named; nothing is sent unverified",
          "[F16]") {
  const TemporaryDirectory certificates;
  const CertificateAuthority corporate{certificates.path, "corporate-inspection"};
  const auto identity = corporate.issue();
  SampleLab lab{{.certificate = identity.certificate, .key = identity.key, .ca_file = corporate.file()}};
  Proxy::Options wants;
  wants.authorization = "Basic bGFiOnB3";  // lab:pw
  Proxy proxy{wants};
  lab.hook("test", "#!/bin/sh\necho testing\n");
  lab.feed("1.0", {{"notes.txt", "read me\n"}});
  const auto error = [&](const std::string& source) {
    lab.configure("", "", source);
    lab.start_agent();
    std::string found;
    lab.until("polling to fail", [&] {
      if (lab.agent_is_up()) found = text_at(lab.status().at("sources").at(0).as_object(), "last_error");
      return !found.empty();
    });
    CHECK(lab.stop_agent(SIGTERM) == 0);
    return found;
  };
  const std::string with_password = "proxy: \"http://lab:pw@" + proxy.address() + "\"";
  CHECK_THAT(error("proxy: \"http://" + proxy.address() + "\""), holds(proxy.address()) && holds("407"));
  CHECK_THAT(error(with_password),
             holds("CN=corporate-inspection") && holds("ca_file") && holds("through the proxy " + proxy.address()));
  figure("F16", "requests sent to an unverified server", std::to_string(polls(lab)), "0");
  CHECK(polls(lab) == 0);
  CHECK(lab.jobs().empty());
  lab.configure("", "", with_password + ", ca_file: \"" + corporate.file() + "\", allow_local_redirects: true");
  lab.start_agent();
  const std::string id = text_at(lab.finished_job(), "id");
  CHECK(content_of(lab, id).states == good_way);
  CHECK_FALSE(proxy.heads().empty());
  for (const auto& head : proxy.heads()) CHECK(head.starts_with("CONNECT "));
  CHECK(lab.agent_log().find("lab:pw") == std::string::npos);
}

TEST_CASE(
    "F17: TLS that is expired, for another host, too old or signed by nobody is refused, and the message says which",
    "[F17]") {
  FaultLab lab;
  const CertificateAuthority authority{lab.directory.path};
  lab.feed("1.0", {});
  Identity identity;
  std::string words, what;
  int newest = 0;
  SECTION("expired") {
    what = "expired", words = "expired on";
    identity = authority.issue({.name = "old", .valid_from = -7200, .valid_until = -3600});
  }
  SECTION("another host") {
    what = "another host", words = "not for 127.0.0.1";
    identity = authority.issue({.name = "other", .hosts = {"other.example.org"}});
  }
  SECTION("only TLS 1.1") {
    what = "only TLS 1.1", words = "TLS 1.2";
    identity = authority.issue();
    newest = TLS1_1_VERSION;
  }
  SECTION("self-signed") {
    what = "self-signed", words = "self-signed";
    identity = authority.self_signed();
  }
  const TlsFront front{identity, port_of(lab.url), newest};
  lab.SampleLab::configure("", "", "url: \"" + front.url() + "\", ca_file: \"" + authority.file() + "\"");
  lab.start_agent();
  const auto error = lab.polling_error();
  CHECK_THAT(error, holds(words));
  figure("F17", what + ": requests sent", std::to_string(polls(lab)), "0");
  CHECK(polls(lab) == 0);
  CHECK(lab.jobs().empty());
}
