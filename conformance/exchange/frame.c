/* frame.c: WebSocket frames as a step sends them, or waits for them. */
#include <string.h>

#include "parser.h"

static const struct {
    const char *word;
    enum exchange_opcode opcode;
} opcodes[] = {
    {"text", EXCHANGE_OPCODE_TEXT}, {"binary", EXCHANGE_OPCODE_BINARY}, {"continuation", EXCHANGE_OPCODE_CONTINUATION},
    {"ping", EXCHANGE_OPCODE_PING}, {"pong", EXCHANGE_OPCODE_PONG},     {"close", EXCHANGE_OPCODE_CLOSE},
};

#define FORM "a frame is one of text, binary, continuation, ping, pong, close, opcode"

/* The word that comes next, without taking it; empty at the end of the line. No words are quotes and escapes: those begin a TEXT. */
static struct reader_word peek(const struct reader *reader) {
    struct reader_word word = {.data = reader->at};
    while (word.data < reader->line_end && *word.data == ' ')
        word.data++;
    while (word.data + word.size < reader->line_end && word.data[word.size] != ' ')
        word.size++;
    return word;
}

static void take(struct reader *reader, const struct reader_word *word) { reader->at = word->data + word->size; }

static bool named(const struct reader_word *word, unsigned *opcode) {
    for (size_t i = 0; i < sizeof opcodes / sizeof *opcodes; i++)
        if (reader_is(word, opcodes[i].word)) {
            *opcode = opcodes[i].opcode;
            return true;
        }
    return false;
}

/* WORD as a number up to MAXIMUM: FOUND, NOTHING where it is no number, or FAILED. */
static int number(struct reader *reader, const struct reader_word *word, unsigned maximum, const char *what, unsigned *value) {
    *value = 0;
    for (size_t i = 0; i < word->size; i++) {
        if (word->data[i] < '0' || word->data[i] > '9')
            return READER_NOTHING;
        *value = *value > maximum ? *value : *value * 10 + (unsigned)(word->data[i] - '0');
    }
    if (word->size == 0)
        return READER_NOTHING;
    return *value <= maximum ? READER_FOUND : reader_fail(reader, word->data, "%s is a number from 0 to %u", what, maximum);
}

static int opcode(struct parser *parser, struct exchange_step *step) {
    struct reader *reader = &parser->reader;
    struct reader_word word;
    int found = reader_word(reader, &word);
    if (found != READER_FOUND)
        return found == READER_FAILED ? -1 : reader_fail(reader, reader->at, FORM);
    if (parser_keep_word(parser, &word, &step->name) != 0)
        return -1;
    if (named(&word, &step->frame.opcode))
        return 0;
    if (!reader_is(&word, "opcode"))
        return reader_fail(reader, word.data, FORM);
    word = peek(reader);
    found = number(reader, &word, 15, "an opcode", &step->frame.opcode);
    if (found == READER_NOTHING)
        return reader_fail(reader, word.data, "\"opcode\" needs a number from 0 to 15");
    take(reader, &word);
    return found == READER_FOUND ? 0 : -1;
}

/* Whether WORD is a flag; *AGAIN says that it stands for the second time, or against another one. */
static bool flag(const struct reader_word *word, struct exchange_frame *frame, bool *again) {
    static const struct {
        const char *word;
        unsigned reserved, length_size;
    } flags[] = {
        {"rsv1", EXCHANGE_RSV1, 0}, {"rsv2", EXCHANGE_RSV2, 0}, {"rsv3", EXCHANGE_RSV3, 0}, {"length16", 0, 2}, {"length64", 0, 8},
    };
    bool *simple = reader_is(word, "more") ? &frame->more : reader_is(word, "unmasked") ? &frame->unmasked : NULL;
    if (simple) {
        *again = *simple;
        *simple = true;
        return true;
    }
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        if (!reader_is(word, flags[i].word))
            continue;
        *again = (frame->reserved & flags[i].reserved) != 0 || (frame->length_size != 0 && flags[i].length_size != 0);
        frame->reserved |= flags[i].reserved;
        frame->length_size = flags[i].length_size ? flags[i].length_size : frame->length_size;
        return true;
    }
    return false;
}

/* Put the code before the reason. */
static int with_code(struct parser *parser, struct exchange_step *step, unsigned code) {
    const struct exchange_bytes reason = step->text;
    int failed = parser_put(parser, (char)(code >> 8)) != 0 || parser_put(parser, (char)(code & 255)) != 0;
    for (size_t i = 0; i < reason.size && !failed; i++)
        failed = parser_put(parser, reason.data[i]) != 0;
    failed = failed || parser_keep(parser, parser->octets.items, parser->octets.count, &step->text) != 0;
    parser->octets.count = 0;
    return failed ? -1 : 0;
}

int parser_frame(struct parser *parser, struct exchange_step *step) {
    struct reader *reader = &parser->reader;
    struct reader_word word;
    bool again = false;
    unsigned code = 0;
    if (opcode(parser, step) != 0 || parser_need_writable(parser) != 0)
        return -1;
    while (word = peek(reader), flag(&word, &step->frame, &again)) {
        if (again)
            return reader_fail(reader, word.data, "%s stands behind what says the same, or the opposite",
                               reader_show(word.data, word.size).text);
        take(reader, &word);
    }
    int has_code = READER_NOTHING;
    if (step->frame.opcode == EXCHANGE_OPCODE_CLOSE && (has_code = number(reader, &word, 65535, "a close code", &code)) == READER_FOUND)
        take(reader, &word);
    int has_text = has_code == READER_FAILED ? READER_FAILED : parser_text(parser, &step->text);
    if (has_text == READER_FAILED || (has_code == READER_FOUND && with_code(parser, step, code) != 0))
        return -1;
    parser->in_send = has_code != READER_FOUND && has_text == READER_NOTHING; /* pieces may follow: values stand in these alone */
    return parser_count_sent(parser, reader->line, step->text.size, 1);
}

int parser_wait_frame(struct parser *parser, struct exchange_step *step) {
    struct reader_word word = peek(&parser->reader);
    if (!named(&word, &step->frame.opcode))
        return 0;
    take(&parser->reader, &word);
    return parser_keep_word(parser, &word, &step->name);
}
