#pragma once

#include "agent/config/values.hpp"

#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace outpost::config {

/// A place in the tree that somebody may set, found by asking for it.
struct KnownKey {
  std::vector<std::string> path;  ///< {"jobs", NAME, "timeout"}
  bool single = true;             ///< A single value, so that a variable can set it.
};

/// The keys of one mapping. What is asked for is known; finish() reports the rest.
class Fields {
 public:
  /// `label` is how messages call the mapping ("jobs", "" for the file), `path` where it is.
  Fields(Reading& reading, std::vector<KnownKey>& known, const Node& map, std::string label,
         std::vector<std::string> path);

  [[nodiscard]] const Node& node() const { return map_; }
  [[nodiscard]] std::string label_of(std::string_view key) const;
  /// "jobs.NAME.timeout", as in Origins.
  [[nodiscard]] std::string path_of(std::string_view key) const;

  /// The value of a key, or nullptr when it is absent or has none.
  const Node* take(const std::string& key, bool single = true);
  const Node* take_list(const std::string& key) { return take(key, false); }

  /// Reads a single value with one of the as_... functions, when it is there.
  template <class T, class Reader, class... More>
  void read(const std::string& key, T& into, Reader reader, More&&... more) {
    if (const Node* node = take(key))
      if (auto value = reader(reading_, *node, label_of(key), std::forward<More>(more)...)) into = *std::move(value);
  }
  void texts(const std::string& key, std::vector<std::string>& into);

  /// A mapping below this one; empty when it is absent.
  [[nodiscard]] Fields child(const std::string& key);

  /// Notes that a required key is absent.
  void missing(std::string_view key, std::string_view advice);
  /// Notes a problem of a key, or of the mapping when the key is absent.
  void problem(const std::string& key, std::string_view message);
  /// Keys that a later version will know.
  void not_yet(std::initializer_list<const char*> keys);
  /// Reports the keys that nobody asked for; `ignored_prefix` marks those that are the writer's own.
  void finish(std::string_view ignored_prefix = {});

 private:
  Reading& reading_;
  std::vector<KnownKey>& known_;
  const Node& map_;
  std::string label_;
  std::vector<std::string> path_;
  std::vector<std::string> asked_;
  std::set<std::string, std::less<>> reported_;
};

}  // namespace outpost::config
