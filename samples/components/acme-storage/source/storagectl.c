/* acme-storagectl: sends one request to acme-storaged and prints the answer. */
#include "acme-storage.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char** argv) {
  const char* path = "/run/acme-storage/acme-storaged.sock";
  int first = 1;
  if (argc > 2 && strcmp(argv[1], "--socket") == 0) {
    path = argv[2];
    first = 3;
  }
  if (first >= argc) {
    fputs("usage: acme-storagectl [--socket PATH] REQUEST [ARGUMENT...]\n", stderr);
    return 64;
  }
  char request[65536 + 256] = "";
  size_t used = 0;
  for (int i = first; i < argc; ++i) {
    int wrote = snprintf(request + used, sizeof request - used, "%s%s", i > first ? " " : "", argv[i]);
    used += (size_t)wrote;
    if (used >= sizeof request) {
      fputs("acme-storagectl: the request is too long\n", stderr);
      return 64;
    }
  }
  struct acme_storage* storage = acme_storage_open(path);
  if (storage == NULL) {
    fprintf(stderr, "acme-storagectl: cannot connect to %s: %s (is acme-storaged running?)\n", path, strerror(errno));
    return 69;
  }
  static char answer[65536 + 256];
  if (acme_storage_request(storage, request, answer, sizeof answer) < 0) {
    fprintf(stderr, "acme-storagectl: %s\n", strerror(errno));
    acme_storage_close(storage);
    return 69;
  }
  acme_storage_close(storage);
  puts(answer);
  return strncmp(answer, "ERR ", 4) == 0 || strcmp(answer, "NONE") == 0 ? 1 : 0;
}
