#include "plugins/junit/case_list.hpp"

#include <expat.h>

#include <cerrno>
#include <fstream>
#include <memory>
#include <string_view>
#include <type_traits>

namespace outpost::junit {
namespace {

class Listing {
 public:
  static void on_start(void* self, const XML_Char* name, const XML_Char** attributes) {
    auto& listing = *static_cast<Listing*>(self);
    const std::string_view element = name;
    ++listing.depth_;
    if (element == "testcase") {
      listing.case_depth_ = listing.depth_;
      const std::string of_class = attribute(attributes, "classname");
      listing.cases.push_back({(of_class.empty() ? "" : of_class + ":") + attribute(attributes, "name"), "pass"});
    } else if (listing.case_depth_ > 0 && listing.depth_ == listing.case_depth_ + 1) {
      auto& outcome = listing.cases.back().outcome;
      if (element == "failure") outcome = "fail";
      if (element == "error") outcome = "error";
      if (element == "skipped") outcome = "skip";
    }
  }
  static void on_end(void* self, const XML_Char*) {
    auto& listing = *static_cast<Listing*>(self);
    if (listing.depth_-- == listing.case_depth_) listing.case_depth_ = 0;
  }

  std::vector<ListedCase> cases;

 private:
  static std::string attribute(const XML_Char** attributes, std::string_view name) {
    for (; attributes[0] != nullptr; attributes += 2)
      if (attributes[0] == name) return attributes[1];
    return {};
  }

  unsigned depth_ = 0, case_depth_ = 0;
};

struct Free {
  void operator()(XML_Parser parser) const { ::XML_ParserFree(parser); }
};

}  // namespace

Result<std::vector<ListedCase>> list_cases(const std::filesystem::path& file) {
  std::ifstream stream{file, std::ios::binary};
  if (!stream) return errno_error("cannot read", file.native(), errno);
  const std::unique_ptr<std::remove_pointer_t<XML_Parser>, Free> parser{::XML_ParserCreate(nullptr)};
  Listing listing;
  ::XML_SetUserData(parser.get(), &listing);
  ::XML_SetElementHandler(parser.get(), &Listing::on_start, &Listing::on_end);
  std::string piece(64 * 1024, '\0');
  for (bool more = true; more;) {
    stream.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    more = stream.good();
    if (::XML_Parse(parser.get(), piece.data(), static_cast<int>(stream.gcount()), more ? 0 : 1) != XML_STATUS_OK)
      return Error{Fault::malformed,
                   file.string() + " is not XML: " + ::XML_ErrorString(::XML_GetErrorCode(parser.get()))};
  }
  return std::move(listing.cases);
}

}  // namespace outpost::junit
