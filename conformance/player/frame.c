#include "frame.h"

static const unsigned char MASK[4] = {0x37, 0xfa, 0x21, 0x3d}; /* that of the examples in RFC 6455 section 5.7 */

/* Octets of the extended length. One that is asked for and cannot hold the length is not written. */
static size_t length_size(const struct exchange_frame *frame, size_t size) {
    size_t shortest = size < 126 ? 0 : size < 65536 ? 2 : 8;
    return frame->length_size > shortest ? frame->length_size : shortest;
}

size_t frame_size(const struct exchange_frame *frame, size_t payload_size) {
    return 2 + length_size(frame, payload_size) + (frame->unmasked ? 0 : sizeof MASK) + payload_size;
}

void frame_write(const struct exchange_frame *frame, const struct exchange_bytes *payload, char *buffer) {
    size_t extended = length_size(frame, payload->size);
    size_t length = extended == 0 ? payload->size : extended == 2 ? 126 : 127;
    *buffer++ = (char)((frame->more ? 0 : 0x80) | frame->reserved << 4 | frame->opcode);
    *buffer++ = (char)((frame->unmasked ? 0 : 0x80) | length);
    for (size_t i = extended; i-- > 0;)
        *buffer++ = (char)(payload->size >> 8 * i);
    for (size_t i = 0; !frame->unmasked && i < sizeof MASK; i++)
        *buffer++ = (char)MASK[i];
    for (size_t i = 0; i < payload->size; i++)
        *buffer++ = (char)(payload->data[i] ^ (frame->unmasked ? 0 : MASK[i & 3]));
}
