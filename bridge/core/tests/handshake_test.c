/* handshake_test.c: which requests are handshakes, what they are refused for and in which words, what is agreed; each allocation failing.
 */
#include "support.h"

#include "../handshake.h"
#include "../handshake_answer.h"

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define UPGRADE "Connection: Upgrade\r\nUpgrade: websocket\r\n"
#define USUAL UPGRADE KEY VERSION
#define DATE "Wed, 25 Nov 2026 10:00:00 GMT"
#define ACCEPTED                                                                                                                           \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "                              \
    "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
#define EXTENSION "Sec-WebSocket-Extensions: permessage-deflate"

static const struct date date = {.text = DATE, .size = sizeof DATE - 1};
static const struct response_field server[] = {{"server", 6, "s", 1}};
static const struct response_defaults defaults = {DATE, sizeof DATE - 1, server, 1};

struct trial {
    bool compresses, wanted;
    enum handshake_result result;
    struct handshake handshake;
    struct buffer out;
    struct allocator allocator;
    unsigned status;
};

static int on_head(void *owner, const struct request_head *head) {
    struct trial *trial = owner;
    const char *reason;
    trial->wanted = handshake_wanted(head);
    if (trial->wanted)
        trial->result =
            handshake_read(&trial->handshake, head, trial->compresses, &trial->out, &trial->allocator, &date, &trial->status, &reason);
    return trial->wanted;
}

static int on_content(void *owner, const char *data, size_t size) { return (void)owner, (void)data, (void)size, 0; }
static int on_end(void *owner) { return (void)owner, 0; }

/* A request of these lines, and nothing else. */
static void try(struct trial *trial, const char *method, const char *target, const char *lines) {
    static const struct request_events events = {on_head, on_content, on_end};
    struct allocator allocator = allocator_default();
    struct request_parser parser;
    static char text[32000];
    size_t taken, size = (size_t)snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: h\r\n%s\r\n", method, target, lines);
    request_parser_init(&parser, &allocator, &events, trial);
    enum request_result result = request_parser_feed(&parser, text, size, &taken);
    assert_int_equal(result, trial->wanted ? REQUEST_UPGRADED : REQUEST_OK);
    assert_int_equal(taken, size);
    request_parser_free(&parser);
}

static void expect_out(struct trial *trial, const char *expected) {
    struct allocator allocator = allocator_default();
    assert_int_equal(buffer_append(&trial->out, &allocator, "", 1), 0);
    assert_string_equal(buffer_bytes(&trial->out), expected);
    buffer_free(&trial->out, &allocator);
}

static const struct {
    const char *lines;
    bool wanted;
} offers[] = {
    {USUAL, true},
    {"Connection: keep-alive, upgrade\r\nUpgrade: WebSocket\r\n", true},
    {"Connection: x\r\nConnection: \t Upgrade \r\nUpgrade: foo\r\nUpgrade: websocket\r\n", true},
    {"Connection: Upgrade\r\nConnection: x\r\nUpgrade: websocket\r\n", false},
    {"Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: foo\r\n", false},
    {"Connection: Upgrade\r\nUpgrade: foo, websocket\r\n", false},
    {"Connection: Upgrades\r\nUpgrade: websocket\r\n", false},
    {"Upgrade: websocket\r\n", false},
    {"Connection: Upgrade\r\n", false},
    {"", false},
};

static void test_what_is_a_handshake(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof offers / sizeof *offers; i++) {
        struct trial trial = {.allocator = allocator_default()};
        try(&trial, "GET", "/", offers[i].lines);
        assert_int_equal(trial.wanted, offers[i].wanted);
        buffer_free(&trial.out, &trial.allocator);
    }
}

