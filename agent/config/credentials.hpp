#pragma once

#include "agent/base/result.hpp"
#include "agent/config/load.hpp"
#include "agent/config/secret.hpp"
#include "agent/config/settings.hpp"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace outpost::config {

/// Who the lab is at a control server.
struct Credentials {
  std::string client_id;  ///< "remoteci/<uuid>" or "feeder/<uuid>"; at a DLRN builder a user's name...
  Secret api_secret;      ///< ... and password.
  std::string url;  ///< Of the control server, without a trailing slash; empty when not said.
};

/// Where systemd put the credentials of the unit ($CREDENTIALS_DIRECTORY); empty without.
[[nodiscard]] std::filesystem::path credentials_directory(const Environment& environment);

/// Reads a secret, without the line break at its end. A file that every user can read is refused (the message names
/// the chmod), so is one that is empty or larger than 64 KiB. Blocks.
[[nodiscard]] Result<Secret> read_secret(const SecretSource& source,
                                         const std::filesystem::path& directory_of_credentials);

/// A secret of lines "Name: value" as the fields of a request's head. malformed: a line is none; it is not repeated.
[[nodiscard]] Result<std::vector<std::pair<std::string, Secret>>> read_headers(
    const SecretSource& source, const std::filesystem::path& directory_of_credentials);

/// The identity that a source is configured with: its `credentials`, or `client_id` and `api_secret_file`. Without
/// either: empty. `Source::url` is laid over the URL of the file. Blocks.
[[nodiscard]] Result<Credentials> read_credentials(const Source& source,
                                                   const std::filesystem::path& directory_of_credentials);

/// Reads the content of a credentials file: DCI_CLIENT_ID, DCI_API_SECRET and DCI_CS_URL (or client_id, api_secret and
/// url) as assignments of a shell (dcirc.sh) or as YAML (dci_credentials.yml); which one, the content says. In the same
/// two forms DLRNAPI_USERNAME and DLRNAPI_PASSWORD (or username and password). `name` is what messages call it. Messages
/// never contain a value.
[[nodiscard]] Result<Credentials> parse_credentials(std::string_view content, const std::string& name);

/// The variables that a file of shell assignments sets, read without running anything: `A=b`, `export A=b`,
/// `export A`, several in a line, quotes, comments. Whatever a shell would evaluate ($, `, a command) is an error that
/// names its line.
[[nodiscard]] Result<std::map<std::string, std::string>> parse_shell_assignments(std::string_view content,
                                                                                 const std::string& name);

/// The credentials of one source, and whether their file has been replaced or written to. Everything here blocks.
class CredentialsFile {
 public:
  CredentialsFile(Source source, std::filesystem::path directory_of_credentials)
      : source_{std::move(source)}, directory_{std::move(directory_of_credentials)} {}

  [[nodiscard]] Result<Credentials> read();
  /// Nothing when the file is the one that was read last; a change that cannot be read is told once.
  [[nodiscard]] Result<std::optional<Credentials>> read_if_changed();

 private:
  [[nodiscard]] std::string stamp() const;

  Source source_;
  std::filesystem::path directory_;
  std::string read_;  ///< What told the file apart when it was read: device, inode, size, time.
};

}  // namespace outpost::config
