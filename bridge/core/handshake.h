/* handshake.h: the opening handshake of a WebSocket (RFC 6455 section 4.2): whether a request is one, what is wrong with it, what is
 * agreed.
 *
 * Owns nothing. What is refused and the words for it are those of websockets' ServerProtocol, which uvicorn uses; beyond that
 * - a version that is not served is answered with the one that is (RFC 6455 section 4.2.2);
 * - a request that is too long for it, or brings content, is answered; uvicorn leaves it without a response.
 */
#ifndef BRIDGE_HANDSHAKE_H
#define BRIDGE_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "accept_key.h"
#include "allocator.h"
#include "buffer.h"
#include "compression.h"
#include "date.h"
#include "request.h"

#define HANDSHAKE_LINE_MAX 8192u /* octets of a line of the head, its end included */
#define HANDSHAKE_FIELDS_MAX 128u
#define HANDSHAKE_EXTENSION "permessage-deflate" /* the one that is taken up (RFC 7692) */

/* A handshake that may be accepted. */
struct handshake {
    char accept[ACCEPT_KEY_SIZE + 1];
    struct compression_terms terms;
    bool bits_offered; /* the client takes a bound for its window: it gets one */
};

enum handshake_result { HANDSHAKE_OK, HANDSHAKE_REFUSED, HANDSHAKE_NO_MEMORY };

/* Whether a request that offers an upgrade offers one to WebSocket: in its last Connection field and its last Upgrade field. */
bool handshake_wanted(const struct request_head *head);

/* Check it. COMPRESSES: permessage-deflate is taken up. Where it is refused the whole response is appended to OUT, *STATUS and *REASON are
 * what it says. */
enum handshake_result handshake_read(struct handshake *handshake, const struct request_head *head, bool compresses, struct buffer *out,
                                     const struct allocator *allocator, const struct date *date, unsigned *status, const char **reason);

#endif
