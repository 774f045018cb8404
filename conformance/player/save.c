#define _GNU_SOURCE /* memmem */
#include "save.h"

#include <string.h>
#include <strings.h>

#include "coding.h"
#include "memory.h"

/* What stands between two texts in DATA; an empty second text means up to the end. Returns false if it is not there. */
static bool between(const char *data, size_t size, const struct exchange_step *step, const char **start, size_t *length) {
    const char *end = data + size;
    const char *before = step->before.size ? memmem(data, size, step->before.data, step->before.size) : data;
    if (!before)
        return false;
    *start = before + step->before.size;
    const char *after = step->after.size ? memmem(*start, (size_t)(end - *start), step->after.data, step->after.size) : end;
    if (!after)
        return false;
    *length = (size_t)(after - *start);
    return true;
}

static bool find(const struct exchange_step *step, const struct response *response, const char **start, size_t *length) {
    if (!step->field.size)
        return between(response->content ? response->content : "", response->content_kept, step, start, length);
    const struct response_head *head = &response->head;
    for (size_t i = 0; i < head->field_count; i++) {
        const struct response_field *field = &head->fields[i];
        bool named =
            field->name_size == step->field.size && !strncasecmp(response_text(head, field->name), step->field.data, field->name_size);
        if (named && between(response_text(head, field->value), field->value_size, step, start, length))
            return true;
    }
    return false;
}

/* Keep SIZE bytes at DATA as the step's codings make them. */
static int put_coded(struct saved *saved, const struct exchange_step *step, const char *data, size_t size) {
    const struct exchange_allocator allocator = memory_allocator(saved->allocator);
    char *room = memory_zeroed(&allocator, size, 1 + CODING_GROWTH); /* decoded, and encoded behind that */
    if (!room)
        return -1;
    memcpy(room, data, size);
    size_t decoded = coding_decode(step->decode, room, size);
    size_t encoded = coding_encode(step->encode, room, decoded, room + size);
    int put = saved_put(saved, &step->name, room + size, encoded);
    memory_free(&allocator, room);
    return put;
}

int save_step(struct saved *saved, const struct exchange_step *step, const struct response_reader *reader) {
    const char *start = "";
    size_t length = 0;
    bool found = reader && reader->complete && find(step, &reader->responses[reader->complete - 1], &start, &length);
    bool coded = found && (step->decode != EXCHANGE_CODING_NONE || step->encode != EXCHANGE_CODING_NONE);
    if (coded ? put_coded(saved, step, start, length) : saved_put(saved, &step->name, start, found ? length : 0))
        return -1;
    return found;
}
