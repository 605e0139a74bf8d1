#pragma once

#include <string_view>

namespace outpost::http {

/// The title of an HTML page, as errors of proxies and web servers are; "" without one in the first 4 KiB. Nothing else of
/// a body that is not what was expected is fit to be repeated: it may be a part of a document with secrets.
[[nodiscard]] std::string_view page_title(std::string_view body);

}  // namespace outpost::http
