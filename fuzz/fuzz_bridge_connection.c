/* fuzz_bridge_connection.c: anything that a client, a socket and the apps may do to a connection, in any order.
 *
 * Each two octets are a step (see `enum step`), and which, or how much. At the end all that is due is done: what the client sent comes, the
 * apps answer, and it reads all.
 *
 * Oracle: each cycle is released once, and all memory is given back. Reading pauses where it must, and never for good: at the end nothing
 * waits, or the connection is closed. Apps run one at a time, in the order of their requests. What goes out is responses to llhttp, in that
 * order, with the status and the content that the apps gave; 100 (Continue) once, before the response to a request that expects it; 400
 * and 431 behind all others. It ends early only where the socket failed or memory was short: else all that an app could send before the
 * connection was to close arrives, also in a response that is cut there.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <llhttp.h>

#include "../bridge/core/connection.h"

#define HOLDS(condition) ((condition) ? (void)0 : broken(#condition, __LINE__))

enum {
    CALLS_MAX = 256,
    STATUS = 500, /* of the first response; the next has the next, so that they can be told apart */
    STATUSES = 90,
    LARGE = 512, /* octets of content, times an octet of the input */
    WIRE_MAX = 16 << 20
};

enum step {
    SEND_KNOWN,   /* the client: one of the texts below */
    SEND_OCTETS,  /* as many octets of the input */
    SEND_CONTENT, /* a chunk of content, large */
    SEND_SLOWLY,  /* from here on no more than so many octets come in one piece */
    READ,         /* it reads so many octets more, squared, and no more until it says so; 255: all, from here on */
    WRITE_FAILS,  /* from here on */
    LEAVE,        /* it sends no more */
    RESET,        /* it is gone */
    TURN,         /* of the loop */
    AT_ONCE,      /* from here on apps answer within `run`, whose number, modulo 8, is a bit that is set */
    EXPIRE,       /* the keep-alive time is over, if it is idle */
    SHUTDOWN,     /* the server ends */
    NO_MEMORY,    /* the allocation that comes so many later fails */
    WANT,         /* the app whose response is due: takes content */
    START,        /* starts a response: without a length, so that it closes, with a field that is refused, or of so much content */
    CONTENT,      /* so much content, or, with the high bit, LARGE times as much */
    LAST,         /* the last piece, of so much */
    CLOSE,        /* closes the connection */
    FINISH,       /* is through */
    WANT_OTHER,   /* an app whose response is complete: asks for content */
    FINISH_OTHER, /* is through */
    STEPS
};

