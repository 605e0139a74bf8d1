#pragma once

#include "agent/base/workers.hpp"
#include "plugins/dci/api.hpp"
#include "plugins/dci/dci.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace outpost::dci {

/// The server calls a component's file by its id. Ours puts what it is called into the component's data: an object of
/// names by ids at this key, which ComponentFiles reads.
inline constexpr std::string_view file_names = "outpost_file_names";

/// A component as its maker describes it.
struct NewComponent {
  std::string topic, type, name;  ///< The topic's name; `name` is what people call it: "ACME Storage 1.0".
  std::string version, url, uid, title, message, released_at;  ///< Empty: as the server makes them up.
  std::vector<std::string> tags;
};

/// The other side of a topic: makes components and brings their files (protocol §7). Everything is looked for before it
/// is sent, so that doing it again, after whatever went wrong, doubles nothing. What a moment may cure is tried again.
class Feeder {
 public:
  struct Options {
    unsigned attempts = 5;
    std::chrono::milliseconds backoff = std::chrono::seconds{1};  ///< After the first; then twice as long each time.
    std::function<void(const std::string& why)> retries;          ///< Told before each wait.
  };
  /// Client, workers and clock outlive the result. malformed: the url.
  static Result<Feeder> make(const Server& server, http::Client& client, Workers& workers, const Clock& clock,
                             Options options);

  struct Made {
    boost::json::object component;  ///< The server's row.
    bool found = false;             ///< It was there.
  };
  /// The component of that topic, type, name and version; made when it is not there, and inactive then. That of a feeder
  /// is for all who see the topic, that of a remoteci for its team. refused: no such topic, or we may not.
  boost::asio::awaitable<Result<Made>> create(NewComponent wanted) const;

  struct Sent {
    std::string id;
    std::uint64_t size = 0;
    bool found = false;  ///< It was there.
  };
  /// Brings a file to a component, which calls it `name` (a relative path). refused: it is too large for the server, or
  /// the component is not there.
  boost::asio::awaitable<Result<Sent>> upload(std::string component, std::filesystem::path file, std::string name) const;

  /// Lets agents see it; the row afterwards.
  boost::asio::awaitable<Result<boost::json::object>> publish(std::string component) const;

  /// The row of a component, by its id. malformed: that is no id.
  boost::asio::awaitable<Result<boost::json::object>> component(std::string id) const;

 private:
  using Row = boost::json::object;
  using Change = std::function<void(const Row& now, Row& change)>;  ///< Leaves `change` empty: nothing to do.
  struct LocalFile;

  Feeder(Api api, Workers& workers, const Clock& clock, Options options)
      : api_{std::move(api)}, workers_{&workers}, clock_{&clock}, options_{std::move(options)} {}

  boost::asio::awaitable<bool> wait_after(const Judged& judged, unsigned attempt) const;
  boost::asio::awaitable<Reply> ask(Call call) const;
  boost::asio::awaitable<Result<std::string>> topic_id(std::string name) const;
  boost::asio::awaitable<Result<std::string>> team() const;
  boost::asio::awaitable<Result<Row>> find(const NewComponent& wanted, std::string topic, std::string team) const;
  boost::asio::awaitable<Result<std::string>> find_file(const std::string& component, const LocalFile& file) const;
  boost::asio::awaitable<Result<Row>> change(std::string component, Change edit) const;
  boost::asio::awaitable<Result<std::string>> send_file(const std::string& component, const LocalFile& file, bool& found) const;

  Api api_;
  Workers* workers_;
  const Clock* clock_;
  Options options_;
};

}  // namespace outpost::dci
