/* websocket.c: see websocket.h. */
#include "websocket.h"

#include <stdio.h>
#include <string.h>

#define FIN 0x80u
#define RSV1 0x40u
#define RSV 0x70u
#define OPCODE 0x0fu
#define MASKED 0x80u
#define LENGTH 0x7fu

#define MESSAGE_KEPT 4096u /* what an idle WebSocket may keep of the room that its messages took */
#define PIECE 4096u        /* octets that are unmasked before they are inflated, in one go */

bool close_code_valid(unsigned code) {
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

/* --- frames to bytes ------------------------------------------------------------------------------------------------------------------ */

size_t frame_head(char head[FRAME_HEAD_MAX], enum websocket_opcode opcode, bool compressed, uint64_t size) {
    size_t length_size = size < 126 ? 0 : size <= UINT16_MAX ? 2 : 8;
    head[0] = (char)(FIN | (compressed ? RSV1 : 0) | (unsigned)opcode);
    head[1] = (char)(length_size == 0 ? size : length_size == 2 ? 126 : 127);
    for (size_t i = 0; i < length_size; i++)
        head[2 + i] = (char)(size >> (8 * (length_size - 1 - i)));
    return 2 + length_size;
}

static int append_frame(struct buffer *out, const struct allocator *allocator, enum websocket_opcode opcode, bool compressed,
                        const char *data, size_t size) {
    char head[FRAME_HEAD_MAX];
    size_t head_size = frame_head(head, opcode, compressed, size);
    if (size > SIZE_MAX - head_size || !buffer_room(out, allocator, head_size + size))
        return -1;
    buffer_append(out, allocator, head, head_size); /* there is room for both */
    return buffer_append(out, allocator, data, size);
}

int websocket_send(struct websocket *websocket, struct buffer *out, bool text, const char *data, size_t size) {
    enum websocket_opcode opcode = text ? WEBSOCKET_TEXT : WEBSOCKET_BINARY;
    if (!websocket->compression.terms.agreed)
        return append_frame(out, websocket->allocator, opcode, false, data, size);
    struct buffer compressed = {0};
    int error = compression_deflate(&websocket->compression, data, size, &compressed) == COMPRESSION_OK
                    ? append_frame(out, websocket->allocator, opcode, true, buffer_bytes(&compressed), compressed.size)
                    : -1;
    buffer_free(&compressed, websocket->allocator);
    return error;
}

int websocket_send_control(struct buffer *out, const struct allocator *allocator, enum websocket_opcode opcode, const char *data,
                           size_t size) {
    return append_frame(out, allocator, opcode, false, data, size);
}

size_t close_payload(char *payload, unsigned code, const char *reason, size_t reason_size) {
    payload[0] = (char)(code >> 8);
    payload[1] = (char)code;
    if (reason_size > 0)
        memcpy(payload + 2, reason, reason_size);
    return 2 + reason_size;
}

/* --- what is broken ------------------------------------------------------------------------------------------------------------------- */

static enum websocket_event end_with(struct websocket *websocket, enum websocket_event event) {
    websocket->over = true;
    websocket->payload = NULL;
    websocket->payload_size = 0;
    return event;
}

static enum websocket_event broken(struct websocket *websocket, unsigned code, const char *reason) {
    websocket->code = code;
    websocket->reason = reason;
    websocket->reason_size = strlen(reason);
    return end_with(websocket, WEBSOCKET_BROKEN);
}

static enum websocket_event violated(struct websocket *websocket, const char *reason) {
    return broken(websocket, CLOSE_PROTOCOL_ERROR, reason);
}

/* SIZE: as its head says; NULL: known only by inflating it. */
static enum websocket_event too_big(struct websocket *websocket, const uint64_t *size) {
    char with[40] = "", after[48] = "";
    if (size)
        snprintf(with, sizeof with, "with %llu bytes ", (unsigned long long)*size);
    if (websocket->fragmented)
        snprintf(after, sizeof after, "after reading %llu bytes ", (unsigned long long)websocket->received);
    snprintf(websocket->words, sizeof websocket->words, "frame %s%sexceeds limit of %llu bytes", with, after,
             (unsigned long long)websocket->max_size);
    return broken(websocket, CLOSE_TOO_BIG, websocket->words);
}

/* --- a frame's head ------------------------------------------------------------------------------------------------------------------- */

static bool is_control(enum websocket_opcode opcode) { return opcode >= WEBSOCKET_CLOSE; }

static bool opcode_known(unsigned opcode) { return opcode <= WEBSOCKET_BINARY || (opcode >= WEBSOCKET_CLOSE && opcode <= WEBSOCKET_PONG); }

/* How many octets the head has, as far as it has come. */
static size_t head_needed(const struct websocket *websocket) {
    if (websocket->head_size < 2)
        return 2;
    unsigned length = websocket->head[1] & LENGTH;
    return (length == 126 ? 4u : length == 127 ? 10u : 2u) + sizeof websocket->mask;
}

static enum websocket_event check_start(struct websocket *websocket) {
    if (!opcode_known(websocket->head[0] & OPCODE))
        return violated(websocket, "invalid opcode");
    if (!(websocket->head[1] & MASKED))
        return violated(websocket, "incorrect masking");
    return WEBSOCKET_NOTHING;
}

static uint64_t length_of(const struct websocket *websocket, size_t length_size) {
    if (length_size == 0)
        return websocket->head[1] & LENGTH;
    uint64_t length = 0;
    for (size_t i = 0; i < length_size; i++)
        length = length << 8 | websocket->head[2 + i];
    return length;
}

/* All of the head but the mask is there: what the frame is, and whether it may be. */
static enum websocket_event check_length(struct websocket *websocket) {
    unsigned first = websocket->head[0];
    enum websocket_opcode opcode = (enum websocket_opcode)(first & OPCODE);
    bool agreed = websocket->compression.terms.agreed, starts = opcode == WEBSOCKET_TEXT || opcode == WEBSOCKET_BINARY;
    uint64_t length = length_of(websocket, head_needed(websocket) - sizeof websocket->mask - 2);
    if (length > websocket->max_size - websocket->received)
        return too_big(websocket, &length);
    if (opcode == WEBSOCKET_CONTINUATION && websocket->fragmented && websocket->compressed && (first & RSV1))
        return violated(websocket, "RSV1 bit set in continuation frame");
    if (first & (agreed && starts ? RSV & ~RSV1 : RSV))
        return violated(websocket, "reserved bits must be 0");
    if (is_control(opcode)) {
        if (length > CONTROL_SIZE_MAX)
            return violated(websocket, "control frame too long");
        if (!(first & FIN))
            return violated(websocket, "fragmented control frame");
        websocket->control_size = 0;
    } else if (starts) {
        if (websocket->fragmented)
            return violated(websocket, "expected a continuation frame");
        websocket->text = opcode == WEBSOCKET_TEXT;
        websocket->compressed = websocket->begins = agreed && (first & RSV1);
        websocket->utf8 = (struct utf8){0};
    } else if (!websocket->fragmented) {
        return violated(websocket, "unexpected continuation frame");
    }
    websocket->opcode = opcode;
    websocket->final = first & FIN;
    websocket->left = length;
    return WEBSOCKET_NOTHING;
}

/* Octet by octet of the head, until it is whole. */
static enum websocket_event read_head(struct websocket *websocket, const char *data, size_t size, size_t *taken) {
    size_t used = 0;
    enum websocket_event event = WEBSOCKET_NOTHING;
    while (used < size && !websocket->within && event == WEBSOCKET_NOTHING) {
        websocket->head[websocket->head_size++] = (unsigned char)data[used++];
        if (websocket->head_size == 2)
            event = check_start(websocket);
        if (event == WEBSOCKET_NOTHING && websocket->head_size >= 2 &&
            websocket->head_size == head_needed(websocket) - sizeof websocket->mask)
            event = check_length(websocket);
        if (websocket->head_size == head_needed(websocket)) {
            memcpy(websocket->mask, websocket->head + websocket->head_size - sizeof websocket->mask, sizeof websocket->mask);
            websocket->within = true;
            websocket->head_size = 0;
        }
    }
    *taken += used;
    return event;
}

/* --- a frame's payload ---------------------------------------------------------------------------------------------------------------- */

/* Unmask SIZE octets, eight at a time; the mask goes on where they end. */
static void unmask(struct websocket *websocket, char *to, const char *from, size_t size) {
    unsigned char eight[8];
    memcpy(eight, websocket->mask, 4);
    memcpy(eight + 4, websocket->mask, 4);
    uint64_t mask, octets;
    memcpy(&mask, eight, sizeof mask);
    size_t at = 0;
    for (; size - at >= sizeof octets; at += sizeof octets) {
        memcpy(&octets, from + at, sizeof octets);
        octets ^= mask;
        memcpy(to + at, &octets, sizeof octets);
    }
    for (; at < size; at++)
        to[at] = (char)((unsigned char)from[at] ^ eight[at % 4]);
    for (size_t i = 0; i < 4; i++)
        websocket->mask[i] = eight[(size + i) % 4];
}

static enum websocket_event inflate_payload(struct websocket *websocket, const char *data, size_t size) {
    char piece[PIECE];
    enum compression_fault fault = COMPRESSION_OK;
    do {
        size_t portion = size < sizeof piece ? size : sizeof piece;
        unmask(websocket, piece, data, portion);
        data += portion;
        size -= portion;
        websocket->left -= portion;
        size_t before = websocket->message.size;
        fault = compression_inflate(&websocket->compression, piece, portion, websocket->begins, websocket->final && websocket->left == 0,
                                    websocket->max_size - websocket->message.size, &websocket->message);
        websocket->begins = false;
        if (fault == COMPRESSION_OK && websocket->text)
            utf8_feed(&websocket->utf8, buffer_bytes(&websocket->message) + before, websocket->message.size - before);
    } while (size > 0 && fault == COMPRESSION_OK);
    switch (fault) {
    case COMPRESSION_OK:
        return WEBSOCKET_NOTHING;
    case COMPRESSION_INVALID:
        return violated(websocket, "decompression failed");
    case COMPRESSION_TOO_LARGE:
        return too_big(websocket, NULL);
    case COMPRESSION_NO_MEMORY:
        break;
    }
    return end_with(websocket, WEBSOCKET_NO_MEMORY);
}

static enum websocket_event take_payload(struct websocket *websocket, const char *data, size_t size) {
    if (is_control(websocket->opcode)) {
        unmask(websocket, websocket->control + websocket->control_size, data, size);
        websocket->control_size += size;
    } else if (websocket->compressed) {
        return inflate_payload(websocket, data, size);
    } else if (size > 0) {
        char *room = buffer_room(&websocket->message, websocket->allocator, size);
        if (!room)
            return end_with(websocket, WEBSOCKET_NO_MEMORY);
        unmask(websocket, room, data, size);
        buffer_added(&websocket->message, size);
        if (websocket->text)
            utf8_feed(&websocket->utf8, room, size);
    }
    websocket->left -= size;
    return WEBSOCKET_NOTHING;
}

/* --- a frame's end -------------------------------------------------------------------------------------------------------------------- */

static enum websocket_event close_ended(struct websocket *websocket) {
    const char *payload = websocket->control;
    size_t size = websocket->control_size;
    struct utf8 utf8;
    if (size == 1)
        return violated(websocket, "close frame too short");
    unsigned code = size == 0 ? CLOSE_NONE : (unsigned)(unsigned char)payload[0] << 8 | (unsigned char)payload[1];
    if (size > 2 && !utf8_valid(&utf8, payload + 2, size - 2)) {
        snprintf(websocket->words, sizeof websocket->words, "%s at position %u", utf8_fault_text(utf8.fault), (unsigned)utf8.start);
        return broken(websocket, CLOSE_INVALID_DATA, websocket->words);
    }
    if (size > 0 && !close_code_valid(code))
        return violated(websocket, "invalid status code");
    if (websocket->fragmented)
        return violated(websocket, "incomplete fragmented message");
    end_with(websocket, WEBSOCKET_CLOSED);
    websocket->payload = payload;
    websocket->payload_size = size;
    websocket->code = code;
    websocket->reason = size > 2 ? payload + 2 : "";
    websocket->reason_size = size > 2 ? size - 2 : 0;
    return WEBSOCKET_CLOSED;
}

static enum websocket_event frame_ended(struct websocket *websocket) {
    websocket->within = false;
    switch (websocket->opcode) {
    case WEBSOCKET_CLOSE:
        return close_ended(websocket);
    case WEBSOCKET_PING:
    case WEBSOCKET_PONG:
        websocket->payload = websocket->control;
        websocket->payload_size = websocket->control_size;
        return websocket->opcode == WEBSOCKET_PING ? WEBSOCKET_PINGED : WEBSOCKET_PONGED;
    case WEBSOCKET_CONTINUATION:
    case WEBSOCKET_TEXT:
    case WEBSOCKET_BINARY:
        break;
    }
    websocket->fragmented = !websocket->final;
    websocket->received = websocket->final ? 0 : websocket->message.size;
    if (!websocket->final)
        return WEBSOCKET_NOTHING;
    websocket->told = true;
    websocket->payload = buffer_bytes(&websocket->message);
    websocket->payload_size = websocket->message.size;
    websocket->valid = !websocket->text || utf8_end(&websocket->utf8);
    return WEBSOCKET_MESSAGE;
}

/* --- reading -------------------------------------------------------------------------------------------------------------------------- */

static void empty_message(struct websocket *websocket) {
    websocket->told = false;
    if (websocket->message.capacity > MESSAGE_KEPT)
        buffer_free(&websocket->message, websocket->allocator);
    else
        buffer_take(&websocket->message, websocket->message.size);
}

enum websocket_event websocket_read(struct websocket *websocket, const char *data, size_t size, size_t *taken) {
    *taken = 0;
    if (websocket->told)
        empty_message(websocket);
    enum websocket_event event = WEBSOCKET_NOTHING;
    while (event == WEBSOCKET_NOTHING && *taken < size && !websocket->over) {
        if (!websocket->within) {
            event = read_head(websocket, data + *taken, size - *taken, taken);
            if (event != WEBSOCKET_NOTHING || !websocket->within)
                continue;
        }
        size_t portion = size - *taken;
        if (portion > websocket->left)
            portion = (size_t)websocket->left;
        event = take_payload(websocket, data + *taken, portion);
        *taken += portion;
        if (event == WEBSOCKET_NOTHING && websocket->left == 0)
            event = frame_ended(websocket);
    }
    if (websocket->over)
        *taken = size;
    return event;
}

/* --- life ----------------------------------------------------------------------------------------------------------------------------- */

void websocket_init(struct websocket *websocket, const struct allocator *allocator, const struct compression_terms *terms,
                    uint64_t max_size) {
    *websocket = (struct websocket){.allocator = allocator, .max_size = max_size};
    compression_init(&websocket->compression, allocator, terms);
}

void websocket_free(struct websocket *websocket) {
    compression_free(&websocket->compression);
    buffer_free(&websocket->message, websocket->allocator);
}
