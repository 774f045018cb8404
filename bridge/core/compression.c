/* compression.c: see compression.h. */
#include "compression.h"

#include <limits.h>
#include <string.h>

/* What ends each message and is left out on the wire (RFC 7692 section 7.2.1). */
static const unsigned char TAIL[] = {0x00, 0x00, 0xff, 0xff};

#define MEMORY_LEVEL 5 /* the compressor's hash: 16 KiB */
#define ROOM_MIN 256u
#define ROOM_MAX (64u << 10)

static voidpf take(voidpf context, uInt count, uInt size) {
    const struct allocator *allocator = context;
    return allocator->resize(allocator->context, NULL, (size_t)count * size);
}

static void give(voidpf context, voidpf memory) { allocator_free(context, memory); }

static z_stream empty_stream(const struct compression *compression) {
    return (z_stream){.zalloc = take, .zfree = give, .opaque = (voidpf)(uintptr_t)compression->allocator};
}

void compression_init(struct compression *compression, const struct allocator *allocator, const struct compression_terms *terms) {
    *compression = (struct compression){.terms = *terms, .allocator = allocator};
}

/* zlib takes no more than an unsigned int at once. */
static uInt portion(size_t size) { return size < UINT_MAX ? (uInt)size : UINT_MAX; }

/* --- in ------------------------------------------------------------------------------------------------------------------------------- */

static bool open_in(struct compression *compression, bool first) {
    if (compression->in_open)
        return !(first && compression->terms.client_restarts) || inflateReset(&compression->in) == Z_OK;
    compression->in = empty_stream(compression);
    compression->in_open = inflateInit2(&compression->in, -compression->terms.client_bits) == Z_OK;
    return compression->in_open;
}

/* A block that says it is the last ends the stream for zlib, yet not for the extension: another block may follow (RFC 7692
 * section 7.2.3.4), and looks back on what was before. */
static bool reopen_in(struct compression *compression) {
    Bytef window[1u << COMPRESSION_BITS_MAX];
    uInt size = 0;
    return inflateGetDictionary(&compression->in, window, &size) == Z_OK && inflateReset(&compression->in) == Z_OK &&
           inflateSetDictionary(&compression->in, window, size) == Z_OK;
}

static enum compression_fault inflate_some(struct compression *compression, const unsigned char *data, size_t size, uint64_t *more,
                                           struct buffer *out) {
    z_stream *in = &compression->in;
    bool full = false;
    in->avail_in = 0;
    while (size > 0 || in->avail_in > 0 || full) {
        if (in->avail_in == 0) {
            in->next_in = (z_const Bytef *)(uintptr_t)data;
            in->avail_in = portion(size);
            data += in->avail_in;
            size -= in->avail_in;
        }
        /* Room for four times what is there, which is what text takes; more is asked for when that is full. */
        uint64_t wanted = (uint64_t)in->avail_in * 4;
        wanted = wanted < ROOM_MIN ? ROOM_MIN : wanted > ROOM_MAX ? ROOM_MAX : wanted;
        size_t room_size = (size_t)(wanted < *more ? wanted : *more);
        char nothing, *room = room_size > 0 ? buffer_room(out, compression->allocator, room_size) : &nothing;
        if (!room)
            return COMPRESSION_NO_MEMORY;
        in->next_out = (Bytef *)room;
        in->avail_out = (uInt)room_size;
        int result = inflate(in, Z_SYNC_FLUSH);
        size_t added = room_size - in->avail_out;
        buffer_added(out, added);
        *more -= added;
        if (result == Z_MEM_ERROR)
            return COMPRESSION_NO_MEMORY;
        if (result == Z_STREAM_END ? !reopen_in(compression) : result != Z_OK && result != Z_BUF_ERROR)
            return COMPRESSION_INVALID;
        full = result != Z_STREAM_END && in->avail_out == 0 && *more > 0;
        if (*more == 0 && in->avail_in > 0 && result != Z_STREAM_END)
            return COMPRESSION_TOO_LARGE;
    }
    return COMPRESSION_OK;
}

enum compression_fault compression_inflate(struct compression *compression, const char *data, size_t size, bool first, bool last,
                                           uint64_t more, struct buffer *out) {
    if (!open_in(compression, first))
        return COMPRESSION_NO_MEMORY;
    enum compression_fault fault = inflate_some(compression, (const unsigned char *)data, size, &more, out);
    if (fault == COMPRESSION_OK && last)
        fault = inflate_some(compression, TAIL, sizeof TAIL, &more, out);
    return fault;
}

/* --- out ------------------------------------------------------------------------------------------------------------------------------ */

static bool open_out(struct compression *compression) {
    if (compression->out_open)
        return !compression->terms.server_restarts || deflateReset(&compression->out) == Z_OK;
    compression->out = empty_stream(compression);
    compression->out_open = deflateInit2(&compression->out, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -compression->terms.server_bits,
                                         MEMORY_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK;
    return compression->out_open;
}

/* Everything that zlib has to give, ROOM_SIZE octets at a time. */
static bool deflate_all(struct compression *compression, int flush, uInt room_size, struct buffer *out) {
    z_stream *stream = &compression->out;
    do {
        char *room = buffer_room(out, compression->allocator, room_size);
        if (!room)
            return false;
        stream->next_out = (Bytef *)room;
        stream->avail_out = room_size;
        deflate(stream, flush); /* Z_OK, or Z_BUF_ERROR where there is nothing to do */
        buffer_added(out, room_size - stream->avail_out);
    } while (stream->avail_out == 0);
    return true;
}

enum compression_fault compression_deflate(struct compression *compression, const char *data, size_t size, struct buffer *out) {
    if (!open_out(compression))
        return COMPRESSION_NO_MEMORY;
    z_stream *stream = &compression->out;
    /* Room for all of a short message. Of a long one so much for what zlib still holds at its end, a block at most: a flush that has to ask
     * for more room may come twice. */
    uInt room_size = size < ROOM_MAX ? (uInt)deflateBound(stream, (uLong)size) + ROOM_MIN : ROOM_MAX;
    /* First the octets, then the flush: of an empty message, too, a block comes then. */
    do {
        stream->next_in = (z_const Bytef *)(uintptr_t)data;
        stream->avail_in = portion(size);
        data += stream->avail_in;
        size -= stream->avail_in;
        if (!deflate_all(compression, Z_NO_FLUSH, room_size, out))
            return COMPRESSION_NO_MEMORY;
    } while (size > 0);
    if (!deflate_all(compression, Z_SYNC_FLUSH, room_size, out))
        return COMPRESSION_NO_MEMORY;
    out->size -= sizeof TAIL; /* a flush ends with it */
    return COMPRESSION_OK;
}

void compression_free(struct compression *compression) {
    if (compression->in_open)
        inflateEnd(&compression->in);
    if (compression->out_open)
        deflateEnd(&compression->out);
    compression->in_open = compression->out_open = false;
}
