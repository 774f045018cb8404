#include "saved.h"

#include <stdlib.h>
#include <string.h>

static struct saved_value *find(const struct saved *saved, const struct exchange_bytes *name) {
    for (size_t i = 0; i < saved->count; i++)
        if (saved->values[i].name.size == name->size && !memcmp(saved->values[i].name.data, name->data, name->size))
            return &saved->values[i];
    return NULL;
}

static int copy(struct exchange_bytes *to, const char *data, size_t size) {
    to->data = malloc(size + 1);
    if (!to->data)
        return -1;
    memcpy(to->data, data, size);
    to->data[size] = 0;
    to->size = size;
    return 0;
}

int saved_put(struct saved *saved, const struct exchange_bytes *name, const char *data, size_t size) {
    struct saved_value fresh;
    if (copy(&fresh.value, data, size))
        return -1;
    struct saved_value *there = find(saved, name);
    if (there) {
        free(there->value.data);
        there->value = fresh.value;
        return 0;
    }
    struct saved_value *values = realloc(saved->values, (saved->count + 1) * sizeof *values);
    if (!values)
        goto free_value;
    saved->values = values;
    if (copy(&fresh.name, name->data, name->size))
        goto free_value;
    saved->values[saved->count++] = fresh;
    return 0;
free_value:
    free(fresh.value.data);
    return -1;
}

struct exchange_bytes saved_get(const struct saved *saved, const struct exchange_bytes *name) {
    const struct saved_value *there = find(saved, name);
    return there ? there->value : (struct exchange_bytes){.data = "", .size = 0};
}

void saved_clear(struct saved *saved) {
    for (size_t i = 0; i < saved->count; i++) {
        free(saved->values[i].name.data);
        free(saved->values[i].value.data);
    }
    free(saved->values);
    *saved = (struct saved){0};
}
