/* connection.h: one TCP connection of one exchange to one target, on libuv.
 *
 * Owns the socket: connecting, writing in pieces while reading, the ways to close, and how the other side ended. Feeds what is read to a
 * response reader, from the end of a WebSocket's handshake on to a frame reader, and what is written to a request counter. Knows nothing of
 * steps, traces or Python.
 *
 * connection_new() hands out one connection; it goes with connection_free(), its memory comes back in the close callback of the loop.
 * Everything that `changed` announces can be read in the struct; connection_free() may be called from within `changed`.
 */
#ifndef BRIDGECHECK_CONNECTION_H
#define BRIDGECHECK_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#include "outgoing.h"
#include "requests.h"
#include "response.h"
#include "websocket.h"

#define CONNECTION_READ_MAX (64ull << 20) /* bytes read from one connection; an endless body ends here */
#define CONNECTION_CHUNK (64u << 10)      /* bytes of one read or write */

/* What all connections of one player share; theirs to use only within one callback. */
struct connection_kit {
    uv_loop_t *loop;
    int diagnosis; /* from peer_open() */
    struct exchange_allocator allocator;
    char incoming[CONNECTION_CHUNK];
    char outgoing[CONNECTION_CHUNK];
};

enum connection_state {
    CONNECTION_FRESH,
    CONNECTION_CONNECTING,
    CONNECTION_OPEN,
    CONNECTION_REFUSED, /* never opened; `error` says why */
    CONNECTION_OURS     /* closed or reset by us */
};

enum connection_peer { CONNECTION_PEER_OPEN, CONNECTION_PEER_FIN, CONNECTION_PEER_RESET };

struct connection {
    enum connection_state state;
    enum connection_peer peer; /* how the other side ended */
    int error;                 /* negative errno of the connect */
    uint16_t source_port;      /* ours, which the app sees as its client's */
    bool sending;              /* connection_send() is not through */
    bool half_closed;          /* our FIN was sent */
    bool closed_first;         /* our FIN came before the peer's: the port stays in TIME_WAIT */
    bool too_much;             /* CONNECTION_READ_MAX was passed: nothing more is read */
    bool out_of_memory;        /* what was read or counted is not whole */
    uint64_t sent, received;   /* bytes */
    struct response_reader responses;
    struct requests requests;
    bool upgraded;                     /* it became a WebSocket */
    struct websocket_reader websocket; /* what it brought then; else all zero */

    /* Its own. */
    struct connection_kit *kit;
    void (*changed)(void *owner, struct connection *connection);
    void *owner;
    struct sockaddr_storage address;
    socklen_t address_size;
    int fd; /* -1 when closed */
    uv_poll_t poll;
    int watched;     /* events that the loop was asked for */
    uv_timer_t pace; /* asks again whether the peer has taken a segment */
    unsigned open_handles;
    struct outgoing outgoing;
    uint64_t split, segment_left; /* bytes of one segment (0: no segments), and what is left of the current one */
    bool unheard;                 /* nothing came since something was sent: the peer may not have read it */
    bool paced;                   /* the peer has to read what was sent before more is sent */
    char *unsent;                 /* CONNECTION_CHUNK bytes, made when first needed: taken from `outgoing`, not yet by the kernel. Owned */
    size_t unsent_from, unsent_to;
};

/* A socket bound to PORT of this machine (0: any), to reach ADDRESS from there, or a negative errno (-EADDRINUSE: try another). */
int connection_bind(const struct sockaddr *address, uint16_t port);

/* A connection over FD, a socket from connection_bind(), which it owns from here on, also when it fails. TOKEN marks the responses of the
 * observer (response.h). NULL: out of memory. */
struct connection *connection_new(struct connection_kit *kit, int fd, const struct sockaddr *address, socklen_t address_size,
                                  const char *token, void (*changed)(void *owner, struct connection *connection), void *owner);

/* Start to connect. 0: the state says how far it is (it may be open or refused at once, without `changed`). -EADDRNOTAVAIL: this port still
 * has a connection to this address; nothing was sent. */
int connection_open(struct connection *connection);

/* Give up connecting. */
void connection_refuse(struct connection *connection, int failed);

/* Send PIECES, which stay the caller's and have to last, once the peer has read what was sent before; in segments of SPLIT bytes that it
 * reads one by one (0: as large as they come). `changed` tells when it is through (`sending` false again), unless it is at once. What the
 * peer does not want any more is dropped: that it closed is seen by reading. */
void connection_send(struct connection *connection, const struct exchange_piece *pieces, size_t piece_count, const struct saved *saved,
                     uint64_t split);

/* The peer takes too long: send the rest without waiting for it to read. False if that was not what held it up. */
bool connection_hurry(struct connection *connection);

/* Give up what is not sent yet. */
void connection_abandon_send(struct connection *connection);

/* Read what has come, without waiting; `changed` is not called. */
void connection_read(struct connection *connection);

void connection_half_close(struct connection *connection); /* FIN; reading goes on */
void connection_close(struct connection *connection);      /* close(), as a client does that has had enough */
void connection_reset(struct connection *connection);      /* RST */

/* Leave without a trace (RST where the connection is still there). What it brought can still be read. */
void connection_leave(struct connection *connection);

/* The same, and free. NULL is let through. */
void connection_free(struct connection *connection);

#endif
