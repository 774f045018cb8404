/* connection_support.h: a connection between a transport and a handler that do what a test says, and hold it to its contract.
 *
 * The client's side: what is given to client_sends() comes in as far as it is read; what the client got stands in `wire`. The app's side: a
 * call is one cycle with its own memory, freed when the connection has released it and the app is through with it. The turn of the loop is
 * turn(). Every use of a stage ends in stage_end(), which holds that each cycle was released once and that no memory is left.
 */
#ifndef BRIDGE_TEST_CONNECTION_SUPPORT_H
#define BRIDGE_TEST_CONNECTION_SUPPORT_H

#include "support.h"

#include "../connection.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* What a client sends. */
#define GET(target) "GET " target " HTTP/1.1\r\nHost: h\r\n\r\n"
#define GET_CLOSE(target) "GET " target " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
#define POST(target, length) "POST " target " HTTP/1.1\r\nHost: h\r\nContent-Length: " length "\r\n\r\n"
#define POST_CHUNKED(target) "POST " target " HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
#define POST_EXPECT(target, length) "POST " target " HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: " length "\r\n\r\n"

/* What it gets. */
#define OK(length, content) "HTTP/1.1 200 OK\r\ncontent-length: " length "\r\n\r\n" content
#define OK_CLOSE(length, content) "HTTP/1.1 200 OK\r\ncontent-length: " length "\r\nconnection: close\r\n\r\n" content
#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"
#define PLAIN_CLOSE(status, length, text)                                                                                                  \
    "HTTP/1.1 " status "\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: " length "\r\nconnection: close\r\n\r\n" text
#define INVALID PLAIN_CLOSE("400 Bad Request", "30", "Invalid HTTP request received.")
#define TOO_LARGE PLAIN_CLOSE("431 Request Header Fields Too Large", "32", "Request header fields too large.")

enum { CALLS_MAX = 128 };

struct stage;

/* The app's side of a request. What it does by itself stands in its target:
 * /now: answered in `run`, with its target; /now-close: so, and the response closes; /now-leave: closes in `run`, without a response;
 * /arrived-leave: closes when something arrives;
 * /echo: content is taken as it comes, and is the response's when the request has ended; /echo-close: so, and the response closes;
 * /echo-raw: so, but content is never asked for before it is there; all others: nothing, see the call_ functions. */
struct call {
    struct cycle cycle; /* first, so that one may stand for the other */
    struct stage *stage;
    unsigned number; /* from 1, in the order of the requests */
    char target[32];
    struct buffer received; /* content that was taken */
    bool done;              /* the app is through with it */
    bool released;
};

struct stage {
    struct connection connection;
    struct connection_kit kit;
    struct failing failing;
    struct allocator allocator;
    size_t failing_once; /* the one allocation, counted from 1, that fails, while others do not; 0: none */
    struct told told;    /* requests, notices and the close, line by line */

    /* The transport. */
    struct buffer input; /* what the client sent and is not read yet */
    struct buffer wire;  /* what it got */
    size_t portion;      /* how much one write takes at most */
    size_t room;         /* how much all writes take until the socket blocks */
    size_t writes;       /* calls of write */
    size_t failing_write;
    bool readable, writable, flush_due, idle, closed, gone;

    /* The handler. */
    struct call *calls[CALLS_MAX]; /* by number - 1; NULL once freed */
    unsigned requested, run, released;
    unsigned arrived[CALLS_MAX], drained[CALLS_MAX];
    bool refuses;             /* the next request */
    bool finishes_in_arrived; /* when told that the connection is gone, an app ends in that very call */
};

static inline struct call *call_of(struct cycle *cycle) { return (struct call *)cycle; }

static inline struct call *call_number(struct stage *stage, unsigned number) {
    assert_true(number >= 1 && number <= stage->requested);
    assert_non_null(stage->calls[number - 1]);
    return stage->calls[number - 1];
}

/* --- the app ----------------------------------------------------------------------------------------------------------------------- */

static inline void call_free_if_done(struct call *call) {
    if (!call->done || !call->released)
        return;
    struct allocator allocator = allocator_default();
    buffer_free(&call->received, &allocator);
    call->stage->calls[call->number - 1] = NULL;
    free(call);
}

/* The app's last word; the call may be freed. */
static inline void call_finish(struct call *call) {
    assert_false(call->done);
    cycle_finished(&call->cycle);
    call->done = true;
    call_free_if_done(call);
}

/* As the layer above does it: a fault is raised in the app, and closes. */
static inline bool call_fault(struct call *call, enum response_fault fault) {
    if (fault != RESPONSE_OK)
        cycle_close(&call->cycle);
    return fault == RESPONSE_OK;
}

