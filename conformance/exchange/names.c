/* names.c: see names.h. An open hash table with linear probing, at most half full. */
#include "names.h"

#include <string.h>

static struct names_entry *place_of(struct names_entry *table, size_t capacity, uint64_t group, const struct reader_word *name) {
    uint64_t hash = 0xcbf29ce484222325u ^ group; /* FNV-1a */
    for (size_t i = 0; i < name->size; i++)
        hash = (hash ^ (unsigned char)name->data[i]) * 0x100000001b3u;
    hash ^= hash >> 32;
    for (size_t at = (size_t)hash & (capacity - 1);; at = (at + 1) & (capacity - 1)) {
        struct names_entry *entry = &table[at];
        if (entry->line == 0)
            return entry;
        if (entry->group == group && entry->name.size == name->size && memcmp(entry->name.data, name->data, name->size) == 0)
            return entry;
    }
}

static int grow(struct names *names, const struct exchange_allocator *allocator) {
    size_t capacity = names->capacity == 0 ? 64 : names->capacity * 2;
    struct names_entry *table = allocator->resize(allocator->context, NULL, capacity * sizeof *table);
    if (!table)
        return -1;
    memset(table, 0, capacity * sizeof *table);
    for (size_t i = 0; i < names->capacity; i++) {
        const struct names_entry *entry = &names->table[i];
        if (entry->line != 0)
            *place_of(table, capacity, entry->group, &entry->name) = *entry;
    }
    if (names->table)
        allocator->resize(allocator->context, names->table, 0);
    names->table = table;
    names->capacity = capacity;
    return 0;
}

int names_enter(struct names *names, const struct exchange_allocator *allocator, uint64_t group, const struct reader_word *name,
                unsigned line, unsigned *first) {
    if ((names->count + 1) * 2 > names->capacity && grow(names, allocator) != 0)
        return -1;
    struct names_entry *entry = place_of(names->table, names->capacity, group, name);
    *first = entry->line;
    if (entry->line == 0) {
        *entry = (struct names_entry){.name = *name, .group = group, .line = line};
        names->count++;
    }
    return 0;
}

unsigned names_find(const struct names *names, uint64_t group, const struct reader_word *name) {
    return names->capacity == 0 ? 0 : place_of(names->table, names->capacity, group, name)->line;
}

void names_free(struct names *names, const struct exchange_allocator *allocator) {
    if (names->table)
        allocator->resize(allocator->context, names->table, 0);
    *names = (struct names){0};
}
