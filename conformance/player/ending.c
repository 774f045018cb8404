#define _GNU_SOURCE /* what uv.h and sockets need beyond C11 */
#include "ending.h"

#include <string.h>

/* Requests whose head was sent: as many calls may come. One that is not understood may be one too. */
static size_t requests_begun(const struct requests *requests) {
    size_t begun = requests->count;
    if (begun && !requests->requests[begun - 1].head_complete)
        begun--;
    return begun + (requests->state == REQUESTS_BROKEN);
}

/* All that will ever come is there: the process has ended. */
static void read_all(struct connection *connection) {
    uint64_t before;
    do {
        before = connection->received;
        connection_read(connection);
    } while (connection->received != before);
}

void ending_start(struct script *script) {
    uint64_t time = script->exchange->end == EXCHANGE_END_OPEN ? script->exchange->end_milliseconds : script->setup.patience;
    uv_update_time(script->setup.kit->loop);
    script->stage = SCRIPT_ENDING;
    for (size_t i = 0; i < script->connection_count; i++) {
        struct script_connection *at = &script->connections[i];
        if (script->ended)
            read_all(at->connection);
        at->requests_begun = requests_begun(&at->connection->requests);
        at->responses_due = at->connection->requests.complete;
        at->cut_short = at->connection->requests.under_way && at->connection->requests.state == REQUESTS_FOLLOWED;
        at->deadline = uv_now(script->setup.kit->loop) + time;
    }
    ending_go_on(script);
}

/* The peer ended. When all answers were there, a reset says no more than FIN (a server that closes with our marked request unread resets).
 */
static enum script_end peer_end(const struct script *script, const struct script_connection *at) {
    size_t complete = at->connection->responses.complete;
    if (at->connection->upgraded && !at->connection->websocket.closing && !at->close_sent)
        complete = 0;
    bool answered = script->exchange->end == EXCHANGE_END_NEXT && complete && complete >= at->responses_due;
    return at->connection->peer == CONNECTION_PEER_FIN || at->asked_next || answered ? SCRIPT_END_CLOSED : SCRIPT_END_RESET;
}

/* The same of a WebSocket: its pong answers. Where either side closes, it is for the server to end the connection. */
static enum script_end next_websocket_end(struct script *script, struct script_connection *at, bool late) {
    static const struct exchange_frame ping = {.opcode = EXCHANGE_OPCODE_PING};
    struct connection *connection = at->connection;
    const struct websocket_reader *reader = &connection->websocket;
    if (reader->marked)
        return SCRIPT_END_OPEN;
    if (!at->asked_next && !at->close_sent && !connection->half_closed && !reader->closing && !reader->error[0] && !late) {
        at->asked_next = true;
        script_send_frame(script, at, &ping, &(struct exchange_bytes){.data = script->token, .size = strlen(script->token)});
        return SCRIPT_END_UNDECIDED;
    }
    return late ? SCRIPT_END_SILENT : SCRIPT_END_UNDECIDED;
}

/* The end of a connection under `end next`, which is still there. */
static enum script_end next_end(struct script *script, struct script_connection *at, bool late) {
    struct connection *connection = at->connection;
    const struct response_reader *reader = &connection->responses;
    if (connection->upgraded)
        return next_websocket_end(script, at, late);
    if (reader->marked)
        return SCRIPT_END_OPEN;
    bool can_ask = !at->asked_next && !at->cut_short && !connection->half_closed && reader->phase != RESPONSE_BROKEN &&
                   reader->phase != RESPONSE_UPGRADED;
    /* A request that is not understood may have an answer, and often has none: that is waited for, and then asked all the same. */
    size_t hoped = at->responses_due + (connection->requests.state == REQUESTS_BROKEN);
    if (can_ask && (reader->complete >= hoped || (late && reader->complete >= at->responses_due))) {
        at->asked_next = true;
        at->deadline = uv_now(script->setup.kit->loop) + script->setup.patience;
        connection_send(connection, &script->marked_piece, 1, NULL, 0);
        return SCRIPT_END_UNDECIDED;
    }
    return late ? SCRIPT_END_SILENT : SCRIPT_END_UNDECIDED;
}

