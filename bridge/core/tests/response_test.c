/* response_test.c: the head for each kind of field and client, every octet, every fault; content piece by piece. */
#include "support.h"

#include "../response.h"

#define DATE "Wed, 25 Nov 2026 10:00:00 GMT"
#define OK "HTTP/1.1 200 OK\r\n"
#define DEFAULTS "date: " DATE "\r\nserver: uvicorn\r\n"
#define CLOSE "connection: close\r\n"
#define CODED "transfer-encoding: chunked\r\n"

enum { FIELDS_MAX = 16 };

static const struct response_field server[] = {{"server", 6, "uvicorn", 7}};
static const struct response_defaults defaults = {DATE, sizeof DATE - 1, server, 1};

struct fields {
    struct response_field fields[FIELDS_MAX];
    size_t count;
};

/* "name:value|name:value", as it stands. */
static struct fields fields_of(const char *text) {
    struct fields fields = {0};
    while (*text) {
        struct response_field *field = &fields.fields[fields.count++];
        assert_true(fields.count <= FIELDS_MAX);
        field->name = text;
        field->name_size = strcspn(text, ":");
        field->value = text + field->name_size + 1;
        field->value_size = strcspn(field->value, "|");
        text = field->value + field->value_size;
        text += *text == '|';
    }
    return fields;
}

static const char *phrase(unsigned status) { return status == 200 ? "OK" : ""; }

/* Starts a response, 200 OK if that is the status and without a reason if it is not, with bytes that wait before it. */
static enum response_fault start(struct response *response, struct buffer *out, const struct allocator *allocator, unsigned status,
                                 const struct fields *fields) {
    return response_start(response, out, allocator, status, phrase(status), strlen(phrase(status)), &defaults, fields->fields,
                          fields->count);
}

static void expect(const struct buffer *out, const char *expected) {
    assert_int_equal(out->size, strlen(expected));
    assert_memory_equal(buffer_bytes(out), expected, out->size);
}

enum { KEEP = 1, HEAD = 2, OLD = 4 };

