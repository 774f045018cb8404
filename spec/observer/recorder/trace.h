/* trace.h: the trace file, shared by the recorder that writes it (inside the target's process) and the reader (inside the player).
 *
 * One append-only file per process in $BRIDGECHECK_TRACE, named PID-N.trace once its header is whole (PID-N.opening until then), sparse,
 * mapped shared; N counts up when one is full. The file is opened at the process's first call, never at import (gunicorn --preload forks
 * after import). Numbers are in native byte order: both ends run on one machine.
 *
 * The writer fills a record, then publishes it by storing the new end into `committed` with release order. A reader that loads
 * `committed` with acquire order sees only whole records, whatever kills the process.
 *
 * The doorbell is a Unix datagram socket whose path is $BRIDGECHECK_DOORBELL. One datagram is sent, never blocking and never checked, (1)
 * when a file was opened, and (2) after a record of kind CALL, END or SETTLED was published while `armed` is not 0 (the writer exchanges it
 * to 0 first). The datagram's content is the file name and means only "look".
 */
#ifndef BRIDGECHECK_TRACE_H
#define BRIDGECHECK_TRACE_H

#include <stdatomic.h>
#include <stdint.h>

#define TRACE_MAGIC "BCTRACE1"
#define TRACE_FILE_SIZE (256ull << 20)
#define TRACE_BODY_INLINE 8192u /* longer byte strings are written as length, hash, first and last TRACE_BODY_EDGE bytes */
#define TRACE_BODY_EDGE 4096u
#define TRACE_DEPTH_MAX 16
#define TRACE_VALUE_MAX (1u << 20) /* bytes of one record's payload */

struct trace_header {
    char magic[8];
    uint32_t pid;
    uint32_t reserved;
    _Atomic uint64_t committed; /* end of the last whole record, counted from the start of the file; at least sizeof(struct trace_header) */
    _Atomic uint32_t armed;     /* set by the reader when it sleeps, taken by the writer when it rings */
    uint32_t pad[9];
};

enum trace_kind {
    TRACE_CALL = 1, /* the app was called. payload: value scope, value properties (dict str -> bool/str): "receive", "send" ("coroutine
                       function" or a type name), "main thread" (bool), "loop" (type name, "" without one), "recorder" ("c" or "python") */
    TRACE_RECEIVED, /* receive() returned. value event; stream total and hash are those of the request content up to here */
    TRACE_RECEIVE_RAISED, /* value [type name, message, name of the nearest built-in class]; None for a message that could not be had */
    TRACE_SEND,           /* the app calls send(event). value event; stream total and hash are those of the response content up to here */
    TRACE_SENT,           /* that send() returned. value result (None as a rule) */
    TRACE_SEND_RAISED,    /* the same */
    TRACE_RETURNED,       /* END: the app returned. value result */
    TRACE_RAISED,         /* END: an exception left the app. the same */
    TRACE_SETTLED,        /* two loop turns after the end. no payload */
    TRACE_MARKED          /* the observer answered a marked request itself; no call. value token (bytes) */
};

struct trace_record {
    uint32_t size; /* of header and payload, a multiple of 8 */
    uint16_t kind;
    uint16_t client_port;  /* scope["client"][1] as int or decimal str, 0 when not visible; set on every record of the call */
    uint32_t call;         /* counts up from 1 in this process; 0 for TRACE_MARKED */
    uint32_t payload;      /* bytes of payload that follow; the rest up to size is padding */
    uint64_t nanoseconds;  /* CLOCK_MONOTONIC */
    uint64_t stream_total; /* TRACE_RECEIVED, TRACE_SEND: length of the stream's content so far */
    uint64_t stream_hash;  /* and its hash (FNV-1a, 64 bit), so that pieces do not matter */
};

/* A value is a tag byte and what follows it, unaligned:
 *   'N' None   'T' True   'F' False
 *   'i' int64            'd' double
 *   'I' u32 size, text of a larger int: decimal, or 0x... where it has more digits than Python writes as decimal
 *   's' u32 size, UTF-8 (surrogates passed through)
 *   'b' u32 size, bytes
 *   'B' u64 size, u64 hash (FNV-1a), u32 edge, first edge bytes, last edge bytes      (bytes longer than TRACE_BODY_INLINE)
 *   'S' the same for a str whose UTF-8 is longer than TRACE_BODY_INLINE; an edge may cut a character
 *   'L' list, 'U' tuple: u32 count, values            'D' dict: u32 count, then key, value, in the dict's order
 *   'X' u32 size, type name, value: an instance of a subclass (or bytearray, memoryview), with the value it holds
 *   'O' u32 size, type name: any other object
 *   '.' too deep (nested in TRACE_DEPTH_MAX containers), or in place of the whole value where the payload would pass TRACE_VALUE_MAX
 * Type names are __qualname__, with __module__ and a dot before them unless that is builtins.
 */

static inline uint64_t trace_hash_start(void) { return 0xcbf29ce484222325ull; }

static inline uint64_t trace_hash(uint64_t hash, const unsigned char *data, uint64_t size) {
    for (uint64_t i = 0; i < size; i++)
        hash = (hash ^ data[i]) * 0x100000001b3ull;
    return hash;
}

#endif
