#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/cli/commands.hpp"
#include "agent/cli/daemon_call.hpp"
#include "agent/cli/shown.hpp"
#include "agent/cli/terminal.hpp"
#include "agent/config/credentials.hpp"
#include "agent/config/load.hpp"
#include "agent/config/small_file.hpp"
#include "agent/daemon/client.hpp"
#include "agent/daemon/feeding.hpp"
#include "agent/daemon/server_view.hpp"
#include "agent/job/event.hpp"

#include <boost/json/array.hpp>

#include <unistd.h>

#include <functional>
#include <iostream>
#include <optional>
#include <vector>

namespace outpost::cli {
namespace {

constexpr std::size_t largest_credentials = 64 * 1024;
constexpr std::size_t bar_length = 20;

/// The identity that the environment has, as it is after `. dcirc.sh`.
std::optional<std::string> credentials_of(const config::Environment& environment) {
  std::string text;
  for (const char* name : {"DCI_CLIENT_ID", "DCI_API_SECRET", "DCI_CS_URL"}) {
    const auto found = environment.find(name);
    if (found != environment.end() && !found->second.empty()) text += std::string{name} + "='" + found->second + "'\n";
  }
  if (text.find("DCI_CLIENT_ID") == std::string::npos || text.find("DCI_API_SECRET") == std::string::npos) return {};
  return text;
}

/// Credentials are as a part of the configuration is, whose messages are whole lines.
Error unusable(const Error& error) { return {Fault::malformed, "outpost: " + error.message + "\n"}; }

/// The source that says how the server is reached. Who brings credentials need not have a configuration.
Result<config::Source> source_for(const ComponentOptions& options, bool has_credentials) {
  std::error_code ignored;
  if (options.source.empty() && !std::filesystem::exists(options.config, ignored)) {
    if (has_credentials) return config::Source{.name = "feeder", .type = "dci"};
    return Error{Fault::malformed,
                 "outpost: nobody to publish as: give --credentials FILE, or read a dcirc.sh into the environment; there "
                 "is no configuration " +
                     printable(options.config.native()) + " either\n"};
  }
  const auto loaded = config::load(options.config, config::environment_of(environ), daemon::source_types());
  if (!loaded) return Error{Fault::malformed, loaded.error().text()};
  const auto source = daemon::source_named(loaded->settings, options.source);
  if (!source && has_credentials && options.source.empty()) return config::Source{.name = "feeder", .type = "dci"};
  if (!source) return unusable(source.error());
  if ((*source)->type != "dci")
    return unusable({Fault::refused, "source " + printable((*source)->name) + " is of type " + (*source)->type +
                                         ": only a DCI control server takes components"});
  return **source;
}

Result<daemon::FeederAccess> access_of(const ComponentOptions& options) {
  const auto environment = config::environment_of(environ);
  std::optional<std::string> text;
  std::string name = "the environment";
  if (!options.credentials.empty()) {
    auto content = config::read_small_file(options.credentials, largest_credentials, config::Privacy::secret);
    if (!content) return unusable(content.error());
    text = std::move(*content);
    name = printable(options.credentials.native());
  } else {
    text = credentials_of(environment);
  }
  auto source = source_for(options, text.has_value());
  if (!source) return source.error();
  auto credentials = text ? config::parse_credentials(*text, name)
                          : config::read_credentials(*source, config::credentials_directory(environment));
  if (!credentials) return unusable(credentials.error());
  if (credentials->url.empty()) credentials->url = source->url;
  return daemon::FeederAccess{std::move(*source), std::move(*credentials)};
}

std::string shown(const daemon::FedFile& file) {
  return printable(file.name) + "  " + format_size(file.size) + (file.found ? ", there already" : ", uploaded");
}

/// A bar on a terminal, and a line for each file where people read.
class Reporting {
 public:
  Reporting(std::size_t files, bool quiet) : files_{files}, quiet_{quiet} {}

  daemon::FeedProgress progress() {
    return {.begins =
                [this](const auto& file) {
                  file_ = file;
                  bytes_ = 0;
                },
            .bytes =
                [this](std::size_t bytes) {
                  bytes_ = bytes_ >= file_.size ? bytes : bytes_ + bytes;
                  line_.show(bar(bytes_, file_.size, bar_length) + "  " + std::to_string(done_ + 1) + " of " +
                             counted(files_, "file") + "  " + printable(file_.name, 60) + "  " + format_size(bytes_) +
                             " of " + format_size(file_.size));
                },
            .sent =
                [this](const auto& file) {
                  ++done_;
                  line_.clear();
                  if (!quiet_) std::cout << "  " << shown(file) << "\n" << std::flush;
                },
            .retries =
                [this](const std::string& why) {
                  bytes_ = 0;
                  line_.clear();
                  std::cerr << "trying again: " << printable(why, 300) << "\n";
                }};
  }
  void end() { line_.clear(); }

 private:
  ProgressLine line_;
  daemon::FeedFile file_;
  std::uint64_t bytes_ = 0;
  std::size_t files_, done_ = 0;
  bool quiet_;
};

int conclude(const Result<daemon::Fed>& fed, std::string_view schema, bool as_json) {
  if (!fed)
    return fail(fed.error(), fed.error().fault == Fault::retry_later ? exit_no_server
                             : fed.error().fault == Fault::malformed ? exit_usage
                                                                     : exit_negative);
  const auto& row = fed->component;
  if (as_json) {
    boost::json::array files;
    for (const auto& file : fed->files)
      files.push_back({{"id", file.id}, {"name", file.name}, {"bytes", file.size}, {"found", file.found}});
    print_document(schema, {{"component", row}, {"found", fed->found}, {"files", std::move(files)}});
    return exit_ok;
  }
  std::cout << printable(job::text_at(row, "id")) << "  " << printable(job::text_at(row, "display_name"))
            << (schema == "outpost-component-create" ? fed->found ? ", there already" : ", created" : "")
            << (job::text_at(row, "state") == "inactive" ? ", inactive: agents do not see it yet" : "") << "\n";
  return exit_ok;
}

using Feeding = std::function<Result<daemon::Fed>(const daemon::FeederAccess& access, const std::vector<daemon::FeedFile>& files, const daemon::FeedProgress& progress)>;

int feed(const ComponentOptions& options, std::string_view schema, const Feeding& feeding) {
  const auto files = daemon::files_to_feed(options.files);
  if (!files) return fail(files.error(), exit_usage);
  const auto access = access_of(options);
  if (!access) return fail(access.error(), exit_configuration);
  Reporting reporting{files->size(), options.as_json};
  const auto fed = feeding(*access, *files, reporting.progress());
  reporting.end();
  return conclude(fed, schema, options.as_json);
}

}  // namespace

int create_component(const ComponentOptions& options) {
  const daemon::ComponentToFeed wanted{.topic = options.topic,
                                       .type = options.type,
                                       .name = options.name,
                                       .version = options.version,
                                       .url = options.url,
                                       .uid = options.uid,
                                       .title = options.title,
                                       .message = options.message,
                                       .released_at = options.released_at,
                                       .tags = options.tags,
                                       .active = !options.inactive};
  return feed(options, "outpost-component-create",
              [&](const auto& access, const auto& files, const auto& progress) { return daemon::feed_component(access, wanted, files, progress); });
}

int upload_to_component(const ComponentOptions& options) {
  return feed(options, "outpost-component-upload",
              [&](const auto& access, const auto& files, const auto& progress) { return daemon::feed_files(access, options.component, files, progress); });
}

}  // namespace outpost::cli
