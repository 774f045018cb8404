/* trace_value_test.c: every kind of value, then payloads cut and spoilt at every byte, against a guard page. */
#include "../../exchange/tests/support.h"

#include "../../../spec/observer/recorder/trace.h"
#include "../trace_value.h"

/* A payload that is written as the recorder would. */
struct payload {
    char bytes[8192];
    size_t size;
};

static void put(struct payload *payload, const void *data, size_t size) {
    assert_true(size <= sizeof payload->bytes - payload->size);
    memcpy(payload->bytes + payload->size, data, size);
    payload->size += size;
}

static void put_tag(struct payload *payload, char tag) { put(payload, &tag, 1); }

static void put_count(struct payload *payload, char tag, uint32_t count) {
    put_tag(payload, tag);
    put(payload, &count, sizeof count);
}

static void put_text(struct payload *payload, char tag, const char *text) {
    put_count(payload, tag, (uint32_t)strlen(text));
    put(payload, text, strlen(text));
}

static void put_integer(struct payload *payload, int64_t integer) {
    put_tag(payload, 'i');
    put(payload, &integer, sizeof integer);
}

static void put_edges(struct payload *payload, char tag, uint64_t total, const char *first, const char *last) {
    uint64_t hash = 77;
    uint32_t edge = (uint32_t)strlen(first);
    put_tag(payload, tag);
    put(payload, &total, sizeof total);
    put(payload, &hash, sizeof hash);
    put(payload, &edge, sizeof edge);
    put(payload, first, edge);
    put(payload, last, edge);
}

/* Two values, as in a TRACE_CALL, with every tag. */
static void put_everything(struct payload *payload) {
    double number = -2.5;
    put_count(payload, 'D', 3);
    put_text(payload, 's', "type");
    put_text(payload, 's', "http");
    put_text(payload, 's', "headers");
    put_count(payload, 'L', 2);
    put_count(payload, 'U', 2);
    put_text(payload, 'b', "host");
    put_text(payload, 'b', "");
    put_count(payload, 'U', 0);
    put_text(payload, 's', "more");
    put_count(payload, 'L', 11);
    put_tag(payload, 'N');
    put_tag(payload, 'T');
    put_tag(payload, 'F');
    put_integer(payload, -3);
    put_tag(payload, 'd');
    put(payload, &number, sizeof number);
    put_text(payload, 'I', "123456789012345678901234567890");
    put_edges(payload, 'B', 9000, "ab", "yz");
    put_edges(payload, 'S', 4, "ab", "cd");
    put_text(payload, 'X', "enum.IntEnum");
    put_text(payload, 'X', "bytearray");
    put_text(payload, 'b', "q");
    put_text(payload, 'O', "object");
    put_tag(payload, '.');
    put_count(payload, 'D', 0);
}

static const char EVERYTHING[] = "{'type': 'http', 'headers': [(b'host', b'', ), (), ], 'more': [None, True, False, -3, -2.5, "
                                 "123456789012345678901234567890, b9000#77'ab'..'yz', 4#77'ab'..'cd', <enum.IntEnum <bytearray b'q'>>, "
                                 "<object>, cut, ], }\n{}\n";

/* One value, built as a reader does that trusts nothing but the tokens. Returns 1, 0 at the end, or -1. */
static int build(struct trace_cursor *cursor, struct told *told, unsigned depth) {
    struct trace_token token;
    assert_true(depth <= TRACE_VALUE_DEPTH_MAX);
    int result = trace_value_next(cursor, &token);
    if (result != 1)
        return result;
    static const char open[] = "[({", close[] = "])}";
    switch (token.kind) {
    case TRACE_TOKEN_NONE:
        tell(told, "None");
        return 1;
    case TRACE_TOKEN_BOOL:
        tell(told, token.truth ? "True" : "False");
        return 1;
    case TRACE_TOKEN_INT:
        tell(told, "%lld", (long long)token.integer);
        return 1;
    case TRACE_TOKEN_FLOAT:
        tell(told, "%.17g", token.number);
        return 1;
    case TRACE_TOKEN_BIG_INT:
        tell_bytes(told, token.data, token.size);
        return 1;
    case TRACE_TOKEN_TEXT:
    case TRACE_TOKEN_BYTES:
        tell(told, token.kind == TRACE_TOKEN_BYTES ? "b'" : "'");
        tell_bytes(told, token.data, token.size);
        tell(told, "'");
        return 1;
    case TRACE_TOKEN_LONG_TEXT:
    case TRACE_TOKEN_LONG_BYTES:
        tell(told, "%s%llu#%llu'", token.kind == TRACE_TOKEN_LONG_BYTES ? "b" : "", (unsigned long long)token.total,
             (unsigned long long)token.hash);
        tell_bytes(told, token.data, token.size);
        tell(told, "'..'");
        tell_bytes(told, token.last, token.size);
        tell(told, "'");
        return 1;
    case TRACE_TOKEN_LIST:
    case TRACE_TOKEN_TUPLE:
    case TRACE_TOKEN_DICT:
        tell(told, "%c", open[token.kind - TRACE_TOKEN_LIST]);
        for (uint32_t i = 0; i < token.count; i++) {
            if (build(cursor, told, depth + 1) != 1)
                return -1;
            tell(told, token.kind == TRACE_TOKEN_DICT ? ": " : ", ");
            if (token.kind == TRACE_TOKEN_DICT) {
                if (build(cursor, told, depth + 1) != 1)
                    return -1;
                tell(told, ", ");
            }
        }
        tell(told, "%c", close[token.kind - TRACE_TOKEN_LIST]);
        return 1;
    case TRACE_TOKEN_INSTANCE:
        tell(told, "<");
        tell_bytes(told, token.data, token.size);
        tell(told, " ");
        if (build(cursor, told, depth + 1) != 1)
            return -1;
        tell(told, ">");
        return 1;
    case TRACE_TOKEN_OBJECT:
        tell(told, "<");
        tell_bytes(told, token.data, token.size);
        tell(told, ">");
        return 1;
    case TRACE_TOKEN_CUT:
        tell(told, "cut");
        return 1;
    }
    fail_msg("token kind %d", (int)token.kind);
    return -1;
}

