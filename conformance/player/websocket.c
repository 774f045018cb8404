#include "websocket.h"

#include <string.h>

#include "../../spec/observer/recorder/trace.h"
#include "memory.h"

#define CONTENT_FIRST 256u
#define MESSAGES_FIRST 4u
#define CHUNK 4096u /* bytes that are unmasked or inflated at once */

enum { CONTROL = 8 }; /* this bit of an opcode tells a control frame */

const char *websocket_fault_name(enum websocket_fault fault) {
    static const char *const NAMES[WEBSOCKET_FAULTS] = {
        [WEBSOCKET_MASKED] = "masked",
        [WEBSOCKET_RESERVED_BITS] = "reserved-bits",
        [WEBSOCKET_RESERVED_OPCODE] = "reserved-opcode",
        [WEBSOCKET_LENGTH] = "length",
        [WEBSOCKET_CONTROL_FRAGMENTED] = "control-fragmented",
        [WEBSOCKET_CONTROL_LENGTH] = "control-length",
        [WEBSOCKET_CONTINUATION_ALONE] = "continuation-alone",
        [WEBSOCKET_INTERRUPTED] = "interrupted",
        [WEBSOCKET_AFTER_CLOSE] = "after-close",
        [WEBSOCKET_DEFLATE] = "deflate",
        [WEBSOCKET_CUT] = "cut",
    };
    return NAMES[fault];
}

/* --- what was agreed ----------------------------------------------------------------------------------------------------------------- */

struct text {
    const char *data;
    size_t size;
};

/* What stands before the next MARK, without white space around it; TEXT goes on behind the mark. */
static struct text part(struct text *text, char mark) {
    const char *end = text->size ? memchr(text->data, mark, text->size) : NULL;
    struct text found = {text->data, end ? (size_t)(end - text->data) : text->size};
    size_t taken = found.size + (end != NULL);
    text->data += taken;
    text->size -= taken;
    while (found.size > 0 && (*found.data == ' ' || *found.data == '\t')) {
        found.data++;
        found.size--;
    }
    while (found.size > 0 && (found.data[found.size - 1] == ' ' || found.data[found.size - 1] == '\t'))
        found.size--;
    return found;
}

static bool is(const struct text *text, const char *word) {
    return text->size == strlen(word) && memcmp(text->data, word, text->size) == 0;
}

struct websocket_deflate websocket_agreed(const char *value, size_t size) {
    struct websocket_deflate deflate = {0};
    struct text extensions = {value, size};
    while (extensions.size > 0 && !deflate.agreed) {
        struct text extension = part(&extensions, ','), name = part(&extension, ';');
        deflate.agreed = is(&name, "permessage-deflate");
        while (deflate.agreed && extension.size > 0) {
            struct text parameter = part(&extension, ';');
            deflate.no_context_takeover |= is(&parameter, "server_no_context_takeover");
        }
    }
    return deflate;
}

/* --- messages ------------------------------------------------------------------------------------------------------------------------ */

static int give_up(struct websocket_reader *reader, const char *error) {
    reader->error = error;
    return -1;
}

static int out_of_memory(struct websocket_reader *reader) {
    reader->out_of_memory = true;
    return give_up(reader, "OUT_OF_MEMORY");
}

static struct websocket_message *current(struct websocket_reader *reader) { return &reader->messages[reader->current]; }

static bool is_control(const struct websocket_message *message) { return (message->opcode & CONTROL) != 0; }

/* A new message, which the frame under way belongs to. */
static int begin_message(struct websocket_reader *reader, unsigned opcode, bool compressed) {
    if (reader->count == WEBSOCKET_COUNT_MAX)
        return give_up(reader, "MESSAGES_TOO_MANY");
    size_t needed = reader->count + 1;
    struct websocket_message *messages = memory_grow(&reader->allocator, reader->messages, &reader->capacity,
                                                     needed < MESSAGES_FIRST ? MESSAGES_FIRST : needed, sizeof *messages);
    if (!messages)
        return out_of_memory(reader);
    reader->messages = messages;
    reader->current = reader->count++;
    *current(reader) = (struct websocket_message){.opcode = opcode, .compressed = compressed, .content_hash = trace_hash_start()};
    reader->content_capacity[(opcode & CONTROL) != 0] = 0;
    if (!(opcode & CONTROL))
        reader->data = reader->current;
    return 0;
}

