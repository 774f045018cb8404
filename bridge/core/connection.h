/* connection.h: one HTTP/1.1 connection: which request is read, whose response is due, when reading and writing pause, how it ends.
 *
 * A state machine between a transport below (bytes in, bytes out) and a handler above (requests up, responses down). Knows nothing of
 * sockets, libuv or Python; each side reaches it through one table of functions. Nothing here blocks or waits.
 *
 * Memory. A connection is its transport's, from connection_init() to connection_free(). A cycle is its handler's: it made it in `request`,
 * and gets it back in `release`; until then it lies still. `cycle->connection` is NULL once the connection is gone.
 *
 * Requests are answered in their order (RFC 9112 section 9.3.2): while one is answered, at most PIPELINE_MAX further ones are read ahead
 * and wait; an error behind them is answered when they are. Flow: reading pauses while more than HIGH_WATER bytes of content wait for the
 * handler; a handler should pause while more than HIGH_WATER bytes wait for the client, until they are LOW_WATER. Both are uvicorn's
 * numbers.
 */
#ifndef BRIDGE_CONNECTION_H
#define BRIDGE_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "date.h"
#include "request.h"
#include "response.h"

#define HIGH_WATER (64u << 10)
#define LOW_WATER (16u << 10)
#define PIPELINE_MAX 16u /* requests that wait behind the one that is answered */

struct connection;
struct session;
struct session_handler;

/* One request and its response. The handler embeds it in what it makes of a request. */
struct cycle {
    struct connection *connection; /* NULL: gone, nothing can be sent or received any more */
    struct cycle *previous, *next; /* among those of this connection, in order of their requests */
    struct buffer body;            /* content that the handler has not taken yet */
    bool more_body;                /* the request's end has not come */
    bool disconnected;             /* the connection ended before the response was complete */
    bool awaits_continue;          /* the client waits for 100 (Continue) */
    bool running;                  /* `run` was told and cycle_finished() was not called */
    struct response response;
};

/* A piece of what is to be written. */
struct slice {
    const char *bytes;
    size_t size;
};

/* What a connection needs from below. SOCKET is what connection_init() was given. */
struct transport {
    /* Write without waiting. How many bytes were taken, from the front (0: none at present), or -1: the peer is gone. */
    long (*write)(void *socket, const struct slice *slices, size_t count);
    /* Which of connection_received() and connection_writable() are wanted from now on. */
    void (*watch)(void *socket, bool readable, bool writable);
    /* Call connection_flush() at the end of this turn of the loop. */
    void (*flush_later)(void *socket);
    /* IDLE: close unless something comes within the keep-alive time. Not idle: no longer. */
    void (*idle)(void *socket, bool idle);
    /* Call connection_alarmed() after so many milliseconds, and forget an earlier alarm; 0: only that. 0, or -1 out of memory, and only at
     * a connection's first alarm. */
    int (*alarm)(void *socket, uint64_t milliseconds);
    /* Nanoseconds of a clock that only goes forward. */
    uint64_t (*now)(void *socket);
    /* Nothing more is said over this socket. Called once, last: close it, call connection_gone() in the next turn of the loop, when the
     * handlers that were told something in this one have had their turn, and connection_free() at leisure. */
    void (*close)(void *socket);
};

enum connection_notice {
    CONNECTION_INVALID_REQUEST,    /* what came is no request; it is answered 400 or 431 */
    CONNECTION_UNSUPPORTED_UPGRADE /* the request offers an upgrade that is not taken up */
};

/* What a connection tells above. OWNER is the kit's. In `run`, `arrived` and `drained` a handler may send, close, and be through with the
 * cycle; `arrived` and `drained` are told only while it is `running`. */
struct handler {
    /* A request has begun. A new cycle for cycle_init() by the connection, or NULL: it cannot be had, the connection ends. */
    struct cycle *(*request)(void *owner, struct connection *connection, const struct request_head *head);
    /* It is this cycle's turn: answer it. */
    void (*run)(struct cycle *cycle);
    /* Content came, or the request's end, or the response is complete, or the connection is gone. */
    void (*arrived)(struct cycle *cycle);
    /* What waited to be written has gone, or never will. */
    void (*drained)(struct cycle *cycle);
    /* The connection forgets this cycle. It may be freed in this call; its `body` is freed by the connection just before. */
    void (*release)(struct cycle *cycle);
    void (*notice)(void *owner, struct connection *connection, enum connection_notice notice);
};

/* What all WebSockets of a server share. */
struct session_options {
    bool compresses;
    uint64_t max_size;      /* octets of a message */
    size_t max_queue;       /* messages that are told before they are asked for; at least 1 */
    uint64_t ping_interval; /* milliseconds; 0: no pings */
    int64_t ping_timeout;   /* milliseconds; negative: none */
};

