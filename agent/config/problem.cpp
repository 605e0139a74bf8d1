#include "agent/config/problem.hpp"

#include <stdexcept>

namespace outpost::config {

std::string Origin::text() const {
  return line == 0 ? file : file + ":" + std::to_string(line) + ":" + std::to_string(column);
}

std::string Problems::text() const {
  std::string lines;
  for (const auto& problem : list) lines += problem.text() + "\n";
  return lines;
}

void throw_exception_from_error(const Problems& problems, const boost::source_location& where) {
  throw std::logic_error{"unchecked problems at " + where.to_string() + ": " + problems.text()};
}

}  // namespace outpost::config
