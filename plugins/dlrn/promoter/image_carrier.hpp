#pragma once

#include "agent/base/result.hpp"
#include "agent/base/workers.hpp"
#include "plugins/dlrn/promoter/settings.hpp"
#include "plugins/dlrn/promoter/tool.hpp"

#include <boost/asio/awaitable.hpp>

#include <filesystem>
#include <memory>
#include <string>

namespace outpost::promoter {

/// Copies directories of hashes from where images were built to an image server.
class ImageCarrier {
 public:
  virtual ~ImageCarrier() = default;

  /// Makes a directory `as` beside those of the hashes hold what the source has of a hash, whatever it held before, and
  /// compares every byte. What an interrupted call has brought is used. refused: the source has no such directory.
  virtual boost::asio::awaitable<Result<void>> carry(std::string hash, std::string as) = 0;
};

/// By rsync, over ssh where it is another machine. Between two other machines the directory takes a rest here, because
/// neither need know the other.
class Rsync final : public ImageCarrier {
 public:
  /// `rest` is a directory of ours alone, which is made when it is needed. unavailable: rsync or ssh is not installed.
  static Result<std::unique_ptr<Rsync>> make(process::CommandRunner& commands, Workers& workers, ImageHost from,
                                             ImageHost to, std::filesystem::path rest);

  boost::asio::awaitable<Result<void>> carry(std::string hash, std::string as) override;

 private:
  Rsync(process::CommandRunner& commands, Workers& workers, std::filesystem::path program, ImageHost from,
        ImageHost to, std::filesystem::path rest)
      : commands_{commands},
        workers_{workers},
        program_{std::move(program)},
        from_{std::move(from)},
        to_{std::move(to)},
        rest_{std::move(rest)} {}
  boost::asio::awaitable<Result<void>> by_way_of_here(std::string hash, std::string as);
  /// From one directory to another, of which at most one is another machine's.
  boost::asio::awaitable<Result<void>> copy(ImageHost from, std::string name, ImageHost to, std::string as);
  boost::asio::awaitable<Result<Said>> run(std::vector<std::string> arguments, std::string who);

  process::CommandRunner& commands_;
  Workers& workers_;
  std::filesystem::path program_;
  ImageHost from_, to_;
  std::filesystem::path rest_;
};

}  // namespace outpost::promoter
