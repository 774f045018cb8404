/* allocator.h: where all memory of the core comes from, so that a test can let each allocation fail in turn.
 *
 * Owns nothing. Whoever takes memory gives it back through the same allocator; the header of each struct names the owner.
 */
#ifndef BRIDGE_ALLOCATOR_H
#define BRIDGE_ALLOCATOR_H

#include <stddef.h>
#include <stdlib.h>

struct allocator {
    /* SIZE bytes where POINTER was (NULL: new), as realloc() does it; SIZE 0 frees. NULL: out of memory, POINTER still holds. */
    void *(*resize)(void *context, void *pointer, size_t size);
    void *context;
};

static inline void *allocator_default_resize(void *context, void *pointer, size_t size) {
    (void)context;
    if (size != 0)
        return realloc(pointer, size);
    free(pointer);
    return NULL;
}

static inline struct allocator allocator_default(void) { return (struct allocator){.resize = allocator_default_resize, .context = NULL}; }

static inline void allocator_free(const struct allocator *allocator, void *pointer) {
    if (pointer)
        allocator->resize(allocator->context, pointer, 0);
}

#endif
