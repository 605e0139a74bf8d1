#include "plugins/junit/tap_conversion.hpp"

#include "plugins/junit/text_writer.hpp"
#include "plugins/junit/xml_text.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace outpost::junit {
namespace {

constexpr std::size_t piece = 64 * 1024;

/// Writes tests as cases of one suite.
class SuiteWriter {
 public:
  SuiteWriter(int file, std::string suite) : to_{file}, suite_{std::move(suite)} {
    to_.write(R"(<?xml version="1.0" encoding="UTF-8"?>)" "\n<testsuite" + xml_attribute("name", suite_) + ">\n");
  }

  void add(const TapTest& test) {
    std::string text = "<testcase" + xml_attribute("classname", test.group.empty() ? suite_ : test.group) + xml_attribute("name", test.name);
    if (test.time_us > 0) {
      char seconds[32];
      std::snprintf(seconds, sizeof seconds, "%lld.%06lld", static_cast<long long>(test.time_us / 1'000'000), static_cast<long long>(test.time_us % 1'000'000));
      text += xml_attribute("time", seconds);
    }
    to_.write(text + ">" + outcome(test) + "</testcase>\n");
  }

  Result<void> finish(const std::string& name) {
    to_.write("</testsuite>\n");
    return to_.finish("the JUnit of " + name);
  }

 private:
  static std::string outcome(const TapTest& test) {
    const char* element = test.outcome == Outcome::failure ? "failure" : test.outcome == Outcome::error ? "error" : "skipped";
    if (test.outcome == Outcome::success) return test.details.empty() ? "" : "<system-out>" + xml_text(test.details) + "</system-out>";
    return "<" + std::string{element} + xml_attribute("message", test.message) + ">" + xml_text(test.details) + "</" + element + ">";
  }

  TextWriter to_;
  std::string suite_;
};

/// Cuts what is read into lines; of a line that is too long its beginning is kept.
class Lines {
 public:
  explicit Lines(std::size_t longest) : longest_{longest} {}

  void add(std::string_view bytes, TapReader& reader) {
    for (auto end = bytes.find('\n'); end != std::string_view::npos; end = bytes.find('\n')) {
      keep(bytes.substr(0, end));
      reader.read(line_);
      line_.clear();
      bytes.remove_prefix(end + 1);
    }
    keep(bytes);
  }

  void finish(TapReader& reader) {
    if (!line_.empty()) reader.read(line_);
    reader.finish();
  }

 private:
  void keep(std::string_view bytes) {
    if (line_.size() < longest_) line_ += bytes.substr(0, longest_ - line_.size());
  }

  std::size_t longest_;
  std::string line_;
};

}  // namespace

Result<TapConversion> convert_tap(int from, const std::string& name, int to, const std::string& suite, const TapLimits& limits) {
  struct stat status{};
  if (::fstat(from, &status) != 0) return errno_error("cannot read", name, errno);
  SuiteWriter writer{to, suite};
  TapReader reader{[&writer](const TapTest& test) { writer.add(test); }, limits};
  if (static_cast<std::uint64_t>(status.st_size) > limits.bytes)
    reader.stop(std::to_string(status.st_size) + " bytes, above the limit of " + std::to_string(limits.bytes) + " bytes");
  Lines lines{limits.line};
  std::string buffer(piece, '\0');
  while (reader.problem().empty()) {
    const ssize_t got = ::read(from, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error("cannot read", name, errno);
    if (got == 0) break;
    lines.add({buffer.data(), static_cast<std::size_t>(got)}, reader);
  }
  lines.finish(reader);
  if (auto written = writer.finish(name); !written) return written.error();
  return TapConversion{reader.problem(), reader.notes()};
}

}  // namespace outpost::junit
