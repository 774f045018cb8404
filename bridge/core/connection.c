#include "connection.h"

#include <string.h>

#include "session.h"

#define OUT_KEPT 4096u /* what an idle connection may keep */

static const char CONTINUE[] = "HTTP/1.1 100 Continue\r\n\r\n";

/* --- cycles: known from their request until nobody needs the connection to know them -------------------------------------------------- */

static void cycle_init(struct cycle *cycle, struct connection *connection, const struct request_head *head) {
    memset(&cycle->body, 0, sizeof cycle->body);
    cycle->connection = connection;
    cycle->next = NULL;
    cycle->previous = connection->last;
    *(connection->last ? &connection->last->next : &connection->first) = cycle;
    connection->last = cycle;
    cycle->more_body = true;
    cycle->disconnected = false;
    cycle->awaits_continue = head->expects_continue;
    cycle->running = false;
    response_init(&cycle->response, head->keep_alive, head->method == HTTP_HEAD, head->minor == 0);
}

static void unlink_cycle(struct cycle *cycle) {
    struct connection *connection = cycle->connection;
    *(cycle->previous ? &cycle->previous->next : &connection->first) = cycle->next;
    *(cycle->next ? &cycle->next->previous : &connection->last) = cycle->previous;
    cycle->previous = cycle->next = NULL;
    cycle->connection = NULL;
}

static void release(struct cycle *cycle, const struct connection_kit *kit) {
    buffer_free(&cycle->body, kit->allocator);
    kit->handler->release(cycle);
}

static void forget_if_done(struct cycle *cycle) {
    const struct connection *connection = cycle->connection;
    if (!connection || cycle->running || !cycle->response.complete || cycle == connection->answering || cycle == connection->receiving)
        return;
    unlink_cycle(cycle);
    release(cycle, connection->kit);
}

/* --- ends ----------------------------------------------------------------------------------------------------------------------------- */

/* Nothing more goes over this connection. Its cycles are told in connection_gone(). */
static void end(struct connection *connection) {
    if (connection->closed)
        return;
    connection->closed = connection->closing = true;
    buffer_free(&connection->out, connection->kit->allocator);
    connection->kit->transport->close(connection->socket);
}

void connection_gone(struct connection *connection) {
    const struct handler *handler = connection->kit->handler;
    connection->answering = connection->receiving = NULL;
    connection->waiting = 0;
    while (connection->first) {
        struct cycle *cycle = connection->first;
        cycle->disconnected = !cycle->response.complete;
        unlink_cycle(cycle); /* so that it stays where it is when the handler is through with it while it is told */
        if (cycle->running)
            handler->arrived(cycle);
        if (cycle->running)
            handler->drained(cycle);
        release(cycle, connection->kit);
    }
    if (connection->session) {
        struct session *session = connection->session;
        connection->session = NULL;
        session_gone(session);
    }
}

static void watch(struct connection *connection) {
    connection->kit->transport->watch(connection->socket, !connection->read_paused && !connection->closing, connection->blocked);
}

/* Close once what is to be written has gone. */
static void close_softly(struct connection *connection) {
    if (connection->closing)
        return;
    connection->closing = true;
    connection->kit->transport->idle(connection->socket, false);
    connection_flush(connection);
    if (!connection->closed)
        watch(connection);
}

/* Nothing more is read; what is wrong is answered when all before it is. */
static void answer_failure(struct connection *connection) {
    const char *text = connection->failure == 431 ? "Request header fields too large." : "Invalid HTTP request received.";
    const char *reason = connection->failure == 431 ? "Request Header Fields Too Large" : "Bad Request";
    const struct connection_kit *kit = connection->kit;
    if (connection->refusal.size > 0) {
        int error = buffer_append(&connection->out, kit->allocator, buffer_bytes(&connection->refusal), connection->refusal.size);
        buffer_free(&connection->refusal, kit->allocator);
        if (error == 0)
            close_softly(connection);
        else
            end(connection);
        return;
    }
    if (response_plain(&connection->out, kit->allocator, connection->failure, reason, kit->defaults(kit->defaults_owner), text) == 0)
        close_softly(connection);
    else
        end(connection);
}

