/* trace_value.h: the values in a trace record's payload, one token after another (spec/observer/recorder/trace.h says how they are
 * encoded).
 *
 * Owns nothing: tokens point into the payload. Knows nothing of Python. Trusts nothing: a token is handed out only when all its bytes lie
 * within the payload, and a container only when its values can (each takes a byte at least), so its count may be used to allocate.
 *
 * A container's token comes first and is followed by its values, so a reader that takes `count` values after it needs no end mark:
 *
 *     build(): switch on trace_value_next()'s kind: LIST, TUPLE: build() count times; DICT: build() twice count times, key and value in
 * turn; INSTANCE: build() once; everything else is a value of its own.
 *
 * Nothing is nested deeper than TRACE_VALUE_DEPTH_MAX, so that may recurse. Text is UTF-8 as far as the writer is honest, surrogates passed
 * through: not checked here.
 */
#ifndef BRIDGECHECK_TRACE_VALUE_H
#define BRIDGECHECK_TRACE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRACE_VALUE_DEPTH_MAX 48 /* more than an honest writer's TRACE_DEPTH_MAX containers with an instance around each */

enum trace_token_kind {
    TRACE_TOKEN_NONE,
    TRACE_TOKEN_BOOL,       /* truth */
    TRACE_TOKEN_INT,        /* integer */
    TRACE_TOKEN_BIG_INT,    /* data, size: decimal or 0x... */
    TRACE_TOKEN_FLOAT,      /* number */
    TRACE_TOKEN_TEXT,       /* data, size */
    TRACE_TOKEN_BYTES,      /* data, size */
    TRACE_TOKEN_LONG_TEXT,  /* total, hash; data, size: its first bytes; last: as many of its last */
    TRACE_TOKEN_LONG_BYTES, /* the same */
    TRACE_TOKEN_LIST,       /* count values follow */
    TRACE_TOKEN_TUPLE,      /* count values follow */
    TRACE_TOKEN_DICT,       /* count times key and value follow */
    TRACE_TOKEN_INSTANCE,   /* data, size: type name; one value follows */
    TRACE_TOKEN_OBJECT,     /* data, size: type name */
    TRACE_TOKEN_CUT         /* what was too deep or too large to be written */
};

struct trace_token {
    enum trace_token_kind kind;
    bool truth;
    int64_t integer;
    double number;
    const char *data;
    size_t size;
    const char *last;
    uint64_t total, hash;
    uint32_t count;
};

struct trace_cursor {
    const char *at, *end;
    unsigned depth;                       /* containers that are open */
    uint64_t left[TRACE_VALUE_DEPTH_MAX]; /* values still to come in each */
    bool broken;
};

void trace_value_start(struct trace_cursor *cursor, const char *payload, size_t size);

/* The next token. Returns 1; 0 at the payload's end (never inside a value), or -1 where it is broken or ends inside a value, from then on
 * always. */
int trace_value_next(struct trace_cursor *cursor, struct trace_token *token);

#endif
