#pragma once

#include "agent/http/server.hpp"
#include "samples/dlrn-server/builder.hpp"

#include <boost/json/value.hpp>

#include <map>
#include <string>
#include <string_view>

namespace outpost::sample_builder {

/// The API of a builder, answer by answer as the original gives them, its odd ones included.
class Api {
 public:
  struct Options {
    std::map<std::string, std::string> users{{"ciuser", "secret"}};  ///< Name to password.
    bool protected_reads = false;
    bool kerberos_first = false;  ///< The challenge names Negotiate, as where the original is set up with both.
  };

  Api(Builder& builder, Options options) : builder_{builder}, options_{std::move(options)} {}

  /// `path` is decoded, without the prefix at which the API is mounted.
  [[nodiscard]] http::ServerResponse answer(const http::ServerRequest& request, const std::string& path, const std::string& body);

 private:
  struct Call {
    boost::json::value given;  ///< Parameters of a query, or the body.
    std::string user;
  };
  using Handler = boost::json::value (Api::*)(const Call& call);
  struct Route {
    std::string_view method, path;
    Handler handler;
    int status = 200;
    bool takes_forms = false;  ///< Its body may have any content type.
  };
  static const Route* find_route(std::string_view method, std::string_view path, bool& path_exists);

  [[nodiscard]] std::string user_of(const http::ServerRequest& request) const;
  [[nodiscard]] boost::json::value given_to(const Route& route, const http::ServerRequest& request, const std::string& body) const;

  [[nodiscard]] http::ServerResponse metrics() const;
  boost::json::value health(const Call& call);
  boost::json::value last_tested(const Call& call);
  boost::json::value claim_tested(const Call& call);
  boost::json::value repo_status(const Call& call);
  boost::json::value aggregate_status(const Call& call);
  boost::json::value report_result(const Call& call);
  boost::json::value promotions(const Call& call);
  boost::json::value promote(const Call& call);
  boost::json::value promote_batch(const Call& call);
  boost::json::value components(const Call& call);
  boost::json::value build_metrics(const Call& call);
  boost::json::value import(const Call& call);
  boost::json::value recheck(const Call& call);

  [[nodiscard]] std::size_t tested_build(const boost::json::object& given) const;
  [[nodiscard]] Promotion item_of(const boost::json::value& given, const std::string& user, bool of_batch) const;
  [[nodiscard]] boost::json::object row_of(const Vote& vote) const;
  [[nodiscard]] boost::json::object row_of(const Promotion& promotion) const;

  Builder& builder_;
  Options options_;
};

/// {"a":1,"b":2}\n with sorted keys, as the original writes its JSON.
[[nodiscard]] http::ServerResponse json_answer(int status, const boost::json::value& value);
/// A page for people, as the original's framework makes them.
[[nodiscard]] http::ServerResponse page_answer(int status);

}  // namespace outpost::sample_builder
