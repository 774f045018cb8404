/* dialogue.c: see dialogue.h. */
#include "dialogue.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BODY_WAITED_MAX ((uint64_t)1 << 30) /* the grammar's greatest COUNT */
#define EQUAL_LINES 3u                      /* from so many on they are one "*" piece */

static enum messages_kind answered(void *context) {
    const struct dialogue *dialogue = context;
    if (dialogue->answered < dialogue->kinds.count)
        return ((const unsigned char *)dialogue->kinds.items)[dialogue->answered];
    /* Answered before it is whole. Before its head is, a server cannot go by its method either. */
    return dialogue->requests.under_way && dialogue->requests.head ? dialogue->requests.kind : MESSAGES_OTHER;
}

static void heard(void *context, enum messages_part part, const char *data, size_t size) {
    struct dialogue *dialogue = context;
    const llhttp_t *parser = &dialogue->responses.parser;
    struct answer *answer = &dialogue->answer;
    const struct exchange_allocator *allocator = &dialogue->allocator;
    if (!dialogue->answers || dialogue->giving_up)
        return;
    switch (part) {
    case MESSAGES_STATUS:
        answer_clear(answer, allocator); /* that of an interim response */
        answer_status(answer, allocator, parser->http_major, parser->http_minor, parser->status_code);
        break;
    case MESSAGES_NAME:
        answer_name(answer, allocator, data, size);
        break;
    case MESSAGES_VALUE:
        answer_value(answer, allocator, data, size);
        break;
    case MESSAGES_FIELD_END:
        answer_field_end(answer, allocator);
        break;
    case MESSAGES_HEAD_END:
        answer_head_end(answer, allocator);
        break;
    case MESSAGES_CONTENT:
        answer_content(answer, allocator, data, size);
    }
}

void dialogue_init(struct dialogue *dialogue, const struct exchange_allocator *allocator,
                   void (*on_finished)(void *owner, struct dialogue *dialogue, const struct dialogue_text *text), void *owner) {
    *dialogue = (struct dialogue){.on_finished = on_finished, .owner = owner, .blank = true};
    writer_init(&dialogue->steps, allocator);
    dialogue->allocator = dialogue->steps.allocator;
    messages_init_requests(&dialogue->requests);
    messages_init_responses(&dialogue->responses, answered, dialogue);
    dialogue->responses.heard = heard;
}

static void forget_text(struct dialogue *dialogue) {
    writer_free(&dialogue->steps);
    writer_init(&dialogue->steps, &dialogue->allocator);
    growing_free(&dialogue->statuses, &dialogue->allocator);
    growing_free(&dialogue->answer.bytes, &dialogue->allocator);
    dialogue->answer = (struct answer){0};
}

void dialogue_free(struct dialogue *dialogue) {
    forget_text(dialogue);
    growing_free(&dialogue->kinds, &dialogue->allocator);
}

static void give_up(struct dialogue *dialogue) {
    if (dialogue->giving_up)
        return;
    dialogue->giving_up = true;
    dialogue->lost++;
    forget_text(dialogue);
}

static void check_bounds(struct dialogue *dialogue) {
    if (dialogue->steps.out_of_memory || dialogue->steps.text.count > DIALOGUE_TEXT_MAX || dialogue->step_count > DIALOGUE_STEPS_MAX)
        give_up(dialogue);
}

#define STATEMENT(dialogue, ...)                                                                                                           \
    do {                                                                                                                                   \
        if (!(dialogue)->giving_up) {                                                                                                      \
            writer_statement(&(dialogue)->steps, __VA_ARGS__);                                                                             \
            (dialogue)->step_count++;                                                                                                      \
            (dialogue)->send_open = false;                                                                                                 \
            check_bounds(dialogue);                                                                                                        \
        }                                                                                                                                  \
    } while (0)

/* How many of the lines at DATA are equal to the first one; *LINE is its size with its LF, 0 where none ends here. */
static size_t equal_lines(const char *data, size_t size, size_t *line) {
    const char *end = memchr(data, '\n', size);
    *line = end ? (size_t)(end - data) + 1 : 0;
    size_t count = end ? 1 : 0;
    while (count > 0 && size - count * *line >= *line && memcmp(data, data + count * *line, *line) == 0)
        count++;
    return count;
}

