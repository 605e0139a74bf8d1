#include "agent/http/page_title.hpp"

#include "support/catch.hpp"

#include <string>

using outpost::http::page_title;

TEST_CASE("of a page its title is told, and of anything else nothing", "[http]") {
  CHECK(page_title("<html><head>\n<Title>\n  502 Bad Gateway </TITLE></head><body>secret</body>") == "502 Bad Gateway");
  CHECK(page_title("<title></title>") == "");
  CHECK(page_title("<title>without an end, and a secret") == "");
  CHECK(page_title("</title>the wrong way round<title>") == "");
  CHECK(page_title(R"({"client_secret": "hunter2"})") == "");
  CHECK(page_title("") == "");
  CHECK(page_title(std::string(5000, ' ') + "<title>too late</title>") == "");
}
