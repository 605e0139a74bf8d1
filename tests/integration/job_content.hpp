#pragma once

#include "integration/sample_lab.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace outpost::test {

/// What the server has of a job, and what of it should not be so, whatever went wrong on the way.
struct JobContent {
  std::string id;
  std::vector<std::string> states, tags;  ///< Our claim id is always "outpost:*".
  std::string verdict_comment;
  std::map<std::string, std::string> logs;   ///< Of each step, put together.
  std::map<std::string, std::string> files;  ///< All others.
  std::map<std::string, std::int64_t> results;
  std::set<std::string> keys;

  std::vector<std::string> doubled;  ///< What is there twice.
  std::vector<std::string> wrong;    ///< Holes in logs, states out of order, no verdict at the end, or two.
};

/// Reads all of it.
JobContent content_of(SampleLab& lab, const std::string& job);

}  // namespace outpost::test
