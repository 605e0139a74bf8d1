#pragma once

#include <boost/json/object.hpp>

#include <ostream>

namespace outpost::cli {

/// Says what a result (local API, `test_results`) holds: a line, and below it what has changed since the job before, the
/// names of failed and flaky cases, and why it cannot be read.
void print_test_result(std::ostream& out, const boost::json::object& result);

}  // namespace outpost::cli
