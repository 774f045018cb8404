/* session.h: a connection that has become a WebSocket: its handshake's answer, messages both ways, pings, and how it closes.
 *
 * A state machine like connection.h, between the same transport and a handler of its own; what it does when is uvicorn's with
 * websockets-sansio, but that frames which come before the handshake is answered wait (those that come with it are lost there and here),
 * and that a message before a broken frame is told. Knows nothing of sockets, libuv or Python.
 *
 * Memory. A session is its handler's: it made it in `request`, and gets it back in `release`; until then it lies still.
 *
 * Flow: while messages wait for the handler nothing more is read; of what was read, no more than `max_queue` messages or HIGH_WATER bytes
 * of them are told before session_wants(). A handler should pause as it does for HTTP.
 */
#ifndef BRIDGE_SESSION_H
#define BRIDGE_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "connection.h"
#include "handshake.h"
#include "websocket.h"

#define SESSION_CLOSE_TIMEOUT 10000u /* milliseconds that a client has to answer a close frame */
#define SESSION_PING_SIZE 4u

enum session_alarm { SESSION_NO_ALARM, SESSION_PING_DUE, SESSION_PONG_DUE, SESSION_CLOSE_DUE };

struct session {
    struct connection *connection; /* NULL: gone */
    bool running;                  /* `run` was told and session_finished() was not called */
    bool complete;                 /* the handshake is answered, or the connection gone */
    bool denying;                  /* the handler has begun a response that refuses it */
    bool open;                     /* accepted, and no close frame was sent */
    bool close_sent;               /* nothing more may be sent, by what the handler or the server did */
    bool disconnected;             /* the connection is gone */

    /* Its own. */
    struct handshake handshake;
    struct websocket websocket;
    bool accepted; /* `websocket` is there */
    bool begun;    /* `run` was told */
    bool paused;   /* messages wait for the handler */
    size_t queued, queued_size;
    enum session_alarm alarm;
    bool ping_pending;
    char ping[SESSION_PING_SIZE];
    uint64_t pinged_at, round_trip; /* nanoseconds */
    bool pong_due;                  /* of the last ping that came while the client did not read */
    char pong[CONTROL_SIZE_MAX];
    size_t pong_size;
    char sent[CONTROL_SIZE_MAX]; /* payload of the close frame that was sent */
    size_t sent_size;
};

/* What a session tells above. */
struct session_handler {
    /* A WebSocket is asked for; whether the handshake is a right one is found out now. OWNER is the kit's. */
    void (*offered)(void *owner, struct connection *connection);
    /* It is, and may be accepted. A new session for session_init() by the connection, or NULL: it cannot be had, the
     * connection ends. */
    struct session *(*request)(void *owner, struct connection *connection, const struct request_head *head);
    /* A handshake was answered with an error by the server. */
    void (*refused)(void *owner, unsigned status, const char *reason);
    /* Its turn: call whoever accepts. */
    void (*run)(struct session *session);
    /* A message; DATA is not there after the call. 0, or -1: out of memory, the connection ends. */
    int (*message)(struct session *session, bool text, const char *data, size_t size);
    /* A text message that is no UTF-8; the session closes. */
    void (*broken_text)(struct session *session, const char *data, size_t size);
    /* It is closed, by whom CODE says; REASON NULL: none was given. May be told more than once: how it closed, and that it is gone. */
    void (*closed)(struct session *session, unsigned code, const char *reason, size_t reason_size);
    /* What waited to be written has gone, or never will. */
    void (*drained)(struct session *session);
    /* The connection forgets it. It may be freed in this call. */
    void (*release)(struct session *session);
};

/* --- from the connection -------------------------------------------------------------------------------------------------------------- */

void session_init(struct session *session, struct connection *connection, const struct handshake *handshake);
void session_run(struct session *session);
void session_received(struct session *session, const char *data, size_t size);
void session_drained(struct session *session);
void session_alarmed(struct session *session);
void session_shutdown(struct session *session);
void session_gone(struct session *session);

/* --- from above ----------------------------------------------------------------------------------------------------------------------- */

/* The connection closes, or is gone: nothing that is sent reaches the client. */
static inline bool session_is_closing(const struct session *session) { return !session->connection || session->connection->closing; }

/* Whether the handler should wait for `drained` before it sends more. */
static inline bool session_is_congested(const struct session *session) { return session->connection && session->connection->write_paused; }

/* All messages that were told have been taken, and more are wanted. */
void session_wants(struct session *session);

/* Accept, as handshake_accept(). Not once `complete`. Without effect while the connection closes. */
enum response_fault session_accept(struct session *session, const struct response_field *fields, size_t count, const char *protocol,
                                   size_t protocol_size, size_t *fault_field);

/* Refuse, as handshake_refuse(), and close. Not once `complete`. */
enum response_fault session_refuse(struct session *session, unsigned status, const char *reason, size_t reason_size,
                                   const struct response_field *fields, size_t count, const char *content, size_t size,
                                   size_t *fault_field);

enum session_fault { SESSION_OK, SESSION_CLOSED /* it is not `open` */, SESSION_NO_MEMORY };

/* A message. */
enum session_fault session_send(struct session *session, bool text, const char *data, size_t size);

/* A close frame; the client has SESSION_CLOSE_TIMEOUT to answer. CODE is a valid one, and REASON_SIZE at most CLOSE_REASON_MAX. */
enum session_fault session_close(struct session *session, unsigned code, const char *reason, size_t reason_size);

/* The handler is through. The connection closes, unless it waits for the client's close frame. */
void session_finished(struct session *session);

#endif
