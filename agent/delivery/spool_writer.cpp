#include "agent/delivery/spool_writer.hpp"

#include "agent/delivery/tar_header.hpp"

#include <zstd.h>
#include <boost/json/serialize.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace outpost::delivery {
namespace {

constexpr int level = 3;  // zstd's own choice.

struct FreeCompressor {
  void operator()(ZSTD_CCtx* compressor) const { ::ZSTD_freeCCtx(compressor); }
};

}  // namespace

struct SpoolWriter::State {
  Output output;
  std::string client_id;
  HmacSha256 mac;
  Timestamp created{};
  std::uint64_t entries = 0;
  std::uint64_t missing = 0;  ///< Bytes of the last member that are still to be written.
  std::uint64_t padding = 0;  ///< Zeros that follow them.
  std::unique_ptr<ZSTD_CCtx, FreeCompressor> compressor{::ZSTD_createCCtx()};
  std::vector<char> packed = std::vector<char>(::ZSTD_CStreamOutSize());

  Result<void> send(std::string_view bytes) {
    mac.update(bytes);
    return output(bytes);
  }

  /// Hands on what the compressor gives out for these bytes; at the end all of it.
  Result<void> compress(std::string_view bytes, ZSTD_EndDirective directive = ZSTD_e_continue) {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    for (bool done = false; !done;) {
      ZSTD_outBuffer out{packed.data(), packed.size(), 0};
      const std::size_t left = ::ZSTD_compressStream2(compressor.get(), &out, &in, directive);
      if (::ZSTD_isError(left) != 0)
        return Error{Fault::bug, std::string{"cannot write the archive: "} + ::ZSTD_getErrorName(left)};
      if (out.pos > 0)
        if (auto sent = send({packed.data(), out.pos}); !sent) return sent;
      done = directive == ZSTD_e_end ? left == 0 : in.pos == in.size;
    }
    return {};
  }

  Result<void> start_member(const std::string& name, std::uint64_t size) {
    if (missing > 0) return Error{Fault::bug, std::to_string(missing) + " bytes are missing in front of " + name};
    missing = size;
    padding = tar::padding(size);
    return compress(tar::header(name, size, created));
  }

  Result<void> write(std::string_view bytes) {
    if (bytes.size() > missing) return Error{Fault::bug, "more bytes than the archive was told"};
    missing -= bytes.size();
    auto written = compress(bytes);
    if (!written || missing > 0) return written;
    return compress(std::string(std::exchange(padding, 0), '\0'));
  }

  Result<void> document(const std::string& name, const boost::json::object& object) {
    const std::string text = boost::json::serialize(object) + "\n";
    if (auto started = start_member(name, text.size()); !started) return started;
    return write(text);
  }
};

SpoolWriter::SpoolWriter(const SpoolKey& key, Output output)
    : state_{new State{.output = std::move(output), .client_id = key.client_id(), .mac = key.mac()}} {}

SpoolWriter::~SpoolWriter() = default;

Result<void> SpoolWriter::begin(const SpoolManifest& manifest) {
  state_->created = manifest.created;
  ::ZSTD_CCtx_setParameter(state_->compressor.get(), ZSTD_c_compressionLevel, level);
  ::ZSTD_CCtx_setParameter(state_->compressor.get(), ZSTD_c_checksumFlag, 1);
  return state_->document(std::string{manifest_member}, to_json(manifest));
}

Result<void> SpoolWriter::add(const SpoolEntry& entry) {
  const std::uint64_t number = ++state_->entries;
  auto written = state_->document(member_of_entry(number, entry_member), to_json(entry));
  if (!written || !entry.has_bytes()) return written;
  return state_->start_member(member_of_entry(number, bytes_member), entry.item.blob->size);
}

Result<void> SpoolWriter::write(std::string_view bytes) { return state_->write(bytes); }

Result<void> SpoolWriter::finish() {
  if (state_->missing > 0) return Error{Fault::bug, std::to_string(state_->missing) + " bytes are missing at the end"};
  if (auto ended = state_->compress(tar::end(), ZSTD_e_end); !ended) return ended;
  if (auto sent = state_->send(seal::head(state_->client_id)); !sent) return sent;
  return state_->output(seal::digest(std::move(state_->mac)));
}

}  // namespace outpost::delivery
