/* relay.c: see relay.h. */
#include "relay.h"

#include <errno.h>
#include <string.h>

static enum relay_side other(enum relay_side side) { return side == RELAY_CLIENT ? RELAY_SERVER : RELAY_CLIENT; }

void relay_init(struct relay *relay, const struct relay_transport *transport, void *context, char *chunk,
                const struct exchange_allocator *allocator, const struct exchange_allocator *dialogues,
                void (*on_finished)(void *owner, struct dialogue *dialogue, const struct dialogue_text *text)) {
    struct arena standard;
    arena_init(&standard, allocator);
    *relay = (struct relay){.transport = transport, .context = context, .chunk = chunk, .allocator = standard.allocator};
    dialogue_init(&relay->dialogue, dialogues, on_finished, context);
}

static void release(struct relay *relay, struct relay_flow *flow) {
    if (flow->held)
        relay->allocator.resize(relay->allocator.context, flow->held, 0);
    flow->held = NULL;
    flow->from = flow->to = 0;
}

static void close_side(struct relay *relay, enum relay_side side, bool reset) {
    if (relay->closed[side])
        return;
    relay->closed[side] = true;
    relay->transport->close(relay->context, side, reset);
}

static void close_both(struct relay *relay, bool reset) {
    close_side(relay, RELAY_CLIENT, reset);
    close_side(relay, RELAY_SERVER, reset);
    relay->state = RELAY_OVER;
}

void relay_free(struct relay *relay) {
    release(relay, &relay->flows[RELAY_CLIENT]);
    release(relay, &relay->flows[RELAY_SERVER]);
    dialogue_free(&relay->dialogue);
}

/* Keep what could not be written. Returns 0, or -1 out of memory. */
static int hold(struct relay *relay, struct relay_flow *flow, const char *data, size_t size) {
    flow->held = relay->allocator.resize(relay->allocator.context, NULL, RELAY_CHUNK);
    if (!flow->held)
        return -1;
    memcpy(flow->held, data, size);
    flow->from = 0;
    flow->to = size;
    return 0;
}

/* What SIDE says has ended. The dialogue hears it once. */
static void ended(struct relay *relay, enum relay_side side, bool reset) {
    struct relay_flow *flow = &relay->flows[side];
    bool first = flow->end == RELAY_GOES_ON;
    flow->end = reset ? RELAY_RESET : RELAY_FIN;
    flow->passed = false;
    if (side == RELAY_SERVER)
        dialogue_server_end(&relay->dialogue, reset);
    else if (first)
        dialogue_client_end(&relay->dialogue, reset);
    else
        dialogue_client_gone(&relay->dialogue);
}

/* SIDE takes nothing any more. What it said before may still be there to be read; its end is a reset then. */
static void refuses(struct relay *relay, enum relay_side side) {
    struct relay_flow *flow = &relay->flows[other(side)];
    flow->dropped = true;
    release(relay, flow);
    if (relay->flows[side].end == RELAY_FIN)
        ended(relay, side, true);
}

/* Write to the side across from SIDE. Returns how many bytes are done with. */
static size_t pass(struct relay *relay, enum relay_side side, const char *data, size_t size) {
    struct relay_flow *flow = &relay->flows[side];
    if (flow->dropped)
        return size;
    ssize_t took = relay->transport->send(relay->context, other(side), data, size);
    if (took < 0 && took != -EAGAIN) {
        refuses(relay, other(side));
        return size;
    }
    if (took < 0)
        return 0;
    return (size_t)took;
}

static void tell(struct relay *relay, enum relay_side side, size_t size) {
    if (relay->state == RELAY_REFUSED)
        return;
    if (side == RELAY_CLIENT)
        dialogue_client(&relay->dialogue, relay->chunk, size, size == RELAY_CHUNK);
    else
        dialogue_server(&relay->dialogue, relay->chunk, size);
}

