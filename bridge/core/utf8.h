/* utf8.h: whether bytes are UTF-8 (RFC 3629), in any cut.
 *
 * Owns nothing. No surrogates, no overlong forms, nothing beyond U+10FFFF. Faults are told apart as Python's decoder does, since close
 * frames carry its words.
 */
#ifndef BRIDGE_UTF8_H
#define BRIDGE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum utf8_fault { UTF8_OK, UTF8_START_INVALID, UTF8_CONTINUATION_INVALID, UTF8_INCOMPLETE };

/* All zero before the first piece. After a fault it stays that fault. */
struct utf8 {
    enum utf8_fault fault;
    uint64_t start;      /* the place of the character that is broken, or under way, counted from the first piece */
    unsigned char left;  /* octets that the character under way still needs; 0: none is under way */
    unsigned char least; /* the next one of them is at least and at most these */
    unsigned char most;
    uint64_t size; /* of all pieces before */
};

/* The next piece. False: what came so far cannot become UTF-8. */
bool utf8_feed(struct utf8 *utf8, const char *bytes, size_t size);

/* Behind the last piece. False: it was none, or ended within a character. */
bool utf8_end(struct utf8 *utf8);

/* Of a whole text at once. */
static inline bool utf8_valid(struct utf8 *utf8, const char *bytes, size_t size) {
    *utf8 = (struct utf8){0};
    utf8_feed(utf8, bytes, size);
    return utf8_end(utf8);
}

/* The words of a fault. */
const char *utf8_fault_text(enum utf8_fault fault);

#endif
