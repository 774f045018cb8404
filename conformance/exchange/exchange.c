/* exchange.c: the exchange file: its first line, sessions, exchanges, meta and ends. The steps are in step.c. */
#include "exchange.h"

#include <string.h>

#include "parser.h"

#define FIRST_LINE "bridgecheck-exchange 1"

/* The file, as it lies in its own arena. */
struct owned_file {
    struct exchange_file file;
    struct arena arena;
};

int parser_out_of_memory(struct parser *parser) { return reader_fail(&parser->reader, parser->reader.line, "out of memory"); }

int parser_keep(struct parser *parser, const char *data, size_t size, struct exchange_bytes *bytes) {
    char *text = arena_text(&parser->arena, data, size);
    if (!text)
        return parser_out_of_memory(parser);
    *bytes = (struct exchange_bytes){.data = text, .size = size};
    return 0;
}

int parser_keep_word(struct parser *parser, const struct reader_word *word, struct exchange_bytes *bytes) {
    return parser_keep(parser, word->data, word->size, bytes);
}

int parser_put(struct parser *parser, char octet) {
    char *put = growing_add(&parser->octets, &parser->arena.allocator, 1, 1);
    if (!put)
        return parser_out_of_memory(parser);
    *put = octet;
    return 0;
}

int parser_count_sent(struct parser *parser, const char *at, uint64_t size, uint64_t count) {
    if (size != 0 && count > (EXCHANGE_SEND_MAX - parser->sent) / size)
        return reader_fail(&parser->reader, at, "an exchange sends at most %llu bytes", (unsigned long long)EXCHANGE_SEND_MAX);
    parser->sent += size * count;
    return 0;
}

uint64_t parser_group(const struct parser *parser, enum parser_group group) {
    /* A value lives as long as its session, or its exchange where that has none. */
    uint64_t number = group == PARSER_SESSIONS ? 0 : parser->session_number;
    if (group == PARSER_VALUES && parser->session_number == 0)
        number = (uint64_t)1 << 32 | parser->exchange_number;
    return number << 2 | group;
}

int parser_keep_items(struct parser *parser, struct growing *growing, size_t item, void *items, size_t *count) {
    void *copy = NULL;
    if (growing->count != 0 && !(copy = arena_copy(&parser->arena, growing->items, growing->count * item)))
        return parser_out_of_memory(parser);
    memcpy(items, &copy, sizeof copy);
    *count = growing->count;
    growing->count = 0;
    return 0;
}

/* The name behind "exchange" or "session": nothing else may stand there, and GROUP must not have it yet. */
static int named(struct parser *parser, const char *what, enum parser_group group, struct exchange_bytes *name) {
    struct reader *reader = &parser->reader;
    struct reader_word word;
    unsigned first;
    int found = reader_word(reader, &word);
    if (found == READER_NOTHING)
        return reader_fail(reader, reader->at, "%s needs a name", what);
    if (found == READER_FAILED || reader_name(reader, &word, "a name") != 0 || reader_line_done(reader, "the name") != 0)
        return READER_FAILED;
    if (names_enter(&parser->names, &parser->arena.allocator, parser_group(parser, group), &word, reader->number, &first) != 0)
        return parser_out_of_memory(parser);
    if (first != 0)
        return reader_fail(reader, word.data, "%s %s stands twice, first on line %u", what, reader_show(word.data, word.size).text, first);
    return parser_keep_word(parser, &word, name);
}

static int exchange_is_whole(struct parser *parser, const char *at, const char *before) {
    if (!parser->in_exchange)
        return 0;
    return reader_fail(&parser->reader, at, "no \"end\" before %s, for exchange %s on line %u", before,
                       reader_show(parser->exchange.name.data, parser->exchange.name.size).text, parser->exchange.line);
}

static int session_is_whole(struct parser *parser) {
    if (parser->session_number == 0 || parser->session_has_exchange)
        return 0;
    return reader_fail_on(&parser->reader, parser->session_line, 1, "session %s holds no exchange",
                          reader_show(parser->session.data, parser->session.size).text);
}

static int session_begins(struct parser *parser) {
    if (session_is_whole(parser) != 0 || named(parser, "session", PARSER_SESSIONS, &parser->session) != 0)
        return -1;
    parser->session_line = parser->reader.number;
    parser->session_number++;
    parser->session_has_exchange = false;
    parser->session_meta_count = 0;
    return 0;
}

static int exchange_begins(struct parser *parser) {
    parser->exchange = (struct exchange){.session = parser->session, .line = parser->reader.number};
    parser->exchange_start = parser->reader.line;
    parser->exchange_number++;
    parser->connection_count = 0;
    parser->current = NULL;
    parser->sent = 0;
    if (named(parser, "exchange", PARSER_EXCHANGES, &parser->exchange.name) != 0)
        return -1;
    parser->session_has_exchange = true;
    parser->in_exchange = true;
    return 0;
}

