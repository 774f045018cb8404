/* request_test.c: requests in every cut, held and not; bounds to the byte; each allocation and each event failing in turn. */
#include "support.h"

#include "../request.h"
#include "request_transcripts.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *const RESULTS[] = {"ok", "held", "invalid", "too large", "no memory", "stopped"};

/* Takes down what a parser tells. */
struct record {
    struct told *told; /* NULL: only counted */
    bool hold;         /* whether each request's end holds the parser */
    bool in_content;
    size_t stop; /* the number of the event that stops the parser, counted from 1; 0: none */
    size_t heads, ends, content_size, events;
    size_t field_count; /* of the last head */
};

static int next(struct record *record) { return ++record->events == record->stop ? -1 : 0; }

static void end_content(struct record *record) {
    if (record->in_content && record->told)
        tell(record->told, "\n");
    record->in_content = false;
}

static int on_head(void *owner, const struct request_head *head) {
    struct record *record = owner;
    record->heads++;
    record->field_count = head->field_count;
    if (record->told) {
        tell(record->told, "%s %.*s ", request_method_name(head->method), (int)head->target.path_size, head->target.path);
        if (head->target.query)
            tell(record->told, "?%.*s ", (int)head->target.query_size, head->target.query);
        tell(record->told, "1.%d%s%s%s\n", head->minor, head->keep_alive ? " keep-alive" : "",
             head->expects_continue ? " expects-continue" : "", head->upgrade_offered ? " upgrade-offered" : "");
        for (size_t i = 0; i < head->field_count; i++) {
            const struct request_field *field = &head->fields[i];
            tell(record->told, " %.*s: ", (int)field->name_size, head->text + field->name);
            tell_bytes(record->told, head->text + field->value, field->value_size);
            tell(record->told, "\n");
        }
    }
    return next(record);
}

static int on_content(void *owner, const char *data, size_t size) {
    struct record *record = owner;
    assert_true(size > 0);
    record->content_size += size;
    if (record->told) {
        if (!record->in_content)
            tell(record->told, "= ");
        tell_bytes(record->told, data, size);
    }
    record->in_content = true;
    return next(record);
}

static int on_end(void *owner) {
    struct record *record = owner;
    end_content(record);
    record->ends++;
    if (record->told)
        tell(record->told, ".\n");
    return next(record) != 0 ? -1 : record->hold;
}

static const struct request_events EVENTS = {.head = on_head, .content = on_content, .end = on_end};

/* Feed portions of FIRST, then of THEN bytes, each against a guard page; what is held back is fed again, at once. */
static enum request_result feed(struct request_parser *parser, const struct guarded *guarded, const char *bytes, size_t size, size_t first,
                                size_t then) {
    const struct record *record = parser->owner;
    enum request_result result = REQUEST_OK;
    for (size_t at = 0; at < size && (result == REQUEST_OK || result == REQUEST_HELD);) {
        size_t portion = at == 0 ? first : then, taken, ends = record->ends;
        if (portion > size - at)
            portion = size - at;
        result = request_parser_feed(parser, guarded_put(guarded, bytes + at, portion), portion, &taken);
        assert_true(result == REQUEST_HELD ? taken <= portion : taken == portion);
        if (result == REQUEST_HELD) {
            assert_int_equal(record->ends, ends + 1);
            assert_false(request_parser_within(parser));
        }
        at += taken;
    }
    return result == REQUEST_HELD ? REQUEST_OK : result;
}

static void play(struct told *told, const struct transcript *transcript, const struct guarded *guarded, size_t first, size_t then,
                 bool hold) {
    struct failing failing = {0};
    struct allocator allocator = failing_allocator(&failing);
    struct record record = {.told = told, .hold = hold};
    struct request_parser parser;
    told->size = 0;
    request_parser_init(&parser, &allocator, &EVENTS, &record);
    enum request_result result = feed(&parser, guarded, transcript->bytes, transcript->size, first, then);
    end_content(&record);
    tell(told, "%s%s\n", RESULTS[result], request_parser_within(&parser) ? " within" : "");
    size_t taken = 0, events = record.events;
    assert_int_equal(request_parser_feed(&parser, NULL, 0, &taken), result); /* a failure stays */
    if (result != REQUEST_OK) {
        assert_int_equal(request_parser_feed(&parser, BYTES(HEAD "\r\n"), &taken), result);
        assert_int_equal(taken, sizeof HEAD "\r\n" - 1);
    }
    assert_int_equal(record.events, events);
    request_parser_free(&parser);
    assert_int_equal(failing.live, 0);
}

