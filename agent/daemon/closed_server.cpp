#include "agent/daemon/closed_server.hpp"

#include "agent/http/beast/beast_client.hpp"

#include <utility>

namespace outpost::daemon {

namespace asio = boost::asio;

namespace {

class ClosedSource final : public pipeline::Source {
 public:
  ClosedSource(std::unique_ptr<pipeline::Source> original, Error why)
      : original_{std::move(original)}, why_{std::move(why)} {}

  [[nodiscard]] const std::string& why() const { return why_.message; }
  [[nodiscard]] std::string_view name() const override { return original_->name(); }
  Result<void> check(const job::Definition& definition) const override { return original_->check(definition); }
  asio::awaitable<Result<std::vector<pipeline::Candidates>>> poll(const job::Definition&, std::size_t) override {
    co_return why_;
  }
  asio::awaitable<Result<pipeline::Claimed>> claim(const pipeline::ClaimRequest&) override { co_return why_; }
  asio::awaitable<Result<std::optional<pipeline::Claimed>>> find(const pipeline::ClaimRequest&) override {
    co_return why_;
  }
  asio::awaitable<Result<pipeline::Watched>> watch(const job::Claim&) override { co_return why_; }
  asio::awaitable<Result<void>> fetch(const pipeline::FetchRequest&, pipeline::Report) override { co_return why_; }

 private:
  std::unique_ptr<pipeline::Source> original_;
  Error why_;
};

class ClosedReporter final : public pipeline::Reporter {
 public:
  ClosedReporter(std::unique_ptr<pipeline::Reporter> original, Error why)
      : original_{std::move(original)}, why_{std::move(why)} {}

  [[nodiscard]] std::string_view type() const override { return original_->type(); }
  [[nodiscard]] std::vector<journal::Item> expand(const job::Event& event, const job::Story& before) const override {
    return original_->expand(event, before);
  }
  asio::awaitable<pipeline::Outcome> send(const journal::Item&, const pipeline::Refs&) override {
    co_return pipeline::FixCredentials{why_.message};
  }
  asio::awaitable<Result<std::optional<std::string>>> find(const journal::Item&, const pipeline::Refs&) override {
    co_return why_;
  }

 private:
  std::unique_ptr<pipeline::Reporter> original_;
  Error why_;
};

Error as_credentials(Error why) { return {Fault::credentials, std::move(why.message)}; }

}  // namespace

Result<ServerAccess> closed_access(const config::Source& source) {
  auto client = http::make_beast_client({});
  if (!client) return client.error();
  ServerAccess access{std::move(*client), source.url, dci::Server{}, config::Secret{}, {}, source.name};
  if (source.type == "dlrn") {
    dlrn::Server server = dlrn::server_of(source);
    server.api.authorization = std::make_shared<dlrn::BasicAuthorization>("", config::Secret{});
    access.server = std::move(server);
  } else {
    access.server = dci::Server{source.url, dci::Credentials{}, nullptr, source.idle_timeout};
  }
  return access;
}

std::unique_ptr<pipeline::Source> closed_source(std::unique_ptr<pipeline::Source> original, Error why) {
  return std::make_unique<ClosedSource>(std::move(original), as_credentials(std::move(why)));
}

std::optional<std::string> why_closed(const pipeline::Source& source) {
  const auto* closed = dynamic_cast<const ClosedSource*>(&source);
  return closed ? std::optional{closed->why()} : std::nullopt;
}

std::unique_ptr<pipeline::Reporter> closed_reporter(std::unique_ptr<pipeline::Reporter> original, Error why) {
  return std::make_unique<ClosedReporter>(std::move(original), as_credentials(std::move(why)));
}

}  // namespace outpost::daemon