static enum script_end end_of(struct script *script, struct script_connection *at) {
    struct connection *connection = at->connection;
    if (connection->state == CONNECTION_OURS)
        return SCRIPT_END_OURS;
    if (connection->state != CONNECTION_OPEN)
        return SCRIPT_END_CLOSED;
    if (script->out_of_memory)
        return SCRIPT_END_SILENT; /* nobody will read it */
    if (connection->peer != CONNECTION_PEER_OPEN) {
        if (connection->upgraded && connection->peer == CONNECTION_PEER_FIN)
            connection_half_close(connection); /* as a client does: some servers wait for that */
        return peer_end(script, at);
    }
    if (connection->too_much) {
        script_note(script, script->exchange->last_line, "too much");
        return SCRIPT_END_OPEN;
    }
    bool late = uv_now(script->setup.kit->loop) >= at->deadline;
    if (script->exchange->end == EXCHANGE_END_NEXT)
        return next_end(script, at, late);
    return late ? SCRIPT_END_OPEN : SCRIPT_END_UNDECIDED;
}

void ending_go_on(struct script *script) {
    uint64_t first = UINT64_MAX;
    uv_update_time(script->setup.kit->loop);
    for (size_t i = 0; i < script->connection_count; i++) {
        struct script_connection *at = &script->connections[i];
        if (at->end == SCRIPT_END_UNDECIDED)
            at->end = end_of(script, at);
        if (at->end == SCRIPT_END_UNDECIDED && at->deadline < first)
            first = at->deadline;
    }
    if (first == UINT64_MAX) {
        script->stage = SCRIPT_CALLS;
        script->needs_look = true;
        first = uv_now(script->setup.kit->loop) + script->setup.patience;
    }
    script_set_timer(script, first - uv_now(script->setup.kit->loop));
}

static void finish(struct script *script) {
    script->settled = script->claimant.unsettled == 0;
    uv_timer_stop(&script->timer);
    fence_forget(&script->asker);
    for (size_t i = 0; i < script->connection_count; i++) {
        struct script_connection *at = &script->connections[i];
        connection_read(at->connection);
        script->out_of_memory |= at->connection->out_of_memory;
        if (script->exchange->end == EXCHANGE_END_OPEN && at->end == SCRIPT_END_OPEN && at->connection->peer != CONNECTION_PEER_OPEN)
            at->end = peer_end(script, at);
    }
    script->stage = SCRIPT_FINISHED;
    script->setup.finished(script->setup.context, script);
}

/* Whether no more calls can come: as many as requests were traced, or the server came past them. */
static bool all_calls_in(const struct script *script) {
    if (script->fence_state == SCRIPT_FENCE_ANSWERED || script->ended)
        return true;
    for (size_t i = 0; i < script->connection_count; i++) {
        const struct script_connection *at = &script->connections[i];
        if (!at->connection->responses.marked && script_calls_on(script, i) < at->requests_begun)
            return false;
    }
    return true;
}

static void on_answered(struct fence_asker *asker, enum fence_answer answer) {
    struct script *script = (struct script *)((char *)asker - offsetof(struct script, asker));
    script->out_of_memory |= answer == FENCE_OUT_OF_MEMORY;
    if (answer == FENCE_SILENT)
        script_note(script, script->exchange->last_line, "no answer afterwards");
    script->fence_state = SCRIPT_FENCE_ANSWERED;
    script->needs_look = true;
    script_set_timer(script, script->setup.patience);
}

void ending_look(struct script *script) {
    bool all_in = all_calls_in(script);
    if (script->out_of_memory || script->ended || (all_in && !script->claimant.unsettled)) {
        finish(script);
    } else if (!all_in && script->fence_state == SCRIPT_FENCE_NONE) {
        script->fence_state = SCRIPT_FENCE_ASKED;
        script->asker.answered = on_answered;
        fence_ask(script->setup.fence, &script->asker);
    } else if (script->time_is_up && script->fence_state != SCRIPT_FENCE_ASKED) {
        finish(script);
    }
}
