#include "outgoing.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void outgoing_start(struct outgoing *outgoing, const struct exchange_piece *pieces, size_t piece_count, const struct saved *saved) {
    *outgoing = (struct outgoing){.pieces = pieces, .piece_count = piece_count, .saved = saved};
}

/* TIMES copies of SIZE bytes, by doubling what is already there. */
static void repeat(char *buffer, const char *data, size_t size, size_t times) {
    size_t whole = size * times, done = size;
    memcpy(buffer, data, size);
    while (done < whole) {
        size_t more = done < whole - done ? done : whole - done;
        memcpy(buffer + done, buffer, more);
        done += more;
    }
}

/* A length piece as it is sent. */
static struct exchange_bytes number(struct outgoing *outgoing, const struct exchange_bytes *length, const struct saved *saved) {
    bool hexadecimal;
    uint64_t count = exchange_length_count(length, &hexadecimal);
    struct exchange_bytes name;
    for (size_t at = 0; exchange_length_next(length, &at, &name);)
        count += saved_get(saved, &name).size;
    int size = snprintf(outgoing->number, sizeof outgoing->number, hexadecimal ? "%" PRIx64 : "%" PRIu64, count);
    return (struct exchange_bytes){.data = outgoing->number, .size = (size_t)size};
}

size_t outgoing_take(struct outgoing *outgoing, char *buffer, size_t size) {
    static const struct saved none;
    const struct saved *saved = outgoing->saved ? outgoing->saved : &none;
    size_t taken = 0;
    while (taken < size && outgoing->piece < outgoing->piece_count) {
        const struct exchange_piece *piece = &outgoing->pieces[outgoing->piece];
        struct exchange_bytes bytes = piece->bytes;
        if (piece->kind == EXCHANGE_PIECE_VALUE)
            bytes = saved_get(saved, &piece->bytes);
        else if (piece->kind == EXCHANGE_PIECE_LENGTH)
            bytes = number(outgoing, &piece->bytes, saved);
        if (outgoing->repetition == piece->count || !bytes.size) {
            outgoing->piece++;
            outgoing->repetition = 0;
            continue;
        }
        size_t room = size - taken;
        uint64_t whole = outgoing->offset ? 0 : room / bytes.size;
        if (whole > piece->count - outgoing->repetition)
            whole = piece->count - outgoing->repetition;
        if (whole) {
            repeat(buffer + taken, bytes.data, bytes.size, (size_t)whole);
            taken += (size_t)whole * bytes.size;
            outgoing->repetition += whole;
            continue;
        }
        size_t part = bytes.size - outgoing->offset < room ? bytes.size - outgoing->offset : room;
        memcpy(buffer + taken, bytes.data + outgoing->offset, part);
        taken += part;
        outgoing->offset += part;
        if (outgoing->offset == bytes.size) {
            outgoing->offset = 0;
            outgoing->repetition++;
        }
    }
    return taken;
}
