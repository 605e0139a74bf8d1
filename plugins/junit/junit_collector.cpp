#include "plugins/junit/junit_collector.hpp"

#include "agent/base/sync.hpp"
#include "agent/base/text.hpp"
#include "agent/files/safe_path.hpp"
#include "agent/job/stage.hpp"
#include "agent/pipeline/redaction.hpp"
#include "plugins/junit/attachments.hpp"
#include "plugins/junit/junit_comparison.hpp"
#include "plugins/junit/junit_merger.hpp"
#include "plugins/junit/leftover_files.hpp"
#include "plugins/junit/mime.hpp"
#include "plugins/junit/tap_conversion.hpp"
#include "plugins/junit/workspace_files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <utility>

namespace outpost::junit {
namespace {

namespace fs = std::filesystem;
using pipeline::Collected;

/// Looks through the directories of one step. Blocking; owns all it needs.
class Collection {
 public:
  Collection(const pipeline::Step& step, std::string step_id, pipeline::JobDirectory directory,
             const CollectorLimits& limits, log::Redactor redactor = {})
      : step_id_{std::move(step_id)}, directory_{std::move(directory)}, limits_{limits}, redactor_{std::move(redactor)}, junit_{step.rules.junit}, artifacts_{step.rules.artifacts} {
    const std::string_view stage = job::to_string(step.stage);
    prefix_ = std::string{stage} + "/" + step.plugin + "/";
    if (step.hook != stage) prefix_ += step.hook + "/";
    if (step.rules.merge.empty()) return;
    merged_ = prefix_ + step.rules.merge;
    names_.insert(merged_);
  }

  Result<Collected> run() {
    // The agent died between writing down that the step starts and starting it: there is nothing to collect.
    std::error_code unknown;
    if (fs::exists(directory_.root, unknown) && !fs::exists(directory_.step(step_id_), unknown) && !unknown)
      return std::move(collected_);
    take_from_workspace(junit_, directory_.results(step_id_), limits_.results);
    take_from_workspace(artifacts_, directory_.artifacts(step_id_), limits_.artifacts);
    const LeftoverFiles results = find_leftover_files(directory_.results(step_id_), limits_.results);
    const LeftoverFiles artifacts = find_leftover_files(directory_.artifacts(step_id_), limits_.artifacts);
    for (const LeftoverFiles* found : {&results, &artifacts})
      for (const std::string& warning : found->warnings) add_warning(collected_.warnings, warning);
    // Directories are synced for the files that an event will name; most steps leave none.
    if (results.files.empty() && artifacts.files.empty()) return nothing();
    for (const LeftoverFiles* found : {&results, &artifacts})
      for (const fs::path& visited : found->directories)
        if (auto synced = sync_directory(visited); !synced) return synced.error();
    for (const std::string& path : results.files) add_result(path);
    merge();
    for (const std::string& path : artifacts.files) add_artifact(directory_.artifacts(step_id_), path, path);
    for (const auto& [junit, named] : attachments_) add_attachment(junit, named);
    for (const fs::path& made : made_)
      if (auto synced = sync_directory(made); !synced) return synced.error();
    for (const fs::path& above : {directory_.step(step_id_), directory_.step(step_id_).parent_path(), directory_.root})
      if (auto synced = sync_directory(above); !synced) return synced.error();
    return std::move(collected_);
  }

  Result<pipeline::FoundResult> examine(const std::string& name, job::Blob blob) {
    auto opened = files::open_inside(directory_.root, blob.path);
    if (!opened) return opened.error();
    auto summary = read_junit(opened->get(), name, limits_.junit);
    if (!summary) return summary.error();
    if (!summary->is_junit)
      return Error{Fault::malformed, printable(name) + " is not JUnit" + (summary->well_formed ? ": its root is <" + printable(summary->root) + ">" : ": " + printable(summary->problem))};
    blob.mime = "application/junit";
    return found_result(unique_name(name), std::move(*summary), std::move(blob));
  }

