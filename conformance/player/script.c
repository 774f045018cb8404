#define _GNU_SOURCE /* what uv.h and sockets need beyond C11 */
#include "script.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ending.h"
#include "frame.h"
#include "memory.h"
#include "save.h"

static const struct exchange_bytes MAIN = {.data = "main", .size = 4};

static bool needs_connection(enum exchange_step_kind kind) {
    return kind == EXCHANGE_SEND || kind == EXCHANGE_HALF_CLOSE || kind == EXCHANGE_CLOSE || kind == EXCHANGE_RESET ||
           kind == EXCHANGE_WAIT || kind == EXCHANGE_FRAME;
}

size_t script_openings(const struct exchange *exchange) {
    size_t openings = 0;
    for (size_t i = 0; i < exchange->step_count; i++)
        if (exchange->steps[i].kind == EXCHANGE_CONNECT || (!openings && needs_connection(exchange->steps[i].kind)))
            openings++;
    return openings;
}

const struct exchange_step *script_process_step(const struct exchange *exchange) {
    for (size_t i = 0; i < exchange->step_count; i++)
        if (exchange->steps[i].kind == EXCHANGE_PROCESS)
            return &exchange->steps[i];
    return NULL;
}

void script_note(struct script *script, unsigned line, const char *fault) {
    if (script->note_count == script->note_capacity) {
        size_t capacity = 2 * script->note_capacity + 4;
        const struct exchange_allocator *allocator = &script->setup.kit->allocator;
        struct script_note *notes = allocator->resize(allocator->context, script->notes, capacity * sizeof *notes);
        if (!notes) {
            script->out_of_memory = true;
            return;
        }
        script->notes = notes;
        script->note_capacity = capacity;
    }
    script->notes[script->note_count++] = (struct script_note){line, fault};
}

static void on_timer(uv_timer_t *timer);

void script_set_timer(struct script *script, uint64_t milliseconds) {
    script->time_is_up = false;
    uv_update_time(script->setup.kit->loop); /* time passed since this turn of the loop began */
    uv_timer_start(&script->timer, on_timer, milliseconds, 0);
}

static void advance(struct script *script);

/* Anything happened: see whether that is what was waited for. */
static void go_on(struct script *script) {
    if (script->stage == SCRIPT_STEPS)
        advance(script);
    else if (script->stage == SCRIPT_ENDING)
        ending_go_on(script);
    else if (script->stage == SCRIPT_CALLS)
        script->needs_look = true;
}

static void on_timer(uv_timer_t *timer) {
    struct script *script = timer->data;
    script->time_is_up = true;
    go_on(script);
}

static void on_changed(void *owner, struct connection *connection) {
    struct script *script = owner;
    script->out_of_memory |= connection->out_of_memory;
    go_on(script);
}

bool script_awaits_trace(const struct script *script) {
    if (script->stage != SCRIPT_STEPS)
        return script->stage == SCRIPT_CALLS;
    const struct exchange_step *step = &script->exchange->steps[script->step];
    return script->begun && step->kind == EXCHANGE_WAIT && step->condition == EXCHANGE_WAIT_CALL;
}

void script_look(struct script *script) {
    script->needs_look = false;
    if (script->stage == SCRIPT_CALLS)
        ending_look(script);
    else if (script->stage == SCRIPT_STEPS)
        advance(script);
}

