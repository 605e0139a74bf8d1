#include "plugins/junit/junit_summary.hpp"

#include "agent/base/descriptor.hpp"
#include "plugins/junit/attachment_finder.hpp"
#include "plugins/junit/case_counter.hpp"
#include "plugins/junit/xml_parser.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

namespace outpost::junit {
namespace {

constexpr int piece = 64 * 1024;

class Reader {
 public:
  Reader(int descriptor, std::string name, const JunitLimits& limits, CaseObserver observer)
      : descriptor_{descriptor}, name_{std::move(name)}, limits_{limits}, counter_{std::move(observer)} {}

  Result<JunitSummary> run();

 private:
  static void on_start(void* self, const XML_Char* name, const XML_Char** attributes);
  static void on_end(void* self, const XML_Char* name);
  static void on_text(void* self, const XML_Char* text, int size);
  static void on_skipped(void* self, const XML_Char* name, int is_parameter_entity);
  Result<bool> feed();
  void set_up();
  void stop(std::string why);
  void explain();
  void check_token();

  int descriptor_;
  std::string name_;
  JunitLimits limits_;
  XmlParser parser_ = make_xml_parser(XmlNames::resolved);
  CaseCounter counter_;
  JunitSummary summary_;
  std::optional<std::string> stopped_;  ///< Why we, not the parser, ended it.
  std::uint64_t fed_ = 0;
  unsigned depth_ = 0;
  unsigned output_depth_ = 0;  ///< Of the element with output that is open; 0: none.
  AttachmentFinder attachments_;
};

void Reader::set_up() {
  XML_Parser parser = parser_.get();
  ::XML_SetUserData(parser, this);
  ::XML_SetElementHandler(parser, &Reader::on_start, &Reader::on_end);
  ::XML_SetSkippedEntityHandler(parser, &Reader::on_skipped);
}

Result<JunitSummary> Reader::run() {
  struct stat status{};
  if (!parser_) return Error{Fault::bug, "no memory for an XML parser"};
  if (::fstat(descriptor_, &status) != 0) return errno_error("cannot read", name_, errno);
  if (static_cast<std::uint64_t>(status.st_size) > limits_.bytes) {
    summary_.well_formed = summary_.is_junit = false;
    summary_.problem =
        std::to_string(status.st_size) + " bytes, above the limit of " + std::to_string(limits_.bytes) + " bytes";
    return summary_;
  }
  set_up();
  for (bool more = true; more;) {
    auto fed = feed();
    if (!fed) return fed.error();
    more = *fed;
  }
  counter_.finish(summary_);
  summary_.attachments = attachments_.found();
  const std::string_view root = summary_.root;
  summary_.is_junit = root == "testsuites" || root == "testsuite" || (root.empty() && summary_.well_formed);
  return std::move(summary_);
}

/// Reads and parses one piece; false when that was the end, one way or the other.
Result<bool> Reader::feed() {
  void* buffer = ::XML_GetBuffer(parser_.get(), piece);
  if (!buffer) {
    explain();
    return false;
  }
  ssize_t got = 0;
  do got = ::read(descriptor_, buffer, piece);
  while (got < 0 && errno == EINTR);
  if (got < 0) return errno_error("cannot read", name_, errno);
  fed_ += static_cast<std::uint64_t>(got);
  if (::XML_ParseBuffer(parser_.get(), static_cast<int>(got), got == 0) != XML_STATUS_OK) {
    explain();
    return false;
  }
  check_token();
  return got > 0 && !stopped_;
}

void Reader::explain() {
  const XML_Error code = ::XML_GetErrorCode(parser_.get());
  // The server takes a file without any element for one without tests.
  if (code == XML_ERROR_NO_ELEMENTS && summary_.root.empty()) return;
  summary_.well_formed = false;
  const char* words = ::XML_ErrorString(code);
  summary_.problem = (stopped_ ? *stopped_ : std::string{words ? words : "no memory"}) + ": line " +
                     std::to_string(::XML_GetErrorLineNumber(parser_.get())) + ", column " +
                     std::to_string(::XML_GetErrorColumnNumber(parser_.get()));
}

/// A tag or comment that has begun and not ended is kept in the parser's buffer.
void Reader::check_token() {
  const XML_Index begun = ::XML_GetCurrentByteIndex(parser_.get());
  if (begun < 0 || fed_ - static_cast<std::uint64_t>(begun) <= limits_.token) return;
  stopped_ = "a tag or comment longer than " + std::to_string(limits_.token) + " bytes";
  explain();
}

void Reader::stop(std::string why) {
  if (stopped_) return;
  stopped_ = std::move(why);
  ::XML_StopParser(parser_.get(), XML_FALSE);
}

void Reader::on_start(void* self, const XML_Char* name, const XML_Char** attributes) {
  auto& reader = *static_cast<Reader*>(self);
  if (reader.stopped_) return;
  if (++reader.depth_ > reader.limits_.depth)
    return reader.stop("more than " + std::to_string(reader.limits_.depth) + " elements in one another");
  if (reader.depth_ == 1) {
    std::string_view root = name;
    const auto local = root.rfind(namespace_separator);
    reader.summary_.namespaced = local != std::string_view::npos;
    reader.summary_.root = root.substr(reader.summary_.namespaced ? local + 1 : 0, 200);
  }
  reader.counter_.start(name, attributes);
  if (reader.output_depth_ > 0 || (std::strcmp(name, "system-out") != 0 && std::strcmp(name, "system-err") != 0)) return;
  reader.output_depth_ = reader.depth_;
  reader.attachments_.begin();
  ::XML_SetCharacterDataHandler(reader.parser_.get(), &Reader::on_text);  // All other text costs nothing.
}

void Reader::on_text(void* self, const XML_Char* text, int size) {
  static_cast<Reader*>(self)->attachments_.add({text, static_cast<std::size_t>(size)});
}

void Reader::on_end(void* self, const XML_Char*) {
  auto& reader = *static_cast<Reader*>(self);
  if (reader.stopped_) return;
  if (reader.depth_ == reader.output_depth_) {
    reader.output_depth_ = 0;
    ::XML_SetCharacterDataHandler(reader.parser_.get(), nullptr);
  }
  --reader.depth_;
  reader.counter_.end();
}

/// An entity that is declared where we don't look: an error for the server, too.
void Reader::on_skipped(void* self, const XML_Char* name, int is_parameter_entity) {
  if (is_parameter_entity == 0)
    static_cast<Reader*>(self)->stop("undefined entity &" + std::string{name}.substr(0, 100) + ";");
}

}  // namespace

Result<JunitSummary> read_junit(int descriptor, const std::string& name, const JunitLimits& limits, CaseObserver observer) {
  return Reader{descriptor, name, limits, std::move(observer)}.run();
}

Result<JunitSummary> read_junit(const std::filesystem::path& path, const JunitLimits& limits, CaseObserver observer) {
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};
  if (!file.is_open()) return errno_error("cannot open", path.native(), errno);
  return read_junit(file.get(), path.native(), limits, std::move(observer));
}

}  // namespace outpost::junit
