/* buffer.c: see buffer.h. */
#include "buffer.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { CAPACITY_MIN = 256 };

char *buffer_room(struct buffer *buffer, const struct allocator *allocator, size_t size) {
    if (buffer->memory && size <= buffer->capacity - buffer->start - buffer->size)
        return buffer->memory + buffer->start + buffer->size;
    if (size > SIZE_MAX - buffer->size)
        return NULL;
    size_t needed = buffer->size + size;
    /* Where less was taken than is left, room at the front would soon be used up, and the bytes be moved again and again. */
    bool grows = !buffer->memory || needed > buffer->capacity || buffer->start < buffer->size;
    if (buffer->start != 0) {
        memmove(buffer->memory, buffer->memory + buffer->start, buffer->size);
        buffer->start = 0;
    }
    if (grows) {
        size_t capacity = buffer->capacity < CAPACITY_MIN / 2 ? CAPACITY_MIN : buffer->capacity * 2;
        if (capacity < needed)
            capacity = needed;
        char *memory = allocator->resize(allocator->context, buffer->memory, capacity);
        if (!memory)
            return NULL;
        buffer->memory = memory;
        buffer->capacity = capacity;
    }
    return buffer->memory + buffer->size;
}

int buffer_append(struct buffer *buffer, const struct allocator *allocator, const void *data, size_t size) {
    if (size == 0)
        return 0;
    char *room = buffer_room(buffer, allocator, size);
    if (!room)
        return -1;
    memcpy(room, data, size);
    buffer_added(buffer, size);
    return 0;
}

void buffer_take(struct buffer *buffer, size_t size) {
    buffer->size -= size;
    buffer->start = buffer->size != 0 ? buffer->start + size : 0;
}

void buffer_free(struct buffer *buffer, const struct allocator *allocator) {
    allocator_free(allocator, buffer->memory);
    *buffer = (struct buffer){0};
}
