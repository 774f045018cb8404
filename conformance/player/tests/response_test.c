/* response_test.c: transcripts, read whole, byte by byte, in every split and with each allocation failing; then the bounds. */
#include "../../exchange/tests/support.h"

#include "../../../spec/observer/recorder/trace.h"
#include "../response.h"
#include "response_transcripts.h"

static enum response_to answered(void *context, size_t index) {
    const char *methods = context;
    if (index >= strlen(methods))
        return RESPONSE_TO_OTHER;
    return methods[index] == 'H' ? RESPONSE_TO_HEAD : methods[index] == 'C' ? RESPONSE_TO_CONNECT : RESPONSE_TO_OTHER;
}

static void tell_fields(struct told *told, const struct response_head *head, size_t from, size_t count, const char *mark) {
    for (size_t i = from; i < from + count; i++) {
        const struct response_field *field = &head->fields[i];
        tell(told, "%s", mark);
        tell_bytes(told, response_text(head, field->name), field->name_size);
        tell(told, "|");
        tell_bytes(told, response_text(head, field->value), field->value_size);
        tell(told, "\n");
    }
}

static void tell_head(struct told *told, const struct response_head *head, const char *mark) {
    tell(told, "%s%u.%u %u ", mark, head->version_major, head->version_minor, head->status);
    tell_bytes(told, response_text(head, head->reason), head->reason_size);
}

/* All that must not depend on how the bytes were cut. UNTAKEN: how many of them all feeds together left. */
static void tell_reader(struct told *told, const struct response_reader *reader, size_t untaken) {
    static const char *const phases[] = {"between", "in head", "in body", "upgraded", "broken"};
    for (size_t i = 0; i < reader->count; i++) {
        const struct response *response = &reader->responses[i];
        for (size_t j = 0; j < response->interim_count; j++) {
            tell_head(told, &response->interim[j], "~ ");
            tell(told, "\n");
            tell_fields(told, &response->interim[j], 0, response->interim[j].field_count, "~   ");
        }
        if (response->head.status == 0)
            continue;
        tell_head(told, &response->head, "");
        tell(told, " (%s%s", response_framing_name(response->framing), response->complete ? "" : ", incomplete");
        if (response->framing == RESPONSE_CHUNKED)
            tell(told, ", %zu pieces", response->pieces);
        tell(told, ")\n");
        tell_fields(told, &response->head, 0, response->head.field_count, "  ");
        tell(told, "= ");
        tell_bytes(told, response->content, response->content_kept);
        tell(told, "\n");
        tell_fields(told, &response->head, response->head.field_count, response->head.trailer_count, "+ ");
        assert_int_equal(response->content_kept, response->content_size);
        assert_true(response->content_hash ==
                    trace_hash(trace_hash_start(), (const unsigned char *)response->content, response->content_size));
    }
    tell(told, "%s %s%s%s\n", phases[reader->phase], reader->error, reader->closing ? " closing" : "", reader->marked ? " marked" : "");
    if (reader->websocket)
        tell(told, "WebSocket, %zu octets\n", untaken);
    else
        assert_int_equal(untaken, 0);
    if (reader->stray > 0)
        tell(told, "stray %d\n", (int)reader->stray);
    if (reader->rest_total > 0) {
        tell(told, "rest %d ", (int)reader->rest_total);
        tell_bytes(told, reader->rest, reader->rest_size);
        tell(told, "\n");
    }
    tell(told, "%zu heads, %zu complete, %zu interim\n", reader->heads, reader->complete, reader->interims);
}

/* Feed SIZE bytes cut into portions of FIRST, then of THEN bytes, each against a guard page. Returns 0, or -1 as soon as a feed does. */
static int feed(struct response_reader *reader, const struct guarded *guarded, const char *bytes, size_t size, size_t first, size_t then,
                size_t *untaken) {
    *untaken = 0;
    for (size_t at = 0; at < size;) {
        size_t portion = at == 0 ? first : then;
        if (portion > size - at)
            portion = size - at;
        if (response_reader_feed(reader, guarded_put(guarded, bytes + at, portion), portion, 1000 + at) != 0)
            return -1;
        *untaken += reader->untaken;
        at += portion;
    }
    return 0;
}

static void play(struct told *told, const struct transcript *transcript, const struct guarded *guarded, size_t first, size_t then) {
    struct response_reader *reader = malloc(sizeof *reader);
    assert_non_null(reader);
    struct failing failing = {0};
    struct exchange_allocator allocator = failing_allocator(&failing);
    response_reader_init(reader, BYTES("t0ken"), answered, (void *)transcript->methods, &allocator);
    size_t untaken;
    assert_int_equal(feed(reader, guarded, transcript->bytes, transcript->size, first, then, &untaken), 0);
    if (transcript->eof)
        response_reader_eof(reader);
    told->size = 0;
    tell_reader(told, reader, untaken);
    response_reader_free(reader);
    assert_int_equal(failing.live, 0);
    free(reader);
}

