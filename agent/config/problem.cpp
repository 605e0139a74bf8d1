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

Origin nearest_origin(const Origins& origins, std::string path, const std::string& file) {
  for (;;) {
    if (const auto found = origins.find(path); found != origins.end()) return found->second;
    const auto end = path.find_last_of(".[");
    if (end == std::string::npos) return {file, 0, 0};
    path.resize(end);
  }
}

void throw_exception_from_error(const Problems& problems, const boost::source_location& where) {
  throw std::logic_error{"unchecked problems at " + where.to_string() + ": " + problems.text()};
}

}  // namespace outpost::config
