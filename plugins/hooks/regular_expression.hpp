#pragma once

#include "agent/base/result.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace outpost::hooks {

/// How much work a comparison may take, in steps of the matcher and bytes passed: a quadratic pattern takes that much
/// with some thousand bytes, one with repeats in repeats with a few dozen, a plain one with megabytes.
inline constexpr std::uint64_t most_steps = 4'000'000;
/// And how much memory, for the places to go back to.
inline constexpr std::uint32_t most_memory_mib = 32;

/// Both in words: "4000000 steps and 32 MiB".
[[nodiscard]] std::string most_work();

/// A regular expression as JSON Schema means it (ECMA-262, by characters, anchored only where it says so), compared in
/// bounded time and memory, and on no more stack for a long text than for a short one.
class RegularExpression {
 public:
  /// What is no expression, or one of another dialect only, is malformed; the message says what and where.
  [[nodiscard]] static Result<RegularExpression> compile(std::string_view pattern);

  enum class Match { yes, no, undecided };

  /// Whether the expression fits somewhere in `text`; undecided when that takes more than `steps`, from which what it
  /// took is subtracted, or more memory than there is for it.
  [[nodiscard]] Match search(std::string_view text, std::uint64_t& steps) const;
  [[nodiscard]] Match search(std::string_view text) const;

 private:
  struct Compiled;
  explicit RegularExpression(std::shared_ptr<const Compiled> compiled) : compiled_{std::move(compiled)} {}

  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace outpost::hooks
