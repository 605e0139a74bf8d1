/* acme-storaged: a key-value store behind a unix socket. The protocol is in acme-storaged(8). */
#include "settings.h"
#include "store.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_CLIENTS 32
#define REQUEST_OVERHEAD (STORE_KEY_SIZE + 16) /* Command word, key and the spaces between. */

struct client {
  int descriptor;
  char* buffer;
  size_t used, size;
};

struct server {
  struct settings settings;
  struct store* store;
  struct client clients[MAX_CLIENTS];
  int client_count, listener, signals;
};

static void say(const char* format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("acme-storaged: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
}

/* The protocol of sd_notify(3), in the few lines that a static program needs. */
static void notify_manager(const char* state) {
  const char* path = getenv("NOTIFY_SOCKET");
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (path == NULL || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof address.sun_path) {
    return;
  }
  memcpy(address.sun_path, path, strlen(path));
  if (path[0] == '@') {
    address.sun_path[0] = '\0';
  }
  int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) {
    return;
  }
  socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
  if (sendto(descriptor, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr*)&address, length) < 0) {
    say("cannot notify %s: %s", path, strerror(errno));
  }
  close(descriptor);
}

static int listen_on(const char* path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memcpy(address.sun_path, path, strlen(path));
  int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) {
    return -1;
  }
  unlink(path); /* What an unclean stop left behind. */
  if (bind(descriptor, (struct sockaddr*)&address, sizeof address) != 0 || listen(descriptor, 16) != 0) {
    int reason = errno;
    close(descriptor);
    errno = reason;
    return -1;
  }
  return descriptor;
}

/* Returns -1 when the client is gone or does not read its answers. */
static int answer(const struct client* client, const char* first, const char* rest) {
  char line[65536 + 64];
  int length = snprintf(line, sizeof line, "%s%s\n", first, rest);
  return send(client->descriptor, line, (size_t)length, MSG_NOSIGNAL) == length ? 0 : -1;
}

static int answer_result(const struct client* client, enum store_result result) {
  switch (result) {
    case STORE_OK: return answer(client, "OK", "");
    case STORE_NONE: return answer(client, "NONE", "");
    case STORE_FULL: return answer(client, "ERR ", "the store is full");
    case STORE_BAD_KEY: return answer(client, "ERR ", "a key has 1 to 127 bytes and no space");
    case STORE_BROKEN: break;
  }
  say("cannot write the log: %s", strerror(errno));
  return answer(client, "ERR ", "the store cannot be written");
}

static int answer_set(struct server* server, const struct client* client, char* arguments) {
  char* text = strchr(arguments, ' ');
  if (text == NULL) {
    return answer(client, "ERR ", "usage: SET key value");
  }
  *text++ = '\0';
  size_t length = strlen(text);
  if (length > server->settings.max_value) {
    return answer(client, "ERR ", "the value is longer than max_value");
  }
  return answer_result(client, store_set(server->store, arguments, text, length));
}

static int answer_stats(struct server* server, const struct client* client) {
  struct store_counts counts = store_counts(server->store);
  char text[160];
  snprintf(text, sizeof text, "keys=%zu bytes=%zu sets=%lu gets=%lu misses=%lu", counts.keys, counts.bytes, counts.sets,
           counts.gets, counts.misses);
  return answer(client, "STATS ", text);
}

/* One request line without its line feed. Returns -1 when the connection is to be closed. */
static int handle(struct server* server, const struct client* client, char* line) {
  char* arguments = strchr(line, ' ');
  if (arguments != NULL) {
    *arguments++ = '\0';
  }
  if (strcmp(line, "PING") == 0 && arguments == NULL) {
    return answer(client, "PONG", "");
  }
  if (strcmp(line, "STATS") == 0 && arguments == NULL) {
    return answer_stats(server, client);
  }
  if (strcmp(line, "SET") == 0 && arguments != NULL) {
    return answer_set(server, client, arguments);
  }
  if (strcmp(line, "GET") == 0 && arguments != NULL) {
    const char* text;
    enum store_result result = store_get(server->store, arguments, &text);
    return result == STORE_OK ? answer(client, "VALUE ", text) : answer_result(client, result);
  }
  if (strcmp(line, "DEL") == 0 && arguments != NULL) {
    return answer_result(client, store_delete(server->store, arguments));
  }
  return answer(client, "ERR ", "unknown request; known: PING, SET key value, GET key, DEL key, STATS");
}