static void test_transcripts_in_every_cut(void **state) {
    (void)state;
    static struct told told;
    for (size_t i = 0; i < sizeof TRANSCRIPTS / sizeof *TRANSCRIPTS; i++) {
        const struct transcript *transcript = &TRANSCRIPTS[i];
        struct guarded guarded = guarded_new(transcript->size);
        play(&told, transcript, &guarded, transcript->size, 1);
        if (strcmp(told.text, transcript->expected) != 0)
            fail_msg("%s, whole:\n%s", transcript->name, told.text);
        for (size_t portion = 1; portion <= 7; portion++) {
            play(&told, transcript, &guarded, portion, portion);
            if (strcmp(told.text, transcript->expected) != 0)
                fail_msg("%s, by %zu:\n%s", transcript->name, portion, told.text);
        }
        for (size_t split = 1; split < transcript->size; split++) {
            play(&told, transcript, &guarded, split, transcript->size);
            if (strcmp(told.text, transcript->expected) != 0)
                fail_msg("%s, split at %zu:\n%s", transcript->name, split, told.text);
        }
        guarded_free(&guarded);
    }
}

static void test_each_allocation_fails(void **state) {
    (void)state;
    static struct told told;
    size_t failures = 0;
    for (size_t i = 0; i < sizeof TRANSCRIPTS / sizeof *TRANSCRIPTS; i++) {
        const struct transcript *transcript = &TRANSCRIPTS[i];
        struct guarded guarded = guarded_new(transcript->size);
        for (size_t portion = 1; portion <= transcript->size; portion += transcript->size - 1) {
            for (size_t nth = 1;; nth++) {
                struct response_reader *reader = malloc(sizeof *reader);
                assert_non_null(reader);
                struct failing failing = {.failing = nth};
                struct exchange_allocator allocator = failing_allocator(&failing);
                response_reader_init(reader, BYTES("t0ken"), answered, (void *)transcript->methods, &allocator);
                size_t untaken;
                int result = feed(reader, &guarded, transcript->bytes, transcript->size, portion, portion, &untaken);
                bool failed = failing.asked >= nth;
                assert_int_equal(result, failed ? -1 : 0);
                if (failed) {
                    assert_string_equal(reader->error, "OUT_OF_MEMORY");
                    assert_int_equal(reader->phase, RESPONSE_BROKEN);
                    assert_int_equal(response_reader_feed(reader, "x", 1, 0), -1);
                    failures++;
                }
                response_reader_eof(reader);
                told.size = 0;
                if (failed)
                    for (size_t j = 0; j < reader->count; j++) /* what there is can be read */
                        tell_fields(&told, &reader->responses[j].head, 0,
                                    reader->responses[j].head.field_count + reader->responses[j].head.trailer_count, "");
                response_reader_free(reader);
                assert_int_equal(failing.live, 0);
                free(reader);
                if (!failed)
                    break;
            }
        }
        guarded_free(&guarded);
    }
    assert_true(failures > 100);
}

static struct response_reader *reader_new(void) {
    struct response_reader *reader = malloc(sizeof *reader);
    assert_non_null(reader);
    response_reader_init(reader, NULL, 0, NULL, NULL, NULL);
    return reader;
}

static void reader_free(struct response_reader *reader) {
    response_reader_free(reader);
    free(reader);
}

static void put(struct response_reader *reader, const char *text, uint64_t now) {
    assert_int_equal(response_reader_feed(reader, text, strlen(text), now), 0);
}

static void test_times_and_pieces(void **state) {
    (void)state;
    struct response_reader *reader = reader_new();
    put(reader, "\r\n", 1);
    put(reader, "HTTP/1.1 103 Early Hints\r\n", 2);
    assert_int_equal(reader->phase, RESPONSE_IN_HEAD);
    put(reader, "\r\n", 3);
    assert_int_equal(reader->interims, 1);
    assert_int_equal(reader->responses[0].head.status, 0);
    assert_int_equal(reader->responses[0].last_byte, 3);
    put(reader, "HTTP/1.1 200 OK\r\ncontent-", 4);
    put(reader, "length: 6\r\n\r\n", 5);
    assert_int_equal(reader->heads, 1);
    assert_int_equal(reader->responses[0].last_byte, 5);
    put(reader, "abc", 6);
    assert_int_equal(reader->responses[0].content_size, 3);
    assert_false(reader->responses[0].complete);
    assert_int_equal(reader->responses[0].last_byte, 6);
    put(reader, "defHTTP/1.1 204 No Content\r\n", 7);
    put(reader, "\r\n", 8);
    assert_int_equal(reader->responses[0].interim[0].first_byte, 2);
    assert_int_equal(reader->responses[0].head.first_byte, 4);
    assert_int_equal(reader->responses[0].last_byte, 7);
    assert_int_equal(reader->responses[0].pieces, 2);
    assert_int_equal(reader->responses[1].head.first_byte, 7);
    assert_int_equal(reader->responses[1].last_byte, 8);
    assert_int_equal(reader->responses[1].pieces, 0);
    assert_int_equal(reader->complete, 2);
    reader_free(reader);
}

