#include "plugins/dlrn/build_hash.hpp"

#include "agent/base/text.hpp"

#include <algorithm>

namespace outpost::dlrn {
namespace {

bool is_hex(std::string_view text, std::size_t size) {
  const auto digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return text.size() == size && std::all_of(text.begin(), text.end(), digit);
}

std::string sharded(std::string_view hash) {
  return std::string{hash.substr(0, 2)} + '/' + std::string{hash.substr(2, 2)} + '/';
}

}  // namespace

bool is_commit_hash(std::string_view text) { return is_hex(text, 40); }

bool is_aggregate_hash(std::string_view text) { return is_hex(text, 32); }

std::string to_string(const BuildHash& hash) {
  std::string text = hash.commit + '_' + hash.distro;
  if (!hash.extended.empty()) text += '_' + hash.extended;
  return text;
}

std::string directory_name(const BuildHash& hash) {
  // Two hashes of 40 digits with a line between them; anything shorter is named by its beginning alone.
  constexpr std::size_t two_hashes = 49, second = 41, shown = 8;
  std::string name = hash.commit;
  if (!hash.distro.empty()) name += '_' + hash.distro.substr(0, shown);
  if (!hash.extended.empty()) name += '_' + hash.extended.substr(0, shown);
  if (hash.extended.size() >= two_hashes) name += '_' + hash.extended.substr(second, shown);
  return name;
}

std::string url_of(std::string_view tree, std::string_view component, const BuildHash& hash) {
  std::string url{tree};
  if (!component.empty()) url += "/component/" + percent_encode(component);
  // An extended hash may be any text.
  return url + '/' + sharded(hash.commit) + percent_encode(directory_name(hash));
}

std::string url_of_aggregate(std::string_view tree, std::string_view label, std::string_view aggregate) {
  return std::string{tree} + '/' + percent_encode(label) + '/' + sharded(aggregate) + std::string{aggregate};
}

}  // namespace outpost::dlrn