static void check(const struct transcript *transcript, const char *expected, const struct guarded *guarded, size_t first, size_t then) {
    static struct told told;
    for (int hold = 0; hold < 2; hold++) {
        play(&told, transcript, guarded, first, then, hold);
        if (strcmp(told.text, expected) != 0)
            fail_msg("%s, %zu bytes, then by %zu%s:\n%s", transcript->name, first, then, hold ? ", held" : "", told.text);
    }
}

static void in_every_cut(const struct transcript *transcript, const char *expected) {
    struct guarded guarded = guarded_new(transcript->size);
    for (size_t portion = 1; portion <= 7; portion++)
        check(transcript, expected, &guarded, portion, portion);
    for (size_t split = 1; split <= transcript->size; split++)
        check(transcript, expected, &guarded, split, transcript->size);
    guarded_free(&guarded);
}

static void test_transcripts_in_every_cut(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(TRANSCRIPTS); i++)
        in_every_cut(&TRANSCRIPTS[i], TRANSCRIPTS[i].expected);
}

static void test_refused_in_every_cut(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(REFUSED); i++)
        in_every_cut(&REFUSED[i], "invalid\n");
}

static void test_each_allocation_fails(void **state) {
    (void)state;
    size_t failures = 0;
    for (size_t i = 0; i < COUNT(TRANSCRIPTS); i++) {
        const struct transcript *transcript = &TRANSCRIPTS[i];
        struct guarded guarded = guarded_new(transcript->size);
        for (size_t portion = 1; portion <= transcript->size; portion += transcript->size - 1) {
            for (size_t nth = 1;; nth++) {
                struct failing failing = {.failing = nth};
                struct allocator allocator = failing_allocator(&failing);
                struct record record = {0};
                struct request_parser parser;
                request_parser_init(&parser, &allocator, &EVENTS, &record);
                enum request_result result = feed(&parser, &guarded, transcript->bytes, transcript->size, portion, portion);
                bool failed = failing.asked >= nth;
                assert_int_equal(result == REQUEST_NO_MEMORY, failed);
                size_t taken, events = record.events;
                if (failed) {
                    assert_int_equal(request_parser_feed(&parser, "x", 1, &taken), REQUEST_NO_MEMORY);
                    assert_int_equal(record.events, events);
                }
                failures += failed;
                request_parser_free(&parser);
                assert_int_equal(failing.live, 0);
                if (!failed)
                    break;
            }
        }
        guarded_free(&guarded);
    }
    assert_true(failures > 2 * COUNT(TRANSCRIPTS));
}

static void test_each_event_stops(void **state) {
    (void)state;
    static struct told told;
    size_t stopped = 0;
    for (size_t i = 0; i < COUNT(TRANSCRIPTS); i++) {
        const struct transcript *transcript = &TRANSCRIPTS[i];
        for (size_t nth = 1;; nth++) {
            struct allocator allocator = allocator_default();
            struct record record = {.told = &told, .stop = nth};
            struct request_parser parser;
            told.size = 0;
            request_parser_init(&parser, &allocator, &EVENTS, &record);
            size_t taken;
            enum request_result result = request_parser_feed(&parser, transcript->bytes, transcript->size, &taken);
            bool last = record.events < nth;
            if (!last) {
                stopped++;
                assert_int_equal(result, REQUEST_STOPPED);
                assert_int_equal(request_parser_feed(&parser, transcript->bytes, transcript->size, &taken), REQUEST_STOPPED);
                assert_int_equal(record.events, nth);
                assert_memory_equal(told.text, transcript->expected, told.size); /* all up to there */
            }
            request_parser_free(&parser);
            if (last)
                break;
        }
    }
    assert_true(stopped > 2 * COUNT(TRANSCRIPTS));
}

/* --- bounds ----------------------------------------------------------------------------------------------------------------------------
 */

#define FIRST_CHUNK CHUNKED "\r\n1\r\na"

/* Runs of bytes that are no content: BEFORE is none of it, START begins it, FILL may come for ever, END ends it, and REST ends the request.
 */
