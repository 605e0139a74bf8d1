#pragma once

#include "agent/journal/deliveries.hpp"
#include "agent/journal/sqlite/database.hpp"

namespace outpost::journal::sqlite {

// The tables `reporters` and `deliveries`. All throw SqlError.

void insert_expansions(Database& database, const std::string& reporter, job::Seq upto,
                       const std::vector<Expansion>& expansions, Timestamp now);

/// A new state for one item.
struct Mark {
  std::string reporter, key;
  DeliveryState state = DeliveryState::pending;
  std::string note;  ///< The remote reference of a delivered item, else the reason.
};

/// False when there is no such item; a delivered one stays as it is.
bool update_state(Database& database, const Mark& mark);

std::optional<job::Seq> select_cursor(Database& database, const std::string& reporter);

/// Items that have not been tried lose their blobs.
void drop_bytes(Database& database, const std::string& reporter, const std::vector<std::string>& keys,
                const std::string& reason);

std::vector<KnownReporter> select_reporters(Database& database);
job::Seq select_doubtful(Database& database, const std::string& reporter);
bool is_forgotten(Database& database, const std::string& reporter);
/// Its rows go; that it was forgotten stays.
void forget_reporter(Database& database, const std::string& reporter);

enum class Which { open, parked, of_job, one };
/// `argument`: the job or the key. Oldest first. malformed: a row that cannot be read.
Result<std::vector<Delivery>> select_deliveries(Database& database, const std::string& reporter, Which which,
                                                const std::string& argument, Page page);

Backlog select_backlog(Database& database, const std::string& reporter);

}  // namespace outpost::journal::sqlite
