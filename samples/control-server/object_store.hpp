#pragma once

#include "agent/http/server.hpp"
#include "samples/control-server/body.hpp"
#include "samples/control-server/identity.hpp"
#include "samples/control-server/records.hpp"

#include <filesystem>
#include <optional>
#include <string>

namespace outpost::sample {

/// What the original leaves to S3: the bytes of files, behind presigned URLs that are good for ten minutes.
/// Objects are plain files below <data>/objects/<bucket>/<key>.
class ObjectStore {
 public:
  static constexpr std::string_view prefix = "/object-store/";

  ObjectStore(Records& records, std::filesystem::path root)
      : records_{records}, root_{std::move(root)}, secret_{new_secret()} {}

  struct Object {
    std::uint64_t size = 0;
    std::string etag;  ///< 32 hexadecimal digits, without quotes.
    std::string mime, modified;
  };
  Object put(const std::string& bucket, const std::string& key, Body& body, std::string_view mime);
  void remove(const std::string& bucket, const std::string& key);  ///< No matter whether it is there.
  [[nodiscard]] std::optional<Object> find(const std::string& bucket, const std::string& key);
  [[nodiscard]] std::filesystem::path path_of(const std::string& bucket, const std::string& key) const;

  /// A URL with an AWS signature (version 4, in the query) for one method, one object and 600 seconds.
  [[nodiscard]] std::string presigned_url(std::string_view method, const http::ServerRequest& request,
                                          const std::string& bucket, const std::string& key) const;

  /// GET and HEAD of a presigned URL, with Range. Errors are S3's: XML, 400 for two kinds of authentication at once,
  /// 403 for a missing, wrong or expired signature, 404, 416.
  [[nodiscard]] http::ServerResponse serve(const http::ServerRequest& request);

  bool https = false;  ///< Whether URLs of this server begin with https.

 private:
  [[nodiscard]] std::string signature(std::string_view method, std::string_view host, const std::string& path,
                                      const QueryArguments& arguments) const;
  /// Why a request may not have its object, if so.
  [[nodiscard]] std::optional<http::ServerResponse> refusal(const http::ServerRequest& request) const;

  Records& records_;
  std::filesystem::path root_;
  std::string secret_;
};

/// Splits "/object-store/<bucket>/<key>"; nothing for another form or a key with empty, "." or ".." parts.
[[nodiscard]] std::optional<std::pair<std::string, std::string>> bucket_and_key(std::string_view path);
/// The same rule for a key alone: it names a file below its directory.
[[nodiscard]] bool is_plain_key(std::string_view key);

}  // namespace outpost::sample
