#include "agent/daemon/spool_bench.hpp"

#include "agent/daemon/composition.hpp"

#include <sys/stat.h>
#include <unistd.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

namespace outpost::daemon {

namespace asio = boost::asio;
namespace fs = std::filesystem;

Result<void> SpoolBench::set_up(const std::string& reporter) {
  const fs::path path = settings_.state_directory / "journal.db";
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0)
    return Error{Fault::unavailable, "outpostd does not run, and its journal " + path.string() +
                                         " cannot be found: is this its configuration, and are you its user?"};
  // What we wrote there as root the daemon could not use any more.
  if (status.st_uid != ::geteuid())
    return Error{Fault::unavailable, "outpostd does not run, and its journal " + path.string() + " is of uid " +
                                         std::to_string(status.st_uid) + ": start outpostd, or run this as that user"};
  auto journal = journal::SqliteJournal::open(path, identity_of_this_host(), clock_, executor_);
  if (!journal) return journal.error();
  journal_ = std::move(*journal);
  if (!journal_->quarantined().empty()) return Error{Fault::malformed, journal_->quarantined()};
  for (const auto& [name, source] : settings_.sources) {
    // All when it is unknown, so that the message can list them.
    if (settings_.sources.contains(reporter) && name != reporter) continue;
    if (auto made = add(source); !made) return std::move(made.error()).in("sources." + name);
  }
  return {};
}

Result<void> SpoolBench::add(const config::Source& source) {
  auto access = access_to(source);
  if (!access) return access.error();
  auto& one = ones_.emplace_back(One{source.name, std::move(*access), nullptr, nullptr});
  auto nowhere = [](const std::string&) { return fs::path{}; };
  auto reporter = make_reporter(one.access, source, std::move(nowhere), workers_, clock_);
  if (!reporter) return reporter.error();
  one.reporter = std::move(*reporter);
  const delivery::Options sends_nothing{.parallel = 0};
  one.dispatcher = std::make_unique<delivery::Dispatcher>(source.name, *journal_, *journal_, *one.reporter, clock_,
                                                          executor_, delivery::system_timing(executor_), sends_nothing,
                                                          [](const delivery::Alarm&) {});
  return {};
}

std::vector<SpoolOwner> SpoolBench::start() {
  std::vector<SpoolOwner> owners;
  for (auto& one : ones_) {
    asio::co_spawn(executor_, one.dispatcher->run(), asio::detached);
    owners.push_back({one.name, std::string{one.reporter->type()}, one.access.url, one.access.spool_key,
                      one.dispatcher.get()});
  }
  return owners;
}

}  // namespace outpost::daemon