static void put_pieces(struct writer *writer, const char *data, size_t size) {
    size_t plain = 0;
    for (size_t at = 0; at < size;) {
        size_t line, count = equal_lines(data + at, size - at, &line);
        if (count >= EQUAL_LINES && line <= EXCHANGE_REPEATED_MAX / 8) {
            struct exchange_piece piece = {.bytes = {.data = (char *)data + at, .size = line}, .count = count};
            writer_bytes(writer, data + plain, at - plain);
            writer_pieces(writer, &piece, 1);
            plain = at + count * line;
        }
        at = count > 0 ? at + count * line : size;
    }
    writer_bytes(writer, data + plain, size - plain);
}

/* A name that says what was asked first. */
static void name_it(struct dialogue *dialogue) {
    const struct messages *requests = &dialogue->requests;
    char *name = dialogue->name;
    size_t size = 0;
    for (const char *method = requests->method; *method && size < 12; method++)
        name[size++] = *method >= 'A' && *method <= 'Z' ? (char)(*method + ('a' - 'A')) : '-';
    name[size] = '-';
    size_t start = size + 1, end = start;
    bool gap = false;
    for (size_t i = 0; i < requests->target_size && requests->target[i] != '?'; i++) {
        char octet = requests->target[i];
        bool kept = (octet >= 'a' && octet <= 'z') || (octet >= 'A' && octet <= 'Z') || (octet >= '0' && octet <= '9') || octet == '_';
        if (kept) {
            if (gap && end > start)
                name[end++] = '-';
            name[end++] = octet;
        }
        gap = !kept;
    }
    name[end] = '\0';
    if (end == start)
        strcpy(name + start, "front-page");
    dialogue->named = true;
}

static struct exchange_bytes bytes(const void *data, size_t size) { return (struct exchange_bytes){.data = (char *)data, .size = size}; }

static void put_status(struct dialogue *dialogue) {
    if (dialogue->giving_up)
        return;
    char *room = growing_add(&dialogue->statuses, &dialogue->allocator, 4, 1);
    char text[16];
    snprintf(text, sizeof text, " %3u", dialogue->responses.status % 1000);
    if (room)
        memcpy(room, text, 4);
    else
        give_up(dialogue);
}

/* Hand the exchange out, and be ready for the next. */
static void finish(struct dialogue *dialogue, const char *end) {
    const struct messages *responses = &dialogue->responses;
    if (responses->under_way && responses->head && responses->status / 100 != 1)
        put_status(dialogue);
    if (!dialogue->named && dialogue->requests.head)
        name_it(dialogue);
    if (!dialogue->giving_up && !dialogue->blank) {
        char head[sizeof dialogue->name + 80], number[24] = "", last[16];
        if (++dialogue->finished > 1)
            snprintf(number, sizeof number, ".%zu", dialogue->finished);
        bool status = dialogue->statuses.count > 0;
        int size = snprintf(head, sizeof head, "exchange %s%s\n%s%s", dialogue->named ? dialogue->name : "no-request", number,
                            dialogue->websocket ? "needs: websocket\n" : "", status ? "status:" : "");
        int last_size = snprintf(last, sizeof last, "end %s\n", end);
        /* Behind the statuses their line has to end: the steps begin with an LF then. */
        struct dialogue_text text = {.parts = {
                                         bytes(head, (size_t)size),
                                         bytes(dialogue->statuses.items, dialogue->statuses.count),
                                         bytes((char *)dialogue->steps.text.items + !status, dialogue->steps.text.count - !status),
                                         bytes(last, (size_t)last_size),
                                     }};
        dialogue->on_finished(dialogue->owner, dialogue, &text);
    }
    dialogue->steps.text.count = dialogue->statuses.count = dialogue->kinds.count = 0;
    if (dialogue->steps.text.capacity > 65536)
        forget_text(dialogue); /* a large one needs not stay for small ones */
    dialogue->answered = dialogue->step_count = 0;
    dialogue->under_way = dialogue->giving_up = dialogue->named = dialogue->websocket = dialogue->half_closed = false;
    dialogue->send_open = dialogue->merging = false;
    dialogue->blank = true;
}

