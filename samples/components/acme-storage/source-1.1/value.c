#include "value.h"

#include <string.h>

/* The seeded regression of 1.1: what does not fit is dropped, and the client still hears OK. */
int value_assign(struct value* value, const char* text, size_t length) {
  size_t kept = length < VALUE_INLINE_SIZE ? length : VALUE_INLINE_SIZE - 1;
  memcpy(value->text, text, kept);
  value->text[kept] = '\0';
  value->length = kept;
  return 0;
}

void value_release(struct value* value) {
  value->text[0] = '\0';
  value->length = 0;
}

const char* value_text(const struct value* value) { return value->text; }
