/* websocket.h: the frames of one WebSocket (RFC 6455), a server's side: messages from bytes in any cut, frames to bytes.
 *
 * Owns the message under way and the compression. Knows nothing of handshakes, sockets or Python, nor what a close is answered with. What
 * it finds does not depend on how the bytes were cut.
 *
 * Limits are checked as early as a frame says its size; a message that is compressed is bounded by what it inflates to.
 */
#ifndef BRIDGE_WEBSOCKET_H
#define BRIDGE_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "allocator.h"
#include "buffer.h"
#include "compression.h"
#include "utf8.h"

#define CONTROL_SIZE_MAX 125u /* octets of a control frame's payload */
#define CLOSE_REASON_MAX 123u /* octets of UTF-8: a close frame holds a code, too */
#define FRAME_HEAD_MAX 10u    /* octets before the payload of a frame that is sent */

enum websocket_opcode {
    WEBSOCKET_CONTINUATION = 0x0,
    WEBSOCKET_TEXT = 0x1,
    WEBSOCKET_BINARY = 0x2,
    WEBSOCKET_CLOSE = 0x8,
    WEBSOCKET_PING = 0x9,
    WEBSOCKET_PONG = 0xa
};

/* RFC 6455 section 7.4.1 and the registry that it founds. */
enum close_code {
    CLOSE_NORMAL = 1000,
    CLOSE_PROTOCOL_ERROR = 1002,
    CLOSE_NONE = 1005,     /* a close frame without a code; never sent */
    CLOSE_ABNORMAL = 1006, /* no close frame; never sent */
    CLOSE_INVALID_DATA = 1007,
    CLOSE_TOO_BIG = 1009,
    CLOSE_INTERNAL_ERROR = 1011,
    CLOSE_RESTART = 1012
};

/* Whether a close frame may carry it. */
bool close_code_valid(unsigned code);

/* What was found. Texts lie in the websocket until the next call of websocket_read(). */
enum websocket_event {
    WEBSOCKET_NOTHING, /* all bytes were taken */
    WEBSOCKET_MESSAGE, /* `payload`, whole; `text`: a text message, and then `valid`: it is UTF-8 */
    WEBSOCKET_PINGED,  /* `payload` */
    WEBSOCKET_PONGED,  /* `payload` */
    WEBSOCKET_CLOSED,  /* `code` and `reason`; `payload` as it came. What follows is dropped */
    WEBSOCKET_BROKEN,  /* the connection is to be failed with `code` and `reason`. What follows is dropped */
    WEBSOCKET_NO_MEMORY
};

struct websocket {
    /* Of the last event. */
    const char *payload;
    size_t payload_size;
    const char *reason;
    size_t reason_size;
    unsigned code;
    bool text, valid;

    /* Its own. */
    const struct allocator *allocator;
    uint64_t max_size; /* octets of a message */
    struct compression compression;
    struct buffer message;  /* of what came of the message under way, or was told last */
    uint64_t received;      /* its octets before the frame under way */
    struct utf8 utf8;       /* of a text message */
    bool fragmented;        /* a message is under way, between two frames */
    bool compressed;        /* the message under way is */
    bool begins;            /* nothing of it was inflated yet */
    bool told;              /* `message` was told and is to be emptied */
    bool over;              /* closed or broken */
    unsigned char head[14]; /* of the frame under way */
    size_t head_size;       /* octets of it that have come */
    bool within;            /* its head is whole */
    bool final;             /* it is its message's last */
    enum websocket_opcode opcode;
    uint64_t left;         /* octets of its payload that are to come */
    unsigned char mask[4]; /* for the next octet first */
    char control[CONTROL_SIZE_MAX];
    size_t control_size;
    char words[CONTROL_SIZE_MAX]; /* where `reason` is made */
};

/* It lies still from here to websocket_free(). ALLOCATOR outlasts it. */
void websocket_init(struct websocket *websocket, const struct allocator *allocator, const struct compression_terms *terms,
                    uint64_t max_size);

/* Go through the next SIZE bytes up to the first event. *TAKEN: how many of them that took; the others are to be given again. After
 * CLOSED, BROKEN and NO_MEMORY all bytes are taken and nothing is found. */
enum websocket_event websocket_read(struct websocket *websocket, const char *data, size_t size, size_t *taken);

/* Append a message to OUT, in one frame. 0, or -1 out of memory, and then OUT is as it was and, where messages are compressed, nothing more
 * can be sent. */
int websocket_send(struct websocket *websocket, struct buffer *out, bool text, const char *data, size_t size);

/* Append a control frame to OUT: PING, PONG, or CLOSE with a payload as it is. SIZE is at most CONTROL_SIZE_MAX. 0, or -1 out of memory,
 * and then OUT is as it was. */
int websocket_send_control(struct buffer *out, const struct allocator *allocator, enum websocket_opcode opcode, const char *data,
                           size_t size);

/* The payload of a close frame, of at least CONTROL_SIZE_MAX bytes; returns its size. REASON_SIZE is at most CLOSE_REASON_MAX. */
size_t close_payload(char *payload, unsigned code, const char *reason, size_t reason_size);

/* The head of a frame that is sent, in HEAD; returns its size. */
size_t frame_head(char head[FRAME_HEAD_MAX], enum websocket_opcode opcode, bool compressed, uint64_t size);

void websocket_free(struct websocket *websocket);

#endif