static void test_marked_time_and_token(void **state) {
    (void)state;
    struct response_reader *reader = malloc(sizeof *reader);
    assert_non_null(reader);
    response_reader_init(reader, BYTES("one"), NULL, NULL, NULL);
    put(reader, "HTTP/1.1 200 OK\r\nbridgecheck-next: two\r\ncontent-length: 0\r\n\r\n", 1);
    assert_false(reader->marked);
    assert_int_equal(reader->count, 1);
    put(reader, "HTTP/1.1 200 OK\r\nBridgecheck-Next: one\r\ncontent-length: 2\r\n\r\n", 2);
    assert_false(reader->marked); /* not yet whole */
    put(reader, "ab", 3);
    assert_true(reader->marked);
    assert_int_equal(reader->marked_at, 3);
    assert_int_equal(reader->count, 1);
    assert_int_equal(reader->complete, 1);
    reader_free(reader);
}

static void test_long_content_is_counted_and_hashed(void **state) {
    (void)state;
    struct response_reader *reader = reader_new();
    put(reader, "HTTP/1.1 200 OK\r\ncontent-length: 3145728\r\n\r\n", 1);
    uint64_t hash = trace_hash_start();
    static char block[4096];
    for (unsigned i = 0; i < 768; i++) {
        memset(block, (int)i, sizeof block);
        hash = trace_hash(hash, (const unsigned char *)block, sizeof block);
        assert_int_equal(response_reader_feed(reader, block, sizeof block, 2), 0);
    }
    const struct response *response = &reader->responses[0];
    assert_true(response->complete);
    assert_int_equal(response->content_kept, RESPONSE_CONTENT_MAX);
    assert_int_equal((unsigned char)response->content[RESPONSE_CONTENT_MAX - 1], 255);
    assert_int_equal(response->content_size, 3145728);
    assert_true(response->content_hash == hash);
    assert_int_equal(response->pieces, 768);
    reader_free(reader);
}

static void test_many_contents_are_bounded_together(void **state) {
    (void)state;
    struct response_reader *reader = reader_new();
    char *block = calloc(1, RESPONSE_CONTENT_MAX);
    assert_non_null(block);
    for (unsigned i = 0; i < 66; i++) {
        put(reader, "HTTP/1.1 200 OK\r\ncontent-length: 1048576\r\n\r\n", 1);
        if (reader->phase == RESPONSE_BROKEN)
            break;
        assert_int_equal(response_reader_feed(reader, block, RESPONSE_CONTENT_MAX, 2), 0);
    }
    free(block);
    assert_string_equal(reader->error, "HELD_TOO_MUCH");
    assert_int_equal(reader->complete, 64);
    uint64_t kept = 0;
    for (size_t i = 0; i < reader->count; i++) {
        kept += reader->responses[i].content_kept;
        assert_int_equal(reader->responses[i].content_size, RESPONSE_CONTENT_MAX);
    }
    assert_true(kept <= RESPONSE_HELD_MAX && kept > RESPONSE_HELD_MAX - RESPONSE_CONTENT_MAX);
    reader_free(reader);
}

static void test_too_many_fields(void **state) {
    (void)state;
    for (unsigned extra = 0; extra <= 1; extra++) {
        struct response_reader *reader = reader_new();
        put(reader, "HTTP/1.1 204 No Content\r\n", 1);
        for (unsigned i = 0; i < RESPONSE_FIELDS_MAX + extra; i++)
            put(reader, "a: b\r\n", 1);
        put(reader, "\r\n", 1);
        if (extra) {
            assert_string_equal(reader->error, "FIELDS_TOO_MANY");
            assert_int_equal(reader->count, 0);
            assert_memory_equal(reader->rest, "HTTP/1.1 204", 12); /* from its first byte on */
        } else {
            assert_string_equal(reader->error, "");
            assert_int_equal(reader->responses[0].head.field_count, RESPONSE_FIELDS_MAX);
        }
        reader_free(reader);
    }
}

