#pragma once

#include "agent/log/secret_automaton.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace outpost::log {

/// Replaces secrets in a stream of bytes by "***": each secret in all its forms (secret_forms.hpp), also across the
/// borders of pieces. Every byte of every match is hidden; matches that overlap or touch become one "***" (mask_with()
/// has another way). All other
/// bytes, whatever they are, come out as they went in. The whole output is a function of the whole input and the
/// secrets, however the input is cut into pieces.
/// Bytes that may still become a secret are held back: never more than the longest form of one.
/// Copies share what was made of the secrets, also across threads: to copy one is cheap, to make one is not.
class Redactor {
 public:
  /// What a stream needs to go on in another object, without a byte of its text.
  struct State {
    struct Run {
      std::size_t begin, end;
    };
    std::size_t held = 0;     ///< So many of the last bytes are not decided: the other object is fed them again.
    bool after_mask = false;  ///< The last thing that came out was a "***".
    std::vector<Run> hidden;  ///< Of the held bytes those that are hidden already.
  };

  enum class Mask {
    stars,        ///< "***"
    same_length,  ///< A '*' for each byte that is hidden.
  };
  /// For what comes out from now on.
  void mask_with(Mask mask) { mask_ = mask; }

  /// There is no secret.
  [[nodiscard]] bool empty() const { return !secrets_ && added_.empty(); }
  /// How often a secret was found in what was fed to this object; only grows.
  [[nodiscard]] std::uint64_t hits() const { return hits_; }

  /// A secret to hide from now on, also in bytes that are still held back. Ignored when it is shorter than 4 bytes.
  void add(std::string_view secret);
  /// Does now what the next text would have to wait for, and what copies then need not do again.
  void prepare();

  /// Takes in some bytes and returns what is decided.
  [[nodiscard]] std::string feed(std::string_view bytes);
  /// Returns what was held back: the stream has ended, a new one may begin.
  [[nodiscard]] std::string flush();

  [[nodiscard]] State state() const { return {held_.size(), after_mask_, runs_}; }
  /// Goes on where the stream of another object was; for one that has not been fed yet.
  void resume(const State& state);

  /// A whole text at once, for messages; the stream is not touched.
  [[nodiscard]] std::string redact(std::string_view text) const;

 private:
  using Run = State::Run;

  void scan();
  void hide(std::size_t begin, std::size_t end);
  [[nodiscard]] std::string take(std::size_t decided);

  std::shared_ptr<const SecretAutomaton> secrets_;  ///< Null: there is none yet. Never changed, for copies have it too.
  std::vector<std::string> added_;                  ///< Forms that it does not have yet.

  std::string held_;         ///< Not decided yet, and the piece that is being looked at.
  std::size_t scanned_ = 0;  ///< So much of held_ the node has seen.
  SecretAutomaton::Node node_ = SecretAutomaton::root;
  std::vector<Run> runs_;    ///< In held_, in order, neither overlapping nor touching.
  bool after_mask_ = false;  ///< The last thing that came out was a "***".
  Mask mask_ = Mask::stars;
  std::uint64_t hits_ = 0;
};

}  // namespace outpost::log
