#include "agent/pipeline/workspace_watch.hpp"

#include "support/await.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>


using namespace outpost;
using pipeline::WorkspaceSizes;
using pipeline::WorkspaceWatch;
namespace asio = boost::asio;

TEST_CASE("the size of a directory is what its files take, links not followed") {
  test::TemporaryDirectory directory;
  test::write_file(directory.path / "a/b/file", std::string(100'000, 'x'));
  std::filesystem::create_symlink("/usr", directory.path / "usr");
  const auto size = pipeline::size_of_directory(directory.path);
  CHECK(size.complete);
  CHECK(size.bytes >= 100'000);
  CHECK(size.bytes < 200'000);
  CHECK(pipeline::size_of_directory(directory.path / "missing").bytes == 0);
  CHECK(pipeline::size_of_directory(directory.path / "missing").complete);
}

TEST_CASE("the peak of a workspace is kept, although it is small again at the end") {
  test::TemporaryDirectory workspace;
  Workers workers;
  const auto work = [&]() -> asio::awaitable<WorkspaceSizes> {
    const auto loop = co_await asio::this_coro::executor;
    asio::steady_timer seen_enough{loop, asio::steady_timer::time_point::max()};
    auto seen = [&](const WorkspaceSizes& sizes) {
      if (sizes.last.bytes >= 1'000'000) seen_enough.cancel();
    };
    test::write_file(workspace.path / "large", std::string(1'000'000, 'x'));
    WorkspaceWatch watch{loop, workers, workspace.path, std::chrono::milliseconds{1}, seen};
    boost::system::error_code cancelled;
    co_await seen_enough.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
    std::filesystem::remove(workspace.path / "large");
    co_return co_await watch.finish();
  };
  const auto sizes = test::await(work());
  CHECK(sizes.peak.bytes >= 1'000'000);
  CHECK(sizes.last.bytes == 0);
}

TEST_CASE("a watch that is given up looks no more") {
  test::TemporaryDirectory workspace;
  Workers workers;
  asio::io_context loop;
  int seen = 0;
  { WorkspaceWatch watch{loop.get_executor(), workers, workspace.path, std::chrono::milliseconds{1}, [&](const WorkspaceSizes&) { ++seen; }}; }
  loop.run();
  CHECK(seen == 0);
}
