// import_spool(): which source an archive is for, and a place to unpack it.

#include "agent/base/text.hpp"
#include "agent/daemon/run_to_end.hpp"
#include "agent/daemon/spool_file.hpp"
#include "agent/daemon/spool_import.hpp"
#include "agent/delivery/spool_writer.hpp"
#include "agent/base/descriptor.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <optional>
#include <system_error>

namespace outpost::daemon {

namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

constexpr std::string_view scratch_prefix = "outpost-import-";

/// A directory of ours alone that is gone afterwards. It is locked as long as we live, so that those of imports that
/// were killed are known by that nobody has locked them.
class ScratchDirectory {
 public:
  static Result<std::unique_ptr<ScratchDirectory>> make() {
    const char* given = std::getenv("TMPDIR");
    // Not /tmp, which may be in memory.
    const fs::path parent = given && *given ? given : "/var/tmp";
    remove_abandoned(parent);
    for (;;) {
      std::string name = (parent / scratch_prefix).string() + "XXXXXX";
      if (!::mkdtemp(name.data())) return errno_error("cannot create", name, errno);
      Descriptor lock = locked(name);
      // Somebody who cleans up may have come between.
      if (lock.is_open() && fs::exists(name))
        return std::unique_ptr<ScratchDirectory>{new ScratchDirectory{name, std::move(lock)}};
    }
  }
  ~ScratchDirectory() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  const fs::path path;

 private:
  ScratchDirectory(fs::path made, Descriptor lock) : path{std::move(made)}, lock_{std::move(lock)} {}

  /// Closed when somebody else has it.
  static Descriptor locked(const fs::path& directory) {
    Descriptor opened{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (!opened.is_open() || ::flock(opened.get(), LOCK_EX | LOCK_NB) != 0) return Descriptor{-1};
    return opened;
  }

  static void remove_abandoned(const fs::path& parent) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator{parent, fs::directory_options::skip_permission_denied, error}) {
      if (!entry.path().filename().string().starts_with(scratch_prefix)) continue;
      const Descriptor lock = locked(entry.path());
      struct stat status{};
      if (!lock.is_open() || ::fstat(lock.get(), &status) != 0 || status.st_uid != ::geteuid()) continue;
      fs::remove_all(entry.path(), error);
    }
  }

  Descriptor lock_;
};

struct Target {
  const config::Source* source = nullptr;
  ServerAccess access;
};

/// The source that an archive is for: the named one, or the one whose remoteci it is of.
Result<Target> target_of(const config::Settings& settings, const ImportOptions& options, const std::string& client_id) {
  if (!options.source.empty() && !settings.sources.contains(options.source))
    return Error{Fault::malformed, "the configuration has no source \"" + printable(options.source, 80) + "\""};
  std::vector<std::string> seen;
  std::vector<Target> fitting;
  std::optional<Error> failed;
  for (const auto& [name, source] : settings.sources) {
    if (!options.source.empty() && name != options.source) continue;
    auto access = access_to(source, upload_throttle(settings.spool));
    if (!access) {
      failed = std::move(access.error()).in("sources." + name);
      continue;
    }
    seen.push_back(access->spool_key.client_id() + " (source " + name + ")");
    if (delivery::seal::name_of(access->spool_key.client_id()) == client_id)
      fitting.push_back({&source, std::move(*access)});
  }
  if (fitting.size() == 1) return std::move(fitting.front());
  if (fitting.size() > 1)
    return Error{Fault::malformed,
                 "several sources are " + client_id + ": say which one's server is meant with --source"};
  if (failed) return Error{Fault::malformed, failed->message};
  return Error{Fault::refused, options.file.string() + ": it is of " + client_id + ", and the configuration is for " +
                                   (seen.empty() ? "nobody" : join(seen, ", "))};
}

Result<void> write_receipt(SpoolFile& file, const SpoolImport& import, const Imported& imported,
                           const ServerAccess& access) {
  const auto delivered = import.delivered();
  if (!delivered) return delivered.error();
  delivery::SpoolManifest manifest = imported.manifest;
  manifest.kind = "receipt";
  manifest.server = imported.server;
  manifest.created = SystemClock{}.now();
  manifest.agent_version = OUTPOST_VERSION;
  manifest.items = delivered->size();
  manifest.parked = manifest.bytes = 0;
  delivery::SpoolWriter writer{access.spool_key, [&](std::string_view bytes) { return file.write(bytes); }};
  if (auto begun = writer.begin(manifest); !begun) return begun;
  for (const auto& entry : *delivered)
    if (auto added = writer.add(entry); !added) return added;
  if (auto finished = writer.finish(); !finished) return finished;
  return file.commit();
}

}  // namespace

Result<Imported> import_spool(const config::Settings& settings, const ImportOptions& options) {
  asio::io_context loop{1};  // Outlives the connections that the target keeps.
  auto reader = delivery::SpoolReader::open(options.file);
  if (!reader) return reader.error();
  auto target = target_of(settings, options, reader->client_id());
  if (!target) return target.error();
  std::optional<SpoolFile> receipt;
  if (!options.receipt.empty()) {
    auto made = SpoolFile::create(options.receipt, options.force);
    if (!made) return made.error();
    receipt.emplace(std::move(*made));
  }
  auto scratch = ScratchDirectory::make();
  if (!scratch) return scratch.error();
  const auto paced = delivery_options(settings.spool, *target->source);
  SpoolImport import{*reader,          target->access,      *target->source, paced,
                     (*scratch)->path, loop.get_executor(), options.progress};
  auto imported = run_to_end<Imported>(loop, import.run(), [&] { import.stop(); });
  if (!imported) {
    Error error = imported.error();
    if (error.fault == Fault::retry_later) error.message += "; TMPDIR can name a directory with more room";
    return error;
  }
  if (!receipt) return imported;
  if (auto written = write_receipt(*receipt, import, *imported, target->access); !written)
    imported->receipt_problem = written.error().message;
  return imported;
}

}  // namespace outpost::daemon
