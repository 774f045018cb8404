#include "trace_value.h"

#include <string.h>

#include "../../spec/observer/recorder/trace.h"

void trace_value_start(struct trace_cursor *cursor, const char *payload, size_t size) {
    cursor->at = payload;
    cursor->end = payload + size;
    cursor->depth = 0;
    cursor->broken = false;
}

static size_t available(const struct trace_cursor *cursor) { return (size_t)(cursor->end - cursor->at); }

/* Copy out SIZE bytes, which need not be aligned. */
static bool take(struct trace_cursor *cursor, void *into, size_t size) {
    if (size > available(cursor))
        return false;
    memcpy(into, cursor->at, size);
    cursor->at += size;
    return true;
}

static bool take_span(struct trace_cursor *cursor, const char **data, size_t size) {
    if (size > available(cursor))
        return false;
    *data = cursor->at;
    cursor->at += size;
    return true;
}

static bool take_text(struct trace_cursor *cursor, struct trace_token *token) {
    uint32_t size;
    if (!take(cursor, &size, sizeof size))
        return false;
    token->size = size;
    return take_span(cursor, &token->data, size);
}

static bool take_edges(struct trace_cursor *cursor, struct trace_token *token) {
    uint32_t edge;
    if (!take(cursor, &token->total, sizeof token->total) || !take(cursor, &token->hash, sizeof token->hash) ||
        !take(cursor, &edge, sizeof edge))
        return false;
    token->size = edge;
    return token->total / 2 >= edge && take_span(cursor, &token->data, edge) && take_span(cursor, &token->last, edge);
}

/* A container of VALUES values, each of which takes a byte at least. */
static bool enter(struct trace_cursor *cursor, uint64_t values) {
    if (values > available(cursor) || cursor->depth == TRACE_VALUE_DEPTH_MAX)
        return false;
    cursor->left[cursor->depth++] = values;
    return true;
}

static bool take_container(struct trace_cursor *cursor, struct trace_token *token, unsigned each) {
    return take(cursor, &token->count, sizeof token->count) && enter(cursor, (uint64_t)token->count * each);
}

static bool take_value(struct trace_cursor *cursor, struct trace_token *token, char tag) {
    switch (tag) {
    case 'N':
        token->kind = TRACE_TOKEN_NONE;
        return true;
    case 'T':
    case 'F':
        token->kind = TRACE_TOKEN_BOOL;
        token->truth = tag == 'T';
        return true;
    case 'i':
        token->kind = TRACE_TOKEN_INT;
        return take(cursor, &token->integer, sizeof token->integer);
    case 'd':
        token->kind = TRACE_TOKEN_FLOAT;
        return take(cursor, &token->number, sizeof token->number);
    case 'I':
        token->kind = TRACE_TOKEN_BIG_INT;
        return take_text(cursor, token);
    case 's':
        token->kind = TRACE_TOKEN_TEXT;
        return take_text(cursor, token);
    case 'b':
        token->kind = TRACE_TOKEN_BYTES;
        return take_text(cursor, token);
    case 'S':
        token->kind = TRACE_TOKEN_LONG_TEXT;
        return take_edges(cursor, token);
    case 'B':
        token->kind = TRACE_TOKEN_LONG_BYTES;
        return take_edges(cursor, token);
    case 'L':
        token->kind = TRACE_TOKEN_LIST;
        return take_container(cursor, token, 1);
    case 'U':
        token->kind = TRACE_TOKEN_TUPLE;
        return take_container(cursor, token, 1);
    case 'D':
        token->kind = TRACE_TOKEN_DICT;
        return take_container(cursor, token, 2);
    case 'X':
        token->kind = TRACE_TOKEN_INSTANCE;
        return take_text(cursor, token) && enter(cursor, 1);
    case 'O':
        token->kind = TRACE_TOKEN_OBJECT;
        return take_text(cursor, token);
    case '.':
        token->kind = TRACE_TOKEN_CUT;
        return true;
    default:
        return false;
    }
}

int trace_value_next(struct trace_cursor *cursor, struct trace_token *token) {
    char tag;
    while (cursor->depth > 0 && cursor->left[cursor->depth - 1] == 0)
        cursor->depth--;
    if (cursor->broken)
        return -1;
    if (cursor->depth == 0 && available(cursor) == 0)
        return 0;
    if (cursor->depth > 0)
        cursor->left[cursor->depth - 1]--;
    memset(token, 0, sizeof *token);
    if (!take(cursor, &tag, sizeof tag) || !take_value(cursor, token, tag)) {
        cursor->broken = true;
        return -1;
    }
    return 1;
}
