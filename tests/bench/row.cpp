#include "bench/row.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace outpost::bench {

void print(const Row& row) {
  boost::json::object line{{"name", row.name}, {"unit", row.unit}, {"ours", row.ours}};
  line["floor"] = row.floor ? boost::json::value(*row.floor) : nullptr;
  line["ratio"] = row.floor && *row.floor > 0 ? boost::json::value(row.ours / *row.floor) : nullptr;
  line["target"] = row.target.empty() ? boost::json::value(nullptr) : boost::json::value(row.target);
  line["note"] = row.note;
  std::printf("%s\n", boost::json::serialize(line).c_str());
  std::fflush(stdout);
}

double quantile(std::vector<double> values, double share) {
  const auto last = static_cast<double>(values.size() - 1);
  const auto place = values.begin() + std::lround(share * last);
  std::nth_element(values.begin(), place, values.end());
  return *place;
}

std::string format(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

}  // namespace outpost::bench
