#pragma once

#include "plugins/dlrn/promoter/image_server.hpp"

#include <boost/json/object.hpp>

#include <string>

namespace outpost::promoter {

/// The link of a label on a server, and `previous-<label>` for what it led to before.
class LabelLinks {
 public:
  explicit LabelLinks(ImageServer& server) : server_{server} {}

  /// What both lead to now, as far as restore() needs it.
  boost::asio::awaitable<Result<boost::json::object>> look(std::string label);
  /// Leads the label to `name`. To do it twice is the same as once.
  boost::asio::awaitable<Result<void>> move(std::string label, std::string name, boost::json::object before);
  /// Puts back what still leads to `name`: what somebody else has moved since is theirs.
  boost::asio::awaitable<Result<void>> restore(std::string label, std::string name, boost::json::object before);

 private:
  /// To nothing when `name` is empty.
  boost::asio::awaitable<Result<void>> lead(std::string label, std::string name);

  ImageServer& server_;
};

[[nodiscard]] inline std::string previous_label(const std::string& label) { return "previous-" + label; }

}  // namespace outpost::promoter