static void fail(struct connection *connection, unsigned status) {
    struct cycle *answering = connection->answering;
    connection->kit->handler->notice(connection->kit->owner, connection, CONNECTION_INVALID_REQUEST);
    connection->failure = status;
    if (!answering) {
        answer_failure(connection);
    } else if (answering == connection->receiving && answering->more_body) {
        /* It is the request that is being answered which is broken: it is told so in the place of its own response, if that can still be.
         */
        if (answering->response.started)
            close_softly(connection);
        else
            answer_failure(connection);
    } else {
        connection->read_paused = true;
        watch(connection);
    }
}

/* --- reading -------------------------------------------------------------------------------------------------------------------------- */

/* TAKER: who is about to take its content; NULL: nobody. */
static void resume_reading(struct connection *connection, const struct cycle *taker) {
    const struct cycle *receiving = connection->receiving;
    if (!connection->read_paused || connection->closing || connection->failure || connection->session || connection->unread.size > 0)
        return;
    if (connection->waiting >= PIPELINE_MAX)
        return;
    if (receiving && receiving != taker && !receiving->response.complete && receiving->body.size > HIGH_WATER)
        return;
    connection->read_paused = false;
    watch(connection);
}

static void pause_reading(struct connection *connection) {
    if (connection->read_paused)
        return;
    connection->read_paused = true;
    watch(connection);
}

static void run(struct connection *connection, struct cycle *cycle) {
    connection->kit->transport->idle(connection->socket, false); /* it may be, where the request before it came in the same bytes */
    connection->answering = cycle;
    cycle->running = true;
    connection->kit->handler->run(cycle);
}

/* The last request of the connection: what comes behind it is a WebSocket's. */
static int take_up(struct connection *connection, const struct request_head *head) {
    const struct connection_kit *kit = connection->kit;
    struct handshake handshake;
    unsigned status = 0;
    const char *reason = NULL;
    kit->sessions->offered(kit->owner, connection);
    switch (handshake_read(&handshake, head, kit->session_options.compresses, &connection->refusal, kit->allocator,
                           kit->date(kit->defaults_owner), &status, &reason)) {
    case HANDSHAKE_OK:
        break;
    case HANDSHAKE_REFUSED:
        kit->sessions->refused(kit->owner, status, reason);
        connection->failure = status;
        if (connection->answering)
            pause_reading(connection);
        else
            answer_failure(connection);
        return 1;
    case HANDSHAKE_NO_MEMORY:
        return -1;
    }
    struct session *session = kit->sessions->request(kit->owner, connection, head);
    if (!session)
        return -1;
    session_init(session, connection, &handshake);
    connection->session = session;
    if (connection->answering)
        pause_reading(connection);
    else
        session_run(session);
    return connection->closing ? -1 : 1;
}

static int on_head(void *owner, const struct request_head *head) {
    struct connection *connection = owner;
    const struct connection_kit *kit = connection->kit;
    if (kit->sessions && handshake_wanted(head))
        return take_up(connection, head);
    struct cycle *cycle = kit->handler->request(kit->owner, connection, head);
    if (!cycle)
        return -1;
    cycle_init(cycle, connection, head);
    connection->receiving = cycle;
    if (head->upgrade_offered)
        kit->handler->notice(kit->owner, connection, CONNECTION_UNSUPPORTED_UPGRADE);
    if (connection->answering) {
        connection->waiting++;
        pause_reading(connection);
    } else {
        run(connection, cycle);
    }
    return connection->closing ? -1 : 0;
}

