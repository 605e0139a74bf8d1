#include "samples/dlrn-server/tickets.hpp"

#include "samples/dlrn-server/base64.hpp"

#include <gssapi/gssapi_ext.h>

#include <array>

namespace outpost::sample_builder {
namespace {

/// The name before the '@' of whoever sent this token; nothing when it is none, is too old or was seen before.
std::optional<std::string> initiator_of(const std::filesystem::path& keytab, std::string token) {
  std::array<gss_key_value_element_desc, 1> places{{{"keytab", keytab.c_str()}}};
  const gss_key_value_set_desc store{places.size(), places.data()};
  gss_cred_id_t credentials = GSS_C_NO_CREDENTIAL;
  gss_ctx_id_t context = GSS_C_NO_CONTEXT;
  gss_name_t client = GSS_C_NO_NAME;
  gss_buffer_desc given{token.size(), token.data()}, answer{}, name{};
  OM_uint32 minor = 0, ignored = 0;
  std::optional<std::string> found;
  if (!GSS_ERROR(::gss_acquire_cred_from(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, GSS_C_NO_OID_SET, GSS_C_ACCEPT, &store, &credentials, nullptr, nullptr)) &&
      ::gss_accept_sec_context(&minor, &context, credentials, &given, GSS_C_NO_CHANNEL_BINDINGS, &client, nullptr, &answer, nullptr, nullptr, nullptr) == GSS_S_COMPLETE &&
      !GSS_ERROR(::gss_display_name(&minor, client, &name, nullptr))) {
    const std::string principal{static_cast<const char*>(name.value), name.length};
    found = principal.substr(0, principal.find('@'));
  }
  ::gss_release_buffer(&ignored, &name);
  ::gss_release_buffer(&ignored, &answer);
  ::gss_release_name(&ignored, &client);
  ::gss_delete_sec_context(&ignored, &context, GSS_C_NO_BUFFER);
  ::gss_release_cred(&ignored, &credentials);
  return found;
}

}  // namespace

std::function<std::optional<Ticket>(const std::string&)> accept_tickets(TicketOptions options) {
  return [options = std::move(options)](const std::string& token) -> std::optional<Ticket> {
    auto user = initiator_of(options.keytab, from_base64(token));
    if (!user) return std::nullopt;
    const bool writes = options.writers.contains(*user), reads = writes || options.readers.contains(*user);
    return Ticket{std::move(*user), reads, writes};
  };
}

}  // namespace outpost::sample_builder
