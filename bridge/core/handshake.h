/* handshake.h: the opening handshake of a WebSocket (RFC 6455 section 4.2): whether a request is one, and the responses to it.
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
#include "response.h"

#define HANDSHAKE_LINE_MAX 8192u /* octets of a line of the head, its end included */
#define HANDSHAKE_FIELDS_MAX 128u

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

/* Append the 101 response. PROTOCOL: NULL for none. On a fault OUT is as it was; *FAULT_FIELD is the field that it is about, COUNT for the
 * protocol. */
enum response_fault handshake_accept(const struct handshake *handshake, struct buffer *out, const struct allocator *allocator,
                                     const struct response_defaults *defaults, const struct response_field *fields, size_t count,
                                     const char *protocol, size_t protocol_size, size_t *fault_field);

/* Append a whole response that refuses: FIELDS as they are, the server's behind them where they are not among them, CONTENT. On a fault
 * as above. RESPONSE_LENGTHS_DIFFER: a content-length among the fields is not that of the content. */
enum response_fault handshake_refuse(struct buffer *out, const struct allocator *allocator, unsigned status, const char *reason,
                                     size_t reason_size, const struct date *date, const struct response_field *fields, size_t count,
                                     const char *content, size_t size, size_t *fault_field);

#endif