static int build_all(const char *payload, size_t size, struct told *told) {
    struct trace_cursor cursor;
    struct trace_token token;
    int result;
    trace_value_start(&cursor, payload, size);
    told->size = 0;
    told->text[0] = '\0';
    while ((result = build(&cursor, told, 0)) == 1)
        tell(told, "\n");
    assert_int_equal(trace_value_next(&cursor, &token), result); /* and from then on always */
    return result;
}

static int build_put(const struct payload *payload, struct told *told) { return build_all(payload->bytes, payload->size, told); }

static void test_every_kind(void **state) {
    (void)state;
    static struct told told;
    struct payload payload = {.size = 0};
    put_everything(&payload);
    assert_int_equal(build_put(&payload, &told), 0);
    assert_string_equal(told.text, EVERYTHING);
}

static void test_no_value(void **state) {
    (void)state;
    static struct told told;
    assert_int_equal(build_all("", 0, &told), 0);
    assert_string_equal(told.text, "");
}

static void test_cut_at_every_byte(void **state) {
    (void)state;
    static struct told told;
    struct payload payload = {.size = 0};
    put_everything(&payload);
    struct guarded guarded = guarded_new(payload.size);
    size_t second = payload.size - 5; /* where the second value begins */
    for (size_t size = 0; size < payload.size; size++) {
        int result = build_all(guarded_put(&guarded, payload.bytes, size), size, &told);
        assert_int_equal(result, size == 0 || size == second ? 0 : -1);
    }
    guarded_free(&guarded);
}

static void test_spoilt_at_every_byte(void **state) {
    (void)state;
    static struct told told;
    struct payload payload = {.size = 0};
    put_everything(&payload);
    struct guarded guarded = guarded_new(payload.size);
    char *at = guarded_put(&guarded, payload.bytes, payload.size);
    size_t broken = 0;
    for (size_t i = 0; i < payload.size; i++) {
        for (unsigned change = 1; change < 256; change++) {
            at[i] = (char)(payload.bytes[i] ^ (char)change);
            int result = build_all(at, payload.size, &told);
            assert_true(result == 0 || result == -1);
            broken += result == -1;
            if (result == 0)
                assert_string_not_equal(told.text, EVERYTHING);
        }
        at[i] = payload.bytes[i];
    }
    assert_true(broken > 1000);
    guarded_free(&guarded);
}

static void test_unknown_tag(void **state) {
    (void)state;
    static struct told told;
    assert_int_equal(build_all("NZ", 2, &told), -1);
    assert_string_equal(told.text, "None\n");
}

static void test_counts_that_cannot_be(void **state) {
    (void)state;
    static const struct {
        char tag;
        uint32_t count;
        int result;
    } cases[] = {{'L', 3, 0}, {'L', 4, -1}, {'U', UINT32_MAX, -1}, {'D', 1, -1}, {'D', 2, -1}, {'D', UINT32_MAX, -1}};
    struct trace_cursor cursor;
    struct trace_token token;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        static struct told told;
        struct payload payload = {.size = 0};
        put_count(&payload, cases[i].tag, cases[i].count);
        put(&payload, "NNN", 3);
        if (cases[i].tag == 'D' && cases[i].count == 1)
            payload.size -= 2; /* a key without a value */
        assert_int_equal(build_put(&payload, &told), cases[i].result);
        /* What cannot be is refused with its first token: nobody may allocate by it. */
        trace_value_start(&cursor, payload.bytes, payload.size);
        assert_int_equal(trace_value_next(&cursor, &token), cases[i].result == 0 ? 1 : -1);
    }
}

static void test_edges_longer_than_the_whole(void **state) {
    (void)state;
    static struct told told;
    struct payload payload = {.size = 0};
    put_edges(&payload, 'B', 3, "ab", "bc");
    assert_int_equal(build_put(&payload, &told), -1);
}

static void test_depth(void **state) {
    (void)state;
    static struct told told;
    for (unsigned more = 0; more <= 1; more++) {
        struct payload payload = {.size = 0};
        for (unsigned i = 0; i < TRACE_VALUE_DEPTH_MAX + more; i++)
            if (i % 2)
                put_text(&payload, 'X', "x");
            else
                put_count(&payload, 'L', 1);
        put_tag(&payload, 'N');
        assert_int_equal(build_put(&payload, &told), more ? -1 : 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind),
        cmocka_unit_test(test_no_value),
        cmocka_unit_test(test_cut_at_every_byte),
        cmocka_unit_test(test_spoilt_at_every_byte),
        cmocka_unit_test(test_unknown_tag),
        cmocka_unit_test(test_counts_that_cannot_be),
        cmocka_unit_test(test_edges_longer_than_the_whole),
        cmocka_unit_test(test_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
