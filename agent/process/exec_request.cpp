#include "agent/process/exec_request.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

namespace outpost::process {
namespace {

constexpr std::uint32_t request_magic = 0x6f757433;

struct Head {
  std::uint32_t magic = request_magic;
  std::uint32_t grace_ms = 0;
  std::uint32_t arguments = 0, environment = 0, outcome = 0;
};

constexpr std::size_t fixed_parts = 2;  // directory, program

std::uint32_t milliseconds_of(std::chrono::milliseconds duration) {
  const auto most = static_cast<std::int64_t>(std::numeric_limits<std::int32_t>::max());
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(duration.count(), 0, most));
}

}  // namespace

std::optional<std::string> ExecRequest::write(const Command& command) {
  Head head;
  head.grace_ms = milliseconds_of(command.grace);
  head.arguments = static_cast<std::uint32_t>(command.arguments.size());
  head.environment = static_cast<std::uint32_t>(command.environment.size());
  head.outcome = static_cast<std::uint32_t>(command.outcome.size());
  std::string text{reinterpret_cast<const char*>(&head), sizeof head};
  bool has_nul = false;
  const auto append = [&](const std::string& part) {
    has_nul = has_nul || part.find('\0') != std::string::npos;
    text.append(part.c_str(), part.size() + 1);
  };
  append(command.directory.string());
  append(command.program.string());
  for (const auto& argument : command.arguments) append(argument);
  for (const auto& variable : command.environment) append(variable);
  for (const auto& directory : command.outcome) append(directory.string());
  if (has_nul) return std::nullopt;
  return text;
}

std::optional<ExecRequest> ExecRequest::parse(std::string bytes) {
  Head head;
  if (bytes.size() <= sizeof head || bytes.back() != '\0') return std::nullopt;
  std::memcpy(&head, bytes.data(), sizeof head);
  if (head.magic != request_magic) return std::nullopt;
  ExecRequest request;
  request.grace_ms_ = head.grace_ms;
  request.text_.assign(bytes.begin() + sizeof head, bytes.end());
  std::vector<char*> parts;
  char* const end = request.text_.data() + request.text_.size();
  for (char* part = request.text_.data(); part < end; part += std::strlen(part) + 1) parts.push_back(part);
  const std::size_t arguments = head.arguments, environment = head.environment, outcome = head.outcome;
  if (parts.size() != fixed_parts + arguments + environment + outcome) return std::nullopt;
  request.directory_ = parts[0];
  auto next = parts.begin() + 1;
  const auto take = [&next](std::size_t count) {
    const auto first = next;
    next += static_cast<std::ptrdiff_t>(count);
    return std::pair{first, next};
  };
  const auto [first_argument, last_argument] = take(1 + arguments);
  request.arguments_.assign(first_argument, last_argument);
  request.arguments_.push_back(nullptr);
  const auto [first_variable, last_variable] = take(environment);
  request.environment_.assign(first_variable, last_variable);
  request.environment_.push_back(nullptr);
  request.outcome_.assign(next, parts.end());
  return request;
}

}  // namespace outpost::process
