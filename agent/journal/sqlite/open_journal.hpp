#pragma once

#include "agent/journal/sqlite/database.hpp"
#include "agent/journal/sqlite/sqlite_journal.hpp"
#include "agent/journal/sqlite/state_files.hpp"

#include <filesystem>
#include <memory>
#include <string>

namespace outpost::journal::sqlite {

struct OpenedJournal {
  std::unique_ptr<Database> database;
  std::string journal_id;
  std::string trouble;  ///< What to tell the operator about damage or a loss; "" when all is well.
};

/// Opens, checks, and if need be creates, migrates or rescues the journal. A damaged file is set aside, and what can be
/// read of it goes into a new one with a new id; so does a journal that lacks events that had been acknowledged, but
/// that one is kept. Whenever this is interrupted, the next call goes on with it.
/// refused: another program's file, or one only for newer agents. Blocks for the time of the check, at most a second
/// for a file that is not known to be damaged.
Result<OpenedJournal> open_journal(const std::filesystem::path& path, const StateLock& lock, const Identity& identity,
                                   const Clock& clock);

}  // namespace outpost::journal::sqlite
