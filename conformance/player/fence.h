/* fence.h: asks a target, on a connection of its own, whether it has come past what was sent to it before.
 *
 * A server may still be about to call the app when the exchange that it concerns is over (uvicorn starts the task a turn of its loop after
 * the bytes came). A marked request on a fresh connection is accepted, read and answered after that: once it is, a call that was not traced
 * does not come. Everyone who asks while a fence is under way shares the next one.
 */
#ifndef BRIDGECHECK_FENCE_H
#define BRIDGECHECK_FENCE_H

#include "connection.h"

enum fence_answer { FENCE_PASSED, FENCE_SILENT, FENCE_OUT_OF_MEMORY }; /* SILENT: no answer within the patience */

/* One who asks. All zero to begin with; it lasts until answered() or fence_forget(). */
struct fence_asker {
    void (*answered)(struct fence_asker *asker, enum fence_answer answer);
    struct fence_asker *next, **in; /* its place in a queue; `in` is NULL when it is in none */
};

struct fence;

/* A fence at ADDRESS; TOKEN (copied) marks its requests. NULL: out of memory. */
struct fence *fence_new(struct connection_kit *kit, const struct sockaddr *address, socklen_t address_size, const char *token,
                        uint64_t patience);

void fence_ask(struct fence *fence, struct fence_asker *asker);
void fence_forget(struct fence_asker *asker);

/* Nobody may be asking any more. NULL is let through. */
void fence_free(struct fence *fence);

#endif
