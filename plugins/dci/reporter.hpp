#pragma once

#include "agent/pipeline/reporter.hpp"
#include "plugins/dci/api.hpp"
#include "plugins/dci/uploads.hpp"

#include <optional>
#include <string>

namespace outpost::dci {

struct ReporterSettings {
  std::string source;                         ///< The source instance whose jobs it reports; Claim::source.
  std::optional<std::uint64_t> upload_limit;  ///< Bytes of one file; unset: learned from the server's 413.
  JobDirectoryOf job_directory;
};

/// Tells a DCI control server what happens to the jobs that were claimed there.
class DciReporter final : public pipeline::Reporter {
 public:
  /// The workers outlive it.
  DciReporter(Api api, Workers& workers, ReporterSettings settings);
  DciReporter(const DciReporter&) = delete;  // Its parts refer to each other.
  DciReporter& operator=(const DciReporter&) = delete;

  [[nodiscard]] std::string_view type() const override { return "dci"; }
  [[nodiscard]] std::vector<journal::Item> expand(const job::Event& event, const job::Story& before) const override;
  boost::asio::awaitable<pipeline::Outcome> send(const journal::Item& item, const pipeline::Refs& refs) override;
  boost::asio::awaitable<Result<std::optional<std::string>>> find(const journal::Item& item,
                                                                  const pipeline::Refs& refs) override;

 private:
  boost::asio::awaitable<pipeline::Outcome> send_state(const journal::Item& item);
  boost::asio::awaitable<pipeline::Outcome> send_value(const journal::Item& item);
  boost::asio::awaitable<pipeline::Outcome> send_tag(const journal::Item& item);
  boost::asio::awaitable<Result<std::optional<std::string>>> find_state(const journal::Item& item,
                                                                        const pipeline::Refs& refs);
  /// The job as it is at the server now.
  boost::asio::awaitable<Reply> job_of(const journal::Item& item);

  Api api_;
  std::string source_;
  Uploads uploads_;
};

}  // namespace outpost::dci
