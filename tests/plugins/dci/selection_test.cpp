#include "plugins/dci/selection.hpp"

#include "support/catch.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

namespace outpost::dci {
namespace {

const Timestamp now = *parse_rfc3339("2026-11-20T22:12:12Z");

std::string parameter(const ComponentQuery& query, const std::string& name) {
  for (const auto& [key, value] : query.parameters)
    if (key == name) return value;
  return "";
}

/// The query of a selection with one question.
std::string query(const std::string& text) {
  const auto selection = parse_selection(text);
  REQUIRE(selection);
  const auto queries = compile(*selection, now);
  REQUIRE(queries.size() == 1);
  return parameter(queries.front(), "query");
}

std::string where(const std::string& text) {
  const auto selection = parse_selection(text);
  REQUIRE(selection);
  return parameter(compile(*selection, now).front(), "where");
}

std::string problem(const std::string& text) {
  const auto selection = parse_selection(text);
  REQUIRE_FALSE(selection);
  return selection.error().message;
}

boost::json::object component(const std::string& type, const std::string& name, const std::string& version,
                              std::initializer_list<boost::json::value_ref> tags, const std::string& state = "active") {
  return {{"type", type}, {"name", name}, {"version", version}, {"tags", boost::json::array(tags)}, {"state", state}};
}

bool selects(const std::string& text, const boost::json::object& one) {
  const auto selection = parse_selection(text);
  REQUIRE(selection);
  return matches(*selection, compile(*selection, now).front(), one);
}

TEST_CASE("a type alone selects its newest active component") {
  CHECK(query("ocp") == "and(eq(state,active),eq(type,ocp))");
  const auto queries = compile(*parse_selection("ocp"), now);
  CHECK(parameter(queries.front(), "sort") == "-released_at");
  CHECK(parameter(queries.front(), "where").empty());
}

TEST_CASE("type=version asks for that version") {
  CHECK(query("ocp=4.14.1") == "and(eq(state,active),eq(type,ocp),eq(version,4.14.1))");
  CHECK(query("ocp=4.14*") == "and(eq(state,active),eq(type,ocp),ilike(version,4.14%))");
}

TEST_CASE("type?conditions asks for tags and fields") {
  CHECK(query("ocp?tags:build:ga&name:4.14.1") ==
        "and(eq(state,active),eq(type,ocp),eq(name,4.14.1),contains(tags,build:ga))");
  CHECK(query("repo?name:Microshift 4.14*") == "and(eq(state,active),eq(type,repo),ilike(name,Microshift 4.14%))");
  CHECK(query("ocp?version:4.11.41&tags:daily,ocp-ok") ==
        "and(eq(state,active),eq(type,ocp),eq(version,4.11.41),contains(tags,daily),contains(tags,ocp-ok))");
}

TEST_CASE("a selection that names a state gets no other") {
  CHECK(query("ocp?state:inactive") == "and(eq(type,ocp),eq(state,inactive))");
}

TEST_CASE("a build tag is content with any that is further along") {
  CHECK(query("ocp?tags:build:dev") ==
        "and(eq(state,active),eq(type,ocp),or(contains(tags,build:dev),contains(tags,build:candidate),contains(tags,"
        "build:ga)))");
  // Of several the furthest counts.
  CHECK(query("ocp?tags:build:dev,build:candidate") ==
        "and(eq(state,active),eq(type,ocp),or(contains(tags,build:candidate),contains(tags,build:ga)))");
  CHECK(selects("ocp?tags:build:nightly", component("ocp", "x", "1", {"build:ga"})));
  CHECK_FALSE(selects("ocp?tags:build:ga", component("ocp", "x", "1", {"build:nightly"})));
}

TEST_CASE("separators inside values are written as percent codes") {
  CHECK(query("ocp?tags%3abuild%3aga&name:4.14.1") == query("ocp?tags:build:ga&name:4.14.1"));
  CHECK(query("ocp%3Ftags:x") == query("ocp?tags:x"));
  CHECK(query("ocp?tags:x%26name:y") == query("ocp?tags:x&name:y"));
}

TEST_CASE("the type is compared in lower case, as the server stores it") { CHECK(query("OCP") == query("ocp")); }

TEST_CASE("priority tags are asked for one after the other, newest creation first") {
  const auto selection =
      parse_selection(R"({"type": "ocp", "priority_tags": ["build:ga", "build:nightly"], "max_age": 3})");
  REQUIRE(selection);
  const auto queries = compile(*selection, now);
  REQUIRE(queries.size() == 2);
  // A priority tag means itself: what comes after it is said by the list.
  CHECK(parameter(queries[0], "query") == "and(eq(state,active),eq(type,ocp),contains(tags,build:ga))");
  CHECK(parameter(queries[1], "query") == "and(eq(state,active),eq(type,ocp),contains(tags,build:nightly))");
  CHECK(parameter(queries[0], "sort") == "-created_at");
  CHECK(parameter(queries[0], "created_after") == "2026-11-17T00:00:00.000000");
  CHECK(matches(*selection, queries[0], component("ocp", "x", "1", {"build:ga"})));
  CHECK_FALSE(matches(*selection, queries[0], component("ocp", "x", "1", {"build:nightly"})));
}

TEST_CASE("the mapping form takes numbers as text, tags for all, and conditions in its type") {
  CHECK(parse_selection(R"({"type": "ocp", "max_age": "14"})")->max_age_days == 14);
  CHECK(query(R"({"type": "ocp?version:4.16*", "tags": ["daily"]})") ==
        "and(eq(state,active),eq(type,ocp),ilike(version,4.16%),contains(tags,daily))");
  CHECK(compile(*parse_selection(R"({"type": "ocp"})"), now).size() == 1);
}

TEST_CASE("values that the query language cannot carry are asked for with where and looked at here") {
  CHECK(query("ocp?name:4.14.1+build(2)").empty());
  CHECK(where("ocp?name:4.14.1+build(2)") == "type:ocp,state:active,name:4.14.1+build(2)");
  // Neither can carry a comma.
  CHECK(where("ocp?name:one, two") == "type:ocp,state:active");
  CHECK(selects("ocp?name:one, two", component("ocp", "one, two", "1", {})));
  CHECK_FALSE(selects("ocp?name:one, two", component("ocp", "one, three", "1", {})));
  // A percent sign inside a pattern would be the server's wildcard.
  CHECK(query("ocp?name:100%*").empty());
  CHECK(where("ocp?tags:a+b") == "type:ocp,state:active,tags:a+b");
  // A date is no text to the server, whose patterns would be refused.
  CHECK(query("ocp?released_at:2026-11*").empty());
  CHECK(where("ocp?released_at:2026-11*") == "type:ocp,state:active");
}

TEST_CASE("trap: multi-word names are fine, commas are not") {
  CHECK(query("my-app?name:My App 1.2.3") == "and(eq(state,active),eq(type,my-app),eq(name,My App 1.2.3))");
  CHECK(fits_where("My App 1.2.3"));
  CHECK_FALSE(fits_where("one, two"));
  CHECK_FALSE(fits_where(""));
  CHECK_FALSE(fits_where("all*"));
}

TEST_CASE("what the server found too widely is left out") {
  CHECK(selects("ocp?name:foo_bar*", component("ocp", "foo_bar 1", "1", {})));
  CHECK_FALSE(selects("ocp?name:foo_bar*", component("ocp", "fooxbar 1", "1", {})));
  CHECK(selects("ocp?name:FOO*", component("ocp", "foobar", "1", {})));
  CHECK(selects("ocp?name:what*?*", component("ocp", "what is it? this", "1", {})));
  CHECK_FALSE(selects("ocp=4.14", component("ocp", "x", "4.14.1", {})));
  CHECK_FALSE(selects("ocp", component("ocp", "x", "1", {}, "inactive")));
  CHECK_FALSE(selects("ocp", component("cnf", "x", "1", {})));
}

TEST_CASE("bad selections are errors that say where and what") {
  CHECK(problem("").find("character 1: the component type is missing") != std::string::npos);
  CHECK(problem("?tags:x").find("character 1:") != std::string::npos);
  CHECK(problem("ocp?").find("character 5: a condition is missing") != std::string::npos);
  CHECK(problem("ocp?tags:x&").find("character 12: a condition is missing") != std::string::npos);
  CHECK(problem("ocp?tags:").find("character 10: a tag is missing") != std::string::npos);
  CHECK(problem("ocp?ga").find("character 5: \"ga\" is not field:value") != std::string::npos);
  CHECK(problem("ocp?tags%3ax&nme:1").find("character 14: a component has no field \"nme\"; did you mean name?") !=
        std::string::npos);
  CHECK(problem("ocp?name:").find("name has no value") != std::string::npos);
  CHECK(problem("ocp?name:*4").find("character 10: a * works only") != std::string::npos);
  CHECK(problem("ocp=").find("version has no value") != std::string::npos);
  CHECK(problem("ocp=4.1?tags:x").find("cannot be combined") != std::string::npos);
  CHECK(problem("o cp").find("character 2: a component type has no such character") != std::string::npos);
  CHECK(problem("{").find("not a JSON object") != std::string::npos);
  CHECK(problem(R"({"priority_tags": ["x"]})").find("the key type is missing") != std::string::npos);
  CHECK(problem(R"({"type": "ocp", "max_age": 0})").find("max_age: a whole number of days") != std::string::npos);
  CHECK(problem(R"({"type": "ocp", "max_age": "2d"})").find("max_age") != std::string::npos);
  CHECK(problem(R"({"type": "ocp", "maxage": 2})").find("did you mean max_age?") != std::string::npos);
  CHECK(problem(R"({"type": "ocp", "priority_tags": [1]})").find("a list of tags is due") != std::string::npos);
  CHECK(problem("\x1b[2J?tags").find('\x1b') == std::string::npos);
}

}  // namespace
}  // namespace outpost::dci
