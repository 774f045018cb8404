/* memory.h: growing arrays over the allocation seam of exchange.h, for the player's units that never heard of Python.
 *
 * Owns nothing. Every caller keeps its pointer and capacity, and gives them back with memory_free().
 */
#ifndef BRIDGECHECK_MEMORY_H
#define BRIDGECHECK_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "../exchange/exchange.h"

static inline void *memory_resize(void *context, void *pointer, size_t size) {
    (void)context;
    if (size != 0)
        return realloc(pointer, size);
    free(pointer);
    return NULL;
}

/* What stands for NULL, or a copy of ALLOCATOR. */
static inline struct exchange_allocator memory_allocator(const struct exchange_allocator *allocator) {
    return allocator ? *allocator : (struct exchange_allocator){.resize = memory_resize, .context = NULL};
}

/* POINTER with room for NEEDED items of ITEM bytes, at least doubled; NULL out of memory, and then POINTER and *CAPACITY still hold. The
 * caller's bounds keep NEEDED * ITEM * 2 far below SIZE_MAX. */
static inline void *memory_grow(const struct exchange_allocator *allocator, void *pointer, size_t *capacity, size_t needed, size_t item) {
    if (needed <= *capacity)
        return pointer;
    size_t wanted = *capacity * 2 > needed ? *capacity * 2 : needed;
    void *grown = allocator->resize(allocator->context, pointer, wanted * item);
    if (grown)
        *capacity = wanted;
    return grown;
}

/* Room for COUNT items of ITEM bytes, all zero; NULL out of memory. At least one byte, so that NULL means nothing else. */
static inline void *memory_zeroed(const struct exchange_allocator *allocator, size_t count, size_t item) {
    size_t size = count > 0 ? count * item : 1;
    void *room = allocator->resize(allocator->context, NULL, size);
    return room ? memset(room, 0, size) : NULL;
}

static inline void memory_free(const struct exchange_allocator *allocator, void *pointer) {
    if (pointer)
        allocator->resize(allocator->context, pointer, 0);
}

#endif