static const struct {
    unsigned how;
    unsigned status;
    const char *fields;
    const char *head;
    bool keep_alive;
    enum response_framing framing;
    uint64_t left;
} heads[] = {
    /* What frames it where the application does not say. */
    {KEEP, 200, "", OK DEFAULTS CODED "\r\n", true, RESPONSE_CHUNKED, 0},
    {0, 200, "", OK DEFAULTS CLOSE CODED "\r\n", false, RESPONSE_CHUNKED, 0},
    {KEEP | OLD, 200, "", OK DEFAULTS CLOSE "\r\n", false, RESPONSE_BY_CLOSE, 0},
    {OLD, 200, "", OK DEFAULTS CLOSE "\r\n", false, RESPONSE_BY_CLOSE, 0},
    {KEEP | HEAD, 200, "", OK DEFAULTS "\r\n", true, RESPONSE_BARE, 0},
    {KEEP | HEAD | OLD, 200, "", OK DEFAULTS "\r\n", true, RESPONSE_BARE, 0},
    {KEEP, 204, "", "HTTP/1.1 204 \r\n" DEFAULTS "\r\n", true, RESPONSE_BARE, 0},
    {KEEP, 304, "", "HTTP/1.1 304 \r\n" DEFAULTS "\r\n", true, RESPONSE_BARE, 0},
    {0, 304, "", "HTTP/1.1 304 \r\n" DEFAULTS CLOSE "\r\n", false, RESPONSE_BARE, 0},
    {KEEP, 599, "", "HTTP/1.1 599 \r\n" DEFAULTS CODED "\r\n", true, RESPONSE_CHUNKED, 0},
    /* Names in lower case, values as they are, the application's order. */
    {KEEP, 200, "X-B:1|x-a:Two |X-B:|:empty", OK DEFAULTS "x-b: 1\r\nx-a: Two \r\nx-b: \r\n: empty\r\n" CODED "\r\n", true,
     RESPONSE_CHUNKED, 0},
    /* Lengths. */
    {KEEP, 200, "Content-Length:12", OK DEFAULTS "content-length: 12\r\n\r\n", true, RESPONSE_BY_LENGTH, 12},
    {KEEP, 200, "content-length: \t007\t ", OK DEFAULTS "content-length:  \t007\t \r\n\r\n", true, RESPONSE_BY_LENGTH, 7},
    {KEEP, 200, "content-length:7|a:b|CONTENT-LENGTH:07|content-length:7", OK DEFAULTS "content-length: 7\r\na: b\r\n\r\n", true,
     RESPONSE_BY_LENGTH, 7},
    {KEEP, 200, "content-length:18446744073709551614", OK DEFAULTS "content-length: 18446744073709551614\r\n\r\n", true, RESPONSE_BY_LENGTH,
     UINT64_MAX - 1},
    {KEEP, 200, "content-length:18446744073709551616", OK DEFAULTS "content-length: 18446744073709551616\r\n\r\n", true, RESPONSE_BY_LENGTH,
     UINT64_MAX},
    {KEEP, 200, "content-length:184467440737095516150", OK DEFAULTS "content-length: 184467440737095516150\r\n\r\n", true,
     RESPONSE_BY_LENGTH, UINT64_MAX},
    {KEEP | OLD, 200, "content-length:0", OK DEFAULTS "content-length: 0\r\n\r\n", true, RESPONSE_BY_LENGTH, 0},
    {KEEP | HEAD, 200, "content-length:12", OK DEFAULTS "content-length: 12\r\n\r\n", true, RESPONSE_BARE, 0},
    {KEEP, 204, "content-length:0", "HTTP/1.1 204 \r\n" DEFAULTS "\r\n", true, RESPONSE_BARE, 0},
    {KEEP | HEAD, 204, "content-length:9|a:b|content-length:9", "HTTP/1.1 204 \r\n" DEFAULTS "a: b\r\n\r\n", true, RESPONSE_BARE, 0},
    {KEEP, 304, "content-length:9", "HTTP/1.1 304 \r\n" DEFAULTS "content-length: 9\r\n\r\n", true, RESPONSE_BARE, 0},
    {KEEP, 200, "content-lengths:12", OK DEFAULTS "content-lengths: 12\r\n" CODED "\r\n", true, RESPONSE_CHUNKED, 0},
    {KEEP, 200, "content_length:12", OK DEFAULTS "content_length: 12\r\n" CODED "\r\n", true, RESPONSE_CHUNKED, 0},
    /* Transfer codings. */
    {KEEP, 200, "Transfer-Encoding:Chunked|a:b", OK DEFAULTS "transfer-encoding: Chunked\r\na: b\r\n\r\n", true, RESPONSE_CHUNKED, 0},
    {0, 200, "transfer-encoding:chunked|a:b", OK DEFAULTS CODED "a: b\r\n" CLOSE "\r\n", false, RESPONSE_CHUNKED, 0},
    {KEEP, 200, "transfer-encoding:chunked|a:b|transfer-encoding:chunked", OK DEFAULTS CODED "a: b\r\n\r\n", true, RESPONSE_CHUNKED, 0},
    {KEEP, 200, "transfer-encoding:gzip|a:b", OK DEFAULTS "a: b\r\n" CODED "\r\n", true, RESPONSE_CHUNKED, 0},
    {KEEP, 200, "transfer-encoding:gzip, chunked", OK DEFAULTS CODED "\r\n", true, RESPONSE_CHUNKED, 0},
    {KEEP, 200, "transfer-encoding: chunked|a:b", OK DEFAULTS "a: b\r\n" CODED "\r\n", true, RESPONSE_CHUNKED, 0},
    {KEEP, 200, "transfer-encoding:chunkem", OK DEFAULTS CODED "\r\n", true, RESPONSE_CHUNKED, 0},
    {KEEP, 200, "transfer-encoding:gzip|transfer-encoding:chunked|a:b", OK DEFAULTS CODED "a: b\r\n\r\n", true, RESPONSE_CHUNKED, 0},
    {KEEP, 200, "transfer-encoding:chunked|content-length:3", OK DEFAULTS "content-length: 3\r\n\r\n", true, RESPONSE_BY_LENGTH, 3},
    {KEEP, 200, "content-length:3|transfer-encoding:chunked", OK DEFAULTS "content-length: 3\r\n\r\n", true, RESPONSE_BY_LENGTH, 3},
    {KEEP | OLD, 200, "transfer-encoding:chunked", OK DEFAULTS CLOSE "\r\n", false, RESPONSE_BY_CLOSE, 0},
    {KEEP | HEAD, 200, "transfer-encoding:chunked", OK DEFAULTS CODED "\r\n", true, RESPONSE_BARE, 0},
    {KEEP | HEAD, 200, "transfer-encoding:gzip", OK DEFAULTS "\r\n", true, RESPONSE_BARE, 0},
    {KEEP | HEAD, 200, "transfer-encoding:chunked|content-length:3", OK DEFAULTS "content-length: 3\r\n\r\n", true, RESPONSE_BARE, 0},
    {KEEP | HEAD | OLD, 200, "transfer-encoding:chunked", OK DEFAULTS "\r\n", true, RESPONSE_BARE, 0},
    {KEEP, 304, "transfer-encoding:chunked", "HTTP/1.1 304 \r\n" DEFAULTS CODED "\r\n", true, RESPONSE_BARE, 0},
    {KEEP, 204, "transfer-encoding:chunked", "HTTP/1.1 204 \r\n" DEFAULTS "\r\n", true, RESPONSE_BARE, 0},
    /* Whether the connection stays. */
    {KEEP, 200, "Connection:close|a:b|content-length:0", OK DEFAULTS CLOSE "a: b\r\ncontent-length: 0\r\n\r\n", false, RESPONSE_BY_LENGTH,
     0},
    {0, 200, "connection:close", OK DEFAULTS CLOSE CODED "\r\n", false, RESPONSE_CHUNKED, 0},
    {KEEP, 200, "connection:x, \tCLOSE\t ,y", OK DEFAULTS "connection: x, \tCLOSE\t ,y\r\n" CODED "\r\n", false, RESPONSE_CHUNKED, 0},
    {KEEP, 200, "connection:,close", OK DEFAULTS "connection: ,close\r\n" CODED "\r\n", false, RESPONSE_CHUNKED, 0},
    {KEEP, 200, "connection:x|connection:close", OK DEFAULTS "connection: x\r\n" CLOSE CODED "\r\n", false, RESPONSE_CHUNKED, 0},
    {KEEP, 200, "connection:close|connection:x", OK DEFAULTS CLOSE "connection: x\r\n" CODED "\r\n", false, RESPONSE_CHUNKED, 0},
    {KEEP, 200, "connection:closed, close d,, , c", OK DEFAULTS "connection: closed, close d,, , c\r\n" CODED "\r\n", true,
     RESPONSE_CHUNKED, 0},
    {KEEP, 200, "connection:", OK DEFAULTS "connection: \r\n" CODED "\r\n", true, RESPONSE_CHUNKED, 0},
    {0, 200, "connection:keep-alive", OK DEFAULTS "connection: keep-alive\r\n" CLOSE CODED "\r\n", false, RESPONSE_CHUNKED, 0},
    {KEEP | OLD, 200, "connection:keep-alive", OK DEFAULTS "connection: keep-alive\r\n" CLOSE "\r\n", false, RESPONSE_BY_CLOSE, 0},
    {KEEP | OLD, 200, "connection:close", OK DEFAULTS CLOSE "\r\n", false, RESPONSE_BY_CLOSE, 0},
    /* Defaults that are the application's to say. */
    {KEEP, 200, "a:b|DATE:x", OK "server: uvicorn\r\na: b\r\ndate: x\r\n" CODED "\r\n", true, RESPONSE_CHUNKED, 0},
    {KEEP, 200, "a:b|Server:x|server:y", OK "date: " DATE "\r\na: b\r\nserver: x\r\nserver: y\r\n" CODED "\r\n", true, RESPONSE_CHUNKED, 0},
    {KEEP, 200, "dati:b|servex:x|connectiom:close|transfer-encodinG:x",
     OK DEFAULTS "dati: b\r\nservex: x\r\nconnectiom: close\r\n" CODED "\r\n", true, RESPONSE_CHUNKED, 0},
};

