/* request.h: HTTP/1 requests from the bytes of one connection, by llhttp in request mode.
 *
 * Owns the head that is under way and tells its user, through `struct request_events`, what it finds, in order: head, content, end, head …
 * Knows nothing of sockets, responses or Python. What comes behind a request that ends the connection (Connection: close, or HTTP/1.0
 * without keep-alive) is taken and dropped. What it tells does not depend on how the bytes were cut, but for the number of calls of
 * `content`.
 *
 * Strictness is uvicorn's with httptools: llhttp strict but for `lenient_data_after_close`; beyond that, since the specification says must:
 * - only HTTP/1.0 and HTTP/1.1 are served (ASGI www: http_version; RFC 9110 section 2.5), others are INVALID, and so are the other
 * protocols that llhttp reads;
 * - HTTP/1.1 has one Host field, any version at most one, and its value is uri-host [":" port] or empty (RFC 9112 section 3.2), else
 * INVALID;
 * - white space behind a field's value is no part of it (RFC 9112 section 5.1);
 * - trailer fields are dropped (RFC 9112 section 7.1.2);
 * - an offer to upgrade that is not taken up leaves the request's content to the request (RFC 9110 section 7.8);
 * - CONNECT is INVALID: its target has the authority form (RFC 9112 section 3.2.3), and no other may come with it.
 */
#ifndef BRIDGE_REQUEST_H
#define BRIDGE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <llhttp.h>

#include "allocator.h"
#include "buffer.h"
#include "target.h"

/* Bytes in a row that are no content: from a request's first up to its content or end, between two chunks' data, and behind the last. So it
 * bounds a head, a chunk's line with its extensions, and the trailers. */
#define REQUEST_HEAD_MAX (256u << 10)
#define REQUEST_FIELDS_MAX 1024u /* fields of one head */

/* Name (in lower case) and value of a field, as places in the head's `text`. */
struct request_field {
    uint32_t name, name_size, value, value_size;
};

/* A head, to be read within the `head` event only. All texts are bytes with a length, none is NUL-terminated. */
struct request_head {
    const char *text;
    const struct request_field *fields; /* in the order they came */
    size_t field_count;
    struct target target;  /* points into `text` */
    uint8_t method;        /* llhttp_method_t: see request_method_name() */
    uint8_t minor;         /* of HTTP/1.minor: 0 or 1 */
    bool keep_alive;       /* HTTP/1.1 and no Connection: close in any line */
    bool expects_continue; /* Expect: 100-continue from an HTTP/1.1 client; an HTTP/1.0 client's is ignored (RFC 9110 section 10.1.1) */
    bool upgrade_offered;  /* Connection: upgrade and some Upgrade field, from an HTTP/1.1 client (RFC 9110 section 7.8); may be taken up,
                              see `head` below */
    bool has_content;      /* content follows, or may */
    uint32_t target_size;  /* octets of the whole target, with which `text` begins */
};

struct request_events {
    /* Each returns 0, or -1 to stop: then request_parser_feed() returns REQUEST_STOPPED and the parser can only be freed.
     * `head` may return 1: the upgrade is taken up, what comes behind the head is no HTTP, see REQUEST_UPGRADED. */
    int (*head)(void *owner, const struct request_head *head);
    int (*content)(void *owner, const char *data, size_t size);
    /* The request is whole. 1: nothing behind it is to be parsed yet, see request_parser_feed(). */
    int (*end)(void *owner);
};

enum request_result {
    REQUEST_OK,        /* all bytes were taken */
    REQUEST_HELD,      /* `end` said 1: the bytes from *TAKEN on were not looked at; feed them when the next request may come */
    REQUEST_INVALID,   /* no HTTP/1 that is served: 400 */
    REQUEST_TOO_LARGE, /* a bound was passed: 431 */
    REQUEST_NO_MEMORY,
    REQUEST_STOPPED,
    REQUEST_UPGRADED /* `head` said 1: the bytes from *TAKEN on were not looked at; the parser can only be freed */
};

struct request_parser {
    /* The parser's own. */
    llhttp_t llhttp;
    const struct allocator *allocator;
    const struct request_events *events;
    void *owner;
    struct buffer text; /* of the head under way: target, names and values; given back after a head that was large */
    struct request_field *fields;
    size_t field_count, field_capacity;
    uint32_t target_size;           /* at the start of `text` */
    uint32_t name_size, value_size; /* of the field under way, at the end of `text` */
    uint16_t connection;            /* what llhttp has read in the Connection fields of the head */
    bool within;                    /* a request is under way */
    const char *run; /* where in the bytes that are fed those began that are no content; NULL: in content, or between requests */
    size_t run_size; /* how many of them were fed before */
    enum request_result failure; /* what stopped the parser */
};

/* A parser lies still from here to request_parser_free(): llhttp points into it. All arguments stay the caller's and must outlast it. */
void request_parser_init(struct request_parser *parser, const struct allocator *allocator, const struct request_events *events,
                         void *owner);

/* The next SIZE bytes. *TAKEN: how many were looked at (SIZE, but for REQUEST_HELD and REQUEST_UPGRADED). After anything but OK and HELD
 * the parser can only be freed: every later feed says the same again. */
enum request_result request_parser_feed(struct request_parser *parser, const char *data, size_t size, size_t *taken);

/* Whether a head or content is under way: false between requests, before the first byte, and after a failure. */
bool request_parser_within(const struct request_parser *parser);

void request_parser_free(struct request_parser *parser);

/* "GET"; static. */
const char *request_method_name(uint8_t method);

#endif
