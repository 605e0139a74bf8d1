#pragma once

#include "agent/base/result.hpp"
#include "agent/config/credentials.hpp"
#include "agent/config/settings.hpp"

#include <boost/json/object.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

/// What `outpost component` does: the other side of a topic, whose maker publishes components. Everything here blocks;
/// SIGINT and SIGTERM end it (Fault::cancelled), and doing it again goes on with it.
namespace outpost::daemon {

/// Who feeds, and where.
struct FeederAccess {
  config::Source source;            ///< How the server is reached.
  config::Credentials credentials;  ///< Of a feeder or a remoteci. The url says where, unless it is empty.
};

struct FeedFile {
  std::filesystem::path path;
  std::string name;  ///< As the component calls it: relative, with '/'.
  std::uint64_t size = 0;
};

/// The files of a list of files and directories: a file has its own name, those below a directory their paths in it.
/// unavailable: one is not there; refused: two would have one name, or one that hooks could not be given.
[[nodiscard]] Result<std::vector<FeedFile>> files_to_feed(const std::vector<std::filesystem::path>& paths);

struct FedFile {
  std::string id, name;
  std::uint64_t size = 0;
  bool found = false;  ///< It was at the server.
};

/// Hears how it goes.
struct FeedProgress {
  std::function<void(const FeedFile& file)> begins;
  std::function<void(std::size_t bytes)> bytes;  ///< So many more of it leave, again from its first when it is sent again.
  std::function<void(const FedFile& file)> sent;
  std::function<void(const std::string& why)> retries;  ///< Something is about to be tried again.
};

struct ComponentToFeed {
  std::string topic, type, name, version, url, uid, title, message, released_at;
  std::vector<std::string> tags;
  bool active = true;  ///< Agents see it, once its files are there.
};

struct Fed {
  boost::json::object component;  ///< The server's row.
  bool found = false;             ///< It was at the server.
  std::vector<FedFile> files;
};

/// Makes a component unless it is there, brings the files that are not there, and only then lets agents see it. Errors as
/// dci::Feeder's.
[[nodiscard]] Result<Fed> feed_component(const FeederAccess& access, const ComponentToFeed& component,
                                         const std::vector<FeedFile>& files, const FeedProgress& progress);

/// The same for a component that is there, by its id; whether agents see it stays as it is.
[[nodiscard]] Result<Fed> feed_files(const FeederAccess& access, const std::string& component,
                                     const std::vector<FeedFile>& files, const FeedProgress& progress);

}  // namespace outpost::daemon
