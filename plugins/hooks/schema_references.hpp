#pragma once

#include "agent/config/problem.hpp"
#include "agent/config/yaml_tree.hpp"

#include <cstddef>
#include <map>
#include <string>

namespace outpost::hooks {

/// Looks where the references ($ref) of a JSON Schema lead: whoever follows them has to come to an end.
class ReferenceCheck {
 public:
  /// `root` is the whole schema.
  ReferenceCheck(const config::Node& root, config::Problems& problems) : root_{root}, problems_{problems} {}

  /// Notes what is wrong with the reference of `schema`, a schema in `root`, if it is one.
  void check(const config::Node& schema, const std::string& label);

 private:
  const config::Node* target_of(const config::Node& reference, const std::string* label);
  std::size_t length(const config::Node& schema, std::size_t before);

  const config::Node& root_;
  config::Problems& problems_;
  std::map<const config::Node*, std::size_t> lengths_;
};

}  // namespace outpost::hooks
