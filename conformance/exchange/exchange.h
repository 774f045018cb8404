/* exchange.h: the exchange file as data, and the parser that makes it.
 *
 * Owns the grammar of docs/exchange.md. Knows nothing of Python, sockets or targets.
 *
 * exchange_parse() hands out one exchange_file; everything reachable from it belongs to it and goes with exchange_file_free().
 * All byte strings carry a length; text is also NUL-terminated for convenience, but may hold NUL itself.
 */
#ifndef BRIDGECHECK_EXCHANGE_H
#define BRIDGECHECK_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXCHANGE_NAME_MAX 120
#define EXCHANGE_META_MAX 16 /* meta lines of one exchange or session */
#define EXCHANGE_FILE_MAX (64u << 20)
#define EXCHANGE_LINE_MAX (1u << 20)
#define EXCHANGE_STEPS_MAX 4096
#define EXCHANGE_CONNECTIONS_MAX 16
#define EXCHANGE_SEND_MAX (1ull << 30)
#define EXCHANGE_FRAME_MAX (16u << 20)    /* bytes of a frame's payload in pieces, without values */
#define EXCHANGE_REPEATED_MAX (64u << 10) /* bytes of one "*" piece, before they are repeated */
#define EXCHANGE_DURATION_MAX_MS 60000u

struct exchange_bytes {
    char *data;
    size_t size;
};

/* A piece of a send: literal bytes (repeated COUNT times), the value saved under a name, or a number: a count and the lengths of values. */
enum exchange_piece_kind { EXCHANGE_PIECE_BYTES, EXCHANGE_PIECE_VALUE, EXCHANGE_PIECE_LENGTH };

struct exchange_piece {
    enum exchange_piece_kind kind;
    struct exchange_bytes bytes; /* the bytes, the NAME of a value, or "12+NAME+NAME", which exchange_length_next() takes apart */
    uint64_t count;              /* repetitions; 1 for a plain piece */
};

enum exchange_step_kind {
    EXCHANGE_CONNECT,  /* name */
    EXCHANGE_ON,       /* name */
    EXCHANGE_SEND,     /* pieces, split (0: one write) */
    EXCHANGE_ANSWERED, /* pieces: what came when it was recorded; nothing to play */
    EXCHANGE_PAUSE,    /* milliseconds */
    EXCHANGE_HALF_CLOSE,
    EXCHANGE_CLOSE,
    EXCHANGE_RESET,
    EXCHANGE_WAIT,   /* condition, count (body), milliseconds (0: the player's patience) */
    EXCHANGE_SAVE,   /* name, field (empty: the body), before, after, decode, encode */
    EXCHANGE_FRAME,  /* frame, its payload as text or as pieces; name = opcode word */
    EXCHANGE_PROCESS /* name = start / signal / exit, words (start, signal), milliseconds (exit; 0: the player's patience) */
};

enum exchange_condition {
    EXCHANGE_WAIT_RESPONSE,
    EXCHANGE_WAIT_HEAD,
    EXCHANGE_WAIT_BODY,
    EXCHANGE_WAIT_INTERIM,
    EXCHANGE_WAIT_CALL,
    EXCHANGE_WAIT_CLOSED,
    EXCHANGE_WAIT_FRAME, /* frame.opcode; name = its word, empty for any */
    EXCHANGE_WAIT_MESSAGE
};

/* Of RFC 6455 section 5.2; the others, up to 15, are reserved. */
enum exchange_opcode {
    EXCHANGE_OPCODE_CONTINUATION = 0,
    EXCHANGE_OPCODE_TEXT = 1,
    EXCHANGE_OPCODE_BINARY = 2,
    EXCHANGE_OPCODE_CLOSE = 8,
    EXCHANGE_OPCODE_PING = 9,
    EXCHANGE_OPCODE_PONG = 10
};

enum { EXCHANGE_RSV3 = 1, EXCHANGE_RSV2 = 2, EXCHANGE_RSV1 = 4 };

/* A frame's header; all zero: one that is whole, masked, without reserved bits, its length as short as can be. */
struct exchange_frame {
    unsigned opcode;
    unsigned reserved; /* EXCHANGE_RSV1 and the like */
    bool more;         /* FIN is not set */
    bool unmasked;
    unsigned length_size; /* octets of the extended length: 2 or 8; 0: what is shortest */
};

/* How a text is written where not every octet may stand as it is. */
enum exchange_coding { EXCHANGE_CODING_NONE, EXCHANGE_CODING_PERCENT, EXCHANGE_CODING_JSON, EXCHANGE_CODING_HTML };

enum exchange_end { EXCHANGE_END_NEXT, EXCHANGE_END_CLOSE, EXCHANGE_END_OPEN };

struct exchange_step {
    enum exchange_step_kind kind;
    unsigned line; /* in the file, from 1 */
    enum exchange_condition condition;
    uint32_t milliseconds;
    uint64_t count; /* wait body COUNT; send split COUNT */
    struct exchange_frame frame;
    enum exchange_coding decode, encode; /* of a saved value: which one is undone, and which one is done then */
    struct exchange_bytes name, field, before, after, text;
    struct exchange_piece *pieces;
    size_t piece_count;
    struct exchange_bytes *words;
    size_t word_count;
};

struct exchange_meta {
    struct exchange_bytes key, value;
};

struct exchange {
    struct exchange_bytes name;
    struct exchange_bytes session; /* empty outside a session */
    unsigned line, last_line;      /* where it stands in the file */
    size_t offset, length;         /* its own text in the file, from "exchange" to the end of the "end" line, without its LF */
    struct exchange_meta *meta;    /* its own first, then those inherited from its session */
    size_t meta_count;
    struct exchange_step *steps;
    size_t step_count;
    enum exchange_end end;
    uint32_t end_milliseconds; /* EXCHANGE_END_OPEN */
};

struct exchange_file {
    struct exchange *exchanges; /* in file order; a session's exchanges are neighbours */
    size_t exchange_count;
};

struct exchange_error {
    unsigned line, column; /* from 1; column counts bytes */
    char message[200];     /* "unknown escape \\q", without file, line and column */
};

/* Allocation seam: tests make each allocation fail in turn. NULL means malloc, realloc and free. */
struct exchange_allocator {
    void *(*resize)(void *context, void *pointer, size_t size); /* size 0 frees and returns NULL */
    void *context;
};

/* Parse SIZE bytes at DATA. Returns 0 and *FILE, or -1 and *ERROR (out of memory is an error like any other); *FILE is NULL then. */
int exchange_parse(const char *data, size_t size, const struct exchange_allocator *allocator, struct exchange_file **file,
                   struct exchange_error *error);

void exchange_file_free(struct exchange_file *file);

/* Of a length piece's bytes: its count, and whether it is hexadecimal; then the names one after another, from *AT on, which begins at 0.
 * The second returns false behind the last one. */
uint64_t exchange_length_count(const struct exchange_bytes *length, bool *hexadecimal);
bool exchange_length_next(const struct exchange_bytes *length, size_t *at, struct exchange_bytes *name);

/* The value of a meta key, or NULL. */
const struct exchange_bytes *exchange_meta(const struct exchange *exchange, const char *key);

#endif
