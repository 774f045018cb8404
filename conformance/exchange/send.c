/* send.c: the bytes of a send, or of a frame. Pieces that follow one another without a repetition or a value between them become one. */
#include <stdlib.h>
#include <string.h>

#include "parser.h"

static struct exchange_step *send_step(struct parser *parser) {
    return (struct exchange_step *)parser->steps.items + parser->steps.count - 1;
}

int parser_send(struct parser *parser, struct exchange_step *step) {
    struct reader *reader = &parser->reader;
    struct reader_word word;
    int found = reader_word(reader, &word);
    parser->in_send = true;
    if (found != READER_FOUND)
        return found == READER_FAILED ? -1 : 0;
    if (!reader_is(&word, "split"))
        return reader_fail(reader, word.data, "only \"split COUNT\" may follow \"send\", and the bytes stand on the next line");
    if ((found = reader_word(reader, &word)) == READER_NOTHING)
        return reader_fail(reader, reader->at, "\"split\" needs a count");
    if (found == READER_FAILED || reader_count(reader, &word, EXCHANGE_SEND_MAX, &step->count) != 0)
        return -1;
    return reader_line_done(reader, "the count");
}

static int add_piece(struct parser *parser, enum exchange_piece_kind kind, const char *data, size_t size, uint64_t count) {
    struct exchange_piece piece = {.kind = kind, .count = count};
    if (parser_keep(parser, data, size, &piece.bytes) != 0)
        return -1;
    struct exchange_piece *added = growing_add(&parser->pieces, &parser->arena.allocator, 1, sizeof *added);
    if (!added)
        return parser_out_of_memory(parser);
    *added = piece;
    return 0;
}

/* The octets gathered so far become a piece. */
static int close_piece(struct parser *parser, uint64_t count) {
    if (parser->octets.count == 0)
        return 0;
    int failed = add_piece(parser, EXCHANGE_PIECE_BYTES, parser->octets.items, parser->octets.count, count);
    parser->octets.count = 0;
    return failed;
}

static int need_saved(struct parser *parser, const struct reader_word *name) {
    if (names_find(&parser->names, parser_group(parser, PARSER_VALUES), name) == 0)
        return reader_fail(&parser->reader, name->data, "nothing before saves %s", reader_show(name->data, name->size).text);
    return 0;
}

/* "${NAME}" in a piece. */
static int value(struct parser *parser, const struct reader_word *name) {
    if (need_saved(parser, name) != 0 || close_piece(parser, 1) != 0)
        return -1;
    return add_piece(parser, EXCHANGE_PIECE_VALUE, name->data, name->size, 1);
}

uint64_t exchange_length_count(const struct exchange_bytes *length, bool *hexadecimal) {
    *hexadecimal = length->size > 2 && length->data[1] == 'x';
    return strtoull(length->data, NULL, *hexadecimal ? 16 : 10);
}

bool exchange_length_next(const struct exchange_bytes *length, size_t *at, struct exchange_bytes *name) {
    const char *end = length->data + length->size, *plus = memchr(length->data + *at, '+', length->size - *at);
    if (!plus)
        return false;
    const char *next = memchr(plus + 1, '+', (size_t)(end - plus - 1));
    *name = (struct exchange_bytes){.data = (char *)plus + 1, .size = (size_t)((next ? next : end) - plus - 1)};
    *at = (size_t)((next ? next : end) - length->data);
    return true;
}

/* "${COUNT+NAME+NAME}" in a piece. */
static int length(struct parser *parser, const struct reader_word *inside) {
    const struct exchange_bytes text = {.data = (char *)inside->data, .size = inside->size};
    struct exchange_bytes found;
    size_t at = 0;
    while (exchange_length_next(&text, &at, &found)) {
        const struct reader_word name = {found.data, found.size};
        if (reader_name(&parser->reader, &name, "a value's name") != 0 || need_saved(parser, &name) != 0)
            return -1;
    }
    return close_piece(parser, 1) != 0 ? -1 : add_piece(parser, EXCHANGE_PIECE_LENGTH, inside->data, inside->size, 1);
}

