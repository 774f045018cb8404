/* server.h: all connections of one process, on a libuv loop that is a guest in somebody else's.
 *
 * Owns the libuv loop, the listening sockets and the streams, from server_init() to server_free(). Knows nothing of Python, and does not
 * wait: the host asks for readable events on server_backend_fd(), calls server_step() then and when server_timeout() has passed, and
 * server_finish_turn() at the end of each turn of its own loop in which it was `woken`. This is the one header that a layer above includes.
 */
#ifndef BRIDGE_SERVER_H
#define BRIDGE_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "connection.h"
#include "date.h"
#include "session.h"
#include "stream.h"

#define SERVER_READ_SIZE (64u << 10) /* bytes read from one connection in one go */
#define SERVER_DEFAULTS_MAX 32u      /* default fields */

struct listener;

struct server_options {
    struct allocator allocator;
    const struct handler *handler;
    void *owner; /* the handler's */
    /* A connection was accepted: 0, or -1 to close it at once. `connection->user` is the owner's; it gets it back in `forgotten`. */
    int (*accepted)(void *owner, struct connection *connection);
    void (*forgotten)(void *owner, struct connection *connection);
    /* No connection can be accepted for a while: the system is out of descriptors or memory. */
    void (*exhausted)(void *owner);
    /* A server_finish_turn() is wanted: something was done outside of server_step(), or a connection is gone. Told once until that is
     * called. */
    void (*woken)(void *owner);
    const struct response_field *fields; /* defaults of every response, copied by reference: they outlast the server */
    size_t field_count;
    bool date_field;
    uint64_t keep_alive;                    /* milliseconds that an idle connection is kept */
    const struct session_handler *sessions; /* NULL: no upgrade to WebSocket is taken up */
    struct session_options session_options;
};

struct server {
    /* To be read. */
    size_t connections;
    struct connection_kit kit;

    /* Its own. */
    struct server_options options;
    uv_loop_t loop;
    uv_timer_t idle_timer, accept_timer;
    struct listener *listeners;
    struct stream *streams;
    struct stream *idle_first, *idle_last;
    struct stream *dirty;
    struct stream *gone, *gone_ripe; /* closed, to be told: since this turn, and since the one before */
    struct date date;
    struct response_defaults defaults;
    bool stepping; /* within server_step() or server_finish_turn(): no need to be woken */
    bool woken;
    char incoming[SERVER_READ_SIZE];
};

/* 0, or a negative errno. A server lies still from here to server_free(). */
int server_init(struct server *server, const struct server_options *options);

int server_backend_fd(const struct server *server);

/* Do what can be done without waiting. */
void server_step(struct server *server);

/* Write what this turn has left to be written, and register new interest with libuv's own epoll. */
void server_finish_turn(struct server *server);

/* Milliseconds until server_step() is wanted although nothing is readable; 0: at once, -1: never. */
int server_timeout(const struct server *server);

/* Accept on FD, a bound stream socket, which it owns from here on, also when it fails. 0, or a negative errno. */
int server_listen(struct server *server, int fd, int backlog);
void server_stop_listening(struct server *server);

/* Idle connections close; the others do when their responses are complete. */
void server_shutdown(struct server *server);

/* Ends everything at once, and frees. */
void server_free(struct server *server);

/* Where the two ends of a connection are. Texts as getnameinfo() gives numeric hosts; a Unix path as it is. */
struct address {
    char host[110]; /* NUL-terminated */
    int port;       /* -1: a Unix socket, whose path is `host` ("" where it has none) */
};
/* 0, or a negative errno. */
int connection_peer_address(const struct connection *connection, struct address *address);
int connection_local_address(const struct connection *connection, struct address *address);

/* --- within the core ------------------------------------------------------------------------------------------------------------------ */

void server_idle(struct server *server, struct stream *stream, bool idle);
void server_dirty(struct server *server, struct stream *stream);
void server_wake(struct server *server);
/* The stream's handles are closed: forget it, and free it. */
void server_forget(struct server *server, struct stream *stream);
/* The stream is over, and counts no longer; it is ended in a later turn. */
void server_gone(struct server *server, struct stream *stream);

#endif
