/* session.c: see session.h. */
#include "session.h"

#include <string.h>

#include "handshake_answer.h"

static const struct session_handler *handler_of(const struct session *session) { return session->connection->kit->sessions; }

static const struct session_options *options_of(const struct session *session) { return &session->connection->kit->session_options; }

static const struct allocator *allocator_of(const struct session *session) { return session->connection->kit->allocator; }

/* --- time ----------------------------------------------------------------------------------------------------------------------------- */

static void set_alarm(struct session *session, enum session_alarm alarm, uint64_t milliseconds) {
    struct connection *connection = session->connection;
    session->alarm = alarm;
    if (connection->kit->transport->alarm(connection->socket, alarm == SESSION_NO_ALARM ? 0 : milliseconds + 1) != 0)
        connection_lost(connection); /* rather than a connection that nobody watches */
}

static uint64_t now(const struct session *session) { return session->connection->kit->transport->now(session->connection->socket); }

static void expect_ping(struct session *session) {
    uint64_t interval = options_of(session)->ping_interval, spent = session->round_trip / 1000000u;
    set_alarm(session, SESSION_PING_DUE, interval > spent ? interval - spent : 0);
}

/* --- frames out ----------------------------------------------------------------------------------------------------------------------- */

/* A control frame, unless nothing can be sent any more. False: the connection has ended. */
static bool send_control(struct session *session, enum websocket_opcode opcode, const char *payload, size_t size) {
    struct connection *connection = session->connection;
    if (connection->closing)
        return true;
    if (websocket_send_control(&connection->out, allocator_of(session), opcode, payload, size) != 0) {
        connection_lost(connection);
        return false;
    }
    connection_queued(connection);
    return !connection->closed;
}

static void send_close(struct session *session, const char *payload, size_t size) {
    session->open = false;
    memcpy(session->sent, payload, size);
    session->sent_size = size;
    send_control(session, WEBSOCKET_CLOSE, payload, size);
}

static void send_close_code(struct session *session, unsigned code, const char *reason, size_t reason_size) {
    char payload[CONTROL_SIZE_MAX];
    send_close(session, payload, close_payload(payload, code, reason, reason_size));
}

static void answer_ping(struct session *session, const char *payload, size_t size) {
    /* A client that sends and does not read gets its last ping answered (RFC 6455 section 5.5.3): the others would pile up. */
    if (session->connection->write_paused) {
        session->pong_due = true;
        memcpy(session->pong, payload, size);
        session->pong_size = size;
    } else {
        send_control(session, WEBSOCKET_PONG, payload, size);
    }
}

/* --- frames in ------------------------------------------------------------------------------------------------------------------------ */

/* Fail the WebSocket connection (RFC 6455 section 7.1.7). TOLD: the handler hears of the close frame that was sent, be it this one. */
static void fail(struct session *session, unsigned code, const char *reason, size_t reason_size, bool told) {
    if (session->open)
        send_close_code(session, code, reason, reason_size);
    session->close_sent = true;
    if (session->connection->closed)
        return;
    if (told && session->running)
        handler_of(session)->closed(session, (unsigned)(unsigned char)session->sent[0] << 8 | (unsigned char)session->sent[1],
                                    session->sent + 2, session->sent_size - 2);
    connection_close(session->connection);
}

static void on_message(struct session *session) {
    const struct websocket *websocket = &session->websocket;
    const struct session_handler *handler = handler_of(session);
    if (session->close_sent)
        return; /* the handler has closed, and does not ask any more */
    if (!websocket->valid) {
        handler->broken_text(session, websocket->payload, websocket->payload_size);
        fail(session, CLOSE_INVALID_DATA, "", 0, true);
    } else if (handler->message(session, websocket->text, websocket->payload, websocket->payload_size) != 0) {
        connection_lost(session->connection);
    } else {
        session->paused = true;
        session->queued++;
        session->queued_size += websocket->payload_size;
    }
}

static void on_pong(struct session *session) {
    const struct websocket *websocket = &session->websocket;
    if (!session->ping_pending || websocket->payload_size != sizeof session->ping ||
        memcmp(websocket->payload, session->ping, sizeof session->ping) != 0)
        return;
    session->round_trip = now(session) - session->pinged_at;
    session->ping_pending = false;
    if (session->alarm == SESSION_PONG_DUE)
        expect_ping(session);
}