static int put_content(struct websocket_reader *reader, const char *data, size_t size) {
    struct websocket_message *message = current(reader);
    size_t *capacity = &reader->content_capacity[is_control(message)];
    size_t room = WEBSOCKET_CONTENT_MAX - message->content_kept;
    if (room > WEBSOCKET_HELD_MAX - reader->held)
        room = WEBSOCKET_HELD_MAX - reader->held;
    size_t kept = size < room ? size : room;
    if (kept > 0) {
        size_t needed = message->content_kept + kept;
        char *content = memory_grow(&reader->allocator, message->content, capacity, needed < CONTENT_FIRST ? CONTENT_FIRST : needed, 1);
        if (!content)
            return out_of_memory(reader);
        message->content = content;
        memcpy(content + message->content_kept, data, kept);
        message->content_kept = needed;
        reader->held += kept;
    }
    message->content_size += size;
    message->content_hash = trace_hash(message->content_hash, (const unsigned char *)data, size);
    return 0;
}

static void drop_content(struct websocket_reader *reader) {
    struct websocket_message *message = current(reader);
    reader->held -= message->content_kept;
    memory_free(&reader->allocator, message->content);
    reader->content_capacity[is_control(message)] = 0;
    message->content = NULL;
    message->content_kept = 0;
    message->content_size = 0;
    message->content_hash = trace_hash_start();
}

/* --- inflating ----------------------------------------------------------------------------------------------------------------------- */

static void *inflater_take(void *context, unsigned items, unsigned size) {
    const struct exchange_allocator *allocator = context;
    return allocator->resize(allocator->context, NULL, (size_t)items * size);
}

static void inflater_give(void *context, void *pointer) { memory_free(context, pointer); }

/* With all of the window that there can be: what is inflated must not depend on how the bytes were cut, and zlib looks at smaller ones only
 * where its output is. */
static int inflater_begin(struct websocket_reader *reader) {
    if (reader->inflates)
        return 0;
    reader->inflater = (z_stream){.zalloc = inflater_take, .zfree = inflater_give, .opaque = &reader->allocator};
    if (inflateInit2(&reader->inflater, -15) != Z_OK)
        return out_of_memory(reader);
    reader->inflates = true;
    return 0;
}

/* Nothing that is compressed can be read from here on: where the next message begins in the window, nobody knows. */
static void inflating_failed(struct websocket_reader *reader) {
    reader->faults[WEBSOCKET_DEFLATE]++;
    reader->cannot_inflate = true;
    drop_content(reader);
}

static int put_inflated(struct websocket_reader *reader, const char *data, size_t size) {
    char inflated[CHUNK];
    if (reader->cannot_inflate)
        return 0;
    if (inflater_begin(reader) != 0)
        return -1;
    z_stream *inflater = &reader->inflater;
    inflater->next_in = (z_const Bytef *)(uintptr_t)data;
    inflater->avail_in = (uInt)size;
    for (;;) {
        inflater->next_out = (Bytef *)inflated;
        inflater->avail_out = CHUNK;
        int result = inflate(inflater, Z_SYNC_FLUSH);
        size_t made = CHUNK - inflater->avail_out;
        size_t room = WEBSOCKET_INFLATED_MAX - reader->inflated;
        bool too_much = made > room;
        if (put_content(reader, inflated, too_much ? room : made) != 0)
            return -1;
        reader->inflated += too_much ? room : made;
        if (too_much)
            return give_up(reader, "INFLATED_TOO_MUCH");
        if (result == Z_MEM_ERROR)
            return out_of_memory(reader);
        if (result == Z_STREAM_END) /* the last block of a stream, which a message may hold: the next one begins afresh */
            result = inflateReset(inflater);
        if (result != Z_OK && result != Z_BUF_ERROR) {
            inflating_failed(reader);
            return 0;
        }
        if (inflater->avail_out > 0 && inflater->avail_in == 0)
            return 0;
    }
}

