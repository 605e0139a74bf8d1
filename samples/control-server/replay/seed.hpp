#pragma once

#include "samples/control-server/records.hpp"
#include "samples/control-server/replay/recording.hpp"

#include <set>
#include <string>

namespace outpost::replay {

/// A recording may begin in the middle: its answers show objects that are older than its first signed request and that
/// no request of it created. Puts those (and the clients of credentials.json) into the tables of a sample server, with
/// their recorded ids, etags and secrets. Returns their ids. Contents of their files are not in a recording.
std::set<std::string> seed(const Recording& recording, sample::Records& records);

}  // namespace outpost::replay
