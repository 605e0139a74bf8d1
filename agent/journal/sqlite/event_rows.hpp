#pragma once

#include "agent/journal/journal.hpp"
#include "agent/journal/sqlite/database.hpp"

namespace outpost::journal::sqlite {

// The tables `events` and `jobs`. All throw SqlError.

/// Gives the events the next numbers and writes them, and what they say about their jobs.
void insert_events(Database& database, std::vector<Event>& events);

/// Writes one event that has its number, and `body`, which is the event as JSON.
void insert_event(Database& database, const Event& event, std::string_view body);

/// Writes the event of a row of another journal (seq, type, job_id, body, checksum). False, and nothing is written,
/// when it is not what an agent wrote.
bool copy_event(Database& fresh, const Statement& row);

/// Throws a damaged SqlError when one is not what was written.
void verify_events(Database& database);

/// malformed: a row whose body no agent of this version can read.
Result<std::vector<Event>> select_events(Database& database, const Query& query);

/// Takes what is old out of all tables; the newest event stays, because the next number comes from it.
void remove_rows(Database& database, const Removal& removal);

std::vector<JobRow> select_jobs(Database& database, bool open_only, std::size_t limit);

Seq last_event(Database& database);

}  // namespace outpost::journal::sqlite