static void on_close(struct session *session) {
    const struct websocket *websocket = &session->websocket;
    if (session->close_sent) {
        if (session->alarm == SESSION_CLOSE_DUE)
            connection_close(session->connection);
        return;
    }
    if (session->running)
        handler_of(session)->closed(session, websocket->code, websocket->reason, websocket->reason_size);
    send_close(session, websocket->payload, websocket->payload_size);
    connection_close(session->connection);
}

static bool queue_is_full(const struct session *session) {
    return session->queued >= options_of(session)->max_queue || session->queued_size > HIGH_WATER;
}

/* Returns how many bytes were taken from the front: all, unless as many messages wait as may. */
static size_t read_frames(struct session *session, const char *data, size_t size) {
    struct connection *connection = session->connection;
    size_t at = 0;
    while (at < size && !connection->closing && !queue_is_full(session)) {
        size_t taken;
        switch (websocket_read(&session->websocket, data + at, size - at, &taken)) {
        case WEBSOCKET_NOTHING:
            break;
        case WEBSOCKET_MESSAGE:
            on_message(session);
            break;
        case WEBSOCKET_PINGED:
            answer_ping(session, session->websocket.payload, session->websocket.payload_size);
            break;
        case WEBSOCKET_PONGED:
            on_pong(session);
            break;
        case WEBSOCKET_CLOSED:
            on_close(session);
            break;
        case WEBSOCKET_BROKEN:
            fail(session, session->websocket.code, session->websocket.reason, session->websocket.reason_size, true);
            break;
        case WEBSOCKET_NO_MEMORY:
            connection_lost(connection);
            break;
        }
        at += taken;
    }
    return connection->closing ? size : at;
}

/* What came before it could be read. */
static void read_unread(struct session *session) {
    struct buffer *unread = &session->connection->unread;
    if (unread->size == 0)
        return;
    buffer_take(unread, read_frames(session, buffer_bytes(unread), unread->size));
    if (unread->size == 0)
        buffer_free(unread, allocator_of(session));
}

static void resume(struct session *session) {
    struct connection *connection = session->connection;
    session->paused = false;
    session->queued = session->queued_size = 0;
    if (session->accepted)
        read_unread(session);
    if (!session->paused)
        connection_resume(connection);
}

void session_received(struct session *session, const char *data, size_t size) {
    struct connection *connection = session->connection;
    size_t taken = session->accepted && connection->unread.size == 0 ? read_frames(session, data, size) : 0;
    if (buffer_append(&connection->unread, allocator_of(session), data + taken, size - taken) != 0)
        connection_lost(connection);
    else if (connection->unread.size > HIGH_WATER)
        session->paused = true;
}

void session_wants(struct session *session) {
    if (session->connection && session->paused && session->accepted)
        resume(session);
}

/* --- from the connection -------------------------------------------------------------------------------------------------------------- */

void session_run(struct session *session) {
    session->begun = session->running = true;
    connection_resume(session->connection);
    handler_of(session)->run(session);
}

void session_drained(struct session *session) {
    if (session->pong_due) {
        session->pong_due = false;
        if (!send_control(session, WEBSOCKET_PONG, session->pong, session->pong_size))
            return;
    }
    if (session->running)
        handler_of(session)->drained(session);
}

static void send_ping(struct session *session) {
    int64_t timeout = options_of(session)->ping_timeout;
    session->pinged_at = now(session);
    session->ping_pending = true;
    for (size_t i = 0; i < sizeof session->ping; i++) /* it only has to differ from the one before */
        session->ping[i] = (char)(session->pinged_at >> (8 * i));
    if (!send_control(session, WEBSOCKET_PING, session->ping, sizeof session->ping))
        return;
    if (timeout >= 0)
        set_alarm(session, SESSION_PONG_DUE, (uint64_t)timeout);
    else
        expect_ping(session);
}

void session_alarmed(struct session *session) {
    enum session_alarm alarm = session->alarm;
    session->alarm = SESSION_NO_ALARM;
    if (session->connection->closing)
        return;
    if (alarm == SESSION_CLOSE_DUE) {
        connection_close(session->connection);
    } else if (alarm == SESSION_PING_DUE && !session->close_sent) {
        send_ping(session);
    } else if (alarm == SESSION_PONG_DUE && !session->close_sent) {
        static const char REASON[] = "keepalive ping timeout";
        session->ping_pending = false;
        fail(session, CLOSE_INTERNAL_ERROR, REASON, sizeof REASON - 1, false);
    }
}

