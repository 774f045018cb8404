/* handshake_answer.h: the responses to the opening handshake of a WebSocket (RFC 6455 section 4.2.2): accepted, refused by the app, or at
 * fault.
 *
 * Owns nothing. Each is appended whole to OUT, or OUT is as it was. Knows nothing of how a handshake is read.
 */
#ifndef BRIDGE_HANDSHAKE_ANSWER_H
#define BRIDGE_HANDSHAKE_ANSWER_H

#include <stddef.h>

#include "allocator.h"
#include "buffer.h"
#include "date.h"
#include "handshake.h"
#include "response.h"

/* Append the 101 response. PROTOCOL: NULL for none. On a fault *FAULT_FIELD is the field that it is about, COUNT for the
 * protocol. */
enum response_fault handshake_accept(const struct handshake *handshake, struct buffer *out, const struct allocator *allocator,
                                     const struct response_defaults *defaults, const struct response_field *fields, size_t count,
                                     const char *protocol, size_t protocol_size, size_t *fault_field);

/* Append a whole response that refuses: FIELDS as they are, the server's behind them where they are not among them, CONTENT. On a fault
 * as above. RESPONSE_LENGTHS_DIFFER: a content-length among the fields is not that of the content. */
enum response_fault handshake_refuse(struct buffer *out, const struct allocator *allocator, unsigned status, const char *reason,
                                     size_t reason_size, const struct date *date, const struct response_field *fields, size_t count,
                                     const char *content, size_t size, size_t *fault_field);

/* What is wrong with a handshake. */
struct handshake_fault {
    unsigned status;
    const char *reason;
    const char *field;          /* beside the usual ones, with its end; "" */
    const struct buffer *words; /* the content */
};

/* Append the whole response to one that is at fault: RESPONSE_OK or RESPONSE_NO_MEMORY. */
enum response_fault handshake_answer_fault(const struct handshake_fault *fault, struct buffer *out, const struct allocator *allocator,
                                           const struct date *date);

#endif
