#pragma once

#include <span>
#include <string_view>

namespace outpost::hook {

/// An option of a verb: "--suite NAME".
struct Option {
  std::string_view name;   ///< "--suite"
  std::string_view value;  ///< "NAME"; empty: it takes none.
  std::string_view text;
  bool repeated = false;   ///< May be given more than once.
};

/// What outpost-hook can do. Its help is made from this; outpost-hook.1 and hooks/README.md are checked against it.
struct Verb {
  std::string_view name;
  std::string_view usage;    ///< What follows the name, without options; forms are separated by '\n'.
  std::string_view summary;  ///< Half a sentence, for the table.
  std::string_view details;  ///< Whole sentences.
  std::span<const Option> options;
  std::size_t least = 0, most = 0;  ///< Words after the name; 0 at most: any number.
};

/// Every verb, in the order of the documents.
[[nodiscard]] std::span<const Verb> all_verbs();
/// nullptr: there is none of this name.
[[nodiscard]] const Verb* find_verb(std::string_view name);

/// Exit statuses: as the contract's, so that a hook may end with them.
enum Status : int { ok = 0, no = 1, usage = 64, unavailable = 69, broken = 70, retry_later = 75 };

/// How long a call goes on trying to reach an agent that is being restarted, in seconds.
inline constexpr int patience_seconds = 60;

}  // namespace outpost::hook
