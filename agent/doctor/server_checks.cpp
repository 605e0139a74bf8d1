#include "agent/base/shell_word.hpp"
#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/doctor/checks.hpp"
#include "agent/http/url.hpp"

#include <cstdlib>

namespace outpost::doctor {
namespace {

using std::chrono::seconds;

/// DCI refuses signatures that are 15 minutes off; at a third of that nobody can say that it is only drift.
constexpr seconds skew_failure{300}, skew_warning{30};
constexpr auto certificate_warning = std::chrono::hours{24 * 21};

/// Every source, or why there is nothing to ask.
template <class Look>
Finding each_source(Examination& examination, Look look) {
  if (!examination.loaded) return skipped("the configuration cannot be read (D01)");
  Findings findings;
  for (const auto& [name, source] : examination.settings()->sources) findings.add(look(name, source));
  return std::move(findings).all("there is no source");
}

Finding no_answer(const std::string& name, const Result<ServerAnswer>& answer) {
  return skipped(name + " could not be asked: " + (answer ? answer->error : answer.error().message));
}

/// "api.example.org:443" of an https url, as openssl wants it.
std::string address_in(const std::string& url) {
  const auto parsed = http::parse_url(url);
  return parsed ? http::host_and_port(parsed->host, parsed->port) : url;
}

bool is_builder(const config::Source& source) { return source.type == "dlrn"; }

/// What to do about credentials that are refused or not there.
Cure new_credentials(const Examination& examination, const std::string& name, const config::Source& source) {
  const std::string file = source.credentials.file.string();
  const std::string ask = examination.command("server ping --source " + shell_word(name));
  return {file.empty() ? ask : "${EDITOR:-vi} " + shell_word(file) + "\n" + ask,
          is_builder(source) ? "ask the builder's administrator for a user, and put DLRNAPI_USERNAME and DLRNAPI_PASSWORD into the file of sources." + name + ".credentials (or see to its keytab)"
                             : "download the remoteci's credentials again from the server's page into the file of sources." + name + ".credentials"};
}

}  // namespace

Finding check_certificates(Examination& examination) {
  return each_source(examination, [&](const std::string& name, const config::Source& source) {
    const std::string url = examination.url_of(source);
    if (!url.starts_with("https://")) return skipped(name + " is reached without TLS");
    const auto found = examination.outside.certificate(source, url);
    if (!found && found.error().fault == Fault::refused)
      return failed(name + ": not trusted", found.error().message,
                    {"openssl s_client -connect " + shell_word(address_in(url)) + " -showcerts </dev/null\n" + examination.edit("sources." + name + ".url"),
                     "a private authority is set as sources." + name + ".ca_file; else the server's administrator has to correct it"});
    if (!found) return skipped(name + ": " + found.error().message);
    const auto left = found->not_after - SystemClock{}.now();
    const auto days = std::chrono::duration_cast<std::chrono::hours>(left).count() / 24;
    const std::string measured = name + ": of " + found->issuer + ", valid for " + std::to_string(days) + " days";
    if (left < certificate_warning)
      return warned(measured,
                    "it ends on " + to_rfc3339(found->not_after) + "; after that nothing is polled or delivered",
                    {"openssl s_client -connect " + shell_word(address_in(url)) + " </dev/null | openssl x509 -noout -dates", "ask the server's administrator to renew it"});
    return passed(measured);
  });
}

Finding check_clock(Examination& examination) {
  return each_source(examination, [&](const std::string& name, const config::Source& source) {
    const auto& answer = examination.answer(source);
    if (!answer || answer->status == 0) return no_answer(name, answer);
    if (!answer->ahead) return skipped(name + " does not say what time it is");
    const auto apart = std::abs(answer->ahead->count());
    const std::string measured =
        name + ": " +
        (apart == 0
             ? "no difference"
             : std::to_string(apart) + " s " + (answer->ahead->count() > 0 ? "behind" : "ahead of") + " the server");
    const Cure fix{set_clock(examination.machine), "set the clock, and have a time service keep it (D23)"};
    if (apart >= skew_failure.count())
      return failed(measured,
                    "this machine's clock is wrong; at 15 minutes the server refuses everything, as if the credentials "
                    "were wrong",
                    fix);
    if (apart >= skew_warning.count()) return warned(measured, "this machine's clock drifts", fix);
    return passed(measured);
  });
}

Finding check_identity(Examination& examination) {
  return each_source(examination, [&](const std::string& name, const config::Source& source) {
    const auto& answer = examination.answer(source);
    if (!answer)
      return failed(name + ": the credentials cannot be used", answer.error().message,
                    new_credentials(examination, name, source));
    if (answer->accepted)
      return passed(name + " knows us as " +
                    (answer->name.empty() ? answer->client : answer->name + " (" + answer->client + ")"));
    if (answer->status == 0 || !answer->is_api) return no_answer(name, answer);
    // A wrong clock makes a good secret look wrong.
    if (answer->ahead && std::abs(answer->ahead->count()) >= skew_failure.count())
      return skipped(name + ": cannot be told while the clock is wrong (D06)");
    if (answer->status >= 500) return skipped(name + ": " + answer->error);
    return failed(name + ": " + std::to_string(answer->status), answer->error,
                  new_credentials(examination, name, source));
  });
}

Finding check_api(Examination& examination) {
  return each_source(examination, [&](const std::string& name, const config::Source& source) {
    const auto& answer = examination.answer(source);
    if (!answer || answer->status == 0) return no_answer(name, answer);
    const std::string measured = name + (is_builder(source) ? ": its API answered " : ": /api/v1 answered ") + std::to_string(answer->status) + " in " +
                                 format_duration(answer->took) +
                                 (answer->software.empty() ? "" : ", " + printable(answer->software, 80));
    if (!answer->is_api && is_builder(source))
      return failed(measured, "this is no builder's API: " + answer->error,
                    {"curl -i " + shell_word(examination.url_of(source) + "/api/health") + "\n" + examination.edit("sources." + name + ".url"), "correct sources." + name + ".url"});
    if (!answer->is_api)
      return failed(measured, "this is no DCI API: something else answers, such as a portal or a web page",
                    {"curl -i " + shell_word(examination.url_of(source) + "/api/v1/identity") + "\n" + examination.edit("sources." + name + ".url"),
                     "correct sources." + name + ".url, or DCI_CS_URL in its credentials"});
    if (answer->status >= 500)
      return warned(measured, "the server has trouble: " + answer->error,
                    {examination.command("server ping --source " + shell_word(name)), "wait, and tell the server's administrator when it stays so"});
    return passed(measured);
  });
}

Finding check_topics(Examination& examination) {
  if (!examination.loaded) return skipped("the configuration cannot be read (D01)");
  Findings findings;
  for (const auto& job : examination.settings()->jobs) {
    const auto source = examination.settings()->sources.find(job.source);
    if (!job.enabled || job.topic.empty() || source == examination.settings()->sources.end()) continue;
    const auto& answer = examination.answer(source->second);
    if (!answer || !answer->accepted) {
      findings.add(skipped(job.topic + ": " + job.source + " does not accept us (D07)"));
      continue;
    }
    const auto found = examination.outside.find_topic(source->second, job.topic);
    if (found)
      findings.add(passed(job.topic + " of job " + job.name));
    else if (found.error().fault == Fault::refused)
      findings.add(failed(job.topic + " of job " + job.name, found.error().message,
                          {examination.command("server topics --source " + shell_word(job.source)) + "\n" + examination.edit("jobs." + job.name + ".topic"),
                           "correct jobs." + job.name + ".topic, or ask the product's team for access"}));
    else
      findings.add(skipped(job.topic + ": " + found.error().message));
  }
  return std::move(findings).all("no job has a topic");
}

}  // namespace outpost::doctor
