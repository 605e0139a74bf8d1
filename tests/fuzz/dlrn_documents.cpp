// A file of a package builder's web tree, read as each of them: commit.yaml, delorean.repo, delorean.repo.md5.
#include "promise.hpp"

#include "plugins/dlrn/documents.hpp"

#include <algorithm>

namespace {

using namespace outpost;

void promise_address(std::string_view url) {
  fuzz::promise(std::none_of(url.begin(), url.end(), [](unsigned char c) { return c <= ' ' || c >= 0x7f; }), "an address has no blanks and control bytes");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text{fuzz::text_of(data, size)};
  if (const auto commits = dlrn::parse_commit_yaml(text, "commit.yaml"); !commits) {
    fuzz::promise_message(commits.error().message);
  } else {
    fuzz::promise(!commits->empty(), "there is a commit");
    for (const auto& commit : *commits) {
      fuzz::promise(dlrn::is_commit_hash(commit.build.commit) && dlrn::is_commit_hash(commit.build.distro), "hashes are hashes");
      fuzz::promise(commit.built_at.time_since_epoch().count() >= 0, "a time is one");
      const std::string url = dlrn::url_of("http://t", commit.component, commit.build);
      promise_address(url);
      const std::string shards = '/' + commit.build.commit.substr(0, 2) + '/' + commit.build.commit.substr(2, 2) + '/' + commit.build.commit;
      fuzz::promise(url.find(shards) != std::string::npos && url.find('/', url.rfind(shards) + shards.size()) == std::string::npos, "a build's directory is below its shards");
    }
  }
  if (const auto repositories = dlrn::parse_repo_file(text, "delorean.repo"); !repositories) {
    fuzz::promise_message(repositories.error().message);
  } else {
    for (const auto& one : *repositories) fuzz::promise(!one.baseurl.empty(), "a repository has an address");
  }
  if (const auto hash = dlrn::parse_md5(text, "delorean.repo.md5"); !hash) fuzz::promise_message(hash.error().message);
  else fuzz::promise(dlrn::is_aggregate_hash(*hash), "a hash is one");
  return 0;
}
