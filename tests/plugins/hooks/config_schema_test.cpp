#include "plugins/hooks/config_schema.hpp"

#include "agent/config/values.hpp"
#include "agent/config/yaml_tree.hpp"
#include "plugins/hooks/schema_check.hpp"
#include "plugins/hooks/schema_patterns.hpp"
#include "support/catch.hpp"

#include <boost/json/serialize.hpp>

using namespace outpost;

namespace {

config::Node yaml(const std::string& text) {
  config::Problems problems;
  auto parsed = config::parse_yaml(text, "plugin.yml", problems);
  REQUIRE(problems.text() == "");
  return std::move(parsed.root);
}

const std::string schema = R"(
type: object
additionalProperties: false
required: [address]
properties:
  address: {type: string, format: ipv4}
  password: {type: string, x-secret: true}
  release: {type: string, pattern: "^[0-9.]+$"}
  size: {type: integer, minimum: 1, maximum: 8, default: 2}
  ratio: {type: number, exclusiveMaximum: 0.5}
  mode: {enum: [fast, thorough]}
  ports: {type: array, items: {type: integer}, maxItems: 2, uniqueItems: true}
  pool: {type: object, additionalProperties: false, properties: {name: {type: string}, key: {type: string, x-secret: true}}}
)";

/// "place: message" of the only mistake; "" when there is none.
std::string mistake(const std::string& configuration) {
  auto object = config::as_typed_json(yaml(configuration)).as_object();
  const auto mistakes = hooks::check_configuration(object, hooks::schema_of(yaml(schema)), [](const std::string& name) { return name == "bmc"; });
  if (mistakes.empty()) return "";
  CHECK(mistakes.size() == 1);
  return mistakes.front().place("acme") + ": " + mistakes.front().message;
}

}  // namespace

TEST_CASE("a configuration that fits is settled: types as the schema wants them, and defaults") {
  auto object = config::as_typed_json(yaml("{address: 192.0.2.10, release: 4.10, ratio: 0.25, ports: [1, 2]}")).as_object();
  const auto mistakes = hooks::check_configuration(object, hooks::schema_of(yaml(schema)), [](const std::string&) { return false; });
  REQUIRE(mistakes.empty());
  CHECK(boost::json::serialize(object) == R"({"address":"192.0.2.10","release":"4.10","ratio":2.5E-1,"ports":[1,2],"size":2})");
  CHECK(mistake("{address: 192.0.2.10, release: 4}") == "");
}

