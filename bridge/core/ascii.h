/* ascii.h: words of HTTP, which are ASCII, in any case.
 *
 * Owns nothing. No locale, and nothing beyond ASCII.
 */
#ifndef BRIDGE_ASCII_H
#define BRIDGE_ASCII_H

#include <stdbool.h>
#include <stddef.h>

static inline char ascii_lower(char octet) { return octet >= 'A' && octet <= 'Z' ? (char)(octet | 0x20) : octet; }

/* Whether these bytes are WORD, which is in lower case. */
static inline bool ascii_is(const char *bytes, size_t size, const char *word) {
    size_t same = 0;
    while (same < size && word[same] != '\0' && ascii_lower(bytes[same]) == word[same])
        same++;
    return same == size && word[same] == '\0';
}

#endif