/* The end of a compressed message: what every one of them would end with was left out by its sender. */
static int end_inflated(struct websocket_reader *reader) {
    static const char tail[] = {0, 0, (char)0xff, (char)0xff};
    if (put_inflated(reader, tail, sizeof tail) != 0)
        return -1;
    if (reader->deflate.no_context_takeover) {
        inflateReset(&reader->inflater);
        reader->cannot_inflate = false;
    }
    return 0;
}

/* --- frames -------------------------------------------------------------------------------------------------------------------------- */

static bool is_final(const struct websocket_reader *reader) { return (reader->header[0] & 0x80) != 0; }
static unsigned opcode_of(const struct websocket_reader *reader) { return reader->header[0] & 15u; }
static bool is_masked(const struct websocket_reader *reader) { return (reader->header[1] & 0x80) != 0; }

static size_t length_size(const struct websocket_reader *reader) {
    unsigned length = reader->header[1] & 127u;
    return length == 126 ? 2 : length == 127 ? 8 : 0;
}

/* How long the header is, as far as that is known. */
static size_t header_needed(const struct websocket_reader *reader) {
    return reader->header_size < 2 ? 2 : 2 + length_size(reader) + (is_masked(reader) ? 4u : 0);
}

static uint64_t payload_length(struct websocket_reader *reader) {
    size_t size = length_size(reader);
    uint64_t length = size == 0 ? reader->header[1] & 127u : 0;
    for (size_t i = 0; i < size; i++)
        length = length << 8 | reader->header[2 + i];
    if ((size == 2 && length < 126) || (size == 8 && length < 65536) || length >> 63)
        reader->faults[WEBSOCKET_LENGTH]++;
    return length;
}

/* What is wrong with a frame by itself. */
static void look_at(struct websocket_reader *reader, uint64_t length) {
    unsigned opcode = opcode_of(reader);
    unsigned reserved = reader->header[0] >> 4 & 7u;
    if (reader->deflate.agreed && (opcode == EXCHANGE_OPCODE_TEXT || opcode == EXCHANGE_OPCODE_BINARY))
        reserved &= ~(unsigned)EXCHANGE_RSV1;
    reader->faults[WEBSOCKET_MASKED] += is_masked(reader);
    reader->faults[WEBSOCKET_RESERVED_BITS] += reserved != 0;
    reader->faults[WEBSOCKET_RESERVED_OPCODE] += opcode > EXCHANGE_OPCODE_PONG || (opcode > EXCHANGE_OPCODE_BINARY && !(opcode & CONTROL));
    reader->faults[WEBSOCKET_CONTROL_FRAGMENTED] += (opcode & CONTROL) && !is_final(reader);
    reader->faults[WEBSOCKET_CONTROL_LENGTH] += (opcode & CONTROL) && length > 125;
    reader->faults[WEBSOCKET_AFTER_CLOSE] += reader->closing;
}

/* The header is whole: say which message the frame belongs to. */
static int begin_frame(struct websocket_reader *reader) {
    unsigned opcode = opcode_of(reader);
    bool open = reader->data < reader->count && !reader->messages[reader->data].complete;
    reader->left = payload_length(reader);
    reader->done = 0;
    reader->in_payload = true;
    look_at(reader, reader->left);
    if (reader->left >> 63)
        return give_up(reader, "LENGTH_TOO_LARGE");
    if (opcode == EXCHANGE_OPCODE_CONTINUATION && open) {
        reader->current = reader->data;
    } else {
        reader->faults[WEBSOCKET_CONTINUATION_ALONE] += opcode == EXCHANGE_OPCODE_CONTINUATION;
        reader->faults[WEBSOCKET_INTERRUPTED] += open && !(opcode & CONTROL);
        bool compressed =
            reader->deflate.agreed && (reader->header[0] & 0x40) && (opcode == EXCHANGE_OPCODE_TEXT || opcode == EXCHANGE_OPCODE_BINARY);
        if (begin_message(reader, opcode, compressed) != 0)
            return -1;
        if (compressed && reader->cannot_inflate)
            reader->faults[WEBSOCKET_DEFLATE]++;
    }
    current(reader)->frames++;
    return 0;
}

