#pragma once

#include "samples/control-server/replay/mapping.hpp"
#include "samples/control-server/replay/recording.hpp"
#include "samples/control-server/replay/wire.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace outpost::replay {

/// Compares answers with recorded ones, in the order of time, and learns what the live server calls things.
///
/// Same status, same keys, same types, same values except ids, etags, secrets, times (which must change and stay as
/// in the recording) and durations. Where files of the recording are missing (a jump in the numbers), an object whose
/// etag changed meanwhile was changed by requests that nobody can replay: its values are compared by type only.
class Comparison {
 public:
  explicit Comparison(Mapping& mapping) : mapping_{mapping} {}

  struct Verdict {
    std::vector<std::string> differences, notes;
  };
  /// `gaps`: how many jumps the numbering has had before this pair.
  Verdict compare(const Pair& pair, const WireAnswer& answer, int gaps);

 private:
  struct Seen {
    std::string etag;
    int gaps = 0;
  };

  void headers(const Pair& pair, const WireAnswer& answer);
  void value(const std::string& path, const boost::json::value& recorded, const boost::json::value& live, bool excused);
  void object(const std::string& path, const boost::json::object& recorded, const boost::json::object& live,
              bool excused);
  void array(const std::string& path, const boost::json::array& recorded, const boost::json::array& live, bool excused);
  void text(const std::string& path, const std::string& recorded, const std::string& live, bool excused);
  void token(const std::string& path, const std::string& recorded, const std::string& live, bool excused);
  void url(const std::string& recorded, const std::string& live);
  /// Notes an object's etag; whether it changed unseen.
  bool changed_unseen(const boost::json::object& recorded);
  void differ(const std::string& path, const std::string& recorded, const std::string& live, bool excused);

  Mapping& mapping_;
  Verdict verdict_;
  const Pair* pair_ = nullptr;
  int gaps_ = 0;
  int excused_values_ = 0;
  std::map<std::string, Seen> seen_;  ///< By recorded id.
  std::set<std::string> excused_;     ///< Recorded ids.
  std::map<std::string, std::string> recorded_of_live_etag_;
};

}  // namespace outpost::replay