struct script *script_new(const struct script_setup *setup, const struct exchange *exchange, const int *sources) {
    size_t openings = script_openings(exchange);
    const struct exchange_allocator *allocator = &setup->kit->allocator;
    struct script *script = memory_zeroed(allocator, 1, sizeof *script);
    if (!script)
        goto close_sources;
    script->sources = memory_zeroed(allocator, openings, sizeof *script->sources);
    script->connections = memory_zeroed(allocator, openings, sizeof *script->connections);
    script->marked_request = memory_zeroed(allocator, 1, RESPONSE_TOKEN_MAX + 120);
    if (!script->sources || !script->connections || !script->marked_request)
        goto free_script;
    memcpy(script->sources, sources, openings * sizeof *sources);
    script->source_count = openings;
    script->setup = *setup;
    script->exchange = exchange;
    snprintf(script->token, sizeof script->token, "%s", setup->token);
    int size = snprintf(script->marked_request, RESPONSE_TOKEN_MAX + 120,
                        "GET /bridgecheck-next HTTP/1.1\r\nHost: bridgecheck\r\nbridgecheck-next: %s\r\n\r\n", script->token);
    script->marked_piece = (struct exchange_piece){.bytes = {.data = script->marked_request, .size = (size_t)size}, .count = 1};
    uv_timer_init(setup->kit->loop, &script->timer);
    script->timer.data = script;
    return script;

free_script:
    memory_free(allocator, script->marked_request);
    memory_free(allocator, script->connections);
    memory_free(allocator, script->sources);
    memory_free(allocator, script);
close_sources:
    for (size_t i = 0; i < openings; i++)
        close(sources[i]);
    return NULL;
}

static void on_closed(uv_handle_t *handle) {
    struct script *script = handle->data;
    const struct exchange_allocator *allocator = &script->setup.kit->allocator;
    for (size_t i = 0; i < script->connection_count; i++)
        memory_free(allocator, script->connections[i].frame);
    memory_free(allocator, script->connections);
    memory_free(allocator, script->sources);
    memory_free(allocator, script->notes);
    memory_free(allocator, script->marked_request);
    memory_free(allocator, script);
}

void script_leave(struct script *script) {
    script->claimant.over = true;
    for (size_t i = 0; i < script->connection_count; i++)
        connection_leave(script->connections[i].connection);
    while (script->source_count > script->connection_count)
        close(script->sources[--script->source_count]);
}

void script_free(struct script *script) {
    if (!script)
        return;
    script->stage = SCRIPT_FINISHED;
    fence_forget(&script->asker);
    calls_release(script->setup.calls, &script->claimant);
    for (size_t i = 0; i < script->connection_count; i++)
        connection_free(script->connections[i].connection);
    for (size_t i = script->connection_count; i < script->source_count; i++)
        close(script->sources[i]);
    uv_close((uv_handle_t *)&script->timer, on_closed);
}

/* Open the next connection. Returns 0, -EADDRNOTAVAIL, or -ENOMEM. */
static int open_next(struct script *script) {
    size_t index = script->connection_count;
    int fd = script->sources[index];
    struct script_connection *opened = &script->connections[index];
    script->sources[index] = -1;
    script->connection_count++; /* the socket is the connection's, whatever comes */
    opened->name = &MAIN;
    opened->connection =
        connection_new(script->setup.kit, fd, script->setup.address, script->setup.address_size, script->token, on_changed, script);
    if (!opened->connection) {
        script->connection_count--;
        script->source_count = script->connection_count; /* no more to close */
        script->out_of_memory = true;
        return -ENOMEM;
    }
    script->current = index;
    return connection_open(opened->connection);
}

int script_open(struct script *script) {
    const struct exchange *exchange = script->exchange;
    if (!exchange->step_count || !(exchange->steps[0].kind == EXCHANGE_CONNECT || needs_connection(exchange->steps[0].kind)))
        return 0;
    script->untaken = true;
    return open_next(script) == -EADDRNOTAVAIL ? -EADDRNOTAVAIL : 0;
}

void script_start(struct script *script) { advance(script); }

unsigned script_likely_connection(const struct script *script) { return (unsigned)script->last_sent; }

enum outcome { DONE, WAITS };

static struct script_connection *current(struct script *script) { return &script->connections[script->current]; }

static enum outcome fault(struct script *script, const struct exchange_step *step, const char *fault) {
    script_note(script, step->line, fault);
    return DONE;
}

