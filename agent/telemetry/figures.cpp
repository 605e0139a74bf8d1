#include "agent/telemetry/figures.hpp"

#include "agent/base/text.hpp"

#include <charconv>
#include <cmath>

namespace outpost::telemetry {
namespace {

/// Backslash, quote and line break are escaped; other control bytes have no place in a label.
std::string escaped(std::string_view value) {
  const std::string text = is_utf8(value) ? std::string{value} : printable(value, 200);
  std::string out;
  for (const char byte : text) {
    if (byte == '\\' || byte == '"') out += '\\';
    if (byte == '\n') out += "\\n";
    else if (static_cast<unsigned char>(byte) >= 0x20) out += byte;
  }
  return out;
}

/// As short as it can be read back exactly, and never in the words of a locale.
std::string number(double value) {
  if (!std::isfinite(value)) return "NaN";
  char digits[40];
  return {digits, std::to_chars(digits, digits + sizeof digits, value).ptr};
}

void add(std::string& text, const Family& family, const Sample& sample) {
  text += family.name + std::string{sample.ending};
  for (std::size_t at = 0; at < sample.labels.size(); ++at)
    text += (at == 0 ? "{" : ",") + sample.labels[at].first + "=\"" + escaped(sample.labels[at].second) + "\"";
  if (!sample.labels.empty()) text += "}";
  text += " " + number(sample.value) + "\n";
}

}  // namespace

void Figures::family(std::string_view name, std::string_view type, std::string_view help) {
  families_.push_back({std::string{name}, std::string{type}, std::string{help}, {}});
}

void Figures::sample_of(std::string_view ending, const Labels& labels, double value) {
  families_.back().samples.push_back({ending, {labels.begin(), labels.end()}, value});
}

std::string to_prometheus(const std::vector<Family>& families) {
  std::string text;
  for (const auto& family : families) {
    text += "# HELP " + family.name + " " + family.help + "\n# TYPE " + family.name + " " + family.type + "\n";
    for (const auto& sample : family.samples) add(text, family, sample);
  }
  return text;
}

}  // namespace outpost::telemetry
