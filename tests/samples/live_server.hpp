#pragma once

#include "agent/http/beast/beast_server.hpp"
#include "samples/control-server/control_server.hpp"
#include "samples/control-server/replay/signing.hpp"
#include "samples/control-server/replay/wire.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include "agent/base/clock.hpp"
#include "agent/base/hash.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/json.hpp>

#include <future>
#include <thread>

namespace outpost::test {

namespace json = boost::json;

/// Who sends: a user with a password, or a client with a secret.
struct Sender {
  std::string basic;           ///< "admin:admin"
  std::string client, secret;  ///< "remoteci/<id>"
};

struct Answer {
  int status = 0;
  http::Headers headers;
  std::string text;
  bool chunked = false;
  bool complete = true;
  json::value body;  ///< When it is JSON.

  [[nodiscard]] std::string message() const { return std::string{body.at("message").as_string()}; }
};

/// A sample server on a thread of its own.
class LiveServer {
 public:
  explicit LiveServer(sample::ServerOptions options = {})
      : control_{with_data(std::move(options))}, server_{http::make_beast_server(loop_.get_executor())} {
    port_ = server_->listen({}, control_.handler()).value();
    thread_ = std::thread{[this] { loop_.run(); }};
  }
  ~LiveServer() {
    boost::asio::post(loop_, [this] { server_->stop(); });
    thread_.join();
  }
  LiveServer(const LiveServer&) = delete;
  LiveServer& operator=(const LiveServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string host() const { return "127.0.0.1:" + std::to_string(port_); }

  /// Does something on the server's thread, and waits for it.
  template <class Do>
  void on_server(Do what) {
    std::promise<void> done;
    boost::asio::post(loop_, [&] {
      what(control_);
      done.set_value();
    });
    done.get_future().wait();
  }

  /// Exactly this request; errors of the connection come back.
  Result<Answer> raw(const replay::WireRequest& request) const {
    auto wire = replay::exchange("127.0.0.1", port_, request);
    if (!wire) return wire.error();
    Answer answer{wire->status, wire->headers, wire->body, wire->chunked, wire->complete, nullptr};
    boost::system::error_code broken;
    answer.body = json::parse(answer.text, broken);
    return answer;
  }

  /// The request that a good client would send.
  [[nodiscard]] replay::WireRequest prepared(const Sender& from, const std::string& method, const std::string& target,
                                             std::string body = {}, http::Headers headers = {}) const {
    replay::WireRequest request{method, target, std::move(headers), std::move(body)};
    request.headers.set("Host", host());
    if (!request.headers.has("Content-Type")) request.headers.set("Content-Type", "application/json");
    if (!request.body.empty() && !request.headers.has("Transfer-Encoding"))
      request.headers.set("Content-Length", std::to_string(request.body.size()));
    if (!from.basic.empty()) request.headers.set("Authorization", "Basic " + to_base64(from.basic));
    if (!from.client.empty()) sign(from, request);
    return request;
  }

  Answer send(const Sender& from, const std::string& method, const std::string& target, std::string body = {},
              http::Headers headers = {}) const {
    return raw(prepared(from, method, target, std::move(body), std::move(headers))).value();
  }

  /// Signs with the time in X-DCI-Date, or now.
  static void sign(const Sender& from, replay::WireRequest& request) {
    if (!request.headers.has("X-DCI-Date")) request.headers.set("X-DCI-Date", to_basic_utc(SystemClock{}.now()));
    const std::string date{request.headers.get("X-DCI-Date").substr(0, 8)};
    const replay::SignedLine line{"DCI2-HMAC-SHA256",      from.client,       date,
                                  "BHS3/api/dci2_request", "host;x-dci-date", ""};
    const replay::Signable signable{request.method, request.target, request.headers, request.body};
    request.headers.set("Authorization", "DCI2-HMAC-SHA256 Credential=" + from.client + "/" + date +
                                             "/BHS3/api/dci2_request, SignedHeaders=host;x-dci-date, Signature=" +
                                             replay::sign(line, signable, from.secret, replay::QueryStyle::as_sent));
  }

 private:
  sample::ServerOptions with_data(sample::ServerOptions options) {
    if (options.data.empty()) options.data = directory_.path;
    options.in_memory = true;
    return options;
  }

  TemporaryDirectory directory_;
  boost::asio::io_context loop_{1};
  sample::ControlServer control_;
  std::unique_ptr<http::Server> server_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

inline std::string text_of(const json::value& value) { return std::string{value.as_string()}; }

/// A team with a product, a topic of one component type, a remoteci and a feeder.
struct Lab {
  explicit Lab(LiveServer& live, const std::string& name = "lab") : server{live} {
    const auto create = [&](const std::string& kind, const json::object& values) {
      const auto answer = server.send(admin, "POST", "/api/v1/" + kind + "s", json::serialize(values));
      INFO(kind << ": " << answer.text);
      REQUIRE(answer.status == 201);
      return answer.body.at(kind).as_object();
    };
    team = text_of(create("team", {{"name", name}}).at("id"));
    const auto product = text_of(create("product", {{"name", name}}).at("id"));
    REQUIRE(server
                .send(admin, "POST", "/api/v1/products/" + product + "/teams",
                      json::serialize(json::object{{"team_id", team}}))
                .status == 201);
    topic = text_of(
        create("topic",
               {{"name", name}, {"product_id", product}, {"component_types", {"compose"}}, {"export_control", true}})
            .at("id"));
    const auto client = [&](const std::string& kind) {
      const auto made = create(kind, {{"name", name}, {"team_id", team}});
      return Sender{{}, kind + "/" + text_of(made.at("id")), text_of(made.at("api_secret"))};
    };
    remoteci = client("remoteci");
    feeder = client("feeder");
  }

  std::string add_component(const std::string& name, json::object more = {}) {
    more["display_name"] = name;
    if (!more.contains("type")) more["type"] = "compose";
    more["topic_id"] = topic;
    const auto answer = server.send(feeder, "POST", "/api/v1/components", json::serialize(more));
    INFO(answer.text);
    REQUIRE(answer.status == 201);
    return text_of(answer.body.at("component").at("id"));
  }
  std::string add_job(json::object values = {}) {
    values["topic_id"] = topic;
    if (!values.contains("components")) values["components"] = json::array{};
    const auto answer = server.send(remoteci, "POST", "/api/v1/jobs", json::serialize(values));
    INFO(answer.text);
    REQUIRE(answer.status == 201);
    return text_of(answer.body.at("job").at("id"));
  }
  Answer upload(const std::string& job, const std::string& name, std::string body,
                const std::string& mime = "text/plain") {
    return server.send(remoteci, "POST", "/api/v1/files", std::move(body),
                       {{"DCI-NAME", name}, {"DCI-MIME", mime}, {"DCI-JOB-ID", job}, {"Content-Type", mime}});
  }
  Answer state(const std::string& job, const std::string& status) {
    return server.send(remoteci, "POST", "/api/v1/jobstates",
                       json::serialize(json::object{{"job_id", job}, {"status", status}}));
  }
  json::object job(const std::string& id) {
    return server.send(remoteci, "GET", "/api/v1/jobs/" + id).body.at("job").as_object();
  }

  LiveServer& server;
  Sender admin{"admin:admin", {}, {}};
  std::string team, topic;
  Sender remoteci, feeder;
};

}  // namespace outpost::test