static void drop_client(struct server* server, int index) {
  struct client* client = &server->clients[index];
  close(client->descriptor);
  free(client->buffer);
  *client = server->clients[--server->client_count];
}

static void accept_client(struct server* server) {
  int descriptor = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (descriptor < 0) {
    return;
  }
  size_t size = server->settings.max_value + REQUEST_OVERHEAD;
  char* buffer = server->client_count < MAX_CLIENTS ? malloc(size) : NULL;
  if (buffer == NULL) {
    say("refused a client: %d are connected", server->client_count);
    close(descriptor);
    return;
  }
  server->clients[server->client_count++] = (struct client){.descriptor = descriptor, .buffer = buffer, .size = size};
}

/* Reads what is there and answers every complete line. Returns -1 when the connection is to be closed. */
static int serve_client(struct server* server, struct client* client) {
  ssize_t got = recv(client->descriptor, client->buffer + client->used, client->size - client->used, 0);
  if (got <= 0) {
    return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
  }
  client->used += (size_t)got;
  char* start = client->buffer;
  char* feed;
  while ((feed = memchr(start, '\n', client->used - (size_t)(start - client->buffer))) != NULL) {
    *feed = '\0';
    int text = strlen(start) == (size_t)(feed - start);
    if ((text ? handle(server, client, start) : answer(client, "ERR ", "a request is text, without NUL bytes")) != 0) {
      return -1;
    }
    start = feed + 1;
  }
  client->used -= (size_t)(start - client->buffer);
  memmove(client->buffer, start, client->used);
  if (client->used == client->size) {
    answer(client, "ERR ", "the request is too long");
    return -1;
  }
  return 0;
}

static void run(struct server* server) {
  for (;;) {
    struct pollfd waits[MAX_CLIENTS + 2] = {{.fd = server->signals, .events = POLLIN},
                                            {.fd = server->listener, .events = POLLIN}};
    int polled = server->client_count;
    for (int i = 0; i < polled; ++i) {
      waits[i + 2] = (struct pollfd){.fd = server->clients[i].descriptor, .events = POLLIN};
    }
    if (poll(waits, (nfds_t)polled + 2, -1) < 0) {
      continue;
    }
    if (waits[0].revents != 0) {
      return;
    }
    for (int i = polled - 1; i >= 0; --i) { /* Backwards: dropping one moves the last into its place. */
      if (waits[i + 2].revents != 0 && serve_client(server, &server->clients[i]) != 0) {
        drop_client(server, i);
      }
    }
    if (waits[1].revents != 0) {
      accept_client(server);
    }
  }
}

static int start(struct server* server) {
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  sigprocmask(SIG_BLOCK, &stop, NULL);
  server->signals = signalfd(-1, &stop, SFD_CLOEXEC);
  server->store = store_open(server->settings.data, server->settings.max_keys);
  if (server->store == NULL) {
    say("cannot open the store in %s: %s", server->settings.data, strerror(errno));
    return -1;
  }
  server->listener = listen_on(server->settings.socket);
  if (server->listener < 0) {
    say("cannot listen on %s: %s", server->settings.socket, strerror(errno));
    return -1;
  }
  say("version %s listens on %s, %zu keys loaded", ACME_VERSION, server->settings.socket,
      store_counts(server->store).keys);
  notify_manager("READY=1");
  return 0;
}

int main(int argc, char** argv) {
  const char* path = "/etc/acme-storage/acme-storaged.conf";
  int check = 0;
  for (int i = 1; i < argc; ++i) {
    if (strcmp(argv[i], "--version") == 0) {
      puts("acme-storaged " ACME_VERSION);
      return 0;
    }
    if (strcmp(argv[i], "--check") == 0) {
      check = 1;
    } else if (strcmp(argv[i], "--config") == 0 && i + 1 < argc) {
      path = argv[++i];
    } else {
      fputs("usage: acme-storaged [--config FILE] [--check] [--version]\n", stderr);
      return 64;
    }
  }
  static struct server server;
  if (settings_read(&server.settings, path) != 0) {
    return 78;
  }
  if (check) {
    return 0;
  }
  if (start(&server) != 0) {
    return 1;
  }
  run(&server);
  notify_manager("STOPPING=1");
  say("stopped, %zu keys held", store_counts(server.store).keys);
  while (server.client_count > 0) {
    drop_client(&server, 0);
  }
  close(server.listener);
  unlink(server.settings.socket);
  store_close(server.store);
  return 0;
}
