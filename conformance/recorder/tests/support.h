/* support.h: what the tests of the recorder share: the exchanges that a dialogue hands out, as a file that is parsed. */
#ifndef BRIDGECHECK_RECORDER_TEST_SUPPORT_H
#define BRIDGECHECK_RECORDER_TEST_SUPPORT_H

#include "../../exchange/tests/support.h"
#include "../dialogue.h"

/* An exchange file in the making. Its text is the test's to free. */
struct collected {
    char *text;
    size_t size, count;
};

static inline void collect(struct collected *collected, const void *data, size_t size) {
    collected->text = realloc(collected->text, collected->size + size + 1);
    assert_non_null(collected->text);
    if (size)
        memcpy(collected->text + collected->size, data, size);
    collected->size += size;
    collected->text[collected->size] = '\0';
}

static inline void collect_exchange(void *owner, struct dialogue *dialogue, const struct dialogue_text *text) {
    (void)dialogue;
    struct collected *collected = owner;
    if (!collected->size)
        collect(collected, HEAD, sizeof HEAD - 1);
    collect(collected, "\n", 1);
    for (size_t i = 0; i < DIALOGUE_PARTS; i++)
        collect(collected, text->parts[i].data, text->parts[i].size);
    collected->count++;
}

/* All that the exchanges of the file send, one behind the other. */
static inline struct collected sent_by(const struct collected *collected) {
    struct collected sent = {0};
    if (!collected->size)
        return sent;
    struct exchange_file *file = parsed(collected->text, collected->size);
    assert_int_equal(file->exchange_count, collected->count);
    for (size_t i = 0; i < file->exchange_count; i++)
        for (size_t j = 0; j < file->exchanges[i].step_count; j++) {
            const struct exchange_step *step = &file->exchanges[i].steps[j];
            for (size_t k = 0; step->kind == EXCHANGE_SEND && k < step->piece_count; k++)
                for (uint64_t n = 0; n < step->pieces[k].count; n++)
                    collect(&sent, step->pieces[k].bytes.data, step->pieces[k].bytes.size);
        }
    exchange_file_free(file);
    return sent;
}

#endif