static void test_heads(void **state) {
    (void)state;
    struct allocator allocator = allocator_default();
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        struct fields fields = fields_of(heads[i].fields);
        struct response response;
        struct buffer out = {0};
        response_init(&response, heads[i].how & KEEP, heads[i].how & HEAD, heads[i].how & OLD);
        assert_false(response.started);
        assert_int_equal(start(&response, &out, &allocator, heads[i].status, &fields), RESPONSE_OK);
        expect(&out, heads[i].head);
        assert_true(response.started && !response.complete);
        assert_int_equal(response.keep_alive, heads[i].keep_alive);
        assert_int_equal(response.framing, heads[i].framing);
        assert_true(response.left == heads[i].left);
        buffer_free(&out, &allocator);
    }
}

static void test_defaults_of_the_operator(void **state) {
    (void)state;
    static const struct {
        const char *defaults, *fields, *head;
    } cases[] = {
        {"", "a:b", OK "date: " DATE "\r\na: b\r\n" CODED "\r\n"},
        {"x:1|x:2", "x:3", OK "date: " DATE "\r\nx: 1\r\nx: 2\r\nx: 3\r\n" CODED "\r\n"},
        {"x:1|connection:close", "a:b", OK "date: " DATE "\r\nx: 1\r\nconnection: close\r\na: b\r\n" CODED "\r\n"},
        {"connection:close|connection:x", "connection:y",
         OK "date: " DATE "\r\nconnection: close\r\nconnection: x\r\nconnection: y\r\n" CODED "\r\n"},
        {"connection:x", "a:b", OK "date: " DATE "\r\nconnection: x\r\na: b\r\n" CODED "\r\n"},
        {"x:1|date:y", "a:b", OK "x: 1\r\ndate: y\r\na: b\r\n" CODED "\r\n"},
        {"x:1|date:y", "date:b", OK "x: 1\r\ndate: b\r\n" CODED "\r\n"},
        {"server:1|server:2", "a:b", OK "date: " DATE "\r\nserver: 1\r\nserver: 2\r\na: b\r\n" CODED "\r\n"},
        {"server:1|server:2", "server:b", OK "date: " DATE "\r\nserver: b\r\n" CODED "\r\n"},
        {"content-length:1|transfer-encoding:chunked", "content-length:2", OK "date: " DATE "\r\ncontent-length: 2\r\n\r\n"},
        {"content-length:1|transfer-encoding:chunked", "a:b", OK "date: " DATE "\r\na: b\r\n" CODED "\r\n"},
    };
    struct allocator allocator = allocator_default();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fields operators = fields_of(cases[i].defaults), fields = fields_of(cases[i].fields);
        struct response_defaults given = {DATE, sizeof DATE - 1, operators.fields, operators.count};
        struct response response;
        struct buffer out = {0};
        response_init(&response, true, false, false);
        assert_int_equal(response_start(&response, &out, &allocator, 200, "OK", 2, &given, fields.fields, fields.count), RESPONSE_OK);
        expect(&out, cases[i].head);
        assert_int_equal(response.keep_alive, !strstr(cases[i].defaults, "close"));
        buffer_free(&out, &allocator);
    }
    struct response_defaults none = {0};
    struct response response;
    struct buffer out = {0};
    response_init(&response, true, false, false);
    assert_int_equal(response_start(&response, &out, &allocator, 200, NULL, 0, &none, NULL, 0), RESPONSE_OK);
    expect(&out, "HTTP/1.1 200 \r\n" CODED "\r\n");
    buffer_free(&out, &allocator);
}

