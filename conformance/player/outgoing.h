/* outgoing.h: the bytes of one `send`, handed out in bounded portions, so that `* 1073741824 a` needs no gibibyte.
 *
 * Knows pieces and saved values; knows nothing of sockets.
 */
#ifndef BRIDGECHECK_OUTGOING_H
#define BRIDGECHECK_OUTGOING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "saved.h"

struct outgoing {
    const struct exchange_piece *pieces; /* borrowed until all is handed out */
    size_t piece_count;
    const struct saved *saved; /* borrowed; NULL: no values */
    size_t piece;
    uint64_t repetition;
    size_t offset;
    char number[24]; /* of a length piece */
};

void outgoing_start(struct outgoing *outgoing, const struct exchange_piece *pieces, size_t piece_count, const struct saved *saved);

/* The next bytes, at most SIZE; 0 at the end. */
size_t outgoing_take(struct outgoing *outgoing, char *buffer, size_t size);

#endif
