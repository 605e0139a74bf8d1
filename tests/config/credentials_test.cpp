#include "agent/config/credentials.hpp"

#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <sstream>
#include <type_traits>

using namespace outpost;
using namespace outpost::config;
using outpost::test::TemporaryDirectory;
using outpost::test::write_file;

namespace {

const std::string uuid = "7d2b0b6e-6b61-4d5b-9b1e-000000000001";
const std::string secret = "sQ3Xk0fYh1nM5pR7tV9wB2dG4jL6zC8aE0uI3oS5qW7xN1vK4mT6rP8yH2cF5bJ9";

struct Expected {
  std::string content;
  std::string client_id = "remoteci/" + uuid;
  std::string url = "https://api.distributed-ci.io";
};

std::string error_of(const std::string& content) {
  const auto credentials = parse_credentials(content, "dcirc.sh");
  return credentials ? "accepted" : credentials.error().message;
}

template <class T>
concept Printable = requires(std::ostringstream& stream, const T& value) { stream << value; };

void set_mode(const std::filesystem::path& path, mode_t mode) { REQUIRE(::chmod(path.c_str(), mode) == 0); }

std::filesystem::path private_file(const TemporaryDirectory& directory, const std::string& name,
                                   const std::string& content) {
  const auto path = directory.path / name;
  write_file(path, content);
  set_mode(path, 0600);
  return path;
}

Source source_with(const std::filesystem::path& file) {
  Source source;
  source.name = "dci";
  source.credentials.file = file;
  return source;
}

}  // namespace

TEST_CASE("lines for the head of requests are read, and a line that is none is named without its content") {
  const TemporaryDirectory directory;
  const auto read = [&](const std::string& content) { return read_headers({.file = private_file(directory, "headers", content), .credential = {}}, {}); };
  const auto headers = read("# of the collector\nAuthorization: Bearer abc:def\n\n  X-Scope-OrgID :7\n");
  CHECK_FALSE(headers.has_value());  // A name does not end in a blank.
  const auto good = read("# of the collector\nAuthorization: Bearer abc:def\r\n\n  X-Scope-OrgID:7\n");
  REQUIRE((good ? "" : good.error().message) == "");
  REQUIRE(good->size() == 2);
  CHECK(good->at(0).first == "Authorization");
  CHECK(good->at(0).second.reveal() == "Bearer abc:def");
  CHECK(good->at(1).first == "X-Scope-OrgID");
  CHECK(good->at(1).second.reveal() == "7");
  for (const char* bad : {"hunter2", "A b: hunter2", ": hunter2", "Name:", "Name: hun\x01ter2"}) {
    const auto wrong = read(std::string{"A: b\n"} + bad + "\n");
    REQUIRE_FALSE(wrong.has_value());
    CHECK(wrong.error().message.find("headers:2: a line \"Name: value\" is due") != std::string::npos);
    CHECK(wrong.error().message.find("hunter2") == std::string::npos);
  }
  set_mode(directory.path / "headers", 0644);
  CHECK_FALSE(read_headers({.file = directory.path / "headers", .credential = {}}, {}).has_value());
}

