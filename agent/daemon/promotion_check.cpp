#include "agent/daemon/promotion_check.hpp"

#include "agent/base/text.hpp"
#include "agent/config/credentials.hpp"
#include "plugins/dlrn/promoter/settings_reader.hpp"
#include "plugins/dlrn/promoter/waivers.hpp"

namespace outpost::daemon {

namespace {

class Checker {
 public:
  Checker(const config::Loaded& loaded, const config::Environment& environment)
      : loaded_{loaded}, credentials_{config::credentials_directory(environment)} {}

  std::vector<std::string> check() {
    for (const auto& [name, promotion] : loaded_.settings.promotions) check(name, promotion);
    return std::move(lines_);
  }

 private:
  void check(const std::string& name, const config::Promotion& promotion) {
    const auto release = promoter::load_release(promotion.config);
    if (!release) add(release.error());
    const auto waivers = promoter::load_waivers(promoter::waivers_of(promotion.config, promotion.waivers));
    if (!waivers) add(waivers.error());
    // Outside of the unit the credentials of systemd are not there.
    if (promotion.credentials.empty() || (promotion.credentials.file.empty() && credentials_.empty())) return;
    const auto secret = config::read_secret(promotion.credentials, credentials_);
    if (!secret) return problem(name, secret.error());
    const auto variables = config::parse_shell_assignments(secret->reveal(), promotion.credentials.file.string());
    if (!variables) problem(name, variables.error());
  }

  void add(const config::Problems& problems) {
    for (auto& line : split(problems.text(), '\n'))
      if (!line.empty()) lines_.push_back(std::move(line));
  }

  void problem(const std::string& name, const Error& error) {
    const std::string label = "promotions." + name + ".credentials";
    const auto origin = loaded_.origins.find(label);
    lines_.push_back((origin == loaded_.origins.end() ? loaded_.file : origin->second.text()) + ": " + label + ": " +
                     error.message);
  }

  const config::Loaded& loaded_;
  std::filesystem::path credentials_;
  std::vector<std::string> lines_;
};

}  // namespace

std::vector<std::string> check_promotions(const config::Loaded& loaded, const config::Environment& environment) {
  return Checker{loaded, environment}.check();
}

}  // namespace outpost::daemon
