#include "agent/daemon/plugin_package.hpp"

#include "agent/base/private_directory.hpp"
#include "agent/base/run_tool.hpp"
#include "agent/base/text.hpp"
#include "agent/base/workers.hpp"
#include "agent/config/small_file.hpp"
#include "agent/daemon/plugin_place.hpp"
#include "agent/daemon/run_to_end.hpp"
#include "agent/files/unpacker.hpp"
#include "agent/job/event.hpp"
#include "plugins/hooks/lint.hpp"
#include "plugins/hooks/plugin_folder.hpp"
#include "plugins/hooks/snapshots.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <optional>
#include <set>
#include <system_error>
#include <vector>

namespace outpost::daemon {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

constexpr const char* seal_name = "outpost-plugin.json";
constexpr const char* signature_namespace = "outpost-plugin";
constexpr files::UnpackLimits plugin_limits{
    .bytes = std::uint64_t{1} << 30, .entries = 100'000, .ratio = 200, .ratio_from = 64 << 20, .depth = 32};

/// Hidden, in a directory of plugins too.
constexpr std::string_view draft_name = ".outpost-plugin";

/// Runs a tool that has to succeed.
Result<std::string> run_well(ToolRun run, const std::string& package) {
  run.errors_too = true;
  const std::string command = run.words.front();
  auto ended = run_tool(std::move(run));
  if (!ended) return Error{ended.error().fault, ended.error().message + ": install " + package};
  if (ended->status != 0)
    return Error{Fault::refused, command + " ended with status " + std::to_string(ended->status) + ": " +
                                     printable(trim(replace_all(ended->output, "\r", "")), 600)};
  return std::move(ended->output);
}

/// What a working copy has beside the plugin itself.
Result<void> remove_by_products(const fs::path& folder) {
  static const std::set<std::string> names{".git", ".hg", ".svn", "__pycache__"};
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::recursive_directory_iterator each{folder, error}, end; !error && each != end; each.increment(error))
    if (names.contains(each->path().filename().native())) {
      found.push_back(each->path());
      if (each->is_directory(error)) each.disable_recursion_pending();
    }
  for (const auto& path : found)
    if (!error) fs::remove_all(path, error);
  if (error) return errno_error("cannot tidy", folder.native(), error.value());
  return {};
}

/// What lint says of the plugin in a folder, which messages call `shown`. refused: there are errors.
Result<std::string> lint_well(const hooks::Plugin& plugin, const std::string& shown) {
  const auto diagnoses = hooks::lint(plugin, shown);
  if (has_errors(diagnoses))
    return Error{Fault::refused, "the plugin is wrong\n" + std::string{trim(text_of(diagnoses))}};
  return text_of(diagnoses);
}

/// The plugin in a folder, with its digest; and what is there to say of it.
Result<PluginPackage> describe(const fs::path& folder, const std::string& name, const fs::path& shown_as) {
  const auto plugin = hooks::read_plugin(folder, name, printable((shown_as / hooks::manifest_name).native()));
  if (!plugin.manifest && !plugin.is_broken())
    return Error{Fault::refused, printable(shown_as.native()) + " has no " + std::string{hooks::manifest_name}};
  auto complaints = lint_well(plugin, printable((shown_as / "").native()));
  if (!complaints) return complaints.error();
  auto digest = hooks::digest_of_plugin(folder);
  if (!digest) return digest.error();
  return PluginPackage{.path = shown_as,
                       .name = name,
                       .version = plugin.manifest->version,
                       .digest = *digest,
                       .signer = {},
                       .signature = {},
                       .complaints = *complaints};
}

/// Which version the plugin in a folder says that it is; empty: it says none.
std::string version_in(const fs::path& folder, const std::string& name) {
  const auto plugin = hooks::read_plugin(folder, name, {});
  return plugin.manifest ? plugin.manifest->version : "";
}

/// Unpacks an archive, which messages call `shown`.
Result<void> unpack(const fs::path& archive, const fs::path& target, const fs::path& shown) {
  boost::asio::io_context loop{1};
  Workers workers;
  auto program = files::find_unpacker();
  if (!program) return program.error();
  const files::Unpacker unpacker{*program, workers};
  const auto unpacked = run_to_end(loop, unpacker.unpack(archive, target, plugin_limits));
  if (!unpacked)
    return Error{unpacked.error().fault,
                 replace_all(unpacked.error().message, archive.native(), printable(shown.native()))};
  return {};
}

/// The plugin of an archive that was unpacked, after a look at its seal.
Result<PluginPackage> open_package(const fs::path& archive, const fs::path& unpacked) {
  const auto text = config::read_small_file(unpacked / seal_name, 64 * 1024);
  boost::system::error_code error;
  const auto seal = text ? json::parse(*text, error) : json::value{};
  if (!text || error || !seal.is_object())
    return Error{Fault::malformed, printable(archive.native()) + " is no packed plugin: there is no " + seal_name +
                                       " in it (outpost plugin pack makes one)"};
  const std::string name = job::text_at(seal.get_object(), "name");
  if (name.empty() || name.find('/') != std::string::npos || name.front() == '.')
    return Error{Fault::malformed, printable(archive.native()) + ": " + seal_name + " names no plugin"};
  std::error_code code;
  for (const auto& entry : fs::directory_iterator{unpacked, code})
    if (entry.path().filename() != seal_name && entry.path().filename() != name)
      return Error{Fault::refused, printable(archive.native()) + " holds \"" +
                                       printable(entry.path().filename().native(), 80) + "\" beside the plugin"};
  auto package = describe(unpacked / name, name, archive);
  if (!package) return package;
  if (package->digest != job::text_at(seal.get_object(), "digest"))
    return Error{Fault::refused,
                 printable(archive.native()) + " was changed after it had been packed: the digest of its files is " +
                     package->digest + ", and it says " + printable(job::text_at(seal.get_object(), "digest"), 80)};
  return package;
}

/// Who has signed the archive, which messages call `shown`.
Result<std::string> signer_of(const fs::path& archive, const fs::path& shown, fs::path signature, fs::path signers) {
  std::error_code error;
  signature = fs::absolute(signature, error);
  signers = fs::absolute(signers, error);
  if (!fs::exists(signature, error))
    return Error{Fault::refused,
                 printable(shown.native()) + " is not signed: there is no " + printable(signature.native())};
  if (!fs::exists(signers, error))
    return Error{Fault::refused, "there is no file of signers " + printable(signers.native()) + " (ssh-keygen(1), ALLOWED SIGNERS)"};
  auto found =
      run_well({.words = {"ssh-keygen", "-Y", "find-principals", "-s", signature.string(), "-f", signers.string()}},
               "openssh-client");
  if (!found)
    return Error{Fault::refused, "none of the signers in " + printable(signers.native()) + " has signed " +
                                     printable(shown.native()) + " (" + found.error().message + ")"};
  const std::string signer{trim(split(*found, '\n').front())};
  const auto checked = run_well({.words = {"ssh-keygen", "-Y", "verify", "-f", signers.string(), "-I", signer, "-n",
                                           signature_namespace, "-s", signature.string()},
                                 .input = archive},
                                "openssh-client");
  if (!checked)
    return Error{Fault::refused,
                 "the signature of " + printable(shown.native()) + " is not right: " + checked.error().message};
  return signer;
}

Result<PluginPackage> look_at_folder(const VerifyOptions& options, fs::path& folder) {
  if (!options.signers.empty())
    return Error{Fault::refused,
                 "a folder has no signature: sign and verify the archive that outpost plugin pack makes"};
  const auto whole = folder_of_plugin(options.path);
  if (!whole) return whole.error();
  folder = *whole;
  return describe(folder, name_of_plugin(folder), options.path);
}

/// Looks at a copy, so that what was signed is what is unpacked, and at the signature before anything else.
Result<PluginPackage> look_at_archive(const VerifyOptions& options, const PrivateDirectory& draft, fs::path& folder) {
  std::error_code error;
  const fs::path copy = draft.path() / "archive", unpacked = draft.path() / "unpacked";
  fs::copy_file(options.path, copy, error);
  if (error) return errno_error("cannot read", options.path.native(), error.value());
  const fs::path signature = options.path.string() + ".sig";
  std::string signer;
  if (!options.signers.empty()) {
    auto found = signer_of(copy, options.path, signature, options.signers);
    if (!found) return found.error();
    signer = *std::move(found);
  }
  if (auto done = unpack(copy, unpacked, options.path); !done) return done.error();
  auto package = open_package(options.path, unpacked);
  if (!package) return package;
  folder = unpacked / package->name;
  package->signer = std::move(signer);
  if (fs::exists(signature, error)) package->signature = signature;
  return package;
}

/// Looks at a package; its files are `folder` then, for as long as `draft` is.
Result<PluginPackage> look_at(const VerifyOptions& options, const PrivateDirectory& draft, fs::path& folder) {
  std::error_code error;
  if (!fs::exists(options.path, error))
    return Error{Fault::unavailable, "there is no " + printable(options.path.native())};
  auto package =
      fs::is_directory(options.path, error) ? look_at_folder(options, folder) : look_at_archive(options, draft, folder);
  if (package && !options.digest.empty() && package->digest != options.digest)
    return Error{Fault::refused, "the digest of " + printable(options.path.native()) + " is " + package->digest +
                                     ", and not " + printable(options.digest, 80)};
  return package;
}

/// Everything as the directory's owner would have it, whoever has packed it and with whatever umask.
Result<void> settle_ownership(const fs::path& folder, const fs::path& directory) {
  struct stat owner{};
  if (::stat(directory.c_str(), &owner) != 0) return errno_error("cannot read", directory.native(), errno);
  std::vector<fs::path> all{folder};
  std::error_code error;
  for (const auto& each : fs::recursive_directory_iterator{folder, error}) all.push_back(each.path());
  for (const auto& path : all) {
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0) return errno_error("cannot read", path.native(), errno);
    if (::geteuid() == 0 && ::lchown(path.c_str(), owner.st_uid, owner.st_gid) != 0)
      return errno_error("cannot change the owner of", path.native(), errno);
    if (S_ISLNK(status.st_mode)) continue;
    const mode_t mode = S_ISDIR(status.st_mode) || (status.st_mode & 0111) != 0 ? 0755 : 0644;
    if (::chmod(path.c_str(), mode) != 0) return errno_error("cannot change the mode of", path.native(), errno);
  }
  return {};
}