/* What all connections of a server share. It outlasts them. */
struct connection_kit {
    const struct allocator *allocator;
    const struct transport *transport;
    const struct handler *handler;
    void *owner;
    const struct response_defaults *(*defaults)(void *owner); /* as of now; valid until the next call */
    const struct date *(*date)(void *owner);                  /* as of now, for what has one whether the operator wants it or not */
    void *defaults_owner;
    uint64_t total_requests;                /* responses completed */
    const struct session_handler *sessions; /* NULL: no upgrade to WebSocket is taken up */
    struct session_options session_options;
};

struct connection {
    void *socket; /* the transport's */
    void *user;   /* the handler's */
    struct connection_kit *kit;
    struct request_parser parser;
    struct cycle *first, *last; /* all cycles that it knows */
    struct cycle *answering;    /* whose response is due */
    struct cycle *receiving;    /* whose content is under way */
    unsigned waiting;           /* cycles behind `answering` */
    struct buffer out;          /* not written yet */
    struct buffer unread;       /* came, but must not be parsed yet, or is being parsed */
    struct session *session;    /* it is a WebSocket from here on, once all requests before are answered; NULL: it is not */
    struct buffer refusal;      /* the response to a handshake that fails, where that is the failure */
    unsigned failure;           /* status of the error that is to be answered once all before it is; 0: none */
    bool parsing;               /* within the parser: what it calls back must not call it */
    bool read_paused;           /* by us: content or requests have piled up */
    bool write_paused;          /* the handler should wait for `drained` */
    bool blocked;               /* the socket takes nothing at present */
    bool closing;               /* closes when `out` has gone */
    bool stopping;              /* closes with the response to the last request that has come */
    bool closed;                /* transport->close was called */
    bool flush_due;             /* transport->flush_later was called */
};

void connection_init(struct connection *connection, struct connection_kit *kit, void *socket);

/* --- from below ----------------------------------------------------------------------------------------------------------------------- */

void connection_received(struct connection *connection, const char *data, size_t size); /* SIZE is not 0 */
void connection_ended(struct connection *connection);    /* the client sends no more: taken for its leaving, as uvicorn does */
void connection_lost(struct connection *connection);     /* reset, or another error of the socket */
void connection_writable(struct connection *connection); /* the socket takes bytes again */
void connection_flush(struct connection *connection);    /* the turn of the loop ends */
void connection_expired(struct connection *connection);  /* it was idle for too long */
void connection_alarmed(struct connection *connection);  /* the time of transport->alarm has passed */

/* The socket has bytes. False: they are not to be read before transport->watch asks for them. */
bool connection_wants(struct connection *connection);

/* The server stops: close if nothing is due, else when the responses that are due are complete. */
void connection_shutdown(struct connection *connection);

/* After transport->close only: every cycle is told that it is over, and forgotten. */
void connection_gone(struct connection *connection);

/* After connection_gone() only. Frees what it holds, not itself. */
void connection_free(struct connection *connection);

/* --- from above ----------------------------------------------------------------------------------------------------------------------- */

/* The handler is about to wait for content, or to take it: says 100 (Continue) where the client waits for it, and reads on. */
void cycle_wants_content(struct cycle *cycle);

/* Nothing is left to come: the response is complete, or the client has gone. */
static inline bool cycle_is_over(const struct cycle *cycle) { return cycle->disconnected || cycle->response.complete; }

/* Whether the handler should wait for `drained` before it sends more. Not once its response is complete: there is nothing more to send, and
 * `drained` is for the one behind it. */
static inline bool cycle_is_congested(const struct cycle *cycle) {
    return cycle->connection != NULL && cycle->connection->write_paused && !cycle_is_over(cycle);
}

/* The head of the response, as response_start(). Not once disconnected. */
enum response_fault cycle_start(struct cycle *cycle, unsigned status, const char *reason, size_t reason_size,
                                const struct response_field *fields, size_t field_count);

/* The handler could not make sense of what the response is to start with: there is no second try, and no head. */
void cycle_not_started(struct cycle *cycle);

/* A piece of its content, as response_content(). DATA is not kept beyond the call. Not once disconnected. */
enum response_fault cycle_content(struct cycle *cycle, const char *data, size_t size, bool last);

/* Close the connection, whatever it is doing, once what was written has gone. */
void cycle_close(struct cycle *cycle);

/* The handler is through with this cycle, complete or not; the connection may forget it from here on. */
void cycle_finished(struct cycle *cycle);

/* --- within the core, for a session --------------------------------------------------------------------------------------------------- */

void connection_queued(struct connection *connection);                                          /* something was appended to `out` */
void connection_write(struct connection *connection, const struct slice *slices, size_t count); /* behind `out`, without copying */
void connection_close(struct connection *connection);                                           /* once `out` has gone */
void connection_resume(struct connection *connection);                                          /* read on */

#endif
