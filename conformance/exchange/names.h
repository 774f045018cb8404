/* names.h: names seen so far, each within the group it must be unique in.
 *
 * Owns its table. The names themselves are borrowed and must outlive it. Knows nothing of what a group stands for.
 */
#ifndef BRIDGECHECK_NAMES_H
#define BRIDGECHECK_NAMES_H

#include "exchange.h"
#include "reader.h"

struct names_entry {
    struct reader_word name;
    uint64_t group;
    unsigned line; /* 0: the place is free */
};

struct names {
    struct names_entry *table;
    size_t capacity, count; /* capacity is 0 or a power of two */
};

/* Enter NAME, on LINE, into GROUP. *FIRST is the line where that group has it already, or 0. Returns 0, or -1 out of memory. */
int names_enter(struct names *names, const struct exchange_allocator *allocator, uint64_t group, const struct reader_word *name,
                unsigned line, unsigned *first);

/* The line where NAME was entered into GROUP, or 0. */
unsigned names_find(const struct names *names, uint64_t group, const struct reader_word *name);

void names_free(struct names *names, const struct exchange_allocator *allocator);

#endif