/// The folder of a plugin in one directory: NAME or NN-NAME; nothing when there is none.
std::optional<fs::path> installed_in(const fs::path& directory, const std::string& name) {
  const auto found = hooks::find_plugin({directory}, name);
  return found ? std::optional{*found} : std::nullopt;
}

}  // namespace

Result<PluginPackage> pack_plugin(const PackOptions& options) {
  const auto folder = folder_of_plugin(options.plugin);
  if (!folder) return folder.error();
  const std::string name = name_of_plugin(*folder);
  const auto draft = PrivateDirectory::make(draft_name);
  if (!draft) return draft.error();
  if (auto copied = hooks::copy_plugin(*folder, draft->path() / name); !copied) return copied.error();
  if (auto tidied = remove_by_products(draft->path() / name); !tidied) return tidied.error();
  auto package = describe(draft->path() / name, name, options.plugin);
  if (!package) return package;
  const json::object seal{{"format", 1}, {"name", name}, {"version", package->version}, {"digest", package->digest}};
  if (std::ofstream file{draft->path() / seal_name}; !(file << json::serialize(seal) << "\n" << std::flush))
    return Error{Fault::retry_later, "cannot write " + draft->path().string()};

  std::error_code error;
  package->path = fs::absolute(
      options.output.empty() ? fs::path{name + "-" + printable(package->version, 64) + ".tgz"} : options.output, error);
  const fs::path unfinished = draft->path() / "package.tgz";
  // The same bytes wherever and whenever it is packed.
  auto packed = run_well({.words = {"tar", "--create", "--file", unfinished.string(), "--use-compress-program",
                                    "gzip -n", "--format=ustar", "--sort=name", "--owner=0", "--group=0",
                                    "--numeric-owner", "--mtime=@0", "--mode=u+rw,go-w,a+rX", "--", seal_name, name},
                          .directory = draft->path()},
                         "tar and gzip");
  if (!packed) return packed.error();
  fs::copy_file(unfinished, package->path, fs::copy_options::overwrite_existing, error);
  if (error) return errno_error("cannot write", package->path.native(), error.value());
  if (options.sign_with.empty()) return package;
  package->signature = package->path.string() + ".sig";
  fs::remove(package->signature, error);
  const auto signed_it = run_well({.words = {"ssh-keygen", "-Y", "sign", "-q", "-n", signature_namespace, "-f",
                                             fs::absolute(options.sign_with).string(), package->path.string()}},
                                  "openssh-client");
  if (!signed_it) return signed_it.error();
  return package;
}