/* Take a marked pong out: it is the last of the messages, since nothing else began within it. */
static bool is_marked_pong(struct websocket_reader *reader) {
    const struct websocket_message *message = current(reader);
    if (message->opcode != EXCHANGE_OPCODE_PONG || reader->token_size == 0 || message->content_kept != reader->token_size ||
        memcmp(message->content, reader->token, reader->token_size) != 0)
        return false;
    drop_content(reader);
    reader->count--;
    return true;
}

static int end_frame(struct websocket_reader *reader) {
    struct websocket_message *message = current(reader);
    bool final = is_final(reader) || is_control(message);
    reader->in_payload = false;
    reader->header_size = 0;
    if (is_marked_pong(reader)) {
        reader->marked = true;
        return 0;
    }
    reader->frames++;
    reader->of[opcode_of(reader)]++;
    reader->closing |= message->opcode == EXCHANGE_OPCODE_CLOSE;
    if (!final)
        return 0;
    if (message->compressed && end_inflated(reader) != 0)
        return -1;
    message->complete = true;
    reader->complete += message->opcode == EXCHANGE_OPCODE_TEXT || message->opcode == EXCHANGE_OPCODE_BINARY;
    return 0;
}

/* SIZE bytes of the payload under way, at most CHUNK of them where they are masked. Returns how many were taken, or 0 when it gave up. */
static size_t put_payload(struct websocket_reader *reader, const char *data, size_t size) {
    char unmasked[CHUNK];
    if (size > reader->left)
        size = (size_t)reader->left;
    if (is_masked(reader)) {
        const unsigned char *key = reader->header + 2 + length_size(reader);
        size = size < CHUNK ? size : CHUNK;
        for (size_t i = 0; i < size; i++)
            unmasked[i] = (char)((unsigned char)data[i] ^ key[(reader->done + i) & 3]);
        data = unmasked;
    }
    int failed = current(reader)->compressed ? put_inflated(reader, data, size) : put_content(reader, data, size);
    reader->left -= size;
    reader->done += size;
    return failed ? 0 : size;
}

int websocket_reader_feed(struct websocket_reader *reader, const char *data, size_t size) {
    while (!reader->error[0]) {
        if (reader->in_payload && reader->left == 0) {
            if (end_frame(reader) != 0)
                break;
        } else if (size == 0) {
            break;
        } else if (reader->in_payload) {
            size_t taken = put_payload(reader, data, size);
            data += taken;
            size -= taken;
        } else {
            reader->header[reader->header_size++] = (unsigned char)*data++;
            size--;
            if (reader->header_size == header_needed(reader) && begin_frame(reader) != 0)
                break;
        }
    }
    return reader->out_of_memory ? -1 : 0;
}

void websocket_reader_eof(struct websocket_reader *reader) {
    if (!reader->error[0] && (reader->in_payload || reader->header_size > 0))
        reader->faults[WEBSOCKET_CUT]++;
}

void websocket_reader_init(struct websocket_reader *reader, const struct websocket_deflate *deflate, const char *token, size_t token_size,
                           const struct exchange_allocator *allocator) {
    *reader = (struct websocket_reader){.error = "", .allocator = memory_allocator(allocator), .deflate = *deflate};
    reader->token_size = token_size < WEBSOCKET_TOKEN_MAX ? token_size : WEBSOCKET_TOKEN_MAX;
    if (reader->token_size > 0)
        memcpy(reader->token, token, reader->token_size);
}

void websocket_reader_free(struct websocket_reader *reader) {
    if (reader->inflates)
        inflateEnd(&reader->inflater);
    reader->inflates = false;
    for (size_t i = 0; i < reader->count; i++)
        memory_free(&reader->allocator, reader->messages[i].content);
    memory_free(&reader->allocator, reader->messages);
    reader->messages = NULL;
    reader->count = reader->capacity = 0;
}
