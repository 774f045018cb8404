/* response.h: HTTP/1 responses from the bytes of one connection, by llhttp in response mode.
 *
 * Owns what was read: every struct below belongs to the reader and goes with response_reader_free(). Knows nothing of sockets, Python,
 * exchanges or targets; times are whatever the caller passes in. All texts are bytes with a length, none is NUL-terminated.
 *
 * What stands here does not depend on how the bytes were cut, but for `pieces` of a response that is not chunked, and for times.
 *
 * Strictness. llhttp runs strict, but for two things that keep their meaning and would otherwise hide all that follows: versions other than
 * 0.9, 1.0, 1.1 and 2.0 (reported as they are), and Content-Length beside Transfer-Encoding (read as chunked, RFC 9112 section 6.3; both
 * fields are reported). Control bytes in a field's value (llhttp 9.4.3 never returns from a NUL when told to let them pass), bare LF,
 * white space before a colon, folded lines, repeated Content-Length and a status below 100 are errors. CR and LF between responses are
 * skipped and counted in `stray`. Leading white space of a field's value is not kept, trailing white space is.
 */
#ifndef BRIDGECHECK_RESPONSE_H
#define BRIDGECHECK_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <llhttp.h>

#include "../exchange/exchange.h"

#define RESPONSE_CONTENT_MAX (1u << 20) /* content kept of one response */
#define RESPONSE_FIELDS_MAX 4096u       /* fields and trailers of one response, or fields of one interim response */
#define RESPONSE_TEXT_MAX (1u << 20)    /* reason, names and values of these */
#define RESPONSE_COUNT_MAX 4096u        /* responses and interim responses of one connection */
#define RESPONSE_HELD_MAX (64u << 20)   /* all that is kept of one connection; beyond it no content is kept, and fields are an error */
#define RESPONSE_REST_MAX 4096u
#define RESPONSE_TOKEN_MAX 120u

enum response_framing {
    RESPONSE_NONE, /* HEAD, 101, 204, 304, CONNECT's 2xx */
    RESPONSE_CONTENT_LENGTH,
    RESPONSE_CHUNKED,
    RESPONSE_CLOSE
};

/* Name and value of a field, as places in its head's `text`. */
struct response_field {
    uint32_t name, name_size, value, value_size;
};

struct response_head {
    unsigned version_major, version_minor;
    unsigned status; /* 0: no final response has come (yet), see struct response */
    char *text;      /* reason, names and values; NULL when all are empty */
    size_t text_size;
    uint32_t reason, reason_size;  /* in `text` */
    struct response_field *fields; /* field_count fields, then trailer_count trailers */
    size_t field_count, trailer_count;
    uint64_t first_byte; /* when the first byte of its status line was fed */
};

/* A final response, from its first interim response on, or else from the end of its fields on. 101 is a final response.
 * With head.status 0 only interim responses have come: that may be the last response of a connection. */
struct response {
    struct response_head head;
    struct response_head *interim; /* the 1xx responses before it */
    size_t interim_count;
    enum response_framing framing;
    size_t pieces; /* chunks that are not empty; where not chunked, feeds that held content */
    char *content; /* the first content_kept bytes; NULL when that is 0 */
    size_t content_kept;
    uint64_t content_size; /* all of it */
    uint64_t content_hash; /* trace_hash() of all of it */
    bool complete;         /* its framing came to its end */
    uint64_t last_byte;    /* when its last byte so far was fed (the head's last, at first) */
};

/* What a response answers: decides whether content follows. */
enum response_to { RESPONSE_TO_OTHER, RESPONSE_TO_HEAD, RESPONSE_TO_CONNECT };

/* Asked once per final response (marked ones too), at the end of its fields; INDEX counts them from 0. See requests_answered_by(). */
typedef enum response_to (*response_to_cb)(void *context, size_t index);

enum response_phase {
    RESPONSE_BETWEEN,  /* no response is under way */
    RESPONSE_IN_HEAD,  /* a status line has begun; `rest` holds its bytes so far */
    RESPONSE_IN_BODY,  /* the last response's content is under way */
    RESPONSE_UPGRADED, /* after 101 or CONNECT's 2xx: all bytes go to `rest`, unless it is a WebSocket */
    RESPONSE_BROKEN    /* `error` says why; all bytes from there on go to `rest` */
};

struct response_reader {
    /* To be read at any time. */
    struct response *responses; /* in order, without marked ones; moves when fed */
    size_t count;
    size_t heads;    /* final responses whose fields are complete, without marked ones */
    size_t complete; /* final responses that are complete, without marked ones */
    size_t interims; /* interim responses in all */
    enum response_phase phase;
    bool closing;       /* the last complete final response says that the connection closes after it (Connection: close, HTTP/1.0, framed by
                           close) */
    bool websocket;     /* UPGRADED by 101 with "Upgrade: websocket": what comes from there on is the caller's to read, see `untaken` */
    size_t untaken;     /* how many of the last bytes fed are that */
    bool marked;        /* a marked response is complete */
    uint64_t marked_at; /* when its last byte was fed */
    uint64_t stray;     /* CR and LF between responses, or after the last */
    const char *error;  /* "" or llhttp's name of what is wrong, or FIELDS_TOO_MANY, FIELDS_TOO_LARGE, RESPONSES_TOO_MANY, HELD_TOO_MUCH,
                           OUT_OF_MEMORY; static */
    char rest[RESPONSE_REST_MAX]; /* the first bytes of: what is no response, from its first byte where that is before the end of a head,
                                     else from the byte that is wrong; or of what follows an upgrade or a response that closes; or of a head
                                     that is under way */
    size_t rest_size;
    uint64_t rest_total; /* how many bytes these are in all */

    /* The reader's own. */
    llhttp_t parser;
    struct exchange_allocator allocator;
    response_to_cb to;
    void *to_context;
    char token[RESPONSE_TOKEN_MAX];
    size_t token_size;
    size_t index, capacity;
    size_t held;
    struct response_head head;                              /* the one under way */
    size_t text_capacity, field_capacity, content_capacity; /* of what grows at present */
    struct response_field field;                            /* under way */
    struct response skipped;                                /* the marked response that is under way; its content is not kept */
    bool is_marked, is_upgrade;                             /* the response under way */
    bool out_of_memory;
    const char *failure; /* why a callback stopped llhttp, or will */
    uint64_t now;
};

/* A reader lies still from here to response_reader_free(): llhttp points into it. TOKEN (copied, at most RESPONSE_TOKEN_MAX bytes, longer
 * ones are cut) tells marked responses by their field `bridgecheck-next`; TO may be NULL, ALLOCATOR (copied) too. */
void response_reader_init(struct response_reader *reader, const char *token, size_t token_size, response_to_cb to, void *to_context,
                          const struct exchange_allocator *allocator);

/* The next SIZE bytes, read at NOW. Bytes that are no HTTP are no failure: see `error`. Returns 0, or -1 out of memory; then the reader is
 * BROKEN, what it holds is whole, and it can only be read and freed. */
int response_reader_feed(struct response_reader *reader, const char *data, size_t size, uint64_t now);

/* The peer's FIN (not a reset): completes a response framed by close. A head cut short becomes `error` HPE_INVALID_EOF_STATE, content cut
 * short is told by `complete`. */
void response_reader_eof(struct response_reader *reader);

void response_reader_free(struct response_reader *reader);

static inline const char *response_text(const struct response_head *head, uint32_t place) { return head->text ? head->text + place : ""; }

/* "none", "content-length", "chunked", "close" */
const char *response_framing_name(enum response_framing framing);

#endif