/* Nothing is owed and nothing is open. */
static bool is_settled(const struct dialogue *dialogue) {
    return !dialogue->opaque && !dialogue->half_closed && dialogue->kinds.count > 0 && !dialogue->requests.under_way &&
           dialogue->answered >= dialogue->kinds.count && !dialogue->responses.under_way;
}

static void settle(struct dialogue *dialogue) {
    bool goes_on = dialogue->whole && !dialogue->responses.closing && dialogue->step_count < DIALOGUE_WHOLE_STEPS;
    if (is_settled(dialogue) && !goes_on)
        finish(dialogue, dialogue->responses.closing ? "close" : "next");
}

/* What the client has seen before it does its next step. */
static void put_frames(struct dialogue *dialogue) {
    uint64_t due = dialogue->frames.count - dialogue->frames_waited;
    for (uint64_t i = 0; i < due && i < DIALOGUE_FRAMES_WAITED; i++)
        STATEMENT(dialogue, "wait frame");
    dialogue->frames_waited = dialogue->frames.count;
}

static void put_send(struct dialogue *dialogue, const char *data, size_t size) {
    bool merged = dialogue->send_open && (dialogue->merging || dialogue->step_count >= DIALOGUE_MERGE_STEPS);
    if (!merged)
        STATEMENT(dialogue, "send");
    if (dialogue->giving_up)
        return;
    put_pieces(&dialogue->steps, data, size);
    dialogue->send_open = true;
    check_bounds(dialogue);
}

static void listen_to_requests(struct dialogue *dialogue, const char *data, size_t size) {
    while (size > 0 && !dialogue->opaque) {
        if (dialogue->upgrade_asked) {
            dialogue->opaque = true; /* nobody can say yet in which protocol this is */
            return;
        }
        size_t taken;
        enum messages_result result = messages_feed(&dialogue->requests, data, size, &taken);
        data += taken;
        size -= taken;
        if (result == MESSAGES_BROKEN) {
            dialogue->opaque = true;
        } else if (result == MESSAGES_COMPLETE) {
            unsigned char *kind = growing_add(&dialogue->kinds, &dialogue->allocator, 1, 1);
            if (!kind) {
                give_up(dialogue);
                dialogue->opaque = dialogue->deaf = true;
                return;
            }
            *kind = (unsigned char)dialogue->requests.kind;
            if (!dialogue->named)
                name_it(dialogue);
            dialogue->upgrade_asked = dialogue->requests.upgrade;
        }
    }
}

static bool is_blank(const char *data, size_t size) {
    while (size > 0 && (*data == '\r' || *data == '\n'))
        data++, size--;
    return size == 0;
}

void dialogue_client(struct dialogue *dialogue, const char *data, size_t size, bool filled) {
    if (dialogue->over || dialogue->half_closed || size == 0)
        return;
    if (!dialogue->under_way)
        STATEMENT(dialogue, "%s", ""); /* ends the line of statuses */
    dialogue->under_way = true;
    dialogue->blank &= is_blank(data, size);
    put_frames(dialogue);
    put_send(dialogue, data, size);
    dialogue->merging = filled;
    listen_to_requests(dialogue, data, size);
    settle(dialogue);
}

static void put_answer(struct dialogue *dialogue) {
    struct answer *answer = &dialogue->answer;
    bool room = dialogue->step_count < DIALOGUE_ANSWERS_STEPS && dialogue->steps.text.count < DIALOGUE_ANSWERS_MAX;
    if (answer->bytes.count > 0 && room) {
        STATEMENT(dialogue, "answered");
        if (!dialogue->giving_up)
            put_pieces(&dialogue->steps, answer->bytes.items, answer->bytes.count);
        check_bounds(dialogue);
    }
    answer_clear(answer, &dialogue->allocator);
}

