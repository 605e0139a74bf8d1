#pragma once

#include <boost/json/value.hpp>

#include <string>
#include <string_view>

namespace outpost::sample {

/// A JSON value as Python prints it: {'a': None, 'b': [True, 1.5]}. The original's messages are full of these.
[[nodiscard]] std::string repr(const boost::json::value& value);

/// What Python's json module says about a text that is not JSON, with its line, column and character:
/// "Expecting value: line 1 column 1 (char 0)". Empty when the text is JSON.
[[nodiscard]] std::string json_complaint(std::string_view text);

}  // namespace outpost::sample
