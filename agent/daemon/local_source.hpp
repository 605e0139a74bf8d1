#pragma once

#include "agent/base/workers.hpp"
#include "agent/config/job_file.hpp"
#include "agent/files/unpacker.hpp"
#include "agent/pipeline/source.hpp"

namespace outpost::daemon {

/// The source of a job without a server: its components lie on this machine.
class LocalSource final : public pipeline::Source {
 public:
  LocalSource(config::JobFile job, Workers& workers, std::filesystem::path unpacker)
      : job_{std::move(job)}, workers_{workers}, unpacker_{std::move(unpacker), workers} {}

  [[nodiscard]] std::string_view name() const override { return "local"; }
  Result<void> check(const job::Definition& definition) const override;
  boost::asio::awaitable<Result<std::vector<pipeline::Candidates>>> poll(const job::Definition& definition, std::size_t depth) override;
  boost::asio::awaitable<Result<pipeline::Claimed>> claim(const pipeline::ClaimRequest& request) override;
  boost::asio::awaitable<Result<std::optional<pipeline::Claimed>>> find(const pipeline::ClaimRequest& request) override;
  boost::asio::awaitable<Result<pipeline::Watched>> watch(const job::Claim& claim) override;
  /// Copies the components, so that hooks may change what they get.
  boost::asio::awaitable<Result<void>> fetch(const pipeline::FetchRequest& request, pipeline::Report report) override;

 private:
  config::JobFile job_;
  Workers& workers_;
  files::Unpacker unpacker_;
};

}  // namespace outpost::daemon
