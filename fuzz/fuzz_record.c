/* fuzz_record.c: any bytes as what happens on one connection of the recorder.
 *
 * The first octet says how the rest is told: bit 0, each portion octet by octet; bit 1, a connection is one exchange. Then each portion has
 * a head of two octets: what happens (0 to 9: the client says, 10 to 19: the server says, 20 and 21: the client's FIN and reset, 22 and 23:
 * the server's, 24: the client is gone, 25: the listening ends; more is taken modulo 26), and how many of the octets behind are said.
 *
 * Oracle: what is handed out is an exchange file, with a session's names used once; nothing is lost; and one behind the other its sends are
 * what the client said, up to where the listening ended, but for CR and LF that belong to no request.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../conformance/recorder/dialogue.h"

#define HOLDS(condition) ((condition) ? (void)0 : broken(#condition, __LINE__))

static const char MAGIC[] = "bridgecheck-exchange 1\nsession s\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void broken(const char *condition, int line) {
    fprintf(stderr, "fuzz_record.c:%d: does not hold: %s\n", line, condition);
    abort();
}

struct text {
    char *data;
    size_t size;
};

static void add(struct text *text, const void *data, size_t size) {
    text->data = realloc(text->data, text->size + size + 1);
    HOLDS(text->data != NULL);
    if (size)
        memcpy(text->data + text->size, data, size);
    text->size += size;
}

/* What is handed out, what the client has said, and how much of that when something was handed out last. */
struct heard {
    struct text text, said;
    size_t finished_with;
};

static void on_finished(void *owner, struct dialogue *dialogue, const struct dialogue_text *text) {
    struct heard *heard = owner;
    HOLDS(!dialogue->over);
    for (int i = 0; i < DIALOGUE_PARTS; i++)
        add(&heard->text, text->parts[i].data, text->parts[i].size);
    heard->finished_with = heard->said.size;
}

/* Each portion is read from memory of its own size, so that the sanitizer sees a byte beyond it. */
static void say(struct dialogue *dialogue, struct heard *heard, bool client, const uint8_t *data, size_t size, size_t portion) {
    for (size_t at = 0; at < size; at += portion) {
        size_t now = portion < size - at ? portion : size - at;
        char *copy = malloc(now);
        HOLDS(copy != NULL);
        memcpy(copy, data + at, now);
        if (client && !dialogue->half_closed)
            add(&heard->said, copy, now);
        if (client)
            dialogue_client(dialogue, copy, now, size & 1);
        else
            dialogue_server(dialogue, copy, now);
        free(copy);
    }
}

static bool is_blank(char octet) { return octet == '\r' || octet == '\n'; }

/* SENT is what was SAID, where CR and LF that nothing followed may be missing. */
static void check_sent(const struct text *sent, const struct text *said) {
    size_t at = 0;
    for (size_t i = 0; i < said->size; i++) {
        if (at < sent->size && sent->data[at] == said->data[i])
            at++;
        else
            HOLDS(is_blank(said->data[i]));
    }
    HOLDS(at == sent->size);
}

static void check_file(const struct text *text, const struct text *said) {
    struct exchange_file *file;
    struct exchange_error error;
    if (text->size == sizeof MAGIC - 1) { /* a session that holds nothing is no session */
        check_sent(&(struct text){0}, said);
        return;
    }
    if (exchange_parse(text->data, text->size, NULL, &file, &error)) {
        fprintf(stderr, "%u:%u: %s\n%.*s\n", error.line, error.column, error.message, (int)text->size, text->data);
        abort();
    }
    struct text sent = {0};
    for (size_t i = 0; i < file->exchange_count; i++)
        for (size_t j = 0; j < file->exchanges[i].step_count; j++) {
            const struct exchange_step *step = &file->exchanges[i].steps[j];
            for (size_t k = 0; step->kind == EXCHANGE_SEND && k < step->piece_count; k++) {
                HOLDS(step->pieces[k].kind == EXCHANGE_PIECE_BYTES);
                for (uint64_t n = 0; n < step->pieces[k].count; n++)
                    add(&sent, step->pieces[k].bytes.data, step->pieces[k].bytes.size);
            }
        }
    check_sent(&sent, said);
    free(sent.data);
    exchange_file_free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1)
        return 0;
    struct heard heard = {0};
    struct dialogue dialogue;
    add(&heard.text, MAGIC, sizeof MAGIC - 1);
    dialogue_init(&dialogue, NULL, on_finished, &heard);
    dialogue.whole = data[0] & 2;
    dialogue.answers = data[0] & 4;
    size_t portion = data[0] & 1 ? 1 : SIZE_MAX;
    for (size_t at = 1; at + 2 <= size && !dialogue.over;) {
        unsigned what = data[at] % 26;
        size_t now = data[at + 1] < size - at - 2 ? data[at + 1] : size - at - 2;
        at += 2;
        if (what < 20) {
            say(&dialogue, &heard, what < 10, data + at, now, portion);
            at += now;
        } else if (what == 20 || what == 21) {
            dialogue_client_end(&dialogue, what == 21);
        } else if (what == 22 || what == 23) {
            dialogue_server_end(&dialogue, what == 23);
        } else if (what == 24) {
            dialogue_client_gone(&dialogue);
        }
    }
    heard.said.size = heard.finished_with; /* what is not finished is not handed out */
    dialogue_free(&dialogue);
    HOLDS(dialogue.lost == 0);
    check_file(&heard.text, &heard.said);
    free(heard.text.data);
    free(heard.said.data);
    return 0;
}
