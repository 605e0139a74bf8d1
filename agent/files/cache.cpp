#include "agent/files/cache.hpp"

#include "agent/files/object_store.hpp"

#include <utility>

namespace outpost::files {

namespace asio = boost::asio;
namespace fs = std::filesystem;

Cache::Cache(std::shared_ptr<ObjectStore> store, Workers& workers) : store_{std::move(store)}, workers_{&workers} {}

Result<Cache> Cache::open(const fs::path& root, std::uint64_t limit, Workers& workers) {
  auto store = ObjectStore::open(root, limit);
  if (!store) return store.error();
  return Cache{std::move(*store), workers};
}

asio::awaitable<Result<bool>> Cache::take(std::string sha256, fs::path target) {
  auto work = [store = store_, sha256 = std::move(sha256), target = std::move(target)] {
    return store->take(sha256, target);
  };
  co_return co_await workers_->run(std::move(work));
}

asio::awaitable<Result<bool>> Cache::keep(fs::path file, std::string sha256) {
  auto work = [store = store_, file = std::move(file), sha256 = std::move(sha256)] {
    return store->keep(file, sha256);
  };
  co_return co_await workers_->run(std::move(work));
}

std::shared_ptr<void> Cache::hold(const std::string& sha256) { return store_->hold(sha256); }
bool Cache::contains(const std::string& sha256) const { return store_->contains(sha256); }
std::uint64_t Cache::size() const { return store_->size(); }

}  // namespace outpost::files
