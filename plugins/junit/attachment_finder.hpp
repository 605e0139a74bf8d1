#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace outpost::junit {

/// Finds the files that tests name in their output as `[[ATTACHMENT|path]]`, on one line. The output comes in pieces, cut
/// anywhere.
class AttachmentFinder {
 public:
  /// Another output begins.
  void begin() { open_.clear(); }
  void add(std::string_view text);
  /// Each path once, in the order in which they were named; the first 1000.
  [[nodiscard]] const std::vector<std::string>& found() const { return found_; }

 private:
  void search(std::string_view text);
  void note(std::string_view path);

  std::string open_;  ///< What may be the beginning of a mark.
  std::vector<std::string> found_;
  std::set<std::string, std::less<>> known_;
};

}  // namespace outpost::junit
