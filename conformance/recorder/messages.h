/* messages.h: where HTTP/1 messages begin and end in the bytes of one side of a connection, by llhttp, which only listens.
 *
 * Owns one parser, and what names a message: method, target, status. Keeps no bytes and allocates nothing. Knows nothing of the other
 * side, sockets, exchanges or Python.
 *
 * llhttp runs strict. What it does not understand a server may well answer; it is BROKEN here, and whoever listens has to go on without
 * knowing where messages end.
 */
#ifndef BRIDGECHECK_RECORDER_MESSAGES_H
#define BRIDGECHECK_RECORDER_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <llhttp.h>

#define MESSAGES_TARGET_MAX 80u /* bytes kept of a target */

/* What a request asks for, as far as its response is framed by it. */
enum messages_kind { MESSAGES_OTHER, MESSAGES_HEAD, MESSAGES_CONNECT };

enum messages_result {
    MESSAGES_MORE,     /* all bytes were taken */
    MESSAGES_COMPLETE, /* a message ended behind the bytes that were taken */
    MESSAGES_BROKEN    /* not understood: the parser can only be forgotten */
};

/* A part of a message, as it is heard. */
enum messages_part { MESSAGES_STATUS, MESSAGES_NAME, MESSAGES_VALUE, MESSAGES_FIELD_END, MESSAGES_HEAD_END, MESSAGES_CONTENT };

struct messages {
    /* Of the message that is under way, or else of the last one. */
    bool under_way; /* some of its bytes have come, but not all */
    bool head;      /* its head is whole */
    enum messages_kind kind;
    const char *method; /* llhttp's name; static */
    unsigned status;
    char target[MESSAGES_TARGET_MAX];
    size_t target_size;
    uint64_t content;  /* bytes of its content so far */
    bool closing;      /* it says that the connection ends behind it */
    bool upgrade;      /* a request that asks for another protocol; a response behind which there is another */
    bool to_websocket; /* … which is WebSocket */

    /* To be set before anything is heard, or NULL: each part, in pieces of any size; DATA is empty where a part has none. */
    void (*heard)(void *context, enum messages_part part, const char *data, size_t size);

    /* Its own. */
    llhttp_t parser;
    enum messages_kind (*answered)(void *context);
    void *context;
    char name[8], value[16];
    size_t name_size, value_size;
};

/* A listener lies still: llhttp points into it. */
void messages_init_requests(struct messages *messages);

/* ANSWERED is asked at the end of each head of a final response: the kind of the request that it answers. */
void messages_init_responses(struct messages *messages, enum messages_kind (*answered)(void *context), void *context);

/* The next SIZE bytes, of which *TAKEN were listened to: up to the end of one message at most. */
enum messages_result messages_feed(struct messages *messages, const char *data, size_t size, size_t *taken);

/* FIN: COMPLETE where that ends a message, MORE otherwise. */
enum messages_result messages_end(struct messages *messages);

#endif
