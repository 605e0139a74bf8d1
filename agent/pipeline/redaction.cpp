#include "agent/pipeline/redaction.hpp"

#include "agent/base/hash.hpp"

#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <vector>

namespace outpost::pipeline {
namespace {

using Piece = std::function<Result<void>(std::string_view)>;

Result<void> read_pieces(int descriptor, const std::string& name, const Piece& take) {
  std::vector<char> buffer(std::size_t{256} * 1024);
  for (off_t position = 0;;) {
    const ssize_t got = ::pread(descriptor, buffer.data(), buffer.size(), position);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error("cannot read", name, errno);
    if (got == 0) return {};
    position += got;
    if (auto taken = take({buffer.data(), static_cast<std::size_t>(got)}); !taken) return taken;
  }
}

Result<void> write_at(int descriptor, std::string_view bytes, std::uint64_t position, const std::string& name) {
  while (!bytes.empty()) {
    const ssize_t put = ::pwrite(descriptor, bytes.data(), bytes.size(), static_cast<off_t>(position));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return errno_error("cannot write the redacted copy of", name, errno);
    position += static_cast<std::uint64_t>(put);
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

}  // namespace

void SecretSearch::feed(std::string_view bytes) {
  if (redactor_.empty()) return;
  is_binary_ = is_binary_ || bytes.find('\0') != bytes.npos;
  static_cast<void>(redactor_.feed(bytes));
}

void SecretSearch::finish() { static_cast<void>(redactor_.flush()); }

Result<FileFacts> inspect_file(int descriptor, const std::string& name, log::Redactor& redactor) {
  FileFacts facts;
  Sha256 hash;
  SecretSearch search{redactor};
  auto read = read_pieces(descriptor, name, [&](std::string_view bytes) -> Result<void> {
    hash.update(bytes);
    search.feed(bytes);
    facts.size += bytes.size();
    return {};
  });
  search.finish();
  if (!read) return read.error();
  facts.sha256 = hash.hex();
  facts.has_secret = search.has_secret();
  facts.is_binary = search.is_binary();
  return facts;
}

Result<FileFacts> write_redacted(int from, int to, const std::string& name, bool is_binary, log::Redactor& redactor) {
  FileFacts facts;
  Sha256 hash;
  const auto write = [&](std::string_view bytes) -> Result<void> {
    auto written = write_at(to, bytes, facts.size, name);
    hash.update(bytes);
    facts.size += bytes.size();
    return written;
  };
  redactor.mask_with(is_binary ? log::Redactor::Mask::same_length : log::Redactor::Mask::stars);
  auto done = read_pieces(from, name, [&](std::string_view bytes) { return write(redactor.feed(bytes)); });
  const std::string rest = redactor.flush();
  redactor.mask_with(log::Redactor::Mask::stars);
  if (done) done = write(rest);
  if (!done) return done.error();
  if (::fsync(to) != 0) return errno_error("cannot sync the redacted copy of", name, errno);
  facts.sha256 = hash.hex();
  facts.is_binary = is_binary;
  return facts;
}

std::string hide_secrets(const std::string& text, log::Redactor& redactor) {
  if (redactor.empty()) return text;
  std::string hidden = redactor.feed(text);
  return hidden + redactor.flush();
}

void hide_secrets(FoundResult& result, log::Redactor& redactor) {
  const auto hide = [&](std::vector<std::string>& texts) {
    for (auto& text : texts) text = hide_secrets(text, redactor);
  };
  result.problem = hide_secrets(result.problem, redactor);
  hide(result.failed);
  hide(result.flaky_names);
  if (!result.comparison) return;
  auto& comparison = *result.comparison;
  for (auto* names : {&comparison.regressed, &comparison.fixed, &comparison.added_names, &comparison.removed_names,
                      &comparison.changed_names})
    hide(*names);
}

}  // namespace outpost::pipeline