static void test_too_many_trailers(void **state) {
    (void)state;
    struct response_reader *reader = reader_new();
    put(reader, "HTTP/1.1 200 OK\r\na: b\r\ntransfer-encoding: chunked\r\n\r\n0\r\n", 1);
    for (unsigned i = 0; i < RESPONSE_FIELDS_MAX; i++)
        put(reader, "a: b\r\n", 1);
    assert_string_equal(reader->error, "FIELDS_TOO_MANY");
    assert_int_equal(reader->count, 1);
    assert_false(reader->responses[0].complete);
    assert_int_equal(reader->responses[0].head.trailer_count, RESPONSE_FIELDS_MAX - 2);
    reader_free(reader);
}

/* A response with VALUE bytes in one field's value; what is told about it. */
static void large_field(struct told *told, size_t value, size_t portion, const char *start, const char *end) {
    struct response_reader *reader = reader_new();
    put(reader, start, 1);
    char *block = malloc(portion);
    assert_non_null(block);
    memset(block, 'v', portion);
    for (size_t left = value; left > 0;) {
        size_t size = left < portion ? left : portion;
        assert_int_equal(response_reader_feed(reader, block, size, 1), 0);
        left -= size;
    }
    free(block);
    put(reader, end, 1);
    told->size = 0;
    tell(told, "%s %zu %zu %d %.*s", reader->error, reader->count, reader->complete, (int)reader->rest_total,
         reader->rest_size < 12 ? (int)reader->rest_size : 12, reader->rest);
    reader_free(reader);
}

static void test_too_large_fields(void **state) {
    (void)state;
    static struct told told, other;
    const char *start = "HTTP/1.1 204 \r\na: ";
    large_field(&told, RESPONSE_TEXT_MAX - 1, 60000, start, "\r\n\r\n");
    assert_string_equal(told.text, " 1 1 0 ");
    large_field(&told, RESPONSE_TEXT_MAX, 60000, start, "\r\n\r\n");
    assert_string_equal(told.text, "FIELDS_TOO_LARGE 0 0 1048598 HTTP/1.1 204");
    large_field(&other, RESPONSE_TEXT_MAX, 7, start, "\r\n\r\n");
    assert_string_equal(told.text, other.text);
    large_field(&told, RESPONSE_TEXT_MAX, 60000, "HTTP/1.1 200 ", "v\r\n\r\n"); /* a reason */
    assert_string_equal(told.text, "FIELDS_TOO_LARGE 0 0 1048594 HTTP/1.1 200");
    large_field(&told, RESPONSE_TEXT_MAX, 60000, "HTTP/1.1 204 \r\n", ": b\r\n\r\n"); /* a name */
    assert_string_equal(told.text, "FIELDS_TOO_LARGE 0 0 1048598 HTTP/1.1 204");
}

static void test_too_many_responses(void **state) {
    (void)state;
    struct response_reader *reader = reader_new();
    for (unsigned i = 0; i < RESPONSE_COUNT_MAX / 2; i++)
        put(reader, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", 1);
    assert_string_equal(reader->error, "");
    put(reader, "\r\nHTTP/1.1 204 No Content\r\n\r\n", 1);
    assert_string_equal(reader->error, "RESPONSES_TOO_MANY");
    assert_int_equal(reader->complete, RESPONSE_COUNT_MAX / 2);
    assert_int_equal(reader->rest_total, 27);
    reader_free(reader);
}

static void test_rest_is_bounded(void **state) {
    (void)state;
    struct response_reader *reader = reader_new();
    static char block[RESPONSE_REST_MAX - 1];
    memset(block, 'x', sizeof block);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(response_reader_feed(reader, block, sizeof block, 1), 0);
    assert_int_equal(reader->rest_size, RESPONSE_REST_MAX);
    assert_int_equal(reader->rest_total, 3 * sizeof block);
    assert_string_equal(reader->error, "HPE_INVALID_CONSTANT");
    reader_free(reader);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transcripts_in_every_cut),
        cmocka_unit_test(test_each_allocation_fails),
        cmocka_unit_test(test_times_and_pieces),
        cmocka_unit_test(test_marked_time_and_token),
        cmocka_unit_test(test_long_content_is_counted_and_hashed),
        cmocka_unit_test(test_many_contents_are_bounded_together),
        cmocka_unit_test(test_too_many_fields),
        cmocka_unit_test(test_too_many_trailers),
        cmocka_unit_test(test_too_large_fields),
        cmocka_unit_test(test_too_many_responses),
        cmocka_unit_test(test_rest_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
