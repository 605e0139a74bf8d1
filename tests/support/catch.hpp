#pragma once
// Catch2 2.13 (Debian 12, EPEL "catch2") and 3.x (Fedora, EPEL "catch") with the same tests.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

#include "agent/base/result.hpp"

#include <string>

/// Lets CHECK(result) print the error; boost::system::result's own operator<< needs a printable T.
template <class T>
struct Catch::StringMaker<boost::system::result<T, outpost::Error>> {
  static std::string convert(const outpost::Result<T>& result) { return result ? "a value" : result.error().message; }
};

namespace outpost::test {

/// CHECK_THAT(text, holds("words")): shows the text when it does not.
inline auto holds(const std::string& part) {
#if __has_include(<catch2/catch_all.hpp>)
  return Catch::Matchers::ContainsSubstring(part);
#else
  return Catch::Matchers::Contains(part);
#endif
}

}  // namespace outpost::test
