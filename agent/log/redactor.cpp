#include "agent/log/redactor.hpp"

#include "agent/log/secret_forms.hpp"

#include <algorithm>

namespace outpost::log {

void Redactor::add(std::string_view secret) {
  for (auto& form : forms_of(secret)) added_.push_back(std::move(form));
}

void Redactor::prepare() {
  if (added_.empty()) return;
  auto all = secrets_ ? std::make_shared<SecretAutomaton>(*secrets_) : std::make_shared<SecretAutomaton>();
  for (const auto& form : added_) all->add(form);
  all->link();
  secrets_ = std::move(all);
  added_.clear();
  node_ = SecretAutomaton::root;  // What is held back may be, or hold, the new secret.
  scanned_ = 0;
}

std::string Redactor::feed(std::string_view bytes) {
  prepare();
  if (!secrets_) return std::string{bytes};
  held_.append(bytes);
  scan();
  return take(held_.size() - secrets_->depth(node_));
}

std::string Redactor::flush() {
  auto rest = feed({});  // For a secret that was added since.
  rest += take(held_.size());
  node_ = SecretAutomaton::root;
  after_mask_ = false;
  return rest;
}

void Redactor::resume(const State& state) {
  after_mask_ = state.after_mask;
  runs_ = state.hidden;
}

std::string Redactor::redact(std::string_view text) const {
  Redactor copy;
  copy.secrets_ = secrets_;
  copy.added_ = added_;
  auto out = copy.feed(text);
  return out + copy.flush();
}

/// Walks to the end of held_ and leaves node_ there.
void Redactor::scan() {
  constexpr std::uint32_t shortest = shortest_secret;
  const SecretAutomaton& secrets = *secrets_;
  const std::string_view text = held_;
  std::size_t at = scanned_;
  for (;;) {
    if (secrets.depth(node_) < shortest) {
      // Near the root the filter is faster than the trie. No word that began before this place is still possible.
      at = secrets.skip(text, at - secrets.depth(node_));
      node_ = SecretAutomaton::root;
      const auto begin = at;
      while (at < text.size() && at - begin < shortest) {
        node_ = secrets.child(node_, text[at]);
        if (node_ == SecretAutomaton::root) break;
        ++at;
      }
      if (node_ == SecretAutomaton::root && begin < text.size()) {
        at = begin + 1;  // A false alarm of the filter.
        continue;
      }
    } else if (at < text.size()) {
      node_ = secrets.step(node_, text[at++]);
    }
    if (const auto length = secrets.longest_word(node_)) hide(at - length, at);
    if (at == text.size()) break;
  }
  scanned_ = at;
}

void Redactor::hide(std::size_t begin, std::size_t end) {
  ++hits_;
  const auto first = std::lower_bound(runs_.begin(), runs_.end(), begin,
                                      [](const Run& run, std::size_t place) { return run.end < place; });
  auto last = first;
  for (; last != runs_.end() && last->begin <= end; ++last) {
    begin = std::min(begin, last->begin);
    end = std::max(end, last->end);
  }
  runs_.insert(runs_.erase(first, last), {begin, end});
}

/// The first `decided` bytes of held_, redacted; forgets them.
std::string Redactor::take(std::size_t decided) {
  std::string out;
  out.reserve(decided);
  std::size_t at = 0;
  for (const auto& run : runs_) {
    if (run.begin >= decided) break;
    if (run.begin > at) {
      out.append(held_, at, run.begin - at);
      after_mask_ = false;
    }
    const std::size_t end = std::min(run.end, decided);
    if (mask_ == Mask::same_length)
      out.append(end - std::max(at, run.begin), '*');
    else if (!after_mask_)
      out += "***";
    after_mask_ = true;
    at = end;
  }
  if (at < decided) {
    out.append(held_, at, decided - at);
    after_mask_ = false;
  }
  std::erase_if(runs_, [&](const Run& run) { return run.end <= decided; });
  for (auto& run : runs_) run = {std::max(run.begin, decided) - decided, run.end - decided};
  held_.erase(0, decided);
  scanned_ = held_.size();
  return out;
}

}  // namespace outpost::log
