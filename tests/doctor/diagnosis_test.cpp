// Misconfigurations as they happen, one at a time, and whether the doctor names the right cause with a cure. Servers,
// certificates, proxies and credentials are real ones on loopback; of the machine its files are a stand-in's.
#include "agent/daemon/client.hpp"
#include "agent/daemon/examine.hpp"
#include "agent/base/text.hpp"
#include "agent/doctor/checks.hpp"
#include "agent/doctor/command.hpp"
#include "agent/http/beast/beast_server.hpp"
#include "integration/sample_lab.hpp"
#include "support/catch.hpp"
#include "support/certificates.hpp"
#include "support/temporary_directory.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <regex>
#include <set>
#include <thread>

namespace {

namespace fs = std::filesystem;
namespace asio = boost::asio;
using namespace outpost;
using namespace outpost::test;
using doctor::Verdict;

/// A server on a thread of its own that gives everybody the same answer.
class Site {
 public:
  explicit Site(http::ServerResponse answer, http::ListenOptions options = {}) {
    const auto handler = [answer](http::ServerRequest&) -> asio::awaitable<http::ServerResponse> { co_return answer; };
    const auto listening = server_->listen(std::move(options), handler);
    REQUIRE(listening);
    port = *listening;
    thread_ = std::thread{[this] { loop_.run(); }};
  }
  ~Site() {
    loop_.stop();
    thread_.join();
    server_->stop();
    loop_.restart();
    loop_.poll();
  }
  [[nodiscard]] std::string url(const std::string& scheme = "http") const {
    return scheme + "://127.0.0.1:" + std::to_string(port);
  }

  std::uint16_t port = 0;