static void test_every_octet_of_a_name(void **state) {
    (void)state;
    struct allocator allocator = allocator_default();
    for (int octet = 0; octet < 256; octet++) {
        char name[] = {'n', (char)octet, 'N'}, lower[] = {'n', (char)octet, 'n'};
        if (octet >= 'A' && octet <= 'Z')
            lower[1] = (char)(octet + 'a' - 'A');
        bool good = octet > ' ' && octet != 0x7f && !strchr("()<>@,;:[]={}\\\"", octet);
        struct fields fields = {.fields = {{name, 3, "v", 1}}, .count = 1};
        struct response response;
        struct buffer out = {0};
        response_init(&response, true, false, false);
        assert_int_equal(start(&response, &out, &allocator, 200, &fields), good ? RESPONSE_OK : RESPONSE_NAME_INVALID);
        assert_int_equal(out.size, good ? strlen(OK DEFAULTS CODED "nnn: v\r\n\r\n") : 0);
        if (good)
            assert_memory_equal(buffer_bytes(&out) + strlen(OK DEFAULTS), lower, 3);
        buffer_free(&out, &allocator);
    }
}

static void test_every_octet_of_a_value(void **state) {
    (void)state;
    struct allocator allocator = allocator_default();
    for (int octet = 0; octet < 256; octet++) {
        char value[] = {'v', (char)octet, 'V'};
        bool good = (octet >= ' ' || octet == '\t') && octet != 0x7f;
        struct fields fields = {.fields = {{"name", 4, value, 3}}, .count = 1};
        struct response response;
        struct buffer out = {0};
        response_init(&response, true, false, false);
        assert_int_equal(start(&response, &out, &allocator, 200, &fields), good ? RESPONSE_OK : RESPONSE_VALUE_INVALID);
        assert_int_equal(out.size, good ? strlen(OK DEFAULTS CODED "name: vvv\r\n\r\n") : 0);
        if (good)
            assert_memory_equal(buffer_bytes(&out) + strlen(OK DEFAULTS "name: "), value, 3);
        buffer_free(&out, &allocator);
    }
}

