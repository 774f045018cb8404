/* reader.c: see reader.h. */
#include "reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void reader_init(struct reader *reader, const char *data, size_t size, struct exchange_error *error) {
    /* An empty file may come as NULL; no pointer arithmetic is done on that. */
    const char *start = data ? data : "";
    *reader = (struct reader){.data = start, .end = start + size, .next = start, .error = error};
    reader->line = reader->line_end = reader->at = start;
}

static int fail(struct reader *reader, unsigned line, unsigned column, const char *format, va_list arguments) {
    reader->error->line = line;
    reader->error->column = column;
    vsnprintf(reader->error->message, sizeof reader->error->message, format, arguments);
    return READER_FAILED;
}

int reader_fail(struct reader *reader, const char *at, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int failed = fail(reader, reader->number, (unsigned)(at - reader->line) + 1, format, arguments);
    va_end(arguments);
    return failed;
}

int reader_fail_on(struct reader *reader, unsigned line, unsigned column, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int failed = fail(reader, line, column, format, arguments);
    va_end(arguments);
    return failed;
}

struct reader_shown reader_show(const char *data, size_t size) {
    struct reader_shown shown;
    char *put = shown.text;
    char *last = shown.text + sizeof shown.text - sizeof "\\x00...\"";
    *put++ = '"';
    for (size_t i = 0; i < size; i++) {
        unsigned char octet = (unsigned char)data[i];
        if (put > last) {
            memcpy(put, "...", 3);
            put += 3;
            break;
        }
        if (octet < ' ' || octet > '~')
            put += sprintf(put, "\\x%02x", octet);
        else
            *put++ = (char)octet;
    }
    *put++ = '"';
    *put = '\0';
    return shown;
}

int reader_line(struct reader *reader) {
    bool first = reader->number == 0;
    if (reader->next == reader->end && !first && (reader->line_end == reader->end)) {
        /* The last line had no line end: the file ends where that line ends. */
        reader->at = reader->line_end;
        return READER_NOTHING;
    }
    reader->line = reader->at = reader->line_end = reader->next;
    reader->number++;
    if (reader->next == reader->end)
        return READER_NOTHING;
    size_t left = (size_t)(reader->end - reader->next);
    const char *feed = memchr(reader->next, '\n', left < EXCHANGE_LINE_MAX + 1 ? left : EXCHANGE_LINE_MAX + 1);
    if (!feed && left > EXCHANGE_LINE_MAX)
        return reader_fail(reader, reader->line + EXCHANGE_LINE_MAX, "a line holds at most %u bytes", EXCHANGE_LINE_MAX);
    reader->line_end = feed ? feed : reader->end;
    reader->next = feed ? feed + 1 : reader->end;
    if (reader->line_end > reader->line && reader->line_end[-1] == '\r')
        return reader_fail(reader, reader->line_end - 1, "the line ends with CR LF; lines of an exchange file end with LF alone");
    return READER_FOUND;
}

int reader_statement(struct reader *reader) {
    for (;;) {
        int found = reader_line(reader);
        if (found != READER_FOUND)
            return found;
        if (reader->line == reader->line_end || *reader->line == '#')
            continue;
        if (*reader->line == ' ' || *reader->line == '\t')
            return reader_fail(reader, reader->line, "white space before the first word of a line");
        return READER_FOUND;
    }
}

static bool skip_spaces(struct reader *reader) {
    while (reader->at < reader->line_end && *reader->at == ' ')
        reader->at++;
    return reader->at < reader->line_end;
}

/* A word without quotes ends at a space; what a person may have meant otherwise is an error. */
static int plain_octet(struct reader *reader, char *octet) {
    if (reader->at == reader->line_end || *reader->at == ' ')
        return READER_NOTHING;
    unsigned char next = (unsigned char)*reader->at;
    if (next == '\t')
        return reader_fail(reader, reader->at, "a tab; words are separated by spaces");
    if (next < ' ' || next == 0x7f)
        return reader_fail(reader, reader->at, "control byte \\x%02x", next);
    if (next == '"')
        return reader_fail(reader, reader->at, "a quote stands only around the whole of a text");
    if (next == '\\')
        return reader_fail(reader, reader->at, "an escape stands only in a quoted text or a piece");
    *octet = *reader->at++;
    return READER_FOUND;
}

