// The output of a step and the secrets that must not be in it: the secrets in the first line, the output after it.
#include "promise.hpp"

#include "agent/base/text.hpp"
#include "agent/log/redactor.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace outpost;
  std::string_view output = fuzz::text_of(data, size);
  const auto secrets = split(fuzz::take_line(output), ' ');
  log::Redactor redactor;
  for (const auto& secret : secrets) redactor.add(secret);

  std::string whole = redactor.feed(output);
  whole += redactor.flush();
  for (const std::size_t piece : {std::size_t{1}, std::size_t{5}}) {
    std::string cut;
    for (std::size_t at = 0; at < output.size(); at += piece) cut += redactor.feed(output.substr(at, piece));
    cut += redactor.flush();
    fuzz::promise(cut == whole, "pieces do not change what comes out");
  }
  fuzz::promise(redactor.redact(output) == whole, "a message is redacted like a stream");
  // "***" itself, or what a mask and its neighbours spell, cannot be kept out.
  for (const auto& secret : secrets)
    if (secret.size() >= 4 && secret.find('*') == std::string::npos)
      fuzz::promise(whole.find(secret) == std::string::npos, "no secret comes out");
  return 0;
}