/* What is left to an application whose start was refused, with OUT as it was. */
static void expect_refused(struct response *response, const struct buffer *out, size_t size, bool head) {
    struct response_piece piece;
    assert_int_equal(out->size, size);
    assert_true(response->started && !response->complete && !response->keep_alive);
    assert_int_equal(response->framing, RESPONSE_BARE);
    for (int last = 0; last < 2; last++) {
        assert_int_equal(response_content(response, 5, last, &piece), head ? RESPONSE_OK : RESPONSE_CONTENT_TOO_LONG);
        assert_true(!piece.write && piece.before_size == 0 && piece.after_size == 0);
        assert_int_equal(response->complete, head && last);
    }
    response->complete = false;
    assert_int_equal(response_content(response, 0, false, &piece), RESPONSE_OK);
    assert_false(response->complete);
    assert_int_equal(response_content(response, 0, true, &piece), RESPONSE_OK);
    assert_true(response->complete && !piece.write && piece.before_size == 0 && piece.after_size == 0);
}

static void test_the_first_fault_is_told(void **state) {
    (void)state;
    static const struct {
        unsigned status;
        const char *fields;
        enum response_fault fault;
        size_t field;
    } cases[] = {
        {99, "a b:c", RESPONSE_STATUS_INVALID, 0},
        {600, "", RESPONSE_STATUS_INVALID, 0},
        {0, "", RESPONSE_STATUS_INVALID, 0},
        {UINT32_MAX, "", RESPONSE_STATUS_INVALID, 0},
        {100, "a b:c", RESPONSE_STATUS_INTERIM, 0},
        {199, "", RESPONSE_STATUS_INTERIM, 0},
        {200, "a b:\x01", RESPONSE_NAME_INVALID, 0},
        {200, "a:\n|b b:c", RESPONSE_VALUE_INVALID, 0},
        {200, "a:b|content-length:5|c(:d|e:\r", RESPONSE_NAME_INVALID, 2},
        {200, "a:b|content-length:5|e:\r|c(:d", RESPONSE_VALUE_INVALID, 2},
        {200, "content-length:1|content-length:1|content-length:2|content-length:x", RESPONSE_LENGTHS_DIFFER, 2},
        {200, "content-length:18446744073709551615|content-length:18446744073709551614", RESPONSE_LENGTHS_DIFFER, 1},
        {204, "content-length:1|content-length:2", RESPONSE_LENGTHS_DIFFER, 1},
        {200, "content-length:1|content-length:x|content-length:2", RESPONSE_LENGTH_INVALID, 1},
        {204, "content-length:x", RESPONSE_LENGTH_INVALID, 0},
        {200, "content-length:", RESPONSE_LENGTH_INVALID, 0},
        {200, "content-length: \t ", RESPONSE_LENGTH_INVALID, 0},
        {200, "content-length:+1", RESPONSE_LENGTH_INVALID, 0},
        {200, "content-length:-1", RESPONSE_LENGTH_INVALID, 0},
        {200, "content-length:1_0", RESPONSE_LENGTH_INVALID, 0},
        {200, "content-length:1 0", RESPONSE_LENGTH_INVALID, 0},
        {200, "content-length:1,1", RESPONSE_LENGTH_INVALID, 0},
        {200, "content-length:0x1", RESPONSE_LENGTH_INVALID, 0},
        {200, "content-length:1/", RESPONSE_LENGTH_INVALID, 0},
        {200, "content-length:1\xd9\xa1", RESPONSE_LENGTH_INVALID, 0}, /* a digit to Python */
        {200, "transfer-encoding:chunked|content-length:x", RESPONSE_LENGTH_INVALID, 1},
        {200, "transfer-encoding:a\nb", RESPONSE_VALUE_INVALID, 0},
    };
    struct allocator allocator = allocator_default();
    for (size_t i = 0; i < 2 * (sizeof cases / sizeof *cases); i++) {
        bool head = i % 2;
        struct fields fields = fields_of(cases[i / 2].fields);
        struct response response;
        struct buffer out = {0};
        assert_int_equal(buffer_append(&out, &allocator, "before", 6), 0);
        response_init(&response, true, head, false);
        assert_int_equal(start(&response, &out, &allocator, cases[i / 2].status, &fields), cases[i / 2].fault);
        assert_int_equal(response.fault_field, cases[i / 2].field);
        expect(&out, "before");
        expect_refused(&response, &out, 6, head);
        buffer_free(&out, &allocator);
    }
}

