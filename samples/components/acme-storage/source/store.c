#include "store.h"

#include "value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
  char key[STORE_KEY_SIZE];
  struct value value;
};

struct store {
  struct entry* entries;
  size_t count, capacity;
  FILE* log; /* One line per change: "SET key value" or "DEL key". */
  struct store_counts counts;
};

static struct entry* find(const struct store* store, const char* key) {
  for (size_t i = 0; i < store->count; ++i) {
    if (strcmp(store->entries[i].key, key) == 0) {
      return &store->entries[i];
    }
  }
  return NULL;
}

static enum store_result put(struct store* store, const char* key, const char* text, size_t length) {
  struct entry* entry = find(store, key);
  if (entry == NULL) {
    if (store->count == store->capacity) {
      return STORE_FULL;
    }
    entry = &store->entries[store->count];
    memset(entry, 0, sizeof *entry);
    snprintf(entry->key, sizeof entry->key, "%s", key);
    ++store->count;
  }
  size_t before = entry->value.length;
  if (value_assign(&entry->value, text, length) != 0) {
    return STORE_FULL;
  }
  store->counts.bytes += entry->value.length - before;
  return STORE_OK;
}

static enum store_result erase(struct store* store, const char* key) {
  struct entry* entry = find(store, key);
  if (entry == NULL) {
    return STORE_NONE;
  }
  store->counts.bytes -= entry->value.length;
  value_release(&entry->value);
  struct entry* last = &store->entries[--store->count];
  if (entry != last) {
    memcpy(entry, last, sizeof *entry);
  }
  memset(last, 0, sizeof *last);
  return STORE_OK;
}

/* A line that a crash cut short has no line feed and is ignored: nobody was told OK for it. */
static void replay(struct store* store) {
  char* line = NULL;
  size_t size = 0;
  ssize_t length;
  rewind(store->log);
  while ((length = getline(&line, &size, store->log)) > 0 && line[length - 1] == '\n') {
    line[--length] = '\0';
    char* key = line + 4;
    if (length < 5) {
      continue;
    }
    if (strncmp(line, "DEL ", 4) == 0) {
      erase(store, key);
      continue;
    }
    char* text = strchr(key, ' ');
    if (text == NULL || strncmp(line, "SET ", 4) != 0) {
      continue;
    }
    *text++ = '\0';
    put(store, key, text, (size_t)(line + length - text));
  }
  free(line);
  fseek(store->log, 0, SEEK_END);
}

struct store* store_open(const char* directory, size_t max_keys) {
  char path[4096];
  if ((size_t)snprintf(path, sizeof path, "%s/values.log", directory) >= sizeof path) {
    errno = ENAMETOOLONG;
    return NULL;
  }
  struct store* store = calloc(1, sizeof *store);
  if (store == NULL) {
    return NULL;
  }
  store->capacity = max_keys;
  store->entries = calloc(max_keys, sizeof *store->entries);
  store->log = store->entries != NULL ? fopen(path, "a+e") : NULL;
  if (store->log == NULL) {
    int reason = errno;
    free(store->entries);
    free(store);
    errno = reason;
    return NULL;
  }
  replay(store);
  return store;
}

void store_close(struct store* store) {
  for (size_t i = 0; i < store->count; ++i) {
    value_release(&store->entries[i].value);
  }
  fclose(store->log);
  free(store->entries);
  free(store);
}

static int valid_key(const char* key) {
  size_t length = strlen(key);
  return length > 0 && length < STORE_KEY_SIZE && strchr(key, ' ') == NULL;
}

enum store_result store_set(struct store* store, const char* key, const char* text, size_t length) {
  if (!valid_key(key)) {
    return STORE_BAD_KEY;
  }
  if (find(store, key) == NULL && store->count == store->capacity) {
    return STORE_FULL;
  }
  if (fprintf(store->log, "SET %s %.*s\n", key, (int)length, text) < 0 || fflush(store->log) != 0) {
    return STORE_BROKEN;
  }
  ++store->counts.sets;
  return put(store, key, text, length);
}

enum store_result store_get(struct store* store, const char* key, const char** text) {
  const struct entry* entry = find(store, key);
  ++store->counts.gets;
  if (entry == NULL) {
    ++store->counts.misses;
    return STORE_NONE;
  }
  *text = value_text(&entry->value);
  return STORE_OK;
}

enum store_result store_delete(struct store* store, const char* key) {
  if (find(store, key) == NULL) {
    return STORE_NONE;
  }
  if (fprintf(store->log, "DEL %s\n", key) < 0 || fflush(store->log) != 0) {
    return STORE_BROKEN;
  }
  return erase(store, key);
}

struct store_counts store_counts(const struct store* store) {
  struct store_counts counts = store->counts;
  counts.keys = store->count;
  return counts;
}
