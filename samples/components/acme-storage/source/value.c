#include "value.h"

#include <stdlib.h>
#include <string.h>

int value_assign(struct value* value, const char* text, size_t length) {
  char* copy = malloc(length + 1);
  if (copy == NULL) {
    return -1;
  }
  memcpy(copy, text, length);
  copy[length] = '\0';
  free(value->text);
  value->text = copy;
  value->length = length;
  return 0;
}

void value_release(struct value* value) {
  free(value->text);
  value->text = NULL;
  value->length = 0;
}

const char* value_text(const struct value* value) { return value->text; }
