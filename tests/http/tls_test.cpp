// Client and server over TLS: what is accepted, and above all what is not.
#include "agent/base/hash.hpp"
#include "support/certificates.hpp"
#include "support/raw_peer.hpp"
#include "world.hpp"

#include <openssl/ssl.h>

using namespace outpost;
using namespace outpost::http;
using namespace outpost::test;
using boost::asio::awaitable;

namespace {

struct Fixture {
  ListenOptions listening(const Identity& identity, const std::string& client_ca = {}) const {
    ListenOptions options;
    options.tls = TlsIdentity{identity.certificate, identity.key, client_ca};
    return options;
  }

  ClientOptions trusting(const CertificateAuthority& whom) const {
    ClientOptions options;
    options.ca_file = whom.file();
    return options;
  }

  /// What a client that trusts `authority` says to a server with this identity.
  Result<Response> ask(const Identity& identity) const {
    World world{trusting(authority)};
    return world.get(world.serve(echo, listening(identity)) + "/x");
  }

  TemporaryDirectory directory;
  CertificateAuthority authority{directory.path};
};

void check_refused(const Result<Response>& response, std::initializer_list<std::string_view> words) {
  REQUIRE_FALSE(response);
  INFO(response.error().message);
  CHECK(response.error().fault == Fault::refused);
  CHECK(response.error().message.find("127.0.0.1:") == 0);
  for (const auto word : words) {
    CAPTURE(word);
    CHECK(response.error().message.find(word) != std::string::npos);
  }
}

/// A server's OpenSSL context for RawConnection.
struct RawTls {
  explicit RawTls(const Identity& identity) {
    ::SSL_CTX_use_certificate_chain_file(context, identity.certificate.c_str());
    ::SSL_CTX_use_PrivateKey_file(context, identity.key.c_str(), SSL_FILETYPE_PEM);
  }
  ~RawTls() { ::SSL_CTX_free(context); }
  RawTls(const RawTls&) = delete;
  RawTls& operator=(const RawTls&) = delete;
  SSL_CTX* context = ::SSL_CTX_new(::TLS_server_method());
};

std::string https(std::uint16_t port) { return "https://127.0.0.1:" + std::to_string(port) + "/"; }

}  // namespace

TEST_CASE_METHOD(Fixture, "a server with a certificate of the private authority is accepted") {
  const auto response = ask(authority.issue());
  REQUIRE(response);
  CHECK(response->body == "GET /x ");
}

TEST_CASE_METHOD(Fixture, "the certificate must be for the name or address of the URL") {
  World world{trusting(authority)};
  const auto by_name = world.serve(echo, listening(authority.issue({"by-name", {"localhost"}})));
  const auto port = by_name.substr(by_name.rfind(':'));
  CHECK(world.get("https://localhost" + port));
  check_refused(world.get(by_name), {"by-name", "for localhost, not for 127.0.0.1"});
  check_refused(ask(authority.issue({"other", {"other.example.org", "10.0.0.1"}})),
                {"for other.example.org, 10.0.0.1, not for 127.0.0.1"});
  check_refused(ask(authority.issue({"127.0.0.1", {}})), {"not for 127.0.0.1"});  // A common name is no host name.
}

TEST_CASE_METHOD(Fixture, "an expired certificate is refused, and one that is not valid yet") {
  check_refused(ask(authority.issue({"old", {"127.0.0.1"}, -7200, -3600})), {"CN=old", "expired on"});
  check_refused(ask(authority.issue({"early", {"127.0.0.1"}, 3600, 7200})), {"CN=early", "valid only from", "clock"});
}

TEST_CASE_METHOD(Fixture, "a self-signed certificate and an unknown issuer are refused with what to set") {
  check_refused(ask(authority.self_signed()), {"self-signed", "ca_file"});
  const CertificateAuthority stranger{directory.path, "stranger"};
  check_refused(ask(stranger.issue()), {"unknown issuer", "CN=stranger", "ca_file"});
}

TEST_CASE_METHOD(Fixture, "a self-signed certificate is accepted when it is the ca_file") {
  const auto identity = authority.self_signed();
  ClientOptions options;
  options.ca_file = identity.certificate;
  World world{options};
  CHECK(world.get(world.serve(echo, listening(identity))));
}

