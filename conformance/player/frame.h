/* frame.h: a WebSocket frame step as the bytes that are sent.
 *
 * Owns the mask: always the same key, so that the same bytes are sent every time. Knows nothing of sockets.
 */
#ifndef BRIDGECHECK_FRAME_H
#define BRIDGECHECK_FRAME_H

#include "../exchange/exchange.h"

#define FRAME_HEADER_MAX 14u

/* How many bytes the frame takes. */
size_t frame_size(const struct exchange_frame *frame, size_t payload_size);

/* Write them to BUFFER, which has room for frame_size(). */
void frame_write(const struct exchange_frame *frame, const struct exchange_bytes *payload, char *buffer);

#endif
