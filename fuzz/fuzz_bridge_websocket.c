/* fuzz_bridge_websocket.c: any bytes as what a client sends once its handshake is accepted.
 *
 * The first octet says what was agreed (bit 0: permessage-deflate, bits 1 and 2: who restarts) and whether the rest is masked already (bit
 * 3: else each frame's mask is taken for zeros, so that payloads are what they look like). The second plus one is the size of the portions
 * of one reading.
 *
 * Oracle: read whole, in portions and octet by octet, the bytes are the same events; no message is larger than the limit, and no payload of
 * a control frame than its own; what was told as text and valid is UTF-8 by another reading; a message sent back through the same
 * compression inflates to itself. Memory is bounded, and given back.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../bridge/core/websocket.h"

#define HOLDS(condition) ((condition) ? (void)0 : broken(#condition, __LINE__))

#define LIMIT (64u << 10)
#define ECHOES_MAX 8u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void broken(const char *condition, int line) {
    fprintf(stderr, "fuzz_bridge_websocket.c:%d: does not hold: %s\n", line, condition);
    abort();
}

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
    HOLDS(size <= 4 * (size_t)LIMIT);
    memory->live += !pointer;
    return realloc(pointer, size);
}

static const struct allocator PLAIN = {.resize = allocator_default_resize};

static void put(struct buffer *told, const void *data, size_t size) { HOLDS(buffer_append(told, &PLAIN, data, size) == 0); }

/* By values, not by a table. */
static bool is_utf8(const unsigned char *text, size_t size) {
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    for (size_t at = 0; at < size;) {
        unsigned first = text[at++];
        size_t more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
        if ((first >= 0x80 && first < 0xc0) || first > 0xf7 || size - at < more)
            return false;
        uint32_t value = more == 0 ? first : first & (0x3fu >> more);
        for (size_t i = 0; i < more; i++, at++) {
            if ((text[at] & 0xc0) != 0x80)
                return false;
            value = value << 6 | (text[at] & 0x3f);
        }
        if (value < least[more] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
            return false;
    }
    return true;
}

static void echo(struct websocket *websocket, const struct compression_terms *terms, const struct allocator *allocator) {
    struct buffer out = {0};
    struct websocket back;
    HOLDS(websocket_send(websocket, &out, websocket->text, websocket->payload, websocket->payload_size) == 0);
    if (terms->agreed && terms->server_restarts) {
        const unsigned char *frame = (const unsigned char *)buffer_bytes(&out);
        size_t head = (frame[1] & 0x7f) < 126 ? 2 : (frame[1] & 0x7f) == 126 ? 4 : 10;
        struct compression_terms other = *terms;
        other.client_bits = COMPRESSION_BITS_MAX;
        struct buffer inflated = {0};
        websocket_init(&back, allocator, &other, LIMIT);
        HOLDS(compression_inflate(&back.compression, (const char *)frame + head, out.size - head, true, true, LIMIT, &inflated) ==
              COMPRESSION_OK);
        HOLDS(inflated.size == websocket->payload_size && memcmp(buffer_bytes(&inflated), websocket->payload, inflated.size) == 0);
        buffer_free(&inflated, allocator);
        websocket_free(&back);
    }
    buffer_free(&out, allocator);
}

/* Read in portions of STEP; what it told. */
static struct buffer reading(const uint8_t *data, size_t size, size_t step, const struct compression_terms *terms) {
    struct memory memory = {0};
    struct allocator allocator = {.resize = resize, .context = &memory};
    struct websocket websocket;
    struct buffer told = {0};
    size_t echoes = 0;
    websocket_init(&websocket, &allocator, terms, LIMIT);
    while (size > 0) {
        size_t portion = size < step ? size : step;
        char *piece = malloc(portion); /* so that what is read behind it is seen */
        HOLDS(piece);
        memcpy(piece, data, portion);
        data += portion;
        size -= portion;
        for (size_t at = 0; at < portion;) {
            size_t taken;
            enum websocket_event event = websocket_read(&websocket, piece + at, portion - at, &taken);
            HOLDS(taken <= portion - at && (taken > 0 || event != WEBSOCKET_NOTHING) && event != WEBSOCKET_NO_MEMORY);
            at += taken;
            if (event == WEBSOCKET_NOTHING)
                continue;
            put(&told, &event, sizeof event);
            put(&told, &websocket.payload_size, sizeof websocket.payload_size);
            put(&told, websocket.payload, websocket.payload_size);
            if (event == WEBSOCKET_MESSAGE) {
                HOLDS(websocket.payload_size <= LIMIT);
                HOLDS(websocket.valid == (!websocket.text || is_utf8((const unsigned char *)websocket.payload, websocket.payload_size)));
                if (echoes++ < ECHOES_MAX)
                    echo(&websocket, terms, &allocator);
            } else if (event == WEBSOCKET_CLOSED || event == WEBSOCKET_BROKEN) {
                HOLDS(websocket.reason_size <= CLOSE_REASON_MAX && is_utf8((const unsigned char *)websocket.reason, websocket.reason_size));
                put(&told, &websocket.code, sizeof websocket.code);
                put(&told, websocket.reason, websocket.reason_size);
            } else {
                HOLDS(websocket.payload_size <= CONTROL_SIZE_MAX);
            }
        }
        free(piece);
    }
    websocket_free(&websocket);
    HOLDS(memory.live == 0);
    return told;
}

/* Set the masks of all frames to zeros, as far as frames follow each other. */
static void unmask(uint8_t *data, size_t size) {
    for (size_t at = 0; size - at >= 2;) {
        data[at + 1] |= 0x80;
        size_t wide = (data[at + 1] & 0x7f) == 126 ? 2 : (data[at + 1] & 0x7f) == 127 ? 8 : 0;
        if (size - at < 2 + wide + 4)
            return;
        uint64_t length = data[at + 1] & 0x7f;
        if (wide > 0)
            length = 0;
        for (size_t i = 0; i < wide; i++)
            length = length << 8 | data[at + 2 + i];
        memset(data + at + 2 + wide, 0, 4);
        at += 2 + wide + 4;
        if (length > size - at)
            return;
        at += (size_t)length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2)
        return 0;
    unsigned chosen = data[0];
    size_t step = data[1] + 1u;
    struct compression_terms terms = {
        .agreed = chosen & 1, .client_restarts = chosen & 2, .server_restarts = chosen & 4, .client_bits = 12, .server_bits = 12};
    size -= 2;
    uint8_t *copy = malloc(size + 1);
    HOLDS(copy);
    memcpy(copy, data + 2, size);
    if (!(chosen & 8))
        unmask(copy, size);
    struct buffer whole = reading(copy, size, size + 1, &terms);
    const size_t steps[] = {step, 1};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct buffer other = reading(copy, size, steps[i], &terms);
        HOLDS(whole.size == other.size && (whole.size == 0 || memcmp(buffer_bytes(&whole), buffer_bytes(&other), whole.size) == 0));
        buffer_free(&other, &PLAIN);
    }
    buffer_free(&whole, &PLAIN);
    free(copy);
    return 0;
}