static const struct {
    const char *method, *lines, *says, *more, *why;
} refused[] = {
    {"POST", USUAL, "405 Method Not Allowed", "Allow: GET\r\n", "unsupported HTTP method: POST"},
    {"GET", "Connection: a b, Upgrade\r\nConnection: upgrade\r\nUpgrade: websocket\r\n" KEY VERSION, "400 Bad Request", "",
     "invalid Connection header: expected comma at 2 in a b, Upgrade"},
    {"GET", UPGRADE VERSION, "400 Bad Request", "", "missing Sec-WebSocket-Key header"},
    {"GET", UPGRADE VERSION "Sec-WebSocket-Key:\r\n", "400 Bad Request", "", "empty Sec-WebSocket-Key header"},
    {"GET", UPGRADE VERSION "Sec-WebSocket-Key: sh\xe9\r\n", "400 Bad Request", "",
     "invalid Sec-WebSocket-Key header: sh\xc3\xa9; Only base64 data is allowed"},
    {"GET", UPGRADE VERSION "Sec-WebSocket-Key: abcde\r\n", "400 Bad Request", "",
     "invalid Sec-WebSocket-Key header: abcde; Invalid base64-encoded string: number of data characters (5) cannot be 1 more than a "
     "multiple of 4"},
    {"GET", UPGRADE VERSION "Sec-WebSocket-Key: AAAA\r\n", "400 Bad Request", "", "invalid Sec-WebSocket-Key header: AAAA"},
    {"GET", USUAL KEY, "400 Bad Request", "", "invalid Sec-WebSocket-Key header: multiple values"},
    {"GET", UPGRADE KEY, "400 Bad Request", "Sec-WebSocket-Version: 13\r\n", "missing Sec-WebSocket-Version header"},
    {"GET", UPGRADE KEY "Sec-WebSocket-Version: 8\r\n", "400 Bad Request", "Sec-WebSocket-Version: 13\r\n",
     "invalid Sec-WebSocket-Version header: 8"},
    {"GET", USUAL "Origin: a\r\nOrigin: a\r\n", "400 Bad Request", "", "invalid Origin header: multiple values"},
    {"GET", USUAL "Sec-WebSocket-Protocol: a b\r\n", "400 Bad Request", "",
     "invalid Sec-WebSocket-Protocol header: expected comma at 2 in a b"},
    {"GET", USUAL "Sec-WebSocket-Extensions: a; b=\"c d\"\r\n", "400 Bad Request", "",
     "invalid Sec-WebSocket-Extensions header: invalid quoted header content at 5 in a; b=\"c d\""},
    {"GET", USUAL "Sec-WebSocket-Extensions: a; b=\"c\r\n", "400 Bad Request", "",
     "invalid Sec-WebSocket-Extensions header: expected quoted string at 5 in a; b=\"c"},
    {"GET", USUAL "Content-Length: 5\r\n", "400 Bad Request", "", "unsupported request body"},
};

/* A refusal in whole: what it says, the field that it has beside the usual ones, why. */
static void expect_refused(struct trial *trial, const char *says, const char *more, const char *why) {
    char words[500], response[1000];
    int size = snprintf(words, sizeof words, "Failed to open a WebSocket connection: %s.\n", why);
    snprintf(response, sizeof response,
             "HTTP/1.1 %s\r\nDate: " DATE
             "\r\nConnection: close\r\nContent-Length: %d\r\nContent-Type: text/plain; charset=utf-8\r\n%s\r\n%s",
             says, size, more, words);
    assert_int_equal(trial->result, HANDSHAKE_REFUSED);
    assert_int_equal(trial->status, strtoul(says, NULL, 10));
    expect_out(trial, response);
}

static void test_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct trial trial = {.allocator = allocator_default(), .compresses = true};
        try(&trial, refused[i].method, "/", refused[i].lines);
        expect_refused(&trial, refused[i].says, refused[i].more, refused[i].why);
    }
}

static void test_upgrade_is_required(void **state) {
    (void)state;
    struct trial trial = {.allocator = allocator_default()};
    try(&trial, "GET", "/", "Connection: Upgrade\r\nUpgrade: foo/1\r\nUpgrade: websocket\r\n" KEY VERSION);
    expect_refused(&trial, "426 Upgrade Required", "Upgrade: websocket\r\n",
                   "invalid Upgrade header: foo/1, websocket.\n\nYou cannot access a WebSocket server directly with a browser. You need a "
                   "WebSocket client");
}

