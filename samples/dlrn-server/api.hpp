#pragma once

#include "agent/http/server.hpp"
#include "samples/dlrn-server/access.hpp"
#include "samples/dlrn-server/arguments.hpp"
#include "samples/dlrn-server/builder.hpp"

#include <boost/json/value.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace outpost::sample_builder {

/// The API of a builder, answer by answer as the original gives them, its odd ones included. What it is about is in
/// files of their own: api_votes.cpp, api_promotions.cpp, graphql.cpp.
class Api {
 public:
  struct Options : Access {
    bool graphql = true;  ///< False: as where the original lacks the libraries for it.
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
  enum class Input {
    none,  ///< Whatever comes is not looked at.
    any,   ///< A body of JSON, else the query, else a form.
    json,  ///< A body of exactly the content type application/json.
  };
  struct Route {
    std::string_view method, path;
    Handler handler;
    Input input = Input::any;
    int status = 200;
    bool is_page = false;  ///< For people: the handler's text is HTML.
  };
  /// What a last_tested_repo asks for.
  struct Tested {
    std::int64_t max_age = 0;
    std::optional<bool> success;
    std::optional<std::string> job_id, component;
    bool sequential = false;
  };

  static const Route* find_route(std::string_view method, std::string_view path, std::string& allowed);
  [[nodiscard]] http::ServerResponse call(const Route& route, const http::ServerRequest& request, const std::string& body);
  [[nodiscard]] static boost::json::value given_to(const Route& route, const http::ServerRequest& request, const std::string& body);

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
  boost::json::value votes_page(const Call& call);
  boost::json::value votes_of_build_page(const Call& call);
  boost::json::value votes_of_aggregate_page(const Call& call);
  boost::json::value report_page(const Call& call);

  [[nodiscard]] static Tested read_tested(Arguments& arguments);
  /// The build of the newest vote that fits; its index in the votes.
  [[nodiscard]] std::size_t tested_vote(const Tested& wanted) const;
  /// Throws Refusal: no such build that succeeded. `of_batch` names it in the refusal.
  [[nodiscard]] std::size_t build_of(const std::string& commit, const std::string& distro, const std::optional<std::string>& extended,
                                     bool of_batch = false) const;
  [[nodiscard]] boost::json::object row_of(const Vote& vote) const;
  [[nodiscard]] boost::json::object row_of(const Promotion& promotion) const;

  Builder& builder_;
  Options options_;
};

/// null where the original has none.
[[nodiscard]] boost::json::value or_null(const std::string& text);
[[nodiscard]] boost::json::value or_null(const std::optional<std::string>& text);
/// Throws the Refusal of a body that is JSON but no object.
[[nodiscard]] const boost::json::object& as_object(const boost::json::value& given);

}  // namespace outpost::sample_builder