  Result<pipeline::FoundResult> merge_blobs(const std::string& name, const std::vector<job::Blob>& parts, const fs::path& to) {
    const fs::path path = directory_.root / to, redacted = redacted_copy(path);
    ::unlink(redacted.c_str());  // Of an agent that died here.
    const Descriptor file{::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640)};
    if (!file.is_open()) return errno_error("cannot create", path.native(), errno);
    auto merged = write_merged(unique_name(name), parts, file, path);
    auto synced = merged ? sync_directory(path.parent_path()) : Result<void>{merged.error()};
    if (!synced || directory_.root / merged->blob.path != path) ::unlink(path.c_str());
    if (synced) return merged;
    ::unlink(redacted.c_str());
    return synced.error();
  }

 private:
  Result<Collected> nothing() {
    std::error_code error;
    const fs::path step = directory_.step(step_id_);
    if (!fs::is_directory(step, error))
      return errno_error("cannot look into", step.native(), error ? error.value() : ENOTDIR);
    return std::move(collected_);
  }

  void take_from_workspace(const std::vector<std::string>& patterns, const fs::path& destination, std::size_t limit) {
    if (patterns.empty()) return;
    for (auto& warning : copy_from_workspace(directory_.workspace(), patterns, destination, limit, limits_.artifact_bytes)) warn(std::move(warning));
  }

  void warn(std::string warning) { add_warning(collected_.warnings, std::move(warning)); }

  /// What a file without a step is without its secrets.
  static fs::path redacted_copy(const fs::path& path) { return path.native() + ".redacted"; }

  /// A file as it may leave the host.
  struct Published {
    fs::path path;
    pipeline::FileFacts facts;
    bool is_copy = false;
  };

  [[nodiscard]] std::string clean(const std::string& text) { return pipeline::hide_secrets(text, redactor_); }

  /// The file itself, synced, or where its content or path holds a secret a copy of ours without it.
  Result<Published> publish(int descriptor, const fs::path& path) {
    auto facts = pipeline::inspect_file(descriptor, path.native(), redactor_);
    if (!facts) return facts.error();
    const std::string below = path.lexically_relative(directory_.root).generic_string();
    if (!facts->has_secret && clean(below) == below) {
      if (::fsync(descriptor) != 0) return errno_error("cannot sync", path.native(), errno);
      return Published{path, std::move(*facts)};
    }
    const fs::path to = step_id_.empty() ? redacted_copy(path) : directory_.made(step_id_) / "redacted" / std::to_string(++redacted_) / clean(path.filename().native());
    auto made = step_id_.empty() ? open_new(to) : make_file(to);
    if (!made) return made.error();
    auto written = pipeline::write_redacted(descriptor, made->get(), path.native(), facts->is_binary, redactor_);
    if (!written) return written.error();
    return Published{to, std::move(*written), true};
  }

  /// An artifact's name without secrets; those that look alike then get numbers.
  std::string artifact_name(const std::string& name) {
    const std::string hidden = clean(name);
    std::string unique = hidden;
    if (hidden != name)
      for (unsigned number = 2; !masked_.insert(unique).second; ++number) unique = hidden + "." + std::to_string(number);
    return unique;
  }

  [[nodiscard]] job::Blob blob(const Published& published, std::string mime) const {
    job::Blob blob;
    blob.path = published.path.lexically_relative(directory_.root).generic_string();
    blob.sha256 = published.facts.sha256;
    blob.size = published.facts.size;
    blob.mime = std::move(mime);
    return blob;
  }