/* Make a connection and name it. */
static enum outcome do_connect(struct script *script, const struct exchange_step *step) {
    if (!script->begun) {
        int failed = script->untaken ? 0 : open_next(script);
        script->untaken = false;
        if (failed == -EADDRNOTAVAIL) {
            script->stage = SCRIPT_STUCK;
            script->setup.port_taken(script->setup.context, script);
            return WAITS;
        }
        if (script->out_of_memory)
            return DONE;
        current(script)->name = script->implied ? &MAIN : &step->name;
    }
    struct connection *connection = current(script)->connection;
    if (connection->state == CONNECTION_CONNECTING && !script->time_is_up)
        return WAITS;
    if (connection->state == CONNECTION_OPEN)
        return DONE;
    if (connection->state == CONNECTION_CONNECTING) {
        connection_refuse(connection, ETIMEDOUT);
        return fault(script, step, "timed out");
    }
    script->refused |= connection->error == -ECONNREFUSED;
    return script->implied ? DONE : fault(script, step, "not connected");
}

static enum outcome do_on(struct script *script, const struct exchange_step *step) {
    for (size_t i = script->connection_count; i-- > 0;) {
        const struct exchange_bytes *name = script->connections[i].name;
        if (name->size == step->name.size && !memcmp(name->data, step->name.data, name->size)) {
            script->current = i;
            return DONE;
        }
    }
    return fault(script, step, "not connected");
}

/* What the current step sends is on its way: wait for that, and not for ever. */
static enum outcome while_sending(struct script *script, const struct exchange_step *step) {
    struct connection *connection = current(script)->connection;
    if (!connection->sending)
        return DONE;
    if (!script->time_is_up)
        return WAITS;
    script_note(script, step->line, "timed out");
    if (connection_hurry(connection) && connection->sending) {
        script_set_timer(script, script->setup.patience);
        return WAITS;
    }
    connection_abandon_send(connection);
    return DONE;
}

static enum outcome do_send(struct script *script, const struct exchange_step *step) {
    if (!script->begun) {
        script->last_sent = script->current;
        connection_send(current(script)->connection, step->pieces, step->piece_count, script->setup.saved, step->count);
    }
    return while_sending(script, step);
}

void script_send_frame(struct script *script, struct script_connection *at, const struct exchange_frame *frame,
                       const struct exchange_bytes *payload) {
    const struct exchange_allocator *allocator = &script->setup.kit->allocator;
    size_t size = frame_size(frame, payload->size);
    memory_free(allocator, at->frame);
    at->frame = memory_zeroed(allocator, size, 1);
    if (!at->frame) {
        script->out_of_memory = true;
        return;
    }
    frame_write(frame, payload, at->frame);
    at->frame_piece = (struct exchange_piece){.bytes = {.data = at->frame, .size = size}, .count = 1};
    connection_send(at->connection, &at->frame_piece, 1, NULL, 0);
}

/* The payload of a frame in pieces, with the values that stand in it; the caller's to free. False: out of memory. */
static bool assemble(struct script *script, const struct exchange_step *step, struct exchange_bytes *payload) {
    struct outgoing outgoing;
    char some[4096];
    *payload = (struct exchange_bytes){0};
    outgoing_start(&outgoing, step->pieces, step->piece_count, script->setup.saved);
    for (size_t taken; (taken = outgoing_take(&outgoing, some, sizeof some)) > 0;)
        payload->size += taken;
    payload->data = memory_zeroed(&script->setup.kit->allocator, payload->size + 1, 1);
    if (!payload->data)
        return false;
    outgoing_start(&outgoing, step->pieces, step->piece_count, script->setup.saved);
    for (size_t at = 0; at < payload->size;)
        at += outgoing_take(&outgoing, payload->data + at, payload->size - at);
    return true;
}

/* Frames go over WebSockets alone: what refused the handshake would read them as requests. */
static enum outcome do_frame(struct script *script, const struct exchange_step *step) {
    struct script_connection *at = current(script);
    struct connection *connection = at->connection;
    if (script->frame_under_way)
        return while_sending(script, step);
    if (!connection->upgraded) {
        bool may_come = connection->peer == CONNECTION_PEER_OPEN && connection->responses.heads == 0 && !connection->responses.error[0];
        if (may_come && !script->time_is_up)
            return WAITS;
        return fault(script, step, may_come ? "timed out" : "not a WebSocket");
    }
    script->last_sent = script->current;
    script->frame_under_way = true;
    at->close_sent |= step->frame.opcode == EXCHANGE_OPCODE_CLOSE;
    struct exchange_bytes payload;
    if (!step->piece_count) {
        script_send_frame(script, at, &step->frame, &step->text);
    } else if (assemble(script, step, &payload)) {
        script_send_frame(script, at, &step->frame, &payload);
        memory_free(&script->setup.kit->allocator, payload.data);
    } else {
        script->out_of_memory = true;
    }
    return script->out_of_memory ? DONE : while_sending(script, step);
}

