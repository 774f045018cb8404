#include "outline.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "frame.h"
#include "outgoing.h"

#define CHUNK (64u << 10)

uint64_t outline_sends(const struct exchange *exchange) {
    uint64_t sends = 0;
    for (size_t i = 0; i < exchange->step_count; i++) {
        const struct exchange_step *step = &exchange->steps[i];
        uint64_t size = step->text.size; /* of a frame */
        for (size_t j = 0; j < step->piece_count; j++)
            if (step->pieces[j].kind == EXCHANGE_PIECE_BYTES)
                size += step->pieces[j].bytes.size * step->pieces[j].count;
        sends += step->kind == EXCHANGE_FRAME ? frame_size(&step->frame, size) : step->kind == EXCHANGE_SEND ? size : 0;
    }
    return sends;
}

static bool holds(const struct exchange_bytes *bytes, const char *word) {
    size_t size = strlen(word);
    for (size_t i = 0; i + size <= bytes->size; i++)
        if (!strncasecmp(bytes->data + i, word, size))
            return true;
    return false;
}

bool outline_alone(const struct exchange *exchange) {
    for (size_t i = 0; i < exchange->step_count; i++)
        for (size_t j = 0; j < exchange->steps[i].piece_count && exchange->steps[i].kind == EXCHANGE_SEND; j++) {
            const struct exchange_bytes *bytes = &exchange->steps[i].pieces[j].bytes;
            bool begins = bytes->size >= 9 && !strncasecmp(bytes->data, "forwarded", 9);
            if (begins || holds(bytes, "\nforwarded") || holds(bytes, "forwarded-for"))
                return true;
        }
    return false;
}

size_t outline_bytes(const struct exchange_step *step, char *buffer, size_t room) {
    struct outgoing outgoing;
    outgoing_start(&outgoing, step->pieces, step->piece_count, NULL);
    return outgoing_take(&outgoing, buffer, room);
}

static bool same(const struct exchange_bytes *one, const struct exchange_bytes *other) {
    return one->size == other->size && !memcmp(one->data, other->data, one->size);
}

/* Feed what goes over the connection that step FIRST opens. Returns 0, or -1 out of memory. */
static int feed(struct requests *requests, const struct exchange *exchange, size_t first, char *buffer) {
    const struct exchange_bytes *mine = exchange->steps[first].kind == EXCHANGE_CONNECT ? &exchange->steps[first].name : NULL;
    bool current = true;
    for (size_t i = first; i < exchange->step_count; i++) {
        const struct exchange_step *step = &exchange->steps[i];
        struct outgoing outgoing;
        size_t size;
        if (step->kind == EXCHANGE_CONNECT || step->kind == EXCHANGE_ON)
            current = step->kind == EXCHANGE_CONNECT ? i == first
                      : mine                         ? same(mine, &step->name)
                                                     : step->name.size == 4 && !memcmp(step->name.data, "main", 4);
        if (step->kind != EXCHANGE_SEND || !current)
            continue;
        outgoing_start(&outgoing, step->pieces, step->piece_count, NULL);
        while ((size = outgoing_take(&outgoing, buffer, CHUNK)))
            if (requests_feed(requests, buffer, size))
                return -1;
    }
    return 0;
}

int outline_requests(const struct exchange *exchange, int (*each)(void *context, const struct request *request), void *context) {
    int result = 0;
    bool any = false;
    char *buffer = malloc(CHUNK);
    if (!buffer)
        return -1;
    for (size_t i = 0; i < exchange->step_count && !result; i++) {
        bool implied = exchange->steps[i].kind == EXCHANGE_SEND && !any;
        if (exchange->steps[i].kind != EXCHANGE_CONNECT && !implied)
            continue;
        any = true;
        struct requests requests;
        requests_init(&requests, NULL);
        result = feed(&requests, exchange, i, buffer);
        for (size_t j = 0; j < requests.count && !result; j++)
            if (requests.requests[j].head_complete)
                result = each(context, &requests.requests[j]);
        requests_free(&requests);
    }
    free(buffer);
    return result;
}
