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

TEST_CASE("addresses of IPv6 have stand-ins too, one for all ways to write each") {
  Redaction redact{{}};
  CHECK(redact("[fd00::4]:443 FD00:0:0::4 fd00::5%eth0, from fd00::4: refused.") ==
        "[address-1]:443 address-1 address-2%eth0, from address-1: refused.");
  CHECK(redact("::ffff:10.0.0.4 10.0.0.4") == "address-3 address-4");
  CHECK(redact("{\"at\":\"2001:db8::1\"}") == "{\"at\":\"address-5\"}");
  const std::string others = "10:00:00.5Z std::string outpost::daemon ::1 :: 0::1x a:b install: aa:bb:cc:dd:ee:ff 12:34";
  CHECK(redact(others) == others);
}
