#pragma once

#include "plugins/dlrn/promoter/settings.hpp"

#include <string>
#include <string_view>
#include <vector>

/// How OpenSSH's programs are told about an image server.
namespace outpost::promoter {

/// What every program of OpenSSH takes: never a question, only a host whose key is known, port, login.
[[nodiscard]] std::vector<std::string> ssh_options(const ImageHost& host);

/// What they need of our environment.
[[nodiscard]] std::vector<std::string> ssh_environment();

/// "uploader@images.example.org"
[[nodiscard]] std::string ssh_address(const ImageHost& host);

/// Whether ssh said that it was not let in, or does not know the host: a person must act.
[[nodiscard]] bool is_not_let_in(std::string_view words);

}  // namespace outpost::promoter
