#include "agent/base/result.hpp"

#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace outpost {

Error errno_error(std::string_view action, std::string_view object, int code) {
  const bool full = code == ENOSPC || code == EDQUOT;
  return {full ? Fault::retry_later : Fault::unavailable,
          std::string{action} + " " + std::string{object} + ": " + std::strerror(code)};
}

void throw_exception_from_error(const Error& error, const boost::source_location& where) {
  throw std::logic_error{"unchecked error at " + where.to_string() + ": " + error.message};
}

}  // namespace outpost
