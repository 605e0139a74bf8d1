#include "plugins/junit/mime.hpp"

#include "agent/base/text.hpp"

#include <array>

namespace outpost::junit {
namespace {

struct Type {
  std::string_view suffix, mime;
};

// The first that fits.
constexpr std::array types{
    Type{".gz", "application/x-gzip"},
    Type{".tgz", "application/x-gzip"},
    Type{".xz", "application/x-xz"},
    Type{".zst", "application/zstd"},
    Type{".bz2", "application/x-bzip2"},
    Type{".zip", "application/zip"},
    Type{".tar", "application/x-tar"},
    Type{".rpm", "application/x-rpm"},
    Type{".json", "application/json"},
    Type{".xml", "application/xml"},
    Type{".png", "image/png"},
    Type{".jpg", "image/jpeg"},
    Type{".jpeg", "image/jpeg"},
    Type{".svg", "image/svg+xml"},
    Type{".pdf", "application/pdf"},
    Type{".log", "text/plain"},
    Type{".txt", "text/plain"},
    Type{".html", "text/plain"},  // As text: the server shows it to people who did not write it.
    Type{".htm", "text/plain"},
    Type{".yaml", "text/plain"},
    Type{".yml", "text/plain"},
    Type{".trace", "text/plain"},
    Type{".pcap", "text/plain"},  // So the agents for OpenShift send it.
    Type{".csv", "text/plain"},
    Type{".md", "text/plain"},
    Type{".out", "text/plain"},
    Type{".err", "text/plain"},
    Type{".conf", "text/plain"},
    Type{".cfg", "text/plain"},
    Type{".ini", "text/plain"},
    Type{".sh", "text/plain"},
};

}  // namespace

std::string mime_of(std::string_view path) {
  const std::string name = to_lower(path.substr(path.rfind('/') + 1));
  if (name.starts_with("dci-extra") && name.ends_with(".json")) return "application/dci-analytics+json";
  for (const Type& type : types)
    if (name.ends_with(type.suffix) && name.size() > type.suffix.size()) return std::string{type.mime};
  return "application/octet-stream";
}

}  // namespace outpost::junit
