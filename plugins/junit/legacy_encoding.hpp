#pragma once

#include <expat.h>

namespace outpost::junit {

/// Expat's handler for encodings that it does not know itself: those with one byte for a character, such as
/// windows-1252, by iconv(3). The server reads these, too.
int map_legacy_encoding(void*, const XML_Char* name, XML_Encoding* encoding);

}  // namespace outpost::junit
