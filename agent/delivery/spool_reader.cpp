#include "agent/delivery/spool_reader.hpp"

#include "agent/base/descriptor.hpp"
#include "agent/base/text.hpp"
#include "agent/delivery/tar_header.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>
#include <boost/json/parse.hpp>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

namespace outpost::delivery {

namespace json = boost::json;

namespace {

constexpr std::size_t piece = 256 * 1024;
constexpr std::uint64_t longest_document = 64 << 20;  ///< Bytes of the description of one entry.
constexpr std::string_view zstd_magic{"\x28\xb5\x2f\xfd", 4};

struct FreeDecompressor {
  void operator()(ZSTD_DCtx* decompressor) const { ::ZSTD_freeDCtx(decompressor); }
};

/// A new file, written and closed; after an error it is gone.
class NewFile {
 public:
  explicit NewFile(const std::filesystem::path& path)
      : path_{path}, fd_{::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)} {}
  ~NewFile() {
    if (fd_ < 0) return;
    ::close(fd_);
    ::unlink(path_.c_str());
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  [[nodiscard]] bool is_open() const { return fd_ >= 0; }
  Result<void> write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return errno_error("cannot write", path_.native(), errno);
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
  }
  Result<void> close() {
    if (::close(std::exchange(fd_, -1)) == 0) return {};
    const int code = errno;
    ::unlink(path_.c_str());
    return errno_error("cannot write", path_.native(), code);
  }

 private:
  const std::filesystem::path& path_;
  int fd_;
};

}  // namespace

struct SpoolReader::State {
  std::filesystem::path file;
  Descriptor fd;
  std::uint64_t size = 0;
  bool compressed = true;  ///< Else it is a bare tar, which we read but do not write.
  seal::Read seal;

  // Reading the entries.
  std::uint64_t at = 0;  ///< How far the compressed bytes have been read.
  HmacSha256 mac{""};
  std::vector<char> buffer = std::vector<char>(piece);
  std::string_view unused;  ///< Of `buffer`: not decompressed yet.
  bool frame_ended = true;
  std::unique_ptr<ZSTD_DCtx, FreeDecompressor> decompressor{::ZSTD_createDCtx()};
  std::uint64_t padding = 0;  ///< Zeros behind the member that was read last.
  std::uint64_t entries = 0;
  bool ended = false;                      ///< All was read, and the seal was right.
  std::optional<std::uint64_t> bytes_due;  ///< The last entry's, as long as they have not been read.

  [[nodiscard]] std::uint64_t sealed() const { return size - seal::size; }
  [[nodiscard]] std::uint64_t covered() const { return size - seal::digest_size; }

  [[nodiscard]] Error error(Fault fault, const std::string& what) const { return {fault, file.string() + ": " + what}; }
  [[nodiscard]] Error changed() const {
    return error(Fault::refused,
                 "it is not what was exported (changed or damaged on its way), or it was sealed with an "
                 "older secret of " +
                     seal.client_id + "; copy it again, or export it again");
  }

