/* fuzz_websocket.c: any bytes as the frames that a server sends.
 *
 * The first octet says what was agreed: bit 0, deflate; bit 1, without taking the context over; bit 2, the peer ends it with FIN. The
 * second octet plus one is the size of the portions of the third reading.
 *
 * Oracle: read whole, octet by octet and in portions, the bytes are the same messages. What a reader tells lies within its own bounds.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../conformance/player/websocket.h"
#include "../spec/observer/recorder/trace.h"

#define HOLDS(condition) ((condition) ? (void)0 : broken(#condition, __LINE__))

static const char token[] = "token";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void broken(const char *condition, int line) {
    fprintf(stderr, "fuzz_websocket.c:%d: does not hold: %s\n", line, condition);
    abort();
}

/* Each portion is read from memory of its own size, so that the sanitizer sees a byte beyond it. */
static void feed(struct websocket_reader *reader, const uint8_t *data, size_t size, size_t portion) {
    for (size_t at = 0; at < size; at += portion) {
        size_t now = portion < size - at ? portion : size - at;
        char *copy = malloc(now);
        HOLDS(copy != NULL);
        memcpy(copy, data + at, now);
        HOLDS(websocket_reader_feed(reader, copy, now) == 0);
        free(copy);
    }
}

static void check_reader(const struct websocket_reader *reader, size_t size) {
    uint64_t frames = 0, complete = 0, of = 0;
    HOLDS(reader->count <= WEBSOCKET_COUNT_MAX);
    for (size_t i = 0; i < reader->count; i++) {
        const struct websocket_message *message = &reader->messages[i];
        frames += message->frames;
        complete += message->complete && (message->opcode == 1 || message->opcode == 2);
        HOLDS(message->opcode <= 15 && message->frames >= 1);
        HOLDS(message->content_kept <= WEBSOCKET_CONTENT_MAX && message->content_kept <= message->content_size);
        HOLDS(!message->compressed || (reader->deflate.agreed && (message->opcode == 1 || message->opcode == 2)));
        HOLDS(message->compressed || message->content_size <= size);
        if (message->content_kept == message->content_size)
            HOLDS(message->content_hash == trace_hash(trace_hash_start(), (const unsigned char *)message->content, message->content_kept));
    }
    for (size_t i = 0; i < 16; i++)
        of += reader->of[i];
    HOLDS(complete == reader->complete);
    HOLDS(of == reader->frames && frames - reader->frames <= 2); /* the last may be incomplete, and so may be the one that it interrupts */
    HOLDS(2 * frames <= size);
    HOLDS(reader->inflated <= WEBSOCKET_INFLATED_MAX);
    HOLDS(reader->faults[WEBSOCKET_CUT] <= 1);
}

static void check_same(const struct websocket_reader *one, const struct websocket_reader *other) {
    HOLDS(one->count == other->count && one->frames == other->frames && one->complete == other->complete);
    HOLDS(one->closing == other->closing && one->marked == other->marked && strcmp(one->error, other->error) == 0);
    HOLDS(memcmp(one->faults, other->faults, sizeof one->faults) == 0 && memcmp(one->of, other->of, sizeof one->of) == 0);
    for (size_t i = 0; i < one->count; i++) {
        const struct websocket_message *a = &one->messages[i], *b = &other->messages[i];
        HOLDS(a->opcode == b->opcode && a->frames == b->frames && a->compressed == b->compressed && a->complete == b->complete);
        HOLDS(a->content_kept == b->content_kept && a->content_size == b->content_size && a->content_hash == b->content_hash);
        HOLDS(a->content_kept == 0 || memcmp(a->content, b->content, a->content_kept) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2)
        return 0;
    const size_t portions[] = {size, 1, (size_t)data[1] + 1};
    const struct websocket_deflate deflate = {.agreed = data[0] & 1, .no_context_takeover = (data[0] & 2) != 0};
    enum { READINGS = sizeof portions / sizeof *portions };
    struct websocket_reader readers[READINGS];
    for (size_t i = 0; i < READINGS; i++) {
        websocket_reader_init(&readers[i], &deflate, token, sizeof token - 1, NULL);
        feed(&readers[i], data + 2, size - 2, portions[i]);
        check_reader(&readers[i], size - 2);
    }
    /* Before the end and after it: what is under way must be the same, too. */
    check_same(&readers[0], &readers[1]);
    check_same(&readers[0], &readers[2]);
    for (size_t i = 0; i < READINGS && (data[0] & 4); i++)
        websocket_reader_eof(&readers[i]);
    check_same(&readers[0], &readers[1]);
    check_same(&readers[0], &readers[2]);
    for (size_t i = 0; i < READINGS; i++)
        websocket_reader_free(&readers[i]);
    return 0;
}