static const struct exchange_meta *meta_find(const struct exchange_meta *metas, size_t count, const char *key, size_t size) {
    for (size_t i = 0; i < count; i++)
        if (metas[i].key.size == size && memcmp(metas[i].key.data, key, size) == 0)
            return &metas[i];
    return NULL;
}

/* The place of one more meta line: in the exchange, or in the session before its first exchange. */
static struct exchange_meta *meta_add(struct parser *parser) {
    if (parser->in_exchange)
        return growing_add(&parser->metas, &parser->arena.allocator, 1, sizeof(struct exchange_meta));
    return &parser->session_metas[parser->session_meta_count++];
}

static int meta(struct parser *parser, const char *colon) {
    struct reader *reader = &parser->reader;
    const char *key = reader->line;
    size_t key_size = (size_t)(colon - key);
    for (size_t i = 0; i < key_size; i++) {
        if (i == EXCHANGE_NAME_MAX)
            return reader_fail(reader, key + i, "a meta key has at most %d characters", EXCHANGE_NAME_MAX);
        if (!((key[i] >= 'a' && key[i] <= 'z') || key[i] == '-'))
            return reader_fail(reader, key + i, "a meta key is made of a-z and -");
    }
    if (key_size == 0)
        return reader_fail(reader, key, "a meta key is empty");
    if (!parser->in_exchange && (parser->session_number == 0 || parser->session_has_exchange))
        return reader_fail(reader, key, "a meta line stands behind \"session\" or \"exchange\"");
    if (parser->steps.count != 0)
        return reader_fail(reader, key, "a meta line stands before the first step");
    const struct exchange_meta *metas = parser->in_exchange ? parser->metas.items : parser->session_metas;
    size_t count = parser->in_exchange ? parser->metas.count : parser->session_meta_count;
    if (count != 0 && meta_find(metas, count, key, key_size))
        return reader_fail(reader, key, "meta key %s stands twice", reader_show(key, key_size).text);
    if (count == EXCHANGE_META_MAX)
        return reader_fail(reader, key, "more than %d meta lines", EXCHANGE_META_MAX);
    const char *value = colon + 1, *value_end = reader->line_end;
    while (value < value_end && *value == ' ')
        value++;
    while (value_end > value && value_end[-1] == ' ')
        value_end--;
    struct exchange_meta made;
    if (parser_keep(parser, key, key_size, &made.key) != 0 || parser_keep(parser, value, (size_t)(value_end - value), &made.value) != 0)
        return -1;
    struct exchange_meta *added = meta_add(parser);
    if (!added)
        return parser_out_of_memory(parser);
    *added = made;
    return 0;
}

/* What the exchange has no value for, it has from its session. */
static int meta_inherit(struct parser *parser) {
    size_t own = parser->metas.count;
    for (size_t i = 0; i < parser->session_meta_count; i++) {
        const struct exchange_meta *inherited = &parser->session_metas[i];
        if (own != 0 && meta_find(parser->metas.items, own, inherited->key.data, inherited->key.size))
            continue;
        struct exchange_meta *added = growing_add(&parser->metas, &parser->arena.allocator, 1, sizeof *added);
        if (!added)
            return parser_out_of_memory(parser);
        *added = *inherited;
    }
    return 0;
}

static int exchange_ends(struct parser *parser) {
    struct reader *reader = &parser->reader;
    struct exchange *exchange = &parser->exchange;
    struct reader_word how;
    int found = reader_word(reader, &how);
    if (found == READER_FAILED)
        return -1;
    if (found == READER_FOUND && reader_is(&how, "next")) {
        exchange->end = EXCHANGE_END_NEXT;
    } else if (found == READER_FOUND && reader_is(&how, "close")) {
        exchange->end = EXCHANGE_END_CLOSE;
    } else if (found == READER_FOUND && reader_is(&how, "open")) {
        struct reader_word duration;
        exchange->end = EXCHANGE_END_OPEN;
        if ((found = reader_word(reader, &duration)) == READER_NOTHING)
            return reader_fail(reader, reader->at, "\"end open\" needs a duration, as in \"end open 50ms\"");
        if (found == READER_FAILED || reader_duration(reader, &duration, &exchange->end_milliseconds) != 0)
            return -1;
    } else {
        return reader_fail(reader, found == READER_FOUND ? how.data : reader->at, "an end is one of next, close, open");
    }
    if (reader_line_done(reader, "an end") != 0 || meta_inherit(parser) != 0 ||
        parser_keep_items(parser, &parser->metas, sizeof(struct exchange_meta), &exchange->meta, &exchange->meta_count) != 0 ||
        parser_keep_items(parser, &parser->steps, sizeof(struct exchange_step), &exchange->steps, &exchange->step_count) != 0)
        return -1;
    exchange->last_line = reader->number;
    exchange->offset = (size_t)(parser->exchange_start - reader->data);
    exchange->length = (size_t)(reader->line_end - parser->exchange_start);
    struct exchange *added = growing_add(&parser->exchanges, &parser->arena.allocator, 1, sizeof *added);
    if (!added)
        return parser_out_of_memory(parser);
    *added = *exchange;
    parser->in_exchange = false;
    return 0;
}

