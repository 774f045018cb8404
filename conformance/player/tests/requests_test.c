/* requests_test.c: what we send, followed whole, byte by byte, in every split and with each allocation failing; then the bounds. */
#include "../../exchange/tests/support.h"

#include "../requests.h"

struct sent {
    const char *name;
    const char *bytes;
    size_t size;
    const char *expected;
};

#define BYTES(text) text, sizeof(text) - 1
#define X16 "xxxxxxxxxxxxxxxx"
#define X64 X16 X16 X16 X16

static const struct sent SENT[] = {
    {"two GETs", BYTES("GET /a?b=c HTTP/1.1\r\nHost: a\r\n\r\nGET http://a/%20 HTTP/1.1\r\nHost: a\r\n\r\n"),
     "GET /a?b=c whole other\nGET http://a/%20 whole other\n2 followed \n"},
    {"HEAD, OPTIONS *", BYTES("HEAD / HTTP/1.1\r\n\r\nOPTIONS * HTTP/1.1\r\n\r\n"),
     "HEAD / whole head\nOPTIONS * whole other\n2 followed \n"},
    {"content of a length, line ends between",
     BYTES("\r\nPOST /p HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello\r\n\r\nPUT /q HTTP/1.1\r\n\r\n\n"),
     "POST /p whole other\nPUT /q whole other\n2 followed \n"},
    {"chunked with extensions and trailers",
     BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nExpect: 100-continue\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
     "POST / whole other\nGET / whole other\n2 followed \n"},
    {"content under way", BYTES("GET / HTTP/1.1\r\n\r\nPOST /p HTTP/1.1\r\nContent-Length: 5\r\n\r\nhel"),
     "GET / whole other\nPOST /p head other\n1 followed, under way \n"},
    {"head under way", BYTES("HEAD /p HTTP/1.1\r\nContent-"), "HEAD /p part other\n0 followed, under way \n"},
    {"target under way", BYTES("HEAD /p"), "HEAD /p part other\n0 followed, under way \n"},
    {"method under way", BYTES("GE"), "0 followed, under way \n"},
    {"nothing", BYTES("\r\n"), "0 followed \n"},
    {"expects continue", BYTES("POST / HTTP/1.1\r\nHost: a\r\nEXPECT: 100-Continue \r\nContent-Length: 1\r\n\r\n"),
     "POST / head other expects\n0 followed, under way \n"},
    {"expects something else",
     BYTES("GET / HTTP/1.1\r\nExpect: 100-continues\r\nExpected: 100-continue\r\nExpect: 100-continue, and much more\r\nExpec: "
           "100-continue\r\n\r\n"),
     "GET / whole other\n1 followed \n"},
    {"asks to close", BYTES("HEAD / HTTP/1.1\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\n\r\n"), "HEAD / whole head\n1 closed \n"},
    {"HTTP/1.0", BYTES("GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n"), "GET / whole other\n1 closed \n"},
    {"HTTP/1.0 kept alive", BYTES("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n"),
     "GET / whole other\nGET / whole other\n2 closed \n"},
    {"HTTP/0.9", BYTES("GET /\r\n\r\nGET /\r\n\r\n"), "GET / whole other\n1 closed \n"},
    {"CONNECT", BYTES("CONNECT a:443 HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n"), "CONNECT a:443 whole connect\n1 upgraded \n"},
    {"WebSocket", BYTES("GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x80"),
     "GET /ws whole other\n1 upgraded \n"},
    {"WebSocket with a key",
     BYTES("GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nsec-WebSocket-key:  a b== \t\r\nSec-WebSocket-Key: "
           "b\r\n\r\nGET"),
     "GET /ws whole other key a b==\n1 upgraded \n"},
    {"WebSocket with a long key", /* of 64 octets, and of one more */
     BYTES("GET /a HTTP/1.1\r\nSec-WebSocket-Key: " X64 "\r\n\r\nGET /b HTTP/1.1\r\nSec-WebSocket-Key: " X64 "x\r\n\r\n"),
     "GET /a whole other key " X64 "\nGET /b whole other\n2 followed \n"},
    {"upgrade with content", BYTES("POST / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nokGET /"),
     "POST / whole other\n1 upgraded \n"},
    {"upgrade without its Connection", BYTES("GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
     "GET / whole other\nGET / whole other\n2 followed \n"},
    {"tolerated: bare LF after fields, odd version, odd fields",
     BYTES("GET / HTTP/3.7\r\nHost: a\nAccept: b\n\nPOST / HTTP/1.1\r\na: b\x01\r\n folded\r\nContent-Length : 0\r\n\r\nGET / "
           "HTTP/1.1\r\n\r\n"),
     "GET / whole other\nPOST / whole other\nGET / whole other\n3 followed \n"},
    {"bare LF after the version", BYTES("GET / HTTP/1.1\nHost: a\n\n"), "GET / part other\n0 broken, under way HPE_STRICT\n"},
    {"bare LF after a chunk's size", BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\na\n0\n\n"),
     "POST / head other\n0 broken, under way HPE_STRICT\n"},
    {"white space after a field's name", BYTES("GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
     "GET / part other\n0 broken, under way HPE_INVALID_HEADER_TOKEN\n"},
    {"tolerated: length beside chunked, spaces after a chunk's size",
     BYTES("POST / HTTP/1.1\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n1 \r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
     "POST / whole other\nGET / whole other\n2 followed \n"},
    {"unknown method", BYTES("GET / HTTP/1.1\r\n\r\nNAP / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
     "GET / whole other\n1 broken, under way HPE_INVALID_METHOD\n"},
    {"no HTTP", BYTES("\x16\x03\x01\x02"), "0 broken, under way HPE_INVALID_METHOD\n"},
    {"HTTP/2 preface", BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "PRI * part other\n0 broken, under way HPE_PAUSED_H2_UPGRADE\n"},
    {"bad target", BYTES("HEAD /\x01 HTTP/1.1\r\n\r\n"), "HEAD  part other\n0 broken, under way HPE_INVALID_URL\n"},
    {"bad target after a good one", BYTES("GET / HTTP/1.1\r\n\r\nHEAD /\x01 HTTP/1.1\r\n\r\n"),
     "GET / whole other\nHEAD  part other\n1 broken, under way HPE_INVALID_URL\n"},
    {"bad field of a HEAD", BYTES("HEAD / HTTP/1.1\r\nContent-Length: x\r\n\r\n"),
     "HEAD / part other\n0 broken, under way HPE_INVALID_CONTENT_LENGTH\n"},
    {"content-length twice", BYTES("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na"),
     "POST / part other\n0 broken, under way HPE_UNEXPECTED_CONTENT_LENGTH\n"},
    {"another transfer coding", BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
     "POST / head other\n0 broken, under way HPE_INVALID_TRANSFER_ENCODING\n"},
    {"bad chunk of a HEAD", BYTES("HEAD / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"),
     "HEAD / head head\n0 broken, under way HPE_INVALID_CHUNK_SIZE\n"},
    {"chunk not ended", BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na0\r\n\r\n"),
     "POST / head other\n0 broken, under way HPE_STRICT\n"},
};

static void tell_requests(struct told *told, struct requests *requests) {
    static const char *const states[] = {"followed", "closed", "upgraded", "broken"};
    static const char *const answers[] = {"other", "head", "connect"};
    for (size_t i = 0; i < requests->count; i++) {
        const struct request *request = &requests->requests[i];
        assert_int_equal(request->target_kept, request->target_size);
        tell(told, "%s ", request->method);
        tell_bytes(told, request->target, request->target_kept);
        tell(told, " %s %s%s%s",
             request->complete        ? "whole"
             : request->head_complete ? "head"
                                      : "part",
             answers[requests_answered_by(requests, i)], request->expects_continue ? " expects" : "", request->key_size > 0 ? " key " : "");
        tell_bytes(told, request->key, request->key_size);
        tell(told, "\n");
    }
    assert_int_equal(requests_answered_by(requests, requests->count), RESPONSE_TO_OTHER);
    tell(told, "%zu %s%s %s\n", requests->complete, states[requests->state], requests->under_way ? ", under way" : "", requests->error);
}

static int feed(struct requests *requests, const struct guarded *guarded, const struct sent *sent, size_t first, size_t then) {
    for (size_t at = 0; at < sent->size;) {
        size_t portion = at == 0 ? first : then;
        if (portion > sent->size - at)
            portion = sent->size - at;
        if (requests_feed(requests, guarded_put(guarded, sent->bytes + at, portion), portion) != 0)
            return -1;
        at += portion;
    }
    return 0;
}

static void follow(const struct sent *sent, const struct guarded *guarded, size_t first, size_t then) {
    static struct told told;
    struct requests requests;
    struct failing failing = {0};
    struct exchange_allocator allocator = failing_allocator(&failing);
    requests_init(&requests, &allocator);
    assert_int_equal(feed(&requests, guarded, sent, first, then), 0);
    told.size = 0;
    tell_requests(&told, &requests);
    requests_free(&requests);
    assert_int_equal(failing.live, 0);
    if (strcmp(told.text, sent->expected) != 0)
        fail_msg("%s, cut at %zu and then by %zu:\n%s", sent->name, first, then, told.text);
}

static void test_sent_in_every_cut(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof SENT / sizeof *SENT; i++) {
        struct guarded guarded = guarded_new(SENT[i].size);
        follow(&SENT[i], &guarded, SENT[i].size, 1);
        for (size_t portion = 1; portion <= 5; portion++)
            follow(&SENT[i], &guarded, portion, portion);
        for (size_t split = 1; split < SENT[i].size; split++)
            follow(&SENT[i], &guarded, split, SENT[i].size);
        guarded_free(&guarded);
    }
}

static void test_each_allocation_fails(void **state) {
    (void)state;
    static struct told told;
    size_t failures = 0;
    for (size_t i = 0; i < sizeof SENT / sizeof *SENT; i++) {
        struct guarded guarded = guarded_new(SENT[i].size);
        for (size_t nth = 1;; nth++) {
            struct requests requests;
            struct failing failing = {.failing = nth};
            struct exchange_allocator allocator = failing_allocator(&failing);
            requests_init(&requests, &allocator);
            int result = feed(&requests, &guarded, &SENT[i], 1, 1);
            bool failed = failing.asked >= nth;
            assert_int_equal(result, failed ? -1 : 0);
            if (failed) {
                assert_string_equal(requests.error, "OUT_OF_MEMORY");
                assert_int_equal(requests.state, REQUESTS_BROKEN);
                assert_int_equal(requests_feed(&requests, "x", 1), -1);
                failures++;
            }
            told.size = 0;
            tell_requests(&told, &requests);
            requests_free(&requests);
            assert_int_equal(failing.live, 0);
            if (!failed)
                break;
        }
        guarded_free(&guarded);
    }
    assert_true(failures > 50);
}

static void put(struct requests *requests, const char *text) { assert_int_equal(requests_feed(requests, text, strlen(text)), 0); }

static void test_long_target_is_cut(void **state) {
    (void)state;
    struct requests requests;
    requests_init(&requests, NULL);
    put(&requests, "GET /");
    for (unsigned i = 0; i < 1000; i++)
        put(&requests, "seven77");
    put(&requests, " HTTP/1.1\r\n\r\n");
    assert_int_equal(requests.complete, 1);
    assert_int_equal(requests.requests[0].target_kept, REQUESTS_TARGET_MAX);
    assert_int_equal(requests.requests[0].target_size, 7001);
    assert_memory_equal(requests.requests[0].target, "/seven77seven", 13);
    requests_free(&requests);
}

static void test_long_fields(void **state) {
    (void)state;
    struct requests *requests = malloc(sizeof *requests); /* where the sanitizer sees what lies beyond it */
    assert_non_null(requests);
    requests_init(requests, NULL);
    put(requests, "GET / HTTP/1.1\r\nExpect: 100-continue");
    for (unsigned i = 0; i < 1000; i++)
        put(requests, "seven77");
    put(requests, "\r\nExpect");
    for (unsigned i = 0; i < 1000; i++)
        put(requests, "seven77");
    put(requests, ": 100-continue\r\n\r\n");
    assert_int_equal(requests->complete, 1);
    assert_false(requests->requests[0].expects_continue);
    requests_free(requests);
    free(requests);
}

static void test_too_many(void **state) {
    (void)state;
    struct requests requests;
    requests_init(&requests, NULL);
    for (unsigned i = 0; i < REQUESTS_COUNT_MAX; i++)
        put(&requests, "GET / HTTP/1.1\r\n\r\n");
    assert_int_equal(requests.state, REQUESTS_FOLLOWED);
    put(&requests, "GET / HTTP/1.1\r\n\r\n");
    assert_int_equal(requests.state, REQUESTS_BROKEN);
    assert_string_equal(requests.error, "REQUESTS_TOO_MANY");
    assert_int_equal(requests.count, REQUESTS_COUNT_MAX);
    requests_free(&requests);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sent_in_every_cut),  cmocka_unit_test(test_each_allocation_fails),
        cmocka_unit_test(test_long_target_is_cut), cmocka_unit_test(test_long_fields),
        cmocka_unit_test(test_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
