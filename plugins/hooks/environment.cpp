#include "plugins/hooks/environment.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/text.hpp"

#include <boost/json/serialize.hpp>

#include <array>
#include <cstdlib>

namespace outpost::hooks {
namespace {

using Variables = std::vector<std::string>;

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

void put_contract(Variables& variables, const EnvironmentInputs& inputs) {
  const auto& request = inputs.request;
  put(variables, "OUTPOST", "1");
  put(variables, "OUTPOST_API", "1");
  put(variables, "OUTPOST_API_MINOR", "0");
  put(variables, "OUTPOST_VERSION", OUTPOST_VERSION);
  put(variables, "OUTPOST_POINT", to_string(request.step.stage));
  put(variables, "OUTPOST_REASON", request.reason);
  put(variables, "OUTPOST_ATTEMPT", std::to_string(request.attempt));
  put(variables, "OUTPOST_DEADLINE", to_rfc3339(inputs.now + request.timeout));
  put(variables, "OUTPOST_TIMEOUT", std::to_string(std::chrono::ceil<std::chrono::seconds>(request.timeout).count()));
  put(variables, "OUTPOST_GRACE", std::to_string(std::chrono::ceil<std::chrono::seconds>(request.grace).count()));
  put(variables, "OUTPOST_PLUGIN", request.step.plugin);
  put(variables, "OUTPOST_PLUGIN_DIR", request.step.plugin_directory.native());
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

void put_directories(Variables& variables, const EnvironmentInputs& inputs) {
  const auto& request = inputs.request;
  const auto& directory = request.directory;
  put(variables, "OUTPOST_WORKSPACE", directory.workspace().native());
  put(variables, "OUTPOST_STATE", directory.state(request.step.plugin).native());
  put(variables, "OUTPOST_SHARED", directory.shared().native());
  put(variables, "OUTPOST_TMP", directory.temporary(request.step_id).native());
  put(variables, "OUTPOST_ARTIFACTS", directory.artifacts(request.step_id).native());
  put(variables, "OUTPOST_RESULTS", directory.results(request.step_id).native());
  put_if(variables, "OUTPOST_SECRETS", inputs.secrets.native());
  put(variables, "HOME", directory.home(request.step_id).native());
  put(variables, "TMPDIR", directory.temporary(request.step_id).native());
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
  put_contract(variables, inputs);
  put_job(variables, inputs);
  put_components(variables, inputs);
  put_directories(variables, inputs);
  put_outcome(variables, inputs.request.story);
  // W3C trace context: the job is the trace, the step a span of it.
  put(variables, "TRACEPARENT", "00-" + replace_all(inputs.request.story.job.id, "-", "") + "-" +
                                    sha256_hex(inputs.request.step_id).substr(0, 16) + "-01");
  put(variables, "PATH", "/usr/libexec/outpost/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  put(variables, "CI", "true");
  put(variables, "LANG", "C.UTF-8");
  put(variables, "TZ", "UTC");
  return variables;
}

Variables inherited_environment() {
  Variables variables;
  for (const char* name : {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"})
    if (const char* value = std::getenv(name)) put(variables, name, value);
  return variables;
}

}  // namespace outpost::hooks
