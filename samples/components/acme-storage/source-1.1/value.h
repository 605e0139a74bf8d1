#ifndef ACME_VALUE_H
#define ACME_VALUE_H

#include <stddef.h>

#define VALUE_INLINE_SIZE 64

/* The value of one key, kept inside its entry: no allocation when it changes. */
struct value {
  char text[VALUE_INLINE_SIZE];
  size_t length;
};

/* Replaces the value. Returns 0, or -1 when there is no memory; the old value is kept then. */
int value_assign(struct value* value, const char* text, size_t length);
void value_release(struct value* value);
const char* value_text(const struct value* value);

#endif
