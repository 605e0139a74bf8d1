#include "plugins/junit/attachment_finder.hpp"

#include "support/catch.hpp"

using outpost::junit::AttachmentFinder;
using Names = std::vector<std::string>;

TEST_CASE("attachments are found wherever the output is cut") {
  const std::string output = "a [[ATTACHMENT|one.png]] [[ATTACHMENT|broken\n]] [[ATTACHMENT|]] [[ATTACH [[[ATTACHMENT|two]] [[ATTACHMENT|x]y]] [[ATTACHMENT|three]]";
  for (std::size_t piece = 1; piece <= output.size(); ++piece) {
    AttachmentFinder finder;
    finder.begin();
    for (std::size_t at = 0; at < output.size(); at += piece) finder.add(std::string_view{output}.substr(at, piece));
    CAPTURE(piece);
    CHECK(finder.found() == Names{"one.png", "two", "three"});
  }
}

TEST_CASE("a mark that never ends is given up, and the next output begins anew") {
  AttachmentFinder finder;
  finder.add("[[ATTACHMENT|");
  for (int i = 0; i < 1000; ++i) finder.add(std::string(100, 'x'));
  finder.add("]] [[ATTACHMENT|a]] [[ATTACHMENT|b");
  finder.begin();
  finder.add("]]");
  CHECK(finder.found() == Names{"a"});
}
