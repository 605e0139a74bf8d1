#include "agent/cli/redaction.hpp"
#include "support/catch.hpp"

using outpost::cli::Redaction;

TEST_CASE("names and addresses have the same stand-in everywhere, and nothing else changes") {
  Redaction redact{{"bmc4.lab", "lab", "a", "localhost", "bmc4.lab"}};
  CHECK(redact("bmc4.lab and lab, not laboratory or my-lab") == "name-1 and name-2, not laboratory or my-lab");
  CHECK(redact("10.0.0.4:443 10.0.0.4 10.0.0.5") == "address-1:443 address-1 address-2");
  CHECK(redact("127.0.0.1 localhost 1.2.3 1.2.3.4.5 256.1.1.1 v1.2.3.4x") ==
        "127.0.0.1 localhost 1.2.3 1.2.3.4.5 256.1.1.1 v1.2.3.4x");
  CHECK(redact("http://me:p@ss@10.0.0.5:3128/x") == "http://****@address-2:3128/x");
  CHECK(redact("") == "");
}
