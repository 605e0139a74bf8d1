#include "plugins/junit/junit_merger.hpp"

#include "plugins/junit/case_list.hpp"
#include "plugins/junit/junit_summary.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include "agent/base/descriptor.hpp"

#include <fcntl.h>

#include <string>
#include <vector>

using namespace outpost;
using namespace outpost::junit;

namespace {

struct Bench {
  test::TemporaryDirectory directory;

  [[nodiscard]] Result<void> merge(const std::vector<std::string>& files) const {
    const Descriptor to{::open(merged().c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
    JunitMerger merger{to.get()};
    for (const auto& content : files) {
      test::write_file(directory.path / "part.xml", content);
      const Descriptor from{::open((directory.path / "part.xml").c_str(), O_RDONLY | O_CLOEXEC)};
      if (auto added = merger.add(from.get(), "part.xml"); !added) return added;
    }
    return merger.finish("merged.xml");
  }
  [[nodiscard]] std::filesystem::path merged() const { return directory.path / "merged.xml"; }
  /// Without the lines that every document has.
  [[nodiscard]] std::string suites() const {
    const std::string begin = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n", end = "</testsuites>\n";
    const std::string all = test::read_file(merged());
    REQUIRE(all.starts_with(begin));
    REQUIRE(all.ends_with(end));
    return all.substr(begin.size(), all.size() - begin.size() - end.size());
  }
};

}  // namespace

TEST_CASE("suites of several files stand in one, in order") {
  const Bench bench;
  REQUIRE(bench.merge({R"(<?xml version="1.0"?><!DOCTYPE testsuites><!-- by hand --><testsuites name="all" tests="9">
  <testsuite name="a"/>
  <testsuite name="b"><testcase name="t"/></testsuite>
</testsuites>)", R"(<testsuite name="c"><properties><property name="p" value="v"/></properties></testsuite>)", "<testsuites/>"}));
  CHECK(bench.suites() == R"(<testsuite name="a"/><testsuite name="b"><testcase name="t"/></testsuite>
<testsuite name="c"><properties><property name="p" value="v"/></properties></testsuite>

)");
}

TEST_CASE("attributes and text are what they were, whatever stands for them") {
  const Bench bench;
  REQUIRE(bench.merge({"<!DOCTYPE testsuite [<!ENTITY acme '&#38;lt;ACME&#38;gt;'>]><testsuite name='&quot;a&#10;b&#9;\"&apos;'>"
                       "<testcase name='&lt;t&gt; &amp; &acme;'><system-out><![CDATA[<b> & ]]>]]&gt; &acme;&#13;\n</system-out></testcase></testsuite>"}));
  CHECK(bench.suites() == "<testsuite name=\"&quot;a&#10;b&#9;&quot;'\"><testcase name=\"&lt;t&gt; &amp; &lt;ACME&gt;\">"
                          "<system-out>&lt;b&gt; &amp; ]]&gt; &lt;ACME&gt;&#13;\n</system-out></testcase></testsuite>\n");
  const std::string once = bench.suites();
  REQUIRE(bench.merge({once}));
  CHECK(bench.suites() == once);
}

TEST_CASE("old encodings become UTF-8") {
  const Bench bench;
  REQUIRE(bench.merge({"<?xml version='1.0' encoding='windows-1252'?><testsuite name='caf\xE9 \x80'/>"}));
  CHECK(bench.suites() == "<testsuite name=\"caf\xC3\xA9 \xE2\x82\xAC\"/>\n");
}

TEST_CASE("prefixes that the outermost element has declared go with its suites") {
  const Bench bench;
  REQUIRE(bench.merge({R"(<testsuites xmlns:xsi="urn:i" xmlns:y="urn:y"><testsuite name="a" xsi:type="t"/><testsuite xmlns:xsi="urn:other"/></testsuites>)"}));
  CHECK(bench.suites() == R"(<testsuite xmlns:xsi="urn:i" xmlns:y="urn:y" name="a" xsi:type="t"/><testsuite xmlns:y="urn:y" xmlns:xsi="urn:other"/>)" "\n");
  const auto summary = read_junit(bench.merged());
  REQUIRE(summary);
  CHECK(summary->well_formed);
  CHECK_FALSE(summary->namespaced);
}

TEST_CASE("a file that is no XML is refused, and a disk that is full is told") {
  const Bench bench;
  const auto cut = bench.merge({"<testsuite/>", "<testsuite><testcase>"});
  REQUIRE_FALSE(cut);
  CHECK(cut.error().fault == Fault::malformed);
  CHECK(cut.error().message.find("part.xml is not XML") != std::string::npos);
  const Descriptor full{::open("/dev/full", O_WRONLY | O_CLOEXEC)};
  JunitMerger merger{full.get()};
  const auto written = merger.finish("merged.xml");
  REQUIRE_FALSE(written);
  CHECK(written.error().message.find("merged.xml") != std::string::npos);
}

TEST_CASE("a bomb of entities does not go off in what is merged") {
  const Bench bench;
  std::string bomb = "<!DOCTYPE testsuite [<!ENTITY e0 'bang'>";
  for (int level = 1; level < 12; ++level) {
    bomb += "<!ENTITY e" + std::to_string(level) + " '";
    for (int times = 0; times < 10; ++times) bomb += "&e" + std::to_string(level - 1) + ";";
    bomb += "'>";
  }
  CHECK_FALSE(bench.merge({bomb + "]><testsuite>&e11;</testsuite>"}));
  CHECK(std::filesystem::file_size(bench.merged()) < 32'000'000);
}

TEST_CASE("a file of any size is merged piece by piece") {
  const Bench bench;
  std::string large = "<testsuite name='large'>";
  for (int number = 0; number < 20'000; ++number) large += "<testcase classname='c' name='t" + std::to_string(number) + "'><system-out>line\n</system-out></testcase>";
  large += "</testsuite>";
  REQUIRE(bench.merge({large, large}));
  const auto summary = read_junit(bench.merged());
  REQUIRE(summary);
  CHECK(summary->well_formed);
  CHECK(summary->total == 40'000);
}
