#include "agent/pipeline/job_directory.hpp"

#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <sys/stat.h>
#include <fstream>
#include <vector>

namespace outpost::test {
namespace {

namespace fs = std::filesystem;
using pipeline::JobDirectory;

std::vector<fs::path> directories_of(const JobDirectory& job) {
  return {job.root, job.workspace(), job.components(), job.shared(), job.root / "state", job.logs(), job.root / "steps"};
}

mode_t mode_of(const fs::path& path) {
  struct stat status{};
  return ::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) ? status.st_mode & 07777 : 0;
}

ino_t inode_of(const fs::path& path) {
  struct stat status{};
  return ::lstat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

struct Jobs : TemporaryDirectory {
  Jobs() { fs::create_directory(path / "jobs"); }

  fs::path ready = path / "next-job";
  JobDirectory first{path / "jobs/1"}, second{path / "jobs/2"};
};

}  // namespace

TEST_CASE("a job takes the directories that were made ready, and the next one makes its own") {
  const Jobs jobs;
  REQUIRE(JobDirectory::make_ready(jobs.ready));
  const auto made = inode_of(jobs.ready);
  REQUIRE(JobDirectory::make_ready(jobs.ready));
  CHECK(inode_of(jobs.ready) == made);

  REQUIRE(jobs.first.create(jobs.ready));
  CHECK(inode_of(jobs.first.root) == made);
  CHECK_FALSE(fs::exists(jobs.ready));
  REQUIRE(jobs.second.create(jobs.ready));
  for (const auto& job : {jobs.first, jobs.second})
    for (const auto& directory : directories_of(job)) CHECK(mode_of(directory) == 0750);
}

TEST_CASE("a job that has directories keeps them") {
  const Jobs jobs;
  REQUIRE(jobs.first.create());
  std::ofstream{jobs.first.logs() / "install.acme.log"} << "output";
  fs::remove(jobs.first.shared());
  REQUIRE(JobDirectory::make_ready(jobs.ready));
  REQUIRE(jobs.first.create(jobs.ready));
  CHECK(fs::file_size(jobs.first.logs() / "install.acme.log") == 6);
  CHECK(mode_of(jobs.first.shared()) == 0750);
  CHECK(fs::exists(jobs.ready));
}

TEST_CASE("directories that an agent had begun to make ready when it died are made complete") {
  const Jobs jobs;
  fs::create_directories(jobs.ready.native() + ".new/steps");
  REQUIRE(JobDirectory::make_ready(jobs.ready));
  REQUIRE(jobs.first.create(jobs.ready));
  for (const auto& directory : directories_of(jobs.first)) CHECK(mode_of(directory) == 0750);
}

TEST_CASE("where nothing can be made ready that is said, and nothing is taken") {
  const Jobs jobs;
  std::ofstream{jobs.ready.native() + ".new"} << "in the way";
  const auto made = JobDirectory::make_ready(jobs.ready);
  REQUIRE_FALSE(made);
  CHECK(made.error().message.find("next-job.new") != std::string::npos);
  REQUIRE(jobs.first.create(jobs.ready));
  for (const auto& directory : directories_of(jobs.first)) CHECK(mode_of(directory) == 0750);
}

}  // namespace outpost::test
