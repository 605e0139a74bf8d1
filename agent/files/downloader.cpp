#include "agent/files/downloader.hpp"

#include "agent/files/transfer.hpp"

#include <utility>

namespace outpost::files {

boost::asio::awaitable<Result<Downloaded>> Downloader::download(DownloadRequest request) {
  Transfer transfer{client_, workers_, options_, std::move(request)};
  co_return co_await transfer.run();
}

}  // namespace outpost::files