TEST_CASE("credentials are read in every form people keep them in") {
  const std::string id = "remoteci/" + uuid, url = "https://api.distributed-ci.io";
  const std::vector<Expected> forms{
      // As the control server's page offers it for download.
      {"DCI_CLIENT_ID='" + id + "'\nDCI_API_SECRET='" + secret + "'\nDCI_CS_URL='" + url +
       "/'\nexport DCI_CLIENT_ID\nexport DCI_API_SECRET\nexport DCI_CS_URL\n"},
      {"export DCI_CLIENT_ID=\"" + id + "\"\nexport DCI_API_SECRET=\"" + secret + "\"\nexport DCI_CS_URL=\"" + url +
       "\"\n"},
      {"#!/bin/bash\n# the lab\nexport DCI_CLIENT_ID=" + id + " # ours\nexport DCI_API_SECRET=" + secret +
       "\nexport DCI_CS_URL=" + url},
      {"DCI_CLIENT_ID=" + id + "; export DCI_CLIENT_ID; DCI_API_SECRET=" + secret +
       ";export DCI_API_SECRET\n\tDCI_CS_URL=" + url + ";\n"},
      {"export DCI_CLIENT_ID=" + id + " DCI_API_SECRET=" + secret + " \\\n  DCI_CS_URL=" + url + "\n"},
      {"\xEF\xBB\xBF"
       "export DCI_CLIENT_ID='" +
       id + "'\r\nexport DCI_API_SECRET='" + secret + "'\r\nexport DCI_CS_URL='" + url + "'\r\n"},
      {"export DCI_CLIENT_ID='remoteci'/\"" + uuid + "\"\nexport DCI_API_SECRET=" + secret +
       "\nexport http_proxy=http://proxy:3128 DCI_CS_URL=" + url + "\n"},
      {"export DCI_CLIENT_ID=old\nexport DCI_CLIENT_ID=" + id + "\nexport DCI_API_SECRET=" + secret +
       "\nDCI_CS_URL=" + url + "\n"},
      {"DCI_CLIENT_ID=" + uuid + "\nDCI_API_SECRET=" + secret + "\nDCI_CS_URL=" + url + "\n"},
      {"DCI_CLIENT_ID=" + id + "\nDCI_API_SECRET=" + secret + "\n", id, ""},
      {"DCI_CLIENT_ID=feeder/" + uuid + "\nDCI_API_SECRET=" + secret + "\n", "feeder/" + uuid, ""},
      {"---\nDCI_CLIENT_ID: " + id + "\nDCI_API_SECRET: " + secret + "\nDCI_CS_URL: " + url + "/\n"},
      {"DCI_CLIENT_ID: \"" + id + "\"\nDCI_API_SECRET: '" + secret + "'\nDCI_CS_URL: " + url +
       "\nDCI_UI_URL: https://www.distributed-ci.io\n"},
      {"# ours\n\nclient_id: " + uuid + "\napi_secret: " + secret + "\nurl: " + url + "\n"},
      {"{\"client_id\": \"" + id + "\", \"api_secret\": \"" + secret + "\", \"url\": \"" + url + "\"}"},
  };
  for (const auto& form : forms) {
    INFO(form.content);
    const auto credentials = parse_credentials(form.content, "file");
    REQUIRE(credentials);
    CHECK(credentials->client_id == form.client_id);
    CHECK(credentials->api_secret.reveal() == secret);
    CHECK(credentials->url == form.url);
  }
}

