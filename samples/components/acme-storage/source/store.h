#ifndef ACME_STORE_H
#define ACME_STORE_H

#include <stddef.h>

#define STORE_KEY_SIZE 128

struct store;

struct store_counts {
  size_t keys, bytes;               /* What is held now; bytes counts values only. */
  unsigned long sets, gets, misses; /* Since the start. */
};

enum store_result { STORE_OK, STORE_NONE, STORE_FULL, STORE_BAD_KEY, STORE_BROKEN };

/* Opens the store and replays DIRECTORY/values.log. Returns NULL, with errno set, when that is not possible. */
struct store* store_open(const char* directory, size_t max_keys);
void store_close(struct store* store);

/* A value is in the log before the call returns STORE_OK. STORE_BROKEN: the log could not be written. */
enum store_result store_set(struct store* store, const char* key, const char* text, size_t length);
/* Points text at the value; valid until the next change. */
enum store_result store_get(struct store* store, const char* key, const char** text);
enum store_result store_delete(struct store* store, const char* key);
struct store_counts store_counts(const struct store* store);

#endif
