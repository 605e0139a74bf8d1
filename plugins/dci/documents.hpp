#pragma once

#include "agent/job/component.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <string>

namespace outpost::dci {

/// Takes `api_secret`, `pull_secret`, `registry`, passwords, tokens and their like out of an answer, at any depth,
/// before anybody looks at it: the server puts the remoteci's secret into every job it shows (protocol §4.4).
void strip_secrets(boost::json::value& value);

/// A job as hooks may see it: an allow-list of what is known to be harmless. Free-form data of the remoteci and the
/// topic (registry logins, site settings) is not part of it.
[[nodiscard]] boost::json::object job_document(const boost::json::object& job);

/// A component as the server describes it; its free-form `data` without what strip_secrets() takes out.
[[nodiscard]] job::Component component_of(const boost::json::object& json);

/// Text that a JSON body or a database column takes: UTF-8, one line, at most `limit` characters.
[[nodiscard]] std::string plain_text(std::string_view text, std::size_t limit);

}  // namespace outpost::dci
