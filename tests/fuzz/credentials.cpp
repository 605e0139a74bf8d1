// dcirc.sh and dci_credentials.yml.
#include "promise.hpp"

#include "agent/config/credentials.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace outpost;
  const std::string_view text = fuzz::text_of(data, size);

  const auto credentials = config::parse_credentials(text, "dcirc.sh");
  if (credentials) {
    fuzz::promise(!credentials->client_id.empty(), "credentials have an identity");
    fuzz::promise(!credentials->api_secret.empty(), "credentials have a secret");
    fuzz::promise(!credentials->url.ends_with('/'), "the URL has no slash at its end");
  } else {
    fuzz::promise_message(credentials.error().message);
    // The seeds have this value; a mutation leaves it whole often enough.
    fuzz::promise(credentials.error().message.find("S3cretS3cret") == std::string::npos, "messages hold no value");
  }

  const auto variables = config::parse_shell_assignments(text, "dcirc.sh");
  if (!variables) fuzz::promise_message(variables.error().message);
  return 0;
}