TEST_CASE_METHOD(Fixture, "without a ca_file the system's authorities decide, and they do not know ours") {
  World world;
  check_refused(world.get(world.serve(echo, listening(authority.issue()))), {"ca_file"});
}

TEST_CASE_METHOD(Fixture, "a server that asks for a client certificate gets it") {
  const auto server = listening(authority.issue(), authority.file());
  const auto lab = authority.issue({"lab", {}});
  auto options = trusting(authority);
  SECTION("and accepts it") {
    options.client_certificate = lab.certificate;
    options.client_key = lab.key;
    World world{options};
    CHECK(world.get(world.serve(echo, server)));
  }
  SECTION("from one file with both") {
    write_file(directory.path / "both.pem", read_file(lab.key) + read_file(lab.certificate));
    options.client_certificate = directory.path / "both.pem";
    World world{options};
    CHECK(world.get(world.serve(echo, server)));
  }
  SECTION("or refuses one of another authority") {
    const CertificateAuthority stranger{directory.path, "stranger"};
    const auto wrong = stranger.issue({"wrong", {}});
    options.client_certificate = wrong.certificate;
    options.client_key = wrong.key;
    World world{options};
    const auto url = world.serve(echo, server);
    check_refused(world.get(url), {"refused our client certificate", "client_certificate"});
    check_refused(world.post(url, std::string(1024 * 1024, 'x')), {"refused our client certificate"});
  }
  SECTION("or says that there is none") {
    World world{options};
    check_refused(world.get(world.serve(echo, server)), {"wants a client certificate", "client_certificate"});
  }
}

TEST_CASE_METHOD(Fixture, "files that cannot be used are errors when the client is made") {
  write_file(directory.path / "rubbish", "rubbish");
  const auto identity = authority.issue();
  const auto other = authority.issue({"other"});
  const auto message = [](ClientOptions options) {
    const auto made = make_beast_client(std::move(options));
    REQUIRE_FALSE(made);
    return made.error().message;
  };
  const auto contains = [](const std::string& text, std::string_view part) {
    INFO(text);
    return text.find(part) != std::string::npos;
  };
  ClientOptions options;
  options.ca_file = directory.path / "none";
  CHECK(contains(message(options), "ca_file: reading " + options.ca_file + ": No such file"));
  options.ca_file = directory.path / "rubbish";
  CHECK(contains(message(options), "ca_file: " + options.ca_file));
  options = {};
  options.client_certificate = directory.path / "rubbish";
  CHECK(contains(message(options), "client_certificate: "));
  options.client_certificate = identity.certificate;
  CHECK(contains(message(options), "client_key: "));  // No key in that file.
  options.client_key = other.key;
  CHECK(contains(message(options), "client_key: "));
  options = {};
  options.client_key = identity.key;
  CHECK(contains(message(options), "client_certificate is not"));
  options = {};
  options.proxy = "proxy.lab:3128";
  CHECK(contains(message(options), "proxy: "));

  World world;
  CHECK_FALSE(world.server->listen(listening({directory.path / "none", identity.key}), echo));
}

TEST_CASE_METHOD(Fixture, "a server with TLS 1.1 at most is refused") {
  const auto identity = authority.issue();
  RawTls tls{identity};
  ::SSL_CTX_set_security_level(tls.context, 0);
  ::SSL_CTX_set_min_proto_version(tls.context, TLS1_VERSION);
  ::SSL_CTX_set_max_proto_version(tls.context, TLS1_1_VERSION);
  RawServer server{[&](RawConnection& connection, int) { connection.accept_tls(tls.context); }};
  World world{trusting(authority)};
  check_refused(world.get(https(server.port())), {"TLS 1.2"});
}

TEST_CASE_METHOD(Fixture, "TLS 1.2 is spoken too") {
  const auto identity = authority.issue();
  RawTls tls{identity};
  ::SSL_CTX_set_max_proto_version(tls.context, TLS1_2_VERSION);
  RawServer server{[&](RawConnection& connection, int) {
    REQUIRE(connection.accept_tls(tls.context));
    connection.read_head();
    connection.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  }};
  World world{trusting(authority)};
  CHECK(world.get(https(server.port())));
}

TEST_CASE_METHOD(Fixture, "a port without TLS is told from a bad certificate, and http on a TLS port from silence") {
  World world{trusting(authority)};
  const auto plain = world.serve(echo);
  check_refused(world.get("https" + plain.substr(4)), {"does not speak TLS"});
  const auto secure = world.serve(echo, listening(authority.issue()));
  const auto response = world.get("http" + secure.substr(5));
  CHECK_FALSE(response);
}

