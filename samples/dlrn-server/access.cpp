#include "samples/dlrn-server/access.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"
#include "samples/dlrn-server/answers.hpp"

namespace outpost::sample_builder {

Access::Asker Access::asker_of(const http::ServerRequest& request, bool writes) const {
  const std::string given{request.headers.get("Authorization")};
  const auto blank = std::min(given.find(' '), given.size());
  const std::string scheme = given.substr(0, blank), credentials{trim(std::string_view{given}.substr(blank))};
  // Who signs in in one way is challenged in this way; all others in the first.
  const bool basic = equal_ignoring_case(scheme, "Basic") || !kerberos_first;
  if (!basic) {
    const auto found = ticket && equal_ignoring_case(scheme, "Negotiate") ? ticket(credentials) : std::nullopt;
    if (!found) return {"", unauthorized_answer(401, "Negotiate")};
    const bool may = found->may_write || (found->may_read && !writes);
    if (!may) return {"", unauthorized_answer(403, "Negotiate")};
    return {found->user, std::nullopt};
  }
  for (const auto& [name, password] : users)
    if (equal_ignoring_case(scheme, "Basic") && credentials == to_base64(name + ':' + password)) return {name, std::nullopt};
  return {"", unauthorized_answer(401, "Basic")};
}

}  // namespace outpost::sample_builder
