/* parser.h: what the statements of an exchange file share while one file is parsed. Private to exchange.c, step.c, send.c
 * and frame.c.
 *
 * Owns nothing by itself: exchange_parse() makes a parser on its stack and gives everything back. What is handed out lies in `arena`;
 * arrays that still grow lie in `growing` ones and are copied to the arena when they are whole. Functions return 0, or -1 with the error
 * written.
 */
#ifndef BRIDGECHECK_PARSER_H
#define BRIDGECHECK_PARSER_H

#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "exchange.h"
#include "names.h"
#include "reader.h"

/* A connection of the exchange under way, as far as the script tells. */
struct parser_connection {
    struct reader_word name;
    unsigned half_closed, closed; /* the lines, or 0 */
};

struct parser {
    struct reader reader;
    struct arena arena;
    struct names names;
    struct exchange_bytes nothing; /* what stands in every text that is not set */
    struct growing exchanges, steps, metas, pieces, words, octets;

    /* The session under way; `name` is empty before the first. */
    struct exchange_bytes session;
    unsigned session_line, session_number;
    bool session_has_exchange;
    struct exchange_meta session_metas[EXCHANGE_META_MAX];
    size_t session_meta_count;

    /* The exchange under way. */
    bool in_exchange;
    struct exchange exchange;
    const char *exchange_start; /* its first byte in the file */
    unsigned exchange_number;   /* from 1, in the file */
    struct parser_connection connections[EXCHANGE_CONNECTIONS_MAX];
    size_t connection_count;
    struct parser_connection *current; /* NULL before the first is opened */
    uint64_t sent;

    /* The send (or frame, or what was answered) under way, whose pieces follow. */
    bool in_send;
};

/* step.c: the statement that begins with WORD, and that is no other. */
int parser_step(struct parser *parser, const struct reader_word *word);

/* step.c: the next TEXT: FOUND, NOTHING, or FAILED; for the current connection, one that can be written to (opened here if there is none).
 */
int parser_text(struct parser *parser, struct exchange_bytes *bytes);
int parser_need_writable(struct parser *parser);

/* frame.c: the line of "frame" behind its first word; and the opcode of "wait frame", which may be missing. */
int parser_frame(struct parser *parser, struct exchange_step *step);
int parser_wait_frame(struct parser *parser, struct exchange_step *step);

/* send.c: the line of "send" behind its first word, a piece, and the end of the pieces, which is told by the next statement. */
int parser_send(struct parser *parser, struct exchange_step *step);
int parser_piece(struct parser *parser);
int parser_send_done(struct parser *parser);

/* exchange.c: what these need of each other. */
int parser_out_of_memory(struct parser *parser);
int parser_keep(struct parser *parser, const char *data, size_t size, struct exchange_bytes *bytes);
int parser_keep_word(struct parser *parser, const struct reader_word *word, struct exchange_bytes *bytes);

/* One more octet in `octets`. */
int parser_put(struct parser *parser, char octet);

/* SIZE bytes more that are sent COUNT times; AT is where the message points. */
int parser_count_sent(struct parser *parser, const char *at, uint64_t size, uint64_t count);

/* The groups of `names`. */
enum parser_group { PARSER_SESSIONS, PARSER_EXCHANGES, PARSER_VALUES };
uint64_t parser_group(const struct parser *parser, enum parser_group group);

/* The arena's copy of GROWING's items of ITEM bytes (*ITEMS, a pointer of any type; NULL when there are none), which is empty then. */
int parser_keep_items(struct parser *parser, struct growing *growing, size_t item, void *items, size_t *count);

#endif
