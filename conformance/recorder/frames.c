/* frames.c: see frames.h. RFC 6455 section 5.2. */
#include "frames.h"

#include <string.h>

/* Octets of the head, as far as its first two tell. */
static size_t head_size(const struct frames *frames) {
    if (frames->head_size < 2)
        return 2;
    unsigned length = frames->head[1] & 0x7f;
    return 2 + (length == 126 ? 2 : length == 127 ? 8 : 0) + (frames->head[1] & 0x80 ? 4 : 0);
}

static uint64_t payload_size(const struct frames *frames) {
    unsigned length = frames->head[1] & 0x7f;
    if (length < 126)
        return length;
    uint64_t size = 0;
    for (size_t i = 2; i < (length == 126 ? 4u : 10u); i++)
        size = size << 8 | frames->head[i];
    return size;
}

void frames_feed(struct frames *frames, const char *data, size_t size) {
    while (size > 0) {
        size_t now = 1;
        if (frames->left > 0) {
            now = size < frames->left ? size : (size_t)frames->left;
            frames->left -= now;
        } else {
            frames->head[frames->head_size++] = (unsigned char)*data;
            if (frames->head_size == head_size(frames))
                frames->left = payload_size(frames);
        }
        if (frames->left == 0 && frames->head_size == head_size(frames)) {
            frames->count++;
            frames->head_size = 0;
        }
        data += now;
        size -= now;
    }
}
