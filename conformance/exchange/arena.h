/* arena.h: memory for one parse: an arena for what is handed out, and growing arrays for what is still under way.
 *
 * An arena owns its blocks and gives them back in one call. A growing array owns its items until growing_free(). Knows nothing of
 * exchanges; every allocation goes through the allocator that its owner gives, so that a test can make each of them fail.
 */
#ifndef BRIDGECHECK_ARENA_H
#define BRIDGECHECK_ARENA_H

#include <stddef.h>

#include "exchange.h"

struct arena_block;

struct arena {
    struct exchange_allocator allocator;
    struct arena_block *blocks; /* newest first */
    char *next;                 /* free room in the newest block */
    size_t left;
};

/* An arena without blocks. ALLOCATOR may be NULL: malloc, realloc and free. */
void arena_init(struct arena *arena, const struct exchange_allocator *allocator);

/* SIZE bytes, aligned for any type, not cleared; NULL out of memory. They live until arena_free(). */
void *arena_take(struct arena *arena, size_t size);

/* A copy of SIZE bytes at DATA with a NUL behind it; NULL out of memory. */
char *arena_text(struct arena *arena, const char *data, size_t size);

/* A copy of SIZE bytes at DATA, aligned for any type; NULL out of memory. */
void *arena_copy(struct arena *arena, const void *data, size_t size);

/* All of it; the arena itself may lie in one of its blocks. */
void arena_free(struct arena *arena);

/* An array that grows: all zero is an empty one. Items move when it grows. */
struct growing {
    void *items;
    size_t count, capacity; /* in items */
};

/* Room for COUNT more items of ITEM bytes, which are counted in already; NULL out of memory, with nothing changed. */
void *growing_add(struct growing *growing, const struct exchange_allocator *allocator, size_t count, size_t item);

void growing_free(struct growing *growing, const struct exchange_allocator *allocator);

#endif
