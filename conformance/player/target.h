/* target.h: one running server, as the player sees it: its address, the calls of its app, its doorbell and its fence. Knows nothing of
 * exchanges. */
#ifndef BRIDGECHECK_TARGET_H
#define BRIDGECHECK_TARGET_H

#include "calls.h"
#include "connection.h"
#include "fence.h"

/* Where a target is. */
struct target_place {
    const char *host; /* an address, not a name */
    uint16_t port;
    const char *trace;    /* folder of its trace files */
    const char *doorbell; /* path of the Unix datagram socket that the player binds */
};

struct target_error {
    int number; /* errno, or 0 */
    char message[300];
};

struct target {
    struct sockaddr_storage address;
    socklen_t address_size;
    struct calls *calls;
    struct fence *fence;
    struct target_error error; /* of what the doorbell led to; the message is "" if there is none */

    /* Its own. */
    struct connection_kit *kit;
    uv_poll_t bell;
    int bell_fd;
    char *bell_path; /* owned, unlinked in the end */
};

/* TOKEN marks the fence's requests. CLAIM as in calls.h. TARGET lies still until the loop has run after target_close(). Returns 0, or -1
 * and *ERROR, with nothing to close then but what the loop still has to run. */
int target_open(struct target *target, const struct target_place *place, struct connection_kit *kit, const char *token, uint64_t patience,
                calls_claim_cb claim, void *context, struct target_error *error);

/* Take in what was traced that no doorbell has told of yet; what fails stands in `error`. */
void target_look(struct target *target);

void target_close(struct target *target);

#endif