static void test_out_of_memory(void **state) {
    (void)state;
    struct failing failing = {.failing = 1};
    struct allocator allocator = failing_allocator(&failing);
    struct fields fields = fields_of("content-length:5");
    struct response response;
    struct buffer out = {0};
    response_init(&response, true, false, false);
    assert_int_equal(start(&response, &out, &allocator, 200, &fields), RESPONSE_NO_MEMORY);
    expect_refused(&response, &out, 0, false);

    /* More than memory can hold is not even asked for. */
    static struct response_field large[] = {{"a", 1, "", SIZE_MAX / 4}, {"a", 1, "", SIZE_MAX / 4}};
    failing = (struct failing){0};
    response_init(&response, true, false, false);
    assert_int_equal(response_start(&response, &out, &allocator, 200, "", 0, &defaults, large, 2), RESPONSE_NO_MEMORY);
    assert_int_equal(failing.asked, 0);
    expect_refused(&response, &out, 0, false);
    buffer_free(&out, &allocator);
}

/* The longest form of a head takes no more room than was asked for, and not much less. */
static void test_the_room_is_enough(void **state) {
    (void)state;
    struct allocator allocator = allocator_default();
    static char text[4096];
    memset(text, 'x', sizeof text);
    for (size_t size = 0; size < 600; size++) {
        struct response_field fields[] = {{text, size / 3, text, size % 7}, {"b", 1, text, size / 2}};
        struct response_field operators[] = {{text, size % 11, text, size / 5}};
        struct response_defaults given = {text, size % 13, operators, size % 2};
        struct response response;
        struct buffer out = {0};
        response_init(&response, false, false, false);
        assert_int_equal(response_start(&response, &out, &allocator, 200, text, 300, &given, fields, size % 3), RESPONSE_OK);
        assert_in_range(out.size, out.capacity - 10, out.capacity); /* so large that the buffer has no more than it was asked for */
        buffer_free(&out, &allocator);
    }
}

