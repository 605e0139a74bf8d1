#pragma once

#include "agent/base/result.hpp"
#include "agent/log/redactor.hpp"
#include "agent/pipeline/collector.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace outpost::pipeline {

/// Looks for secrets in a file that comes in pieces. Memory does not depend on its size.
class SecretSearch {
 public:
  /// No stream is in the redactor, and none will be after finish().
  explicit SecretSearch(log::Redactor& redactor) : redactor_{redactor}, hits_before_{redactor.hits()} {}

  void feed(std::string_view bytes);
  void finish();

  [[nodiscard]] bool has_secret() const { return redactor_.hits() != hits_before_; }
  /// There is a NUL in it. In such a file a secret is hidden without a change of its length, because of what says where
  /// things are; elsewhere as in logs.
  [[nodiscard]] bool is_binary() const { return is_binary_; }

 private:
  log::Redactor& redactor_;
  std::uint64_t hits_before_;
  bool is_binary_ = false;
};

struct FileFacts {
  std::uint64_t size = 0;
  std::string sha256;
  bool has_secret = false, is_binary = false;  ///< As SecretSearch has them.
};

/// Reads an open file from its beginning, whose position does not move. `name` is for messages. Blocks.
[[nodiscard]] Result<FileFacts> inspect_file(int descriptor, const std::string& name, log::Redactor& redactor);

/// Writes into another file what an open one holds from its beginning on, without its secrets, and syncs it. Returns
/// the size and hash of what was written. Blocks.
[[nodiscard]] Result<FileFacts> write_redacted(int from, int to, const std::string& name, bool is_binary,
                                               log::Redactor& redactor);

/// The text without secrets; as Redactor::redact(), but for many texts. No stream is in the redactor.
[[nodiscard]] std::string hide_secrets(const std::string& text, log::Redactor& redactor);
/// In the names of its cases and in messages; those come from a parser and may hold what the file has in another form.
void hide_secrets(FoundResult& result, log::Redactor& redactor);

}  // namespace outpost::pipeline
