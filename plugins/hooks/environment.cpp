#include "plugins/hooks/environment.hpp"

#include "agent/base/text.hpp"
#include "agent/job/own_variables.hpp"
#include "agent/job/trace.hpp"
#include "plugins/hooks/plugin.hpp"

#include <boost/json/serialize.hpp>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <map>

namespace outpost::hooks {
namespace {

using Variables = std::vector<std::string>;

constexpr std::array proxies{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"};

void put(Variables& variables, std::string_view name, std::string_view value) {
  std::string text{name};
  text += '=';
  // The kernel ends a variable at a NUL; a server must not be able to cut one short.
  for (const char c : value)
    if (c != '\0') text += c;
  variables.push_back(std::move(text));
}

void put_if(Variables& variables, std::string_view name, std::string_view value) {
  if (!value.empty()) put(variables, name, value);
}

/// "my-app.x" is MY_APP_X in the name of a variable.
std::string as_variable(std::string_view name) {
  std::string result = to_upper(name);
  for (char& c : result)
    if (!((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))) c = '_';
  return result;
}

/// 0.5, and not 5E-1.
std::string shortest(double number) {
  std::array<char, 64> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  return {text.data(), end};
}

void put_contract(Variables& variables, const EnvironmentInputs& inputs) {
  const auto& request = inputs.request;
  put(variables, "OUTPOST", "1");
  put(variables, "OUTPOST_API", std::to_string(contract_major));
  put(variables, "OUTPOST_API_MINOR", std::to_string(contract_minor));
  put(variables, "OUTPOST_VERSION", OUTPOST_VERSION);
  put(variables, "OUTPOST_POINT", to_string(request.step.stage));
  put(variables, "OUTPOST_REASON", request.reason);
  put(variables, "OUTPOST_ATTEMPT", std::to_string(request.attempt));
  put(variables, "OUTPOST_MAX_ATTEMPTS", std::to_string(request.step.rules.retries + 1));
  put(variables, "OUTPOST_REBOOT_COUNT", std::to_string(request.reboots));
  put(variables, "OUTPOST_DEADLINE", to_rfc3339(inputs.now + request.timeout));
  put(variables, "OUTPOST_TIMEOUT", std::to_string(std::chrono::ceil<std::chrono::seconds>(request.timeout).count()));
  put(variables, "OUTPOST_GRACE", std::to_string(std::chrono::ceil<std::chrono::seconds>(request.grace).count()));
  put(variables, "OUTPOST_PLUGIN", request.step.plugin);
  if (inputs.manifest) put(variables, "OUTPOST_PLUGIN_VERSION", inputs.manifest->version);
  put(variables, "OUTPOST_PLUGIN_DIR", request.step.plugin_directory.native());
  if (inputs.dry_run) put(variables, "OUTPOST_DRY_RUN", "1");
  put(variables, "OUTPOST_LOG_LEVEL", "info");
  put(variables, "NO_COLOR", "1");
}

void put_job(Variables& variables, const EnvironmentInputs& inputs) {
  const auto& story = inputs.request.story;
  const auto& document = story.document;
  put(variables, "OUTPOST_JOB_ID", story.claim.external_ref.empty() ? story.job.id : story.claim.external_ref);
  put(variables, "OUTPOST_LOCAL_JOB_ID", story.job.id);
  put(variables, "OUTPOST_JOB_NAME", story.job.definition.name);
  put_if(variables, "OUTPOST_JOB_URL", story.remote_url);
  put_if(variables, "OUTPOST_PIPELINE_ID", job::text_at(document, "pipeline_id"));
  put_if(variables, "OUTPOST_TEAM_ID", job::text_at(document, "team_id"));
  put_if(variables, "OUTPOST_REMOTECI_ID", job::text_at(document, "remoteci_id"));
  put(variables, "OUTPOST_TOPIC", story.job.definition.topic);
  put(variables, "OUTPOST_JOB_JSON", inputs.request.directory.job_document().native());
  put(variables, "OUTPOST_RESOURCES", boost::json::serialize(inputs.resources));
}

/// What hooks for DCI's agents find, for those that ask for it: of this job, whatever the agent was started with.
void put_dci(Variables& variables, const EnvironmentInputs& inputs) {
  if (!inputs.manifest || !inputs.manifest->dci_variables) return;
  std::erase_if(variables, [](const std::string& variable) { return variable.starts_with("DCI_JOB_ID=") || variable.starts_with("DCI_CS_URL="); });
  put_if(variables, "DCI_JOB_ID", inputs.request.story.claim.external_ref);
  put_if(variables, "DCI_CS_URL", inputs.server);
}

void put_components(Variables& variables, const EnvironmentInputs& inputs) {
  put(variables, "OUTPOST_COMPONENTS", inputs.request.directory.components().native());
  const auto& components = inputs.request.story.job.components;
  const auto names = job::directory_names(components);
  for (std::size_t index = 0; index < components.size(); ++index) {
    const std::string prefix = "OUTPOST_COMPONENT_" + as_variable(names[index]);
    put(variables, prefix + "_VERSION", components[index].version);
    put(variables, prefix + "_URL", components[index].url);
    if (const auto path = inputs.request.component_paths.find(components[index].id); path != inputs.request.component_paths.end())
      put(variables, prefix + "_PATH", path->second.native());
  }
}

/// Single values of the configuration, so that a shell needs no reader of JSON: {"pool": {"size": 4}} is _POOL_SIZE=4.
void put_settings(Variables& variables, const std::string& prefix, const boost::json::object& configuration) {
  for (const auto& item : configuration) {
    const std::string name = prefix + "_" + as_variable(item.key());
    const auto& value = item.value();
    if (value.is_object() && !value.get_object().contains("$secret")) put_settings(variables, name, value.get_object());
    else if (value.is_string()) put(variables, name, value.get_string());
    else if (value.is_bool() || value.is_int64() || value.is_uint64()) put(variables, name, boost::json::serialize(value));
    else if (value.is_double()) put(variables, name, shortest(value.get_double()));
  }
}

void put_configuration(Variables& variables, const EnvironmentInputs& inputs) {
  if (inputs.configuration_file.empty()) return;
  put(variables, "OUTPOST_CONFIG", inputs.configuration_file.native());
  put_settings(variables, "OUTPOST_CONFIG", inputs.configuration);
}

void put_directories(Variables& variables, const EnvironmentInputs& inputs) {
  const auto& request = inputs.request;
  const auto& directory = request.directory;
  put(variables, "OUTPOST_WORKSPACE", directory.workspace().native());
  put(variables, "OUTPOST_STATE", directory.state(request.step.plugin).native());
  put(variables, "OUTPOST_SHARED", directory.shared().native());
  put(variables, "OUTPOST_TMP", directory.temporary(request.step_id).native());
  if (is_collected(request.step.stage)) {
    put(variables, "OUTPOST_ARTIFACTS", directory.artifacts(request.step_id).native());
    put(variables, "OUTPOST_RESULTS", directory.results(request.step_id).native());
  }
  put_if(variables, "OUTPOST_SECRETS", inputs.secrets.native());
  put_if(variables, "OUTPOST_SOCKET", inputs.socket.native());
  put_if(variables, "OUTPOST_LIB", inputs.library.native());
  put(variables, "HOME", directory.home(request.step_id).native());
  put(variables, "TMPDIR", directory.temporary(request.step_id).native());
}

/// What a hook of on-timeout or on-cancel is told about the step that is being stopped.
void put_stopped(Variables& variables, const pipeline::Step& stopped) {
  put(variables, "OUTPOST_FAILED_POINT", to_string(stopped.stage));
  put(variables, "OUTPOST_FAILED_PLUGIN", stopped.plugin);
}

/// What earlier hooks of the job want set, in place of what the agent would let in.
void put_said(Variables& variables, const std::map<std::string, std::string>& said) {
  std::erase_if(variables, [&](const std::string& variable) { return said.contains(variable.substr(0, variable.find('='))); });
  for (const auto& [name, value] : said) put(variables, name, value);
}

/// Where the helper lies is looked into first, when that is not where packages put it: in a build.
std::string path_with(const std::filesystem::path& helper) {
  const std::string folder = helper.parent_path().string(), path{hook_path};
  return folder.empty() || path.starts_with(folder + ":") ? path : folder + ":" + path;
}

/// What a closing stage is told about the job: nothing before the verdict.
void put_outcome(Variables& variables, const job::Story& story) {
  if (!story.judgement) return;
  const auto& judgement = *story.judgement;
  put(variables, "OUTPOST_RESULT_SO_FAR", judgement.verdict == job::Verdict::killed ? "cancelled" : to_string(judgement.verdict));
  if (judgement.stage) put(variables, "OUTPOST_FAILED_POINT", to_string(*judgement.stage));
  put_if(variables, "OUTPOST_FAILED_PLUGIN", judgement.plugin);
  if (judgement.exit_status) put(variables, "OUTPOST_EXIT_STATUS", std::to_string(*judgement.exit_status));
}

}  // namespace

Variables hook_environment(const EnvironmentInputs& inputs) {
  Variables variables = inputs.inherited;
  if (inputs.manifest)
    for (auto& allowed : allowed_environment(inputs.manifest->environment)) variables.push_back(std::move(allowed));
  put_said(variables, inputs.request.story.environment);
  put_contract(variables, inputs);
  put_directories(variables, inputs);
  put(variables, "PATH", path_with(inputs.helper));
  put(variables, "CI", "true");
  put(variables, "LANG", "C.UTF-8");
  put(variables, "TZ", "UTC");
  if (is_of_agent(inputs.request.step.stage)) return variables;
  put_job(variables, inputs);
  put_dci(variables, inputs);
  put_components(variables, inputs);
  put_configuration(variables, inputs);
  if (inputs.request.stopped) put_stopped(variables, *inputs.request.stopped);
  else put_outcome(variables, inputs.request.story);
  // W3C trace context: the job is the trace, the step a span of it.
  put(variables, "TRACEPARENT", job::traceparent_of(inputs.request.story.job.id, inputs.request.step_id));
  return variables;
}

Variables allowed_environment(const std::vector<std::string>& patterns) {
  Variables variables;
  for (const char* const* each = environ; *each != nullptr; ++each) {
    const std::string_view variable = *each;
    const auto name = variable.substr(0, variable.find('='));
    const bool taken = job::is_own_variable(name) || is_proxy_variable(name);
    const bool wanted = std::any_of(patterns.begin(), patterns.end(), [&](const auto& pattern) { return matches_glob(name, pattern); });
    if (wanted && !taken) variables.emplace_back(variable);
  }
  return variables;
}

bool is_proxy_variable(std::string_view name) { return std::find(proxies.begin(), proxies.end(), name) != proxies.end(); }

Variables inherited_environment() {
  Variables variables;
  for (const char* name : proxies)
    if (const char* value = std::getenv(name)) put(variables, name, value);
  return variables;
}

}  // namespace outpost::hooks
