#include "plugins/dlrn/selection.hpp"

#include "support/catch.hpp"

namespace outpost::dlrn {
namespace {

using outpost::test::holds;
using Kind = Selection::Kind;

TEST_CASE("a selection is a label of the builder or of a component") {
  CHECK(parse_selection("consistent")->label == "consistent");
  CHECK(parse_selection("consistent")->component.empty());
  const auto one = parse_selection("component/compute/component-ci-testing");
  CHECK(one->component == "compute");
  CHECK(one->label == "component-ci-testing");
  CHECK(one->kind == Kind::label);
}

TEST_CASE("a selection may be what the API knows: a promotion, or what a job has tested") {
  const auto promoted = parse_selection(R"({"promoted":"tripleo-ci-testing","component":"compute"})");
  CHECK(promoted->kind == Kind::promoted);
  CHECK(promoted->label == "tripleo-ci-testing");
  CHECK(promoted->component == "compute");
  CHECK(promoted->after.empty());
  CHECK(parse_selection(R"({"promoted":"tripleo-ci-testing","after":"build-images"})")->after == "build-images");
  const auto tested = parse_selection(R"({"tested":"first","max_age":"90min","success":"true"})");
  CHECK(tested->kind == Kind::tested);
  CHECK(tested->query.job_id == "first");
  CHECK(tested->query.max_age == std::chrono::hours{2});
  CHECK(tested->query.success == true);
  const auto sequential = parse_selection(R"({"tested":"first","sequential":true})");
  CHECK(sequential->query.previous_job_id == "first");
  CHECK(sequential->query.job_id.empty());
}

TEST_CASE("a selection that cannot be meant is told with what is wrong") {
  const auto wrong = [](std::string_view text) { return parse_selection(text).error().message; };
  CHECK_THAT(wrong(""), holds("the label \"\""));
  CHECK_THAT(wrong("../evil"), holds("../evil"));
  CHECK_THAT(wrong("a/b"), holds("the label \"a/b\""));
  CHECK_THAT(wrong("component/compute"), holds("lacks the label"));
  CHECK_THAT(wrong("component/../x"), holds("the component \"..\""));
  CHECK_THAT(wrong(R"({"promote":"x"})"), holds("did you mean \"promoted\""));
  CHECK_THAT(wrong(R"({"promoted":"x","tested":"y"})"), holds("exactly one"));
  CHECK_THAT(wrong(R"({"component":"x"})"), holds("exactly one"));
  CHECK_THAT(wrong(R"({"promoted":"consistent"})"), holds("no history"));
  CHECK_THAT(wrong(R"({"tested":""})"), holds("the name of a job"));
  CHECK_THAT(wrong(R"({"promoted":"x","after":""})"), holds("after: the name of a job is due"));
  CHECK_THAT(wrong(R"({"tested":"x","after":"y"})"), holds("beside promoted: LABEL"));
  CHECK_THAT(wrong(R"({"tested":"x","max_age":"24"})"), holds("24h"));
  CHECK_THAT(wrong(R"({"tested":"x","success":"maybe"})"), holds("true or false"));
  CHECK_FALSE(check_selection(boost::json::string{"a/b"}));
  CHECK(check_selection(boost::json::object{{"promoted", "x"}}));
}

}  // namespace
}  // namespace outpost::dlrn
