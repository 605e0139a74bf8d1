#include "settings.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char* trim(char* text) {
  while (isspace((unsigned char)*text)) {
    ++text;
  }
  char* end = text + strlen(text);
  while (end > text && isspace((unsigned char)end[-1])) {
    --end;
  }
  *end = '\0';
  return text;
}

static int read_path(char* out, size_t size, const char* text) {
  if (text[0] != '/' || strlen(text) >= size) {
    return -1;
  }
  snprintf(out, size, "%s", text);
  return 0;
}

static int read_number(size_t* out, const char* text, unsigned long highest) {
  char* end;
  errno = 0;
  unsigned long number = strtoul(text, &end, 10);
  if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || number < 1 || number > highest) {
    return -1;
  }
  *out = number;
  return 0;
}

static int apply(struct settings* settings, const char* key, const char* text, const char** expected) {
  if (strcmp(key, "socket") == 0) {
    *expected = "an absolute path of at most 107 bytes";
    return read_path(settings->socket, sizeof settings->socket, text);
  }
  if (strcmp(key, "data") == 0) {
    *expected = "an absolute path";
    return read_path(settings->data, sizeof settings->data, text);
  }
  if (strcmp(key, "max_value") == 0) {
    *expected = "a number from 1 to 65536";
    return read_number(&settings->max_value, text, 65536);
  }
  if (strcmp(key, "max_keys") == 0) {
    *expected = "a number from 1 to 100000";
    return read_number(&settings->max_keys, text, 100000);
  }
  *expected = NULL;
  return -1;
}

int settings_read(struct settings* settings, const char* path) {
  *settings = (struct settings){.socket = "/run/acme-storage/acme-storaged.sock",
                                .data = "/var/lib/acme-storage",
                                .max_value = 4096,
                                .max_keys = 10000};
  FILE* file = fopen(path, "re");
  if (file == NULL) {
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return -1;
  }
  char* line = NULL;
  size_t size = 0;
  int result = 0;
  for (int number = 1; getline(&line, &size, file) > 0; ++number) {
    char* key = trim(line);
    if (*key == '\0' || *key == '#') {
      continue;
    }
    char* equals = strchr(key, '=');
    if (equals == NULL) {
      fprintf(stderr, "%s:%d: expected key = value\n", path, number);
      result = -1;
      continue;
    }
    *equals = '\0';
    key = trim(key);
    const char* text = trim(equals + 1);
    const char* expected;
    if (apply(settings, key, text, &expected) != 0) {
      if (expected != NULL) {
        fprintf(stderr, "%s:%d: %s: \"%s\" is not %s\n", path, number, key, text, expected);
      } else {
        fprintf(stderr, "%s:%d: unknown key \"%s\"\n", path, number, key);
      }
      result = -1;
    }
  }
  free(line);
  fclose(file);
  return result;
}