  void add_result(const std::string& path) {
    const fs::path root = directory_.results(step_id_);
    const std::string extension = fs::path{path}.extension().native();
    if (equal_ignoring_case(extension, ".tap")) add_tap(path);
    if (!equal_ignoring_case(extension, ".xml")) return add_artifact(root, path, "results/" + path);
    auto opened = files::open_inside(root, path);
    if (!opened) return warn(opened.error().message);
    auto published = publish(opened->get(), root / path);
    if (!published) return warn(published.error().message);
    auto summary = published->is_copy ? read_junit(published->path, limits_.junit) : read_junit(opened->get(), (root / path).native(), limits_.junit);
    if (!summary) return warn(summary.error().message);
    // What broke before its first element may well have been meant as a result.
    if (!summary->is_junit && (summary->well_formed || !summary->root.empty())) {
      warn(printable(path) + ": its root is <" + printable(summary->root) +
           ">, so it is not JUnit; kept as an artifact");
      return add_artifact(root, path, "results/" + path);
    }
    note(path, *summary);
    if (published->is_copy) {
      // Where the attachments lie only the file itself says: their paths may hold what is hidden in the copy.
      auto original = read_junit(opened->get(), (root / path).native(), limits_.junit);
      if (original) summary->attachments = std::move(original->attachments);
    }
    for (std::string& named : summary->attachments)
      if (attachments_.size() < limits_.attachments) attachments_.emplace_back(path, std::move(named));
    keep_result(path, std::move(*summary), blob(*published, "application/junit"));
  }

  /// A result of its own, or a part of the one that the plugin wants its files to be. What is broken stays by itself, so
  /// that people find the program that was stopped.
  void keep_result(const std::string& path, JunitSummary summary, job::Blob blob) {
    if (can_be_part(summary) && !merged_.empty()) return parts_.push_back({path, std::move(summary), std::move(blob)});
    collected_.results.push_back(found_result(unique_name(path), std::move(summary), std::move(blob)));
  }

  void merge() {
    if (parts_.size() == 1) {
      Part& only = parts_.front();
      collected_.results.push_back(found_result(merged_, std::move(only.summary), std::move(only.blob)));
    } else if (parts_.size() > 1) {
      auto whole = merge_parts();
      if (whole) return collected_.results.push_back(std::move(*whole));
      warn("its results are not merged: " + whole.error().message);
      for (Part& part : parts_) collected_.results.push_back(found_result(unique_name(part.path), std::move(part.summary), std::move(part.blob)));
    }
  }

  /// In the order of their paths, in a file of ours.
  Result<pipeline::FoundResult> merge_parts() {
    const fs::path to = directory_.made(step_id_) / "merged" / (fs::path{merged_}.filename().native() + ".xml");
    auto made = make_file(to);
    if (!made) return made.error();
    std::vector<job::Blob> blobs;
    for (const Part& part : parts_) blobs.push_back(part.blob);
    return write_merged(merged_, blobs, *made, to);
  }

  Result<pipeline::FoundResult> write_merged(const std::string& name, const std::vector<job::Blob>& parts, const Descriptor& file, const fs::path& to) {
    JunitMerger merger{file.get()};
    for (const job::Blob& part : parts) {
      auto opened = files::open_inside(directory_.root, part.path);
      if (!opened) return opened.error();
      if (auto added = merger.add(opened->get(), part.path); !added) return added.error();
    }
    if (auto written = merger.finish(to.native()); !written) return written.error();
    auto published = publish(file.get(), to);
    if (!published) return published.error();
    auto summary = read_junit(published->path, limits_.junit);
    if (!summary) return summary.error();
    if (!summary->well_formed) return Error{Fault::malformed, to.native() + ": " + summary->problem};
    return found_result(name, std::move(*summary), blob(*published, "application/junit"));
  }

  static bool can_be_part(const JunitSummary& summary) { return summary.well_formed && !summary.namespaced && !summary.root.empty(); }

  /// The document as JUnit, in a file of ours.
  void add_tap(const std::string& path) {
    const fs::path from = directory_.results(step_id_) / path;
    auto opened = files::open_inside(directory_.results(step_id_), path);
    if (!opened) return warn(opened.error().message);
    const fs::path to = directory_.made(step_id_) / "results" / (path + ".xml");
    auto made = make_file(to);
    if (!made) return warn(made.error().message);
    auto converted = convert_tap(opened->get(), from.native(), made->get(), fs::path{path}.stem().native(), limits_.tap);
    if (!converted) return warn(converted.error().message);
    for (const std::string& note : converted->notes) warn(printable(path) + ": " + note);
    auto published = publish(made->get(), to);
    if (!published) return warn(published.error().message);
    auto summary = read_junit(published->path, limits_.junit);
    if (!summary) return warn(summary.error().message);
    if (!converted->problem.empty())
      warn(printable(path) + ": not read to its end: " + converted->problem);
    keep_result(path, std::move(*summary), blob(*published, "application/junit"));
  }

