#include "agent/base/hash.hpp"

#include "agent/base/md5.hpp"

#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

using namespace outpost;

TEST_CASE("SHA-256 and HMAC give the published values") {
  // FIPS 180-4's "abc", RFC 4231 test case 2.
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(to_hex(hmac_sha256("Jefe", "what do ya want for nothing?")) == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST_CASE("MD5 gives the published values") {
  CHECK(md5_hex("") == "d41d8cd98f00b204e9800998ecf8427e");
  CHECK(md5_hex("message digest") == "f96b697d7cb7938d525a2f31aaf161d0");
  Md5 hash;
  for (const char* part : {"message", "", " digest"}) hash.update(part);
  CHECK(hash.hex() == "f96b697d7cb7938d525a2f31aaf161d0");
}

TEST_CASE("an HMAC of a stream is that of the whole, however it is cut") {
  HmacSha256 mac{"Jefe"};
  for (const char* part : {"what do ya ", "", "want for nothing?"}) mac.update(part);
  CHECK(mac.hex() == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(HmacSha256{""}.hex() == to_hex(hmac_sha256("", "")));
}

TEST_CASE("texts are compared whole") {
  CHECK(equal_in_constant_time("abc", "abc"));
  CHECK(equal_in_constant_time("", ""));
  CHECK_FALSE(equal_in_constant_time("abc", "abd"));
  CHECK_FALSE(equal_in_constant_time("abc", "abcd"));
}

TEST_CASE("base64 pads as RFC 4648 says") {
  CHECK(to_base64("") == "");
  CHECK(to_base64("f") == "Zg==");
  CHECK(to_base64("fo") == "Zm8=");
  CHECK(to_base64("foobar") == "Zm9vYmFy");
}

TEST_CASE("a range of a file is hashed, a short file is noticed") {
  test::TemporaryDirectory directory;
  test::write_file(directory.path / "file", "xxabcyy");
  const auto hash = sha256_of_file(directory.path / "file", 2, 3);
  REQUIRE(hash);
  CHECK(*hash == sha256_hex("abc"));
  CHECK(*md5_of_file(directory.path / "file", 2, 3) == md5_hex("abc"));
  const auto longer = sha256_of_file(directory.path / "file", 2, 30);
  REQUIRE(!longer);
  CHECK(longer.error().fault == Fault::malformed);
  CHECK(sha256_of_file(directory.path / "none", 0, 1).error().message.find("No such file") != std::string::npos);
}
