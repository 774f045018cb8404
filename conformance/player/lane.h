/* lane.h: one session under way: its current exchange on all targets, its values, the client ports it has now.
 *
 * Part of the player. Knows targets and scripts; knows nothing of other lanes but that they share the ports.
 */
#ifndef BRIDGECHECK_LANE_H
#define BRIDGECHECK_LANE_H

#include "player.h"
#include "ports.h"

/* Who has a client port. */
struct lane_claim {
    struct lane *lane; /* NULL: nobody */
    unsigned connection;
};

/* What all lanes share. */
struct lane_kit {
    struct connection_kit *connection_kit;
    struct target *targets;
    size_t target_count;
    struct ports *ports;
    struct lane_claim *claims; /* by port, 65536 of them */
    uint64_t token;            /* the player's own number */
    uint64_t counter;          /* of its marked requests */
    uint64_t patience;
    const struct player_watcher *watcher; /* while playing */
};

struct lane {
    struct lane_kit *kit;
    const struct player_session *session; /* NULL: the lane is free */
    size_t session_index, exchange;
    bool alone;
    struct script **scripts; /* one for each target; owned */
    struct saved *saved;     /* one for each target; owned */
    size_t running;          /* scripts that have not finished */
    bool port_taken;         /* lane_again() has to be called */
    unsigned tries;
    uint16_t *ports; /* in use, one for each connection; owned */
    size_t port_count;
};

/* Returns 0, or -1 out of memory (nothing to free then). */
int lane_init(struct lane *lane, struct lane_kit *kit);
void lane_free(struct lane *lane);

/* Play the current exchange of the session. Returns 0, or -1 and *ERROR. */
int lane_begin(struct lane *lane, struct target_error *error);

/* The same again, from other ports. */
int lane_again(struct lane *lane, struct target_error *error);

/* The current exchange is over: let its ports go, and hand its scripts, which have left their connections, over to SCRIPTS. */
void lane_hand_over(struct lane *lane, struct script **scripts);

/* Let the scripts and the ports of the current exchange go. */
void lane_end(struct lane *lane);

/* The session is over. */
void lane_leave(struct lane *lane);

/* Whose a call from this port is on a target. */
struct calls_claimant *lane_claimant(const struct lane *lane, size_t target);

#endif
