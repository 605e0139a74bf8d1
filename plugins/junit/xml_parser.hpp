#pragma once

#include <expat.h>

#include <memory>
#include <type_traits>

namespace outpost::junit {

struct FreeParser {
  void operator()(XML_Parser parser) const { ::XML_ParserFree(parser); }
};
using XmlParser = std::unique_ptr<std::remove_pointer_t<XML_Parser>, FreeParser>;

/// ElementTree, which the server uses, names elements in a namespace the same way: "{namespace}name" without the first brace.
inline constexpr char namespace_separator = '}';

/// What elements are called: with their namespaces, or as they stand there.
enum class XmlNames : unsigned char { resolved, written };

/// A parser for what strangers wrote: it reads old encodings, no external entities, and expands others only as far as
/// Expat's protection against bombs allows (10 times the size of the file, above 1 MiB). nullptr: no memory.
[[nodiscard]] XmlParser make_xml_parser(XmlNames names);

}  // namespace outpost::junit