int reader_word(struct reader *reader, struct reader_word *word) {
    if (!skip_spaces(reader))
        return READER_NOTHING;
    word->data = reader->at;
    char octet;
    int found;
    while ((found = plain_octet(reader, &octet)) == READER_FOUND)
        ;
    word->size = (size_t)(reader->at - word->data);
    return found == READER_FAILED ? READER_FAILED : READER_FOUND;
}

int reader_text_start(struct reader *reader, bool *quoted) {
    if (!skip_spaces(reader))
        return READER_NOTHING;
    *quoted = *reader->at == '"';
    reader->at += *quoted;
    return READER_FOUND;
}

static int digit_of(char digit) {
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

/* At a backslash. */
static int escape(struct reader *reader, char *octet) {
    const char *start = reader->at;
    if (reader->line_end - start < 2)
        return reader_fail(reader, start, "bad escape: nothing follows the backslash");
    reader->at += 2;
    switch (start[1]) {
    case 'r':
        *octet = '\r';
        return READER_FOUND;
    case 'n':
        *octet = '\n';
        return READER_FOUND;
    case 't':
        *octet = '\t';
        return READER_FOUND;
    case '0':
        *octet = '\0';
        return READER_FOUND;
    case '\\':
    case '"':
    case '$':
        *octet = start[1];
        return READER_FOUND;
    case 'x':
        break;
    default:
        if (start[1] > ' ' && start[1] <= '~')
            return reader_fail(reader, start, "unknown escape \\%c", start[1]);
        return reader_fail(reader, start, "bad escape: a backslash before byte \\x%02x", (unsigned char)start[1]);
    }
    int octet_value = 0;
    for (int i = 0; i < 2; i++) {
        int digit = reader->at < reader->line_end ? digit_of(*reader->at) : -1;
        if (digit < 0)
            return reader_fail(reader, start, "bad escape: \\x needs two hexadecimal digits");
        octet_value = octet_value * 16 + digit;
        reader->at++;
    }
    *octet = (char)octet_value;
    return READER_FOUND;
}

static bool at_value(const struct reader *reader) {
    return reader->line_end - reader->at >= 2 && reader->at[0] == '$' && reader->at[1] == '{';
}

int reader_text_octet(struct reader *reader, bool quoted, char *octet) {
    if (at_value(reader))
        return reader_fail(reader, reader->at, "a value ${...} stands only in a > or + piece; a dollar sign is written \\$ in quotes");
    if (!quoted)
        return plain_octet(reader, octet);
    if (reader->at == reader->line_end)
        return reader_fail(reader, reader->at, "no closing quote");
    if (*reader->at == '\\')
        return escape(reader, octet);
    if (*reader->at != '"') {
        *octet = *reader->at++;
        return READER_FOUND;
    }
    reader->at++;
    if (reader->at < reader->line_end && *reader->at != ' ')
        return reader_fail(reader, reader->at, "a space must follow the closing quote");
    return READER_NOTHING;
}

int reader_piece_octet(struct reader *reader, char *octet) {
    if (reader->at == reader->line_end || at_value(reader))
        return READER_NOTHING;
    if (*reader->at == '\\')
        return escape(reader, octet);
    *octet = *reader->at++;
    return READER_FOUND;
}

/* "12+…" or "0x1f+…" */
static int length_count(struct reader *reader, const struct reader_word *inside, const char *plus) {
    const char *digit = inside->data;
    bool hexadecimal = plus - digit > 2 && digit[0] == '0' && digit[1] == 'x';
    uint64_t count = 0;
    digit += hexadecimal ? 2 : 0;
    bool any = digit < plus;
    for (; digit < plus && count <= EXCHANGE_SEND_MAX; digit++) {
        int value = digit_of(*digit);
        if (value < 0 || (!hexadecimal && value > 9))
            break;
        count = count * (hexadecimal ? 16 : 10) + (unsigned)value;
    }
    if (!any || digit < plus || count > EXCHANGE_SEND_MAX)
        return reader_fail(reader, inside->data, "a length is written ${COUNT+NAME}, its count from 0 to %llu", EXCHANGE_SEND_MAX);
    return READER_FOUND;
}

int reader_value(struct reader *reader, struct reader_word *inside, bool *length) {
    if (reader->at == reader->line_end)
        return READER_NOTHING;
    const char *start = reader->at;
    const char *first = start + 2;
    const char *close = memchr(first, '}', (size_t)(reader->line_end - first));
    if (!close)
        return reader_fail(reader, start, "a value is written ${NAME}, and this one has no \"}\"; a dollar sign is written \\$");
    *inside = (struct reader_word){first, (size_t)(close - first)};
    const char *plus = memchr(first, '+', inside->size);
    *length = plus;
    if (plus ? length_count(reader, inside, plus) == READER_FAILED : reader_name(reader, inside, "a value's name") != 0)
        return READER_FAILED;
    reader->at = close + 1;
    return READER_FOUND;
}

bool reader_is(const struct reader_word *word, const char *text) {
    return word->size == strlen(text) && memcmp(word->data, text, word->size) == 0;
}

int reader_name(struct reader *reader, const struct reader_word *word, const char *what) {
    if (word->size == 0)
        return reader_fail(reader, word->data, "%s is empty", what);
    for (size_t i = 0; i < word->size; i++) {
        char octet = word->data[i];
        bool allowed = (octet >= 'A' && octet <= 'Z') || (octet >= 'a' && octet <= 'z') || (octet >= '0' && octet <= '9') || octet == '.' ||
                       octet == '_' || octet == '-';
        if (i == EXCHANGE_NAME_MAX)
            return reader_fail(reader, word->data + i, "%s has at most %d characters", what, EXCHANGE_NAME_MAX);
        if (!allowed)
            return reader_fail(reader, word->data + i, "%s is made of A-Z a-z 0-9 . _ -", what);
    }
    return 0;
}

/* The digits WORD begins with, up to MAXIMUM: their number, or 0 when it is none or beyond. */
static size_t digits(const struct reader_word *word, uint64_t maximum, uint64_t *value) {
    size_t size = 0;
    for (*value = 0; size < word->size && word->data[size] >= '0' && word->data[size] <= '9'; size++) {
        unsigned digit = (unsigned)(word->data[size] - '0');
        if (*value > (maximum - digit) / 10)
            return 0;
        *value = *value * 10 + digit;
    }
    return size;
}

int reader_count(struct reader *reader, const struct reader_word *word, uint64_t maximum, uint64_t *count) {
    size_t size = digits(word, maximum, count);
    if (size == 0 || size != word->size || *count == 0)
        return reader_fail(reader, word->data, "a count is a number from 1 to %llu, not %s", (unsigned long long)maximum,
                           reader_show(word->data, word->size).text);
    return 0;
}

int reader_duration(struct reader *reader, const struct reader_word *word, uint32_t *milliseconds) {
    uint64_t value;
    size_t size = digits(word, EXCHANGE_DURATION_MAX_MS, &value);
    struct reader_word unit = {word->data + size, word->size - size};
    if (size != 0 && value != 0 && reader_is(&unit, "s"))
        value *= 1000;
    else if (size == 0 || value == 0 || !reader_is(&unit, "ms"))
        value = UINT64_MAX;
    if (value > EXCHANGE_DURATION_MAX_MS)
        return reader_fail(reader, word->data, "a duration is 1ms to 60s, as in 250ms or 2s, not %s",
                           reader_show(word->data, word->size).text);
    *milliseconds = (uint32_t)value;
    return 0;
}

int reader_line_done(struct reader *reader, const char *after) {
    if (!skip_spaces(reader))
        return 0;
    return reader_fail(reader, reader->at, "nothing may follow %s", after);
}