 private:
  asio::io_context loop_;
  std::unique_ptr<http::Server> server_ = http::make_beast_server(loop_.get_executor());
  std::thread thread_;
};

http::ServerResponse response(int status, std::string type, std::string body, http::Headers more = {}) {
  http::ServerResponse made;
  made.status = status;
  made.headers = std::move(more);
  made.headers.set("Content-Type", std::move(type));
  made.body = std::move(body);
  return made;
}

http::ListenOptions with_tls(const Identity& identity) {
  http::ListenOptions options;
  options.tls = http::TlsIdentity{identity.certificate.string(), identity.key.string(), {}};
  return options;
}

/// A lab with nothing wrong: a control server that knows it, a plugin, and a machine below `root`.
struct Patient : SampleLab {
  explicit Patient(std::vector<std::string> server = {}) : SampleLab{Options{.server = std::move(server)}} {
    hook("test", "#!/bin/sh\nexit 0\n");
    fs::create_directories(directory.path / "agent/state");
    put("/etc/passwd", "root:x:0:0::/root:/bin/sh\noutpost:x:" + std::to_string(::getuid()) +
                           ":1::/:/bin/false\noutpost-job-1:x:64001:64001::/:/bin/false\n");
    put("/etc/subuid", "outpost-job-1:165536:65536\n");
    put("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory hugetlb pids\n");
    put("/proc/sys/kernel/osrelease", "6.1.0-28-amd64\n");
    put("/proc/self/mountinfo", "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n");
    put("/proc/self/limits",
        "Limit                     Soft Limit           Hard Limit           Units\nMax open files            65536    "
        "            65536                files\n");
    put("/proc/sys/fs/file-nr", "5000\t0\t900000\n");
    put("/proc/net/udp",
        "   sl  local_address rem_address   st\n  1: 00000000:0043 00000000:0000 07 00000000:00000000 00:00000000 "
        "00000000 0 0 11 2\n");
    put("/proc/meminfo", "MemTotal:       16000000 kB\nMemAvailable:   12000000 kB\n");
    put("/proc/pressure/memory", "some avg10=0.00 avg60=0.00\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
    put("/proc/812/comm", "chronyd\n");
  }

  void put(const fs::path& file, const std::string& text) { write_file(root.path / file.relative_path(), text); }
  void add(const std::string& to_the_configuration) {
    write_file(directory.path / "agent/conf.d/50-more.yml", to_the_configuration);
  }

  doctor::Report examined(bool repair = false, bool clock_is_synchronised = true) {
    const auto types = daemon::source_types();
    const auto outside = daemon::real_outside();
    doctor::Examination examination{directory.path / "agent/outpost.yml", environment, doctor::Machine{root.path},
                                    *outside, types};
    examination.clock_is_synchronised = [=] { return clock_is_synchronised; };
    return doctor::examine(examination, {}, repair);
  }

  TemporaryDirectory root;
  config::Environment environment{{"PATH", "/usr/bin:/bin"}};
};

const doctor::Row& row(const doctor::Report& report, std::string_view id) {
  for (const auto& each : report.rows)
    if (each.id == id) return each;
  throw std::runtime_error{"no such check"};
}

/// Every line of a fix is whole, is no sentence, and has nothing in it that has to be filled in.
void can_be_pasted(const std::string& fix) {
  CHECK_FALSE(fix.empty());
  static const std::regex to_be_filled_in{"NAME|DIRECTORY|HOST|COMMAND|<[a-z]+>"};
  for (const auto& line : split(fix, '\n')) {
    INFO(line);
    const auto checked = doctor::run_command({"bash", "-n", "-c", line});
    CHECK((checked.ran && checked.status == 0));
    CHECK_FALSE(std::regex_search(line, to_be_filled_in));
    // A shell would look for files of such names.
    static const std::regex in_quotes{"'[^']*'"}, pattern{"[\\[*?]"};
    CHECK_FALSE(std::regex_search(std::regex_replace(line, in_quotes, ""), pattern));
    // A word that a shell would look for: a program, a variable in braces.
    static const std::set<std::string> begin{"${EDITOR:-vi}", "apt-file", "apt-get", "cat", "chmod", "chown", "chronyc", "curl", "df", "diff", "dnf", "du", "getent",
                                             "grubby", "install", "iostat", "journalctl", "kill", "man", "mkdir", "mount", "mv", "openssl", "outpost", "ping", "ps", "restorecon",
                                             "ausearch", "rm", "sed", "ss", "sysctl", "systemctl", "systemd-sysusers", "timedatectl", "ulimit", "uname", "usermod"};
    CHECK(begin.contains(line.substr(0, line.find(' '))));
  }
}

/// What the fix does, when it is pasted into a shell where an editor is not asked for.
void pasted(const doctor::Finding& finding) {
  for (const auto& line : split(finding.fix, '\n')) {
    INFO(line);
    CHECK(doctor::run_command({"bash", "-c", line}).status == 0);
  }
}

/// The check, how bad, what it says (measured or problem) and what it tells to do; and that nothing before it failed.
void diagnosed(const doctor::Report& report, std::string_view id, Verdict verdict, const std::string& says,
               const std::string& cure) {
  INFO(doctor::to_text(report, false));
  for (const auto& each : report.rows) {
    if (each.id == id) break;
    CHECK(each.finding.verdict != Verdict::fail);
  }
  const auto& found = row(report, id).finding;
  CHECK(found.verdict == verdict);
  CHECK_THAT(found.measured + "\n" + found.problem, holds(says));
  CHECK_THAT(found.fix + "\n" + found.advice, holds(cure));
  can_be_pasted(found.fix);
}

/// A program in front of the others in PATH.
class StandIn {
 public:
  StandIn(const std::string& name, const std::string& script) {
    write_file(directory_.path / name, "#!/bin/sh\n" + script);
    fs::permissions(directory_.path / name, fs::perms::owner_all);
    ::setenv("PATH", (directory_.path.string() + ":" + before_).c_str(), 1);
  }
  ~StandIn() { ::setenv("PATH", before_.c_str(), 1); }

