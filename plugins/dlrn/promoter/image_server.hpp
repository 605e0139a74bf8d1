#pragma once

#include "agent/base/private_directory.hpp"
#include "agent/base/result.hpp"
#include "agent/base/workers.hpp"
#include "plugins/dlrn/promoter/settings.hpp"
#include "plugins/dlrn/promoter/tool.hpp"

#include <boost/asio/awaitable.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace outpost::promoter {

/// A directory with one directory for each hash, and links beside them that are named after labels.
class ImageServer {
 public:
  virtual ~ImageServer() = default;

  /// The names in a hash's directory. refused: there is no such directory.
  virtual boost::asio::awaitable<Result<std::vector<std::string>>> list(std::string hash) = 0;
  /// The hash that a link leads to; nothing when there is no link, or it leads nowhere. refused: it is no link.
  virtual boost::asio::awaitable<Result<std::optional<std::string>>> link(std::string label) = 0;
  /// Makes a link, or turns one over in one go: nobody ever finds none.
  virtual boost::asio::awaitable<Result<void>> set_link(std::string label, std::string hash) = 0;
  virtual boost::asio::awaitable<Result<void>> remove_link(std::string label) = 0;
  /// Gives a directory its name, in one go. It fails when there is something of that name.
  virtual boost::asio::awaitable<Result<void>> name_directory(std::string from, std::string hash) = 0;
  /// "uploader@images.example.org:/var/www/html/images/centos9/master/rdo_trunk"
  [[nodiscard]] virtual std::string text() const = 0;
};

/// A directory of this machine.
class LocalImageServer final : public ImageServer {
 public:
  LocalImageServer(std::filesystem::path directory, Workers& workers)
      : directory_{std::move(directory)}, workers_{workers} {}

  boost::asio::awaitable<Result<std::vector<std::string>>> list(std::string hash) override;
  boost::asio::awaitable<Result<std::optional<std::string>>> link(std::string label) override;
  boost::asio::awaitable<Result<void>> set_link(std::string label, std::string hash) override;
  boost::asio::awaitable<Result<void>> remove_link(std::string label) override;
  boost::asio::awaitable<Result<void>> name_directory(std::string from, std::string hash) override;
  [[nodiscard]] std::string text() const override { return directory_.string(); }

 private:
  std::filesystem::path directory_;
  Workers& workers_;
};

/// One on another machine, by OpenSSH's sftp. The host's key has to be known; a server that gives out nothing but SFTP
/// is enough.
class SftpImageServer final : public ImageServer {
 public:
  /// unavailable: sftp is not installed.
  static Result<std::unique_ptr<SftpImageServer>> make(process::CommandRunner& commands, ImageHost host);

  boost::asio::awaitable<Result<std::vector<std::string>>> list(std::string hash) override;
  boost::asio::awaitable<Result<std::optional<std::string>>> link(std::string label) override;
  boost::asio::awaitable<Result<void>> set_link(std::string label, std::string hash) override;
  boost::asio::awaitable<Result<void>> remove_link(std::string label) override;
  boost::asio::awaitable<Result<void>> name_directory(std::string from, std::string hash) override;
  [[nodiscard]] std::string text() const override;

 private:
  SftpImageServer(process::CommandRunner& commands, std::filesystem::path program, PrivateDirectory directory,
                  ImageHost host)
      : commands_{commands}, program_{std::move(program)}, directory_{std::move(directory)}, host_{std::move(host)} {}
  /// Runs commands of sftp, each a line; it ends at the first that fails.
  boost::asio::awaitable<Result<Said>> batch(std::string commands);
  [[nodiscard]] std::string path(const std::string& name) const;

  process::CommandRunner& commands_;
  std::filesystem::path program_;
  PrivateDirectory directory_;
  ImageHost host_;
};

}  // namespace outpost::promoter
