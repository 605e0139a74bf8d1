#ifndef ACME_VALUE_H
#define ACME_VALUE_H

#include <stddef.h>

/* The value of one key: text without a line feed, of any length that the configuration allows. */
struct value {
  char* text;
  size_t length;
};

/* Replaces the value. Returns 0, or -1 when there is no memory; the old value is kept then. */
int value_assign(struct value* value, const char* text, size_t length);
void value_release(struct value* value);
const char* value_text(const struct value* value);

#endif
