#pragma once

#include "agent/base/result.hpp"
#include "agent/delivery/spool_entry.hpp"
#include "agent/delivery/spool_seal.hpp"

#include <functional>
#include <memory>
#include <string_view>

namespace outpost::delivery {

/// Writes a spool archive, which carries delivery rows between hosts without a network: a tar (pax) compressed with
/// zstd, then a seal. The members are a manifest and, for each entry, its description and perhaps its bytes. Blocks;
/// memory is constant.
class SpoolWriter {
 public:
  /// Takes the bytes of the archive in order. Its error becomes that of the call that gave rise to it.
  using Output = std::function<Result<void>(std::string_view bytes)>;
  SpoolWriter(const SpoolKey& key, Output output);
  ~SpoolWriter();
  SpoolWriter(const SpoolWriter&) = delete;
  SpoolWriter& operator=(const SpoolWriter&) = delete;

  /// First of all.
  Result<void> begin(const SpoolManifest& manifest);
  Result<void> add(const SpoolEntry& entry);
  /// Bytes of the entry that was added last; together exactly its blob's size.
  Result<void> write(std::string_view bytes);
  /// Last of all: without it nobody takes the archive.
  Result<void> finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace outpost::delivery