static int on_content(void *owner, const char *data, size_t size) {
    struct connection *connection = owner;
    struct cycle *cycle = connection->receiving;
    if (cycle->response.complete)
        return 0; /* the response did not need it */
    if (buffer_append(&cycle->body, connection->kit->allocator, data, size) != 0)
        return -1;
    if (cycle->body.size > HIGH_WATER)
        pause_reading(connection);
    if (cycle->running)
        connection->kit->handler->arrived(cycle);
    return connection->closing ? -1 : 0;
}

static int on_end(void *owner) {
    struct connection *connection = owner;
    struct cycle *cycle = connection->receiving;
    connection->receiving = NULL;
    if (cycle->response.complete) {
        forget_if_done(cycle);
    } else {
        cycle->more_body = false;
        if (cycle->running)
            connection->kit->handler->arrived(cycle);
    }
    return connection->closing ? -1 : connection->waiting >= PIPELINE_MAX;
}

static const struct request_events EVENTS = {.head = on_head, .content = on_content, .end = on_end};

/* Returns how many bytes were taken from the front: all, unless as many requests wait as may. */
static size_t parse(struct connection *connection, const char *data, size_t size) {
    size_t taken = size;
    connection->parsing = true;
    enum request_result result = request_parser_feed(&connection->parser, data, size, &taken);
    connection->parsing = false;
    switch (result) {
    case REQUEST_OK:
        break;
    case REQUEST_HELD:
        pause_reading(connection);
        break;
    case REQUEST_UPGRADED:
        request_parser_free(&connection->parser);
        taken = size; /* a client has to wait for the answer (RFC 6455 section 4.1): what it says before is lost, as under uvicorn */
        break;
    case REQUEST_INVALID:
        fail(connection, 400);
        break;
    case REQUEST_TOO_LARGE:
        fail(connection, 431);
        break;
    case REQUEST_NO_MEMORY:
        end(connection);
        break;
    case REQUEST_STOPPED:
        if (!connection->closing) /* else it is by us, and what was sent may still go out */
            end(connection);
    }
    return taken;
}

/* The pipeline has moved: what came long ago may be parsed now. Not by a handler that moves it while it is being parsed. */
static void parse_unread(struct connection *connection) {
    struct buffer *unread = &connection->unread;
    if (connection->parsing || unread->size == 0)
        return;
    while (unread->size > 0 && connection->waiting < PIPELINE_MAX && !connection->closing && !connection->failure && !connection->session)
        buffer_take(unread, parse(connection, buffer_bytes(unread), unread->size));
    if (unread->size > 0)
        return;
    buffer_free(unread, connection->kit->allocator);
    if (connection->stopping && connection->answering)
        connection->last->response.keep_alive = false;
}

void connection_received(struct connection *connection, const char *data, size_t size) {
    if (connection->closing || connection->failure)
        return;
    connection->kit->transport->idle(connection->socket, false);
    if (connection->session) {
        session_received(connection->session, data, size);
        return;
    }
    size_t taken = parse(connection, data, size);
    if (buffer_append(&connection->unread, connection->kit->allocator, data + taken, size - taken) != 0)
        end(connection);
}

bool connection_wants(struct connection *connection) {
    if (!connection->session || !connection->session->paused)
        return true;
    pause_reading(connection); /* only now: most messages are taken before the next one comes */
    return false;
}

void connection_ended(struct connection *connection) {
    if (!connection->closing)
        close_softly(connection);
}

void connection_lost(struct connection *connection) { end(connection); }

void connection_expired(struct connection *connection) { close_softly(connection); }

void connection_alarmed(struct connection *connection) {
    if (connection->session && !connection->closed)
        session_alarmed(connection->session);
}

void connection_shutdown(struct connection *connection) {
    connection->stopping = true;
    if (connection->session && connection->session->begun)
        session_shutdown(connection->session);
    else if (!connection->answering)
        close_softly(connection);
    else if (connection->unread.size == 0 || connection->session)
        connection->last->response.keep_alive = false;
}

/* --- writing -------------------------------------------------------------------------------------------------------------------------- */

