/* requests.h: what requests our own outgoing bytes make, by llhttp in request mode.
 *
 * Owns the list of requests; it goes with requests_free(). Knows nothing of sockets, responses, Python or exchanges' steps.
 *
 * It serves two questions: how many responses may come, and what each of them answers. It follows what a tolerant server would follow, as
 * far as llhttp can: versions of any number, control bytes and folds in fields' values, bare LF after a field, Content-Length beside
 * chunked, spaces after a chunk's size. A strict server refuses such a request, which is an answer too. It stops where servers do not agree
 * about where a request ends (a transfer coding other than chunked, Content-Length twice, a chunk not ended by CRLF), and at what llhttp
 * does not know (its methods are a fixed list; bare LF after the version).
 */
#ifndef BRIDGECHECK_REQUESTS_H
#define BRIDGECHECK_REQUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <llhttp.h>

#include "../exchange/exchange.h"
#include "response.h"

#define REQUESTS_COUNT_MAX 4096u
#define REQUESTS_TARGET_MAX 4096u /* kept of one target */
#define REQUESTS_KEY_MAX 64u      /* kept of a WebSocket's key */

enum requests_state {
    REQUESTS_FOLLOWED, /* all bytes so far are understood */
    REQUESTS_CLOSED,   /* the last complete request asks to close: a server answers nothing after it. Later bytes are not looked at */
    REQUESTS_UPGRADED, /* the last complete request is CONNECT or asks for an upgrade. Later bytes are not looked at */
    REQUESTS_BROKEN /* what began after `complete` requests is not understood: at most one more response, to an unknown method, then nothing
                       sure */
};

struct request {
    const char *method; /* llhttp's name of it, static; "" until known */
    char *target;       /* the first target_kept bytes; none where a broken request ends within it */
    size_t target_kept;
    uint64_t target_size;
    bool head_complete, complete;
    bool expects_continue;      /* Expect: 100-continue */
    char key[REQUESTS_KEY_MAX]; /* the first Sec-WebSocket-Key */
    size_t key_size;            /* 0 where there is none, or a longer one */
};

struct requests {
    /* To be read at any time. */
    struct request *requests; /* those with a known method, the last may be incomplete; moves when fed */
    size_t count;
    size_t complete; /* requests sent whole: so many responses are to be expected */
    enum requests_state state;
    bool under_way;    /* some bytes of one more request were sent, but not all */
    const char *error; /* BROKEN: llhttp's name of it, or REQUESTS_TOO_MANY, OUT_OF_MEMORY; else ""; static */

    /* Its own. */
    llhttp_t parser;
    struct exchange_allocator allocator;
    size_t capacity, target_capacity;
    char name[24];
    char value[REQUESTS_KEY_MAX];
    size_t name_size, value_size;
    bool target_complete, out_of_memory;
};

/* It lies still from here to requests_free(): llhttp points into it. ALLOCATOR (copied) may be NULL. */
void requests_init(struct requests *requests, const struct exchange_allocator *allocator);

/* The next SIZE bytes that are sent. Returns 0, or -1 out of memory; then it is BROKEN, what it holds is whole, and it can only be read and
 * freed. */
int requests_feed(struct requests *requests, const char *data, size_t size);

void requests_free(struct requests *requests);

/* What the response INDEX (from 0) answers: a response_to_cb, with a struct requests as context. */
enum response_to requests_answered_by(void *requests, size_t index);

#endif