  /// Reads up to a buffer of bytes; all of them, but at `end`.
  Result<std::string_view> read(std::uint64_t from, std::uint64_t end) {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), end - std::min(from, end)));
    std::size_t got = 0;
    while (got < wanted) {
      const ssize_t more = ::pread(fd.get(), buffer.data() + got, wanted - got, static_cast<off_t>(from + got));
      if (more < 0 && errno == EINTR) continue;
      if (more < 0) return errno_error("cannot read", file.native(), errno);
      if (more == 0) return error(Fault::malformed, "it has become shorter while it was read");
      got += static_cast<std::size_t>(more);
    }
    return std::string_view{buffer.data(), got};
  }

  /// Adds bytes of the file to a MAC, up to `end`.
  Result<void> digest(HmacSha256& into, std::uint64_t from, std::uint64_t end, const Progress& progress) {
    while (from < end) {
      const auto bytes = read(from, end);
      if (!bytes) return bytes.error();
      into.update(*bytes);
      from += bytes->size();
      if (!progress) continue;
      if (auto told = progress(from); !told) return told;
    }
    return {};
  }

  /// Fills `into` from the tar; fewer bytes only at its end.
  Result<std::size_t> unpack(char* into, std::size_t wanted) {
    ZSTD_outBuffer out{into, wanted, 0};
    while (out.pos < wanted) {
      if (unused.empty()) {
        const auto more = read(at, sealed());
        if (!more) return more.error();
        mac.update(*more);
        at += more->size();
        unused = *more;
      }
      const bool all_read = unused.empty();
      if (all_read && frame_ended) break;
      const std::size_t before = out.pos;
      if (auto taken = take(out); !taken) return taken.error();
      if (all_read && out.pos == before) break;  // The decompressor has nothing left either.
    }
    if (out.pos < wanted && !frame_ended) return damaged("it ends in the middle");
    return out.pos;
  }

  /// Moves bytes from `unused` to `out`.
  Result<void> take(ZSTD_outBuffer& out) {
    if (!compressed) {
      const std::size_t copied = unused.copy(static_cast<char*>(out.dst) + out.pos, out.size - out.pos);
      out.pos += copied;
      unused.remove_prefix(copied);
      return {};
    }
    ZSTD_inBuffer in{unused.data(), unused.size(), 0};
    const std::size_t left = ::ZSTD_decompressStream(decompressor.get(), &out, &in);
    if (::ZSTD_isError(left) != 0) return damaged(::ZSTD_getErrorName(left));
    frame_ended = left == 0;
    unused.remove_prefix(in.pos);
    return {};
  }

  [[nodiscard]] Error damaged(const std::string& why) const {
    return error(Fault::malformed, "cannot be unpacked: " + why);
  }

  /// The next header and, where one is in front, what its pax header says.
  Result<tar::Member> header() {
    constexpr std::uint64_t longest_pax = 64 * 1024;
    std::optional<std::uint64_t> told;
    for (;;) {
      tar::Block bytes{};
      if (auto skipped = all_of(bytes.data(), static_cast<std::size_t>(std::exchange(padding, 0))); !skipped)
        return skipped.error();
      if (auto whole = all_of(bytes.data(), bytes.size()); !whole) return whole.error();
      auto member = tar::parse(bytes);
      if (!member) return damaged("a header is damaged");
      if (told) member->size = *told;
      padding = tar::padding(member->size);
      if (member->kind != tar::Member::Kind::pax) return std::move(*member);
      if (member->size > longest_pax) return damaged("a header is too long");
      std::string pax(static_cast<std::size_t>(member->size), '\0');
      if (auto whole = all_of(pax.data(), pax.size()); !whole) return whole.error();
      told = tar::pax_size(pax);
    }
  }

  Result<void> all_of(char* into, std::size_t wanted) {
    const auto got = unpack(into, wanted);
    if (!got) return got.error();
    if (*got < wanted) return damaged("it ends too early");
    return {};
  }

  /// The next member must have this name and a size up to `limit`; nothing at the end of the archive.
  Result<std::optional<std::uint64_t>> member(const std::string& name, std::uint64_t limit) {
    const auto found = header();
    if (!found) return found.error();
    if (found->kind == tar::Member::Kind::end) return std::optional<std::uint64_t>{};
    if (found->name != name || found->kind != tar::Member::Kind::file || found->size > limit)
      return error(Fault::malformed,
                   "the member \"" + printable(found->name, 100) + "\" is not " + name + ", which is due there");
    return std::optional{found->size};
  }

  /// The whole of the current member, which has `bytes` bytes.
  Result<void> content(std::uint64_t bytes, const std::function<Result<void>(std::string_view)>& sink) {
    std::vector<char> part(static_cast<std::size_t>(std::min<std::uint64_t>(bytes, piece)));
    while (bytes > 0) {
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, part.size()));
      if (auto whole = all_of(part.data(), count); !whole) return whole;
      if (auto taken = sink({part.data(), count}); !taken) return taken;
      bytes -= count;
    }
    return {};
  }

  /// Nothing at the end of the archive.
  Result<std::optional<json::object>> document(const std::string& name) {
    const auto bytes = member(name, longest_document);
    if (!bytes) return bytes.error();
    if (!*bytes) return std::optional<json::object>{};
    std::string text;
    auto read = content(**bytes, [&](std::string_view part) {
      text += part;
      return Result<void>{};
    });
    if (!read) return read.error();
    json::parse_options options;
    options.allow_invalid_utf8 = true;
    options.max_depth = 256;
    boost::system::error_code failed;
    json::value value = json::parse(text, failed, {}, options);
    if (failed || !value.is_object()) return error(Fault::malformed, name + " is not a JSON object");
    return std::optional{std::move(value.get_object())};
  }
};

SpoolReader::SpoolReader(std::unique_ptr<State> state) : state_{std::move(state)} {}
SpoolReader::SpoolReader(SpoolReader&&) noexcept = default;
SpoolReader& SpoolReader::operator=(SpoolReader&&) noexcept = default;
SpoolReader::~SpoolReader() = default;

const std::string& SpoolReader::client_id() const { return state_->seal.client_id; }
std::uint64_t SpoolReader::size() const { return state_->size; }

