/* frames.h: how many WebSocket frames the bytes of one side hold, by their lengths alone. Keeps nothing of them, allocates nothing. */
#ifndef BRIDGECHECK_RECORDER_FRAMES_H
#define BRIDGECHECK_RECORDER_FRAMES_H

#include <stddef.h>
#include <stdint.h>

/* All zero is one that has heard nothing. */
struct frames {
    uint64_t count; /* whole ones */

    /* Its own. */
    unsigned char head[14];
    size_t head_size;
    uint64_t left; /* of the payload */
};

void frames_feed(struct frames *frames, const char *data, size_t size);

#endif
