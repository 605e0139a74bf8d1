#ifndef ACME_STORAGE_H
#define ACME_STORAGE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A connection to acme-storaged. One thread at a time. */
struct acme_storage;

/* Connects to the daemon's unix socket. Returns NULL with errno set. */
struct acme_storage* acme_storage_open(const char* socket_path);
void acme_storage_close(struct acme_storage* storage);

/* Sends one request line (without line feed) and writes the answer line, without its line feed and NUL-terminated, to
   answer. Returns the answer's length, or -1 with errno set: EINVAL for a line feed in the request, EMSGSIZE when the
   answer does not fit, ECONNRESET when the daemon went away. */
long acme_storage_request(struct acme_storage* storage, const char* request, char* answer, size_t size);

/* "1.0" */
const char* acme_storage_version(void);

#ifdef __cplusplus
}
#endif

#endif
