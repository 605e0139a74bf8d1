#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace outpost::log {

/// Finds many words at once in a text that comes in pieces (Aho and Corasick 1975): a trie of all words, and for each
/// node the longest proper suffix of it that is a node too. Words have at least four bytes, which gives the fast path:
/// where no word begins with the next four bytes, nothing has to be walked.
/// Memory: 24 bytes for each node, at most one node for each byte of all words.
class SecretAutomaton {
 public:
  using Node = std::uint32_t;
  static constexpr Node root = 0;

  SecretAutomaton();

  /// At least four bytes. Nodes that are held by somebody stay valid, but link() must be called before the next step.
  void add(std::string_view word);
  /// Computes what add() has left open.
  void link();

  [[nodiscard]] bool empty() const { return nodes_.size() == 1; }

  /// How many bytes from `at` on certainly begin no word: the first place where one may, or the last three bytes.
  [[nodiscard]] std::size_t skip(std::string_view text, std::size_t at) const;
  /// The node that follows with `byte`, by suffixes if need be.
  [[nodiscard]] Node step(Node node, char byte) const;
  /// The node that follows without suffixes; root when there is none.
  [[nodiscard]] Node child(Node node, char byte) const;
  /// So many of the last bytes are the beginning of a word: everything before them is decided.
  [[nodiscard]] std::uint32_t depth(Node node) const { return nodes_[node].depth; }
  /// The length of the longest word that ends here; 0 when none does.
  [[nodiscard]] std::uint32_t longest_word(Node node) const { return nodes_[node].longest_word; }

 private:
  struct Entry {
    Node first_child = root, next_sibling = root;  ///< Root means none: it is nobody's child.
    Node suffix = root;
    std::uint32_t depth = 0, longest_word = 0;
    char byte = 0;
  };

  void resize_filter();

  std::vector<Entry> nodes_;
  std::array<Node, 256> first_bytes_{};    ///< Children of the root.
  std::vector<std::uint64_t> filter_;      ///< One bit for each hash of four bytes that begin a word.
  std::vector<std::uint32_t> beginnings_;  ///< Those four bytes, to fill a larger filter.
  unsigned shift_ = 0;
};

}  // namespace outpost::log