static const struct {
    const char *before, *start, *fill, *end, *rest;
} RUNS[] = {
    {"", "GET", " ", "/ HTTP/1.0\r\n\r\n", ""},
    {"\r\n\r\n", "GET / HTTP/1.0\r\nA:", " ", "\r\n\r\n", ""},
    {"", "GET / HTTP/1.0\r\nA: b", " ", "\r\n\r\n", ""},
    {"", "GET / HTTP/1.0\r\nA: ", "b", "\r\n\r\n", ""},
    {"", "GET / HTTP/1.0\r\n", "a", ":b\r\n\r\n", ""},
    {"", "GET / HTTP/1.0\r\nContent-Length: 1\r\nA: ", "b", "\r\n\r\n", "x"},
    {HEAD "\r\n\r\n", HEAD "A: ", "b", "\r\n\r\n", ""},
    {"", CHUNKED "\r\n", "0", "1\r\n", "x\r\n0\r\n\r\n"},
    {FIRST_CHUNK, "\r\n", "0", "1\r\n", "x\r\n0\r\n\r\n"},
    {FIRST_CHUNK, "\r\n1;", "b", "\r\n", "x\r\n0\r\n\r\n"},
    {FIRST_CHUNK, "\r\n1;b=", "c", "\r\n", "x\r\n0\r\n\r\n"},
    {FIRST_CHUNK, "\r\n1;b=\"", "\\\"", "\"\r\n", "x\r\n0\r\n\r\n"},
    {FIRST_CHUNK, "\r\n0\r\nb: ", "c", "\r\n\r\n", ""},
    {FIRST_CHUNK, "\r\n0\r\n", "a:b\r\n", "\r\n", ""},
    {"", CHUNKED "\r\n0\r\n", "a:b\r\n", "\r\n", ""},
};

#define BEFORE_MAX 128u

static char *put(char *to, const char *text) { return (char *)memcpy(to, text, strlen(text)) + strlen(text); }

static char *put_fill(char *to, const char *with, size_t size) {
    size_t width = strlen(with);
    for (size_t i = 0; i < size; i++)
        to[i] = with[i % width];
    return to + size;
}

/* Feeds SIZE bytes, all at once and in portions, and then one more. */
static void check_bound(const char *bytes, size_t size, enum request_result expected, enum request_result behind, size_t heads) {
    const size_t portions[] = {size, REQUEST_HEAD_MAX, 65536, 4093, 1};
    struct guarded guarded = guarded_new(size + 1);
    for (size_t i = 0; i < COUNT(portions); i++) {
        struct failing failing = {0};
        struct allocator allocator = failing_allocator(&failing);
        struct record record = {0};
        struct request_parser parser;
        request_parser_init(&parser, &allocator, &EVENTS, &record);
        assert_int_equal(feed(&parser, &guarded, bytes, size, portions[i], portions[i]), expected);
        assert_int_equal(record.heads, heads);
        assert_int_equal(feed(&parser, &guarded, bytes + size, 1, 1, 1), behind);
        assert_int_equal(record.heads, heads);
        request_parser_free(&parser);
        assert_int_equal(failing.live, 0);
        /* And the one more together with the others. */
        record = (struct record){0};
        request_parser_init(&parser, &allocator, &EVENTS, &record);
        assert_int_equal(feed(&parser, &guarded, bytes, size + 1, size + 1, 1), behind);
        assert_int_equal(record.heads, heads);
        request_parser_free(&parser);
    }
    guarded_free(&guarded);
}

static void test_runs_are_bounded(void **state) {
    (void)state;
    char *bytes = malloc(BEFORE_MAX + REQUEST_HEAD_MAX + BEFORE_MAX);
    assert_non_null(bytes);
    for (size_t i = 0; i < COUNT(RUNS); i++) {
        size_t heads = (strlen(RUNS[i].before) > 4) + (strstr(RUNS[i].start, "chunked") != NULL);
        char *run = put(bytes, RUNS[i].before), *at = put(run, RUNS[i].start);
        put_fill(at, RUNS[i].fill, REQUEST_HEAD_MAX - (size_t)(at - run) + 1);
        check_bound(bytes, (size_t)(run - bytes) + REQUEST_HEAD_MAX, REQUEST_OK, REQUEST_TOO_LARGE, heads);

        /* The longest that may be: the request is whole, and so is another one. */
        size_t left = REQUEST_HEAD_MAX - (size_t)(at - run) - strlen(RUNS[i].end), width = strlen(RUNS[i].fill);
        at = put(put_fill(at, RUNS[i].fill, left / width * width), RUNS[i].end);
        assert_true(width > 1 || at == run + REQUEST_HEAD_MAX);
        at = put(at, RUNS[i].rest);
        bool goes_on = strstr(bytes, "HTTP/1.0") == NULL;
        heads = goes_on ? (*RUNS[i].before == 'G') + 2 : 1;
        at = put(at, HEAD "\r\n\r\n");
        check_bound(bytes, (size_t)(at - bytes) - 1, REQUEST_OK, REQUEST_OK, heads);
    }
    free(bytes);
}

