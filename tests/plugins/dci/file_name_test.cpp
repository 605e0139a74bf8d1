#include "plugins/dci/file_name.hpp"

#include "agent/base/text.hpp"
#include "support/catch.hpp"

namespace outpost::dci {
namespace {

TEST_CASE("names keep what Latin-1 has and encode the rest") {
  CHECK(stored_name("test/acme/results") == "test/acme/results");
  CHECK(stored_name("naïve.txt") == "naïve.txt");
  CHECK(to_latin1("naïve ÿ.txt") == "na\xEFve \xFF.txt");
  CHECK(stored_name("日.txt") == "%E6%97%A5.txt");
  CHECK(stored_name("a\r\nDCI-JOB-ID: x") == "a%0D%0ADCI-JOB-ID: x");
  CHECK(stored_name("\x7f\xC2\x85") == "%7F%C2%85");
  CHECK(stored_name(" both ends ") == "%20both ends%20");
  CHECK(stored_name("caf\xE9") == "caf%E9");
  CHECK(stored_name("") == "unnamed");
}

TEST_CASE("names longer than 255 characters lose their middle and stay different") {
  const std::string base(300, 'x');
  const std::string one = stored_name(base + "1" + base), two = stored_name(base + "2" + base);
  CHECK(one.size() == 255);
  CHECK(one != two);
  CHECK(one == stored_name(base + "1" + base));
  CHECK(stored_name(std::string(255, 'y')) == std::string(255, 'y'));
  std::string accents;
  for (int i = 0; i < 255; ++i) accents += "é";
  CHECK(to_latin1(stored_name(accents)).size() == 255);
  CHECK(to_latin1(stored_name(accents + "é")).size() == 255);
}

TEST_CASE("pieces of a log sort by their offset and fit the limit") {
  CHECK(piece_name("a.log", 4096) == "a.log@000000004096");
  CHECK(piece_name("a.log", 99) < piece_name("a.log", 100));
  CHECK(piece_name(stored_name(std::string(500, 'x'), 255 - piece_suffix), 0).size() == 255);
}

TEST_CASE("types follow the conventions of the existing agents") {
  CHECK(mime_of("a/install.LOG") == "text/plain");
  CHECK(mime_of("dci-extra.x.json") == "application/dci-analytics+json");
  CHECK(mime_of("must-gather.tar.gz") == "application/x-gzip");
  CHECK(mime_of("noext") == "application/octet-stream");
  CHECK(safe_mime("text/plain; charset=utf-8") == "text/plain; charset=utf-8");
  CHECK(safe_mime("text/plain\r\nX: y") == "application/octet-stream");
  CHECK(safe_mime("") == "application/octet-stream");
}

}  // namespace
}  // namespace outpost::dci