Result<SpoolReader> SpoolReader::open(const std::filesystem::path& file) {
  auto state = std::make_unique<State>();
  state->file = file;
  state->fd = Descriptor{::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
  if (!state->fd.is_open()) return errno_error("cannot open", file.native(), errno);
  struct stat status{};
  if (::fstat(state->fd.get(), &status) != 0) return errno_error("cannot read", file.native(), errno);
  if (!S_ISREG(status.st_mode))
    return state->error(Fault::unavailable, "it is not a regular file; the archive is read twice, so copy it into one");
  state->size = static_cast<std::uint64_t>(status.st_size);
  const auto begin = state->read(0, std::min<std::uint64_t>(state->size, zstd_magic.size()));
  if (!begin) return begin.error();
  const bool begins_well = *begin == zstd_magic;
  state->compressed = begins_well;
  const char* no_archive = "it is no spool archive; `outpost spool export` makes them";
  const char* cut_off = "it is a spool archive that was cut off, or another file; copy it again";
  if (state->size < seal::size) return state->error(Fault::malformed, begins_well ? cut_off : no_archive);
  const auto end = state->read(state->sealed(), state->size);
  if (!end) return end.error();
  auto read = seal::read(*end);
  if (!read && read.error().fault == Fault::refused) return state->error(Fault::refused, read.error().message);
  if (!read) return state->error(Fault::malformed, begins_well ? cut_off : no_archive);
  state->seal = std::move(*read);
  return SpoolReader{std::move(state)};
}

Result<void> SpoolReader::verify(const SpoolKey& key, const Progress& progress) {
  if (seal::name_of(key.client_id()) != state_->seal.client_id)
    return state_->error(Fault::refused, "it is of " + state_->seal.client_id + ", and the configuration is for " +
                                             seal::name_of(key.client_id()));
  HmacSha256 mac = key.mac();
  if (auto read = state_->digest(mac, 0, state_->covered(), progress); !read) return read;
  if (!equal_in_constant_time(seal::digest(std::move(mac)), state_->seal.digest)) return state_->changed();
  return {};
}

Result<SpoolManifest> SpoolReader::begin(const SpoolKey& key) {
  auto& state = *state_;
  state.mac = key.mac();
  state.at = 0;
  state.entries = 0;
  state.ended = false;
  state.bytes_due.reset();
  state.unused = {};
  state.padding = 0;
  state.frame_ended = true;
  ::ZSTD_DCtx_reset(state.decompressor.get(), ZSTD_reset_session_only);
  const auto document = state.document(std::string{manifest_member});
  if (!document) return document.error();
  if (!*document) return state.error(Fault::malformed, "it is empty");
  auto manifest = manifest_from_json(**document);
  if (!manifest) return state.error(Fault::malformed, manifest.error().message);
  return manifest;
}

Result<std::optional<SpoolEntry>> SpoolReader::next() {
  auto& state = *state_;
  if (state.bytes_due) return Error{Fault::bug, "the bytes of the entry before were not read"};
  if (state.ended) return std::optional<SpoolEntry>{};
  const std::uint64_t number = ++state.entries;
  const auto document = state.document(member_of_entry(number, entry_member));
  if (!document) return document.error();
  if (!*document) {
    // What the tar reader did not need to see belongs to the seal too.
    if (auto rest = state.digest(state.mac, state.at, state.covered(), nullptr); !rest) return rest.error();
    if (!equal_in_constant_time(seal::digest(std::move(state.mac)), state.seal.digest)) return state.changed();
    state.ended = true;
    return std::optional<SpoolEntry>{};
  }
  auto entry = entry_from_json(**document);
  if (!entry) return state.error(Fault::malformed, entry.error().message);
  if (entry->has_bytes()) {
    const std::string name = member_of_entry(number, bytes_member);
    const auto bytes = state.member(name, entry->item.blob->size);
    if (!bytes) return bytes.error();
    if (!*bytes || **bytes != entry->item.blob->size)
      return state.error(Fault::malformed, name + " is missing, or shorter than its description says");
    state.bytes_due = **bytes;
  }
  return std::optional{std::move(*entry)};
}

Result<void> SpoolReader::save_bytes(const std::filesystem::path& file) {
  if (!state_->bytes_due) return Error{Fault::bug, "the entry has no bytes, or they were read before"};
  NewFile target{file};
  if (!target.is_open()) return errno_error("cannot create", file.native(), errno);
  const std::uint64_t bytes = *std::exchange(state_->bytes_due, std::nullopt);
  if (auto written = state_->content(bytes, [&](std::string_view part) { return target.write(part); }); !written)
    return written;
  return target.close();
}

}  // namespace outpost::delivery
