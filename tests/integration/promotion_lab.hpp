#pragma once

#include "integration/builder_lab.hpp"
#include "support/registry_server.hpp"

#include <filesystem>
#include <string>

namespace outpost::test {

/// Whether registries and what copies between them are installed; says so when they are not.
[[nodiscard]] bool promotion_is_possible();

/// Two components, promoted as a batch to current-tripleo, and what a promoter needs beside the builder.
struct PromotionLab {
  BuilderLab lab;
  RegistryServer source, target;
  std::string aggregate, output;

  /// Builds a set and promotes it, as the job of the integration line does.
  void publish(char nova, char common);
  void vote(const std::string& job, bool success = true);
  /// The image of a set in a registry.
  static std::string image(const RegistryServer& server, const std::string& tag);
  /// Its manifest; "" when it is not there.
  std::string manifest(const RegistryServer& server, const std::string& tag);
  /// A file of the sample pipeline, with what is of this lab in place of what is of the seed system.
  void copy_sample(const std::string& name, const std::filesystem::path& to) const;
  /// The whole sample, with a deployment that always works unless `deploys` says otherwise: a shell's condition, in which
  /// $1 is the number of the scenario.
  void copy_samples(const std::string& deploys = "true");
  int promote(const std::string& more = "", const std::string& configuration = "master.yaml");
  /// Runs a program as somebody who may promote; its exit status, `output` is what it said.
  int run(const std::string& command);
  /// The aggregate that a label names.
  std::string label(const std::string& name);
};

}  // namespace outpost::test
