#include "agent/daemon/examine.hpp"

#include "agent/daemon/client.hpp"
#include "agent/daemon/plugin_check.hpp"
#include "agent/daemon/run_to_end.hpp"
#include "agent/daemon/selection_check.hpp"
#include "agent/daemon/server_access.hpp"
#include "agent/daemon/server_view.hpp"
#include "agent/http/beast/look.hpp"

#include <map>

namespace outpost::daemon {

namespace asio = boost::asio;

namespace {

/// Of one step of a connection.
constexpr std::chrono::seconds step_limit{5};

/// What is looked up or connected to by several checks is so once.
class RealOutside final : public doctor::Outside {
 public:
  Result<std::vector<std::string>> addresses(const std::string& host) override {
    return once(addresses_, host, [&] { return wait(http::addresses_of(host, step_limit)); });
  }

  Result<std::chrono::milliseconds> connect(const std::string& host, std::uint16_t port) override {
    return once(connections_, host + " " + std::to_string(port),
                [&] { return wait(http::try_connection(host, port, step_limit)); });
  }

  Result<doctor::Certificate> certificate(const config::Source& source, const std::string& url) override {
    auto found = wait(http::look_at_certificate(client_options(source), url, step_limit));
    if (!found) return found.error();
    return doctor::Certificate{std::move(found->subject), std::move(found->issuer), found->not_after};
  }

  Result<doctor::ServerAnswer> who_are_we(const config::Source& source) override { return contact_server(source); }

  Result<void> find_topic(const config::Source& source, const std::string& name) override {
    const auto found = ask_server(source, {.about = ServerQuestion::About::topic, .topic = name});
    if (!found) return found.error();
    return {};
  }

  Result<boost::json::object> status(const std::filesystem::path& socket) override {
    const auto said = ask_daemon(socket, "/api/v1/status");
    if (!said) return said.error();
    if (!said->is_object()) return Error{Fault::malformed, "the daemon's status is no object"};
    return said->get_object();
  }

  std::vector<std::string> selection_mistakes(const config::Loaded& loaded) override {
    return check_selections(loaded);
  }

  std::vector<doctor::PluginMistake> plugin_mistakes(const config::Loaded& loaded) override {
    if (!mistakes_) mistakes_ = daemon::plugin_mistakes(loaded);
    return *mistakes_;
  }

 private:
  template <class Value>
  static Result<Value> wait(asio::awaitable<Result<Value>> work) {
    asio::io_context loop{1};
    return run_to_end(loop, std::move(work));
  }

  template <class Value, class Ask>
  static Result<Value> once(std::map<std::string, Result<Value>>& known, const std::string& what, Ask ask) {
    const auto found = known.find(what);
    if (found != known.end()) return found->second;
    return known.emplace(what, ask()).first->second;
  }

  std::map<std::string, Result<std::vector<std::string>>> addresses_;
  std::map<std::string, Result<std::chrono::milliseconds>> connections_;
  std::optional<std::vector<doctor::PluginMistake>> mistakes_;
};

}  // namespace

std::unique_ptr<doctor::Outside> real_outside() { return std::make_unique<RealOutside>(); }

}  // namespace outpost::daemon
