#include "plugins/dlrn/promoter/containers_place.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"
#include "agent/job/event.hpp"
#include "plugins/dlrn/promoter/container_list.hpp"
#include "plugins/dlrn/promoter/image_list.hpp"

namespace outpost::promoter {

namespace asio = boost::asio;
namespace json = boost::json;

namespace {

/// Images named in an error; a build that did not run lacks all of them.
constexpr std::size_t names_shown = 5;

std::string shown(std::vector<std::string> names) {
  const std::size_t more = names.size() > names_shown ? names.size() - names_shown : 0;
  names.resize(names.size() - more);
  return join(names, ", ") + (more ? " and " + std::to_string(more) + " more" : "");
}

/// What look() keeps: {images: [names], platforms: of the lists that are made, tags: {"host/namespace/image": digest or ""}}
std::string key_of(const Registry& registry, const std::string& image) {
  return registry.host + "/" + registry.name_space + "/" + image;
}

}  // namespace

std::string ImageAt::text() const {
  const bool is_digest = tag.starts_with("sha256:");
  return registry.host + "/" + registry.name_space + "/" + image + (is_digest ? "@" : ":") + tag;
}

std::vector<Registry> ContainersPlace::everywhere() const {
  std::vector<Registry> all{release_.containers->source};
  all.insert(all.end(), release_.containers->targets.begin(), release_.containers->targets.end());
  return all;
}

asio::awaitable<Result<std::vector<std::string>>> ContainersPlace::lacking(std::vector<std::string> images,
                                                                           std::string tag) {
  std::vector<std::string> missing;
  for (const auto& image : images) {
    ImageAt at{release_.containers->source, image, tag};
    const auto found = co_await registries_.digest(std::move(at));
    if (!found) co_return found.error();
    if (!*found) missing.push_back(image);
  }
  co_return missing;
}

Error ContainersPlace::not_there(const std::vector<std::string>& missing, std::size_t of, const std::string& tag) const {
  const Registry& source = release_.containers->source;
  return {Fault::unavailable, std::to_string(missing.size()) + " of " + std::to_string(of) + " images have no tag " + tag +
                                  " in " + source.host + "/" + source.name_space + ": " + shown(missing)};
}

asio::awaitable<Result<std::vector<std::string>>> ContainersPlace::platforms(std::vector<std::string> images,
                                                                             std::string hash) {
  std::vector<std::string> there;
  for (const auto& platform : release_.containers->platforms) {
    const std::string tag = hash + "_" + platform;
    const auto missing = co_await lacking(images, tag);
    if (!missing) co_return missing.error();
    if (missing->empty()) there.push_back(platform);
    else if (there.empty()) co_return not_there(*missing, images.size(), tag);
  }
  co_return there;
}

asio::awaitable<Result<std::vector<std::string>>> ContainersPlace::check(Move move) {
  const auto images = co_await list_containers(client_, release_, move.candidate, move.from);
  if (!images) co_return images.error();
  const std::string hash = move.candidate.full_hash();
  const auto missing = co_await lacking(*images, hash);
  if (!missing) co_return missing.error();
  if (!missing->empty()) co_return not_there(*missing, images->size(), hash);
  const auto listed = co_await platforms(*images, hash);
  if (!listed) co_return listed.error();
  std::vector<std::string> lines;
  const std::string count = std::to_string(images->size()) + " images: ";
  for (const auto& target : release_.containers->targets)
    lines.push_back(count + "copy " + hash + " to " + target.host + "/" + target.name_space);
  for (const auto& target : release_.containers->targets)
    if (!listed->empty())
      lines.push_back(count + "list " + join(*listed, ", ") + " as " + hash + "_manifest in " + target.host + "/" +
                      target.name_space);
  for (const auto& registry : everywhere())
    lines.push_back(count + "tag " + move.to + " := " + move.candidate.full_hash() + " in " + registry.host + "/" +
                    registry.name_space);
  co_return lines;
}

asio::awaitable<Result<json::object>> ContainersPlace::look(Move move) {
  const auto images = co_await list_containers(client_, release_, move.candidate, move.from);
  if (!images) co_return images.error();
  json::object tags;
  for (const auto& registry : everywhere())
    for (const auto& image : *images) {
      ImageAt at{registry, image, move.to};
      const auto found = co_await registries_.digest(std::move(at));
      if (!found) co_return found.error();
      tags[key_of(registry, image)] = found->value_or("");
    }
  const auto listed = co_await platforms(*images, move.candidate.full_hash());
  if (!listed) co_return listed.error();
  json::object before{{"platforms", json::array(listed->begin(), listed->end())}, {"images", json::array(images->begin(), images->end())}, {"tags", std::move(tags)}};
  co_return before;
}

asio::awaitable<Result<void>> ContainersPlace::copy_if_different(ImageAt from, ImageAt to) {
  const auto wanted = co_await registries_.digest(from);
  if (!wanted) co_return wanted.error();
  if (!*wanted) co_return Error{Fault::refused, from.text() + " is not there any more"};
  auto there = co_await registries_.digest(to);
  if (!there) co_return there.error();
  if (*there == *wanted) co_return Result<void>{};
  auto copied = co_await registries_.copy(from, to);
  if (!copied) co_return copied;
  there = co_await registries_.digest(to);
  if (!there) co_return there.error();
  if (*there != *wanted)
    co_return Error{Fault::refused,
                    to.text() + " is " + there->value_or("not there") + " after the copy, instead of " + **wanted};
  co_return Result<void>{};
}

asio::awaitable<Result<void>> ContainersPlace::make_list(Registry target, std::string image, std::string hash,
                                                         std::vector<std::string> platforms) {
  std::vector<PlatformImage> parts;
  for (const auto& platform : platforms) {
    ImageAt from{release_.containers->source, image, hash + "_" + platform}, to{target, image, from.tag};
    auto copied = co_await copy_if_different(from, to);
    if (!copied) co_return copied;
    auto manifest = co_await registries_.manifest(to);
    if (!manifest) co_return manifest.error();
    parts.push_back({platform, *std::move(manifest)});
  }
  const ImageAt at{target, image, hash + "_manifest"};
  const auto list = make_image_list(parts, at.text());
  if (!list) co_return list.error();
  const auto there = co_await registries_.digest(at);
  if (!there) co_return there.error();
  if (*there == "sha256:" + sha256_hex(*list)) co_return Result<void>{};
  std::string content = *list;
  co_return co_await registries_.put_list(std::move(content), at);
}

asio::awaitable<Result<void>> ContainersPlace::move(Move move, json::object before) {
  const std::string hash = move.candidate.full_hash();
  const auto images = job::texts_at(before, "images"), listed = job::texts_at(before, "platforms");
  for (const auto& target : release_.containers->targets)
    for (const auto& image : images) {
      ImageAt from{release_.containers->source, image, hash}, to{target, image, hash};
      auto copied = co_await copy_if_different(std::move(from), std::move(to));
      if (!copied) co_return copied;
      if (listed.empty()) continue;
      auto made = co_await make_list(target, image, hash, listed);
      if (!made) co_return made;
    }
  for (const auto& registry : everywhere())
    for (const auto& image : images) {
      ImageAt from{registry, image, hash}, to{registry, image, move.to};
      auto tagged = co_await copy_if_different(std::move(from), std::move(to));
      if (!tagged) co_return tagged;
    }
  co_return Result<void>{};
}

asio::awaitable<Result<void>> ContainersPlace::restore(Move move, json::object before) {
  const auto* kept = before.if_contains("tags");
  const json::object tags = kept && kept->is_object() ? kept->get_object() : json::object{};
  std::vector<std::string> new_ones;
  for (const auto& registry : everywhere())
    for (const auto& image : job::texts_at(before, "images")) {
      const ImageAt label{registry, image, move.to}, hash{registry, image, move.candidate.full_hash()};
      const auto now = co_await registries_.digest(label);
      if (!now) co_return now.error();
      const auto candidate = co_await registries_.digest(hash);
      if (!candidate) co_return candidate.error();
      const std::string was = job::text_at(tags, key_of(registry, image));
      // Not ours, or not moved, or the same image in both hashes.
      if (!*now || *now != *candidate || **now == was) continue;
      if (was.empty()) {
        new_ones.push_back(label.text());
        continue;
      }
      const ImageAt old{registry, image, was};
      auto copied = co_await registries_.copy(old, label);
      if (!copied) co_return copied;
    }
  // To delete a tag is to delete its manifest in most registries, and with it the tag of the hash.
  if (!new_ones.empty())
    co_return Error{Fault::refused, "these tags are new, and are left: " + shown(std::move(new_ones))};
  co_return Result<void>{};
}

}  // namespace outpost::promoter
