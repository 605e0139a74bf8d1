#pragma once

#include "plugins/dlrn/answer.hpp"
#include "support/catch.hpp"

#include <string>

/// Lets CHECK(answer) print why there is none.
template <class T>
struct Catch::StringMaker<boost::system::result<T, outpost::dlrn::Failure>> {
  static std::string convert(const outpost::dlrn::Answer<T>& answer) {
    return answer ? "a value" : answer.error().message;
  }
};
