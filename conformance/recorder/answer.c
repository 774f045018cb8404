/* answer.c: see answer.h. */
#include "answer.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static void put(struct answer *answer, const struct exchange_allocator *allocator, const char *data, size_t size) {
    size_t room = ANSWER_MAX - answer->bytes.count, kept = size < room ? size : room;
    if (answer->failed || kept == 0)
        return;
    char *added = growing_add(&answer->bytes, allocator, kept, 1);
    if (added) {
        memcpy(added, data, kept);
        return;
    }
    growing_free(&answer->bytes, allocator);
    answer->failed = true;
}

void answer_status(struct answer *answer, const struct exchange_allocator *allocator, unsigned major, unsigned minor, unsigned status) {
    char line[64];
    put(answer, allocator, line, (size_t)snprintf(line, sizeof line, "HTTP/%u.%u %u\r\n", major, minor, status));
}

void answer_name(struct answer *answer, const struct exchange_allocator *allocator, const char *data, size_t size) {
    put(answer, allocator, data, size);
}

void answer_value(struct answer *answer, const struct exchange_allocator *allocator, const char *data, size_t size) {
    if (!answer->in_field)
        put(answer, allocator, ": ", 2);
    answer->in_field = true;
    put(answer, allocator, data, size);
}

void answer_field_end(struct answer *answer, const struct exchange_allocator *allocator) {
    answer_value(answer, allocator, "", 0);
    answer->in_field = false;
    put(answer, allocator, "\r\n", 2);
}

static bool holds(const char *data, size_t size, const char *word) {
    size_t length = strlen(word);
    for (size_t i = 0; i + length <= size; i++)
        if (!strncasecmp(data + i, word, length))
            return true;
    return false;
}

/* Whether its Content-Type is that of text, as far as values are found in it. */
static bool is_text(const char *data, size_t size) {
    static const char name[] = "\ncontent-type: ";
    static const char *const kinds[] = {"text/", "json", "html", "xml", "form-urlencoded"};
    const size_t length = sizeof name - 1;
    for (size_t at = 0; at + length <= size; at++) {
        if (strncasecmp(data + at, name, length))
            continue;
        const char *value = data + at + length, *end = memchr(value, '\r', size - at - length);
        for (size_t i = 0; end && i < sizeof kinds / sizeof *kinds; i++)
            if (holds(value, (size_t)(end - value), kinds[i]))
                return true;
    }
    return false;
}

void answer_head_end(struct answer *answer, const struct exchange_allocator *allocator) {
    answer->is_text = answer->bytes.count > 0 && is_text(answer->bytes.items, answer->bytes.count);
    put(answer, allocator, "\r\n", 2);
}

void answer_content(struct answer *answer, const struct exchange_allocator *allocator, const char *data, size_t size) {
    if (answer->is_text)
        put(answer, allocator, data, size);
}

void answer_clear(struct answer *answer, const struct exchange_allocator *allocator) {
    struct growing bytes = answer->bytes;
    bytes.count = 0;
    if (bytes.capacity > 4096)
        growing_free(&bytes, allocator); /* a large one needs not stay for small ones */
    *answer = (struct answer){.bytes = bytes};
}