/* Calls that the script has on a connection. */
size_t script_calls_on(const struct script *script, size_t connection) {
    size_t count = 0;
    for (const struct call *call = script->claimant.calls.first; call; call = call->next)
        count += call->connection == connection;
    return count;
}

/* As condition_of(), for what comes over a WebSocket. */
static const char *frames_of(struct script_connection *at, const struct exchange_step *step) {
    const struct connection *connection = at->connection;
    const struct websocket_reader *websocket = &connection->websocket;
    bool any = step->condition == EXCHANGE_WAIT_FRAME && !step->name.size;
    uint64_t *waited = any                                        ? &at->frames_waited
                       : step->condition == EXCHANGE_WAIT_MESSAGE ? &at->messages_waited
                                                                  : &at->frames_waited_of[step->frame.opcode];
    uint64_t come = any                                        ? websocket->frames
                    : step->condition == EXCHANGE_WAIT_MESSAGE ? websocket->complete
                                                               : websocket->of[step->frame.opcode];
    if (come > *waited) {
        ++*waited;
        return "";
    }
    if (!connection->upgraded && (connection->responses.heads > 0 || connection->responses.error[0]))
        return "not a WebSocket";
    if (connection->peer != CONNECTION_PEER_OPEN)
        return "closed";
    if (connection->too_much)
        return "too much";
    return connection->upgraded && websocket->error[0] ? "not a WebSocket" : NULL;
}

/* NULL: still to come. "": it has come. Else why it cannot come any more. */
static const char *condition_of(struct script *script, const struct exchange_step *step) {
    struct script_connection *at = current(script);
    const struct connection *connection = at->connection;
    const struct response_reader *reader = &connection->responses;
    size_t waited = at->responses_waited;
    switch (step->condition) {
    case EXCHANGE_WAIT_CLOSED:
        return connection->peer == CONNECTION_PEER_OPEN ? NULL : "";
    case EXCHANGE_WAIT_CALL:
        if (script_calls_on(script, script->current) <= at->calls_waited)
            return NULL; /* it may still come when the connection is closed */
        at->calls_waited++;
        return "";
    case EXCHANGE_WAIT_RESPONSE:
        if (reader->complete > waited) {
            at->responses_waited++;
            return "";
        }
        break;
    case EXCHANGE_WAIT_HEAD:
        if (reader->heads > waited)
            return "";
        break;
    case EXCHANGE_WAIT_BODY:
        if (reader->count > waited && reader->responses[waited].content_size >= step->count)
            return "";
        if (reader->complete > waited)
            return "too short";
        break;
    case EXCHANGE_WAIT_INTERIM:
        if (reader->interims > at->interims_waited) {
            at->interims_waited++;
            return "";
        }
        if (reader->heads > waited)
            return "final response";
        break;
    case EXCHANGE_WAIT_FRAME:
    case EXCHANGE_WAIT_MESSAGE:
        return frames_of(at, step);
    }
    if (connection->peer != CONNECTION_PEER_OPEN)
        return "closed";
    if (connection->too_much)
        return "too much";
    return reader->phase == RESPONSE_BROKEN || reader->phase == RESPONSE_UPGRADED ? "not HTTP" : NULL;
}

static enum outcome do_wait(struct script *script, const struct exchange_step *step) {
    const char *why = condition_of(script, step);
    if (why)
        return *why ? fault(script, step, why) : DONE;
    if (script->time_is_up)
        return fault(script, step, "timed out");
    if (step->condition == EXCHANGE_WAIT_CALL && !script->begun)
        script->needs_look = true;
    return WAITS;
}

