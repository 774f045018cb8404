/* answer.h: what is kept of a response, so that values that it gave can be found again: status, fields, and the beginning of a content that
 * is text.
 *
 * Owns its bytes, ANSWER_MAX at most. Knows nothing of parsers, requests or exchanges.
 */
#ifndef BRIDGECHECK_RECORDER_ANSWER_H
#define BRIDGECHECK_RECORDER_ANSWER_H

#include <stdbool.h>

#include "../exchange/arena.h"

#define ANSWER_MAX ((size_t)64 << 10) /* bytes kept of one response; what is beyond gives no values */

/* All zero: empty. */
struct answer {
    struct growing bytes; /* as they stand on the wire, without a transfer coding */
    bool in_field, is_text, failed;
};

/* The parts of a response, in their order, each in pieces of any size. Without memory the answer stays empty up to answer_clear(). */
void answer_status(struct answer *answer, const struct exchange_allocator *allocator, unsigned major, unsigned minor, unsigned status);
void answer_name(struct answer *answer, const struct exchange_allocator *allocator, const char *data, size_t size);
void answer_value(struct answer *answer, const struct exchange_allocator *allocator, const char *data, size_t size);
void answer_field_end(struct answer *answer, const struct exchange_allocator *allocator);
void answer_head_end(struct answer *answer, const struct exchange_allocator *allocator);
void answer_content(struct answer *answer, const struct exchange_allocator *allocator, const char *data, size_t size);

/* Be ready for the next. */
void answer_clear(struct answer *answer, const struct exchange_allocator *allocator);

#endif
