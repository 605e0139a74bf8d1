#include "agent/process/systemd/slot_limits.hpp"

#include <sstream>

namespace outpost::process {

SlotLimits::Values SlotLimits::without_ours(const Values& present, const Values& usual) {
  for (const auto& [name, value] : present) {
    const auto ours = ours_.find(name);
    if (ours != ours_.end() && ours->second.contains(value)) continue;
    const auto of_all = usual.find(name);
    if (of_all != usual.end() && of_all->second == value) own_.erase(name);
    else own_[name] = value;
  }
  Values values = usual;
  for (const auto& [name, value] : own_) values[name] = value;
  return values;
}

void SlotLimits::note_ours(const Values& values) {
  for (const auto& [name, value] : values) ours_[name].insert(value);
}

void SlotLimits::note_set(const Values& values) {
  for (const auto& [name, value] : values) ours_[name] = {value};
}

std::string SlotLimits::to_text() const {
  std::ostringstream text;
  for (const auto& [name, value] : own_) text << "own " << name << " " << value << "\n";
  for (const auto& [name, values] : ours_)
    for (const auto value : values) text << "ours " << name << " " << value << "\n";
  return text.str();
}

SlotLimits SlotLimits::from_text(std::string_view text) {
  SlotLimits limits;
  std::istringstream lines{std::string{text}};
  std::string whose, name;
  for (std::uint64_t value = 0; lines >> whose >> name >> value;) {
    if (whose == "own") limits.own_[name] = value;
    if (whose == "ours") limits.ours_[name].insert(value);
  }
  return limits;
}

}  // namespace outpost::process