Result<PluginPackage> verify_plugin(const VerifyOptions& options) {
  const auto draft = PrivateDirectory::make(draft_name);
  if (!draft) return draft.error();
  fs::path folder;
  return look_at(options, *draft, folder);
}

Result<PluginPackage> install_plugin(const InstallOptions& options) {
  std::error_code error;
  if (!fs::is_directory(options.to, error))
    return Error{Fault::unavailable,
                 printable(options.to.native()) + " is no directory of plugins: make it, or name another (--to)"};
  const fs::path to = fs::absolute(options.to, error);
  // In the same file system, so that it can be renamed into its place.
  const auto draft = PrivateDirectory::make(to, draft_name);
  if (!draft) return draft.error();
  fs::path folder;
  auto package = look_at(options.package, *draft, folder);
  if (!package) return package;
  const auto there = installed_in(to, package->name);
  if (there) package->replaced = version_in(*there, package->name);
  if (there && !options.force)
    return Error{Fault::refused, printable(there->native()) + " is there already" +
                                     (package->replaced.empty() ? "" : ", version " + printable(package->replaced, 80)) +
                                     " (--force replaces it)"};
  const fs::path copy = draft->path() / "copy";
  if (auto copied = hooks::copy_plugin(folder, copy); !copied) return copied.error();
  const bool is_folder = fs::is_directory(options.package.path, error);
  if (is_folder)
    if (auto tidied = remove_by_products(copy); !tidied) return tidied.error();
  if (auto settled = settle_ownership(copy, to); !settled) return settled.error();
  const auto digest = hooks::digest_of_plugin(copy);
  if (!digest) return digest.error();
  if (is_folder) package->digest = *digest;
  if (*digest != package->digest)
    return Error{Fault::retry_later, printable(options.package.path.native()) + " changed while it was installed"};
  // Jobs order plugins by their manifests: a folder with a number keeps it.
  const fs::path target = there.value_or(to / (is_folder ? folder.filename().native() : package->name));
  if (::renameat2(AT_FDCWD, copy.c_str(), AT_FDCWD, target.c_str(), there ? RENAME_EXCHANGE : RENAME_NOREPLACE) != 0)
    return errno_error("cannot put the plugin to", target.native(), errno);
  package->path = target;
  return package;
}

Result<fs::path> remove_plugin(const std::string& name, const fs::path& from) {
  const auto there = installed_in(from, name);
  if (!there)
    return Error{Fault::unavailable, "there is no plugin " + printable(name, 80) + " in " + printable(from.native())};
  const auto draft = PrivateDirectory::make(from, draft_name);
  if (!draft) return draft.error();
  std::error_code error;
  fs::rename(*there, draft->path() / "gone", error);  // At once for whoever looks; what it holds goes with the draft.
  if (error) return errno_error("cannot remove", there->native(), error.value());
  return *there;
}

}  // namespace outpost::daemon
