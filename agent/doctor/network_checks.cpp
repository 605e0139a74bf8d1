#include "agent/base/shell_word.hpp"
#include "agent/base/text.hpp"
#include "agent/base/units.hpp"
#include "agent/doctor/checks.hpp"
#include "agent/http/url.hpp"

#include <algorithm>
#include <optional>
#include <set>

namespace outpost::doctor {
namespace {

/// Somebody on the network, and who he is to us.
struct Peer {
  std::string host;
  std::uint16_t port = 0;
  std::string what;  ///< "source dci"
  std::string key;   ///< Where that is written: "sources.dci.url"

  [[nodiscard]] std::string name() const { return http::host_and_port(host, port); }
};

/// Whom the agent connects to for a source: its proxy, or the server itself.
std::vector<Peer> peers_of(Examination& examination) {
  std::vector<Peer> peers;
  for (const auto& [name, source] : examination.settings()->sources) {
    if (!source.proxy.empty()) {
      if (const auto proxy = http::parse_proxy_url(source.proxy))
        peers.push_back({proxy->host, proxy->port, "the proxy of source " + name, "sources." + name + ".proxy"});
      continue;
    }
    if (const auto url = http::parse_url(examination.url_of(source)))
      peers.push_back({url->host, url->port, "source " + name, "sources." + name + ".url"});
  }
  return peers;
}

/// Commands one below the other; there may be no second one.
std::string then(const std::string& first, const std::string& second) { return second.empty() ? first : first + "\n" + second; }

/// With the address once; most errors begin with it.
std::string at_address(const std::string& address, const Error& error) {
  return error.message.starts_with(address) ? error.message : address + ": " + error.message;
}

std::string try_to_connect(const std::string& address) { return "curl -v --max-time 10 " + shell_word("telnet://" + address) + " </dev/null"; }

Finding unreachable(const Examination& examination, const Peer& peer, const Error& error) {
  return failed(at_address(peer.name(), error), peer.what + " cannot be reached, so nothing is polled and nothing delivered",
                {then(try_to_connect(peer.name()), examination.edit(peer.key)), "see to route and firewall, or correct " + peer.key});
}

}  // namespace

Finding check_names(Examination& examination) {
  if (!examination.loaded) return skipped("the configuration cannot be read (D01)");
  Findings findings;
  for (const auto& peer : peers_of(examination)) {
    const auto found = examination.outside.addresses(peer.host);
    if (found)
      findings.add(passed(peer.host + " is " + join(*found, ", ")));
    else
      findings.add(failed(peer.host + ": " + found.error().message,
                          peer.what + " has no address, so it cannot be reached",
                          {then("getent hosts " + shell_word(peer.host), examination.edit(peer.key)),
                           "correct " + peer.key + ", or the name servers in /etc/resolv.conf"}));
  }
  return std::move(findings).all("no source has a url");
}

Finding check_connections(Examination& examination) {
  if (!examination.loaded) return skipped("the configuration cannot be read (D01)");
  Findings findings;
  for (const auto& peer : peers_of(examination)) {
    if (!examination.outside.addresses(peer.host)) continue;  // D02 has said it.
    const auto took = examination.outside.connect(peer.host, peer.port);
    if (took)
      findings.add(passed(peer.name() + " in " + format_duration(*took)));
    else
      findings.add(unreachable(examination, peer, took.error()));
  }
  return std::move(findings).all("no address to connect to (D02)");
}

Finding check_proxy(Examination& examination) {
  if (!examination.loaded) return skipped("the configuration cannot be read (D01)");
  Findings findings;
  for (const auto& [name, source] : examination.settings()->sources) {
    if (source.proxy.empty()) continue;
    const auto proxy = http::parse_proxy_url(source.proxy);
    const std::string shown = proxy ? proxy->name() : "the proxy";
    const auto& answer = examination.answer(source);
    const std::string error = answer ? answer->error : answer.error().message;
    if (error.find("407") != std::string::npos || error.find("wants credentials") != std::string::npos)
      findings.add(failed(shown + ": 407", error,
                          {examination.edit("sources." + name + ".proxy"), "put user and password into sources." + name + ".proxy: http://USER:PASSWORD@HOST:PORT"}));
    else if (answer && answer->status == 0)
      findings.add(failed(shown + ": no answer through it", error,
                          {examination.edit("sources." + name + ".proxy"), "ask the proxy's administrator whether it lets this host through, or correct sources." + name + ".proxy"}));
    else
      findings.add(passed(shown + " for source " + name));
  }
  for (const char* variable : {"HTTPS_PROXY", "https_proxy"}) {
    const auto set = examination.environment.find(variable);
    const auto& sources = examination.settings()->sources;
    const bool unused = std::any_of(sources.begin(), sources.end(), [&](const auto& each) {
      const auto& answer = examination.answer(each.second);
      return each.second.proxy.empty() && answer && answer->status == 0;
    });
    if (set == examination.environment.end() || set->second.empty() || !unused) continue;
    findings.add(
        warned(std::string{variable} + " is set, but no source has a proxy",
               "the daemon takes its proxy from the configuration alone, and a server does not answer directly",
               {examination.edit("sources"), "set sources.NAME.proxy in outpost.yml"}));
    break;
  }
  return std::move(findings).all("no source has a proxy");
}

Finding check_lab_hosts(Examination& examination) {
  if (!examination.loaded) return skipped("the configuration cannot be read (D01)");
  // What lab machines and their management controllers answer on; a refusal is an answer too.
  constexpr std::uint16_t ports[] = {22, 443};
  Findings findings;
  for (const auto& [name, resource] : examination.settings()->resources) {
    for (const auto& host : resource.hosts) {
      const std::string what = host + " (resource " + name + ")";
      if (const auto found = examination.outside.addresses(host); !found) {
        findings.add(warned(what + ": " + found.error().message, "its jobs will not reach it",
                            {then("getent hosts " + shell_word(host), examination.edit("resources." + name + ".hosts")), "correct resources." + name + ".hosts, or the name servers"}));
        continue;
      }
      std::string last;
      bool answers = false;
      for (const auto port : ports) {
        const auto took = examination.outside.connect(host, port);
        answers = took || took.error().message.find("refused") != std::string::npos;
        if (answers) break;
        last = took.error().message;
      }
      if (answers)
        findings.add(passed(what + " answers"));
      else
        findings.add(warned(what + ": " + last, "it answers neither on port 22 nor on 443: is it switched on?",
                            {"ping -c 3 " + shell_word(host), "switch it on, or correct resources." + name + ".hosts"}));
    }
  }
  return std::move(findings).all("no resource has hosts");
}

namespace {

/// The URLs in a value of a plugin's configuration.
void collect_urls(const boost::json::value& value, std::set<std::string>& urls) {
  if (value.is_object())
    for (const auto& member : value.get_object()) collect_urls(member.value(), urls);
  else if (value.is_array())
    for (const auto& element : value.get_array()) collect_urls(element, urls);
  else if (value.is_string() &&
           (value.get_string().starts_with("http://") || value.get_string().starts_with("https://")))
    urls.insert(std::string{value.get_string()});
}

/// The daemon knows more of it than whether it can be connected to.
std::optional<Finding> what_the_collector_says(const Examination& examination) {
  if (!examination.status) return std::nullopt;
  const auto* told = examination.status->if_contains("telemetry");
  if (!told || !told->is_object()) return std::nullopt;
  const auto text = [&](const char* key) {
    const auto* value = told->get_object().if_contains(key);
    return value && value->is_string() ? printable(value->get_string(), 300) : std::string{};
  };
  const std::string error = text("last_error");
  if (error.empty()) return std::nullopt;
  return warned("collector " + text("url") + ": " + error, "traces and figures do not reach it; jobs do not wait for it",
                {then(examination.edit("metrics.otlp"), examination.command("reload")), "correct metrics.otlp in outpost.yml, or see to the collector"});
}

}  // namespace

Finding check_other_servers(Examination& examination) {
  if (!examination.loaded) return skipped("the configuration cannot be read (D01)");
  std::set<std::string> urls;
  for (const auto& job : examination.settings()->jobs)
    for (const auto& [plugin, configuration] : job.plugin_config) collect_urls(configuration, urls);
  if (!examination.settings()->alarms.webhook.empty()) urls.insert(examination.settings()->alarms.webhook);
  const auto& otlp = examination.settings()->otlp;
  Findings findings;
  if (auto collector = what_the_collector_says(examination)) findings.add(std::move(*collector));
  else if (!otlp.url.empty() && otlp.proxy.empty()) urls.insert(otlp.url);
  std::set<std::string> seen;
  for (const auto& text : urls) {
    const auto url = http::parse_url(text);
    if (!url) continue;
    const std::string peer = http::host_and_port(url->host, url->port);
    if (!seen.insert(peer).second) continue;
    const auto took = examination.outside.connect(url->host, url->port);
    if (took)
      findings.add(passed(peer + " in " + format_duration(*took)));
    else
      findings.add(warned(at_address(peer, took.error()),
                          "the configuration names it, and it cannot be reached directly",
                          {"curl -v " + shell_word(url->scheme + "://" + peer + "/"), "see to route and firewall, or correct the URL"}));
  }
  return std::move(findings).all("the configuration names no registry, mirror, webhook or collector");
}

}  // namespace outpost::doctor