#define PROCESS_LOOK_MS 5u /* between two looks whether the process has ended */

static bool is_word(const struct exchange_bytes *bytes, const char *word) {
    return bytes->size == strlen(word) && !memcmp(bytes->data, word, bytes->size);
}

/* The connections go on meanwhile: whatever they bring comes between two looks. */
static enum outcome do_process(struct script *script, const struct exchange_step *step) {
    if (is_word(&step->name, "start"))
        return DONE; /* or there would be no target */
    uint64_t now = uv_now(script->setup.kit->loop);
    if (!script->begun)
        script->process_deadline = now + (step->milliseconds ? step->milliseconds : script->setup.patience);
    if (script->setup.process(script->setup.context, script, step)) {
        script->ended |= is_word(&step->name, "exit");
        return DONE;
    }
    if (now >= script->process_deadline)
        return fault(script, step, "timed out");
    if (script->time_is_up)
        script_set_timer(script, PROCESS_LOOK_MS);
    return WAITS;
}

/* Do a step, or see whether it is done. */
static enum outcome do_step(struct script *script, const struct exchange_step *step) {
    if (script->implied || step->kind == EXCHANGE_CONNECT)
        return do_connect(script, step);
    if (step->kind == EXCHANGE_ON)
        return do_on(script, step);
    if (step->kind == EXCHANGE_PAUSE)
        return script->time_is_up ? DONE : WAITS;
    if (step->kind == EXCHANGE_PROCESS)
        return do_process(script, step);
    if (step->kind == EXCHANGE_ANSWERED)
        return DONE; /* that was then */
    if (step->kind == EXCHANGE_SAVE) {
        const struct response_reader *reader = script->connection_count ? &current(script)->connection->responses : NULL;
        int saved = save_step(script->setup.saved, step, reader);
        script->out_of_memory |= saved < 0;
        return saved ? DONE : fault(script, step, "nothing to save");
    }

    struct connection *connection = current(script)->connection;
    bool traced = connection->state == CONNECTION_OURS && step->kind == EXCHANGE_WAIT && step->condition == EXCHANGE_WAIT_CALL;
    if (connection->state != CONNECTION_OPEN && !traced)
        return fault(script, step, "not connected");
    switch (step->kind) {
    case EXCHANGE_SEND:
        return do_send(script, step);
    case EXCHANGE_FRAME:
        return do_frame(script, step);
    case EXCHANGE_WAIT:
        return do_wait(script, step);
    case EXCHANGE_HALF_CLOSE:
        connection_half_close(connection);
        return DONE;
    case EXCHANGE_CLOSE:
        connection_close(connection);
        return DONE;
    case EXCHANGE_RESET:
        connection_reset(connection);
        return DONE;
    default:
        return DONE; /* done above */
    }
}

/* How long a step may wait. */
static uint64_t time_for(const struct script *script, const struct exchange_step *step) {
    if (step->kind == EXCHANGE_PROCESS)
        return PROCESS_LOOK_MS;
    bool stated = step->kind == EXCHANGE_PAUSE || (step->kind == EXCHANGE_WAIT && step->milliseconds);
    return stated ? step->milliseconds : script->setup.patience;
}

static void advance(struct script *script) {
    while (script->stage == SCRIPT_STEPS && script->step < script->exchange->step_count && !script->out_of_memory) {
        const struct exchange_step *step = &script->exchange->steps[script->step];
        if (!script->begun) {
            script->time_is_up = script->frame_under_way = false;
            script->implied = needs_connection(step->kind) && (script->untaken || !script->connection_count);
        }
        if (do_step(script, step) == WAITS) {
            if (!script->begun && script->stage == SCRIPT_STEPS)
                script_set_timer(script, time_for(script, step));
            script->begun = true;
            return;
        }
        uv_timer_stop(&script->timer);
        script->begun = false;
        if (!script->implied)
            script->step++;
    }
    if (script->stage == SCRIPT_STEPS)
        ending_start(script);
}
