#include "saved.h"

#include <string.h>

#include "memory.h"

static struct saved_value *find(const struct saved *saved, const struct exchange_bytes *name) {
    for (size_t i = 0; i < saved->count; i++)
        if (saved->values[i].name.size == name->size && !memcmp(saved->values[i].name.data, name->data, name->size))
            return &saved->values[i];
    return NULL;
}

static int copy(const struct exchange_allocator *allocator, struct exchange_bytes *to, const char *data, size_t size) {
    to->data = allocator->resize(allocator->context, NULL, size + 1);
    if (!to->data)
        return -1;
    memcpy(to->data, data, size);
    to->data[size] = 0;
    to->size = size;
    return 0;
}

int saved_put(struct saved *saved, const struct exchange_bytes *name, const char *data, size_t size) {
    const struct exchange_allocator allocator = memory_allocator(saved->allocator);
    struct saved_value fresh;
    if (copy(&allocator, &fresh.value, data, size))
        return -1;
    struct saved_value *there = find(saved, name);
    if (there) {
        memory_free(&allocator, there->value.data);
        there->value = fresh.value;
        return 0;
    }
    struct saved_value *values = allocator.resize(allocator.context, saved->values, (saved->count + 1) * sizeof *values);
    if (!values)
        goto free_value;
    saved->values = values;
    if (copy(&allocator, &fresh.name, name->data, name->size))
        goto free_value;
    saved->values[saved->count++] = fresh;
    return 0;
free_value:
    memory_free(&allocator, fresh.value.data);
    return -1;
}

struct exchange_bytes saved_get(const struct saved *saved, const struct exchange_bytes *name) {
    const struct saved_value *there = find(saved, name);
    return there ? there->value : (struct exchange_bytes){.data = "", .size = 0};
}

void saved_clear(struct saved *saved) {
    const struct exchange_allocator allocator = memory_allocator(saved->allocator);
    for (size_t i = 0; i < saved->count; i++) {
        memory_free(&allocator, saved->values[i].name.data);
        memory_free(&allocator, saved->values[i].value.data);
    }
    memory_free(&allocator, saved->values);
    *saved = (struct saved){.allocator = saved->allocator};
}
