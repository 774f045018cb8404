/* buffer.h: bytes that are added behind and taken from the front.
 *
 * Owns its memory, from the first append to buffer_free(). Knows nothing of what the bytes mean.
 */
#ifndef BRIDGE_BUFFER_H
#define BRIDGE_BUFFER_H

#include <stddef.h>

#include "allocator.h"

struct buffer {
    char *memory; /* NULL while nothing was ever added, or after buffer_free() */
    size_t start; /* the first byte that is not taken yet, counted from `memory` */
    size_t size;  /* bytes from there on */
    size_t capacity;
};

/* Room for SIZE more bytes behind those that are there, all in one piece: where they belong, to be counted with buffer_added(). NULL out of
 * memory, and then the bytes are as they were. Uses again what was taken from the front where that is no less than what is left, else at
 * least doubles: a byte costs the same however many there are. */
char *buffer_room(struct buffer *buffer, const struct allocator *allocator, size_t size);
static inline void buffer_added(struct buffer *buffer, size_t size) { buffer->size += size; }

/* Copy SIZE bytes behind. 0, or -1 out of memory, and then the bytes are as they were. DATA may be NULL when SIZE is 0. */
int buffer_append(struct buffer *buffer, const struct allocator *allocator, const void *data, size_t size);

/* Take SIZE bytes (at most buffer->size) from the front; when none is left the buffer starts over at its first byte. */
void buffer_take(struct buffer *buffer, size_t size);

static inline const char *buffer_bytes(const struct buffer *buffer) { return buffer->memory ? buffer->memory + buffer->start : ""; }

/* Give the memory back; an empty buffer again, ready to be used. */
void buffer_free(struct buffer *buffer, const struct allocator *allocator);

#endif
