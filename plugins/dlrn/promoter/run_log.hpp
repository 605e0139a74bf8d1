#pragma once

#include "agent/base/clock.hpp"
#include "agent/base/result.hpp"
#include "plugins/dlrn/promoter/record.hpp"
#include "plugins/dlrn/promoter/report.hpp"

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>

namespace outpost::promoter {

/// The log of one run as a file, in the form and with the words of the old promoter, for whoever looks for these:
/// "criteria met, attempting promotion to", "SUCCESSFUL promotion to", "Summary: Promoted N hashes this round",
/// "Promoter terminated normally". It is written as things happen, so one that ends otherwise lacks the last.
class RunLog {
 public:
  /// Makes DIRECTORY/RELEASE_20261127T033012Z.log, the directory too. The clock outlives it. Blocks.
  static Result<RunLog> make(const std::filesystem::path& directory, const std::string& release, const Clock& clock);

  void say(std::string_view line) { write("INFO", line); }
  void warn(std::string_view line) { write("WARNING", line); }
  /// Takes in what is in the journal by now.
  void note(const job::Event& event);
  void end(const RunReport& report);
  void end(const Error& error) { write("ERROR", error.message); }

  [[nodiscard]] const std::filesystem::path& file() const { return file_; }

 private:
  RunLog(std::filesystem::path file, std::ofstream out, const Clock& clock)
      : file_{std::move(file)}, out_{std::move(out)}, clock_{&clock} {}
  void write(std::string_view level, std::string_view line);
  void tell_end(const Record& record);

  std::filesystem::path file_;
  std::ofstream out_;
  const Clock* clock_;
  std::map<std::string, Record> records_;  ///< Of promotions that have begun in this run, by id.
};

}  // namespace outpost::promoter
