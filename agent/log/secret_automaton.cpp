#include "agent/log/secret_automaton.hpp"

#include <algorithm>
#include <cstring>
#include <deque>

namespace outpost::log {
namespace {

constexpr std::size_t window = 4;

std::uint32_t load(std::string_view bytes) {
  std::uint32_t value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

std::size_t hashed(std::uint32_t value, unsigned shift) { return (value * 2654435761U) >> shift; }

}  // namespace

SecretAutomaton::SecretAutomaton() : nodes_(1) { resize_filter(); }

/// Large enough that one place in 32 at most is a false alarm, small enough for the first cache as long as possible.
void SecretAutomaton::resize_filter() {
  unsigned bits = 16;
  while (bits < 26 && (std::size_t{1} << bits) < 32 * beginnings_.size()) ++bits;
  shift_ = 32 - bits;
  filter_.assign((std::size_t{1} << bits) / 64, 0);
  for (const auto beginning : beginnings_) {
    const auto slot = hashed(beginning, shift_);
    filter_[slot / 64] |= std::uint64_t{1} << slot % 64;
  }
}

void SecretAutomaton::add(std::string_view word) {
  Node node = root;
  for (const char byte : word) {
    auto next = child(node, byte);
    if (next == root) {
      next = static_cast<Node>(nodes_.size());
      auto& first = node == root ? first_bytes_[static_cast<unsigned char>(byte)] : nodes_[node].first_child;
      const Node sibling = node == root ? root : first;
      first = next;
      const auto depth = nodes_[node].depth + 1;
      nodes_.push_back({.next_sibling = sibling, .depth = depth, .byte = byte});
      if (depth == window) beginnings_.push_back(load(word));
    }
    node = next;
  }
  nodes_[node].longest_word = static_cast<std::uint32_t>(word.size());
}

void SecretAutomaton::link() {
  resize_filter();
  std::deque<Node> open;
  for (const Node node : first_bytes_)
    if (node != root) open.push_back(node);
  while (!open.empty()) {
    const Node node = open.front();
    open.pop_front();
    for (Node next = nodes_[node].first_child; next != root; next = nodes_[next].next_sibling) {
      nodes_[next].suffix = step(nodes_[node].suffix, nodes_[next].byte);
      // Unless a word reaches from the root to here, and so is longer than any that ends at the suffix.
      if (nodes_[next].longest_word != nodes_[next].depth)
        nodes_[next].longest_word = nodes_[nodes_[next].suffix].longest_word;
      open.push_back(next);
    }
  }
}

std::size_t SecretAutomaton::skip(std::string_view text, std::size_t at) const {
  const auto* filter = filter_.data();
  for (; at + window <= text.size(); ++at) {
    const auto slot = hashed(load({text.data() + at, window}), shift_);
    if (filter[slot / 64] >> slot % 64 & 1) break;
  }
  return at;
}

SecretAutomaton::Node SecretAutomaton::child(Node node, char byte) const {
  if (node == root) return first_bytes_[static_cast<unsigned char>(byte)];
  Node next = nodes_[node].first_child;
  while (next != root && nodes_[next].byte != byte) next = nodes_[next].next_sibling;
  return next;
}

SecretAutomaton::Node SecretAutomaton::step(Node node, char byte) const {
  for (;;) {
    if (const Node next = child(node, byte); next != root) return next;
    if (node == root) return root;
    node = nodes_[node].suffix;
  }
}

}  // namespace outpost::log