TEST_CASE_METHOD(Fixture, "a server that hangs in the handshake is given up, one that hangs up is to be retried") {
  ClientOptions options = trusting(authority);
  options.connect_timeout = std::chrono::milliseconds{200};
  World world{options};
  RawServer silent{[](RawConnection& connection, int) { connection.wait_for_close(); }};
  auto response = world.get(https(silent.port()));
  REQUIRE_FALSE(response);
  CHECK(response.error().fault == Fault::retry_later);
  CHECK(response.error().message.find("waiting for the TLS handshake") != std::string::npos);
  RawServer leaving{[](RawConnection& connection, int) { connection.read_some(); }};
  response = world.get(https(leaving.port()));
  REQUIRE_FALSE(response);
  CHECK(response.error().fault == Fault::retry_later);
  CHECK(response.error().message.find("closed during the TLS handshake") != std::string::npos);
}

TEST_CASE_METHOD(Fixture, "a body without a length that is cut before close_notify is an error") {
  const auto identity = authority.issue();
  RawTls tls{identity};
  RawServer server{[&](RawConnection& connection, int) {
    REQUIRE(connection.accept_tls(tls.context));
    const bool whole = connection.read_head().find("/whole") != std::string::npos;
    connection.write("HTTP/1.1 200 OK\r\n\r\nsome of it");
    if (whole) connection.finish_tls();
  }};
  World world{trusting(authority)};
  const auto cut = world.get(https(server.port()));
  REQUIRE_FALSE(cut);
  CHECK(cut.error().fault == Fault::retry_later);
  CHECK(cut.error().message.find("cut off after 10 bytes") != std::string::npos);
  const auto whole = world.get(https(server.port()) + "whole");
  REQUIRE(whole);
  CHECK(whole->body == "some of it");
}

TEST_CASE_METHOD(Fixture, "an early refusal of a large upload is read over TLS too") {
  const auto identity = authority.issue();
  RawTls tls{identity};
  std::atomic<bool> answered{false};
  RawServer server{[&](RawConnection& connection, int) {
    REQUIRE(connection.accept_tls(tls.context));
    connection.read_head();
    connection.write("HTTP/1.1 413 Payload Too Large\r\nContent-Length: 3\r\n\r\nbig");
    while (!answered && connection.is_open()) ::poll(nullptr, 0, 1);
  }};
  World world{trusting(authority)};
  const auto response = world.post(https(server.port()), std::string(64 * 1024 * 1024, 'x'));
  answered = true;
  REQUIRE(response);
  CHECK(response->status == 413);
  CHECK(response->body == "big");
}

TEST_CASE_METHOD(Fixture, "64 MiB go up and come down over TLS unchanged, with one handshake for all") {
  std::string content(64 * 1024 * 1024 + 7, '\0');
  for (std::size_t i = 0; i < content.size(); i += 8) content[i] = static_cast<char>(i >> 3 ^ i >> 13);
  write_file(directory.path / "file", content);
  const FileRange range{directory.path / "file", 0, content.size()};
  std::string peer;
  const auto handler = [&](ServerRequest& request) -> awaitable<ServerResponse> {
    if (peer.empty()) peer = request.peer;
    CHECK(peer == request.peer);
    ServerResponse response;
    Sha256 hash;
    for (;;) {
      auto piece = co_await request.read_some();
      REQUIRE(piece);
      if (piece->empty()) break;
      hash.update(*piece);
    }
    if (request.method == "PUT") response.body = hash.hex();
    if (request.method == "GET") response.body = range;
    co_return response;
  };
  World world{trusting(authority)};
  Request request;
  request.url = world.serve(handler, listening(authority.issue()));
  request.method = "PUT";
  request.body = range;
  const auto up = world.send(request);
  REQUIRE(up);
  CHECK(up->body == sha256_hex(content));

  request.method = "GET";
  request.body = {};
  Sha256 received;
  BodySink sink;
  sink.write = [&](std::string_view bytes) -> Result<void> {
    received.update(bytes);
    return {};
  };
  REQUIRE(await(world.loop, world.client->fetch(request, sink)));
  CHECK(received.hex() == sha256_hex(content));
}
