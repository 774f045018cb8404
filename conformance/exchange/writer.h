/* writer.h: bytes as the text of an exchange file.
 *
 * Owns the text it makes, until writer_free(). What it writes is printable ASCII, and the parser reads the same bytes from it. Knows
 * nothing of statements other than pieces and frames: the caller words them.
 */
#ifndef BRIDGECHECK_WRITER_H
#define BRIDGECHECK_WRITER_H

#include <stdbool.h>
#include <stddef.h>

#include "arena.h"
#include "exchange.h"

#define WRITER_PIECE_MAX 96 /* characters of a "+" piece, escaped, and 3 more for a space at its end; longer bytes go on in the next */
#define WRITER_LINE_MAX 480 /* the same of a ">" piece; a longer line is cut into "+" pieces and one ">" */

struct writer {
    /* To be read at any time, unless it says out of memory. */
    struct growing text; /* its items are characters, without a NUL at the end */
    bool out_of_memory;  /* the text is not whole */

    /* The writer's own. */
    struct exchange_allocator allocator;
    bool in_piece;
    size_t mark, width; /* where the piece under way begins, and its characters behind the mark */
};

/* ALLOCATOR may be NULL: malloc, realloc and free. */
void writer_init(struct writer *writer, const struct exchange_allocator *allocator);

/* SIZE bytes as lines of pieces: ">" for each line that ends with CR LF, "+" for the rest. No bytes, no pieces. */
void writer_bytes(struct writer *writer, const char *data, size_t size);

/* The pieces of a send, values and repetitions among them. */
void writer_pieces(struct writer *writer, const struct exchange_piece *pieces, size_t count);

/* A frame step as its line, with the line's end. */
void writer_frame(struct writer *writer, const struct exchange_step *step);

/* A statement's line, whole, without its LF: FORMAT as printf's, 255 characters at most. */
void writer_statement(struct writer *writer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* SIZE bytes as a quoted TEXT. */
void writer_quoted(struct writer *writer, const char *data, size_t size);

void writer_free(struct writer *writer);

#endif
