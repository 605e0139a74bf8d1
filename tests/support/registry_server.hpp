#pragma once

#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"

#include "support/background_process.hpp"
#include "support/temporary_directory.hpp"

#include <memory>
#include <string>

namespace outpost::test {

/// Debian's docker-registry on a port of loopback, with what was pushed to it kept while it is down.
class RegistryServer {
 public:
  /// With `login`, it wants the user "bot" with the password "secret".
  explicit RegistryServer(bool login = false) : login_{login} { start(); }

  [[nodiscard]] const std::string& host() const { return host_; }
  void stop() { process_.reset(); }
  void start() {
    const std::string address = host_.empty() ? "127.0.0.1:0" : host_;
    std::string text = "version: 0.1\nlog: {level: info}\nstorage: {filesystem: {rootdirectory: " +
                       (directory_.path / "data").string() + "}}\nhttp: {addr: \"" + address + "\"}\n";
    if (login_) {
      write_file(directory_.path / "users", "bot:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n");
      text += "auth: {htpasswd: {realm: test, path: " + (directory_.path / "users").string() + "}}\n";
    }
    write_file(directory_.path / "config.yml", text);
    process_ = std::make_unique<BackgroundProcess>(
        std::vector<std::string>{"docker-registry", "serve", (directory_.path / "config.yml").string()},
        "listening on ");
    const auto& line = process_->line();
    const auto begin = line.find("127.0.0.1:");
    host_ = line.substr(begin, line.find_first_not_of("0123456789.:", begin) - begin);
  }

 private:
  bool login_;
  TemporaryDirectory directory_;
  std::string host_;
  std::unique_ptr<BackgroundProcess> process_;
};

/// Images as skopeo's `dir:` keeps them.
class ImageDirectory {
 public:
  TemporaryDirectory directory;

  /// One image of a platform; `content` makes it different from others. Returns its manifest's digest.
  std::string add_image(const std::string& architecture, const std::string& content, const std::string& file) {
    // An empty tar, compressed by gzip.
    static constexpr unsigned char empty_layer[] = {31,  139, 8, 0, 0, 9, 110, 136, 0,  255, 98,  24,  5, 163, 96, 20,
                                                    140, 88,  0, 8, 0, 0, 255, 255, 46, 175, 181, 239, 0, 4,   0,  0};
    const std::string layer{reinterpret_cast<const char*>(empty_layer), sizeof empty_layer};
    const std::string config =
        R"({"architecture":")" + architecture + R"(","os":"linux","config":{"Labels":{"content":")" + content +
        R"("}},"rootfs":{"type":"layers","diff_ids":["sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"]},"history":[{"created_by":"test"}]})";
    const std::string manifest =
        R"({"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":)" +
        std::to_string(config.size()) + R"(,"digest":"sha256:)" + keep(config) +
        R"("},"layers":[{"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip","size":)" +
        std::to_string(layer.size()) + R"(,"digest":"sha256:)" + keep(layer) + R"("}]})";
    write_file(directory.path / (file.empty() ? sha256_hex(manifest) + ".manifest.json" : file), manifest);
    write_file(directory.path / "version", "Directory Transport Version: 1.1\n");
    return add_size_of(manifest);
  }
  /// A list of two platforms.
  void add_list(const std::string& content) {
    std::string entries;
    for (const std::string architecture : {"amd64", "ppc64le"}) {
      const std::string digest = add_image(architecture, content, {});
      entries +=
          (entries.empty() ? "" : ",") +
          (R"({"mediaType":"application/vnd.docker.distribution.manifest.v2+json","size":)" + std::to_string(size_) +
           R"(,"digest":")" + digest + R"(","platform":{"architecture":")" + architecture + R"(","os":"linux"}})");
    }
    write_file(
        directory.path / "manifest.json",
        R"({"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.list.v2+json","manifests":[)" +
            entries + "]}");
  }
  [[nodiscard]] std::string reference() const { return "dir:" + directory.path.string(); }

 private:
  std::string keep(const std::string& blob) {
    write_file(directory.path / sha256_hex(blob), blob);
    return sha256_hex(blob);
  }
  std::string add_size_of(const std::string& manifest) {
    size_ = manifest.size();
    return "sha256:" + sha256_hex(manifest);
  }

  std::size_t size_ = 0;
};

}  // namespace outpost::test
