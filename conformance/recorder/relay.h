/* relay.h: one client's connection and the one to the server, and the bytes that pass between them unchanged.
 *
 * Owns what was read and could not be written yet: RELAY_CHUNK bytes each way at most, and while there are any, nothing more is read from
 * where they came. Owns how ends are passed on: a FIN as a FIN behind the bytes, so that one direction may go on without the other, a reset
 * as a reset. Tells a dialogue what passes, after it has passed. Knows no sockets, no loop and no file: all that is done to a side is done
 * through the transport.
 *
 * Where the server cannot be reached, the client gets the answer that relay_refused() was given once it has said something, and what it
 * says further is read and dropped until it ends.
 */
#ifndef BRIDGECHECK_RECORDER_RELAY_H
#define BRIDGECHECK_RECORDER_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "dialogue.h"

#define RELAY_CHUNK ((size_t)64 << 10) /* bytes of one read */

enum relay_side { RELAY_CLIENT, RELAY_SERVER };

/* What a relay does to its sides; CONTEXT is the relay's owner. */
struct relay_transport {
    ssize_t (*receive)(void *context, enum relay_side side, char *data, size_t size);    /* 0: FIN; negative errno, -EAGAIN: nothing now */
    ssize_t (*send)(void *context, enum relay_side side, const char *data, size_t size); /* negative errno, -EAGAIN: no room now */
    void (*finish)(void *context, enum relay_side side);                                 /* FIN */
    void (*close)(void *context, enum relay_side side, bool reset);                   /* once a side, and then nothing more is done to it */
    void (*watch)(void *context, enum relay_side side, bool readable, bool writable); /* relay_ready() is to be called for these only */
};

enum relay_state { RELAY_CONNECTING, RELAY_OPEN, RELAY_REFUSED, RELAY_OVER };

enum relay_end { RELAY_GOES_ON, RELAY_FIN, RELAY_RESET };

/* What one side sends, on its way to the other. */
struct relay_flow {
    char *held; /* RELAY_CHUNK bytes, while some are held; owned */
    size_t from, to;
    enum relay_end end; /* of what is read */
    bool passed;        /* … and the other side has been told */
    bool dropped;       /* the other side takes nothing any more */
};

struct relay {
    /* To be read at any time. */
    enum relay_state state;     /* OVER: both sides are closed, relay_free() is all that is left */
    bool out_of_memory;         /* that is why it was reset */
    struct relay_flow flows[2]; /* by the side that sends */
    struct dialogue dialogue;

    /* Its own. */
    const struct relay_transport *transport;
    void *context;
    struct exchange_allocator allocator;
    char *chunk;
    bool closed[2];
    bool asked; /* something was read */
};

/* A relay whose server is not connected yet: nothing is read until then. CHUNK has RELAY_CHUNK bytes and is used within calls only. It lies
 * still until relay_free(). What is held comes from ALLOCATOR, what is recorded from DIALOGUES (copied, both may be NULL): there is always
 * room to pass bytes on, whatever is to be recorded. */
void relay_init(struct relay *relay, const struct relay_transport *transport, void *context, char *chunk,
                const struct exchange_allocator *allocator, const struct exchange_allocator *dialogues,
                void (*on_finished)(void *owner, struct dialogue *dialogue, const struct dialogue_text *text));

void relay_connected(struct relay *relay);

/* ANSWER (SIZE bytes, copied; at most RELAY_CHUNK) is what the client gets. */
void relay_refused(struct relay *relay, const char *answer, size_t size);

/* What was watched for may have come. */
void relay_ready(struct relay *relay, enum relay_side side, bool readable, bool writable);

/* Both sides are closed now, in whatever they are. The dialogue is stopped first, so that what can be written is. */
void relay_stop(struct relay *relay);

/* Only when it is OVER. */
void relay_free(struct relay *relay);

#endif
