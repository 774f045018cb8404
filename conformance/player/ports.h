/* ports.h: the client ports that exchanges come from.
 *
 * Owns which port is next, which are in use here and which rest after an active close. Knows nothing of targets or sockets.
 *
 * The ports lie outside the range from which the kernel chooses, so that no other connection of this machine takes one by chance and
 * the player's own connections without a stated port never look like an exchange's.
 */
#ifndef BRIDGECHECK_PORTS_H
#define BRIDGECHECK_PORTS_H

#include <stdint.h>

#include "../exchange/exchange.h"

#define PORTS_REST_MS 61000u /* TIME_WAIT lasts 60 s */

struct ports {
    uint16_t first, last, next;
    uint64_t *free_from; /* milliseconds, by port from first; UINT64_MAX while in use. Owned, freed by ports_free() */
    struct exchange_allocator allocator;
};

/* The range that lies outside LOW..HIGH (the kernel's own); NEXT is where to begin. ALLOCATOR (copied) may be NULL. Returns 0, or
 * -1 out of memory. */
int ports_init(struct ports *ports, unsigned low, unsigned high, uint32_t next, const struct exchange_allocator *allocator);
void ports_free(struct ports *ports);

/* The kernel's range for connections without a stated port; the usual one where it cannot be read. */
void ports_kernel_range(unsigned *low, unsigned *high);

/* The next port that is neither in use nor resting, now in use; 0 if there is none. */
uint16_t ports_take(struct ports *ports, uint64_t now);

/* Back again, to be taken no earlier than FREE_FROM. */
void ports_give_back(struct ports *ports, uint16_t port, uint64_t free_from);

#endif
