#pragma once

#include "support/temporary_directory.hpp"

#include <boost/json/parse.hpp>

#include <string>

namespace outpost::dci::test {

/// A file of the recorded data of this folder.
inline boost::json::value recorded(const std::string& name) {
  return boost::json::parse(outpost::test::read_file(std::string{DCI_TEST_DATA} + "/" + name));
}

inline std::string text(const boost::json::value& value) {
  return value.is_string() ? std::string{value.get_string()} : std::string{};
}

}  // namespace outpost::dci::test
