/* coding.h: texts as they are written in a target or a form (percent), in JSON and in HTML.
 *
 * Owns nothing. Knows nothing of where they stand. What is no escape of the coding stays as it is.
 */
#ifndef BRIDGECHECK_CODING_H
#define BRIDGECHECK_CODING_H

#include <stddef.h>

#include "../exchange/exchange.h"

#define CODING_GROWTH 6 /* bytes that one may become when it is encoded */

/* Undo the coding of SIZE bytes where they stand; returns how many they are then, never more. */
size_t coding_decode(enum exchange_coding coding, char *data, size_t size);

/* Write SIZE bytes to ROOM, which has CODING_GROWTH for each; returns how many it became. */
size_t coding_encode(enum exchange_coding coding, const char *data, size_t size, char *room);

#endif
