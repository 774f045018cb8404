/* compression.h: permessage-deflate (RFC 7692) of one WebSocket: payloads inflated as they come, messages deflated as they go.
 *
 * Owns zlib's two states, each from its first use to compression_free(); their memory comes from the allocator. Knows nothing of frames.
 */
#ifndef BRIDGE_COMPRESSION_H
#define BRIDGE_COMPRESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <zlib.h>

#include "allocator.h"
#include "buffer.h"

#define COMPRESSION_BITS_MAX 15 /* of a window, where nothing else was agreed */

/* What was agreed in the handshake. */
struct compression_terms {
    bool agreed;                           /* else nothing is compressed */
    bool client_restarts, server_restarts; /* no context takeover: each message stands for itself */
    int client_bits, server_bits;          /* of the windows: 8 to 15, and 9 to 15 */
};

enum compression_fault { COMPRESSION_OK, COMPRESSION_INVALID, COMPRESSION_TOO_LARGE, COMPRESSION_NO_MEMORY };

struct compression {
    struct compression_terms terms;
    const struct allocator *allocator;
    z_stream in, out;
    bool in_open, out_open;
};

/* It lies still from here to compression_free(): zlib points into it. */
void compression_init(struct compression *compression, const struct allocator *allocator, const struct compression_terms *terms);

/* The next SIZE octets of a compressed message, of which at most MORE octets may come; they are appended to OUT. FIRST, LAST: of the
 * message. COMPRESSION_TOO_LARGE: more would come. After a fault it can only be freed. */
enum compression_fault compression_inflate(struct compression *compression, const char *data, size_t size, bool first, bool last,
                                           uint64_t more, struct buffer *out);

/* A whole message, compressed, is appended to OUT. COMPRESSION_OK or NO_MEMORY; after the latter it can only be freed. */
enum compression_fault compression_deflate(struct compression *compression, const char *data, size_t size, struct buffer *out);

void compression_free(struct compression *compression);

#endif
