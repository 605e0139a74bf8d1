#include "plugins/junit/junit_merger.hpp"

#include "plugins/junit/xml_parser.hpp"
#include "plugins/junit/xml_text.hpp"

#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <utility>
#include <vector>

namespace outpost::junit {
namespace {

constexpr int piece = 64 * 1024;

/// One file on its way into another.
class Copy {
 public:
  explicit Copy(TextWriter& to) : to_{to} {}

  Result<void> run(int from, const std::string& name) {
    const auto parser = make_xml_parser(XmlNames::written);
    if (!parser) return Error{Fault::bug, "no memory for an XML parser"};
    ::XML_SetUserData(parser.get(), this);
    ::XML_SetElementHandler(parser.get(), &Copy::on_start, &Copy::on_end);
    ::XML_SetCharacterDataHandler(parser.get(), &Copy::on_text);
    for (ssize_t got = 1; got > 0;) {
      void* buffer = ::XML_GetBuffer(parser.get(), piece);
      if (!buffer) return Error{Fault::bug, "no memory for an XML parser"};
      do got = ::read(from, buffer, piece);
      while (got < 0 && errno == EINTR);
      if (got < 0) return errno_error("cannot read", name, errno);
      if (::XML_ParseBuffer(parser.get(), static_cast<int>(got), got == 0) != XML_STATUS_OK)
        return Error{Fault::malformed, name + " is not XML: " + ::XML_ErrorString(::XML_GetErrorCode(parser.get()))};
    }
    to_.write("\n");
    return {};
  }

 private:
  static void on_start(void* self, const XML_Char* name, const XML_Char** attributes) { static_cast<Copy*>(self)->start(name, attributes); }
  static void on_end(void* self, const XML_Char* name) { static_cast<Copy*>(self)->end(name); }
  static void on_text(void* self, const XML_Char* text, int size) { static_cast<Copy*>(self)->text({text, static_cast<std::size_t>(size)}); }

  void start(std::string_view name, const XML_Char** attributes) {
    ++depth_;
    if (depth_ == 1 && name == "testsuites") return open_root(attributes);
    close_tag();
    to_.write("<");
    to_.write(name);
    if (depth_ == 2)
      for (const auto& [prefix, uri] : prefixes_)
        if (!has(attributes, prefix)) to_.write(xml_attribute(prefix, uri));
    for (; attributes[0] != nullptr; attributes += 2) to_.write(xml_attribute(attributes[0], attributes[1]));
    tag_is_open_ = true;
  }

  /// It goes, and what its children need of it goes to them.
  void open_root(const XML_Char** attributes) {
    without_root_ = true;
    for (; attributes[0] != nullptr; attributes += 2)
      if (std::string_view{attributes[0]}.starts_with("xmlns:")) prefixes_.emplace_back(attributes[0], attributes[1]);
  }

  static bool has(const XML_Char** attributes, std::string_view name) {
    for (; attributes[0] != nullptr; attributes += 2)
      if (attributes[0] == name) return true;
    return false;
  }

  void text(std::string_view text) {
    if (depth_ == 1 && without_root_) return;  // White space between the suites.
    close_tag();
    to_.write(xml_text(text));
  }

  void end(std::string_view name) {
    if (depth_-- == 1 && without_root_) return;
    if (tag_is_open_) to_.write("/>");
    else to_.write("</" + std::string{name} + ">");
    tag_is_open_ = false;
  }

  void close_tag() {
    if (tag_is_open_) to_.write(">");
    tag_is_open_ = false;
  }

  TextWriter& to_;
  std::vector<std::pair<std::string, std::string>> prefixes_;  ///< Of namespaces, that the root has declared.
  unsigned depth_ = 0;
  bool without_root_ = false, tag_is_open_ = false;
};

}  // namespace

JunitMerger::JunitMerger(int to) : to_{to} { to_.write(R"(<?xml version="1.0" encoding="UTF-8"?>)" "\n<testsuites>\n"); }

Result<void> JunitMerger::add(int from, const std::string& name) { return Copy{to_}.run(from, name); }

Result<void> JunitMerger::finish(const std::string& name) {
  to_.write("</testsuites>\n");
  return to_.finish(name);
}

}  // namespace outpost::junit