 private:
  TemporaryDirectory directory_;
  std::string before_ = std::getenv("PATH");
};

}  // namespace

TEST_CASE("the doctor finds nothing that fails in a lab that is well", "[doctor]") {
  Patient patient;
  const auto report = patient.examined();
  INFO(doctor::to_text(report, false));
  CHECK(report.rows.size() == 26);
  CHECK(report.count(Verdict::fail) == 0);
  for (const char* id :
       {"D01", "D02", "D03", "D06", "D07", "D08", "D09", "D15", "D16", "D17", "D19", "D21", "D23", "D24"}) {
    INFO(id);
    CHECK(row(report, id).finding.verdict == Verdict::pass);
  }
}

TEST_CASE("the doctor names mistakes of the configuration (D01)", "[doctor]") {
  Patient patient;
  SECTION("a misspelt key") {
    patient.add("slotss: 2\n");
    const auto report = patient.examined();
    diagnosed(report, "D01", Verdict::fail, "did you mean", "outpost config check");
    // The editor is opened at the line.
    CHECK_THAT(row(report, "D01").finding.fix, holds("${EDITOR:-vi} +1 " + (patient.directory.path / "agent/conf.d/50-more.yml").string()));
  }
  SECTION("a plugin that is not installed") {
    patient.add("jobs: [{name: nightly, plugins: [acmee]}]\n");
    diagnosed(patient.examined(), "D01", Verdict::fail, "there is no plugin \"acmee\"", "outpost config check");
  }
  SECTION("a selection that no server could be asked for") {
    patient.add("jobs: [{name: nightly, components: ['compose?nme:1']}]\n");
    diagnosed(patient.examined(), "D01", Verdict::fail, "did you mean name?", "outpost config check");
  }
  SECTION("credentials that every user can read, which can be repaired") {
    const fs::path file = patient.directory.path / "agent/dcirc.sh";
    fs::permissions(file, fs::perms::others_read, fs::perm_options::add);
    diagnosed(patient.examined(), "D01", Verdict::fail, "every user", "chmod o= " + file.string());
    const auto found = patient.examined();
    const auto repaired = patient.examined(true);
    CHECK(row(repaired, "D01").finding.verdict == Verdict::pass);
    fs::permissions(file, fs::perms::others_read, fs::perm_options::add);
    pasted(row(found, "D01").finding);
    CHECK(row(patient.examined(), "D01").finding.verdict == Verdict::pass);
    CHECK_THAT(row(repaired, "D01").repaired, holds("1 file"));
    CHECK((fs::status(file).permissions() & fs::perms::others_all) == fs::perms::none);
  }
  SECTION("no configuration at all") {
    fs::remove(patient.directory.path / "agent/outpost.yml");
    diagnosed(patient.examined(), "D01", Verdict::fail, "outpost.yml", "outpost");
  }
}

TEST_CASE("the doctor tells names, connections and proxies apart (D02 to D04)", "[doctor]") {
  Patient patient;
  SECTION("a host that has no address") {
    patient.configure("", "", "url: 'http://api.invalid'");
    diagnosed(patient.examined(), "D02", Verdict::fail, "api.invalid", "getent hosts api.invalid");
  }
  SECTION("a port where nobody listens") {
    patient.configure("", "", "url: 'http://127.0.0.1:1'");
    diagnosed(patient.examined(), "D03", Verdict::fail, "refused", "telnet://127.0.0.1:1");
  }
  SECTION("a proxy that wants credentials") {
    const Site proxy{response(407, "text/html", "<p>who are you?", {{"Proxy-Authenticate", "Basic realm=\"lab\""}})};
    patient.configure("", "", "proxy: '" + proxy.url() + "'");
    diagnosed(patient.examined(), "D04", Verdict::fail, "407", "USER:PASSWORD");
  }
  SECTION("a proxy that only the environment knows") {
    patient.configure("", "", "url: 'http://127.0.0.1:1'");
    patient.environment["HTTPS_PROXY"] = "http://proxy.lab:3128";
    const auto report = patient.examined();
    CHECK(row(report, "D04").finding.verdict == Verdict::warn);
    CHECK_THAT(row(report, "D04").finding.advice, holds("sources.NAME.proxy"));
  }
}

TEST_CASE("the doctor says what is wrong with a certificate (D05)", "[doctor]") {
  Patient patient;
  const TemporaryDirectory keys;
  const CertificateAuthority authority{keys.path}, other{keys.path, "other-ca"};
  const auto serve = [&](const Identity& identity, const std::string& trusted) {
    auto site = std::make_unique<Site>(response(200, "application/json", "{}"), with_tls(identity));
    patient.configure("", "", "url: '" + site->url("https") + "', ca_file: '" + trusted + "'");
    return site;
  };
  SECTION("expired") {
    const auto site = serve(authority.issue({.valid_from = -7200, .valid_until = -3600}), authority.file());
    diagnosed(patient.examined(), "D05", Verdict::fail, "expired on", "openssl s_client");
  }
  SECTION("of an authority that nobody knows") {
    const auto site = serve(authority.issue(), other.file());
    diagnosed(patient.examined(), "D05", Verdict::fail, "unknown issuer", "ca_file");
  }
  SECTION("for another name") {
    const auto site = serve(authority.issue({.hosts = {"api.example.org"}}), authority.file());
    diagnosed(patient.examined(), "D05", Verdict::fail, "not for 127.0.0.1", "openssl s_client");
  }
  SECTION("about to end") {
    const auto site = serve(authority.issue({.valid_until = 5 * 24 * 3600 + 60}), authority.file());
    diagnosed(patient.examined(), "D05", Verdict::warn, "valid for 5 days", "renew");
  }
}

TEST_CASE("the doctor tells a wrong clock from wrong credentials (D06, D07)", "[doctor]") {
  SECTION("twenty minutes behind") {
    Patient patient{{"--clock-offset", "1200"}};
    const auto report = patient.examined();
    diagnosed(report, "D06", Verdict::fail, "behind the server", "chronyc makestep");
    CHECK(row(report, "D07").finding.verdict == Verdict::skip);
  }
  SECTION("a minute ahead") {
    Patient patient{{"--clock-offset", "-60"}};
    diagnosed(patient.examined(), "D06", Verdict::warn, "ahead of the server", "chronyc makestep");
  }
  SECTION("a secret that was renewed on the server") {
    Patient patient;
    patient.renew_secret();
    diagnosed(patient.examined(), "D07", Verdict::fail, "dci: 400", "download the remoteci's credentials again");
  }
}

TEST_CASE("the doctor sees what is no API, and topics that are not there (D08, D09)", "[doctor]") {
  Patient patient;
  SECTION("the page instead of the API") {
    const Site portal{response(200, "text/html", "<html>Sign in</html>")};
    patient.configure("", "", "url: '" + portal.url() + "'");
    diagnosed(patient.examined(), "D08", Verdict::fail, "no DCI API", "sources.dci.url");
  }
  SECTION("a misspelt topic") {
    patient.add("jobs: [{name: nightly, topic: ACME-11}]\n");
    diagnosed(patient.examined(), "D09", Verdict::fail, "did you mean \"ACME-1\"?", "outpost server topics");
  }
}

TEST_CASE("the doctor looks at disks (D10, D11, D15)", "[doctor]") {
  Patient patient;
  const fs::path state = patient.directory.path / "agent/state";
  SECTION("not enough space to claim anything") {
    patient.add("disk: {keep_free: 900TiB}\n");
    diagnosed(patient.examined(), "D10", Verdict::fail, "nothing is claimed", "du -xh");
  }
  SECTION("no state directory, which can be repaired") {
    fs::remove_all(state);
    const auto found = patient.examined();
    diagnosed(found, "D11", Verdict::fail, "there is no " + state.string(), "install -d");
    CHECK(row(patient.examined(true), "D11").finding.verdict != Verdict::fail);
    CHECK(fs::is_directory(state));
  }
  SECTION("a state directory of somebody else") {
    if (::geteuid() != 0) {
      std::puts("SKIPPED: a state directory of somebody else: only root can tell, and only root can make one");
      return;
    }
    patient.put("/etc/passwd", "outpost:x:64000:64000::/:/bin/false\n");
    diagnosed(patient.examined(), "D11", Verdict::fail, "user outpost", "chown -R outpost:outpost");
  }
  SECTION("hooks on a file system that is mounted noexec") {
    patient.put("/proc/self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n23 22 8:2 / " +
                                            (patient.directory.path / "plugins").string() +
                                            " rw,nosuid,noexec shared:2 - xfs /dev/sdb rw\n");
    diagnosed(patient.examined(), "D15", Verdict::fail, "noexec", "remount,exec");
  }
}

TEST_CASE("the doctor looks at what systemd needs to run steps (D12, D13)", "[doctor]") {
  Patient patient;
  patient.add("runner: systemd\n");
  SECTION("control groups of version 1") {
    fs::remove_all(patient.root.path / "sys/fs/cgroup");
    diagnosed(patient.examined(), "D12", Verdict::fail, "version 1", "systemd.unified_cgroup_hierarchy=1");
    patient.put("/etc/os-release", "ID=debian\n");
    diagnosed(patient.examined(), "D12", Verdict::fail, "version 1", "mkdir -p /etc/default/grub.d && echo 'GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX systemd.unified_cgroup_hierarchy=1\"' >/etc/default/grub.d/outpost.cfg && update-grub");
  }
  SECTION("no memory controller") {
    patient.put("/sys/fs/cgroup/cgroup.controllers", "cpu pids\n");
    diagnosed(patient.examined(), "D12", Verdict::fail, "without memory", "cgroup_disable");
  }
  SECTION("fewer users than slots") {
    patient.add("runner: systemd\nslots: 3\n");
    diagnosed(patient.examined(), "D13", Verdict::fail, "outpost-job-2", "systemd-sysusers");
  }
  SECTION("no subordinate ids for containers") {
    patient.add("runner: systemd\njobs: [{name: nightly, profile: container}]\n");
    patient.put("/etc/subuid", "");
    diagnosed(patient.examined(), "D13", Verdict::fail, "/etc/subuid", "usermod --add-subuids");
  }
}

TEST_CASE("the doctor reads SELinux's denials (D14)", "[doctor]") {
  Patient patient;
  patient.put("/sys/fs/selinux/enforce", "1");
  const StandIn ausearch{
      "ausearch",
      "echo 'type=AVC msg=audit(1): avc:  denied  { write } for comm=\"outpostd\" name=\"state\" scontext=x'\n"};
  diagnosed(patient.examined(), "D14", Verdict::warn, "denied  { write }", "restorecon");
}

TEST_CASE("the doctor looks at plugins and at what they require (D16, D17)", "[doctor]") {
  Patient patient;
  SECTION("a hook that cannot be executed") {
    patient.hook("install", "#!/bin/sh\nexit 0\n");
    for (const char* hook : {"install", "test"})
      fs::permissions(patient.directory.path / "plugins/acme/hooks" / hook, fs::perms::owner_read | fs::perms::owner_write);
    const auto report = patient.examined();
    diagnosed(report, "D16", Verdict::fail, "PL002", "chmod +x");
    pasted(row(report, "D16").finding);
    CHECK(row(patient.examined(), "D16").finding.verdict == Verdict::pass);
  }
  SECTION("a hook in a folder whose name has a space") {
    patient.add("plugins_path: ['" + (patient.directory.path / "more plugins").string() + "']\n");
    fs::rename(patient.directory.path / "plugins", patient.directory.path / "more plugins");
    fs::permissions(patient.directory.path / "more plugins/acme/hooks/test", fs::perms::owner_read | fs::perms::owner_write);
    const auto report = patient.examined();
    diagnosed(report, "D16", Verdict::fail, "PL002", "chmod +x '");
    pasted(row(report, "D16").finding);
    CHECK(row(patient.examined(), "D16").finding.verdict == Verdict::pass);
  }
  SECTION("a command that is missing") {
    write_file(patient.directory.path / "plugins/acme/plugin.yml",
               "apiVersion: outpost/v1\nname: acme\nversion: '1'\nrequires: {commands: [frobnicate-the-array]}\n");
    diagnosed(patient.examined(), "D17", Verdict::fail, "frobnicate-the-array", "dnf install '*/bin/frobnicate-the-array'");
    patient.put("/etc/os-release", "ID=debian\n");
    diagnosed(patient.examined(), "D17", Verdict::fail, "frobnicate-the-array", "apt-file search");
    write_file(patient.directory.path / "plugins/acme/plugin.yml",
               "apiVersion: outpost/v1\nname: acme\nversion: '1'\nrequires: {commands: [frobnicate++]}\n");
    diagnosed(patient.examined(), "D17", Verdict::fail, "frobnicate++", R"(apt-file search -x 'bin/frobnicate\+\+$')");
  }
}

TEST_CASE("the doctor looks for lab machines and other servers (D18, D19, D20)", "[doctor]") {
  Patient patient;
  SECTION("a lab machine without an address") {
    patient.add("resources: {rack7: {hosts: [bmc7.invalid]}}\n");
    diagnosed(patient.examined(), "D18", Verdict::warn, "bmc7.invalid (resource rack7)", "resources.rack7.hosts");
  }
  SECTION("two DHCP servers") {
    patient.put("/proc/net/udp", "  sl  local_address\n  1: 00000000:0043 0:0 07\n  2: 017AA8C0:0043 0:0 07\n");
    diagnosed(patient.examined(), "D19", Verdict::warn, "several DHCP servers", "ss -lunp");
  }
  SECTION("a collector that nobody answers") {
    patient.add("metrics: {otlp: {url: 'http://127.0.0.1:1'}}\n");
    diagnosed(patient.examined(), "D20", Verdict::warn, "127.0.0.1:1", "curl -v http://127.0.0.1:1/");
  }
  SECTION("a webhook that nobody answers") {
    patient.add("alarms: {webhook: 'http://127.0.0.1:1/alarm'}\n");
    diagnosed(patient.examined(), "D20", Verdict::warn, "127.0.0.1:1", "curl -v http://127.0.0.1:1/");
    patient.add("alarms: {webhook: 'http://[::1]:1/alarm'}\n");
    diagnosed(patient.examined(), "D20", Verdict::warn, "[::1]:1", "curl -v 'http://[::1]:1/'");
  }
}

TEST_CASE("the doctor looks at limits, unit, time service and pressure (D21 to D24)", "[doctor]") {
  Patient patient;
  SECTION("too few open files") {
    patient.put("/proc/self/limits", "Max open files            256                256                files\n");
    diagnosed(patient.examined(), "D21", Verdict::warn, "may open 256 files", "ulimit -n 65536");
    patient.put("/run/systemd/system/x", "");
    diagnosed(patient.examined(), "D21", Verdict::warn, "may open 256 files", "LimitNOFILE=65536\\n' >/etc/systemd/system/outpostd.service.d/zz-files.conf && systemctl daemon-reload && systemctl restart outpostd");
  }
  SECTION("a copy that hides the package's unit") {
    patient.put("/run/systemd/system/x", "");
    patient.put("/usr/lib/systemd/system/outpostd.service", "[Service]\nUser=outpost\n");
    patient.put("/etc/systemd/system/outpostd.service", "[Service]\nUser=root\n");
    diagnosed(patient.examined(), "D22", Verdict::warn, "hides the package's unit", "systemctl edit outpostd");
  }
  SECTION("a service that has failed") {
    patient.put("/run/systemd/system/x", "");
    const StandIn systemctl{
        "systemctl",
        "printf 'LoadState=loaded\\nActiveState=failed\\nUnitFileState=enabled\\nNeedDaemonReload=no\\n'\n"};
    diagnosed(patient.examined(), "D22", Verdict::fail, "ended with an error", "journalctl -u outpostd");
  }
  SECTION("nobody sets the clock") {
    fs::remove_all(patient.root.path / "proc/812");
    diagnosed(patient.examined(false, false), "D23", Verdict::warn, "no time service", "dnf install chrony && systemctl enable --now chronyd");
    patient.put("/etc/os-release", "PRETTY_NAME=\"Debian GNU/Linux 12\"\nID=debian\n");
    diagnosed(patient.examined(false, false), "D23", Verdict::warn, "no time service", "apt-get install chrony && systemctl enable --now chrony");
  }
  SECTION("too little memory") {
    patient.put("/proc/pressure/memory",
                "some avg10=60.00 avg60=55.00\nfull avg10=40.00 avg60=31.50 avg300=9.00 total=1\n");
    diagnosed(patient.examined(), "D24", Verdict::warn, "too little memory", "lower slots");
  }
}

TEST_CASE("the doctor sees an old daemon, and what a killed one has left (D25, D26)", "[doctor]") {
  Patient patient;
  const fs::path socket = patient.directory.path / "agent/run/api.sock";
  fs::create_directories(socket.parent_path());
  SECTION("a daemon of another version") {
    http::ListenOptions options;
    options.address = http::UnixAddress{socket.string(), 0600};
    const Site old{
        response(200, "application/json", R"({"version": "0.0.9", "state": "idle", "runner": "local", "alarms": []})"),
        options};
    diagnosed(patient.examined(), "D25", Verdict::warn, "the daemon 0.0.9", "outpost drain --wait --config " + (patient.directory.path / "agent/outpost.yml").string() + " && systemctl restart outpostd");
  }
  SECTION("a daemon that is in trouble says why") {
    http::ListenOptions options;
    options.address = http::UnixAddress{socket.string(), 0600};
    const Site sick{response(200, "application/json",
                             R"({"version": ")" OUTPOST_VERSION
                             R"(", "state": "degraded", "state_reason": "the journal is gone", "alarms": []})"),
                    options};
    diagnosed(patient.examined(), "D22", Verdict::fail, "the journal is gone", "outpost alarm list --config " + (patient.directory.path / "agent/outpost.yml").string());
  }
  SECTION("a socket behind which nobody listens, which can be repaired") {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, socket.c_str(), sizeof address.sun_path - 1);
    const int listening = ::socket(AF_UNIX, SOCK_STREAM, 0);
    REQUIRE(::bind(listening, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    ::close(listening);
    diagnosed(patient.examined(), "D26", Verdict::warn, "nobody listens", "rm " + socket.string());
    CHECK(row(patient.examined(true), "D26").finding.verdict == Verdict::pass);
    CHECK_FALSE(fs::exists(socket));
  }
  SECTION("processes of jobs that nobody looks after") {
    patient.put("/proc/4711/status", "Name:\tsleep\nUid:\t64001\t64001\t64001\t64001\n");
    patient.put("/proc/4711/comm", "sleep\n");
    diagnosed(patient.examined(), "D26", Verdict::warn, "4711 (sleep)", "kill 4711");
  }
  SECTION("processes of another daemon, or of a job that somebody runs by hand") {
    patient.put("/proc/500/comm", "outpostd\n");
    patient.put("/proc/500/status", "Name:\toutpostd\nPPid:\t1\n");
    patient.put("/proc/501/comm", "outpost-guardia\n");
    patient.put("/proc/501/status", "Name:\toutpost-guardia\nPPid:\t500\n");
    CHECK(row(patient.examined(), "D26").finding.verdict == Verdict::pass);
    patient.put("/proc/501/status", "Name:\toutpost-guardia\nPPid:\t1\n");
    diagnosed(patient.examined(), "D26", Verdict::warn, "501 (outpost-guardia)", "kill 501");
  }
}
