#pragma once

#include <cstddef>
#include <random>
#include <string>
#include <vector>

namespace outpost::bench {

/// Words of 16 to 40 letters and digits.
[[nodiscard]] std::vector<std::string> make_secrets(std::mt19937& random, std::size_t count);

/// `size` bytes of lines as installers write them; one in a thousand holds a secret.
[[nodiscard]] std::string make_log(std::mt19937& random, const std::vector<std::string>& secrets, std::size_t size);

}  // namespace outpost::bench