  /// A copy of it: the workspace goes before everything is delivered.
  void add_attachment(const std::string& junit, const std::string& named) {
    const auto say = [&](const std::string& why) { warn(printable(junit) + ": attachment " + printable(named, 300) + " left out: " + why); };
    auto found = find_attachment(directory_, step_id_, junit, named);
    if (!found) return say(found.error().message);
    if (found->collected || !names_.insert(found->name).second) return;
    const fs::path to = directory_.made(step_id_) / found->name;
    auto made = make_file(to);
    if (!made) return say(made.error().message);
    if (auto copied = copy_file(found->file.get(), made->get(), limits_.artifact_bytes); !copied) {
      std::error_code ignored;
      fs::remove(to, ignored);
      return say(copied.error().message);
    }
    auto published = publish(made->get(), to);
    if (!published) return say(published.error().message);
    collected_.artifacts.push_back({artifact_name(found->name), blob(*published, mime_of(found->name))});
  }

  /// A new file for reading and writing in the step's directory "made", which is emptied first of what a step, or an agent
  /// that died here, has left there.
  Result<Descriptor> make_file(const fs::path& path) {
    std::error_code error;
    if (made_.empty()) {
      fs::remove_all(directory_.made(step_id_), error);
      if (!error) fs::create_directory(directory_.made(step_id_), error);
    }
    if (!error) fs::create_directories(path.parent_path(), error);
    if (error) return errno_error("cannot create", path.parent_path().native(), error.value());
    for (fs::path folder = path.parent_path(); folder != directory_.step(step_id_); folder = folder.parent_path()) made_.insert(folder);
    return open_new(path);
  }

  static Result<Descriptor> open_new(const fs::path& path) {
    Descriptor file{::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640)};
    if (!file.is_open()) return errno_error("cannot create", path.native(), errno);
    return file;
  }

  void note(const std::string& path, const JunitSummary& summary) {
    const std::string name = printable(path);
    if (!summary.well_formed)
      warn(name + ": broken XML (" + printable(summary.problem) + "); the program that wrote it may have been stopped");
    if (summary.namespaced) warn(name + ": its elements are in an XML namespace, so the server counts no tests in it");
  }

  static pipeline::FoundResult found_result(std::string name, JunitSummary summary, job::Blob blob) {
    pipeline::FoundResult result;
    result.name = std::move(name);
    result.blob = std::move(blob);
    result.well_formed = summary.well_formed;
    result.can_be_part = can_be_part(summary);
    result.problem = std::move(summary.problem);
    result.total = summary.total;
    result.success = summary.success;
    result.failures = summary.failures;
    result.errors = summary.errors;
    result.skips = summary.skips;
    result.time_ms = summary.time_ms;
    result.failed = std::move(summary.failed);
    result.flaky = summary.flaky;
    result.flaky_names = std::move(summary.flaky_names);
    return result;
  }

  /// Two results of one name make the server fail at the *next* job's comparison.
  std::string unique_name(const std::string& path) {
    const bool plain = path.ends_with(".xml") || path.ends_with(".tap");
    std::string name = prefix_ + clean(plain ? path.substr(0, path.size() - 4) : path);
    while (!names_.insert(name).second) name += path.ends_with(".tap") ? ".tap" : ".xml";
    return name;
  }