static void read_from(struct relay *relay, enum relay_side side) {
    struct relay_flow *flow = &relay->flows[side];
    ssize_t size = relay->transport->receive(relay->context, side, relay->chunk, RELAY_CHUNK);
    if (size == -EAGAIN)
        return;
    if (size <= 0) {
        ended(relay, side, size < 0 || relay->flows[other(side)].dropped);
        return;
    }
    relay->asked = true;
    size_t done = pass(relay, side, relay->chunk, (size_t)size);
    if (done < (size_t)size && hold(relay, flow, relay->chunk + done, (size_t)size - done)) {
        relay->out_of_memory = true;
        dialogue_stop(&relay->dialogue);
        close_both(relay, true);
        return;
    }
    tell(relay, side, (size_t)size);
}

static void write_held(struct relay *relay, enum relay_side side) {
    struct relay_flow *flow = &relay->flows[side];
    size_t done = pass(relay, side, flow->held + flow->from, flow->to - flow->from);
    if (flow->dropped)
        return; /* and released */
    flow->from += done;
    if (flow->from == flow->to)
        release(relay, flow);
}

/* In RELAY_REFUSED the answer waits for the client's first words. */
static bool may_write(const struct relay *relay, enum relay_side from) {
    const struct relay_flow *flow = &relay->flows[from];
    return flow->held && (relay->state != RELAY_REFUSED || relay->asked || relay->flows[RELAY_CLIENT].end);
}

static void pass_on_end(struct relay *relay, enum relay_side side) {
    struct relay_flow *flow = &relay->flows[side];
    if (flow->end == RELAY_GOES_ON || flow->passed || flow->held)
        return;
    flow->passed = true;
    if (flow->end == RELAY_RESET)
        close_side(relay, other(side), true);
    else if (!relay->closed[other(side)])
        relay->transport->finish(relay->context, other(side));
}

/* What follows from what has just happened, until nothing more does. */
static void settle(struct relay *relay) {
    if (relay->state == RELAY_OVER)
        return;
    for (enum relay_side side = RELAY_CLIENT; side <= RELAY_SERVER; side++)
        pass_on_end(relay, side);
    bool reset = false, over = true;
    for (enum relay_side side = RELAY_CLIENT; side <= RELAY_SERVER; side++) {
        reset |= relay->flows[side].end == RELAY_RESET && relay->flows[side].passed;
        over &= relay->flows[side].passed;
    }
    if (reset || over) {
        dialogue_stop(&relay->dialogue);
        close_both(relay, false);
        return;
    }
    for (enum relay_side side = RELAY_CLIENT; side <= RELAY_SERVER; side++) {
        const struct relay_flow *flow = &relay->flows[side];
        bool drops = relay->state == RELAY_REFUSED && side == RELAY_CLIENT;
        bool readable = !flow->end && !flow->held && (!flow->dropped || drops) && !relay->closed[side];
        if (!relay->closed[side])
            relay->transport->watch(relay->context, side, readable, may_write(relay, other(side)));
    }
}

void relay_connected(struct relay *relay) {
    relay->state = RELAY_OPEN;
    settle(relay);
}

void relay_refused(struct relay *relay, const char *answer, size_t size) {
    struct relay_flow *flow = &relay->flows[RELAY_SERVER];
    relay->state = RELAY_REFUSED;
    dialogue_stop(&relay->dialogue);
    close_side(relay, RELAY_SERVER, false);
    relay->flows[RELAY_CLIENT].dropped = true;
    flow->end = RELAY_FIN;
    if (hold(relay, flow, answer, size)) {
        relay->out_of_memory = true;
        close_both(relay, true);
    }
    settle(relay);
}

void relay_ready(struct relay *relay, enum relay_side side, bool readable, bool writable) {
    if (relay->state != RELAY_OPEN && relay->state != RELAY_REFUSED)
        return;
    struct relay_flow *flow = &relay->flows[side];
    if (writable && may_write(relay, other(side)))
        write_held(relay, other(side));
    if (readable && !flow->end && !flow->held && !relay->closed[side])
        read_from(relay, side);
    settle(relay);
}

void relay_stop(struct relay *relay) {
    if (relay->state == RELAY_OVER)
        return;
    dialogue_stop(&relay->dialogue);
    close_both(relay, false);
}
