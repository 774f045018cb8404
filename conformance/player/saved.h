/* saved.h: the values that `save` keeps for the later exchanges of a session, one set per target.
 *
 * Owns names and values as bytes. Knows nothing of where they come from.
 */
#ifndef BRIDGECHECK_SAVED_H
#define BRIDGECHECK_SAVED_H

#include <stddef.h>

#include "../exchange/exchange.h"

struct saved_value {
    struct exchange_bytes name, value;
};

struct saved {
    struct saved_value *values; /* owned, freed by saved_clear(); a set that is all zero is empty */
    size_t count;
    const struct exchange_allocator *allocator; /* borrowed; NULL: malloc, realloc and free */
};

/* Keep a copy of SIZE bytes at DATA under NAME, in place of what was there. Returns 0, or -1 out of memory (nothing changed then). */
int saved_put(struct saved *saved, const struct exchange_bytes *name, const char *data, size_t size);

/* The value under NAME; empty if there is none. Good until the next put or clear. */
struct exchange_bytes saved_get(const struct saved *saved, const struct exchange_bytes *name);

void saved_clear(struct saved *saved);

#endif
