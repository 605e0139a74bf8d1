#include "agent/daemon/selection_check.hpp"

#include "agent/base/text.hpp"
#include "agent/daemon/client.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

using namespace outpost;
using outpost::test::write_file;

TEST_CASE("selections that no server could be asked for are told where they were written") {
  const test::TemporaryDirectory directory;
  const auto types = daemon::source_types();
  const auto lines_of = [&](const std::string& components) {
    write_file(directory.path / "outpost.yml",
               "sources:\n  lab: {type: dci, url: 'http://127.0.0.1:1', credentials: dcirc.sh}\n"
               "jobs:\n  - name: nightly\n    source: lab\n    topic: OCP-4.16\n    plugins: [acme]\n    components: " +
                   components + "\n");
    const auto loaded = config::load(directory.path / "outpost.yml", {}, types);
    REQUIRE((loaded ? "" : loaded.error().text()) == "");
    return join(daemon::check_selections(*loaded), "\n");
  };
  CHECK(lines_of("['ocp?tags:build:ga&name:4.14.1', ocp=4.14*, {type: ocp, priority_tags: [build:ga], max_age: 3}]") ==
        "");
  CHECK(lines_of("[ocp, 'ocp?nme:4.14.1']") ==
        "outpost.yml:8:23: jobs.components: selection \"ocp?nme:4.14.1\", character 5: a component has no field \"nme\"; "
        "did you mean name?");
  const auto several = lines_of("['ocp=', {type: ocp, max_age: 0}]");
  CHECK(several.find("outpost.yml:8:18: jobs.components: selection \"ocp=\"") == 0);
  CHECK(several.find("\noutpost.yml:8:26: jobs.components: ") != std::string::npos);
  CHECK(several.find("max_age: a whole number of days") != std::string::npos);
}