TEST_CASE("each mistake in a configuration is told with its place") {
  CHECK(mistake("{}") == "acme: the key \"address\" is missing");
  CHECK(mistake("{address: 192.0.2}") == "acme.address: \"192.0.2\" is not of the format ipv4");
  CHECK(mistake("{address: [1]}") == "acme.address: a list, but a text is due");
  CHECK(mistake("{address: 192.0.2.10, release: " + std::string(300'000, '1') + ".0}") == "");
  CHECK(mistake("{address: 192.0.2.10, sise: 3}") == "acme.sise: is not known to the plugin (did you mean \"size\"?)");
  CHECK(mistake("{address: 192.0.2.10, size: big}") == "acme.size: \"big\" is a text, but a whole number is due");
  CHECK(mistake("{address: 192.0.2.10, size: \"3\"}") == "acme.size: \"3\" is a text, but a whole number is due");
  CHECK(mistake("{address: 192.0.2.10, mode: fats}") == "acme.mode: \"fats\" is not one of fast, thorough (did you mean \"fast\"?)");
  CHECK(mistake("{address: 192.0.2.10, ports: [1, x]}") == "acme.ports.1: \"x\" is a text, but a whole number is due");
  CHECK(mistake("{address: 192.0.2.10, pool: {nam: a}}") == "acme.pool.nam: is not known to the plugin (did you mean \"name\"?)");
}

TEST_CASE("what a plain word does not cover, the library checks") {
  CHECK(mistake("{address: 192.0.2.10, size: 9}").starts_with("acme.size: "));
  CHECK(mistake("{address: 192.0.2.10, release: new}") == "acme.release: \"new\" does not match the pattern \"^[0-9.]+$\"");
  CHECK(mistake("{address: 192.0.2.10, ratio: 0.75}").starts_with("acme.ratio: "));
  CHECK(mistake("{address: 192.0.2.10, ports: [1, 1]}").starts_with("acme.ports: "));
}

namespace {

/// A line for each mistake that a schema with these rules finds.
std::string mistakes_of(const std::string& rules, boost::json::object object) {
  std::string lines;
  for (const auto& each : hooks::check_configuration(object, hooks::schema_of(yaml("{type: object, " + rules + "}")), [](const std::string&) { return false; }))
    lines += each.place("acme") + ": " + each.message + "\n";
  return lines;
}

}  // namespace

TEST_CASE("whatever way leads a text to a pattern, one that goes back without end is told, and nothing else is") {
  const std::string text = std::string(60, 'a') + "!", rule = "{pattern: \"^(a+)+$\"}";
  const std::string why = "whether \"" + text + "\" matches the pattern \"^(a+)+$\" cannot be found out in 4000000 steps and 32 MiB "
                          "(in the plugin's schema, write the pattern without a repeat in a repeat: a+ rather than (a+)+)\n";
  for (const auto& rules : {"properties: {a: {$ref: \"#/definitions/a~1b\"}}, definitions: {a/b: " + rule + "}",
                            "properties: {a: {$ref: \"#/patternProperties/%5E%28b%2B%29%2B%24/properties/c\"}}, patternProperties: {\"^(b+)+$\": {properties: {c: " + rule + "}}}",
                            "properties: {a: {$ref: \"#/x-ours/c\"}}, x-ours: {c: " + rule + "}",
                            "properties: {a: {allOf: [{minLength: 1}, " + rule + "]}}",
                            "properties: {a: {anyOf: [" + rule + "]}}",
                            "properties: {a: {oneOf: [" + rule + "]}}",
                            "properties: {a: {not: " + rule + "}}",
                            "properties: {a: {if: " + rule + "}}",
                            "properties: {a: {if: {minLength: 1}, then: " + rule + ", else: " + rule + "}}",
                            "patternProperties: {\"^a\": " + rule + "}",
                            "properties: {a: {type: string}}, patternProperties: {\"^a\": {}, \"a$\": " + rule + "}",
                            "additionalProperties: " + rule,
                            "dependencies: {a: {properties: {a: " + rule + "}}}"}) {
    INFO(rules);
    CHECK(mistakes_of(rules, {{"a", text}}) == "acme.a: " + why);
  }
  for (const auto& rules : {"items: [{}, " + rule + "]", "items: [{}], additionalItems: " + rule, "items: " + rule}) {
    INFO(rules);
    CHECK(mistakes_of("properties: {a: {" + rules + "}}", {{"a", {"aa", text}}}) == "acme.a.1: " + why);
  }
  CHECK(mistakes_of("properties: {a: {contains: " + rule + "}}", {{"a", {"", text}}}) == "acme.a: " + why);
  for (const auto& rules : {std::string{"patternProperties: {\"^(a+)+$\": {type: string}}"}, "propertyNames: " + rule}) {
    INFO(rules);
    CHECK(mistakes_of("properties: {a: {" + rules + "}}", {{"a", {{text, "b"}}}}) == "acme.a: " + why);
  }
  CHECK(mistakes_of("properties: {a: {anyOf: [{minLength: 1}, " + rule + "]}}", {{"a", text}}) == "");
  CHECK(mistakes_of("properties: {a: {type: string}, b: " + rule + "}, patternProperties: {\"^c\": " + rule + "}", {{"a", text}, {"b", "aa"}}) == "");
  CHECK(mistakes_of("properties: {a: {type: object}, b: {patternProperties: {\"^(a+)+$\": {}}}}", {{"a", {{text, 1}}}, {"b", {{"aa", 1}}}}) == "");
}

TEST_CASE("a schema for keys that match a pattern holds for these alone, with the others that there are for them") {
  const std::string rules = "properties: {port_a: {maximum: 9}, name: {}}, patternProperties: {\"^port_\": {type: integer, minimum: 1}, \"_a$\": {multipleOf: 2}, "
                            "\"^group\": {patternProperties: {\"^port_\": {const: {pattern: \"^x\"}}}}}, additionalProperties: false";
  CHECK(mistakes_of(rules, {{"port_a", 8}, {"port_b", 70}, {"name", "x"}, {"group", {{"port_a", {{"pattern", "^x"}}}, {"name", 0}}}}) == "");
  CHECK(mistakes_of(rules, {{"port_a", 10}}).starts_with("acme.port_a: "));
  CHECK(mistakes_of(rules, {{"port_a", 3}}).starts_with("acme.port_a: "));
  CHECK(mistakes_of(rules, {{"port_b", 0}}).starts_with("acme.port_b: "));
  CHECK(mistakes_of(rules, {{"port_b", "x"}}).starts_with("acme.port_b: "));
  CHECK(mistakes_of(rules, {{"port", 1}}).find("could not be validated") != std::string::npos);
  CHECK(mistakes_of(rules, {{"group", {{"port_a", 1}}}}).starts_with("acme.group.port_a: "));
}

TEST_CASE("properties may have the names of keywords, and values may look like schemas") {
  const std::string rules = "properties: {pattern: {type: string, pattern: \"^a\"}, patternProperties: {enum: [{pattern: b}]}, format: {default: {format: date}}}";
  CHECK(mistakes_of(rules, {{"pattern", "ab"}, {"patternProperties", {{"pattern", "b"}}}}) == "");
  CHECK(mistakes_of(rules, {{"pattern", "b"}}) == "acme.pattern: \"b\" does not match the pattern \"^a\"\n");
}

TEST_CASE("dates and times are those of RFC 3339, whatever their length") {
  const auto told = [](const std::string& format, const std::string& text) {
    return mistakes_of("properties: {a: {type: string, format: " + format + "}}", {{"a", text}});
  };
  for (const auto* text : {"2024-02-29", "1999-12-31"}) CHECK(told("date", text) == "");
  for (const auto* text : {"2023-02-29", "2023-13-01", "2023-00-01", "2023-1-1", "x", "", "2023-01-01T"})
    CHECK(told("date", text) == "acme.a: \"" + std::string{text} + "\" is not of the format date\n");
  for (const auto* text : {"16:52:45Z", "16:52:60z", "00:00:00.125+23:59", "23:59:59-00:00"}) CHECK(told("time", text) == "");
  for (const auto* text : {"16:52:45", "24:00:00Z", "16:60:00Z", "16:52:61Z", "16:52:45.Z", "16:52:45+24:00", "16:52:45+2:00", "16:52Z", "16:52:45.1"})
    CHECK(told("time", text) == "acme.a: \"" + std::string{text} + "\" is not of the format time\n");
  for (const auto* text : {"2024-02-29T16:52:45Z", "2024-02-29t16:52:45.5+02:00"}) CHECK(told("date-time", text) == "");
  for (const auto* text : {"2024-02-29", "2024-02-29 16:52:45Z", "2024-02-29T", "2024-02-30T16:52:45Z"})
    CHECK(told("date-time", text) == "acme.a: \"" + std::string{text} + "\" is not of the format date-time\n");
  CHECK(told("time", "16:52:45." + std::string(300'000, '1') + "Z") == "");
}

TEST_CASE("a secret is named, and never written") {
  CHECK(mistake("{address: 192.0.2.10, password: hunter2}") ==
        "acme.password: is a secret, which does not stand in a configuration (write {secret: NAME}, and its file under secrets)");
  CHECK(mistake("{address: 192.0.2.10, password: {secret: bmd}}") == "acme.password: there is no secret \"bmd\" (add it under secrets)");
  CHECK(mistake("{address: 192.0.2.10, password: {secret: bmc}, pool: {key: {secret: bmc}}}") == "");
  const auto object = config::as_typed_json(yaml("{address: 192.0.2.10, password: {secret: bmc}, pool: {key: {secret: bmc}}}")).as_object();
  const auto unveiled = hooks::without_secrets(object, hooks::schema_of(yaml(schema)));
  CHECK(boost::json::serialize(unveiled.configuration) ==
        R"({"address":"192.0.2.10","password":{"$secret":"password"},"pool":{"key":{"$secret":"pool.key"}}})");
  CHECK(unveiled.secrets == std::map<std::string, std::string>{{"password", "bmc"}, {"pool.key", "bmc"}});
}

TEST_CASE("a default is looked at like what is written, and has defaults itself") {
  const auto mistakes_with = [](const std::string& otherwise) {
    boost::json::object object;
    const auto rules = hooks::schema_of(yaml("{type: object, properties: {password: {x-secret: true, default: " + otherwise + "}}}"));
    return hooks::check_configuration(object, rules, [](const std::string& name) { return name == "bmc"; });
  };
  CHECK(mistakes_with("{secret: bmc}").empty());
  REQUIRE(mistakes_with("{secret: bmd}").size() == 1);
  CHECK(mistakes_with("{secret: bmd}").front().message == "there is no secret \"bmd\" (add it under secrets)");
  REQUIRE(mistakes_with("hunter2").size() == 1);
  CHECK(mistakes_with("hunter2").front().is_secret);
  boost::json::object object;
  const auto pool = hooks::schema_of(yaml("{type: object, properties: {pool: {type: object, default: {}, properties: {size: {type: integer, default: 4}}}}}"));
  CHECK(hooks::check_configuration(object, pool, [](const std::string&) { return false; }).empty());
  CHECK(boost::json::serialize(object) == R"({"pool":{"size":4}})");
}

TEST_CASE("a schema that would never do what it says is refused") {
  const auto problems_of = [](const std::string& text) {
    config::Problems problems;
    hooks::check_schema(yaml(text), problems);
    return problems.text();
  };
  CHECK(problems_of("{type: object, properties: {a: {$ref: \"http://example.org/a\"}}}").find("leads out of this schema") != std::string::npos);
  CHECK(problems_of("{type: object, properties: {a: {type: string, minLenght: 3}}}").find("did you mean \"minLength\"?") != std::string::npos);
  CHECK(problems_of("{type: object, items: {x-secret: true}}").find("only a property of a mapping can be a secret") != std::string::npos);
  CHECK(problems_of("{type: object, properties: {\"../a\": {x-secret: true}}}").find("only a property of a mapping can be a secret") != std::string::npos);
  CHECK(problems_of("{type: object, properties: [a]}").find("a mapping of schemas is due") != std::string::npos);
  CHECK(problems_of("{type: object, properties: {a: {uniqueItems: many}}}").find("the schema cannot be used") != std::string::npos);
  CHECK(problems_of("{type: object, properties: {a: {pattern: \"[\"}}}").find("is not a regular expression") != std::string::npos);
}

TEST_CASE("a pattern is compared with a text once, however many schemas ask") {
  hooks::Patterns patterns;
  const std::string text(1000, 'a');
  for (int asked = 0; asked < 100; ++asked) {
    INFO(asked);
    REQUIRE(patterns.compare("[a-c]*[x-z]", text) == hooks::Patterns::Match::no);
  }
  CHECK(patterns.compare("[a-c]*[w-z]", text) == hooks::Patterns::Match::no);  // There are steps left.
  CHECK_FALSE(patterns.is_undecided("[a-c]*[x-z]", text));
  CHECK_FALSE(patterns.is_undecided("[a-c]*[x-z]", "b"));
  CHECK_FALSE(patterns.is_undecided("a", text));
  CHECK(patterns.compare("^(a+)+$", text + "!") == hooks::Patterns::Match::undecided);
  CHECK(patterns.is_undecided("^(a+)+$", text + "!"));
}