void session_shutdown(struct session *session) {
    struct connection *connection = session->connection;
    if (connection->closing)
        return;
    set_alarm(session, SESSION_NO_ALARM, 0);
    if (session->open) {
        if (session->running)
            handler_of(session)->closed(session, CLOSE_RESTART, NULL, 0);
        send_close_code(session, CLOSE_RESTART, "", 0);
    } else if (!session->complete && !session->denying) {
        static const char REASON[] = "Internal Server Error";
        size_t unused;
        if (session_refuse(session, 500, REASON, sizeof REASON - 1, NULL, 0, REASON, sizeof REASON - 1, &unused) == RESPONSE_OK)
            connection->kit->sessions->refused(connection->kit->owner, 500, REASON);
    }
    connection_close(connection);
}

void session_gone(struct session *session) {
    struct connection *connection = session->connection;
    const struct session_handler *handler = connection->kit->sessions;
    session->disconnected = true;
    if (session->running)
        handler->closed(session, session->complete ? CLOSE_NONE : CLOSE_ABNORMAL, NULL, 0);
    session->complete = true;
    session->open = false;
    if (session->running)
        handler->drained(session);
    if (session->accepted)
        websocket_free(&session->websocket);
    session->connection = NULL;
    handler->release(session);
}

/* --- from above ----------------------------------------------------------------------------------------------------------------------- */

enum response_fault session_accept(struct session *session, const struct response_field *fields, size_t count, const char *protocol,
                                   size_t protocol_size, size_t *fault_field) {
    struct connection *connection = session->connection;
    const struct connection_kit *kit = connection->kit;
    size_t before = connection->out.size;
    enum response_fault fault = handshake_accept(&session->handshake, &connection->out, kit->allocator, kit->defaults(kit->defaults_owner),
                                                 fields, count, protocol, protocol_size, fault_field);
    if (connection->closing)
        connection->out.size = before;
    if (fault != RESPONSE_OK || connection->closing)
        return fault;
    websocket_init(&session->websocket, kit->allocator, &session->handshake.terms, kit->session_options.max_size);
    session->accepted = session->complete = session->open = true;
    connection_queued(connection);
    if (!connection->closing && kit->session_options.ping_interval > 0)
        expect_ping(session);
    if (!connection->closing)
        resume(session); /* what came early is told now */
    return RESPONSE_OK;
}

enum response_fault session_refuse(struct session *session, unsigned status, const char *reason, size_t reason_size,
                                   const struct response_field *fields, size_t count, const char *content, size_t size,
                                   size_t *fault_field) {
    struct connection *connection = session->connection;
    const struct connection_kit *kit = connection->kit;
    size_t before = connection->out.size;
    enum response_fault fault = handshake_refuse(&connection->out, kit->allocator, status, reason, reason_size,
                                                 kit->date(kit->defaults_owner), fields, count, content, size, fault_field);
    if (connection->closing)
        connection->out.size = before;
    else if (fault == RESPONSE_OK)
        connection_close(connection);
    return fault;
}

enum session_fault session_send(struct session *session, bool text, const char *data, size_t size) {
    struct connection *connection = session->connection;
    if (!connection || !session->open)
        return SESSION_CLOSED;
    if (!session->websocket.compression.terms.agreed && size > LOW_WATER) { /* large: not copied where the socket takes it */
        char head[FRAME_HEAD_MAX];
        size_t head_size = frame_head(head, text ? WEBSOCKET_TEXT : WEBSOCKET_BINARY, false, size);
        const struct slice slices[] = {{head, head_size}, {data, size}};
        connection_write(connection, slices, 2);
    } else if (websocket_send(&session->websocket, &connection->out, text, data, size) != 0) {
        connection_lost(connection);
        return SESSION_NO_MEMORY;
    } else {
        connection_queued(connection);
    }
    return SESSION_OK;
}

enum session_fault session_close(struct session *session, unsigned code, const char *reason, size_t reason_size) {
    if (!session->connection || !session->open)
        return SESSION_CLOSED;
    send_close_code(session, code, reason, reason_size);
    session->close_sent = true;
    if (session->connection->closing)
        return SESSION_OK;
    set_alarm(session, SESSION_CLOSE_DUE, SESSION_CLOSE_TIMEOUT);
    resume(session);
    return SESSION_OK;
}

void session_finished(struct session *session) {
    session->running = false;
    if (session->connection && session->alarm != SESSION_CLOSE_DUE)
        connection_close(session->connection);
}

/* --- life ----------------------------------------------------------------------------------------------------------------------------- */

void session_init(struct session *session, struct connection *connection, const struct handshake *handshake) {
    *session = (struct session){.connection = connection, .handshake = *handshake};
}