static void test_fields_are_bounded(void **state) {
    (void)state;
    static char bytes[sizeof HEAD + 8 * REQUEST_FIELDS_MAX];
    char *at = put(bytes, HEAD);
    at = put_fill(at, "A: b\r\n", 6 * (REQUEST_FIELDS_MAX - 1));
    put(at, "\r\n");
    check_bound(bytes, (size_t)(at - bytes) + 2, REQUEST_OK, REQUEST_INVALID, 1); /* behind it comes a NUL */
    put(at, "A: b\r\n\r\n");
    check_bound(bytes, (size_t)(at - bytes) + 6, REQUEST_OK, REQUEST_TOO_LARGE, 0);

    struct allocator allocator = allocator_default();
    struct record record = {0};
    struct request_parser parser;
    size_t taken;
    request_parser_init(&parser, &allocator, &EVENTS, &record);
    put(at, "\r\n");
    assert_int_equal(request_parser_feed(&parser, bytes, (size_t)(at - bytes) + 2, &taken), REQUEST_OK);
    assert_int_equal(record.field_count, REQUEST_FIELDS_MAX);
    request_parser_free(&parser);
}

/* Endless empty lines, content, small chunks and small requests pass no bound, and take no memory. */
static void test_what_has_no_bound(void **state) {
    (void)state;
    static const struct {
        const char *start, *fill, *end;
        size_t heads, content_size; /* for each FILL */
    } ENDLESS[] = {
        {"", "\r\n", HEAD "\r\n", 0, 0},
        {"POST / HTTP/1.1\r\nHost:\r\nContent-Length: 2097152\r\n\r\n", "0123456789abcdef", "", 0, 16},
        {CHUNKED "\r\n", "0002;abcdef\r\nhi\r\n", "0\r\n\r\n", 0, 2},
        {"", "GET / HTTP/1.1\r\nHost:\r\n\r\n", HEAD "\r\n", 1, 0},
    };
    for (size_t i = 0; i < COUNT(ENDLESS); i++) {
        size_t width = strlen(ENDLESS[i].fill), size = width * 131072;
        char *bytes = malloc(size + 256), *at = put_fill(put(bytes, ENDLESS[i].start), ENDLESS[i].fill, size);
        at = put(at, ENDLESS[i].end);
        const size_t portions[] = {(size_t)(at - bytes), 65536, 1000, 3};
        for (size_t j = 0; j < COUNT(portions); j++) {
            struct guarded guarded = guarded_new(portions[j]);
            struct failing failing = {0};
            struct allocator allocator = failing_allocator(&failing);
            struct record record = {.hold = ENDLESS[i].heads == 0};
            struct request_parser parser;
            request_parser_init(&parser, &allocator, &EVENTS, &record);
            assert_int_equal(feed(&parser, &guarded, bytes, (size_t)(at - bytes), portions[j], portions[j]), REQUEST_OK);
            assert_int_equal(record.heads, ENDLESS[i].heads * 131072 + 1);
            assert_int_equal(record.ends, record.heads);
            assert_int_equal(record.content_size, ENDLESS[i].content_size * 131072);
            assert_int_equal(failing.asked, 2); /* text and fields, once */
            request_parser_free(&parser);
            assert_int_equal(failing.live, 0);
            guarded_free(&guarded);
        }
        free(bytes);
    }
}

/* --- memory, and what is under way ------------------------------------------------------------------------------------------------------
 */