  void add_artifact(const fs::path& root, const std::string& path, const std::string& name) {
    auto opened = files::open_inside(root, path);
    if (!opened) return warn(opened.error().message);
    std::error_code code;
    if (const auto size = fs::file_size(root / path, code); !code && size > limits_.artifact_bytes)
      return warn(printable((root / path).native()) + ": left out, " + std::to_string(size) +
                  " bytes, above the limit of " + std::to_string(limits_.artifact_bytes) + " bytes");
    auto published = publish(opened->get(), root / path);
    if (!published) return warn(published.error().message);
    collected_.artifacts.push_back({artifact_name(name), blob(*published, mime_of(path))});
  }

  /// A result that becomes a part of another.
  struct Part {
    std::string path;
    JunitSummary summary;
    job::Blob blob;
  };

  std::string step_id_;  ///< "": of what was handed over, wherever that lies.
  pipeline::JobDirectory directory_;
  CollectorLimits limits_;
  log::Redactor redactor_;
  unsigned redacted_ = 0;  ///< Copies of files.
  std::set<std::string> masked_;  ///< Names of artifacts that held a secret.
  std::vector<std::string> junit_, artifacts_;  ///< Of the workspace.
  std::string prefix_;
  std::string merged_;  ///< What the result is called that all are merged into; empty: each is its own.
  std::vector<Part> parts_;
  std::set<std::string> names_;  ///< Of results and attachments.
  std::set<fs::path> made_;      ///< Directories of ours.
  std::vector<std::pair<std::string, std::string>> attachments_;  ///< The JUnit file that names it, and how.
  Collected collected_;
};

void compare_all(std::vector<pipeline::FoundResult>& results, const pipeline::JobDirectory& directory,
                 const pipeline::PreviousResults& previous, const JunitLimits& limits) {
  for (auto& result : results) {
    const auto before = previous.files.find(result.name);
    if (before == previous.files.end()) continue;
    auto comparison = compare_junit(directory.root / result.blob.path, previous.directory / before->second, limits);
    if (!comparison) continue;
    result.comparison = std::move(*comparison);
    result.comparison->job_id = previous.job_id;
  }
}

}  // namespace

boost::asio::awaitable<Result<pipeline::FoundResult>> JunitCollector::examine(pipeline::Step step, std::string name,
                                                                              job::Blob blob, pipeline::JobDirectory directory) {
  Collection collection{step, {}, std::move(directory), limits_};
  auto work = [collection = std::move(collection), name = std::move(name), blob = std::move(blob)]() mutable {
    return collection.examine(name, std::move(blob));
  };
  co_return co_await workers_.run(std::move(work));
}

boost::asio::awaitable<Result<pipeline::FoundResult>> JunitCollector::merge(pipeline::Step step, std::string name, std::vector<job::Blob> parts,
                                                                            fs::path to, pipeline::JobDirectory directory, log::Redactor redactor) {
  Collection collection{step, {}, std::move(directory), limits_, std::move(redactor)};
  auto work = [collection = std::move(collection), name = std::move(name), parts = std::move(parts), to = std::move(to)]() mutable {
    return collection.merge_blobs(name, parts, to);
  };
  co_return co_await workers_.run(std::move(work));
}

boost::asio::awaitable<Result<Collected>> JunitCollector::collect(pipeline::Step step, std::string step_id,
                                                                  pipeline::JobDirectory directory, log::Redactor redactor) {
  Collection collection{step, std::move(step_id), std::move(directory), limits_, std::move(redactor)};
  auto work = [collection = std::move(collection)]() mutable { return collection.run(); };
  co_return co_await workers_.run(std::move(work));
}

boost::asio::awaitable<std::vector<pipeline::FoundResult>> JunitCollector::compare(std::vector<pipeline::FoundResult> results,
                                                                                   pipeline::JobDirectory directory,
                                                                                   pipeline::PreviousResults previous) {
  auto work = [results = std::move(results), directory = std::move(directory), previous = std::move(previous),
               limits = limits_.junit]() mutable {
    compare_all(results, directory, previous, limits);
    return std::move(results);
  };
  co_return co_await workers_.run(std::move(work));
}

}  // namespace outpost::junit
