#include "plugins/junit/attachment_finder.hpp"

#include "agent/base/text.hpp"

#include <algorithm>
#include <utility>

namespace outpost::junit {
namespace {

constexpr std::string_view mark = "[[ATTACHMENT|";
constexpr std::size_t longest_path = 4096;
constexpr std::size_t most = 1000;

/// How many bytes at the end of `text` could be the beginning of a mark.
std::size_t beginning_at_end(std::string_view text) {
  for (std::size_t size = std::min(text.size(), mark.size() - 1); size > 0; --size)
    if (text.ends_with(mark.substr(0, size))) return size;
  return 0;
}

}  // namespace

void AttachmentFinder::add(std::string_view text) {
  if (open_.empty()) return search(text);
  const std::string together = std::exchange(open_, {}).append(text);
  search(together);
}

void AttachmentFinder::search(std::string_view text) {
  for (auto at = text.find(mark); at != std::string_view::npos; at = text.find(mark)) {
    const std::string_view behind = text.substr(at + mark.size());
    const auto end = behind.find_first_of("]\n");
    if (end == std::string_view::npos || (behind[end] == ']' && end + 1 == behind.size())) {  // Cut off within it.
      if (behind.size() <= longest_path) open_ = text.substr(at);
      return;
    }
    if (behind.substr(end, 2) == "]]") note(behind.substr(0, end));
    text = behind.substr(end);
  }
  open_ = text.substr(text.size() - beginning_at_end(text));
}

void AttachmentFinder::note(std::string_view path) {
  path = trim(path);
  if (path.empty() || found_.size() >= most || known_.contains(path)) return;
  known_.emplace(path);
  found_.emplace_back(path);
}

}  // namespace outpost::junit
