#pragma once

#include "agent/journal/journal.hpp"
#include "agent/journal/sqlite/database.hpp"

namespace outpost::journal::sqlite {

// The tables `events` and `jobs`. All throw SqlError.

/// Gives the events the next numbers and writes them, and what they say about their jobs.
void insert_events(Database& database, std::vector<Event>& events);

/// malformed: a row whose body no agent of this version can read.
Result<std::vector<Event>> select_events(Database& database, const Query& query);

std::vector<JobRow> select_jobs(Database& database, bool open_only, std::size_t limit);

Seq last_event(Database& database);

}  // namespace outpost::journal::sqlite
