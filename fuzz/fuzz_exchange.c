/* fuzz_exchange.c: any bytes as an exchange file.
 *
 * Oracle: an error lies within the file and says something. What is parsed keeps the bounds; each exchange alone, by its own text, is
 * parsed as the same steps; and the pieces of each send, and each frame, written and parsed again, send the same. Runs over its corpus in
 * the unit tests, too.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../conformance/exchange/exchange.h"
#include "../conformance/exchange/writer.h"

#define HOLDS(condition) ((condition) ? (void)0 : broken(#condition, __LINE__))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void broken(const char *condition, int line) {
    fprintf(stderr, "fuzz_exchange.c:%d: does not hold: %s\n", line, condition);
    abort();
}

static void check_error(const char *data, size_t size, const struct exchange_error *error) {
    unsigned line = 1;
    size_t start = 0, end = 0;
    while (line < error->line) {
        const char *feed = start < size ? memchr(data + start, '\n', size - start) : NULL;
        HOLDS(feed != NULL);
        start = (size_t)(feed - data) + 1;
        line++;
    }
    for (end = start; end < size && data[end] != '\n'; end++)
        ;
    HOLDS(error->line >= 1 && error->column >= 1 && error->column <= end - start + 1);
    HOLDS(error->message[0] != '\0' && memchr(error->message, '\0', sizeof error->message) != NULL);
}

/* What pieces send, one unit after another: an octet, a value, or bytes that are repeated. */
struct cursor {
    const struct exchange_step *send;
    size_t at, offset;
};

struct unit {
    const struct exchange_piece *piece; /* NULL at the end */
    bool whole;                         /* all of the piece, not an octet */
    char octet;
};

static struct unit next_unit(struct cursor *cursor) {
    while (cursor->at < cursor->send->piece_count) {
        const struct exchange_piece *piece = &cursor->send->pieces[cursor->at];
        if (piece->kind != EXCHANGE_PIECE_BYTES || piece->count != 1) {
            cursor->at++;
            return (struct unit){.piece = piece, .whole = true};
        }
        if (cursor->offset < piece->bytes.size)
            return (struct unit){.piece = piece, .octet = piece->bytes.data[cursor->offset++]};
        cursor->at++;
        cursor->offset = 0;
    }
    return (struct unit){0};
}

static void check_same_bytes(const struct exchange_bytes *one, const struct exchange_bytes *other) {
    HOLDS(one->size == other->size);
    HOLDS(memcmp(one->data, other->data, one->size) == 0);
    HOLDS(one->data[one->size] == '\0');
}

static void check_same_sent(const struct exchange_step *one, const struct exchange_step *other) {
    struct cursor first = {.send = one}, second = {.send = other};
    for (;;) {
        struct unit a = next_unit(&first), b = next_unit(&second);
        HOLDS((a.piece == NULL) == (b.piece == NULL));
        if (!a.piece)
            return;
        HOLDS(a.whole == b.whole && a.octet == b.octet);
        if (a.whole) {
            HOLDS(a.piece->kind == b.piece->kind && a.piece->count == b.piece->count);
            check_same_bytes(&a.piece->bytes, &b.piece->bytes);
        }
    }
}

static void check_same_frame(const struct exchange_step *one, const struct exchange_step *other) {
    const struct exchange_frame *a = &one->frame, *b = &other->frame;
    HOLDS(a->opcode == b->opcode && a->opcode <= 15 && a->reserved == b->reserved && a->more == b->more);
    HOLDS(a->unmasked == b->unmasked && a->length_size == b->length_size);
    check_same_bytes(&one->text, &other->text);
}

static void check_same_steps(const struct exchange *one, const struct exchange *other) {
    HOLDS(one->step_count == other->step_count && one->end == other->end && one->end_milliseconds == other->end_milliseconds);
    check_same_bytes(&one->name, &other->name);
    for (size_t i = 0; i < one->step_count; i++) {
        const struct exchange_step *a = &one->steps[i], *b = &other->steps[i];
        HOLDS(a->kind == b->kind && a->line - one->line == b->line - other->line && a->condition == b->condition);
        HOLDS(a->milliseconds == b->milliseconds && a->count == b->count && a->word_count == b->word_count);
        HOLDS(a->decode == b->decode && a->encode == b->encode);
        check_same_bytes(&a->name, &b->name);
        check_same_bytes(&a->field, &b->field);
        check_same_bytes(&a->before, &b->before);
        check_same_bytes(&a->after, &b->after);
        check_same_frame(a, b);
        for (size_t word = 0; word < a->word_count; word++)
            check_same_bytes(&a->words[word], &b->words[word]);
        check_same_sent(a, b);
    }
}

/* A file that is put together from lines. */
struct text {
    char *data;
    size_t size;
};

static void add(struct text *text, const char *data, size_t size) {
    text->data = realloc(text->data, text->size + size + 1);
    HOLDS(text->data != NULL);
    memcpy(text->data + text->size, data, size);
    text->size += size;
}

static void add_line(struct text *text, const char *line) { add(text, line, strlen(line)); }

static struct exchange_file *parse_again(struct text *text) {
    struct exchange_file *file;
    struct exchange_error error;
    int failed = exchange_parse(text->data, text->size, NULL, &file, &error);
    free(text->data);
    HOLDS(failed == 0);
    return file;
}

/* How many values the exchange uses, each as often as it does. */
static size_t count_values(const struct exchange *exchange) {
    size_t count = 0;
    for (size_t i = 0; i < exchange->step_count; i++)
        for (size_t piece = 0; piece < exchange->steps[i].piece_count; piece++)
            count += exchange->steps[i].pieces[piece].kind != EXCHANGE_PIECE_BYTES;
    return count;
}