static void test_too_long(void **state) {
    (void)state;
    static char target[9000], lines[20000];
    memset(target, 'a', sizeof target);
    target[0] = '/';
    for (size_t more = 0; more < 2; more++) {
        struct trial trial = {.allocator = allocator_default()};
        target[HANDSHAKE_LINE_MAX - sizeof "GET  HTTP/1.1\r\n" + 1 + more] = '\0';
        try(&trial, "GET", target, USUAL);
        target[HANDSHAKE_LINE_MAX - sizeof "GET  HTTP/1.1\r\n" + 1 + more] = 'a';
        assert_int_equal(trial.status, more ? 414 : 0);
        buffer_free(&trial.out, &trial.allocator);
        for (size_t fields = HANDSHAKE_FIELDS_MAX - 5, at = 0; fields < HANDSHAKE_FIELDS_MAX - 3; fields++, at = 0) {
            struct trial other = {.allocator = allocator_default()};
            for (size_t i = 0; i < fields; i++)
                at += (size_t)snprintf(lines + at, sizeof lines - at, "a: b\r\n");
            snprintf(lines + at, sizeof lines - at, USUAL);
            try(&other, "GET", "/", lines);
            assert_int_equal(other.status, fields + 5 > HANDSHAKE_FIELDS_MAX ? 431 : 0);
            buffer_free(&other.out, &other.allocator);
        }
        struct trial field = {.allocator = allocator_default()};
        snprintf(lines, sizeof lines, "a: %0*d\r\n" USUAL, (int)(HANDSHAKE_LINE_MAX - 5 + more), 0);
        try(&field, "GET", "/", lines);
        assert_int_equal(field.status, more ? 431 : 0);
        buffer_free(&field.out, &field.allocator);
    }
}

static const struct {
    const char *offer, *answer;
    struct compression_terms terms;
} agreed[] = {
    {"permessage-deflate", EXTENSION "; server_max_window_bits=12\r\n", {true, false, false, 15, 12}},
    {"permessage-deflate; client_max_window_bits",
     EXTENSION "; server_max_window_bits=12; client_max_window_bits=12\r\n",
     {true, false, false, 12, 12}},
    {"permessage-deflate; client_max_window_bits=9; server_max_window_bits=\"10\"; server_no_context_takeover",
     EXTENSION "; server_no_context_takeover; server_max_window_bits=10; client_max_window_bits=9\r\n",
     {true, false, true, 9, 10}},
    {"permessage-deflate; a, permessage-deflate; client_no_context_takeover, permessage-deflate",
     EXTENSION "; client_no_context_takeover; server_max_window_bits=12\r\n",
     {true, true, false, 15, 12}},
    {"permessage-deflate; server_max_window_bits=8", "", {0}},
    {"permessage-deflate; server_max_window_bits=16", "", {0}},
    {"permessage-deflate; client_max_window_bits=\"\\1\\5\\5\"", "", {0}},
    {"permessage-deflates", "", {0}},
    {"foo", "", {0}},
};

static void test_agreed(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof agreed / sizeof *agreed; i++) {
        struct trial trial = {.allocator = allocator_default(), .compresses = true};
        char lines[400], expected[600];
        size_t fault;
        snprintf(lines, sizeof lines, USUAL "Sec-WebSocket-Extensions: %s\r\n", agreed[i].offer);
        snprintf(expected, sizeof expected, ACCEPTED "%sdate: " DATE "\r\nserver: s\r\n\r\n", agreed[i].answer);
        try(&trial, "GET", "/", lines);
        assert_int_equal(trial.result, HANDSHAKE_OK);
        assert_int_equal(trial.handshake.terms.agreed, agreed[i].terms.agreed);
        if (agreed[i].terms.agreed)
            assert_memory_equal(&trial.handshake.terms, &agreed[i].terms, sizeof agreed[i].terms);
        assert_int_equal(handshake_accept(&trial.handshake, &trial.out, &trial.allocator, &defaults, NULL, 0, NULL, 0, &fault),
                         RESPONSE_OK);
        expect_out(&trial, expected);
        trial = (struct trial){.allocator = allocator_default()};
        try(&trial, "GET", "/", lines);
        assert_false(trial.handshake.terms.agreed);
    }
}

