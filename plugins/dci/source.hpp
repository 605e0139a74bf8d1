#pragma once

#include "agent/pipeline/source.hpp"
#include "plugins/dci/api.hpp"
#include "plugins/dci/component_files.hpp"
#include "plugins/dci/selection.hpp"

#include <map>
#include <string>
#include <vector>

namespace outpost::dci {

struct SourceSettings {
  std::string name;                    ///< The instance: Claim::source.
  std::string ui_url;                  ///< Where people look at jobs; empty: known for distributed-ci.io only.
  bool allow_local_redirects = false;  ///< Also when the control server itself is at a loopback address.
  FetchLimits limits;
  std::filesystem::path unpacker;  ///< The program outpost-unpack.
  files::DownloadOptions download;
};

/// Offers the components of a DCI control server's topics and creates jobs for them.
class DciSource final : public pipeline::Source {
 public:
  /// Client, workers, clock and cache (which may be nullptr) outlive it.
  DciSource(Api api, http::Client& client, Workers& workers, const Clock& clock, files::Cache* cache,
            SourceSettings settings);
  DciSource(const DciSource&) = delete;  // Its parts refer to each other.
  DciSource& operator=(const DciSource&) = delete;

  [[nodiscard]] std::string_view name() const override { return settings_.name; }
  Result<void> check(const job::Definition& definition) const override;
  boost::asio::awaitable<Result<std::vector<pipeline::Candidates>>> poll(const job::Definition& definition,
                                                                         std::size_t depth) override;
  boost::asio::awaitable<Result<pipeline::Claimed>> claim(const pipeline::ClaimRequest& request) override;
  boost::asio::awaitable<Result<std::optional<pipeline::Claimed>>> find(const pipeline::ClaimRequest& request) override;
  boost::asio::awaitable<bool> is_worth_asking() override;
  boost::asio::awaitable<Result<pipeline::Watched>> watch(const job::Claim& claim) override;
  boost::asio::awaitable<Result<void>> fetch(const pipeline::FetchRequest& request, pipeline::Report report) override;

 private:
  struct Topic {
    std::string id;
    std::vector<std::string> types;
    Timestamp read_at{};
  };

  boost::asio::awaitable<Result<Topic>> topic(std::string name);
  boost::asio::awaitable<Result<Topic>> read_topic(std::string name);
  boost::asio::awaitable<Result<std::vector<job::Component>>> matching(Topic topic, Selection selection,
                                                                       std::size_t depth);
  boost::asio::awaitable<Result<std::string>> previous_job(const job::Definition& definition, std::string topic_id);
  boost::asio::awaitable<Result<std::string>> marked_job(std::string claim_id);
  boost::asio::awaitable<Result<pipeline::Claimed>> complete(std::string id, const pipeline::ClaimRequest& request);
  boost::asio::awaitable<void> give_up(std::string id, std::string reason);
  boost::asio::awaitable<Reply> get_job(std::string id);
  [[nodiscard]] std::string page_of(const std::string& id) const;

  Api api_;
  const Clock& clock_;
  SourceSettings settings_;
  ComponentFiles files_;
  std::map<std::string, Topic> topics_;
};

/// The tag by which a job is found again after an uncertain answer.
[[nodiscard]] std::string claim_tag(const std::string& claim_id);

}  // namespace outpost::dci
