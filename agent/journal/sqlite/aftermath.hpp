#pragma once

#include "agent/journal/sqlite/database.hpp"
#include "agent/journal/sqlite/salvage.hpp"
#include "agent/journal/sqlite/stamp.hpp"

#include <string>

namespace outpost::journal::sqlite {

/// What a journal has lost of what had been acknowledged.
struct Loss {
  std::string reason;     ///< "the file was damaged (...)": for the operator.
  std::string set_aside;  ///< Name of the damaged file; empty when the journal itself was kept.
  Salvage salvage;
  Seq acknowledged = 0;  ///< The last event that the agent before us had acknowledged, as far as it is known.
};

/// Makes it safe to go on with what is left. In a transaction of the caller; throws SqlError:
/// * The journal gets the id of `stamp`, and the event journal.restored says what happened.
/// * An open job that may have lost events gets job.history_lost, so that nothing of it is run a second time; one
///   whose beginning is lost cannot go on at all: it is no longer open.
/// * Reporters look for what they may have sent before they send it, and are asked again about events whose delivery
///   rows are lost.
/// Returns what to tell the operator.
std::string settle(Database& database, const Loss& loss, const Stamp& stamp);

}  // namespace outpost::journal::sqlite