static const struct {
    unsigned how, status;
    const char *fields;
    const char *pieces; /* digits: a piece of that many 'x'; the last one ends it; '!' behind: it is too long, '?': the last is too short */
    const char *content;
} contents[] = {
    {KEEP, 200, "", "0", "0\r\n\r\n"},
    {KEEP, 200, "", "5", "5\r\nxxxxx\r\n0\r\n\r\n"},
    {KEEP, 200, "", "0130", "1\r\nx\r\n3\r\nxxx\r\n0\r\n\r\n"},
    {KEEP, 200, "", "12", "1\r\nx\r\n2\r\nxx\r\n0\r\n\r\n"},
    {KEEP, 200, "transfer-encoding:chunked", "10", "1\r\nx\r\n0\r\n\r\n"},
    {KEEP, 200, "content-length:5", "5", "xxxxx"},
    {KEEP, 200, "content-length:5", "0230", "xxxxx"},
    {KEEP, 200, "content-length:5", "22?", "xxxx"},
    {KEEP, 200, "content-length:5", "220?", "xxxx"},
    {KEEP, 200, "content-length:5", "0?", ""},
    {KEEP, 200, "content-length:5", "6!5", "xxxxx"},
    {KEEP, 200, "content-length:5", "33!11", "xxxxx"},
    {KEEP, 200, "content-length:5", "51!0", "xxxxx"},
    {KEEP, 200, "content-length:0", "0", ""},
    {KEEP, 200, "content-length:0", "1!0", ""},
    {KEEP, 200, "content-length:18446744073709551616", "99?", "xxxxxxxxxxxxxxxxxx"},
    {KEEP, 200, "content-length:1|transfer-encoding:chunked", "1", "x"},
    {KEEP | OLD, 200, "", "203", "xxxxx"},
    {KEEP | OLD, 200, "", "0", ""},
    {KEEP | OLD, 200, "content-length:2", "3!2", "xx"},
    {KEEP | HEAD, 200, "", "909", ""},
    {KEEP | HEAD, 200, "content-length:2", "9", ""},
    {KEEP | HEAD, 200, "content-length:2", "0", ""},
    {KEEP | HEAD, 204, "", "9", ""},
    {KEEP, 204, "", "0", ""},
    {KEEP, 204, "", "01!0", ""},
    {KEEP, 204, "content-length:1", "1!0", ""},
    {KEEP, 304, "", "1!0", ""},
    {KEEP, 304, "content-length:5", "5!0", ""},
    {KEEP, 304, "transfer-encoding:chunked", "1!00", ""},
};

