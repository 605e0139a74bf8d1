#include "plugins/hooks/config_schema.hpp"

#include "agent/config/values.hpp"
#include "agent/config/yaml_tree.hpp"
#include "plugins/hooks/schema_check.hpp"
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
  CHECK(mistake("{address: 192.0.2.10, release: " + std::string(300'000, '1') + ".0}") ==
        "acme.release: has 300002 bytes, and a pattern is compared with at most 4096");
  CHECK(mistake("{address: 192.0.2.10, sise: 3}") == "acme.sise: is not known to the plugin (did you mean \"size\"?)");
  CHECK(mistake("{address: 192.0.2.10, size: big}") == "acme.size: \"big\" is a text, but a whole number is due");
  CHECK(mistake("{address: 192.0.2.10, size: \"3\"}") == "acme.size: \"3\" is a text, but a whole number is due");
  CHECK(mistake("{address: 192.0.2.10, mode: fats}") == "acme.mode: \"fats\" is not one of fast, thorough (did you mean \"fast\"?)");
  CHECK(mistake("{address: 192.0.2.10, ports: [1, x]}") == "acme.ports.1: \"x\" is a text, but a whole number is due");
  CHECK(mistake("{address: 192.0.2.10, pool: {nam: a}}") == "acme.pool.nam: is not known to the plugin (did you mean \"name\"?)");
}

TEST_CASE("what a plain word does not cover, the library checks") {
  CHECK(mistake("{address: 192.0.2.10, size: 9}").starts_with("acme.size: "));
  CHECK(mistake("{address: 192.0.2.10, release: new}").starts_with("acme.release: "));
  CHECK(mistake("{address: 192.0.2.10, ratio: 0.75}").starts_with("acme.ratio: "));
  CHECK(mistake("{address: 192.0.2.10, ports: [1, 1]}").starts_with("acme.ports: "));
}

TEST_CASE("no way through a schema leads a text to a pattern for which it is too long") {
  const std::string text = std::string(300'000, '1') + ".0", rule = "{pattern: \"^[0-9.]+$\"}";
  const auto mistakes_of = [](const std::string& rules, boost::json::object object) {
    std::string lines;
    for (const auto& each : hooks::check_configuration(object, hooks::schema_of(yaml("{type: object, " + rules + "}")), [](const std::string&) { return false; }))
      lines += each.place("acme") + ": " + each.message + "\n";
    return lines;
  };
  const std::string why = "has 300002 bytes, and a pattern is compared with at most 4096\n";
  for (const auto& rules : {"properties: {a: {$ref: \"#/definitions/a~1b\"}}, definitions: {a/b: " + rule + "}",
                            "properties: {a: {allOf: [{minLength: 1}, " + rule + "]}}",
                            "properties: {a: {anyOf: [" + rule + "]}}",
                            "properties: {a: {oneOf: [" + rule + "]}}",
                            "properties: {a: {not: " + rule + "}}",
                            "properties: {a: {if: " + rule + "}}",
                            "properties: {a: {if: {minLength: 1}, then: " + rule + ", else: " + rule + "}}",
                            "patternProperties: {\"^a\": " + rule + "}",
                            "additionalProperties: " + rule,
                            "dependencies: {a: {properties: {a: " + rule + "}}}",
                            std::string{"properties: {a: {format: date-time}}"}}) {
    INFO(rules);
    CHECK(mistakes_of(rules, {{"a", text}}) == "acme.a: " + why);
  }
  for (const auto& rules : {"items: [{}, " + rule + "]", "items: [{}], additionalItems: " + rule, "contains: " + rule, "items: " + rule}) {
    INFO(rules);
    CHECK(mistakes_of("properties: {a: {" + rules + "}}", {{"a", {"1.0", text}}}) == "acme.a.1: " + why);
  }
  for (const auto& rules : {std::string{"patternProperties: {\"^b$\": {type: string}}"}, "propertyNames: " + rule}) {
    INFO(rules);
    const auto told = mistakes_of("properties: {a: {" + rules + "}}", {{"a", {{std::string(5000, '1'), "b"}}}});
    CHECK(told.starts_with("acme.a: the key \"111"));
    CHECK(told.ends_with("has 5000 bytes, and a pattern is compared with at most 4096\n"));
  }
  CHECK(mistakes_of("properties: {a: {type: string}, b: " + rule + "}, patternProperties: {\"^c\": " + rule + "}, additionalProperties: " + rule, {{"a", text}, {"b", "1.0"}}) == "");
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
