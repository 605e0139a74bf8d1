#pragma once

#include "samples/control-server/call.hpp"

/// One function per endpoint, each told as the original's: same checks in the same order, same texts. The numbers of
/// sections are those of the protocol's description in README.md.
namespace outpost::sample::handlers {

using Response = http::ServerResponse;

// jobs.cpp, job_creation.cpp
Response create_job(Call&);
Response schedule_job(Call&);
Response update_job_components(Call&);
Response upgrade_job(Call&);
Response list_jobs(Call&);
Response get_job(Call&);
Response put_job(Call&);
Response delete_job(Call&);
Response list_job_components(Call&);
Response add_job_component(Call&);
Response remove_job_component(Call&);
Response list_job_jobstates(Call&);
Response list_job_files(Call&);
Response list_job_results(Call&);
Response add_job_kv(Call&);
Response delete_job_kv(Call&);
Response broken_post_of_job_files(Call&);

// jobstates.cpp
Response create_jobstate(Call&);
Response get_jobstate(Call&);
Response delete_jobstate(Call&);
Response list_jobs_events(Call&);
Response delete_jobs_events(Call&);

// files.cpp
Response create_file(Call&);
Response get_file(Call&);
Response get_file_content(Call&);
Response redirect_to_file(Call&);
Response get_file_junit(Call&);
Response delete_file(Call&);

// components.cpp, component_files.cpp
Response create_component(Call&);
Response get_component(Call&);
Response put_component(Call&);
Response delete_component(Call&);
Response list_components(Call&);
Response list_topic_components(Call&);
Response create_component_file(Call&);
Response list_component_files(Call&);
Response get_component_file(Call&);
Response get_component_file_content(Call&);
Response delete_component_file(Call&);
Response redirect_to_component_file(Call&);
Response redirect_through_rhdl(Call&);

// topics.cpp
Response create_topic(Call&);
Response list_topics(Call&);
Response get_topic(Call&);
Response put_topic(Call&);
Response delete_topic(Call&);

// pipelines.cpp
Response create_pipeline(Call&);
Response list_pipelines(Call&);
Response get_pipeline(Call&);
Response list_pipeline_jobs(Call&);
Response put_pipeline(Call&);
Response delete_pipeline(Call&);

// clients.cpp: remotecis and feeders
Response create_remoteci(Call&);
Response list_remotecis(Call&);
Response get_remoteci(Call&);
Response put_remoteci(Call&);
Response delete_remoteci(Call&);
Response get_remoteci_data(Call&);
Response reset_remoteci_secret(Call&);
Response add_remoteci_user(Call&);
Response list_remoteci_users(Call&);
Response remove_remoteci_user(Call&);
Response create_feeder(Call&);
Response list_feeders(Call&);
Response get_feeder(Call&);
Response put_feeder(Call&);
Response delete_feeder(Call&);
Response reset_feeder_secret(Call&);

// teams.cpp, users.cpp
Response create_team(Call&);
Response list_teams(Call&);
Response get_team(Call&);
Response put_team(Call&);
Response delete_team(Call&);
Response list_team_remotecis(Call&);
Response list_team_products(Call&);
Response list_team_users(Call&);
Response add_team_user(Call&);
Response remove_team_user(Call&);
Response share_components(Call&);
Response unshare_components(Call&);
Response list_sharing(Call&);
Response create_product(Call&);
Response list_products(Call&);
Response get_product(Call&);
Response put_product(Call&);
Response delete_product(Call&);
Response attach_team(Call&);
Response detach_team(Call&);
Response list_product_teams(Call&);
Response get_identity(Call&);
Response put_identity(Call&);
Response create_user(Call&);
Response list_users(Call&);
Response get_user(Call&);
Response get_me(Call&);
Response put_user(Call&);
Response delete_user(Call&);
Response list_user_teams(Call&);
Response list_user_remotecis(Call&);

// housekeeping.cpp
Response list_archived(Call&);
Response purge_archived(Call&);
Response get_jobs_events_sequence(Call&);
Response put_jobs_events_sequence(Call&);
Response subscribe_to_topic(Call&);
Response unsubscribe_from_topic(Call&);
Response list_topic_subscribers(Call&);
Response list_subscribed_topics(Call&);

// Shared by several files.
/// The columns of a job with what the original embeds in lists: components, remoteci (api_secret included), topic...
[[nodiscard]] json::object embedded_job(Records& records, json::object job);
/// Seconds since the job's creation.
[[nodiscard]] std::int64_t duration_of(const Records& records, const json::object& job);
/// The newest component of each type of a topic, or the ids that a caller chose, checked.
[[nodiscard]] std::vector<std::string> schedule_components(Call& call, const json::object& topic,
                                                           const json::array& chosen);
/// Where the object store has the bytes of a file, and of a component's file.
[[nodiscard]] std::string file_key(const json::object& file);
[[nodiscard]] std::string component_file_key(const json::object& component, const std::string& file);
void record_job_event(Records& records, const json::object& job, std::string_view status);

}  // namespace outpost::sample::handlers