static int repeated(struct parser *parser) {
    struct reader *reader = &parser->reader;
    struct reader_word word, name;
    bool is_length;
    uint64_t count;
    if (reader->at == reader->line_end || *reader->at == ' ')
        return reader_fail(reader, reader->at, "a * piece needs a count");
    int found = reader_word(reader, &word);
    if (found == READER_FAILED || reader_count(reader, &word, EXCHANGE_SEND_MAX, &count) != 0 || close_piece(parser, 1) != 0)
        return -1;
    reader->at += reader->at < reader->line_end;
    char octet;
    while ((found = reader_piece_octet(reader, &octet)) == READER_FOUND)
        if (parser_put(parser, octet) != 0)
            return -1;
    if (found == READER_FAILED)
        return -1;
    const char *after = reader->at;
    if ((found = reader_value(reader, &name, &is_length)) == READER_FOUND)
        return reader_fail(reader, after, "a value ${...} stands only in a > or + piece, not in a * piece");
    if (found == READER_FAILED)
        return -1;
    if (parser->octets.count == 0)
        return reader_fail(reader, reader->at, "a * piece needs bytes behind its count");
    if (parser->octets.count > EXCHANGE_REPEATED_MAX)
        return reader_fail(reader, word.data, "a * piece repeats at most %u bytes", EXCHANGE_REPEATED_MAX);
    if (parser_count_sent(parser, word.data, parser->octets.count, count) != 0)
        return -1;
    return close_piece(parser, count);
}

int parser_piece(struct parser *parser) {
    struct reader *reader = &parser->reader;
    char mark = *reader->at++;
    if (!parser->in_send)
        return reader_fail(reader, reader->line,
                           "a piece stands only behind \"send\", \"answered\", a frame without a text or another piece");
    if (reader->at < reader->line_end && *reader->at != ' ')
        return reader_fail(reader, reader->at, "a space must follow \"%c\"", mark);
    reader->at += reader->at < reader->line_end;
    if (mark == '*')
        return repeated(parser);
    if (mark == '+' && reader->at == reader->line_end)
        return reader_fail(reader, reader->at, "a + piece needs bytes");
    size_t before = parser->octets.count;
    uint64_t size = 0;
    int found;
    do {
        struct reader_word name;
        bool is_length;
        char octet;
        while ((found = reader_piece_octet(reader, &octet)) == READER_FOUND)
            if (parser_put(parser, octet) != 0)
                return -1;
        if (found == READER_FAILED)
            return -1;
        size += parser->octets.count - before;
        found = reader_value(reader, &name, &is_length);
        if (found == READER_FAILED || (found == READER_FOUND && (is_length ? length : value)(parser, &name) != 0))
            return -1;
        before = parser->octets.count;
    } while (found == READER_FOUND);
    if (mark == '>') {
        size += 2;
        if (parser_put(parser, '\r') != 0 || parser_put(parser, '\n') != 0)
            return -1;
    }
    return parser_count_sent(parser, reader->line, size, 1);
}

/* A frame is sent whole, and has to be held for that. */
static int frame_done(struct parser *parser, const struct exchange_step *step) {
    const struct exchange_piece *pieces = parser->pieces.items;
    uint64_t size = 0;
    for (size_t i = 0; i < parser->pieces.count; i++)
        size += pieces[i].kind == EXCHANGE_PIECE_BYTES ? pieces[i].bytes.size * pieces[i].count : 0;
    return size <= EXCHANGE_FRAME_MAX
               ? 0
               : reader_fail_on(&parser->reader, step->line, 1, "a frame's payload is at most %u bytes", EXCHANGE_FRAME_MAX);
}

int parser_send_done(struct parser *parser) {
    if (!parser->in_send)
        return 0;
    parser->in_send = false;
    struct exchange_step *step = send_step(parser);
    if (close_piece(parser, 1) != 0)
        return -1;
    if (step->kind == EXCHANGE_FRAME && frame_done(parser, step) != 0)
        return -1;
    if (parser->pieces.count == 0 && step->kind != EXCHANGE_FRAME)
        return reader_fail_on(&parser->reader, step->line, 1, "%s needs at least one piece, on the lines behind it",
                              step->kind == EXCHANGE_SEND ? "a send" : "\"answered\"");
    return parser_keep_items(parser, &parser->pieces, sizeof(struct exchange_piece), &step->pieces, &step->piece_count);
}
