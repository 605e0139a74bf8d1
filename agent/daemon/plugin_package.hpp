#pragma once

#include "agent/base/result.hpp"

#include <filesystem>
#include <string>

/// Plugins as files: what `outpost plugin pack`, `verify`, `install` and `remove` do. Everything here blocks.
namespace outpost::daemon {

struct PackOptions {
  std::filesystem::path plugin;     ///< Its folder.
  std::filesystem::path output;     ///< Empty: NAME-VERSION.tgz here.
  std::filesystem::path sign_with;  ///< A private SSH key, or the public one of a key in the agent; empty: not signed.
};

/// A plugin that is packed, or was looked at.
struct PluginPackage {
  std::filesystem::path path;  ///< The archive, or the folder.
  std::string name, version;
  std::string digest;  ///< SHA-256 of the plugin's files, as journals name it.
  std::string signer;  ///< Who has signed it, as the file of signers calls him; empty: nobody was asked for.
  std::filesystem::path signature;  ///< The file; empty: there is none.
  std::string complaints;           ///< Warnings of lint, one a line.
  std::string replaced;             ///< Which version was in its place when it was installed; empty: none that says one.
};

/// Writes the plugin into an archive, which is the same to the byte whenever the plugin is: a gzipped tar with
/// outpost-plugin.json (name, version, digest) and the folder NAME/. Version control and Python's caches stay out.
/// Beside it goes the signature, FILE.sig. refused: lint finds errors, or there is no manifest.
[[nodiscard]] Result<PluginPackage> pack_plugin(const PackOptions& options);

struct VerifyOptions {
  std::filesystem::path path;     ///< An archive, or a folder.
  std::filesystem::path signers;  ///< ALLOWED SIGNERS of ssh-keygen(1): then FILE.sig has to be of one of them.
  std::string digest;             ///< What the plugin's has to be; empty: whatever.
};

/// Looks whether an archive is what it says, and right. refused: it is not.
[[nodiscard]] Result<PluginPackage> verify_plugin(const VerifyOptions& options);

struct InstallOptions {
  VerifyOptions package;
  std::filesystem::path to;  ///< A directory of plugins.
  bool force = false;        ///< Replaces one of the same name.
};

/// Verifies it, and puts the plugin where jobs find it, in one step: a job sees the old one or the new one. Its files
/// belong to the owner of the directory, who alone may write them. refused: it is there already.
[[nodiscard]] Result<PluginPackage> install_plugin(const InstallOptions& options);

/// Removes an installed plugin, and says where it was. unavailable: there is none of the name in the directory.
[[nodiscard]] Result<std::filesystem::path> remove_plugin(const std::string& name, const std::filesystem::path& from);

}  // namespace outpost::daemon
