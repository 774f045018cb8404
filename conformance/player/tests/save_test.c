/* save_test.c: what `save` takes out of a response, and how values are kept. */
#include "../../exchange/tests/support.h"

#include "../save.h"

static const char ANSWER[] =
    "HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Path=/\r\nset-cookie: session=s3cret; Path=/\r\ncontent-length: 13\r\n\r\n{\"id\": \"007\"}";

static struct exchange_bytes bytes(const char *text) { return (struct exchange_bytes){.data = (char *)text, .size = strlen(text)}; }

static struct exchange_step step(const char *field, const char *before, const char *after) {
    return (struct exchange_step){
        .kind = EXCHANGE_SAVE, .name = bytes("name"), .field = bytes(field), .before = bytes(before), .after = bytes(after)};
}

static void read_answer(struct response_reader *reader, const char *answer) {
    response_reader_init(reader, "", 0, NULL, NULL, NULL);
    assert_int_equal(response_reader_feed(reader, answer, strlen(answer), 1), 0);
}

static void expect(const struct saved *saved, const char *expected) {
    struct exchange_bytes name = bytes("name"), value = saved_get(saved, &name);
    assert_int_equal(value.size, strlen(expected));
    assert_memory_equal(value.data, expected, value.size);
}

static void test_what_stands_between_two_texts(void **state) {
    (void)state;
    static const struct {
        const char *field, *before, *after, *value; /* NULL: nothing */
    } cases[] = {
        {"", "\"id\": \"", "\"", "007"},
        {"", "", "\"id", "{"},
        {"", "\"id\": ", "", "\"007\"}"},
        {"", "", "", "{\"id\": \"007\"}"},
        {"", "\"ID\"", "", NULL},
        {"", "\"id\"", "no such", NULL},
        {"", "}", "", ""},
        {"SET-COOKIE", "session=", ";", "s3cret"}, /* each line in turn */
        {"set-cookie", "", "=", "a"},
        {"content-length", "", "", "13"},
        {"content", "", "", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct response_reader reader;
        struct saved saved = {0};
        struct exchange_step save = step(cases[i].field, cases[i].before, cases[i].after);
        read_answer(&reader, ANSWER);
        assert_int_equal(saved_put(&saved, &save.name, "old", 3), 0);
        assert_int_equal(save_step(&saved, &save, &reader), cases[i].value != NULL);
        expect(&saved, cases[i].value ? cases[i].value : ""); /* not the old one: it was not saved here */
        saved_clear(&saved);
        response_reader_free(&reader);
    }
}

static void test_what_was_saved_is_coded(void **state) {
    (void)state;
    static const struct {
        enum exchange_coding decode, encode;
        const char *after, *value;
    } cases[] = {
        {EXCHANGE_CODING_NONE, EXCHANGE_CODING_NONE, "!", "a\\u002b&#x3D;%3D"},
        {EXCHANGE_CODING_JSON, EXCHANGE_CODING_NONE, "!", "a+&#x3D;%3D"},
        {EXCHANGE_CODING_HTML, EXCHANGE_CODING_PERCENT, "!", "a%5Cu002b%3D%253D"},
        {EXCHANGE_CODING_PERCENT, EXCHANGE_CODING_JSON, "!", "a\\\\u002b&#x3D;="},
        {EXCHANGE_CODING_NONE, EXCHANGE_CODING_HTML, "!", "a\\u002b&amp;#x3D;%3D"},
        {EXCHANGE_CODING_JSON, EXCHANGE_CODING_PERCENT, "a", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct response_reader reader;
        struct saved saved = {0};
        struct exchange_step save = step("x", "", cases[i].after);
        save.decode = cases[i].decode;
        save.encode = cases[i].encode;
        read_answer(&reader, "HTTP/1.1 204 No Content\r\nX: a\\u002b&#x3D;%3D!\r\n\r\n");
        assert_int_equal(save_step(&saved, &save, &reader), 1);
        expect(&saved, cases[i].value);
        saved_clear(&saved);
        response_reader_free(&reader);
    }
}

static void test_coded_with_each_allocation_failing(void **state) {
    (void)state;
    struct response_reader reader;
    struct exchange_step save = step("x", "", "");
    save.encode = EXCHANGE_CODING_PERCENT;
    read_answer(&reader, "HTTP/1.1 204 No Content\r\nX: =\r\n\r\n");
    for (size_t failing_at = 1;; failing_at++) {
        struct failing failing = {.failing = failing_at};
        struct exchange_allocator allocator = failing_allocator(&failing);
        struct saved saved = {.allocator = &allocator};
        int kept = save_step(&saved, &save, &reader);
        expect(&saved, kept == 1 ? "%3D" : "");
        saved_clear(&saved);
        assert_int_equal(failing.live, 0);
        if (kept == 1)
            break;
        assert_int_equal(kept, -1);
        assert_true(failing_at < 10);
    }
    response_reader_free(&reader);
}

static void test_only_a_complete_response_counts(void **state) {
    (void)state;
    struct response_reader reader;
    struct saved saved = {0};
    struct exchange_step save = step("", "", "");
    assert_int_equal(save_step(&saved, &save, NULL), 0);
    read_answer(&reader, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhal");
    assert_int_equal(save_step(&saved, &save, &reader), 1);
    expect(&saved, "ok");
    response_reader_free(&reader);
    saved_clear(&saved);
}

static void test_each_allocation_failing(void **state) {
    (void)state;
    for (size_t failing_at = 1;; failing_at++) {
        struct failing failing = {.failing = failing_at};
        struct exchange_allocator allocator = failing_allocator(&failing);
        struct saved saved = {.allocator = &allocator};
        struct exchange_bytes name = bytes("name");
        int put = saved_put(&saved, &name, "value", 5);
        int again = put ? -1 : saved_put(&saved, &name, "other", 5);
        expect(&saved, put ? "" : again ? "value" : "other");
        saved_clear(&saved);
        assert_int_equal(failing.live, 0);
        if (!again)
            break;
        assert_true(failing_at < 10);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_stands_between_two_texts),
        cmocka_unit_test(test_what_was_saved_is_coded),
        cmocka_unit_test(test_coded_with_each_allocation_failing),
        cmocka_unit_test(test_only_a_complete_response_counts),
        cmocka_unit_test(test_each_allocation_failing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