static void test_contents(void **state) {
    (void)state;
    struct allocator allocator = allocator_default();
    for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
        struct fields fields = fields_of(contents[i].fields);
        struct response response;
        struct buffer out = {0};
        response_init(&response, contents[i].how & KEEP, contents[i].how & HEAD, contents[i].how & OLD);
        assert_int_equal(start(&response, &out, &allocator, contents[i].status, &fields), RESPONSE_OK);
        buffer_take(&out, out.size);
        for (const char *next = contents[i].pieces; *next;) {
            size_t size = (size_t)(*next++ - '0');
            enum response_fault fault = *next == '!' ? RESPONSE_CONTENT_TOO_LONG : *next == '?' ? RESPONSE_CONTENT_TOO_SHORT : RESPONSE_OK;
            next += fault != RESPONSE_OK;
            struct response_piece piece;
            struct response before = response;
            memset(&piece, 0xff, sizeof piece);
            assert_false(response.complete);
            assert_int_equal(response_content(&response, size, !*next, &piece), fault);
            assert_int_equal(buffer_append(&out, &allocator, piece.before, piece.before_size), 0);
            assert_int_equal(buffer_append(&out, &allocator, "xxxxxxxxx", piece.write ? size : 0), 0);
            assert_int_equal(buffer_append(&out, &allocator, piece.after, piece.after_size), 0);
            assert_int_equal(response.complete, !*next && fault == RESPONSE_OK);
            if (fault == RESPONSE_CONTENT_TOO_LONG)
                assert_true(response.left == before.left && piece.before_size + piece.after_size == 0 && !piece.write);
        }
        expect(&out, contents[i].content);
        buffer_free(&out, &allocator);
    }
}

static void expect_chunk(struct response *response, size_t size) {
    struct response_piece piece;
    char expected[32];
    snprintf(expected, sizeof expected, "%zx\r\n", size);
    assert_int_equal(response_content(response, size, false, &piece), RESPONSE_OK);
    assert_int_equal(piece.before_size, strlen(expected));
    assert_memory_equal(piece.before, expected, piece.before_size);
    assert_true(piece.write);
}

static void test_chunk_sizes(void **state) {
    (void)state;
    struct response response;
    response_init(&response, true, false, false);
    response.started = true;
    response.framing = RESPONSE_CHUNKED;
    for (size_t size = 1; size < 70000; size++)
        expect_chunk(&response, size);
    for (size_t size = 1; size != 0; size *= 2) {
        expect_chunk(&response, size);
        if (size > 1)
            expect_chunk(&response, size - 1);
    }
    expect_chunk(&response, SIZE_MAX);
}

static void test_a_plain_response(void **state) {
    (void)state;
    struct failing failing = {0};
    struct allocator allocator = failing_allocator(&failing);
    struct buffer out = {0};
    assert_int_equal(response_plain(&out, &allocator, 400, "Bad Request", &defaults, "Invalid HTTP request received."), 0);
    expect(&out, "HTTP/1.1 400 Bad Request\r\n" DEFAULTS "content-type: text/plain; charset=utf-8\r\ncontent-length: 30\r\n" CLOSE
                 "\r\nInvalid HTTP request received.");
    buffer_take(&out, out.size);
    assert_int_equal(response_plain(&out, &allocator, 503, "", &defaults, ""), 0);
    expect(&out, "HTTP/1.1 503 \r\n" DEFAULTS "content-type: text/plain; charset=utf-8\r\ncontent-length: 0\r\n" CLOSE "\r\n");
    buffer_free(&out, &allocator);

    /* No memory for what waits before it, for the head, for the text. */
    static char text[5000];
    memset(text, 'x', sizeof text - 1);
    for (size_t fails = 1; fails <= 3; fails++) {
        failing = (struct failing){.failing = fails};
        bool waits = buffer_append(&out, &allocator, "before", 6) == 0;
        assert_int_equal(response_plain(&out, &allocator, 400, text + sizeof text - 300, &defaults, text), -1);
        assert_int_equal(failing.asked, waits ? fails : 2);
        expect(&out, waits ? "before" : "");
        buffer_free(&out, &allocator);
        assert_int_equal(failing.live, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_defaults_of_the_operator),
        cmocka_unit_test(test_every_octet_of_a_name),
        cmocka_unit_test(test_every_octet_of_a_value),
        cmocka_unit_test(test_the_first_fault_is_told),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_the_room_is_enough),
        cmocka_unit_test(test_contents),
        cmocka_unit_test(test_chunk_sizes),
        cmocka_unit_test(test_a_plain_response),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