/* FIELDS: "name:value", or NULL. False: faulty, or there is nobody any more. */
static inline bool call_start(struct call *call, const char *name, const char *value) {
    if (!call->cycle.connection || call->cycle.disconnected)
        return false;
    const struct response_field field = {name, name ? strlen(name) : 0, value, name ? strlen(value) : 0};
    return call_fault(call, cycle_start(&call->cycle, 200, "OK", 2, &field, name != NULL));
}

static inline bool call_content(struct call *call, const char *data, size_t size, bool last) {
    if (!call->cycle.connection || call->cycle.disconnected)
        return false;
    return call_fault(call, cycle_content(&call->cycle, data, size, last));
}

static inline bool call_start_length(struct call *call, size_t size) {
    char length[24];
    snprintf(length, sizeof length, "%zu", size);
    return call_start(call, "content-length", length);
}

/* The whole response, of content-length and content. */
static inline void call_answer(struct call *call, const char *data, size_t size) {
    if (call_start_length(call, size))
        call_content(call, data, size, true);
}

static inline void call_answer_closing(struct call *call, const char *data, size_t size) {
    char length[24];
    if (!call->cycle.connection || call->cycle.disconnected)
        return;
    snprintf(length, sizeof length, "%zu", size);
    const struct response_field fields[] = {{"content-length", 14, length, strlen(length)}, {"connection", 10, "close", 5}};
    if (call_fault(call, cycle_start(&call->cycle, 200, "OK", 2, fields, 2)))
        call_content(call, data, size, true);
}

/* Take the content that is there, as `receive` does it. */
static inline void call_take(struct call *call) {
    struct cycle *cycle = &call->cycle;
    struct allocator allocator = allocator_default();
    cycle_wants_content(cycle);
    assert_int_equal(buffer_append(&call->received, &allocator, buffer_bytes(&cycle->body), cycle->body.size), 0);
    if (cycle->connection)
        buffer_free(&cycle->body, &call->stage->allocator);
}

static inline void call_echo(struct call *call) {
    if (cycle_is_over(&call->cycle))
        return;
    if (strcmp(call->target, "/echo-raw") != 0 || call->cycle.body.size > 0)
        call_take(call);
    if (call->cycle.more_body || call->cycle.response.started)
        return;
    if (strcmp(call->target, "/echo-close") == 0)
        call_answer_closing(call, buffer_bytes(&call->received), call->received.size);
    else
        call_answer(call, buffer_bytes(&call->received), call->received.size);
    call_finish(call);
}

/* --- the handler: what the connection tells ---------------------------------------------------------------------------------------- */

static inline struct cycle *stage_request(void *owner, struct connection *connection, const struct request_head *head) {
    struct stage *stage = owner;
    assert_ptr_equal(connection, &stage->connection);
    assert_false(stage->closed);
    if (stage->refuses)
        return NULL;
    assert_true(stage->requested < CALLS_MAX);
    struct call *call = calloc(1, sizeof *call);
    assert_non_null(call);
    memset(&call->cycle, 0xaa, sizeof call->cycle); /* it is the connection that initialises it */
    call->stage = stage;
    stage->calls[stage->requested++] = call;
    call->number = stage->requested;
    snprintf(call->target, sizeof call->target, "%.*s", (int)head->target.path_size, head->target.path);
    tell(&stage->told, "%s %s\n", request_method_name(head->method), call->target);
    return &call->cycle;
}

static inline void stage_run(struct cycle *cycle) {
    struct call *call = call_of(cycle);
    struct stage *stage = call->stage;
    assert_false(call->done || call->released);
    assert_false(stage->closed);
    assert_int_equal(call->number, ++stage->run); /* in their order, each once */
    for (unsigned before = 1; before < call->number; before++)
        if (stage->calls[before - 1])
            assert_true(stage->calls[before - 1]->cycle.response.complete);
    assert_ptr_equal(stage->connection.answering, cycle);
    if (strncmp(call->target, "/now", 4) == 0) {
        if (strcmp(call->target, "/now-close") == 0)
            call_answer_closing(call, call->target, strlen(call->target));
        else if (strcmp(call->target, "/now-leave") == 0)
            cycle_close(cycle);
        else
            call_answer(call, call->target, strlen(call->target));
        call_finish(call);
    } else if (strncmp(call->target, "/echo", 5) == 0) {
        call_echo(call);
    }
}

