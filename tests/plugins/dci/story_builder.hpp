#pragma once

#include "agent/job/event_types.hpp"
#include "agent/job/story.hpp"
#include "plugins/dci/expand.hpp"

#include <string>
#include <vector>

namespace outpost::dci::test {

/// Tells a job's story event by event, and keeps the items that each gave rise to.
struct StoryBuilder {
  std::string job_id = "job-1";
  std::string remote = "00000000-0000-4000-8000-00000000abcd";
  job::Story story;
  std::vector<journal::Item> items;
  job::Seq seq = 0;

  std::vector<journal::Item> tell(std::string_view type, boost::json::object data = {}, const std::string& step = "",
                                  std::vector<job::Blob> blobs = {}) {
    job::Event event;
    event.type = type;
    event.seq = ++seq;
    event.job_id = job_id;
    event.step_id = step;
    event.data = std::move(data);
    event.blobs = std::move(blobs);
    if (event.type == job::event::claim_granted) event.claim = job::Claim{"lab", remote, ""};
    auto made = expand(event, story, "lab");
    story.apply(event);
    items.insert(items.end(), made.begin(), made.end());
    return made;
  }

  void queued(boost::json::object options = {}) {
    job::Definition definition;
    definition.name = "nightly";
    definition.options = std::move(options);
    tell(job::event::job_queued, {{"definition", to_json(definition)}});
  }
  void claimed() {
    queued();
    tell(job::event::claim_granted);
  }
  std::vector<journal::Item> started(const std::string& stage) {
    return tell(job::event::stage_started, {{"stage", stage}});
  }
  std::vector<journal::Item> ended(const std::string& stage, const std::string& outcome = "ok", int ms = 1500) {
    return tell(job::event::stage_ended, {{"stage", stage}, {"outcome", outcome}, {"duration_ms", ms}});
  }
  void step(const std::string& id, const std::string& stage, const std::string& hook) {
    tell(job::event::step_started, {{"stage", stage}, {"plugin", "acme"}, {"hook", hook}}, id);
  }
  std::vector<journal::Item> cut(const std::string& step_id, const std::string& stage, std::uint64_t offset,
                                 std::uint64_t size) {
    job::Blob blob;
    blob.path = "logs/" + step_id + ".log";
    blob.size = size;
    blob.range = job::Blob::Range{offset};
    return tell(job::event::log_cut, {{"stage", stage}, {"plugin", "acme"}, {"hook", "x"}, {"last", false}}, step_id,
                {blob});
  }
  void verdict(const std::string& verdict, const std::string& message = "") {
    tell(job::event::verdict_reached, {{"verdict", verdict}, {"reason", "r"}, {"message", message}});
  }
};

/// The keys of items, without the job's id.
inline std::vector<std::string> keys(const std::vector<journal::Item>& items) {
  std::vector<std::string> list;
  for (const auto& item : items) list.push_back(item.key.substr(item.key.find('/') + 1));
  return list;
}

}  // namespace outpost::dci::test
