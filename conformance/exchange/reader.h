/* reader.h: an exchange file as lines, words and bytes, with the place of whatever is wrong.
 *
 * Owns line ends, comments, words, quotes, escapes, numbers and names: what every statement is made of. Knows no statement. Allocates
 * nothing.
 */
#ifndef BRIDGECHECK_READER_H
#define BRIDGECHECK_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exchange.h"

/* Bytes in the file, borrowed. */
struct reader_word {
    const char *data;
    size_t size;
};

struct reader {
    const char *data, *end; /* the file */
    const char *next;       /* where the next line begins */
    const char *line;       /* the current line … */
    const char *line_end;   /* … without its line end */
    const char *at;         /* the next byte of it */
    unsigned number;        /* of the line, from 1 */
    struct exchange_error *error;
};

/* What functions here answer beside "yes". */
enum { READER_FAILED = -1, READER_NOTHING = 0, READER_FOUND = 1 };

void reader_init(struct reader *reader, const char *data, size_t size, struct exchange_error *error);

/* The next line, whatever it holds: FOUND, NOTHING at the end of the file, or FAILED (too long, or it ends with CR). At the end of the file
 * the place is where a further line would be. */
int reader_line(struct reader *reader);

/* The next line that is neither blank nor a comment. */
int reader_statement(struct reader *reader);

/* The next word up to a space or the end of the line: FOUND, NOTHING at the end of the line, or FAILED (a quote, a backslash or a control
 * byte in it). */
int reader_word(struct reader *reader, struct reader_word *word);

/* The beginning of a TEXT: skips spaces. FOUND, NOTHING at the end of the line. *QUOTED says whether the text ends at a quote. */
int reader_text_start(struct reader *reader, bool *quoted);

/* The next octet of a TEXT: FOUND, NOTHING at its end, or FAILED. */
int reader_text_octet(struct reader *reader, bool quoted, char *octet);

/* The next octet of a piece, escaped or as it stands: FOUND, NOTHING at the end of the line or before "${", or FAILED. */
int reader_piece_octet(struct reader *reader, char *octet);

/* "${NAME}" or "${COUNT+NAME…}" at the place where reader_piece_octet() found nothing: FOUND, NOTHING at the end of the line, or FAILED.
 * INSIDE is what stands in the braces: a name, or *LENGTH and a count with "+" and what is not looked at yet behind it. */
int reader_value(struct reader *reader, struct reader_word *inside, bool *length);

/* Whether WORD is TEXT. */
bool reader_is(const struct reader_word *word, const char *text);

/* WORD as a name, a COUNT of 1 to MAXIMUM, a DURATION. Return 0 or FAILED. WHAT begins the message: "a connection's name", "a count". */
int reader_name(struct reader *reader, const struct reader_word *word, const char *what);
int reader_count(struct reader *reader, const struct reader_word *word, uint64_t maximum, uint64_t *count);
int reader_duration(struct reader *reader, const struct reader_word *word, uint32_t *milliseconds);

/* Nothing but spaces up to the end of the line. Returns 0 or FAILED. AFTER is what stands before, for the message. */
int reader_line_done(struct reader *reader, const char *after);

/* Write the error: at a byte of the current line, or at a line's column. FORMAT as printf's. Both return FAILED. */
int reader_fail(struct reader *reader, const char *at, const char *format, ...) __attribute__((format(printf, 3, 4)));
int reader_fail_on(struct reader *reader, unsigned line, unsigned column, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Bytes as a person reads them in a message: quoted, escaped, and cut when long. */
struct reader_shown {
    char text[72];
};
struct reader_shown reader_show(const char *data, size_t size);

#endif
