#include "acme-storage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

struct acme_storage {
  int descriptor;
};

struct acme_storage* acme_storage_open(const char* socket_path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(socket_path) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return NULL;
  }
  memcpy(address.sun_path, socket_path, strlen(socket_path));
  int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) {
    return NULL;
  }
  struct acme_storage* storage = malloc(sizeof *storage);
  if (storage == NULL || connect(descriptor, (struct sockaddr*)&address, sizeof address) != 0) {
    int reason = errno;
    free(storage);
    close(descriptor);
    errno = reason;
    return NULL;
  }
  storage->descriptor = descriptor;
  return storage;
}

void acme_storage_close(struct acme_storage* storage) {
  if (storage != NULL) {
    close(storage->descriptor);
    free(storage);
  }
}

static int send_all(int descriptor, const char* bytes, size_t length) {
  while (length > 0) {
    ssize_t sent = send(descriptor, bytes, length, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) {
        continue;
      }
      return -1;
    }
    bytes += sent;
    length -= (size_t)sent;
  }
  return 0;
}

long acme_storage_request(struct acme_storage* storage, const char* request, char* answer, size_t size) {
  if (size == 0 || strchr(request, '\n') != NULL) {
    errno = EINVAL;
    return -1;
  }
  if (send_all(storage->descriptor, request, strlen(request)) != 0 || send_all(storage->descriptor, "\n", 1) != 0) {
    return -1;
  }
  size_t used = 0;
  while (used < size) {
    ssize_t got = recv(storage->descriptor, answer + used, size - used, 0);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      errno = got == 0 ? ECONNRESET : errno;
      return -1;
    }
    used += (size_t)got;
    if (answer[used - 1] == '\n') { /* One request at a time: nothing can follow the answer's line feed. */
      answer[used - 1] = '\0';
      return (long)used - 1;
    }
  }
  errno = EMSGSIZE;
  return -1;
}

const char* acme_storage_version(void) { return ACME_VERSION; }
