/* response.h: the bytes of one HTTP/1.1 response, from what an application gives: a status, fields, and content piece by piece.
 *
 * A state machine over a buffer: it appends to OUT and remembers where in the response it is. Knows nothing of sockets, requests, events or
 * Python. Its choices are uvicorn's (httptools): the defaults before the application's fields, names in lower case, the application's
 * order; `connection: close` and `transfer-encoding: chunked` at the end where they are needed. Where a specification says must and uvicorn
 * does not:
 * - the application's `date` and `server` replace the defaults (RFC 9110 section 6.6.1, RFC 9110 section 5.3);
 * - a 1xx status is no final response (RFC 9110 section 15.2): refused;
 * - no transfer-encoding towards HTTP/1.0: content ends with the connection (RFC 9112 section 6.1);
 * - 204 has neither content-length nor transfer-encoding, 304 may have a content-length without content (RFC 9110 sections 15.3.5, 15.4.5);
 * - the application's transfer-encoding is ignored (ASGI www, response start); but where it says chunked, to an HTTP/1.1 client, without
 *   content-length and not with 204, it stands, once, where the application put it;
 * - content-length is digits (RFC 9110 section 8.6), equal ones are collapsed into the first, and different ones refused.
 * None of this depends on the order of the fields.
 */
#ifndef BRIDGE_RESPONSE_H
#define BRIDGE_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "allocator.h"
#include "buffer.h"

/* A field as the application gave it: bytes, any case. They stay the caller's. */
struct response_field {
    const char *name;
    size_t name_size;
    const char *value;
    size_t value_size;
};

/* What the server adds and knows. */
struct response_defaults {
    const char *date; /* the whole value, e.g. "Wed, 25 Nov 2026 10:00:00 GMT"; NULL: no date field */
    size_t date_size;
    /* Behind the date: server, and the operator's own. Valid, names in lower case. A date among them replaces the one above;
     * content-length and transfer-encoding are left out, since they would frame every message alike. */
    const struct response_field *fields;
    size_t field_count;
};

enum response_fault {
    RESPONSE_OK,
    RESPONSE_NAME_INVALID,      /* a field's name holds an octet that is none of a name's */
    RESPONSE_VALUE_INVALID,     /* a field's value holds a control octet other than HTAB */
    RESPONSE_LENGTH_INVALID,    /* a content-length that is not digits, with SP or HTAB around them at most */
    RESPONSE_LENGTHS_DIFFER,    /* a content-length that contradicts an earlier one */
    RESPONSE_STATUS_INVALID,    /* not 100 to 599 */
    RESPONSE_STATUS_INTERIM,    /* 1xx */
    RESPONSE_CONTENT_TOO_LONG,  /* more than content-length says, or any where there is none; nothing of this piece was written */
    RESPONSE_CONTENT_TOO_SHORT, /* the last piece, and content-length says more; the piece was written */
    RESPONSE_NO_MEMORY
};

enum response_framing {
    RESPONSE_BY_LENGTH, /* content-length */
    RESPONSE_CHUNKED,
    RESPONSE_BY_CLOSE, /* HTTP/1.0 without a content-length */
    RESPONSE_BARE      /* no content follows: HEAD, 204, 304 */
};

struct response {
    bool started;    /* response_start() was called: also where it failed, since the application gets no second try */
    bool complete;   /* the last piece was taken */
    bool keep_alive; /* set by response_init(); cleared by what the response says */
    bool head;       /* it answers HEAD */
    bool old;        /* the client speaks HTTP/1.0 */
    enum response_framing framing;
    uint64_t left;      /* RESPONSE_BY_LENGTH: octets that are still due; saturates at UINT64_MAX */
    size_t fault_field; /* index of the field that RESPONSE_NAME_INVALID to RESPONSE_LENGTHS_DIFFER is about */
};

/* Whether the octets of a field may be sent: RESPONSE_OK, NAME_INVALID or VALUE_INVALID. */
enum response_fault response_field_check(const struct response_field *field);

/* KEEP_ALIVE: what the request allows. HEAD: the method is HEAD. OLD: HTTP/1.0. */
void response_init(struct response *response, bool keep_alive, bool head, bool old);

/* Append the head. REASON may be empty, and is bytes of the field-content kind. On a fault the bytes of OUT are as they were, `started` is
 * set, no content may come and the connection is to be closed. The first fault is told: the status's, then field by field. */
enum response_fault response_start(struct response *response, struct buffer *out, const struct allocator *allocator, unsigned status,
                                   const char *reason, size_t reason_size, const struct response_defaults *defaults,
                                   const struct response_field *fields, size_t field_count);

/* What frames a piece of content on the wire: BEFORE, the piece itself, AFTER. */
struct response_piece {
    char before[20]; /* chunk size and CRLF */
    size_t before_size;
    bool write;        /* whether the piece itself goes out */
    const char *after; /* static; CRLF, the last chunk, both or "" */
    size_t after_size;
};

/* The next SIZE octets of content; LAST: no more follow. Says in *PIECE what is to be written around them, so that a large piece need not
 * be copied. On RESPONSE_CONTENT_TOO_LONG nothing is to be written and nothing changes. On RESPONSE_CONTENT_TOO_SHORT the piece is to be
 * written and the response stays incomplete. An empty piece that is not the last writes nothing. To HEAD no content is written, whatever
 * its size, without a fault. Not to be called before response_start() or once complete. */
enum response_fault response_content(struct response *response, size_t size, bool last, struct response_piece *piece);

/* A whole response of the server's own, such as 400: text/plain in UTF-8, with its content-length and `connection: close`. STATUS is
 * a final one. 0, or -1 out of memory, and then the bytes of OUT are as they were. */
int response_plain(struct buffer *out, const struct allocator *allocator, unsigned status, const char *reason,
                   const struct response_defaults *defaults, const char *text);

#endif
