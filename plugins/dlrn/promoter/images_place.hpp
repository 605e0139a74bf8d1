#pragma once

#include "plugins/dlrn/promoter/image_server.hpp"
#include "plugins/dlrn/promoter/place.hpp"

#include <string>
#include <vector>

namespace outpost::promoter {

/// Images, or Dockerfiles, on a server: the link of the label leads to the hash's directory, and `previous-<label>` to
/// the one before. The directories are there already, whoever built the images has put them there.
class ImagesPlace final : public Place {
 public:
  /// `files` are due in each directory before a label leads there.
  ImagesPlace(std::string name, ImageServer& server, std::vector<std::string> files)
      : name_{std::move(name)}, server_{server}, files_{std::move(files)} {}

  [[nodiscard]] std::string_view name() const override { return name_; }
  boost::asio::awaitable<Result<std::vector<std::string>>> check(Move move) override;
  boost::asio::awaitable<Result<boost::json::object>> look(Move move) override;
  boost::asio::awaitable<Result<void>> move(Move move, boost::json::object before) override;
  boost::asio::awaitable<Result<void>> restore(Move move, boost::json::object before) override;

 private:
  boost::asio::awaitable<Result<void>> lead(std::string label, std::string hash);

  std::string name_;
  ImageServer& server_;
  std::vector<std::string> files_;
};

}  // namespace outpost::promoter
