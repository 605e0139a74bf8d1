#include "plugins/junit/xml_parser.hpp"

#include "plugins/junit/legacy_encoding.hpp"

namespace outpost::junit {

XmlParser make_xml_parser(XmlNames names) {
  XmlParser parser{names == XmlNames::resolved ? ::XML_ParserCreateNS(nullptr, namespace_separator) : ::XML_ParserCreate(nullptr)};
  if (!parser) return parser;
  ::XML_SetUnknownEncodingHandler(parser.get(), &map_legacy_encoding, nullptr);
  ::XML_SetBillionLaughsAttackProtectionActivationThreshold(parser.get(), 1 << 20);
  ::XML_SetBillionLaughsAttackProtectionMaximumAmplification(parser.get(), 10.0F);
  return parser;
}

}  // namespace outpost::junit