static void test_responses_of_the_app(void **state) {
    (void)state;
    struct trial trial = {.allocator = allocator_default()};
    const struct response_field fields[] = {{"X-A", 3, "\xe9", 1}, {"Content-Type", 12, "a", 1}, {"content-length", 14, "2", 1}};
    const struct response_field wrong[] = {{"a b", 3, "", 0}, {"a", 1, "\n", 1}};
    size_t fault = 9;
    try(&trial, "GET", "/", USUAL);
    assert_int_equal(handshake_accept(&trial.handshake, &trial.out, &trial.allocator, &defaults, fields, 1, "p", 1, &fault), RESPONSE_OK);
    expect_out(&trial, ACCEPTED "date: " DATE "\r\nserver: s\r\nx-a: \xe9\r\nSec-WebSocket-Protocol: p\r\n\r\n");
    assert_int_equal(handshake_accept(&trial.handshake, &trial.out, &trial.allocator, &defaults, wrong, 2, "p", 1, &fault),
                     RESPONSE_NAME_INVALID);
    assert_int_equal(handshake_accept(&trial.handshake, &trial.out, &trial.allocator, &defaults, wrong + 1, 1, "p", 1, &fault),
                     RESPONSE_VALUE_INVALID);
    assert_int_equal(fault, 0);
    assert_int_equal(handshake_accept(&trial.handshake, &trial.out, &trial.allocator, &defaults, fields, 1, "\r", 1, &fault),
                     RESPONSE_VALUE_INVALID);
    assert_int_equal(fault, 1);
    assert_int_equal(trial.out.size, 0);
    assert_int_equal(handshake_refuse(&trial.out, &trial.allocator, 404, "N", 1, &date, fields, 3, "no", 2, &fault), RESPONSE_OK);
    expect_out(&trial,
               "HTTP/1.1 404 N\r\nX-A: \xe9\r\nContent-Type: a\r\ncontent-length: 2\r\nDate: " DATE "\r\nConnection: close\r\n\r\nno");
    assert_int_equal(handshake_refuse(&trial.out, &trial.allocator, 404, "N", 1, &date, fields, 3, "no!", 3, &fault),
                     RESPONSE_LENGTHS_DIFFER);
    assert_int_equal(fault, 2);
    assert_int_equal(handshake_refuse(&trial.out, &trial.allocator, 204, "", 0, &date, fields, 1, "no", 2, &fault), RESPONSE_OK);
    expect_out(&trial,
               "HTTP/1.1 204 \r\nX-A: \xe9\r\nDate: " DATE "\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n");
}

static void test_each_allocation_fails(void **state) {
    (void)state;
    static const char LINES[] = "Connection: Upgrade\r\nUpgrade: foo\r\nUpgrade: websocket\r\n" KEY VERSION;
    for (int refuses = 0; refuses < 2; refuses++) {
        bool failed = true;
        size_t number = 0;
        while (failed) {
            struct failing failing = {.failing = ++number};
            struct trial trial = {.allocator = failing_allocator(&failing), .compresses = true};
            size_t fault;
            try(&trial, "GET", "/", refuses ? LINES : USUAL);
            failed = trial.result == HANDSHAKE_NO_MEMORY;
            if (!failed && !refuses)
                failed = handshake_accept(&trial.handshake, &trial.out, &trial.allocator, &defaults, NULL, 0, NULL, 0, &fault) ==
                         RESPONSE_NO_MEMORY;
            if (failed)
                assert_int_equal(trial.out.size, 0);
            buffer_free(&trial.out, &trial.allocator);
            assert_int_equal(failing.live, 0);
        }
        assert_true(number > (refuses ? 2 : 1));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_a_handshake),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_upgrade_is_required),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_agreed),
        cmocka_unit_test(test_responses_of_the_app),
        cmocka_unit_test(test_each_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
