#include "plugins/junit/legacy_encoding.hpp"

#include <iconv.h>

#include <cstring>
#include <string>

namespace outpost::junit {
namespace {

/// The character that a single byte stands for; -1 when it stands for none, or only begins one.
int decode(iconv_t converter, char byte) {
  unsigned char wide[8] = {};
  char* in = &byte;
  char* out = reinterpret_cast<char*>(wide);
  std::size_t in_left = 1, out_left = sizeof wide;
  ::iconv(converter, nullptr, nullptr, nullptr, nullptr);
  if (::iconv(converter, &in, &in_left, &out, &out_left) == static_cast<std::size_t>(-1) || out_left != sizeof wide - 4)
    return -1;
  return wide[0] | wide[1] << 8 | wide[2] << 16;
}

}  // namespace

int map_legacy_encoding(void*, const XML_Char* name, XML_Encoding* encoding) {
  // "//" would be an option to iconv.
  if (std::strlen(name) > 40 || std::strchr(name, '/')) return XML_STATUS_ERROR;
  const iconv_t converter = ::iconv_open("UTF-32LE", name);
  if (converter == reinterpret_cast<iconv_t>(-1)) return XML_STATUS_ERROR;
  for (int byte = 0; byte < 256; ++byte) encoding->map[byte] = decode(converter, static_cast<char>(byte));
  ::iconv_close(converter);
  encoding->data = nullptr;
  encoding->convert = nullptr;
  encoding->release = nullptr;
  return XML_STATUS_OK;
}

}  // namespace outpost::junit