static void check_alone(const char *data, const struct exchange *exchange) {
    /* A value may come from an exchange before this one. */
    if (exchange->session.size != 0 && count_values(exchange) != 0)
        return;
    struct text text = {0};
    add_line(&text, "bridgecheck-exchange 1\n");
    add(&text, data + exchange->offset, exchange->length);
    struct exchange_file *file = parse_again(&text);
    HOLDS(file->exchange_count == 1);
    check_same_steps(exchange, &file->exchanges[0]);
    exchange_file_free(file);
}

static void check_written(const struct exchange_step *send) {
    struct text text = {0};
    struct writer writer;
    size_t saves = 0;
    add_line(&text, "bridgecheck-exchange 1\nexchange x\nconnect c\n");
    for (size_t i = 0; i < send->piece_count; i++) {
        const struct exchange_piece *piece = &send->pieces[i];
        struct exchange_bytes name = piece->bytes;
        size_t at = 0;
        bool hexadecimal;
        if (piece->kind == EXCHANGE_PIECE_LENGTH)
            HOLDS(exchange_length_count(&piece->bytes, &hexadecimal) <= EXCHANGE_SEND_MAX);
        while (piece->kind == EXCHANGE_PIECE_LENGTH ? exchange_length_next(&piece->bytes, &at, &name)
                                                    : piece->kind == EXCHANGE_PIECE_VALUE && at++ == 0) {
            saves++;
            add_line(&text, "save ");
            add(&text, name.data, name.size);
            add_line(&text, " from body between \"\" \"\"\n");
        }
    }
    if (saves > EXCHANGE_STEPS_MAX - 2) {
        free(text.data);
        return;
    }
    writer_init(&writer, NULL);
    writer_pieces(&writer, send->pieces, send->piece_count);
    HOLDS(!writer.out_of_memory);
    for (size_t i = 0; i < writer.text.count; i++) {
        char octet = ((char *)writer.text.items)[i];
        HOLDS(octet == '\n' || (octet >= ' ' && octet <= '~'));
    }
    add_line(&text, send->kind == EXCHANGE_ANSWERED ? "answered\n" : "send\n");
    add(&text, writer.text.items, writer.text.count);
    add_line(&text, "end next\n");
    writer_free(&writer);
    struct exchange_file *file = parse_again(&text);
    HOLDS(file->exchanges[0].step_count == saves + 2);
    check_same_sent(send, &file->exchanges[0].steps[saves + 1]);
    exchange_file_free(file);
}

static void check_written_frame(const struct exchange_step *frame) {
    struct text text = {0};
    struct writer writer;
    writer_init(&writer, NULL);
    writer_frame(&writer, frame);
    HOLDS(!writer.out_of_memory);
    if (writer.text.count > EXCHANGE_LINE_MAX) { /* escapes made it longer */
        writer_free(&writer);
        return;
    }
    add_line(&text, "bridgecheck-exchange 1\nexchange x\n");
    add(&text, writer.text.items, writer.text.count);
    add_line(&text, "end next\n");
    writer_free(&writer);
    struct exchange_file *file = parse_again(&text);
    HOLDS(file->exchanges[0].step_count == 1 && file->exchanges[0].steps[0].kind == EXCHANGE_FRAME);
    check_same_frame(frame, &file->exchanges[0].steps[0]);
    exchange_file_free(file);
}

static void check_exchange(const char *data, size_t size, const struct exchange *exchange) {
    uint64_t sent = 0;
    HOLDS(exchange->offset < size && exchange->length <= size - exchange->offset);
    HOLDS(exchange->step_count <= EXCHANGE_STEPS_MAX && exchange->meta_count <= 2 * EXCHANGE_META_MAX);
    HOLDS(exchange->end_milliseconds <= EXCHANGE_DURATION_MAX_MS);
    HOLDS((exchange->end == EXCHANGE_END_OPEN) == (exchange->end_milliseconds != 0));
    for (size_t i = 0; i < exchange->meta_count; i++)
        HOLDS(exchange_meta(exchange, exchange->meta[i].key.data) == &exchange->meta[i].value);
    for (size_t i = 0; i < exchange->step_count; i++) {
        const struct exchange_step *step = &exchange->steps[i];
        HOLDS(step->line > exchange->line && step->line < exchange->last_line && step->milliseconds <= EXCHANGE_DURATION_MAX_MS);
        bool may_have = step->kind == EXCHANGE_FRAME && step->text.size == 0;
        HOLDS(may_have || (step->kind == EXCHANGE_SEND || step->kind == EXCHANGE_ANSWERED) == (step->piece_count != 0));
        for (size_t piece = 0; piece < step->piece_count; piece++) {
            HOLDS(step->pieces[piece].bytes.size != 0 && step->pieces[piece].count != 0);
            if (step->pieces[piece].kind == EXCHANGE_PIECE_BYTES)
                sent += step->pieces[piece].bytes.size * step->pieces[piece].count;
            HOLDS(sent <= EXCHANGE_SEND_MAX);
        }
        if (step->piece_count != 0)
            check_written(step);
        if (step->kind == EXCHANGE_FRAME) {
            sent += step->text.size;
            check_written_frame(step);
        }
    }
    check_alone(data, exchange);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    const char *data = (const char *)bytes;
    struct exchange_file *file = NULL;
    struct exchange_error error;
    if (exchange_parse(data, size, NULL, &file, &error) != 0) {
        HOLDS(file == NULL);
        check_error(data, size, &error);
        return 0;
    }
    for (size_t i = 0; i < file->exchange_count; i++)
        check_exchange(data, size, &file->exchanges[i]);
    exchange_file_free(file);
    return 0;
}
