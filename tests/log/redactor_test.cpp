#include "agent/log/redactor.hpp"

#include "agent/base/hash.hpp"
#include "agent/log/secret_forms.hpp"
#include "support/catch.hpp"

#include <random>
#include <set>

using namespace outpost;
using outpost::log::forms_of;
using outpost::log::Redactor;

namespace {

Redactor redactor(std::initializer_list<std::string_view> secrets) {
  Redactor made;
  for (const auto secret : secrets) made.add(secret);
  return made;
}

std::string in_pieces(Redactor made, std::string_view text, std::size_t size) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += size) out += made.feed(text.substr(at, size));
  return out + made.flush();
}

/// What redaction means, written down as simply as possible.
std::string reference(const std::set<std::string>& words, const std::string& text) {
  std::vector<bool> hidden(text.size());
  for (const auto& word : words)
    for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1))
      std::fill_n(hidden.begin() + static_cast<std::ptrdiff_t>(at), word.size(), true);
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at)
    if (!hidden[at])
      out += text[at];
    else if (at == 0 || !hidden[at - 1])
      out += "***";
  return out;
}

}  // namespace

TEST_CASE("a secret becomes three stars, everything else stays") {
  auto made = redactor({"hunter22"});
  CHECK(made.feed("password=hunter22;\n") == "password=***;\n");
  CHECK(made.feed("hunter2 hunter23 Hunter22\n") == "hunter2 hunter23 Hunter22\n");
  CHECK(made.feed("***") == "***");
}

TEST_CASE("without secrets everything comes out at once, as it is") {
  Redactor made;
  const std::string bytes{"\0\xff\xc3(\r\n***", 9};
  CHECK(made.feed(bytes) == bytes);
  CHECK(made.flush().empty());
}

TEST_CASE("a secret is found wherever the borders of the pieces are") {
  const std::string text = "user=admin password=hunter22 token=abcdefgh-12345678 end hunter2";
  const auto made = redactor({"hunter22", "abcdefgh-12345678"});
  const std::string expected = "user=admin password=*** token=*** end hunter2";
  for (std::size_t size = 1; size <= text.size(); ++size) CHECK(in_pieces(made, text, size) == expected);
  for (std::size_t border = 0; border <= text.size(); ++border) {
    auto copy = made;
    auto out = copy.feed(std::string_view{text}.substr(0, border));
    out += copy.feed(std::string_view{text}.substr(border));
    CHECK(out + copy.flush() == expected);
  }
}

TEST_CASE("only what may still become a secret is held back") {
  auto made = redactor({"hunter22"});
  CHECK(made.feed("my password: ") == "my password: ");
  CHECK(made.feed("hunt") == "");
  CHECK(made.feed("ing!") == "hunting!");
  CHECK(made.feed("h") == "");
  CHECK(made.flush() == "h");
  CHECK(made.flush() == "");
}

TEST_CASE("overlapping and touching secrets are hidden whole") {
  const auto made = redactor({"abcdef", "defghi", "cdef", "hihi"});
  CHECK(made.redact("xabcdefghix") == "x***x");
  CHECK(made.redact("abcdefabcdef") == "***");
  CHECK(made.redact("abcdefg") == "***g");
  CHECK(made.redact("hihihi!") == "***!");
  for (const std::size_t size : {1U, 2U, 3U, 5U}) {
    CHECK(in_pieces(made, "abcdefabcdef abcdefghihi", size) == "*** ***");
    CHECK(in_pieces(made, "abcdef", size) == "***");
  }
}

TEST_CASE("a secret inside a longer one that fails is found by its suffix") {
  CHECK(redactor({"aaaab", "aaaac"}).redact("aaaaaaaaaad aaaab aaaaac") == "aaaaaaaaaad *** a***");
  CHECK(redactor({"onetwothreefour", "twothree"}).redact("onetwothreefive") == "one***five");
}