static inline void stage_arrived(struct cycle *cycle) {
    struct call *call = call_of(cycle);
    struct stage *stage = call->stage;
    assert_false(call->done || call->released);
    assert_true(cycle->running);
    stage->arrived[call->number - 1]++;
    if (stage->finishes_in_arrived && cycle_is_over(cycle))
        call_finish(call);
    else if (strcmp(call->target, "/arrived-leave") == 0)
        cycle_close(cycle);
    else if (strncmp(call->target, "/echo", 5) == 0)
        call_echo(call);
}

static inline void stage_drained(struct cycle *cycle) {
    struct call *call = call_of(cycle);
    assert_false(call->done || call->released);
    assert_false(cycle_is_congested(cycle));
    call->stage->drained[call->number - 1]++;
}

static inline void stage_release(struct cycle *cycle) {
    struct call *call = call_of(cycle);
    assert_false(call->released);
    assert_null(cycle->connection);
    assert_null(cycle->body.memory);
    assert_true(call->stage->gone || (cycle->response.complete && !cycle->running));
    call->released = true;
    call->stage->released++;
    if (call->number > call->stage->run)
        call->done = true; /* there was no app */
    call_free_if_done(call);
}

static inline void stage_notice(void *owner, struct connection *connection, enum connection_notice notice) {
    struct stage *stage = owner;
    assert_ptr_equal(connection, &stage->connection);
    tell(&stage->told, notice == CONNECTION_INVALID_REQUEST ? "invalid\n" : "upgrade\n");
}

static inline const struct response_defaults *stage_defaults(void *owner) {
    static const struct response_defaults none;
    (void)owner;
    return &none;
}

/* --- the transport: what the connection asks for ----------------------------------------------------------------------------------- */

static inline long stage_write(void *socket, const struct slice *slices, size_t count) {
    struct stage *stage = socket;
    struct allocator allocator = allocator_default();
    assert_false(stage->closed);
    assert_true(count > 0);
    if (++stage->writes == stage->failing_write)
        return -1;
    size_t taken = 0, limit = stage->portion < stage->room ? stage->portion : stage->room;
    for (size_t i = 0; i < count; i++) {
        assert_true(slices[i].size > 0);
        size_t size = slices[i].size < limit - taken ? slices[i].size : limit - taken;
        assert_int_equal(buffer_append(&stage->wire, &allocator, slices[i].bytes, size), 0);
        taken += size;
    }
    stage->room -= stage->room != SIZE_MAX ? taken : 0;
    return (long)taken;
}

static inline void stage_watch(void *socket, bool readable, bool writable) {
    struct stage *stage = socket;
    assert_false(stage->closed);
    stage->readable = readable;
    stage->writable = writable;
}

static inline void stage_flush_later(void *socket) {
    struct stage *stage = socket;
    assert_false(stage->closed);
    assert_false(stage->flush_due); /* asked for once */
    stage->flush_due = true;
}

static inline void stage_idle(void *socket, bool idle) {
    struct stage *stage = socket;
    assert_false(stage->closed);
    stage->idle = idle;
}

static inline void stage_close(void *socket) {
    struct stage *stage = socket;
    assert_false(stage->closed);
    tell(&stage->told, "close\n");
    stage->closed = true;
    stage->readable = stage->writable = stage->flush_due = stage->idle = false;
}

/* --- the loop ---------------------------------------------------------------------------------------------------------------------- */

static inline void *stage_resize(void *context, void *pointer, size_t size) {
    struct stage *stage = context;
    if (size == 0 || stage->failing.asked + 1 != stage->failing_once)
        return failing_resize(&stage->failing, pointer, size);
    stage->failing.asked++;
    return NULL;
}

static inline void stage_init(struct stage *stage) {
    static const struct transport transport = {
        .write = stage_write, .watch = stage_watch, .flush_later = stage_flush_later, .idle = stage_idle, .close = stage_close};
    static const struct handler handler = {.request = stage_request,
                                           .run = stage_run,
                                           .arrived = stage_arrived,
                                           .drained = stage_drained,
                                           .release = stage_release,
                                           .notice = stage_notice};
    memset(stage, 0, sizeof *stage);
    stage->allocator = (struct allocator){.resize = stage_resize, .context = stage};
    stage->portion = stage->room = SIZE_MAX;
    stage->readable = true; /* so a new socket is watched */
    stage->kit = (struct connection_kit){
        .allocator = &stage->allocator, .transport = &transport, .handler = &handler, .owner = stage, .defaults = stage_defaults};
    connection_init(&stage->connection, &stage->kit, stage);
}

