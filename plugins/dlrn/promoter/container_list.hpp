#pragma once

#include "agent/base/result.hpp"
#include "agent/http/client.hpp"
#include "plugins/dlrn/promoter/candidate.hpp"
#include "plugins/dlrn/promoter/settings.hpp"

#include <boost/asio/awaitable.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace outpost::promoter {

/// The commit of a project in a versions.csv, whose columns are found by their names.
[[nodiscard]] Result<std::string> source_commit(std::string_view csv, std::string_view project,
                                                const std::string& name);

/// The images of a list of containers (YAML, or the old one with {{ }} in it), without registry, prefix and tag.
/// `containers` says which sources of images count.
[[nodiscard]] Result<std::vector<std::string>> parse_container_list(std::string_view yaml, const Containers& containers,
                                                                    const std::string& name);

/// The images that a release does not push: `exclude_containers` by release, and in it by distribution or for all.
[[nodiscard]] Result<std::vector<std::string>> parse_excludes(std::string_view yaml, const Release& release,
                                                              const std::string& name);

/// The images of a hash as registries call them, sorted: those that its tripleo-common lists, without what is excluded.
/// Everything that cannot be read is an error, exclusions too: to push what nobody wants is as wrong as to push less.
boost::asio::awaitable<Result<std::vector<std::string>>> list_containers(http::Client& client, const Release& release,
                                                                         Candidate candidate, std::string label);

}  // namespace outpost::promoter
