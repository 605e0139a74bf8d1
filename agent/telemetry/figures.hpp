#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace outpost::telemetry {

using Labels = std::vector<std::pair<std::string_view, std::string>>;

struct Sample {
  std::string_view ending;  ///< "", or of a summary "_sum" and "_count", which follow each other.
  std::vector<std::pair<std::string, std::string>> labels;
  double value = 0;
};

/// A figure with all its series.
struct Family {
  std::string name;
  std::string type;  ///< "counter", "gauge" or "summary"; a counter's name ends in _total.
  std::string help;
  std::vector<Sample> samples;
};

/// Collects figures; each name once.
class Figures {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help);
  /// A sample of the family that was begun last.
  void sample(const Labels& labels, double value) { sample_of("", labels, value); }
  /// The same of the series that belongs to it by its ending, a literal: "_sum", "_count".
  void sample_of(std::string_view ending, const Labels& labels, double value);
  [[nodiscard]] const std::vector<Family>& families() const { return families_; }

 private:
  std::vector<Family> families_;
};

/// The text format of Prometheus, version 0.0.4.
[[nodiscard]] std::string to_prometheus(const std::vector<Family>& families);

}  // namespace outpost::telemetry
