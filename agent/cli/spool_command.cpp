#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/cli/commands.hpp"
#include "agent/cli/exit_codes.hpp"
#include "agent/cli/shown.hpp"
#include "agent/cli/terminal.hpp"
#include "agent/config/load.hpp"
#include "agent/daemon/client.hpp"
#include "agent/daemon/spool.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <unistd.h>
#include <iostream>
#include <optional>

namespace outpost::cli {
namespace {

constexpr std::size_t most_shown = 20;  ///< Parked items; the rest are counted.

std::optional<config::Settings> settings_of(const std::filesystem::path& file) {
  const auto types = daemon::source_types();
  auto loaded = config::load(file, config::environment_of(environ), types);
  if (loaded) return std::move(loaded->settings);
  std::cerr << loaded.error().text();
  return std::nullopt;
}

int complain(const Error& error) {
  std::cerr << "outpost: " << printable(error.message) << "\n";
  return error.fault == Fault::malformed ? exit_usage : exit_negative;
}

std::string describe(const daemon::ImportProgress& progress, std::uint64_t size) {
  using Phase = daemon::ImportProgress::Phase;
  if (progress.phase == Phase::verifying) return "checking: " + format_size(progress.done) + " of " + format_size(size);
  const std::string items = std::to_string(progress.done) + " of " + counted(progress.total, "item");
  if (progress.phase == Phase::unpacking) return "unpacking: " + items;
  return items + (progress.trouble.empty() ? "" : "; trying again: " + printable(progress.trouble, 200));
}

void print_parked(const std::vector<journal::Delivery>& parked) {
  std::cout << counted(parked.size(), "item") << " cannot be delivered:\n";
  for (std::size_t index = 0; index < parked.size() && index < most_shown; ++index)
    std::cout << "  " << printable(parked[index].item.key) << ": " << printable(parked[index].reason) << "\n";
  if (parked.size() > most_shown) std::cout << "  and " << parked.size() - most_shown << " more\n";
}

/// What programs are told of an archive.
boost::json::object shown_manifest(const delivery::SpoolManifest& manifest) {
  return {{"reporter", manifest.reporter}, {"server", manifest.server}, {"exported_at", to_rfc3339(manifest.created)},
          {"items", manifest.items},       {"jobs", manifest.jobs},     {"file_bytes", manifest.bytes},
          {"parked", manifest.parked}};
}

boost::json::array shown_parked(const std::vector<journal::Delivery>& parked) {
  boost::json::array rows;
  for (const auto& each : parked) rows.push_back({{"key", each.item.key}, {"reason", each.reason}});
  return rows;
}

}  // namespace

int export_spool(const SpoolExportOptions& options) {
  if (options.file == "-" && options.as_json) {
    std::cerr << "outpost: standard output is the archive already; name a file, or leave out --json\n";
    return exit_usage;
  }
  if (options.file == "-" && ::isatty(STDOUT_FILENO) != 0) {
    std::cerr << "outpost: an archive is nothing for a terminal; name a file, or send standard output somewhere\n";
    return exit_usage;
  }
  const auto settings = settings_of(options.config);
  if (!settings) return exit_configuration;
  ProgressLine line;
  daemon::ExportOptions wanted{options.reporter, options.file, options.force, nullptr};
  wanted.progress = [&](const delivery::SpoolManifest& manifest, std::uint64_t bytes) {
    line.show("exporting " + counted(manifest.items, "item") + ": " + format_size(bytes));
  };
  const auto exported = daemon::export_spool(*settings, wanted);
  line.clear();
  if (!exported) return complain(exported.error());
  const auto& manifest = exported->manifest;
  if (options.as_json) {
    auto document = shown_manifest(manifest);
    document["file"] = options.file.string();
    document["bytes"] = exported->size;
    document["unclaimed"] = exported->unclaimed;
    print_document("outpost-spool-export", document);
    return exit_ok;
  }
  // Standard output may be the archive.
  std::cerr << (options.file == "-" ? "standard output" : options.file.string()) << ": "
            << counted(manifest.items, "item") << " of " << counted(manifest.jobs, "job") << " for "
            << printable(manifest.reporter) << " (" << printable(manifest.server) << "), "
            << format_size(manifest.bytes) << " of files, " << format_size(exported->size) << " as an archive\n";
  if (manifest.parked > 0)
    std::cerr << "note: " << counted(manifest.parked, "parked item") << " not among them: outpost status says why\n";
  if (exported->unclaimed > 0)
    std::cerr << "note: " << counted(exported->unclaimed, "job") << " not claimed at the server yet, so not exported\n";
  return exit_ok;
}

int import_spool(const SpoolImportOptions& options) {
  const auto settings = settings_of(options.config);
  if (!settings) return exit_configuration;
  ProgressLine line;
  daemon::ImportOptions wanted{options.file, options.source, options.receipt, options.force, nullptr};
  wanted.progress = [&](const daemon::ImportProgress& progress) { line.show(describe(progress, progress.total)); };
  const auto imported = daemon::import_spool(*settings, wanted);
  line.clear();
  if (!imported) return complain(imported.error());
  const auto& manifest = imported->manifest;
  const bool all_there = imported->parked.empty() && imported->left == 0 && imported->receipt_problem.empty();
  if (options.as_json) {
    auto document = shown_manifest(manifest);
    document["file"] = options.file.string();
    document["server"] = imported->server;
    document["delivered"] = imported->delivered;
    document["found"] = imported->found;
    document["left"] = imported->left;
    document["ended_early"] = imported->ended_early;
    document["not_taken"] = shown_parked(imported->parked);
    document["receipt_problem"] = imported->receipt_problem;
    print_document("outpost-spool-import", document);
    return all_there ? exit_ok : exit_negative;
  }
  std::cout << options.file.string() << ": " << counted(manifest.items, "item") << " of "
            << counted(manifest.jobs, "job") << ", exported " << to_rfc3339(manifest.created) << "\n"
            << imported->server << ": " << imported->delivered << " delivered, " << imported->found
            << " there already\n";
  if (manifest.parked > 0) std::cout << counted(manifest.parked, "item") << " had been parked before the export\n";
  if (!imported->parked.empty()) print_parked(imported->parked);
  if (imported->left > 0)
    std::cout << counted(imported->left, "item") << " left (" << printable(imported->ended_early)
              << "); import it again to go on\n";
  if (!imported->receipt_problem.empty())
    std::cerr << "outpost: no receipt: " << printable(imported->receipt_problem) << "\n";
  return all_there ? exit_ok : exit_negative;
}

int confirm_spool(const SpoolConfirmOptions& options) {
  const auto settings = settings_of(options.config);
  if (!settings) return exit_configuration;
  const auto confirmed = daemon::confirm_spool(*settings, options.file);
  if (!confirmed) return complain(confirmed.error());
  if (options.as_json) {
    print_document("outpost-spool-confirm", {{"reporter", confirmed->reporter}, {"settled", confirmed->settled}, {"others", confirmed->others}});
    return exit_ok;
  }
  std::cout << counted(confirmed->settled, "item") << " for " << printable(confirmed->reporter) << " settled";
  if (confirmed->others > 0) std::cout << ", " << confirmed->others << " did not wait here";
  std::cout << "\n";
  return exit_ok;
}

}  // namespace outpost::cli
