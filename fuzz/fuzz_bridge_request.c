/* fuzz_bridge_request.c: any bytes as what a client sends.
 *
 * The first octet plus one is the size of the portions of one reading. Where the second is 255, the two behind it say where in the rest an
 * octet, the next, is repeated, and the one after, how many times, around the parser's bound: so that it is reached.
 *
 * Oracle: read whole, in portions and octet by octet, held at each request's end and not, the bytes are the same requests and the same
 * result; so a held parser loses and doubles nothing. What a head names lies in its text, one behind the other. Memory is bounded, and
 * given back.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../bridge/core/request.h"

#define HOLDS(condition) ((condition) ? (void)0 : broken(#condition, __LINE__))

#define STRETCHED 255u
#define STRETCH_SIZE 4u
#define STRETCH_MORE 128u
#define SINGLE_MAX 8192u /* of more octets, one by one is too slow */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void broken(const char *condition, int line) {
    fprintf(stderr, "fuzz_bridge_request.c:%d: does not hold: %s\n", line, condition);
    abort();
}

/* One reading, and what it told. */
struct reading {
    struct request_parser parser;
    struct buffer told;
    bool hold, in_content;
    size_t ends;
    enum request_result result;
};

/* The blocks of all parsers. */
struct memory {
    size_t live;
};

static void *resize(void *context, void *pointer, size_t size) {
    struct memory *memory = context;
    if (size == 0) {
        memory->live--;
        free(pointer);
        return NULL;
    }
    HOLDS(size <= 2 * (size_t)REQUEST_HEAD_MAX);
    memory->live += !pointer;
    return realloc(pointer, size);
}

static void put(struct reading *reading, const void *data, size_t size) {
    const struct allocator allocator = allocator_default();
    HOLDS(buffer_append(&reading->told, &allocator, data, size) == 0);
}

static void put_text(struct reading *reading, const char *text, size_t size) {
    put(reading, &size, sizeof size);
    put(reading, text, size);
}

static bool is_blank(char octet) { return octet == ' ' || octet == '\t'; }

static void check_head(const struct request_head *head) {
    const char *text = head->text;
    HOLDS(head->minor <= 1 && head->field_count <= REQUEST_FIELDS_MAX);
    HOLDS(head->minor == 1 || (!head->keep_alive && !head->expects_continue && !head->upgrade_offered));
    HOLDS(head->target.path_size > 0 && head->target.path_size + head->target.query_size <= TARGET_SIZE_MAX);
    HOLDS((head->target.query == NULL) == (head->target.query_size == 0));
    size_t hosts = 0, end = 0;
    for (size_t i = 0; i < head->field_count; i++) {
        const struct request_field *field = &head->fields[i];
        HOLDS(field->name_size != 0 && field->name >= end && field->value == field->name + field->name_size);
        end = (size_t)field->value + field->value_size;
        HOLDS(end <= REQUEST_HEAD_MAX);
        for (size_t at = field->name; at < field->value; at++)
            HOLDS(text[at] > ' ' && text[at] < 0x7f && text[at] != ':' && !(text[at] >= 'A' && text[at] <= 'Z'));
        HOLDS(field->value_size == 0 || (!is_blank(text[field->value]) && !is_blank(text[end - 1])));
        for (size_t at = field->value; at < end; at++)
            HOLDS(text[at] != '\r' && text[at] != '\n' && text[at] != '\0');
        hosts += field->name_size == 4 && memcmp(text + field->name, "host", 4) == 0;
    }
    HOLDS(hosts == 1 || (hosts == 0 && head->minor == 0));
}

static int on_head(void *owner, const struct request_head *head) {
    struct reading *reading = owner;
    check_head(head);
    HOLDS(request_parser_within(&reading->parser) && !reading->in_content);
    const uint8_t flags[] = {'H', head->method, head->minor, head->keep_alive, head->expects_continue, head->upgrade_offered};
    put(reading, flags, sizeof flags);
    const char *method = request_method_name(head->method);
    put_text(reading, method, strlen(method));
    put_text(reading, head->target.path, head->target.path_size);
    put_text(reading, head->target.query, head->target.query_size);
    for (size_t i = 0; i < head->field_count; i++) {
        put_text(reading, head->text + head->fields[i].name, head->fields[i].name_size);
        put_text(reading, head->text + head->fields[i].value, head->fields[i].value_size);
    }
    return 0;
}

