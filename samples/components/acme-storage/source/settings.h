#ifndef ACME_SETTINGS_H
#define ACME_SETTINGS_H

#include <stddef.h>

struct settings {
  char socket[108]; /* Unix socket that clients connect to. */
  char data[1024];  /* Directory of the store. */
  size_t max_value; /* Longest value in bytes, 1 to 65536. */
  size_t max_keys;  /* 1 to 100000. */
};

/* Reads "key = value" lines; '#' starts a comment line. On a mistake writes "FILE:LINE: what" to stderr, returns -1. */
int settings_read(struct settings* settings, const char* path);

#endif