/* Write `out`, then SLICES, as far as the socket takes them; what is left stands in `out`. False: the connection has ended. */
static bool write_now(struct connection *connection, const struct slice *slices, size_t count) {
    const struct connection_kit *kit = connection->kit;
    struct slice all[4] = {{buffer_bytes(&connection->out), connection->out.size}};
    size_t used = connection->out.size > 0, total = connection->out.size;
    if (connection->closing)
        count = 0; /* what is sent now is for nobody */
    for (size_t i = 0; i < count; i++)
        if (slices[i].size > 0) {
            all[used++] = slices[i];
            total += slices[i].size;
        }
    if (total == 0 || connection->closed)
        return true;
    long written = connection->blocked ? 0 : kit->transport->write(connection->socket, all, used);
    if (written < 0) {
        end(connection);
        return false;
    }
    size_t taken = (size_t)written;
    size_t from_out = taken < connection->out.size ? taken : connection->out.size;
    buffer_take(&connection->out, from_out);
    taken -= from_out;
    for (size_t i = 0; i < count; i++) {
        size_t skip = taken < slices[i].size ? taken : slices[i].size;
        taken -= skip;
        if (skip < slices[i].size && buffer_append(&connection->out, kit->allocator, slices[i].bytes + skip, slices[i].size - skip) != 0) {
            end(connection);
            return false;
        }
    }
    bool blocked = connection->out.size > 0;
    if (blocked != connection->blocked) {
        connection->blocked = blocked;
        watch(connection);
    }
    if (connection->out.size > HIGH_WATER)
        connection->write_paused = true;
    else if (!blocked && connection->out.capacity > OUT_KEPT)
        buffer_free(&connection->out, kit->allocator);
    return true;
}

static void flush_later(struct connection *connection) {
    if (connection->flush_due || connection->blocked || connection->closed)
        return;
    connection->flush_due = true;
    connection->kit->transport->flush_later(connection->socket);
}

/* After a write by the loop's own doing: closes where that was waited for, and lets the handler go on. */
static void written(struct connection *connection) {
    if (connection->closed)
        return;
    if (connection->closing && connection->out.size == 0) {
        end(connection);
    } else if (connection->write_paused && connection->out.size <= LOW_WATER) {
        connection->write_paused = false;
        if (connection->answering && connection->answering->running)
            connection->kit->handler->drained(connection->answering);
        else if (connection->session)
            session_drained(connection->session);
    }
}

void connection_flush(struct connection *connection) {
    connection->flush_due = false;
    if (!connection->closed && write_now(connection, NULL, 0))
        written(connection);
}

void connection_writable(struct connection *connection) {
    if (connection->closed)
        return;
    connection->blocked = false;
    bool more = write_now(connection, NULL, 0);
    if (more && !connection->blocked)
        watch(connection);
    if (more)
        written(connection);
}

void connection_queued(struct connection *connection) {
    if (connection->out.size > HIGH_WATER)
        write_now(connection, NULL, 0);
    else
        flush_later(connection);
}

void connection_write(struct connection *connection, const struct slice *slices, size_t count) { write_now(connection, slices, count); }

void connection_close(struct connection *connection) { close_softly(connection); }

void connection_resume(struct connection *connection) {
    if (!connection->read_paused || connection->closing)
        return;
    connection->read_paused = false;
    watch(connection);
}

/* --- responses ------------------------------------------------------------------------------------------------------------------------ */

void cycle_wants_content(struct cycle *cycle) {
    struct connection *connection = cycle->connection;
    if (!connection)
        return;
    if (cycle->awaits_continue && !connection->closing) {
        cycle->awaits_continue = false;
        if (buffer_append(&connection->out, connection->kit->allocator, CONTINUE, sizeof CONTINUE - 1) != 0) {
            end(connection);
            return;
        }
        flush_later(connection);
    }
    if (!cycle_is_over(cycle))
        resume_reading(connection, cycle);
}

