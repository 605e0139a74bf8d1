#pragma once

#include "agent/config/values.hpp"

#include <chrono>
#include <concepts>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <optional>
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
  std::string otherwise = {};     ///< What holds when nobody sets it, for people; empty: nothing.
  bool is_private = false;        ///< It may hold a password: not to be shown.
};

// A default, for people.
[[nodiscard]] std::string shown(bool value);
[[nodiscard]] std::string shown(double value);
[[nodiscard]] std::string shown(std::chrono::milliseconds value);
[[nodiscard]] inline std::string shown(const std::string& value) { return value; }
[[nodiscard]] inline std::string shown(const std::filesystem::path& value) { return value.string(); }
[[nodiscard]] inline std::string shown(std::integral auto value) { return std::to_string(value); }
template <class T>
[[nodiscard]] std::string shown(const std::optional<T>& value) {
  return value ? shown(*value) : "";
}

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
    const Node* node = take(key);
    describe_last(shown(into), reader);
    if (node)
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
  /// Reports the keys that nobody asked for; `ignored_prefix` marks those that are the writer's own. `meant`: the key that
  /// is called so elsewhere, or ""; before all that is only written alike.
  void finish(std::string_view ignored_prefix = {}, const std::function<std::string(std::string_view)>& meant = {});

 private:
  template <class Reader>
  void describe_last(std::string otherwise, Reader reader) {
    if constexpr (std::is_same_v<Reader, decltype(&as_size)>) otherwise = as_shown_size(otherwise);
    if constexpr (std::is_same_v<Reader, decltype(&as_private_url)>) known_.back().is_private = reader == &as_private_url;
    known_.back().otherwise = std::move(otherwise);
  }
  [[nodiscard]] static std::string as_shown_size(const std::string& bytes);

  Reading& reading_;
  std::vector<KnownKey>& known_;
  const Node& map_;
  std::string label_;
  std::vector<std::string> path_;
  std::vector<std::string> asked_;
  std::set<std::string, std::less<>> reported_;
};

}  // namespace outpost::config
