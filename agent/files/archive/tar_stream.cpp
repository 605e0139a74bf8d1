#include "agent/files/archive/tar_stream.hpp"

#include "agent/base/text.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace outpost::files {
namespace {

std::string reason(struct archive* archive) {
  const char* text = ::archive_error_string(archive);
  return text ? printable(text, 300) : "no reason given";
}

}  // namespace

TarStream::TarStream(const std::filesystem::path& file, const UnpackLimits& limits, std::stop_token stop)
    : file_{file}, limits_{limits}, stop_{std::move(stop)}, raw_{::archive_read_new()}, tar_{::archive_read_new()} {
  ::archive_read_support_filter_gzip(raw_.get());
  ::archive_read_support_filter_xz(raw_.get());
  ::archive_read_support_filter_zstd(raw_.get());
  ::archive_read_support_format_raw(raw_.get());
  ::archive_read_support_format_tar(tar_.get());
  // File names are bytes, whatever the locale of this process.
  ::archive_read_set_option(tar_.get(), "tar", "hdrcharset", "BINARY");
}

Result<void> TarStream::open() {
  std::error_code code;
  if (const auto size = std::filesystem::file_size(file_, code); code)
    return errno_error("cannot open the archive", file_.native(), code.value());
  else if (size == 0)
    return Error{Fault::malformed, file_.string() + ": empty, not an archive; download it again"};
  struct archive_entry* whole = nullptr;
  if (::archive_read_open_filename(raw_.get(), file_.c_str(), buffer_.size()) != ARCHIVE_OK ||
      ::archive_read_next_header(raw_.get(), &whole) != ARCHIVE_OK)
    return Error{Fault::malformed, file_.string() + ": no archive, damaged or cut off (" + reason(raw_.get()) +
                                       "); download it again, or make it again if its checksum is right"};
  if (::archive_read_open(tar_.get(), this, nullptr, &TarStream::read, nullptr) != ARCHIVE_OK) return failure();
  return {};
}

la_ssize_t TarStream::read(struct archive*, void* self, const void** bytes) {
  auto& stream = *static_cast<TarStream*>(self);
  *bytes = stream.buffer_.data();
  return stream.read_some();
}

/// -1 after an error, which is kept.
la_ssize_t TarStream::read_some() {
  const la_ssize_t got = ::archive_read_data(raw_.get(), buffer_.data(), buffer_.size());
  if (got < 0) {
    own_error_ = Error{Fault::malformed, file_.string() + ": damaged or cut off (" + reason(raw_.get()) +
                                             "); download it again, or make it again if its checksum is right"};
  } else {
    ended_ = got == 0;
    unpacked_ += static_cast<std::uint64_t>(got);
    remember_tail(static_cast<std::size_t>(got));
    if (auto fine = check(); !fine) own_error_ = fine.error();
  }
  if (!own_error_) return got;
  ::archive_set_error(tar_.get(), EIO, "%s", own_error_->message.c_str());
  return -1;
}

void TarStream::remember_tail(std::size_t size) {
  if (size >= tail_.size()) {
    std::memcpy(tail_.data(), buffer_.data() + size - tail_.size(), tail_.size());
  } else {
    std::memmove(tail_.data(), tail_.data() + size, tail_.size() - size);
    std::memcpy(tail_.data() + tail_.size() - size, buffer_.data(), size);
  }
}

Result<void> TarStream::check() const {
  if (stop_.stop_requested()) return Error{Fault::cancelled, file_.string() + ": unpacking was cancelled"};
  const auto packed = static_cast<std::uint64_t>(std::max<la_int64_t>(::archive_filter_bytes(raw_.get(), -1), 1));
  if (unpacked_ > limits_.ratio_from && unpacked_ / packed >= limits_.ratio)
    return Error{Fault::refused,
                 file_.string() + ": unpacks to more than " + std::to_string(limits_.ratio) +
                     " times its size, so it is taken for a bomb; raise the limit if it is a real component"};
  return {};
}

Result<void> TarStream::drain() {
  const bool cut = ended_;  // The tar reader wanted more, so it has not seen the end mark, unless that was half a mark.
  while (!ended_)
    if (read_some() < 0) return *own_error_;
  const bool end_mark = std::all_of(tail_.begin(), tail_.end(), [](char byte) { return byte == 0; });
  if (cut && !end_mark)
    return Error{Fault::malformed, file_.string() + ": cut off (no end mark after the last entry); download it again"};
  return {};
}

Error TarStream::failure() const {
  if (own_error_) return *own_error_;
  const std::string why = reason(tar_.get());
  if (unpacked_ <= buffer_.size() && why.find("Unrecognized archive format") != std::string::npos)
    return {Fault::malformed, file_.string() + ": not a tar archive, plain or compressed with gzip, xz or zstd"};
  return {Fault::malformed, file_.string() + ": damaged or cut off (" + why + "); download it again"};
}

}  // namespace outpost::files
