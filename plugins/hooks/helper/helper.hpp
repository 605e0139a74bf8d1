#pragma once

#include "plugins/hooks/helper/arguments.hpp"
#include "plugins/hooks/helper/channel.hpp"

#include <boost/json/object.hpp>

#include <string>
#include <vector>

namespace outpost::hook {

/// The verbs, each from its arguments to an exit status. What goes wrong is said on stderr.
class Helper {
 public:
  /// Takes socket and workspace from the environment.
  Helper();

  int run(const Arguments& arguments);

 private:
  // What the agent is told (said.cpp)
  int result(const Arguments& arguments);
  int hand_over(const Arguments& arguments);
  int junit(const Arguments& arguments);
  int summary(const Arguments& arguments);
  int group(const Arguments& arguments);
  int annotate(const Arguments& arguments);
  int progress(const Arguments& arguments);
  int metric(const Arguments& arguments);
  int timeout(const Arguments& arguments);
  int retry(const Arguments& arguments);
  int resource(const Arguments& arguments);
  int abort(const Arguments& arguments);
  int cancelled();
  int redact(const Arguments& arguments);

  // What needs no agent (kept.cpp)
  int var(const Arguments& arguments);
  int env(const Arguments& arguments);
  static int secret(const Arguments& arguments);
  static int component(const Arguments& arguments);

  /// Tells the agent, or where there is none, the file of events. Prints the value of the answer, when there is one and
  /// `show` says so.
  int tell(std::string_view verb, boost::json::object arguments, bool show = false);
  int hand_over_file(std::string_view verb, const std::string& path, boost::json::object arguments, boost::json::value* value = nullptr);
  int hand_over_as_one(const std::vector<std::string>& files, const std::string& name);
  int hide(const std::string& text);

  Channel channel_;
};

/// outpost-hook exec: runs the words as a command.
int run_repeatedly(const Arguments& arguments);

/// The value of a variable; empty when it is not set.
[[nodiscard]] std::string variable(const char* name);
/// "outpost-hook: ..." on stderr; returns the status.
int complain(int status, const std::string& message);

}  // namespace outpost::hook