TEST_CASE("a secret can be added at any time, also one that is held back already") {
  auto made = redactor({"aaaa-bbbb"});
  CHECK(made.feed("1 cccc-dddd aaaa-") == "1 cccc-dddd ");
  made.add("cccc-dddd");
  made.add("aaaa-cccc");
  CHECK(made.feed("cccc 2 cccc-dd") == "*** 2 ");
  made.add("abcd");
  CHECK(made.feed("dd 3 ab") == "*** 3 ");
  made.add("bcde");
  CHECK(made.feed("cd bcde") == "*** ");
  CHECK(made.flush() == "***");
  auto late = redactor({"12345678"});
  CHECK(late.feed("1234567") == "");
  late.add("4567");
  CHECK(late.flush() == "123***");
}

TEST_CASE("a longer secret that is added later counts inside a longer one still") {
  auto made = redactor({"abcd"});
  CHECK(made.redact("xxzabcdyy") == "xxz***yy");
  made.add("xxzabcdzz");
  CHECK(made.feed("xxzabcdyy") == "xxz***yy");
  made.add("zabcd");
  CHECK(made.feed("xxzabcdyy") == "xx***yy");
}

TEST_CASE("every encoding of a secret is hidden in a stream") {
  const std::string secret = "p\xc3\xa4ss/w\"rd 7";
  const auto made = redactor({secret});
  for (const auto& form : forms_of(secret)) {
    CHECK(made.redact("<" + form + ">").find(form) == std::string::npos);
    CHECK(in_pieces(made, "<" + form + ">", 3) == made.redact("<" + form + ">"));
  }
  CHECK(made.redact("Authorization: Basic " + to_base64("user:" + secret) + "\n").size() < 40);
}

TEST_CASE("short secrets are ignored") { CHECK(redactor({"", "a", "abc"}).redact("a abc") == "a abc"); }

TEST_CASE("random text with random secrets in random pieces equals the plain definition") {
  std::mt19937 random{20261120};
  const auto number = [&](std::size_t below) { return static_cast<std::size_t>(random() % below); };
  const auto text_of = [&](std::size_t size, std::size_t letters) {
    std::string text;
    for (std::size_t index = 0; index < size; ++index)
      text += static_cast<char>('a' + static_cast<int>(number(letters)));
    return text;
  };
  for (int round = 0; round < 300; ++round) {
    Redactor made;
    std::set<std::string> words;
    const auto letters = 1 + number(3);
    for (std::size_t count = 1 + number(6); count > 0; --count) {
      const auto secret = text_of(4 + number(8), letters);
      made.add(secret);
      words.merge(forms_of(secret));
    }
    const auto text = text_of(number(400), letters);
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
      const auto size = 1 + number(40);
      out += made.feed(std::string_view{text}.substr(at, size));
      at += size;
    }
    REQUIRE(out + made.flush() == reference(words, text));
  }
}

TEST_CASE("ten thousand secrets are found, all of them and nothing else") {
  Redactor made;
  std::string text, expected;
  for (int number = 0; number < 10'000; ++number) {
    const auto secret = "secret-" + sha256_hex(std::to_string(number)).substr(0, 16);
    made.add(secret);
    text += "line " + std::to_string(number) + " " + secret + " and secret-" + std::to_string(number) + "\n";
    expected += "line " + std::to_string(number) + " *** and secret-" + std::to_string(number) + "\n";
  }
  CHECK(in_pieces(made, text, 64 * 1024) == expected);
}

TEST_CASE("binary output passes unchanged around secrets") {
  std::string text;
  for (int round = 0; round < 3; ++round)
    for (int byte = 0; byte < 256; ++byte) text += static_cast<char>(byte);
  const std::string secret{"\0\x01\xff\xfe key", 8};
  const auto made = redactor({secret});
  CHECK(in_pieces(made, text + secret + text, 7) == text + "***" + text);
}

TEST_CASE("a line of 100 MB needs no memory of its own") {
  auto made = redactor({"hunter22", std::string(4000, 'a') + "b"});
  const std::string chunk(64 * 1024, 'a');  // The beginning of a secret, over and over.
  std::size_t total = 0;
  for (std::size_t fed = 0; fed < 100'000'000; fed += chunk.size()) {
    const auto out = made.feed(chunk);
    total += out.size();
    if (out.size() > chunk.size() + 4001) FAIL("more came out than went in");
  }
  const auto held = made.flush().size();
  CHECK(held <= 4000);
  CHECK((total + held) % chunk.size() == 0);
}
