/* websocket.h: WebSocket messages from the bytes that a server sends (RFC 6455), inflated where permessage-deflate was agreed (RFC 7692).
 *
 * Owns what was read: every struct below belongs to the reader and goes with websocket_reader_free(). Knows nothing of sockets, handshakes,
 * Python, exchanges or targets. What stands here does not depend on how the bytes were cut.
 *
 * A server's fault does not stop the reader where what follows can still be read: it is counted, and the frame taken for what it most
 * likely means (a masked one is unmasked; a control frame that is no last fragment is whole; a message that another one interrupts stays
 * incomplete). Whether a text is UTF-8 is not looked at.
 */
#ifndef BRIDGECHECK_WEBSOCKET_H
#define BRIDGECHECK_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <zlib.h>

#include "../exchange/exchange.h"

#define WEBSOCKET_CONTENT_MAX (1u << 20)   /* kept of one message */
#define WEBSOCKET_COUNT_MAX 4096u          /* messages and control frames of one connection */
#define WEBSOCKET_HELD_MAX (64u << 20)     /* all that is kept of one connection; beyond it no content is kept */
#define WEBSOCKET_INFLATED_MAX (64u << 20) /* all that is inflated of one connection: what grows further is no answer but a trap */
#define WEBSOCKET_TOKEN_MAX 120u
#define WEBSOCKET_HEADER_MAX 14u

enum websocket_fault {
    WEBSOCKET_MASKED,
    WEBSOCKET_RESERVED_BITS, /* one without a meaning here */
    WEBSOCKET_RESERVED_OPCODE,
    WEBSOCKET_LENGTH, /* not the shortest form, or beyond 63 bits */
    WEBSOCKET_CONTROL_FRAGMENTED,
    WEBSOCKET_CONTROL_LENGTH,
    WEBSOCKET_CONTINUATION_ALONE,
    WEBSOCKET_INTERRUPTED, /* a message began within another */
    WEBSOCKET_AFTER_CLOSE,
    WEBSOCKET_DEFLATE, /* a message that cannot be inflated; it has no content then */
    WEBSOCKET_CUT,     /* the connection ended within a frame */
    WEBSOCKET_FAULTS
};

/* A data message of one or more frames, or a control frame. In the order of their first frames. */
struct websocket_message {
    unsigned opcode; /* of its first frame */
    uint64_t frames;
    bool compressed, complete;
    char *content; /* the first content_kept bytes; NULL when that is 0 */
    size_t content_kept;
    uint64_t content_size; /* all of it, inflated */
    uint64_t content_hash; /* trace_hash() of all of it */
};

/* What was agreed about compression. */
struct websocket_deflate {
    bool agreed;
    bool no_context_takeover; /* by the server: each of its messages stands for itself */
};

struct websocket_reader {
    /* To be read at any time. */
    struct websocket_message *messages; /* without a marked pong; moves when fed */
    size_t count;
    uint64_t faults[WEBSOCKET_FAULTS];
    uint64_t frames;   /* complete ones, without a marked pong … */
    uint64_t of[16];   /* … by opcode */
    uint64_t complete; /* messages of text or binary that are complete */
    bool closing;      /* a close frame came */
    bool marked;       /* a marked pong came */
    const char *error; /* "", or why what came from there on was not read: LENGTH_TOO_LARGE, MESSAGES_TOO_MANY, INFLATED_TOO_MUCH,
                          OUT_OF_MEMORY; static */

    /* The reader's own. */
    struct exchange_allocator allocator;
    struct websocket_deflate deflate;
    char token[WEBSOCKET_TOKEN_MAX];
    size_t token_size;
    unsigned char header[WEBSOCKET_HEADER_MAX];
    size_t header_size;
    bool in_payload;
    uint64_t left, done; /* octets of the payload under way */
    size_t capacity, content_capacity[2], held;
    size_t data, current; /* places of the data message under way and of the frame's; count for none */
    uint64_t inflated;
    z_stream inflater;
    bool inflates, cannot_inflate, out_of_memory;
};

/* What the value of Sec-WebSocket-Extensions in the server's answer agrees to. */
struct websocket_deflate websocket_agreed(const char *value, size_t size);

/* TOKEN (copied, at most WEBSOCKET_TOKEN_MAX bytes) tells the marked pong by its payload; ALLOCATOR (copied) may be NULL. */
void websocket_reader_init(struct websocket_reader *reader, const struct websocket_deflate *deflate, const char *token, size_t token_size,
                           const struct exchange_allocator *allocator);

/* The next SIZE bytes. Bytes that are no frames are no failure: see `error`. Returns 0, or -1 out of memory; then what it holds is whole,
 * and it can only be read and freed. */
int websocket_reader_feed(struct websocket_reader *reader, const char *data, size_t size);

/* The peer's FIN (not a reset). */
void websocket_reader_eof(struct websocket_reader *reader);

void websocket_reader_free(struct websocket_reader *reader);

/* "masked", "reserved-bits" and the like. */
const char *websocket_fault_name(enum websocket_fault fault);

#endif
