#pragma once

#include "plugins/dlrn/promoter/image_carrier.hpp"
#include "plugins/dlrn/promoter/image_server.hpp"
#include "plugins/dlrn/promoter/place.hpp"

#include <optional>
#include <string>
#include <vector>

namespace outpost::promoter {

/// Images, or Dockerfiles, on a server: the link of the label leads to the hash's directory, and `previous-<label>` to
/// the one before. Whoever built the images has put the directories there; or they are brought from where they were
/// built, before a link moves. One that was brought stays when the label is put back: it is the hash's, whole and true.
class ImagesPlace final : public Place {
 public:
  /// Where the directories of hashes are that are not on the server yet, and what brings them.
  struct Origin {
    ImageServer& server;
    ImageCarrier& carrier;
  };

  /// `files` are due in each directory before a label leads there.
  ImagesPlace(std::string name, ImageServer& server, std::vector<std::string> files,
              std::optional<Origin> origin = std::nullopt)
      : name_{std::move(name)}, server_{server}, files_{std::move(files)}, origin_{origin} {}

  [[nodiscard]] std::string_view name() const override { return name_; }
  boost::asio::awaitable<Result<std::vector<std::string>>> check(Move move) override;
  boost::asio::awaitable<Result<boost::json::object>> look(Move move) override;
  boost::asio::awaitable<Result<void>> move(Move move, boost::json::object before) override;
  boost::asio::awaitable<Result<void>> restore(Move move, boost::json::object before) override;

 private:
  boost::asio::awaitable<Result<void>> lead(std::string label, std::string hash);
  /// Whether a directory has all files that are due in it. refused: there is no such directory.
  boost::asio::awaitable<Result<void>> look_into(ImageServer& server, std::string hash);
  boost::asio::awaitable<Result<void>> bring(std::string hash);

  std::string name_;
  ImageServer& server_;
  std::vector<std::string> files_;
  std::optional<Origin> origin_;
};

}  // namespace outpost::promoter
