#include "agent/delivery/spool_writer.hpp"

#include "agent/base/text.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <boost/json/serialize.hpp>

#include <cstdint>
#include <optional>
#include <utility>

namespace outpost::delivery {
namespace {

/// What is missing of an entry is written as zeros when an archive is closed: so much of it takes no time.
constexpr std::uint64_t most_padding = 64 << 20;

struct FreeArchive {
  void operator()(struct archive* archive) const { ::archive_write_free(archive); }
};
struct FreeEntry {
  void operator()(struct archive_entry* entry) const { ::archive_entry_free(entry); }
};

}  // namespace

struct SpoolWriter::State {
  Output output;
  std::string client_id;
  HmacSha256 mac;
  Timestamp created{};
  std::uint64_t entries = 0;
  std::uint64_t missing = 0;  ///< Bytes of the last entry that are still to be written.
  std::optional<Error> own_error;
  bool abandoned = false;
  std::unique_ptr<struct archive, FreeArchive> tar{::archive_write_new()};

  Result<void> send(std::string_view bytes) {
    mac.update(bytes);
    return output(bytes);
  }

  /// Tells libarchive of no error: after one it would not free its buffer. Everybody looks at `own_error` instead.
  static la_ssize_t take(struct archive*, void* self, const void* bytes, std::size_t size) {
    auto& state = *static_cast<State*>(self);
    if (!state.own_error && !state.abandoned)
      if (auto sent = state.send({static_cast<const char*>(bytes), size}); !sent) state.own_error = sent.error();
    return static_cast<la_ssize_t>(size);
  }

  [[nodiscard]] Error failure() const {
    if (own_error) return *own_error;
    const char* text = ::archive_error_string(tar.get());
    return {Fault::bug, std::string{"cannot write the archive: "} + (text ? printable(text, 300) : "no reason given")};
  }

  Result<void> start_member(const std::string& name, std::uint64_t size) {
    if (missing > 0) return Error{Fault::bug, std::to_string(missing) + " bytes are missing in front of " + name};
    const std::unique_ptr<struct archive_entry, FreeEntry> entry{::archive_entry_new()};
    ::archive_entry_set_pathname(entry.get(), name.c_str());
    ::archive_entry_set_filetype(entry.get(), AE_IFREG);
    ::archive_entry_set_perm(entry.get(), 0600);
    ::archive_entry_set_size(entry.get(), static_cast<la_int64_t>(size));
    const auto seconds = std::chrono::floor<std::chrono::seconds>(created).time_since_epoch().count();
    ::archive_entry_set_mtime(entry.get(), static_cast<time_t>(seconds), 0);
    if (::archive_write_header(tar.get(), entry.get()) != ARCHIVE_OK || own_error) return failure();
    missing = size;
    return {};
  }

  Result<void> write(std::string_view bytes) {
    if (bytes.size() > missing) return Error{Fault::bug, "more bytes than the archive was told"};
    missing -= bytes.size();
    while (!bytes.empty()) {
      const la_ssize_t written = ::archive_write_data(tar.get(), bytes.data(), bytes.size());
      if (written <= 0 || own_error) return failure();
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
  }

  Result<void> document(const std::string& name, const boost::json::object& object) {
    const std::string text = boost::json::serialize(object) + "\n";
    if (auto started = start_member(name, text.size()); !started) return started;
    return write(text);
  }
};

SpoolWriter::SpoolWriter(const SpoolKey& key, Output output)
    : state_{new State{.output = std::move(output), .client_id = key.client_id(), .mac = key.mac()}} {}

SpoolWriter::~SpoolWriter() {
  // What is freed half written is flushed first: to nobody.
  state_->abandoned = true;
  if (state_->missing > most_padding) ::archive_write_fail(state_->tar.get());
}

Result<void> SpoolWriter::begin(const SpoolManifest& manifest) {
  auto* tar = state_->tar.get();
  state_->created = manifest.created;
  ::archive_write_set_bytes_in_last_block(tar, 1);  // No padding between the compressed tar and the seal.
  if (::archive_write_set_format_pax_restricted(tar) != ARCHIVE_OK ||
      ::archive_write_add_filter_zstd(tar) != ARCHIVE_OK ||
      ::archive_write_open(tar, state_.get(), nullptr, &State::take, nullptr) != ARCHIVE_OK || state_->own_error)
    return state_->failure();
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
  if (::archive_write_close(state_->tar.get()) != ARCHIVE_OK || state_->own_error) return state_->failure();
  if (auto sent = state_->send(seal::head(state_->client_id)); !sent) return sent;
  return state_->output(seal::digest(std::move(state_->mac)));
}

}  // namespace outpost::delivery
