#pragma once

#include "agent/base/private_directory.hpp"
#include "agent/config/secret.hpp"
#include "plugins/dlrn/promoter/registries.hpp"
#include "plugins/dlrn/promoter/tool.hpp"

#include <map>
#include <string>

namespace outpost::promoter {

/// Registries by way of skopeo, which knows their dialects, tokens and manifests, needs no daemon and no disk.
/// Passwords go to it in a file of ours alone, never on its command line.
class Skopeo final : public Registries {
 public:
  /// By the host of the registry: the user comes from the Registry.
  using Passwords = std::map<std::string, config::Secret>;

  /// unavailable: skopeo is not installed.
  static Result<Skopeo> make(process::CommandRunner& commands, const Containers& containers,
                             const Passwords& passwords);

  boost::asio::awaitable<Result<std::optional<std::string>>> digest(ImageAt image) override;
  boost::asio::awaitable<Result<void>> copy(ImageAt from, ImageAt to) override;
  boost::asio::awaitable<Result<std::string>> manifest(ImageAt image) override;
  boost::asio::awaitable<Result<void>> put_list(std::string list, ImageAt to) override;

 private:
  Skopeo(process::CommandRunner& commands, std::filesystem::path program, PrivateDirectory directory)
      : commands_{commands}, program_{std::move(program)}, directory_{std::move(directory)} {}
  /// Nothing when there is no such image.
  boost::asio::awaitable<Result<std::optional<std::string>>> look(ImageAt image);
  boost::asio::awaitable<Result<Said>> run(std::vector<std::string> arguments, std::chrono::milliseconds deadline);

  process::CommandRunner& commands_;
  std::filesystem::path program_;
  PrivateDirectory directory_;
  std::string auth_file_;  ///< Empty: what the user of this process has logged in to.
};

/// The manifest in what `skopeo inspect --raw` said, without the warnings before it.
[[nodiscard]] std::string_view manifest_in(std::string_view output);

}  // namespace outpost::promoter