TEST_CASE("shell quoting means what it means to a shell") {
  const auto value = [](const std::string& content) {
    const auto variables = parse_shell_assignments(content, "f");
    return variables ? variables->at("A") : variables.error().message;
  };
  CHECK(value(R"(A=b)") == "b");
  CHECK(value(R"(A='b c')") == "b c");
  CHECK(value(R"(A='$HOME `x` \n')") == R"($HOME `x` \n)");
  CHECK(value(R"(A="a\"b\\c\$d\`e\f")") == R"(a"b\c$d`e\f)");
  CHECK(value(R"(A=a\ b\$c)") == "a b$c");
  CHECK(value("A=\"a\\\nb\"") == "ab");
  CHECK(value("A='a\nb'") == "a\nb");
  CHECK(value("A=a'b'\"c\"d") == "abcd");
  CHECK(value("A=x#y # comment ' with a quote") == "x#y");
  CHECK(value("A=") == "");
  CHECK(value("export B=1 A=2 C") == "2");
  CHECK(value("A=b=c") == "b=c");
  CHECK(value("A=1;A=2\n;;\n") == "2");
  CHECK(value("A=x~y") == "x~y");
}

TEST_CASE("what a shell would evaluate is refused with its line and without the value") {
  const std::string hint = " is not evaluated: the file is read, never run; write the value itself";
  CHECK(error_of("A=b\nDCI_API_SECRET=$(cat /secret)\n") == "dcirc.sh:2: $" + hint);
  CHECK(error_of("DCI_API_SECRET=`cat /secret`\n") == "dcirc.sh:1: `" + hint);
  CHECK(error_of("\n\nDCI_API_SECRET=\"${SECRET}\"\n") == "dcirc.sh:3: $" + hint);
  CHECK(error_of("export PATH=$PATH:/opt/dci\n") == "dcirc.sh:1: $" + hint);
  CHECK(error_of("A=\"x\ny `id`\"\n") == "dcirc.sh:2: `" + hint);
  CHECK(error_of("A=~/x\n") == "dcirc.sh:1: ~" + hint);
  CHECK(error_of("A=$'x'\n") == "dcirc.sh:1: $" + hint);
  for (const char* content : {"A=b | tee\n", "A=b && B=c\n", "A=(1 2)\n", "A=b > /tmp/x\n", "A=b & \n", "A=<(id)\n"}) {
    INFO(content);
    CHECK(error_of(content).find("is not evaluated: only assignments are read (if it belongs to a value, quote it)") !=
          std::string::npos);
  }
  const std::string command = "only NAME=value and export NAME=value are read, commands are not evaluated";
  for (const char* content : {"A=b\nsource /etc/other\n", "A=b\n. /etc/other\n", "A=b\nrm -rf /tmp/x\n",
                              "A=b\nexport -n A\n", "A=b\ndeclare -x B=c\n", "A=b\nif true; then A=c; fi\n",
                              "A=b\n'A'=c\n", "A=b\nA+=c\n", "A=b\nB=c env\n", "A=b\n1A=c\n", "A=b\nset -a\n"}) {
    INFO(content);
    CHECK(error_of(content) == "dcirc.sh:2: " + command);
  }
  CHECK(error_of("A=b\nDCI_API_SECRET='abc\nX=y\n") == "dcirc.sh:2: a ' is opened and never closed");
  CHECK(error_of("DCI_API_SECRET=\"abc\n") == "dcirc.sh:1: a \" is opened and never closed");
  CHECK(error_of("DCI_API_SECRET=abc\\") == "dcirc.sh:1: a backslash at the end of the file");
}

TEST_CASE("nothing in a credentials file is ever run") {
  const TemporaryDirectory directory;
  const auto proof = directory.path / "proof";
  for (const std::string& content :
       {"touch " + proof.string() + "\n", "A=$(touch " + proof.string() + ")\n", "A=`touch " + proof.string() + "`\n"})
    CHECK(error_of(content) != "accepted");
  CHECK_FALSE(std::filesystem::exists(proof));
}

TEST_CASE("incomplete or swapped credentials say what is wrong, never a value") {
  const std::string id = "remoteci/" + uuid;
  CHECK(error_of("") == "dcirc.sh: DCI_CLIENT_ID is missing; the file needs DCI_CLIENT_ID and DCI_API_SECRET, or for a DLRN builder DLRNAPI_USERNAME and DLRNAPI_PASSWORD");
  CHECK(error_of("DCI_CLIENT_ID=" + id).starts_with("dcirc.sh: DCI_API_SECRET is missing"));
  CHECK(error_of("DCI_CLIENTID=" + id) ==
        "dcirc.sh: DCI_CLIENT_ID is missing (DCI_CLIENTID is there: is that a misspelling?)");
  CHECK(error_of("DCI_LOGIN=bob\nDCI_PASSWORD=" + secret) ==
        "dcirc.sh: DCI_CLIENT_ID is missing; DCI_LOGIN is a person's, but the agent needs a remoteci's DCI_CLIENT_ID "
        "and DCI_API_SECRET");
  const std::vector<std::string> wrong{
      "DCI_CLIENT_ID=" + secret + "\nDCI_API_SECRET=" + id + "\n",
      "DCI_CLIENT_ID=" + id + "\nDCI_API_SECRET=" + id + "\n",
      "DCI_CLIENT_ID=" + id + "\nDCI_API_SECRET='" + secret + " x'\n",
      "DCI_CLIENT_ID=user/" + uuid + "\nDCI_API_SECRET=" + secret + "\n",
      "DCI_CLIENT_ID: " + id + "\nDCI_API_SECRET: [" + secret + "]\n",
      "DCI_CLIENT_ID: " + id + "\nDCI_API_SECRET: \"" + secret + "\n",
      "DCI_CLIENT_ID: " + id + "\nDCI_CLIENT_ID: " + id + "\nDCI_API_SECRET: " + secret + "\n",
      "- " + secret + ": x\n",
      "DCI_CLIENT_ID=" + id + "\nDCI_API_SECRET=" + secret + "\nDCI_CS_URL=" + secret + "\n",
      "---\n" + secret + "\n",
      secret + "\n",
      "DCI_API_SECRET " + secret + "\n",
      "DCI_CLIENT_ID: " + id + "\nDCI_API_SECRET: *" + secret + "\n"};
  for (const auto& content : wrong) {
    INFO(content);
    const std::string message = error_of(content);
    CHECK(message != "accepted");
    CHECK(message.starts_with("dcirc.sh:"));
    CHECK(message.find(secret) == std::string::npos);
    CHECK(message.find(uuid) == std::string::npos);
    CHECK(message.find('\n') == std::string::npos);
  }
  CHECK(error_of(wrong[0]) ==
        "dcirc.sh: DCI_CLIENT_ID is neither remoteci/<uuid> nor a uuid (not shown; is it swapped with the secret?)");
  CHECK(error_of(wrong[1]) == "dcirc.sh: DCI_API_SECRET looks like a client id; are the two swapped?");
}

TEST_CASE("a secret has nothing that prints it, and moving leaves nothing behind") {
  STATIC_REQUIRE_FALSE(Printable<Secret>);
  STATIC_REQUIRE_FALSE(std::is_convertible_v<Secret, std::string>);
  STATIC_REQUIRE_FALSE(std::is_convertible_v<Secret, std::string_view>);
  Secret first{"short"};
  Secret second{std::move(first)};
  CHECK(first.empty());  // NOLINT(bugprone-use-after-move): that is the point.
  CHECK(second.reveal() == "short");
  first = second;
  CHECK(first.reveal() == "short");
  second = Secret{secret};
  first = std::move(second);
  CHECK(first.reveal() == secret);
  Secret& same = first;
  first = same;
  CHECK(first.reveal() == secret);
}

TEST_CASE("a secret's file loses the line break at its end and nothing else") {
  const TemporaryDirectory directory;
  const auto read = [&](const std::string& content) {
    const auto value = read_secret({.file = private_file(directory, "secret", content), .credential = {}}, {});
    return value ? std::string{value->reveal()} : value.error().message;
  };
  CHECK(read("hunter2\n") == "hunter2");
  CHECK(read("hunter2\r\n") == "hunter2");
  CHECK(read(" two words ") == " two words ");
  CHECK(read("\n").ends_with("secret is empty, but a secret is due"));
  CHECK(read(std::string(65 * 1024, 'x')).ends_with("is larger than 64.0 KiB"));
}

TEST_CASE("a secret that every user can read or change is refused with the chmod that repairs it") {
  const TemporaryDirectory directory;
  const auto path = private_file(directory, "secret", "hunter2\n");
  for (const mode_t mode : {0600, 0640, 0400}) {
    set_mode(path, mode);
    if (::geteuid() != 0 && (mode & 0400) == 0) continue;
    CHECK(read_secret({.file = path, .credential = {}}, {}).has_value());
  }
  set_mode(path, 0644);
  CHECK(read_secret({.file = path, .credential = {}}, {}).error().message ==
        path.string() + " holds a secret, but every user of this machine can read it; run: chmod o= " + path.string());
  set_mode(path, 0602);
  CHECK(read_secret({.file = path, .credential = {}}, {}).error().message ==
        path.string() +
            " holds a secret, but every user of this machine can change it; run: chmod o= " + path.string());
  CHECK(read_credentials(source_with(path), {}).error().fault == Fault::refused);
}

TEST_CASE("a secret that is missing, a directory, a FIFO or unreadable is an error and never waited for") {
  const TemporaryDirectory directory;
  const auto error = [](const std::filesystem::path& path) {
    return read_secret({.file = path, .credential = {}}, {}).error().message;
  };
  CHECK(error(directory.path / "none") ==
        "cannot open " + (directory.path / "none").string() + ": No such file or directory");
  CHECK(error(directory.path) == directory.path.string() + " is not a regular file");
  const auto fifo = directory.path / "fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK(error(fifo) == fifo.string() + " is not a regular file");
  if (::geteuid() == 0) {
    WARN("part skipped: root can read every file");
    return;
  }
  const auto locked = private_file(directory, "locked", "x");
  set_mode(locked, 0);
  CHECK(error(locked) == "cannot open " + locked.string() + ": Permission denied");
}

TEST_CASE("a credential of systemd is a file in the directory that systemd names") {
  const TemporaryDirectory directory;
  private_file(directory, "dci", "DCI_CLIENT_ID=" + uuid + "\nDCI_API_SECRET=" + secret + "\n");
  Source source;
  source.credentials.credential = "dci";
  const auto place = credentials_directory({{"CREDENTIALS_DIRECTORY", directory.name}});
  REQUIRE(read_credentials(source, place).has_value());
  CHECK(read_credentials(source, place)->client_id == "remoteci/" + uuid);
  CHECK(read_credentials(source, credentials_directory({})).error().message ==
        "the credential \"dci\" is only there under systemd (LoadCredential=dci:PATH in outpostd.service); "
        "CREDENTIALS_DIRECTORY is not set");
}

TEST_CASE("a client id with a file for the secret works like a credentials file, and url in outpost.yml wins") {
  const TemporaryDirectory directory;
  Source source;
  source.client_id = uuid;
  source.api_secret.file = private_file(directory, "secret", secret + "\n");
  auto credentials = read_credentials(source, {});
  REQUIRE(credentials);
  CHECK(credentials->client_id == "remoteci/" + uuid);
  CHECK(credentials->api_secret.reveal() == secret);
  CHECK(credentials->url.empty());

  source = source_with(
      private_file(directory, "dcirc.sh",
                   "DCI_CLIENT_ID=" + uuid + " DCI_API_SECRET=" + secret + " DCI_CS_URL=https://a.example.org/\n"));
  CHECK(read_credentials(source, {})->url == "https://a.example.org");
  source.url = "https://b.example.org";
  CHECK(read_credentials(source, {})->url == "https://b.example.org");
  CHECK(read_credentials(Source{}, {})->client_id.empty());
}

TEST_CASE("a user's name and password are read in both forms") {
  for (const std::string content : {"DLRNAPI_USERNAME=ciuser\nexport DLRNAPI_PASSWORD='a b:c'\n", "username: ciuser\npassword: 'a b:c'\n", "DLRNAPI_USERNAME: ciuser\nDLRNAPI_PASSWORD: \"a b:c\"\n"}) {
    const auto login = outpost::config::parse_credentials(content, "dlrn.sh");
    INFO(content);
    REQUIRE(login.has_value());
    CHECK(login->client_id == "ciuser");
    CHECK(login->api_secret.reveal() == "a b:c");
    CHECK(login->url.empty());
  }
}

TEST_CASE("half a login is told, without a value") {
  const auto message = [](std::string_view content) { return outpost::config::parse_credentials(content, "dlrn.sh").error().message; };
  CHECK(message("DLRNAPI_USERNAME=ciuser\n") == "dlrn.sh: DLRNAPI_PASSWORD is missing; the two belong together");
  CHECK(message("password: s3cret\n") == "dlrn.sh: DLRNAPI_USERNAME is missing; the two belong together");
  CHECK(message("DLRNAPI_USERNAME=a:b\nDLRNAPI_PASSWORD=s3cret\n").find("s3cret") == std::string::npos);
}