static void test_large_heads_leave_no_memory(void **state) {
    (void)state;
    static const struct {
        const char *fill;
        size_t count, live; /* blocks that stay */
    } HEADS[] = {
        {"A: b\r\n", 1, 2},
        {"A: b\r\n", 63, 2},
        {"A: b\r\n", 64, 1},
        {"", 0, 2},
        {"b", 3000, 2},
        {"b", 4200, 1},
        {"Aaaaaaaaaaaaaaa: bbbbbbbbbbbbbbbbbbb\r\n", 1000, 0},
    };
    static char bytes[65536];
    for (size_t i = 0; i < COUNT(HEADS); i++) {
        char *at = put(bytes, HEAD);
        if (*HEADS[i].fill == 'b')
            at = put(at, "A: ");
        at = put(put_fill(at, HEADS[i].fill, strlen(HEADS[i].fill) * HEADS[i].count), *HEADS[i].fill == 'b' ? "\r\n\r\n" : "\r\n");
        struct failing failing = {0};
        struct allocator allocator = failing_allocator(&failing);
        struct record record = {0};
        struct request_parser parser;
        request_parser_init(&parser, &allocator, &EVENTS, &record);
        for (size_t turn = 0; turn < 3; turn++) {
            size_t taken, asked = failing.asked;
            assert_int_equal(request_parser_feed(&parser, bytes, (size_t)(at - bytes), &taken), REQUEST_OK);
            assert_int_equal(failing.live, HEADS[i].live);
            assert_true(turn == 0 || HEADS[i].live < 2 || failing.asked == asked); /* what stays is used again */
        }
        assert_int_equal(record.ends, 3);
        request_parser_free(&parser);
        assert_int_equal(failing.live, 0);
    }
}

static void test_within(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        bool within;
    } STEPS[] = {
        {"\r\n", false},
        {"G", true},
        {"ET / HTTP/1.1\r\nHost: h\r", true},
        {"\n\r", true},
        {"\n", false},
        {"\r\n\r\n", false},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n", true},
        {"a", true},
        {"b", false},
        {"\n", false},
        {CHUNKED "\r\n", true},
        {"1\r\n", true},
        {"a", true},
        {"\r\n0\r\n", true},
        {"A: b\r\n\r", true},
        {"\n", false},
        {"P", true},
    };
    struct allocator allocator = allocator_default();
    struct record record = {0};
    struct request_parser parser;
    size_t taken;
    request_parser_init(&parser, &allocator, &EVENTS, &record);
    assert_false(request_parser_within(&parser));
    for (size_t i = 0; i < COUNT(STEPS); i++) {
        assert_int_equal(request_parser_feed(&parser, STEPS[i].bytes, strlen(STEPS[i].bytes), &taken), REQUEST_OK);
        if (request_parser_within(&parser) != STEPS[i].within)
            fail_msg("step %zu", i);
    }
    request_parser_free(&parser);
}

/* Where the parser was held is told to the byte: behind the request, before the empty line. */
static void test_where_it_is_held(void **state) {
    (void)state;
    static const char *const REQUESTS[] = {HEAD "\r\n", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
                                           CHUNKED "\r\n1\r\na\r\n0\r\n\r\n", CHUNKED "\r\n0\r\nA: b\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"};
    char bytes[512];
    for (size_t i = 0; i < COUNT(REQUESTS); i++) {
        for (size_t split = 0; split < strlen(REQUESTS[i]); split++) {
            struct allocator allocator = allocator_default();
            struct record record = {.hold = true};
            struct request_parser parser;
            size_t size = strlen(REQUESTS[i]), taken;
            const char *end = put(put(bytes, REQUESTS[i]), "\r\n" HEAD "\r\n");
            request_parser_init(&parser, &allocator, &EVENTS, &record);
            assert_int_equal(request_parser_feed(&parser, bytes, split, &taken), REQUEST_OK);
            assert_int_equal(request_parser_feed(&parser, bytes + split, (size_t)(end - bytes) - split, &taken), REQUEST_HELD);
            assert_int_equal(split + taken, size);
            assert_int_equal(record.ends, 1);
            request_parser_free(&parser);
        }
    }
}

static void test_method_names(void **state) {
    (void)state;
    assert_string_equal(request_method_name(HTTP_GET), "GET");
    assert_string_equal(request_method_name(HTTP_MSEARCH), "M-SEARCH");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transcripts_in_every_cut),
        cmocka_unit_test(test_refused_in_every_cut),
        cmocka_unit_test(test_each_allocation_fails),
        cmocka_unit_test(test_each_event_stops),
        cmocka_unit_test(test_runs_are_bounded),
        cmocka_unit_test(test_fields_are_bounded),
        cmocka_unit_test(test_what_has_no_bound),
        cmocka_unit_test(test_large_heads_leave_no_memory),
        cmocka_unit_test(test_within),
        cmocka_unit_test(test_where_it_is_held),
        cmocka_unit_test(test_method_names),
    };
    return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
