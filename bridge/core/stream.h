/* stream.h: one accepted socket, watched by libuv: the transport under a connection.
 *
 * Owns the socket and the connection over it, from stream_open() to its last libuv callback, in which it frees itself. Knows nothing of
 * Python. uv_poll and plain system calls are used instead of uv_stream, since a connection keeps what is not written yet itself.
 */
#ifndef BRIDGE_STREAM_H
#define BRIDGE_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "connection.h"

struct server;
struct alarm;

struct stream {
    struct connection connection;
    struct server *server;
    uv_poll_t poll;
    int fd; /* -1 once closed */
    int events;
    struct stream *previous, *next;             /* all of the server's */
    struct stream *idle_previous, *idle_next;   /* those that wait for a next request, the longest first */
    uint64_t idle_until;                        /* milliseconds of uv_hrtime(); 0: not idle */
    struct alarm *alarm;                        /* NULL: none was ever set */
    struct stream *gone_next;                   /* those that are closed, and whose connection is to be told */
    struct stream *dirty_previous, *dirty_next; /* those to be flushed at the end of this turn */
    bool dirty;
};

extern const struct transport stream_transport;

/* A stream over FD, an accepted, non-blocking socket, which it owns from here on, also when it fails. 0, or a negative errno. */
int stream_open(struct server *server, int fd);

/* Tell its connection that it is gone, and close; it frees itself later. */
void stream_end(struct stream *stream);

#endif