static const char *const known[] = {
    "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
    "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET / HTTP/1.0\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
    "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
    "hello",
    "3\r\nabc\r\n",
    "0\r\n\r\n",
    "x",
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: h\r\nX: ",
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void broken(const char *condition, int line) {
    fprintf(stderr, "fuzz_bridge_connection.c:%d: does not hold: %s\n", line, condition);
    abort();
}

/* The app's side of a request. */
struct call {
    struct cycle cycle; /* first */
    struct play *play;
    unsigned number; /* from 0 */
    bool running, released;
};

/* What is known of a request for longer than its call lives. */
struct record {
    bool head, expects, continued;
    bool complete;    /* the last piece was sent, to somebody */
    size_t sent, got; /* content, by the app and to the client */
};

struct play {
    const uint8_t *next, *end; /* of the input */
    struct connection connection;
    struct connection_kit kit;
    struct allocator allocator;
    size_t blocks, asked, failing;

    /* The client and the socket. */
    struct buffer input, wire;
    size_t portion, room, largest;
    bool write_fails, readable, writable, flush_due, idle, closed, gone;
    bool cut; /* the connection did not end of its own accord */

    /* The apps. */
    struct call *calls[CALLS_MAX];
    struct record records[CALLS_MAX];
    unsigned requested, run, released;
    unsigned at_once;
    bool refused;
};

static unsigned octet(struct play *play) { return play->next < play->end ? *play->next++ : 0; }

/* Octets of a response's content from AT on; they look like the end of one, and the start of the next. No more than 255 times LARGE. */
static const char *content_of(unsigned number, size_t at) {
    static const char end[] = "0\r\n\r\nHTTP/1.1 200 OK\r\n";
    static char octets[sizeof end - 1 + 255 * LARGE];
    for (size_t i = octets[0] ? sizeof octets : 0; i < sizeof octets; i++)
        octets[i] = end[i % (sizeof end - 1)];
    return octets + (number + at) % (sizeof end - 1);
}

static void *resize(void *context, void *pointer, size_t size) {
    struct play *play = context;
    if (size == 0) {
        play->blocks--;
        free(pointer);
        return NULL;
    }
    if (++play->asked == play->failing) {
        play->cut = true;
        return NULL;
    }
    play->blocks += pointer == NULL;
    return realloc(pointer, size);
}

/* --- Apps ----------------------------------------------------------------------------------------------------------------------------- */

static bool is_open(const struct play *play) { return !play->connection.closing; }

static bool is_there(const struct call *call) { return call && call->running && call->cycle.connection && !cycle_is_over(&call->cycle); }

static void free_if_done(struct call *call) {
    if (call->running || !call->released)
        return;
    call->play->calls[call->number] = NULL;
    free(call);
}

static void finish(struct call *call) {
    cycle_finished(&call->cycle);
    call->running = false;
    free_if_done(call);
}

static void want(struct call *call) {
    struct record *record = &call->play->records[call->number];
    record->continued |= call->cycle.awaits_continue && is_open(call->play);
    cycle_wants_content(&call->cycle);
    HOLDS(!call->cycle.awaits_continue || !is_open(call->play));
}

static void take(struct call *call) {
    want(call);
    if (call->cycle.connection)
        buffer_free(&call->cycle.body, &call->play->allocator);
}

/* LENGTH: SIZE_MAX for none. */
static void start(struct call *call, size_t length, bool closing, bool bad) {
    char digits[24];
    int digits_size = snprintf(digits, sizeof digits, "%zu", length);
    struct response_field fields[3];
    size_t count = 0;
    if (call->cycle.response.started)
        return;
    if (length != SIZE_MAX)
        fields[count++] = (struct response_field){"content-length", 14, digits, (size_t)digits_size};
    if (closing)
        fields[count++] = (struct response_field){"connection", 10, "close", 5};
    if (bad)
        fields[count++] = (struct response_field){"a b", 3, "", 0};
    if (cycle_start(&call->cycle, STATUS + call->number % STATUSES, "", 0, fields, count) == RESPONSE_OK)
        return;
    call->play->refused = true;
    cycle_close(&call->cycle);
}

static void content(struct call *call, size_t size, bool last) {
    struct play *play = call->play;
    struct record *record = &play->records[call->number];
    if (!call->cycle.response.started)
        return;
    bool open = is_open(play), bare = call->cycle.response.head;
    size_t before = record->sent;
    if (open && !bare)
        record->sent += size; /* an app that is next may run before this returns */
    record->complete = open && last;
    enum response_fault fault = cycle_content(&call->cycle, content_of(call->number, before), size, last);
    if (fault == RESPONSE_CONTENT_TOO_LONG)
        record->sent = before;
    if (fault == RESPONSE_CONTENT_TOO_LONG || fault == RESPONSE_CONTENT_TOO_SHORT)
        record->complete = false;
}

static void answer(struct call *call) {
    if (is_there(call) && !call->cycle.response.started)
        start(call, call->number % 3 ? 7 : SIZE_MAX, call->number % 16 == 9, false);
    if (is_there(call))
        content(call, call->cycle.response.framing == RESPONSE_BY_LENGTH ? call->cycle.response.left : 3, true);
    if (is_there(call)) /* it cannot be completed */
        cycle_close(&call->cycle);
}

/* Whose response is due, and who has not ended; NULL: nobody. */
static struct call *due(const struct play *play) {
    struct call *call = (struct call *)play->connection.answering;
    return is_there(call) ? call : NULL;
}

/* The oldest whose response is complete, and who goes on; NULL: nobody. */
static struct call *other(const struct play *play) {
    for (unsigned i = 0; i < play->requested; i++)
        if (play->calls[i] && play->calls[i]->running && play->calls[i]->cycle.response.complete)
            return play->calls[i];
    return NULL;
}

/* --- What the connection tells, and asks for ------------------------------------------------------------------------------------------ */

static struct cycle *on_request(void *owner, struct connection *connection, const struct request_head *head) {
    struct play *play = owner;
    HOLDS(connection == &play->connection && !play->closed && is_open(play));
    if (play->requested == CALLS_MAX) {
        play->cut = true;
        return NULL;
    }
    struct call *call = calloc(1, sizeof *call);
    HOLDS(call != NULL);
    call->play = play;
    call->number = play->requested++;
    play->calls[call->number] = call;
    play->records[call->number] = (struct record){.head = head->method == HTTP_HEAD, .expects = head->expects_continue};
    return &call->cycle;
}

static void on_run(struct cycle *cycle) {
    struct call *call = (struct call *)cycle;
    struct play *play = call->play;
    HOLDS(is_open(play) && call->number == play->run && play->connection.answering == cycle);
    if (call->number > 0 && play->calls[call->number - 1])
        HOLDS(play->calls[call->number - 1]->cycle.response.complete);
    play->run++;
    call->running = true;
    HOLDS(!cycle->more_body || play->connection.failure == 0); /* the rest would never come */
    if ((play->at_once >> call->number % 8 & 1) == 0)
        return;
    answer(call);
    finish(call);
}

static void on_told(struct cycle *cycle) {
    struct call *call = (struct call *)cycle;
    HOLDS(call->running && !call->released);
}

static void on_release(struct cycle *cycle) {
    struct call *call = (struct call *)cycle;
    HOLDS(!call->released && !cycle->connection && !cycle->body.memory);
    HOLDS(call->play->gone || (cycle->response.complete && !cycle->running));
    HOLDS(cycle->disconnected == (call->play->gone && !cycle->response.complete));
    call->released = true;
    call->play->released++;
    free_if_done(call);
}

static void on_notice(void *owner, struct connection *connection, enum connection_notice notice) {
    struct play *play = owner;
    HOLDS(connection == &play->connection && !play->closed);
    (void)notice;
}

static long on_write(void *socket, const struct slice *slices, size_t count) {
    struct play *play = socket;
    struct allocator allocator = allocator_default();
    size_t taken = 0;
    HOLDS(!play->closed && count > 0);
    if (play->write_fails) {
        play->cut = true;
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        HOLDS(slices[i].size > 0);
        size_t size = slices[i].size < play->room ? slices[i].size : play->room;
        HOLDS(buffer_append(&play->wire, &allocator, slices[i].bytes, size) == 0);
        play->room -= play->room != SIZE_MAX ? size : 0;
        taken += size;
    }
    return (long)taken;
}

static void on_watch(void *socket, bool readable, bool writable) {
    struct play *play = socket;
    HOLDS(!play->closed);
    play->readable = readable;
    play->writable = writable;
}

static void on_flush_later(void *socket) {
    struct play *play = socket;
    HOLDS(!play->closed && !play->flush_due);
    play->flush_due = true;
}

static void on_idle(void *socket, bool idle) {
    struct play *play = socket;
    HOLDS(!play->closed);
    play->idle = idle;
}

static void on_close(void *socket) {
    struct play *play = socket;
    HOLDS(!play->closed);
    play->closed = true;
    play->readable = play->writable = play->flush_due = play->idle = false;
}

static const struct response_defaults *defaults(void *owner) {
    static const struct response_defaults none;
    (void)owner;
    return &none;
}

/* --- The loop ------------------------------------------------------------------------------------------------------------------------- */

static void check(const struct play *play) {
    const struct connection *connection = &play->connection;
    unsigned waiting = 0;
    bool behind = false;
    for (const struct cycle *cycle = connection->first; cycle; cycle = cycle->next) {
        HOLDS(cycle->connection == connection);
        HOLDS(cycle->body.size <= HIGH_WATER + play->largest);
        HOLDS(cycle->running || !cycle->response.complete || cycle == connection->answering || cycle == connection->receiving);
        waiting += behind;
        behind |= cycle == connection->answering;
    }
    HOLDS(waiting <= PIPELINE_MAX && (connection->closing || waiting == connection->waiting));
    if (play->closed)
        return;
    HOLDS(play->writable == connection->blocked);
    HOLDS(connection->out.size == 0 || play->writable || play->flush_due);
    HOLDS(!play->readable || connection->failure == 0);
    HOLDS(!play->idle || (!connection->answering && is_open(play)));
    HOLDS(is_open(play) || (!play->readable && connection->out.size > 0));
    HOLDS(connection->out.size > 0 || connection->out.capacity <= 4096 || play->flush_due);
}

static void turn(struct play *play) {
    if (play->flush_due) {
        play->flush_due = false;
        connection_flush(&play->connection);
    }
    if (play->closed && !play->gone) {
        play->gone = true;
        connection_gone(&play->connection);
        HOLDS(!play->connection.first);
    }
}

static void come(struct play *play) {
    while (play->readable && play->input.size > 0) {
        size_t size = play->input.size < play->portion ? play->input.size : play->portion;
        char *bytes = malloc(size);
        HOLDS(bytes != NULL);
        memcpy(bytes, buffer_bytes(&play->input), size);
        buffer_take(&play->input, size);
        play->largest = size > play->largest ? size : play->largest;
        connection_received(&play->connection, bytes, size);
        free(bytes);
        check(play);
    }
}

static void send(struct play *play, const void *bytes, size_t size) {
    struct allocator allocator = allocator_default();
    HOLDS(buffer_append(&play->input, &allocator, bytes, size) == 0);
    come(play);
}

static void send_content(struct play *play, size_t size) {
    static const char octets[256 * LARGE];
    char chunk[16];
    send(play, chunk, (size_t)snprintf(chunk, sizeof chunk, "%zx\r\n", size));
    send(play, octets, size);
    send(play, "\r\n", 2);
}

static void read_on(struct play *play, size_t size) {
    play->room = size == SIZE_MAX || play->room == SIZE_MAX ? size : play->room + size;
    if (play->writable)
        connection_writable(&play->connection);
}

/* SIZE: the octet behind the step. */
static void step_of_client(struct play *play, enum step step, unsigned size) {
    const char *text = known[size % (sizeof known / sizeof *known)];
    size_t rest = (size_t)(play->end - play->next);
    switch (step) {
    case SEND_KNOWN:
        send(play, text, strlen(text));
        break;
    case SEND_OCTETS:
        send(play, play->next, size < rest ? size : rest);
        play->next += size < rest ? size : rest;
        break;
    case SEND_CONTENT:
        send_content(play, size * LARGE + 1);
        break;
    case SEND_SLOWLY:
        play->portion = size != 0 ? size : SIZE_MAX;
        break;
    case READ:
        read_on(play, size != 255 ? size * size : SIZE_MAX);
        break;
    case WRITE_FAILS:
        play->write_fails = true;
        break;
    case LEAVE:
        if (play->readable)
            connection_ended(&play->connection);
        break;
    case RESET:
        play->cut = true;
        connection_lost(&play->connection);
        break;
    case TURN:
        turn(play);
        break;
    case AT_ONCE:
        play->at_once = size;
        break;
    case EXPIRE:
        if (play->idle)
            connection_expired(&play->connection);
        break;
    case SHUTDOWN:
        connection_shutdown(&play->connection);
        break;
    default: /* NO_MEMORY */
        play->failing = play->asked + 1 + size % 16;
    }
}

static void step_of_app(struct call *call, enum step step, unsigned size) {
    switch (step) {
    case WANT:
        take(call);
        break;
    case START:
        start(call, size > 2 ? size * size : SIZE_MAX, size == 1, size == 2);
        break;
    case CONTENT:
        if (!cycle_is_congested(&call->cycle))
            content(call, size < 128 ? size : (size - 128) * LARGE, false);
        break;
    case LAST:
        content(call, size, true);
        break;
    case CLOSE:
        cycle_close(&call->cycle);
        break;
    case FINISH: /* closed before, as the layer above does it where a response is not complete */
        cycle_close(&call->cycle);
        finish(call);
        break;
    case WANT_OTHER:
        want(call);
        break;
    default: /* FINISH_OTHER */
        finish(call);
    }
}

static void take_step(struct play *play) {
    enum step step = octet(play) % STEPS;
    unsigned size = octet(play);
    struct call *call = step >= WANT_OTHER ? other(play) : due(play);
    if (step < WANT)
        step_of_client(play, step, size);
    else if (call)
        step_of_app(call, step, size);
    check(play);
}

/* All goes on as far as it can; then nothing waits. */
static void take_all(struct play *play) {
    play->write_fails = false;
    play->failing = 0;
    const struct connection *connection = &play->connection;
    for (unsigned steps = 0; steps < 4 * CALLS_MAX; steps++) {
        if (play->gone || (steps > 0 && !play->closed && play->input.size == 0 && connection->out.size == 0 && !due(play)))
            break;
        come(play);
        read_on(play, SIZE_MAX);
        check(play);
        struct call *call = due(play);
        if (call) {
            take(call);
            come(play);
        }
        if (due(play) == call && call)
            answer(call);
        check(play);
        turn(play);
    }
    HOLDS(play->closed || (is_open(play) && play->readable && play->input.size == 0 && connection->unread.size == 0));
    HOLDS(play->closed || (connection->out.size == 0 && connection->waiting == 0 && !due(play)));
}

/* --- What the client reads ------------------------------------------------------------------------------------------------------------ */

struct client {
    llhttp_t llhttp;
    struct play *play;
    unsigned answered;   /* responses of apps that have come whole */
    bool within, headed; /* a response is under way, and its head has come */
    bool interim, over;
    bool ended; /* the connection, and with it a response that has no other end */
};

static struct record *record_of(const struct client *client) { return &client->play->records[client->answered]; }

static int client_begin(llhttp_t *llhttp) {
    struct client *client = llhttp->data;
    HOLDS(!client->over); /* nothing behind an error, or a response that closes */
    client->within = true;
    client->headed = false;
    return 0;
}

static int client_head(llhttp_t *llhttp) {
    struct client *client = llhttp->data;
    unsigned status = llhttp->status_code;
    client->headed = true;
    if (status == 100) {
        HOLDS(client->answered < client->play->run && record_of(client)->expects && record_of(client)->continued && !client->interim);
        client->interim = true;
        return 0;
    }
    if (status == 400 || status == 431) {
        HOLDS(!is_open(client->play));
        client->over = true;
        return 0;
    }
    HOLDS(client->answered < client->play->run && status == STATUS + client->answered % STATUSES);
    HOLDS(client->interim == record_of(client)->continued);
    client->interim = false;
    client->over = (llhttp->flags & F_CONNECTION_CLOSE) != 0;
    return record_of(client)->head;
}

static int client_content(llhttp_t *llhttp, const char *data, size_t size) {
    struct client *client = llhttp->data;
    if (llhttp->status_code < STATUS)
        return 0;
    struct record *record = record_of(client);
    HOLDS(size <= record->sent - record->got);
    for (size_t part; size > 0; size -= part, data += part, record->got += part) {
        part = size < LARGE ? size : LARGE;
        HOLDS(memcmp(data, content_of(client->answered, record->got), part) == 0);
    }
    return 0;
}

static int client_complete(llhttp_t *llhttp) {
    struct client *client = llhttp->data;
    client->within = false;
    if (llhttp->status_code < STATUS)
        return 0;
    HOLDS(record_of(client)->got == record_of(client)->sent || (client->ended && client->play->cut));
    client->answered++;
    return 0;
}

static void check_wire(struct play *play) {
    llhttp_settings_t settings;
    llhttp_settings_init(&settings);
    settings.on_message_begin = client_begin;
    settings.on_headers_complete = client_head;
    settings.on_body = client_content;
    settings.on_message_complete = client_complete;
    struct client client = {.play = play};
    llhttp_init(&client.llhttp, HTTP_RESPONSE, &settings);
    client.llhttp.data = &client;
    HOLDS(llhttp_execute(&client.llhttp, buffer_bytes(&play->wire), play->wire.size) == HPE_OK);
    client.ended = true;
    if (client.within && client.headed && llhttp_message_needs_eof(&client.llhttp))
        HOLDS(llhttp_finish(&client.llhttp) == HPE_OK);
    if (play->cut)
        return;
    HOLDS(!client.within || play->closed);
    for (unsigned i = 0; i < play->run; i++) {
        HOLDS(play->records[i].got == play->records[i].sent);
        HOLDS(!play->records[i].complete || i < client.answered || play->refused);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct transport transport = {
        .write = on_write, .watch = on_watch, .flush_later = on_flush_later, .idle = on_idle, .close = on_close};
    static const struct handler handler = {
        .request = on_request, .run = on_run, .arrived = on_told, .drained = on_told, .release = on_release, .notice = on_notice};
    struct play play = {.next = data, .end = data + size, .portion = SIZE_MAX, .room = SIZE_MAX, .readable = true};
    struct allocator allocator = allocator_default();
    play.allocator = (struct allocator){.resize = resize, .context = &play};
    play.kit = (struct connection_kit){
        .allocator = &play.allocator, .transport = &transport, .handler = &handler, .owner = &play, .defaults = defaults};
    connection_init(&play.connection, &play.kit, &play);
    while (play.next < play.end && play.wire.size < WIRE_MAX)
        take_step(&play);
    take_all(&play);
    if (!play.closed)
        connection_lost(&play.connection);
    turn(&play);
    check_wire(&play);
    for (unsigned i = 0; i < play.requested; i++)
        if (play.calls[i]) {
            HOLDS(play.calls[i]->released && cycle_is_over(&play.calls[i]->cycle));
            finish(play.calls[i]);
        }
    HOLDS(play.released == play.requested);
    connection_free(&play.connection);
    HOLDS(play.blocks == 0);
    buffer_free(&play.input, &allocator);
    buffer_free(&play.wire, &allocator);
    return 0;
}