/* What must hold whenever the connection is left alone. */
static inline void stage_check(const struct stage *stage) {
    const struct connection *connection = &stage->connection;
    unsigned waiting = 0, after = 0;
    for (const struct cycle *cycle = connection->first; cycle; cycle = cycle->next) {
        waiting += after;
        after |= cycle == connection->answering;
        assert_ptr_equal(cycle->connection, connection);
    }
    assert_true(waiting <= PIPELINE_MAX);
    if (!connection->closing)
        assert_int_equal(connection->waiting, waiting);
    if (stage->closed)
        return;
    assert_int_equal(stage->writable, connection->blocked);
    assert_true(connection->out.size == 0 || stage->writable || stage->flush_due);
    assert_false(stage->idle && (connection->answering || connection->closing));
    assert_false(connection->closing && (stage->readable || connection->out.size == 0));
    assert_false(stage->readable && connection->failure);
}

/* The end of this turn of the loop. */
static inline void turn(struct stage *stage) {
    stage_check(stage);
    if (stage->flush_due) {
        stage->flush_due = false;
        connection_flush(&stage->connection);
        stage_check(stage);
    }
    if (stage->closed && !stage->gone) {
        stage->gone = true;
        connection_gone(&stage->connection);
        assert_true(!stage->connection.first && !stage->connection.last && !stage->connection.answering);
        assert_int_equal(stage->connection.waiting, 0);
    }
}

/* Read what the client sent, in portions of FIRST, then THEN bytes, each against a guard page, as far as it is wanted. */
static inline void pump(struct stage *stage, size_t first, size_t then) {
    for (size_t size = first; stage->readable && stage->input.size > 0; size = then) {
        if (size > stage->input.size)
            size = stage->input.size;
        struct guarded guarded = guarded_new(size);
        char *data = guarded_put(&guarded, buffer_bytes(&stage->input), size);
        buffer_take(&stage->input, size);
        connection_received(&stage->connection, data, size);
        guarded_free(&guarded);
        turn(stage);
    }
}

static inline void client_queues(struct stage *stage, const char *data, size_t size) {
    struct allocator allocator = allocator_default();
    assert_int_equal(buffer_append(&stage->input, &allocator, data, size), 0);
}

static inline void client_sends(struct stage *stage, const char *data, size_t size) {
    client_queues(stage, data, size);
    pump(stage, size, size);
}

static inline void client_says(struct stage *stage, const char *text) { client_sends(stage, text, strlen(text)); }

/* The client reads SIZE bytes more, or SIZE_MAX: all that comes. */
static inline void client_reads(struct stage *stage, size_t size) {
    stage->room = size == SIZE_MAX || stage->room == SIZE_MAX ? size : stage->room + size;
    while (!stage->closed && stage->writable && stage->room > 0) {
        connection_writable(&stage->connection);
        turn(stage);
    }
}

static inline void expect_wire(const struct stage *stage, const char *expected) {
    if (stage->wire.size == strlen(expected) && memcmp(buffer_bytes(&stage->wire), expected, stage->wire.size) == 0)
        return;
    struct told wire = {.size = 0}, other = {.size = 0};
    tell_bytes(&wire, buffer_bytes(&stage->wire), stage->wire.size);
    tell_bytes(&other, expected, strlen(expected));
    assert_string_equal(wire.text, other.text);
}

static inline void expect_told(const struct stage *stage, const char *expected) { assert_string_equal(stage->told.text, expected); }

/* It stays, and what is sent next is answered. */
static inline void expect_open(struct stage *stage) {
    struct allocator allocator = allocator_default();
    assert_true(!stage->closed && stage->readable);
    buffer_take(&stage->wire, stage->wire.size);
    client_says(stage, GET("/now"));
    expect_wire(stage, OK("4", "/now"));
    assert_true(!stage->closed && stage->idle);
    buffer_free(&stage->wire, &allocator);
}

/* Whatever state it is in: the socket breaks, apps end, and nothing is left. */
static inline void stage_end(struct stage *stage) {
    struct allocator allocator = allocator_default();
    if (!stage->closed)
        connection_lost(&stage->connection);
    assert_true(stage->closed);
    turn(stage);
    for (unsigned i = 0; i < stage->requested; i++)
        if (stage->calls[i]) {
            assert_true(stage->calls[i]->released);
            assert_true(cycle_is_over(&stage->calls[i]->cycle));
            call_finish(stage->calls[i]);
        }
    assert_int_equal(stage->released, stage->requested);
    connection_free(&stage->connection);
    assert_int_equal(stage->failing.live, 0);
    buffer_free(&stage->input, &allocator);
    buffer_free(&stage->wire, &allocator);
}

#endif
