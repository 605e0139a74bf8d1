#include "plugins/dlrn/kerberos/kerberos_authorization.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/ids.hpp"
#include "agent/base/text.hpp"
#include "plugins/dlrn/kerberos/gssapi_library.hpp"

#include <sys/stat.h>

#include <array>
#include <type_traits>

namespace outpost::dlrn {
namespace {

/// What the library gives out and wants back.
template <class Value, auto release>
struct Owned {
  explicit Owned(const GssapiLibrary& from) : library{from} {}
  ~Owned() {
    OM_uint32 ignored = 0;
    if constexpr (std::is_same_v<Value, gss_ctx_id_t>)
      (library.*release)(&ignored, &value, GSS_C_NO_BUFFER);
    else
      (library.*release)(&ignored, &value);
  }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;

  const GssapiLibrary& library;
  Value value{};
};
using Name = Owned<gss_name_t, &GssapiLibrary::release_name>;
using Credentials = Owned<gss_cred_id_t, &GssapiLibrary::release_cred>;
using Context = Owned<gss_ctx_id_t, &GssapiLibrary::delete_sec_context>;
using Buffer = Owned<gss_buffer_desc, &GssapiLibrary::release_buffer>;

std::string words_of(const GssapiLibrary& gss, OM_uint32 code, int type) {
  std::string words;
  OM_uint32 more = 0, ignored = 0;
  do {
    Buffer text{gss};
    if (GSS_ERROR(gss.display_status(&ignored, code, type, gss.mechanism, &more, &text.value))) break;
    words += (words.empty() ? "" : ", ") + std::string{static_cast<const char*>(text.value.value), text.value.length};
  } while (more != 0);
  return words;
}

Error refusal(const GssapiLibrary& gss, const std::string& what, OM_uint32 major, OM_uint32 minor) {
  std::string words = minor != 0 ? words_of(gss, minor, GSS_C_MECH_CODE) : "";
  if (words.empty()) words = words_of(gss, major, GSS_C_GSS_CODE);
  return {Fault::credentials, what + ": " + printable(words, 300)};
}

bool import(const std::string& text, gss_OID form, Name& name) {
  gss_buffer_desc buffer{text.size(), const_cast<char*>(text.data())};
  OM_uint32 minor = 0;
  return !GSS_ERROR(name.library.import_name(&minor, &buffer, form, &name.value));
}

/// "HTTP/host@REALM" is a principal; "HTTP@host" leaves the realm to krb5.conf.
gss_OID form_of(const GssapiLibrary& gss, const std::string& server) {
  return server.find('/') == std::string::npos ? gss.hostbased_service : gss.principal_name;
}

/// Talks to the realm's servers when there is no ticket yet.
Result<std::string> token_of(const KerberosAuthorization::Options& options, const std::string& cache) {
  const auto library = GssapiLibrary::load();
  if (!library) return library.error();
  const GssapiLibrary& gss = **library;
  const bool by_keytab = !options.keytab.empty();
  const std::string where = by_keytab ? "Kerberos: " + options.keytab.string() : "Kerberos: the tickets of this user (see klist; kinit gets new ones)";
  Name ourselves{gss}, server{gss};
  if (!options.principal.empty() && !import(options.principal, gss.principal_name, ourselves))
    return Error{Fault::credentials, "Kerberos: \"" + printable(options.principal, 200) + "\" is not a principal (example: ciuser@EXAMPLE.ORG)"};
  if (!import(options.server, form_of(gss, options.server), server))
    return Error{Fault::credentials, "Kerberos: \"" + printable(options.server, 200) + "\" is not a server's principal (example: HTTP/builder.example.org@EXAMPLE.ORG)"};
  std::array<gss_key_value_element_desc, 2> places{{{"client_keytab", options.keytab.c_str()}, {"ccache", cache.c_str()}}};
  const gss_key_value_set_desc store{places.size(), places.data()};
  gss_OID_set_desc mechanisms{1, gss.mechanism};
  Credentials credentials{gss};
  OM_uint32 minor = 0;
  OM_uint32 major = gss.acquire_cred_from(&minor, ourselves.value, GSS_C_INDEFINITE, &mechanisms, GSS_C_INITIATE, by_keytab ? &store : GSS_C_NO_CRED_STORE, &credentials.value, nullptr, nullptr);
  if (GSS_ERROR(major)) return refusal(gss, where, major, minor);
  Context context{gss};
  Buffer token{gss};
  major = gss.init_sec_context(&minor, credentials.value, &context.value, server.value, gss.mechanism, 0, GSS_C_INDEFINITE,
                               GSS_C_NO_CHANNEL_BINDINGS, GSS_C_NO_BUFFER, nullptr, &token.value, nullptr, nullptr);
  if (GSS_ERROR(major)) return refusal(gss, where + ", for a ticket to " + printable(options.server, 200), major, minor);
  return "Negotiate " + to_base64({static_cast<const char*>(token.value.value), token.value.length});
}

std::string new_cache() { return "MEMORY:outpost-" + new_id(SystemClock{}.now()); }

void forget(const std::string& cache) {
  const auto library = GssapiLibrary::load();
  if (!library) return;  // Then there never was one.
  const GssapiLibrary& krb5 = **library;
  krb5_context context = nullptr;
  krb5_ccache tickets = nullptr;
  if (krb5.init_context(&context) != 0) return;
  if (krb5.cc_resolve(context, cache.c_str(), &tickets) == 0) krb5.cc_destroy(context, tickets);
  krb5.free_context(context);
}

/// Differs when the file was replaced or written to.
std::string identity_of(const std::filesystem::path& file) {
  struct stat status{};
  if (::stat(file.c_str(), &status) != 0) return "none";
  return std::to_string(status.st_ino) + ' ' + std::to_string(status.st_size) + ' ' + std::to_string(status.st_mtim.tv_sec) + '.' + std::to_string(status.st_mtim.tv_nsec);
}

}  // namespace

KerberosAuthorization::KerberosAuthorization(Options options)
    : options_{std::move(options)}, cache_{new_cache()} {}

KerberosAuthorization::~KerberosAuthorization() { forget(cache_); }

boost::asio::awaitable<Result<std::string>> KerberosAuthorization::header() {
  auto look = [keytab = options_.keytab] { return identity_of(keytab); };
  std::string keys = co_await workers_.run(std::move(look));
  if (keys != keys_ && !keys_.empty()) refused();
  keys_ = std::move(keys);
  auto make = [options = options_, cache = cache_] { return token_of(options, cache); };
  co_return co_await workers_.run(std::move(make));
}

bool KerberosAuthorization::refused() {
  forget(cache_);
  cache_ = new_cache();
  return true;
}

std::string KerberosAuthorization::user() const {
  if (!options_.principal.empty()) return options_.principal;
  return options_.keytab.empty() ? "the principal of this user's tickets" : "the principal of " + options_.keytab.string();
}

}  // namespace outpost::dlrn