static int statement(struct parser *parser) {
    struct reader *reader = &parser->reader;
    char mark = *reader->line;
    if (mark == '>' || mark == '+' || mark == '*')
        return parser_piece(parser);
    if (parser_send_done(parser) != 0)
        return -1;
    /* A key and its colon are told before words are: the value may hold quotes and backslashes. */
    const char *colon = reader->line;
    while (colon < reader->line_end && *colon != ' ' && *colon != ':' && *colon != '"')
        colon++;
    if (colon < reader->line_end && *colon == ':')
        return meta(parser, colon);
    struct reader_word word;
    if (reader_word(reader, &word) == READER_FAILED)
        return -1;
    if (reader_is(&word, "session"))
        return exchange_is_whole(parser, reader->line, "the next session") != 0 ? -1 : session_begins(parser);
    if (reader_is(&word, "exchange"))
        return exchange_is_whole(parser, reader->line, "the next exchange") != 0 ? -1 : exchange_begins(parser);
    if (reader_is(&word, "end") && parser->in_exchange)
        return exchange_ends(parser);
    return parser_step(parser, &word);
}

static int first_line(struct parser *parser) {
    struct reader *reader = &parser->reader;
    int found = reader_line(reader);
    if (found == READER_FAILED)
        return -1;
    const char *expected = FIRST_LINE;
    while (*expected && reader->at < reader->line_end && *reader->at == *expected) {
        reader->at++;
        expected++;
    }
    if (*expected || reader->at < reader->line_end)
        return reader_fail(reader, reader->at, "the first line of an exchange file is \"" FIRST_LINE "\"");
    return 0;
}

static int file(struct parser *parser) {
    if (parser_keep(parser, "", 0, &parser->nothing) != 0 || first_line(parser) != 0)
        return -1;
    parser->session = parser->nothing;
    int found;
    while ((found = reader_statement(&parser->reader)) == READER_FOUND)
        if (statement(parser) != 0)
            return -1;
    if (found == READER_FAILED || parser_send_done(parser) != 0 || exchange_is_whole(parser, parser->reader.at, "the end of the file") != 0)
        return -1;
    return session_is_whole(parser);
}

int exchange_parse(const char *data, size_t size, const struct exchange_allocator *allocator, struct exchange_file **made,
                   struct exchange_error *error) {
    struct parser parser = {0};
    *made = NULL;
    *error = (struct exchange_error){.line = 1, .column = 1};
    arena_init(&parser.arena, allocator);
    reader_init(&parser.reader, data, size, error);
    int failed = -1;
    if (size > EXCHANGE_FILE_MAX) {
        reader_fail_on(&parser.reader, 1, 1, "an exchange file holds at most %u bytes", EXCHANGE_FILE_MAX);
        goto free_growing;
    }
    struct owned_file *owned = arena_take(&parser.arena, sizeof *owned);
    if (!owned) {
        reader_fail_on(&parser.reader, 1, 1, "out of memory");
        goto free_growing;
    }
    if (file(&parser) != 0 ||
        parser_keep_items(&parser, &parser.exchanges, sizeof(struct exchange), &owned->file.exchanges, &owned->file.exchange_count) != 0)
        goto free_growing;
    owned->arena = parser.arena;
    *made = &owned->file;
    failed = 0;

free_growing:
    growing_free(&parser.exchanges, &parser.arena.allocator);
    growing_free(&parser.steps, &parser.arena.allocator);
    growing_free(&parser.metas, &parser.arena.allocator);
    growing_free(&parser.pieces, &parser.arena.allocator);
    growing_free(&parser.words, &parser.arena.allocator);
    growing_free(&parser.octets, &parser.arena.allocator);
    names_free(&parser.names, &parser.arena.allocator);
    if (failed != 0)
        arena_free(&parser.arena);
    return failed;
}

void exchange_file_free(struct exchange_file *file) {
    if (file)
        arena_free(&((struct owned_file *)file)->arena);
}

const struct exchange_bytes *exchange_meta(const struct exchange *exchange, const char *key) {
    const struct exchange_meta *found =
        exchange->meta_count == 0 ? NULL : meta_find(exchange->meta, exchange->meta_count, key, strlen(key));
    return found ? &found->value : NULL;
}
