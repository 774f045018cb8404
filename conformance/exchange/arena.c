/* arena.c: see arena.h. */
#include "arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE ((size_t)16 << 10)

struct arena_block {
    struct arena_block *older;
    alignas(max_align_t) char room[];
};

static void *resize_with_malloc(void *context, void *pointer, size_t size) {
    (void)context;
    if (size != 0)
        return realloc(pointer, size);
    free(pointer);
    return NULL;
}

void arena_init(struct arena *arena, const struct exchange_allocator *allocator) {
    static const struct exchange_allocator standard = {.resize = resize_with_malloc, .context = NULL};
    *arena = (struct arena){.allocator = allocator ? *allocator : standard};
}

static void *take(struct arena *arena, size_t size, size_t alignment) {
    size_t skip = arena->left == 0 ? 0 : -(uintptr_t)arena->next & (alignment - 1);
    if (skip > arena->left || size > arena->left - skip) {
        size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;
        if (room > SIZE_MAX - sizeof(struct arena_block))
            return NULL;
        struct arena_block *block = arena->allocator.resize(arena->allocator.context, NULL, sizeof(struct arena_block) + room);
        if (!block)
            return NULL;
        block->older = arena->blocks;
        arena->blocks = block;
        arena->next = block->room;
        arena->left = room;
        skip = 0;
    }
    char *taken = arena->next + skip;
    arena->next = taken + size;
    arena->left -= skip + size;
    return taken;
}

void *arena_take(struct arena *arena, size_t size) { return take(arena, size, alignof(max_align_t)); }

char *arena_text(struct arena *arena, const char *data, size_t size) {
    char *text = take(arena, size + 1, 1);
    if (!text)
        return NULL;
    if (size != 0)
        memcpy(text, data, size);
    text[size] = '\0';
    return text;
}

void *arena_copy(struct arena *arena, const void *data, size_t size) {
    void *copy = arena_take(arena, size);
    if (copy && size != 0)
        memcpy(copy, data, size);
    return copy;
}

void arena_free(struct arena *arena) {
    const struct exchange_allocator allocator = arena->allocator;
    struct arena_block *block = arena->blocks;
    while (block) {
        struct arena_block *older = block->older;
        allocator.resize(allocator.context, block, 0);
        block = older;
    }
}

void *growing_add(struct growing *growing, const struct exchange_allocator *allocator, size_t count, size_t item) {
    if (count > growing->capacity - growing->count) {
        size_t capacity = growing->capacity < 8 ? 8 : growing->capacity;
        while (capacity - growing->count < count) {
            if (capacity > SIZE_MAX / 2 / item)
                return NULL;
            capacity *= 2;
        }
        void *items = allocator->resize(allocator->context, growing->items, capacity * item);
        if (!items)
            return NULL;
        growing->items = items;
        growing->capacity = capacity;
    }
    void *added = (char *)growing->items + growing->count * item;
    growing->count += count;
    return added;
}

void growing_free(struct growing *growing, const struct exchange_allocator *allocator) {
    if (growing->items)
        allocator->resize(allocator->context, growing->items, 0);
    *growing = (struct growing){0};
}
