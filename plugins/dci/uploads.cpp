#include "plugins/dci/uploads.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/job/event.hpp"
#include "plugins/dci/expand.hpp"
#include "plugins/dci/file_name.hpp"
#include "plugins/dci/patience.hpp"

#include <boost/json/array.hpp>

namespace outpost::dci {
namespace {

using boost::asio::awaitable;
using pipeline::Delivered;
using pipeline::FixCredentials;
using pipeline::Outcome;
using pipeline::Parked;
using pipeline::RetryAfter;

constexpr std::uint64_t smallest_piece = 1024;

std::string in_bytes(std::uint64_t size) { return format_size(size) + " (" + std::to_string(size) + " bytes)"; }

/// A path of the journal, which is ours, but a mistake there must not send another file of this machine.
bool stays_inside(const std::filesystem::path& path) {
  if (path.empty() || path.is_absolute()) return false;
  return std::none_of(path.begin(), path.end(), [](const auto& part) { return part == ".."; });
}

std::string with_id(const Reply& reply) {
  const auto* file = reply.answer.object("file");
  return file ? job::text_at(*file, "id") : "";
}

bool wants_less(const Reply& reply) {
  return reply.judged.meaning == Meaning::too_large || reply.judged.meaning == Meaning::too_slow;
}

}  // namespace

std::chrono::milliseconds patience_for(std::uint64_t size) {
  return std::min<std::chrono::milliseconds>(std::chrono::minutes{9}, std::chrono::seconds{size / (1 << 20)});
}

std::string UploadLimit::describe() const {
  if (configured_ && *configured_ < smallest_refused_)
    return "at most " + in_bytes(*configured_) + ", says upload_limit";
  std::string text = "less than " + in_bytes(smallest_refused_) + ", which it refused";
  if (largest_accepted_ > 0) text += " (the largest it took: " + in_bytes(largest_accepted_) + ")";
  return text;
}

Outcome to_outcome(const Judged& judged) {
  switch (judged.meaning) {
    case Meaning::ok: return Delivered{};
    case Meaning::retry_later: return RetryAfter{judged.wait, judged.message, judged.unsent};
    case Meaning::fix_credentials: return FixCredentials{judged.message};
    case Meaning::gone:
    case Meaning::refused:
    case Meaning::duplicate:
    case Meaning::too_large:
    case Meaning::too_slow: return Parked{judged.message};
  }
  return Parked{judged.message};
}

Result<Uploads::File> Uploads::file_of(const journal::Item& item, const pipeline::Refs& refs) const {
  const auto text = [&](std::string_view name) { return job::text_at(item.body, name); };
  File file;
  file.job = text("job");
  if (!is_id(file.job)) return Error{Fault::bug, "\"" + printable(file.job, 60) + "\" is not a job's id at the server"};
  file.name = text("name");
  file.mime = text("mime").empty() ? "text/plain" : text("mime");
  if (item.kind == kind::log)
    file.name = piece_name(text("log"), static_cast<std::uint64_t>(job::number_at(item.body, "offset")));
  if (item.kind == kind::log || item.kind == kind::task) {
    // Without the state's id it is still a file of the job.
    for (const auto& need : item.needs)
      if (const auto ref = refs.find(need); ref != refs.end() && is_id(ref->second)) file.state = ref->second;
  }
  // A note, or what stands in for bytes that had to be given up.
  if (!item.blob && item.body.contains("content")) {
    file.body = text("content");
    file.sha256 = sha256_hex(text("content"));
    return file;
  }
  if (!item.blob) return Error{Fault::bug, "the item " + item.key + " has no bytes"};
  if (!stays_inside(item.blob->path))
    return Error{Fault::bug, "the path \"" + printable(item.blob->path, 200) + "\" leaves the job's directory"};
  if (!item.blob->codec.empty()) {
    file.name = stored_name(file.name + (item.blob->codec == "zstd" ? ".zst" : "." + item.blob->codec));
    file.mime = "application/" + item.blob->codec;
  }
  const std::uint64_t offset = item.blob->range ? item.blob->range->offset : 0;
  file.body = http::FileRange{directory_(item.job_id) / item.blob->path, offset, item.blob->size};
  file.sha256 = item.blob->sha256;
  return file;
}

awaitable<Result<std::string>> Uploads::hash(http::FileRange range) {
  auto work = [range] { return sha256_of_file(range.path, range.offset, range.size); };
  co_return co_await workers_.run(std::move(work));
}

awaitable<Reply> Uploads::post(File file) {
  const std::uint64_t size = http::size_of(file.body);
  Call call;
  call.method = "POST";
  call.path = "/api/v1/files";
  call.key = "file";
  call.extra_patience = patience_for(size);
  call.headers.set("DCI-NAME", to_latin1(file.name));
  call.headers.set("DCI-JOB-ID", file.job);
  if (!file.state.empty()) call.headers.set("DCI-JOBSTATE-ID", file.state);
  call.headers.set("DCI-MIME", file.mime);
  call.body = Raw{std::move(file.body), std::move(file.sha256), file.mime};
  Reply reply = co_await api_.send(std::move(call));
  if (reply.ok()) limit_.accepted(size);
  if (wants_less(reply)) limit_.refused(size);
  co_return reply;
}

Parked Uploads::too_large(const File& file) const {
  return {"\"" + printable(file.name, 300) + "\" has " + in_bytes(http::size_of(file.body)) +
          "; the control server takes " + limit_.describe() +
          ": have its limit raised (MAX_CONTENT_LENGTH_MB), or make the file smaller"};
}

/// What the answer to an upload means, where the file may be at the server in spite of it.
awaitable<Outcome> Uploads::settle(File file, Reply reply) {
  if (reply.ok()) co_return Delivered{with_id(reply)};
  const auto& judged = reply.judged;
  if (judged.meaning == Meaning::too_large) co_return too_large(file);
  if (file.mime == junit_mime &&
      (judged.meaning == Meaning::refused || (judged.meaning == Meaning::retry_later && reply.answer.status >= 500))) {
    // A JUnit file that the server could not parse or compare is stored before it says so; sent again it would be there
    // twice, and then the next job's comparison fails.
    auto stored = co_await find_file(std::move(file));
    if (stored && *stored) co_return Delivered{**stored};
    co_return to_outcome(judged);
  }
  if (judged.meaning == Meaning::fix_credentials && reply.answer.status == 400 &&
      std::holds_alternative<http::FileRange>(file.body)) {
    // A wrong signature may also be a file that is no longer what was hashed. That is nobody's credentials.
    http::FileRange range = std::get<http::FileRange>(file.body);
    auto now = co_await hash(std::move(range));
    if (now && *now != file.sha256)
      co_return Parked{"\"" + printable(file.name, 300) + "\" has changed on disk since it was recorded: sha256 " +
                       *now + " instead of " + file.sha256};
  }
  co_return to_outcome(judged);
}

awaitable<Outcome> Uploads::send(const journal::Item& item, const pipeline::Refs& refs) {
  auto made = file_of(item, refs);
  if (!made) co_return Parked{made.error().message};
  File file = std::move(*made);
  const std::uint64_t size = http::size_of(file.body);
  // A step that said nothing more: there is nothing to show.
  if (item.kind == kind::log && size == 0) co_return Delivered{};
  if (const auto* range = std::get_if<http::FileRange>(&file.body)) {
    std::error_code failed;
    const auto there = std::filesystem::file_size(range->path, failed);
    if (failed) co_return Parked{errno_error("reading", range->path.string(), failed.value()).message};
    if (there < range->offset + range->size)
      co_return Parked{range->path.string() + " has " + std::to_string(there) + " bytes and should have " +
                       std::to_string(range->offset + range->size)};
  }
  if (limit_.refuses(size)) {
    if (item.kind != kind::log) co_return too_large(file);
    co_return co_await send_split(item, std::move(file));
  }
  if (file.sha256.empty()) {
    http::FileRange range = std::get<http::FileRange>(file.body);
    auto sum = co_await hash(std::move(range));
    if (!sum) co_return Parked{sum.error().message};
    file.sha256 = *sum;
  }
  File copy = file;
  Reply reply = co_await post(std::move(copy));
  if (item.kind == kind::log && wants_less(reply)) co_return co_await send_split(item, std::move(file));
  co_return co_await settle(std::move(file), std::move(reply));
}

awaitable<Outcome> Uploads::send_split(const journal::Item& item, File file) {
  const auto whole = std::get<http::FileRange>(file.body);
  const std::string log = job::text_at(item.body, "log");
  const auto begin = static_cast<std::uint64_t>(job::number_at(item.body, "offset"));
  File wanted = file;
  auto there = co_await pieces_there(std::move(wanted), log);
  if (!there) co_return RetryAfter{std::nullopt, there.error().message};
  std::string last;
  for (std::uint64_t at = 0; at < whole.size;) {
    // What an interrupted attempt brought there is not sent again.
    if (const auto piece = there->find(begin + at);
        piece != there->end() && piece->second.size > 0 && piece->second.size <= whole.size - at) {
      at += piece->second.size;
      last = piece->second.id;
      continue;
    }
    const std::uint64_t size = std::min(limit_.piece(), whole.size - at);
    if (size < smallest_piece && size < whole.size - at) co_return too_large(file);
    File part = file;
    part.name = piece_name(log, begin + at);
    http::FileRange range{whole.path, whole.offset + at, size};
    part.body = range;
    auto sum = co_await hash(std::move(range));
    if (!sum) co_return Parked{sum.error().message};
    part.sha256 = *sum;
    File copy = part;
    Reply reply = co_await post(std::move(copy));
    if (wants_less(reply)) {
      if (size < 2 * smallest_piece) co_return too_large(part);
      continue;  // post() has learned from it.
    }
    if (!reply.ok()) co_return co_await settle(std::move(part), std::move(reply));
    last = with_id(reply);
    at += size;
  }
  co_return Delivered{last};
}

awaitable<Result<Uploads::Pieces>> Uploads::pieces_there(File file, std::string log) {
  Call call{.path = "/api/v1/jobs/" + file.job + "/files", .key = "files"};
  if (!file.state.empty()) call.query.emplace_back("where", "jobstate_id:" + file.state);
  Pieces pieces;
  std::function<bool(const boost::json::object&)> row = [&](const boost::json::object& one) {
    const std::string name = job::text_at(one, "name");
    if (name.size() == log.size() + piece_suffix && name.starts_with(log + "@")) {
      const auto offset = std::strtoull(name.c_str() + log.size() + 1, nullptr, 10);
      const auto size = static_cast<std::uint64_t>(std::max<std::int64_t>(job::number_at(one, "size"), 0));
      if (piece_name(log, offset) == name) pieces[offset] = {size, job::text_at(one, "id")};
    }
    return true;
  };
  const Reply reply = co_await api_.list(std::move(call), std::move(row));
  if (!reply.ok() && reply.judged.meaning != Meaning::gone) co_return reply.error();
  co_return pieces;
}

awaitable<Result<std::optional<std::string>>> Uploads::find_file(File file, std::int64_t alike) {
  Call call{.path = "/api/v1/jobs/" + file.job + "/files", .key = "files"};
  call.query.emplace_back("sort", "created_at");
  // Only a narrowing: names compare without case there. A name that `where` cannot carry is looked for among all.
  if (file.name.find(',') == std::string::npos && !file.name.ends_with('*'))
    call.query.emplace_back("where", "name:" + file.name);
  std::optional<std::string> found;
  const auto size = static_cast<std::int64_t>(http::size_of(file.body));
  std::int64_t left = alike;
  std::function<bool(const boost::json::object&)> row = [&](const boost::json::object& one) {
    const std::string state = job::text_at(one, "state");
    if (job::text_at(one, "name") != file.name || job::number_at(one, "size", -1) != size ||
        job::text_at(one, "mime") != file.mime || job::text_at(one, "jobstate_id") != file.state ||
        (!state.empty() && state != "active"))
      return true;
    if (left-- > 0) return true;
    found = job::text_at(one, "id");
    return false;
  };
  Reply reply = co_await api_.list(call, row);
  if (reply.judged.meaning == Meaning::refused && call.query.size() > 1) {
    left = alike;
    call.query.pop_back();  // A name that `where` does not like after all.
    reply = co_await api_.list(std::move(call), std::move(row));
  }
  if (reply.judged.meaning == Meaning::gone) co_return std::optional<std::string>{};
  if (!reply.ok()) co_return reply.error();
  co_return found;
}

awaitable<Result<std::optional<std::string>>> Uploads::find(const journal::Item& item, const pipeline::Refs& refs) {
  auto made = file_of(item, refs);
  if (!made) co_return std::optional<std::string>{};  // send() says what is wrong with it.
  File file = std::move(*made);
  File copy = file;
  auto found = co_await find_file(std::move(copy), job::number_at(item.body, "alike"));
  if (!found || *found || item.kind != kind::log) co_return found;
  co_return co_await find_split(item, std::move(file));
}

awaitable<Result<std::optional<std::string>>> Uploads::find_split(const journal::Item& item, File file) {
  const std::uint64_t size = http::size_of(file.body);
  std::string log = job::text_at(item.body, "log");
  auto pieces = co_await pieces_there(std::move(file), std::move(log));
  if (!pieces) co_return pieces.error();
  const auto begin = static_cast<std::uint64_t>(job::number_at(item.body, "offset"));
  std::string last;
  for (std::uint64_t at = 0; at < size;) {
    const auto piece = pieces->find(begin + at);
    if (piece == pieces->end() || piece->second.size == 0 || piece->second.size > size - at)
      co_return std::optional<std::string>{};
    at += piece->second.size;
    last = piece->second.id;
  }
  co_return std::optional{last};
}

}  // namespace outpost::dci
