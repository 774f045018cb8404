/* dialogue.h: what two sides say on one connection, cut into exchanges and written as such (docs/exchange.md).
 *
 * Owns the text of the exchange that is under way; what is finished is handed out and forgotten. Only listens: nothing here can hold up
 * or change what passes. Knows nothing of sockets, files, other connections or Python.
 *
 * An exchange ends where every request on the connection has its response whole and nothing of a further one has come; so pipelined
 * requests are one exchange. Told so (`whole`), it goes on up to the end of the connection. What is not understood (no HTTP, or another
 * protocol behind an upgrade) is one exchange up to the end of the connection. Each read is a `send`, unless the read before it filled its
 * buffer; each response and interim response a `wait`, in the order in which they passed.
 *
 * An exchange that grows beyond the bounds below, or finds no memory, is given up: it is counted in `lost`, and the next one is listened to
 * again where its beginning can be told.
 */
#ifndef BRIDGECHECK_RECORDER_DIALOGUE_H
#define BRIDGECHECK_RECORDER_DIALOGUE_H

#include "../exchange/writer.h"
#include "answer.h"
#include "frames.h"
#include "messages.h"

#define DIALOGUE_TEXT_MAX ((size_t)16 << 20) /* characters of one exchange's steps */
#define DIALOGUE_STEPS_MAX 4000u             /* within EXCHANGE_STEPS_MAX */
#define DIALOGUE_MERGE_STEPS 1000u           /* from here on reads that follow each other are one send */
#define DIALOGUE_WHOLE_STEPS 2000u           /* from here on a whole connection is cut where it can be */
#define DIALOGUE_FRAMES_WAITED 64u           /* frames that are waited for between two sends, at most */
#define DIALOGUE_ANSWERS_STEPS 1000u         /* from here on no more answers are kept, so that nothing is given up for their sake */
#define DIALOGUE_ANSWERS_MAX ((size_t)8 << 20)
#define DIALOGUE_PARTS 4

/* A finished exchange: its text, from "exchange" to the LF of its end, in parts that follow each other. Lives as long as the call. */
struct dialogue_text {
    struct exchange_bytes parts[DIALOGUE_PARTS];
};

struct dialogue {
    /* To be read at any time. */
    bool over;       /* the connection has come to its end, as far as it can be recorded */
    bool under_way;  /* bytes of an exchange have come that is not finished */
    size_t finished; /* exchanges handed out */
    size_t lost;     /* exchanges given up */

    /* To be set before anything is heard. */
    bool whole;   /* an exchange is all that is said on the connection */
    bool answers; /* what was answered is kept, behind each `wait response` */

    /* Its own. */
    struct exchange_allocator allocator;
    void (*on_finished)(void *owner, struct dialogue *dialogue, const struct dialogue_text *text);
    void *owner;
    struct messages requests, responses;
    struct frames frames;
    bool opaque;        /* requests are not told apart any more */
    bool deaf;          /* responses neither */
    bool tunnel;        /* frames pass */
    bool upgrade_asked; /* the last request decides, with its response, what comes next */

    /* Of the exchange under way. */
    struct writer steps;
    struct answer answer;    /* of the response under way */
    struct growing kinds;    /* of its complete requests: enum messages_kind, an octet each */
    struct growing statuses; /* " 200 404" */
    size_t answered, step_count, half_closed_at;
    uint64_t frames_waited;
    bool giving_up, named, blank, websocket, half_closed, send_open, merging;
    char name[MESSAGES_TARGET_MAX + 16];
};

/* It lies still until dialogue_free(). ON_FINISHED is called with each exchange. ALLOCATOR (copied) may be NULL. */
void dialogue_init(struct dialogue *dialogue, const struct exchange_allocator *allocator,
                   void (*on_finished)(void *owner, struct dialogue *dialogue, const struct dialogue_text *text), void *owner);

/* SIZE bytes that one read brought. FILLED: there was no room for more, so the next read goes on with the same. */
void dialogue_client(struct dialogue *dialogue, const char *data, size_t size, bool filled);
void dialogue_server(struct dialogue *dialogue, const char *data, size_t size);

/* The side sends no more: FIN, or a reset. */
void dialogue_client_end(struct dialogue *dialogue, bool reset);
void dialogue_server_end(struct dialogue *dialogue, bool reset);

/* Behind its FIN it turns out that the client reads no more either: it had closed, not half-closed. */
void dialogue_client_gone(struct dialogue *dialogue);

/* The listening ends here. What has its response's head is written as if the client left now; else it is lost. */
void dialogue_stop(struct dialogue *dialogue);

void dialogue_free(struct dialogue *dialogue);

#endif
