/* fuzz_response.c: any bytes as what a server sends.
 *
 * The first octet says how the rest is read: bit 0, the peer ends it with FIN; then two bits each for what the first, second and third
 * response answer (1 HEAD, 2 CONNECT, else another method). The second octet plus one is the size of the portions of the third reading.
 *
 * Oracle: read whole, octet by octet and in portions, the bytes are the same responses. What a reader tells lies within its own bounds.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../conformance/player/response.h"
#include "../spec/observer/recorder/trace.h"

#define HOLDS(condition) ((condition) ? (void)0 : broken(#condition, __LINE__))

static const char token[] = "token";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void broken(const char *condition, int line) {
    fprintf(stderr, "fuzz_response.c:%d: does not hold: %s\n", line, condition);
    abort();
}

static enum response_to answered(void *context, size_t index) {
    static const enum response_to kinds[] = {RESPONSE_TO_OTHER, RESPONSE_TO_HEAD, RESPONSE_TO_CONNECT, RESPONSE_TO_OTHER};
    unsigned how = *(const uint8_t *)context;
    return index < 3 ? kinds[how >> (1 + 2 * index) & 3] : RESPONSE_TO_OTHER;
}

/* Each portion is read from memory of its own size, so that the sanitizer sees a byte beyond it. */
static void feed(struct response_reader *reader, const uint8_t *data, size_t size, size_t portion) {
    for (size_t at = 0; at < size; at += portion) {
        size_t now = portion < size - at ? portion : size - at;
        char *copy = malloc(now);
        HOLDS(copy != NULL);
        memcpy(copy, data + at, now);
        HOLDS(response_reader_feed(reader, copy, now, 0) == 0);
        free(copy);
    }
}

static void check_text(const struct response_head *head, uint32_t place, uint32_t size) {
    HOLDS(place <= head->text_size && size <= head->text_size - place);
}

static void check_head(const struct response_head *head) {
    HOLDS(head->text_size <= RESPONSE_TEXT_MAX && head->field_count + head->trailer_count <= RESPONSE_FIELDS_MAX);
    HOLDS(head->text_size == 0 || head->text != NULL);
    check_text(head, head->reason, head->reason_size);
    for (size_t i = 0; i < head->field_count + head->trailer_count; i++) {
        check_text(head, head->fields[i].name, head->fields[i].name_size);
        check_text(head, head->fields[i].value, head->fields[i].value_size);
        HOLDS(head->fields[i].name_size != 0);
    }
}

static void check_reader(const struct response_reader *reader) {
    size_t interims = 0, heads = 0, complete = 0;
    HOLDS(reader->count <= RESPONSE_COUNT_MAX);
    HOLDS(reader->rest_size <= RESPONSE_REST_MAX && reader->rest_size <= reader->rest_total);
    HOLDS((reader->phase == RESPONSE_BROKEN) == (reader->error[0] != '\0'));
    for (size_t i = 0; i < reader->count; i++) {
        const struct response *response = &reader->responses[i];
        check_head(&response->head);
        for (size_t interim = 0; interim < response->interim_count; interim++) {
            check_head(&response->interim[interim]);
            HOLDS(response->interim[interim].status / 100 == 1 && response->interim[interim].status != 101);
        }
        interims += response->interim_count;
        heads += response->head.status != 0;
        complete += response->complete;
        HOLDS(response->head.status != 0 || i + 1 == reader->count);
        HOLDS(response->head.status != 0 || !response->complete);
        HOLDS(response->complete || i + 1 == reader->count);
        HOLDS(response->content_kept <= RESPONSE_CONTENT_MAX && response->content_kept <= response->content_size);
        if (response->content_kept == response->content_size)
            HOLDS(response->content_hash ==
                  trace_hash(trace_hash_start(), (const unsigned char *)response->content, response->content_kept));
        HOLDS(response->framing != RESPONSE_NONE || response->content_size == 0);
        /* A chunk is counted when its size has come, its content may not have. */
        HOLDS(response->pieces <= response->content_size + (response->framing == RESPONSE_CHUNKED && !response->complete));
        HOLDS(response->pieces != 0 || response->content_size == 0);
    }
    HOLDS(heads == reader->heads && complete == reader->complete && interims <= reader->interims);
}

static void check_same_text(const struct response_head *one, uint32_t place, uint32_t size, const struct response_head *other,
                            uint32_t other_place, uint32_t other_size) {
    HOLDS(size == other_size);
    HOLDS(memcmp(response_text(one, place), response_text(other, other_place), size) == 0);
}

static void check_same_head(const struct response_head *one, const struct response_head *other) {
    HOLDS(one->version_major == other->version_major && one->version_minor == other->version_minor && one->status == other->status);
    HOLDS(one->field_count == other->field_count && one->trailer_count == other->trailer_count);
    check_same_text(one, one->reason, one->reason_size, other, other->reason, other->reason_size);
    for (size_t i = 0; i < one->field_count + one->trailer_count; i++) {
        const struct response_field *a = &one->fields[i], *b = &other->fields[i];
        check_same_text(one, a->name, a->name_size, other, b->name, b->name_size);
        check_same_text(one, a->value, a->value_size, other, b->value, b->value_size);
    }
}

static void check_same_response(const struct response *one, const struct response *other) {
    check_same_head(&one->head, &other->head);
    HOLDS(one->interim_count == other->interim_count);
    for (size_t i = 0; i < one->interim_count; i++)
        check_same_head(&one->interim[i], &other->interim[i]);
    HOLDS(one->framing == other->framing && one->complete == other->complete);
    HOLDS(one->framing != RESPONSE_CHUNKED || one->pieces == other->pieces);
    HOLDS(one->content_kept == other->content_kept && one->content_size == other->content_size);
    HOLDS(one->content_hash == other->content_hash);
    HOLDS(one->content_kept == 0 || memcmp(one->content, other->content, one->content_kept) == 0);
}

static void check_same(const struct response_reader *one, const struct response_reader *other) {
    HOLDS(one->count == other->count && one->heads == other->heads && one->complete == other->complete);
    HOLDS(one->interims == other->interims && one->phase == other->phase && one->closing == other->closing);
    HOLDS(one->marked == other->marked && one->stray == other->stray && strcmp(one->error, other->error) == 0);
    HOLDS(one->rest_total == other->rest_total && one->rest_size == other->rest_size);
    HOLDS(memcmp(one->rest, other->rest, one->rest_size) == 0);
    for (size_t i = 0; i < one->count; i++)
        check_same_response(&one->responses[i], &other->responses[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2)
        return 0;
    const size_t portions[] = {size, 1, (size_t)data[1] + 1};
    enum { READINGS = sizeof portions / sizeof *portions };
    struct response_reader readers[READINGS];
    uint8_t how = data[0];
    for (size_t i = 0; i < READINGS; i++) {
        response_reader_init(&readers[i], token, sizeof token - 1, answered, &how, NULL);
        feed(&readers[i], data + 2, size - 2, portions[i]);
        check_reader(&readers[i]);
    }
    /* Before the end and after it: what is under way must be the same, too. */
    check_same(&readers[0], &readers[1]);
    check_same(&readers[0], &readers[2]);
    for (size_t i = 0; i < READINGS && (how & 1); i++) {
        response_reader_eof(&readers[i]);
        check_reader(&readers[i]);
    }
    check_same(&readers[0], &readers[1]);
    check_same(&readers[0], &readers[2]);
    for (size_t i = 0; i < READINGS; i++)
        response_reader_free(&readers[i]);
    return 0;
}