enum response_fault cycle_start(struct cycle *cycle, unsigned status, const char *reason, size_t reason_size,
                                const struct response_field *fields, size_t field_count) {
    struct connection *connection = cycle->connection;
    const struct connection_kit *kit = connection->kit;
    size_t before = connection->out.size;
    cycle->awaits_continue = false;
    enum response_fault fault = response_start(&cycle->response, &connection->out, kit->allocator, status, reason, reason_size,
                                               kit->defaults(kit->defaults_owner), fields, field_count);
    if (connection->closing)
        connection->out.size = before;
    else if (fault == RESPONSE_OK)
        flush_later(connection);
    return fault;
}

void cycle_not_started(struct cycle *cycle) {
    cycle->awaits_continue = false;
    cycle->response.started = true;
    cycle->response.keep_alive = false;
    cycle->response.framing = RESPONSE_BARE;
    cycle->response.left = 0;
}

/* The response that was due is complete: the next one is. */
static void next(struct connection *connection) {
    struct cycle *cycle = connection->answering;
    connection->kit->total_requests++;
    struct cycle *following = cycle->next;
    connection->answering = NULL;
    forget_if_done(cycle);
    if (connection->closing)
        return;
    /* One whose content is broken has nobody to bring the rest of it: its app would wait for ever. */
    if (following && !(connection->failure && following == connection->receiving)) {
        connection->waiting--;
        run(connection, following);
    }
    parse_unread(connection);
    if (connection->closing)
        return;
    resume_reading(connection, NULL);
    if (!connection->answering) {
        if (connection->session && connection->stopping)
            close_softly(connection);
        else if (connection->session)
            session_run(connection->session);
        else if (connection->failure)
            answer_failure(connection);
        else if (connection->stopping && connection->unread.size == 0)
            close_softly(connection);
        else
            connection->kit->transport->idle(connection->socket, true);
    }
}

enum response_fault cycle_content(struct cycle *cycle, const char *data, size_t size, bool last) {
    struct connection *connection = cycle->connection;
    struct response_piece piece;
    enum response_fault fault = response_content(&cycle->response, size, last, &piece);
    if (fault != RESPONSE_OK && fault != RESPONSE_CONTENT_TOO_SHORT)
        return fault;
    const struct slice slices[] = {{piece.before, piece.before_size}, {data, piece.write ? size : 0}, {piece.after, piece.after_size}};
    size_t total = slices[0].size + slices[1].size + slices[2].size;
    if (last || connection->closing || connection->out.size + total > HIGH_WATER) {
        write_now(connection, slices, 3);
    } else if (total > 0) {
        for (size_t i = 0; i < 3; i++)
            if (buffer_append(&connection->out, connection->kit->allocator, slices[i].bytes, slices[i].size) != 0) {
                end(connection);
                return RESPONSE_NO_MEMORY;
            }
        flush_later(connection);
    }
    if (!cycle->response.complete)
        return fault;
    bool keep_alive = cycle->response.keep_alive;
    connection->kit->handler->arrived(cycle);
    if (!keep_alive)
        close_softly(connection);
    next(connection);
    return fault;
}

void cycle_close(struct cycle *cycle) {
    if (cycle->connection)
        close_softly(cycle->connection);
}

void cycle_finished(struct cycle *cycle) {
    cycle->running = false;
    forget_if_done(cycle);
}

/* --- life ----------------------------------------------------------------------------------------------------------------------------- */

void connection_init(struct connection *connection, struct connection_kit *kit, void *socket) {
    memset(connection, 0, sizeof *connection);
    connection->kit = kit;
    connection->socket = socket;
    request_parser_init(&connection->parser, kit->allocator, &EVENTS, connection);
}

void connection_free(struct connection *connection) {
    request_parser_free(&connection->parser);
    buffer_free(&connection->out, connection->kit->allocator);
    buffer_free(&connection->unread, connection->kit->allocator);
    buffer_free(&connection->refusal, connection->kit->allocator);
}