static int on_content(void *owner, const char *data, size_t size) {
    struct reading *reading = owner;
    HOLDS(size > 0);
    if (!reading->in_content)
        put(reading, "C", 1);
    reading->in_content = true;
    put(reading, data, size);
    return 0;
}

static int on_end(void *owner) {
    struct reading *reading = owner;
    reading->in_content = false;
    reading->ends++;
    put(reading, "E", 1);
    return reading->hold;
}

static const struct request_events EVENTS = {.head = on_head, .content = on_content, .end = on_end};

/* Each portion is read from memory of its own size, so that the sanitizer sees an octet beyond it. */
static void feed(struct reading *reading, const uint8_t *data, size_t size, size_t portion) {
    for (size_t at = 0; at < size && reading->result == REQUEST_OK;) {
        size_t now = portion < size - at ? portion : size - at, taken, ends = reading->ends;
        char *copy = malloc(now);
        HOLDS(copy != NULL);
        memcpy(copy, data + at, now);
        enum request_result result = request_parser_feed(&reading->parser, copy, now, &taken);
        free(copy);
        HOLDS(result == REQUEST_OK || result == REQUEST_HELD || result == REQUEST_INVALID || result == REQUEST_TOO_LARGE);
        HOLDS(result == REQUEST_HELD ? taken <= now : taken == now);
        HOLDS((result == REQUEST_HELD) == (reading->hold && reading->ends != ends));
        HOLDS(result != REQUEST_HELD || (reading->ends == ends + 1 && !request_parser_within(&reading->parser)));
        if (result != REQUEST_HELD)
            reading->result = result;
        at += taken;
    }
}

static void check_same(const struct reading *one, const struct reading *other) {
    HOLDS(one->result == other->result && one->ends == other->ends && one->in_content == other->in_content);
    HOLDS(request_parser_within(&one->parser) == request_parser_within(&other->parser));
    HOLDS(one->told.size == other->told.size);
    HOLDS(memcmp(buffer_bytes(&one->told), buffer_bytes(&other->told), one->told.size) == 0);
}

static void check(const uint8_t *data, size_t size, size_t portion) {
    struct memory memory = {0};
    const struct allocator allocator = {.resize = resize, .context = &memory}, own = allocator_default();
    const size_t portions[] = {size, portion, 1};
    const size_t count = size <= SINGLE_MAX ? 6 : 4;
    struct reading readings[6];
    for (size_t i = 0; i < count; i++) {
        readings[i] = (struct reading){.hold = i % 2 != 0};
        request_parser_init(&readings[i].parser, &allocator, &EVENTS, &readings[i]);
        feed(&readings[i], data, size, portions[i / 2]);
        check_same(&readings[0], &readings[i]);
        HOLDS(memory.live <= 2 * (i + 1));
    }
    for (size_t i = 0; i < count; i++) {
        request_parser_free(&readings[i].parser);
        buffer_free(&readings[i].told, &own);
    }
    HOLDS(memory.live == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2)
        return 0;
    size_t portion = (size_t)data[0] + 1;
    bool stretched = data[1] == STRETCHED && size >= 2 + STRETCH_SIZE;
    data += 2, size -= 2;
    if (!stretched) {
        check(data, size, portion);
        return 0;
    }
    const uint8_t *how = data;
    data += STRETCH_SIZE, size -= STRETCH_SIZE;
    size_t start = ((size_t)how[0] << 8 | how[1]) % (size + 1), repeated = REQUEST_HEAD_MAX + STRETCH_MORE - how[3];
    uint8_t *bytes = malloc(size + repeated);
    HOLDS(bytes != NULL);
    memcpy(bytes, data, start);
    memset(bytes + start, how[2], repeated);
    memcpy(bytes + start + repeated, data + start, size - start);
    check(bytes, size + repeated, portion);
    free(bytes);
    return 0;
}