/* A response is complete, of which the last bytes have just come. */
static void responded(struct dialogue *dialogue) {
    const struct messages *responses = &dialogue->responses;
    if (responses->status / 100 == 1 && responses->status != 101) {
        STATEMENT(dialogue, "wait interim");
        return;
    }
    STATEMENT(dialogue, "wait response");
    put_answer(dialogue);
    put_status(dialogue);
    dialogue->answered++;
    if (responses->upgrade) {
        dialogue->opaque = dialogue->deaf = true;
        dialogue->tunnel = dialogue->websocket = responses->to_websocket;
    } else if (dialogue->answered >= dialogue->kinds.count) {
        dialogue->upgrade_asked = false;
    }
}

void dialogue_server(struct dialogue *dialogue, const char *data, size_t size) {
    if (dialogue->over || !dialogue->under_way)
        return; /* what nobody asked for belongs to no exchange */
    while (size > 0 && !dialogue->deaf) {
        size_t taken;
        enum messages_result result = messages_feed(&dialogue->responses, data, size, &taken);
        data += taken;
        size -= taken;
        if (result == MESSAGES_BROKEN)
            dialogue->opaque = dialogue->deaf = true;
        else if (result == MESSAGES_COMPLETE)
            responded(dialogue);
    }
    if (dialogue->tunnel)
        frames_feed(&dialogue->frames, data, size);
    settle(dialogue);
}

/* How far the client has read, where it goes on before the response is whole. */
static void put_progress(struct dialogue *dialogue) {
    const struct messages *responses = &dialogue->responses;
    if (!dialogue->deaf && responses->under_way && responses->head && responses->status / 100 != 1) {
        STATEMENT(dialogue, "wait head");
        if (responses->content > 0)
            STATEMENT(dialogue, "wait body %" PRIu64, responses->content < BODY_WAITED_MAX ? responses->content : BODY_WAITED_MAX);
    }
    put_frames(dialogue);
}

static void end_with(struct dialogue *dialogue, const char *step) {
    STATEMENT(dialogue, "%s", step);
    finish(dialogue, "next");
    dialogue->over = true;
}

void dialogue_client_end(struct dialogue *dialogue, bool reset) {
    if (dialogue->over || dialogue->half_closed)
        return;
    if (dialogue->under_way && is_settled(dialogue))
        finish(dialogue, "next");
    if (!dialogue->under_way) {
        dialogue->over = true;
        return;
    }
    put_progress(dialogue);
    if (reset) {
        end_with(dialogue, "reset");
        return;
    }
    dialogue->half_closed_at = dialogue->steps.text.count;
    dialogue->half_closed = true;
    STATEMENT(dialogue, "half-close");
}

void dialogue_client_gone(struct dialogue *dialogue) {
    if (dialogue->over || !dialogue->half_closed)
        return;
    if (!dialogue->giving_up)
        dialogue->steps.text.count = dialogue->half_closed_at; /* nothing can be waited for behind a close */
    end_with(dialogue, "close");
}

void dialogue_server_end(struct dialogue *dialogue, bool reset) {
    if (dialogue->over)
        return;
    if (dialogue->under_way) {
        if (!reset && !dialogue->deaf && messages_end(&dialogue->responses) == MESSAGES_COMPLETE)
            responded(dialogue);
        put_frames(dialogue);
        finish(dialogue, "close");
    }
    dialogue->over = true;
}

void dialogue_stop(struct dialogue *dialogue) {
    if (dialogue->over)
        return;
    const struct messages *responses = &dialogue->responses;
    bool heard = dialogue->statuses.count > 0 || (responses->under_way && responses->head);
    if (dialogue->under_way && is_settled(dialogue)) {
        finish(dialogue, "next");
    } else if (dialogue->under_way && dialogue->half_closed && heard) {
        dialogue_client_gone(dialogue);
    } else if (dialogue->under_way && heard) {
        put_progress(dialogue);
        end_with(dialogue, "close");
    } else if (dialogue->under_way && !dialogue->blank) {
        give_up(dialogue);
    }
    dialogue->over = true;
}
