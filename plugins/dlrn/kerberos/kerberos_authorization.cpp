#include "plugins/dlrn/kerberos/kerberos_authorization.hpp"

#include "agent/base/hash.hpp"
#include "agent/base/ids.hpp"
#include "agent/base/text.hpp"

#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <krb5.h>

#include <sys/stat.h>

#include <array>

namespace outpost::dlrn {
namespace {

/// What the library gives out and wants back.
template <class Value, auto release>
struct Owned {
  Value value{};
  ~Owned() {
    OM_uint32 ignored = 0;
    release(&ignored, &value);
  }
};
OM_uint32 delete_context(OM_uint32* minor, gss_ctx_id_t* context) { return ::gss_delete_sec_context(minor, context, GSS_C_NO_BUFFER); }
using Name = Owned<gss_name_t, ::gss_release_name>;
using Credentials = Owned<gss_cred_id_t, ::gss_release_cred>;
using Context = Owned<gss_ctx_id_t, delete_context>;
using Buffer = Owned<gss_buffer_desc, ::gss_release_buffer>;

std::string words_of(OM_uint32 code, int type) {
  std::string words;
  OM_uint32 more = 0, ignored = 0;
  do {
    Buffer text;
    if (GSS_ERROR(::gss_display_status(&ignored, code, type, gss_mech_krb5, &more, &text.value))) break;
    words += (words.empty() ? "" : ", ") + std::string{static_cast<const char*>(text.value.value), text.value.length};
  } while (more != 0);
  return words;
}

Error refusal(const std::string& what, OM_uint32 major, OM_uint32 minor) {
  std::string words = minor != 0 ? words_of(minor, GSS_C_MECH_CODE) : "";
  if (words.empty()) words = words_of(major, GSS_C_GSS_CODE);
  return {Fault::credentials, what + ": " + printable(words, 300)};
}

OM_uint32 import(const std::string& text, gss_OID form, Name& name) {
  gss_buffer_desc buffer{text.size(), const_cast<char*>(text.data())};
  OM_uint32 minor = 0;
  const OM_uint32 major = ::gss_import_name(&minor, &buffer, form, &name.value);
  return GSS_ERROR(major);
}

/// "HTTP/host@REALM" is a principal; "HTTP@host" leaves the realm to krb5.conf.
gss_OID form_of(const std::string& server) {
  return server.find('/') == std::string::npos ? GSS_C_NT_HOSTBASED_SERVICE : const_cast<gss_OID>(GSS_KRB5_NT_PRINCIPAL_NAME);
}

/// Talks to the realm's servers when there is no ticket yet.
Result<std::string> token_of(const KerberosAuthorization::Options& options, const std::string& cache) {
  const bool by_keytab = !options.keytab.empty();
  const std::string where = by_keytab ? "Kerberos: " + options.keytab.string() : "Kerberos: the tickets of this user (see klist; kinit gets new ones)";
  Name ourselves, server;
  if (!options.principal.empty() && import(options.principal, const_cast<gss_OID>(GSS_KRB5_NT_PRINCIPAL_NAME), ourselves))
    return Error{Fault::credentials, "Kerberos: \"" + printable(options.principal, 200) + "\" is not a principal (example: ciuser@EXAMPLE.ORG)"};
  if (import(options.server, form_of(options.server), server))
    return Error{Fault::credentials, "Kerberos: \"" + printable(options.server, 200) + "\" is not a server's principal (example: HTTP/builder.example.org@EXAMPLE.ORG)"};
  std::array<gss_key_value_element_desc, 2> places{{{"client_keytab", options.keytab.c_str()}, {"ccache", cache.c_str()}}};
  const gss_key_value_set_desc store{places.size(), places.data()};
  gss_OID_set_desc mechanisms{1, gss_mech_krb5};
  Credentials credentials;
  OM_uint32 minor = 0;
  OM_uint32 major = ::gss_acquire_cred_from(&minor, ourselves.value, GSS_C_INDEFINITE, &mechanisms, GSS_C_INITIATE, by_keytab ? &store : GSS_C_NO_CRED_STORE, &credentials.value, nullptr, nullptr);
  if (GSS_ERROR(major)) return refusal(where, major, minor);
  Context context;
  Buffer token;
  major = ::gss_init_sec_context(&minor, credentials.value, &context.value, server.value, gss_mech_krb5, 0, GSS_C_INDEFINITE,
                                 GSS_C_NO_CHANNEL_BINDINGS, GSS_C_NO_BUFFER, nullptr, &token.value, nullptr, nullptr);
  if (GSS_ERROR(major)) return refusal(where + ", for a ticket to " + printable(options.server, 200), major, minor);
  return "Negotiate " + to_base64({static_cast<const char*>(token.value.value), token.value.length});
}

std::string new_cache() { return "MEMORY:outpost-" + new_id(SystemClock{}.now()); }

void forget(const std::string& cache) {
  krb5_context context = nullptr;
  krb5_ccache tickets = nullptr;
  if (::krb5_init_context(&context) != 0) return;
  if (::krb5_cc_resolve(context, cache.c_str(), &tickets) == 0) ::krb5_cc_destroy(context, tickets);
  ::krb5_free_context(context);
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
