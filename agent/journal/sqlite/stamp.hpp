#pragma once

#include "agent/base/ids.hpp"
#include "agent/journal/sqlite/sqlite_journal.hpp"

namespace outpost::journal::sqlite {

/// Who writes, and into which journal: what append() fills in.
struct Stamp {
  const Identity& identity;
  const Clock& clock;
  const std::string& journal_id;

  void apply(Event& event) const {
    event.journal_id = journal_id;
    event.occurred_at = clock.now();
    event.event_id = new_id(event.occurred_at);
    event.monotonic_ns = clock.since_boot().count();
    event.host_id = identity.host_id;
    event.boot_id = identity.boot_id;
    event.agent_version = identity.agent_version;
  }
};

}  // namespace outpost::journal::sqlite
