#pragma once

#include "samples/control-server/replay/wire.hpp"
#include "samples/dlrn-server/replay/recording.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace outpost::builder_replay {

/// Compares live answers with recorded ones, and learns from them what differs from server to server: the hashes of
/// aggregates (made of addresses) and the times that the server itself has given.
class Comparison {
 public:
  /// `same_rows`: what GraphQL lists is the recorded state, but for its numbers; otherwise only the form of its rows counts.
  Comparison(const std::vector<Pair>& pairs, bool same_rows);

  /// A recorded text as it has to be sent now.
  [[nodiscard]] std::string translated(std::string text) const;

  /// What differs; nothing when the answer is the recorded one.
  [[nodiscard]] std::vector<std::string> compare(const Pair& pair, const replay::WireAnswer& live);

  /// Of the last pair: why it says nothing, although nothing differs; "" for most.
  [[nodiscard]] const std::string& undecided() const { return undecided_; }

 private:
  void compare(const std::string& where, const boost::json::value& recorded, const boost::json::value& live);
  void compare_member(const std::string& where, std::string_view key, const boost::json::value& recorded,
                      const boost::json::value& live);
  void compare_graphql(const boost::json::value& recorded, const boost::json::value& live);
  /// Keys and types. Of a list one row stands for all; a null may be anything.
  void compare_form(const std::string& where, const boost::json::value& recorded, const boost::json::value& live);
  void differ(const std::string& where, const boost::json::value& recorded, const boost::json::value& live);

  bool same_rows_;
  std::set<std::int64_t> given_times_;  ///< By reporters, and of builds: these do not change.
  std::map<std::string, std::string> aggregates_;
  std::vector<std::string> differences_;
  std::string undecided_;
};

}  // namespace outpost::builder_replay
