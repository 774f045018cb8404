/* calls.h: the calls of the app in one target, put together from its trace, and who claims them.
 *
 * Owns every call and the records of it. Knows nothing of sockets, steps or Python; whose a client port is, it asks.
 *
 * A call is claimed when it begins: by a claimant (a script), or it is the app's lifespan, or nobody claims it. Calls that began before
 * calls_open() are history: of them only the lifespan is kept.
 */
#ifndef BRIDGECHECK_CALLS_H
#define BRIDGECHECK_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace_reader.h"

#define CALLS_RECORDS_MAX (64u << 20) /* bytes of records kept of one call; later events are left out */

struct call {
    uint32_t pid, number;
    unsigned connection; /* of the claimant's connections, the one it came by */
    bool ended, settled;
    uint64_t ended_at; /* CLOCK_MONOTONIC, nanoseconds */
    char *records;     /* what call_next() walks over */
    size_t records_size;

    /* Its keeper's own. */
    size_t capacity;
    struct calls_claimant *claimant;
    struct calls_list *list; /* it is in; NULL: nobody wants to know any more */
    struct call *next;       /* in that list */
    struct call *next_hashed;
};

struct calls_list {
    struct call *first, *last;
};

/* Whoever claims calls. All zero to begin with; calls_release() before it goes. */
struct calls_claimant {
    struct calls_list calls; /* in the order they began */
    size_t unsettled;        /* how many of them have not settled */
    bool over;               /* nothing is added to them any more */
};

struct calls;

/* Whose the call from CLIENT_PORT is, and which of its connections; NULL: nobody's. */
typedef struct calls_claimant *(*calls_claim_cb)(void *context, uint16_t client_port, unsigned *connection);

/* The calls of the target that traces into FOLDER. ALLOCATOR (copied) may be NULL. Returns NULL and *ERROR. */
struct calls *calls_open(const char *folder, const struct exchange_allocator *allocator, calls_claim_cb claim, void *context,
                         struct trace_reader_error *error);

/* Read what was traced since the last look. Returns 1 if there was anything, 0 if not, or -1 and *ERROR, after all that can be read was. */
int calls_look(struct calls *calls, struct trace_reader_error *error);

/* Ask the target's processes to ring at their next record that matters. Look once more before sleeping. */
void calls_arm(struct calls *calls);

/* The doorbell brought NAME: take in a file that is new. Returns 0, or -1 and *ERROR. */
int calls_ring(struct calls *calls, const char *name, size_t size, struct trace_reader_error *error);

/* Forget the claimant's calls. What goes on in them is nobody's business any more, and is not reported as unclaimed. */
void calls_release(struct calls *calls, struct calls_claimant *claimant);

/* Calls that nobody claimed, for calls_forget() when they were reported; and the lifespan's, which stay. */
const struct calls_list *calls_unclaimed(const struct calls *calls);
const struct calls_list *calls_lifespans(const struct calls *calls);
void calls_forget_unclaimed(struct calls *calls);

void calls_close(struct calls *calls);

/* The records of a call, one after another: *PLACE from 0. Returns NULL at the end. */
const struct trace_record *call_next(const struct call *call, size_t *place, const char **payload);

#endif
