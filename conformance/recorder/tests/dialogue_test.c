/* dialogue_test.c: what two sides say becomes these exchanges; cut anywhere, it sends the same; each allocation failing. */
#include "support.h"

/* What happens on a connection, in order: C or S and bytes; "F" and "R": the client's FIN and reset, "f" and "r": the server's, "G": the
 * client is gone behind its FIN, "!": the listening ends. */
struct happening {
    char what;
    const char *bytes;
};

#define GET(target) "GET " target " HTTP/1.1\r\nHost: a\r\n\r\n"
#define OK_RESPONSE "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define SENDS(target) "send\n> GET " target " HTTP/1.1\n> Host: a\n>\n"

static void feed(struct dialogue *dialogue, char what, const char *data, size_t size) {
    switch (what) {
    case 'C':
        dialogue_client(dialogue, data, size, false);
        break;
    case 'S':
        dialogue_server(dialogue, data, size);
        break;
    case 'F':
    case 'R':
        dialogue_client_end(dialogue, what == 'R');
        break;
    case 'f':
    case 'r':
        dialogue_server_end(dialogue, what == 'r');
        break;
    case 'G':
        dialogue_client_gone(dialogue);
        break;
    default:
        dialogue_stop(dialogue);
    }
}

static void hear(struct dialogue *dialogue, const struct happening *happenings, size_t portion) {
    for (; happenings->what; happenings++) {
        size_t size = happenings->bytes ? strlen(happenings->bytes) : 0;
        for (size_t at = 0; at < size || (at == 0 && size == 0); at += portion) {
            feed(dialogue, happenings->what, happenings->bytes + at, size - at < portion ? size - at : portion);
            if (size == 0)
                break;
        }
    }
}

/* Heard whole the exchanges are TEXT (without the file's first line). In portions of any size the same bytes are sent and as many exchanges
 * are made. */
static void expect(const struct happening *happenings, const char *text) {
    struct collected whole = {0};
    struct dialogue dialogue;
    dialogue_init(&dialogue, NULL, collect_exchange, &whole);
    hear(&dialogue, happenings, SIZE_MAX);
    dialogue_free(&dialogue);
    assert_string_equal(whole.size ? whole.text + sizeof HEAD - 1 : "", text);
    struct collected sent = sent_by(&whole);
    for (size_t portion = 1; portion < 40; portion++) {
        struct collected cut = {0};
        dialogue_init(&dialogue, NULL, collect_exchange, &cut);
        hear(&dialogue, happenings, portion);
        dialogue_free(&dialogue);
        assert_int_equal(cut.count, whole.count);
        struct collected again = sent_by(&cut);
        assert_int_equal(again.size, sent.size);
        assert_memory_equal(again.text, sent.text, sent.size);
        free(again.text);
        free(cut.text);
    }
    free(sent.text);
    free(whole.text);
}

#define HAPPENINGS(...)                                                                                                                    \
    (const struct happening[]) {                                                                                                           \
        __VA_ARGS__, { 0, NULL }                                                                                                           \
    }

static void one_after_the_other_test(void **state) {
    (void)state;
    expect(HAPPENINGS({'C', GET("/items/3?x=1")}, {'S', OK_RESPONSE}, {'C', GET("/")},
                      {'S', "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"}, {'F', NULL}),
           "\nexchange get-items-3\nstatus: 200\n" SENDS("/items/3?x=1") "wait response\nend next\n"
                                                                         "\nexchange get-front-page.2\nstatus: 404\n" SENDS(
                                                                             "/") "wait response\nend next\n");
}

static void pipelined_test(void **state) {
    (void)state;
    expect(HAPPENINGS({'C', GET("/a") GET("/b")}, {'S', OK_RESPONSE OK_RESPONSE}),
           "\nexchange get-a\nstatus: 200 200\n" SENDS("/a") "> GET /b HTTP/1.1\n> Host: a\n>\nwait response\nwait response\nend next\n");
    expect(HAPPENINGS({'C', GET("/a")}, {'C', GET("/b")}, {'S', OK_RESPONSE}, {'S', OK_RESPONSE}),
           "\nexchange get-a\nstatus: 200 200\n" SENDS("/a") SENDS("/b") "wait response\nwait response\nend next\n");
}

/* A request that has begun, and a response that has, belong to what was before. */
static void begun_test(void **state) {
    (void)state;
    expect(HAPPENINGS({'C', GET("/a") "GET /b HT"}, {'S', OK_RESPONSE}, {'C', "TP/1.1\r\nHost: a\r\n\r\n"}, {'S', OK_RESPONSE}),
           "\nexchange get-a\nstatus: 200 200\n" SENDS("/a") "+ GET /b HT\nwait response\nsend\n> TP/1.1\n> Host: a\n>\n"
                                                             "wait response\nend next\n");
    struct collected collected = {0};
    struct dialogue dialogue;
    dialogue_init(&dialogue, NULL, collect_exchange, &collected);
    hear(&dialogue, HAPPENINGS({'C', GET("/a")}, {'S', OK_RESPONSE "HTTP/1.1 20"}), SIZE_MAX);
    assert_int_equal(collected.count, 0);
    hear(&dialogue, HAPPENINGS({'S', "4 None asked for\r\n\r\n"}), SIZE_MAX);
    assert_int_equal(collected.count, 1);
    assert_non_null(strstr(collected.text, "status: 200 204\n"));
    dialogue_free(&dialogue);
    free(collected.text);
}

static void interim_test(void **state) {
    (void)state;
    expect(HAPPENINGS({'C', "PUT /f.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"},
                      {'S', "HTTP/1.1 100 Continue\r\n\r\n"}, {'C', "body"}, {'S', OK_RESPONSE}),
           "\nexchange put-f-txt\nstatus: 200\nsend\n> PUT /f.txt HTTP/1.1\n> Host: a\n> Content-Length: 4\n> Expect: 100-continue\n>\n"
           "wait interim\nsend\n+ body\nwait response\nend next\n");
}

static void head_and_no_content_test(void **state) {
    (void)state;
    expect(HAPPENINGS({'C', "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"}, {'S', "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"}, {'C', GET("/b")},
                      {'S', "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"}),
           "\nexchange head-front-page\nstatus: 200\nsend\n> HEAD / HTTP/1.1\n> Host: a\n>\nwait response\nend next\n"
           "\nexchange get-b.2\nstatus: 304\n" SENDS("/b") "wait response\nend next\n");
}

static void who_closes_test(void **state) {
    (void)state;
    expect(HAPPENINGS({'C', GET("/")}, {'S', "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"}, {'f', NULL}),
           "\nexchange get-front-page\nstatus: 200\n" SENDS("/") "wait response\nend close\n");
    expect(HAPPENINGS({'C', GET("/")}, {'S', "HTTP/1.1 200 OK\r\n\r\nall of it"}, {'f', NULL}),
           "\nexchange get-front-page\nstatus: 200\n" SENDS("/") "wait response\nend close\n");
    expect(HAPPENINGS({'C', GET("/")}, {'S', "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"}, {'r', NULL}),
           "\nexchange get-front-page\nstatus: 200\n" SENDS("/") "end close\n");
    expect(HAPPENINGS({'C', GET("/")}, {'f', NULL}), "\nexchange get-front-page\n" SENDS("/") "end close\n");
}

static void client_that_leaves_test(void **state) {
    (void)state;
    const char *stream = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
    expect(HAPPENINGS({'C', GET("/")}, {'S', stream}, {'R', NULL}),
           "\nexchange get-front-page\nstatus: 200\n" SENDS("/") "wait head\nwait body 3\nreset\nend next\n");
    expect(HAPPENINGS({'C', GET("/")}, {'S', stream}, {'F', NULL}, {'f', NULL}),
           "\nexchange get-front-page\nstatus: 200\n" SENDS("/") "wait head\nwait body 3\nhalf-close\nend close\n");
    expect(HAPPENINGS({'C', GET("/")}, {'S', stream}, {'F', NULL}, {'S', "0\r\n\r\n"}, {'f', NULL}),
           "\nexchange get-front-page\nstatus: 200\n" SENDS("/") "wait head\nwait body 3\nhalf-close\nwait response\nend close\n");
    expect(HAPPENINGS({'C', GET("/")}, {'S', stream}, {'F', NULL}, {'S', "0\r\n\r\n"}, {'G', NULL}),
           "\nexchange get-front-page\nstatus: 200\n" SENDS("/") "wait head\nwait body 3\nclose\nend next\n");
    expect(HAPPENINGS({'C', GET("/")}, {'S', stream}, {'!', NULL}),
           "\nexchange get-front-page\nstatus: 200\n" SENDS("/") "wait head\nwait body 3\nclose\nend next\n");
    expect(HAPPENINGS({'C', GET("/")}, {'S', stream}, {'F', NULL}, {'!', NULL}),
           "\nexchange get-front-page\nstatus: 200\n" SENDS("/") "wait head\nwait body 3\nclose\nend next\n");
    expect(HAPPENINGS({'C', GET("/")}, {'S', "HTTP/1.1 200 OK\r\n"}, {'R', NULL}),
           "\nexchange get-front-page\n" SENDS("/") "reset\nend next\n");
}

static void what_is_no_exchange_test(void **state) {
    (void)state;
    expect(HAPPENINGS({'F', NULL}), "");
    expect(HAPPENINGS({'f', NULL}, {'C', GET("/")}), "");
    expect(HAPPENINGS({'C', "\r\n"}, {'f', NULL}), "");
    expect(HAPPENINGS({'S', "HTTP/1.1 408 Slow\r\n\r\n"}, {'f', NULL}), "");
    expect(HAPPENINGS({'C', GET("/")}, {'!', NULL}), "");
}

static void no_http_test(void **state) {
    (void)state;
    expect(HAPPENINGS({'C', "what\r\n\r\n"}, {'S', "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"}, {'C', "more"}, {'f', NULL}),
           "\nexchange no-request\nstatus: 400\nsend\n> what\n>\nwait response\nsend\n+ more\nend close\n");
    expect(HAPPENINGS({'C', GET("/")}, {'S', "220 mail\r\n"}, {'C', "HELO\r\n"}, {'R', NULL}),
           "\nexchange get-front-page\n" SENDS("/") "send\n> HELO\nreset\nend next\n");
}

#define UPGRADE "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
#define UPGRADE_SENDS "send\n> GET /ws HTTP/1.1\n> Host: a\n> Upgrade: websocket\n> Connection: Upgrade\n>\n"
#define SWITCHING "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"

static void websocket_test(void **state) {
    (void)state;
    expect(HAPPENINGS({'C', UPGRADE}, {'S', SWITCHING "\x81\x01h"}, {'C', "\x81\x81zzzz?"}, {'S', "\x81\x01i"}, {'f', NULL}),
           "\nexchange get-ws\nneeds: websocket\nstatus: 101\n" UPGRADE_SENDS
           "wait response\nwait frame\nsend\n+ \\x81\\x81zzzz?\nwait frame\nend close\n");
    /* What comes before the answer may be in either protocol. */
    expect(HAPPENINGS({'C', UPGRADE GET("/b")}, {'S', OK_RESPONSE}, {'S', OK_RESPONSE}, {'f', NULL}),
           "\nexchange get-ws\nstatus: 200 200\n" UPGRADE_SENDS
           "> GET /b HTTP/1.1\n> Host: a\n>\nwait response\nwait response\nend close\n");
    /* Refused, it goes on as HTTP. */
    expect(HAPPENINGS({'C', UPGRADE}, {'S', OK_RESPONSE}, {'C', GET("/b")}, {'S', OK_RESPONSE}),
           "\nexchange get-ws\nstatus: 200\n" UPGRADE_SENDS "wait response\nend next\n"
           "\nexchange get-b.2\nstatus: 200\n" SENDS("/b") "wait response\nend next\n");
}

static void connect_test(void **state) {
    (void)state;
    expect(HAPPENINGS({'C', "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n"}, {'S', "HTTP/1.1 200 OK\r\n\r\n"}, {'C', "any"}, {'S', "any"},
                      {'f', NULL}),
           "\nexchange connect-a-1\nstatus: 200\nsend\n> CONNECT a:1 HTTP/1.1\n> Host: a\n>\nwait response\nsend\n+ any\nend close\n");
}

static void equal_lines_test(void **state) {
    (void)state;
    expect(HAPPENINGS({'C', "PUT / HTTP/1.1\r\nContent-Length: 17\r\n\r\nab\nab\nab\nx\nab\nab\n"}, {'S', OK_RESPONSE}),
           "\nexchange put-front-page\nstatus: 200\nsend\n> PUT / HTTP/1.1\n> Content-Length: 17\n>\n* 3 ab\\n\n+ x\\nab\\nab\\n\nwait "
           "response\nend next\n");
}

static void filled_reads_are_one_send_test(void **state) {
    (void)state;
    struct collected collected = {0};
    struct dialogue dialogue;
    dialogue_init(&dialogue, NULL, collect_exchange, &collected);
    dialogue_client(&dialogue, "PUT / HTTP/1.1\r\nContent-Length: 4\r\n\r\n", 37, true);
    dialogue_client(&dialogue, "ab", 2, false);
    dialogue_client(&dialogue, "cd", 2, false);
    dialogue_server(&dialogue, OK_RESPONSE, sizeof OK_RESPONSE - 1);
    assert_non_null(strstr(collected.text, "send\n> PUT / HTTP/1.1\n> Content-Length: 4\n>\n+ ab\nsend\n+ cd\nwait response\n"));
    dialogue_free(&dialogue);
    free(collected.text);
}

/* Beyond its bounds an exchange is lost, and only that one. */
static void bounds_test(void **state) {
    (void)state;
    struct collected collected = {0};
    struct dialogue dialogue;
    char *chunk = malloc(1 << 20);
    assert_non_null(chunk);
    for (size_t i = 0; i < 1 << 20; i++)
        chunk[i] = (char)('a' + i * i % 23);
    dialogue_init(&dialogue, NULL, collect_exchange, &collected);
    const char *head = "PUT / HTTP/1.1\r\nContent-Length: 33554432\r\n\r\n";
    dialogue_client(&dialogue, head, strlen(head), false);
    for (int i = 0; i < 32; i++) {
        assert_true(dialogue.steps.text.capacity <= 2 * DIALOGUE_TEXT_MAX);
        dialogue_client(&dialogue, chunk, 1 << 20, true);
    }
    dialogue_server(&dialogue, OK_RESPONSE, sizeof OK_RESPONSE - 1);
    assert_int_equal(dialogue.lost, 1);
    for (unsigned i = 0; i <= DIALOGUE_STEPS_MAX; i++) {
        const char *word = "GET / HTTP/1.1\r\n\r\n";
        dialogue_client(&dialogue, word, i == 0 ? strlen(word) : 0, false);
        dialogue_server(&dialogue, "HTTP/1.1 100 C\r\n\r\n", 18);
    }
    dialogue_server(&dialogue, OK_RESPONSE, sizeof OK_RESPONSE - 1);
    assert_int_equal(dialogue.lost, 2);
    assert_int_equal(collected.count, 0);
    hear(&dialogue, HAPPENINGS({'C', GET("/")}, {'S', OK_RESPONSE}), SIZE_MAX);
    assert_int_equal(collected.count, 1);
    assert_int_equal(dialogue.lost, 2);
    dialogue_free(&dialogue);
    free(collected.text);
    free(chunk);
}

/* A client that sends octet by octet does not pass the bound of steps. */
static void many_reads_test(void **state) {
    (void)state;
    struct collected collected = {0};
    struct dialogue dialogue;
    dialogue_init(&dialogue, NULL, collect_exchange, &collected);
    const char *head = "PUT / HTTP/1.1\r\nContent-Length: 9000\r\n\r\n";
    dialogue_client(&dialogue, head, strlen(head), false);
    for (int i = 0; i < 9000; i++)
        dialogue_client(&dialogue, "x", 1, false);
    dialogue_server(&dialogue, OK_RESPONSE, sizeof OK_RESPONSE - 1);
    struct collected sent = sent_by(&collected);
    assert_int_equal(sent.size, strlen(head) + 9000);
    dialogue_free(&dialogue);
    free(sent.text);
    free(collected.text);
}

/* Told to, it makes one exchange of a connection, and of what it hands out in between only when that grows long. */
static void whole_test(void **state) {
    (void)state;
    for (const char *end = "FRf!"; *end; end++) {
        struct collected collected = {0};
        struct dialogue dialogue;
        dialogue_init(&dialogue, NULL, collect_exchange, &collected);
        dialogue.whole = true;
        hear(&dialogue, HAPPENINGS({'C', GET("/a")}, {'S', OK_RESPONSE}, {'C', GET("/b")}, {'S', OK_RESPONSE}), SIZE_MAX);
        assert_int_equal(collected.count, 0);
        feed(&dialogue, *end, NULL, 0);
        char expected[400];
        snprintf(expected, sizeof expected, "%s\nexchange get-a\nstatus: 200 200\n%swait response\n%swait response\nend %s\n", HEAD,
                 SENDS("/a"), SENDS("/b"), *end == 'f' ? "close" : "next");
        assert_string_equal(collected.text, expected);
        dialogue_free(&dialogue);
        free(collected.text);
    }
    struct collected collected = {0};
    struct dialogue dialogue;
    dialogue_init(&dialogue, NULL, collect_exchange, &collected);
    dialogue.whole = true;
    for (unsigned i = 0; i < DIALOGUE_WHOLE_STEPS; i++)
        hear(&dialogue, HAPPENINGS({'C', GET("/a")}, {'S', OK_RESPONSE}), SIZE_MAX);
    feed(&dialogue, 'F', NULL, 0);
    assert_int_equal(collected.count, 2);
    struct collected sent = sent_by(&collected);
    assert_int_equal(sent.size, DIALOGUE_WHOLE_STEPS * strlen(GET("/a")));
    dialogue_free(&dialogue);
    free(sent.text);
    free(collected.text);
}

/* Told to, it keeps what was answered: an interim response's fields not, a content only where it is text, and no more than its bound. */
static void answers_test(void **state) {
    (void)state;
    static const struct {
        const char *answer, *text;
    } answers[] = {
        {"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nETag:\r\nContent-Length: 8\r\n\r\n{\"a\": 1}",
         "> HTTP/1.1 200\n> Content-Type: application/json\n> ETag:\\x20\n> Content-Length: 8\n>\n+ {\"a\": 1}\n"},
        {"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 2\r\n\r\nok", "> HTTP/1.1 200\n> Content-Type: image/png\n"
                                                                                      "> Content-Length: 2\n>\n"},
        {"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
         "> HTTP/1.1 200\n> content-type: text/html\n> Transfer-Encoding: chunked\n>\n+ abc\n"},
    };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        for (size_t portion = 1; portion < 40; portion++) {
            struct collected collected = {0};
            struct dialogue dialogue;
            dialogue_init(&dialogue, NULL, collect_exchange, &collected);
            dialogue.answers = true;
            hear(&dialogue, HAPPENINGS({'C', GET("/a")}), SIZE_MAX);
            hear(&dialogue, HAPPENINGS({'S', answers[i].answer}), portion);
            char expected[600];
            snprintf(expected, sizeof expected, "%s\nexchange get-a\nstatus: 200\n%swait response\nanswered\n%send next\n", HEAD,
                     SENDS("/a"), answers[i].text);
            assert_string_equal(collected.text, expected);
            dialogue_free(&dialogue);
            free(collected.text);
        }
}

static void interim_answers_test(void **state) {
    (void)state;
    struct collected collected = {0};
    struct dialogue dialogue;
    dialogue_init(&dialogue, NULL, collect_exchange, &collected);
    dialogue.answers = true;
    hear(&dialogue, HAPPENINGS({'C', GET("/a")}, {'S', "HTTP/1.1 103 Early\r\nLink: x\r\n\r\n"}, {'S', OK_RESPONSE}), SIZE_MAX);
    assert_non_null(strstr(collected.text, "answered\n> HTTP/1.1 200\n> Content-Length: 2\n>\nend next\n"));
    assert_null(strstr(collected.text, "Link"));
    dialogue_free(&dialogue);
    free(collected.text);
}

static void long_answers_test(void **state) {
    (void)state;
    struct collected collected = {0};
    struct dialogue dialogue;
    dialogue_init(&dialogue, NULL, collect_exchange, &collected);
    dialogue.answers = true;
    char portion[4096];
    memset(portion, 'x', sizeof portion);
    dialogue_client(&dialogue, GET("/a"), strlen(GET("/a")), false);
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 409600\r\n\r\n";
    dialogue_server(&dialogue, head, sizeof head - 1);
    for (unsigned i = 0; i < 100; i++)
        dialogue_server(&dialogue, portion, sizeof portion);
    assert_int_equal(collected.count, 1);
    struct exchange_file *file = parsed(collected.text, collected.size);
    size_t kept = 0;
    for (size_t i = 0; i < file->exchanges[0].step_count; i++)
        for (size_t j = 0; file->exchanges[0].steps[i].kind == EXCHANGE_ANSWERED && j < file->exchanges[0].steps[i].piece_count; j++)
            kept += file->exchanges[0].steps[i].pieces[j].bytes.size;
    assert_int_equal(kept, ANSWER_MAX);
    exchange_file_free(file);
    dialogue_free(&dialogue);
    free(collected.text);
}

/* Without memory for an answer it is left out, and nothing else. */
static void answers_without_memory_test(void **state) {
    (void)state;
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok";
    size_t without = 0;
    for (size_t failing_at = 1;; failing_at++) {
        struct failing failing = {.failing = failing_at, .once = true};
        struct exchange_allocator allocator = failing_allocator(&failing);
        struct collected collected = {0};
        struct dialogue dialogue;
        dialogue_init(&dialogue, &allocator, collect_exchange, &collected);
        dialogue.answers = true;
        hear(&dialogue, HAPPENINGS({'C', GET("/a")}, {'S', answer}), SIZE_MAX);
        dialogue_free(&dialogue);
        assert_int_equal(failing.live, 0);
        assert_int_equal(collected.count + dialogue.lost, 1);
        free(sent_by(&collected).text);
        bool kept = collected.text && strstr(collected.text, "answered\n> HTTP/1.1 200\n");
        without += collected.count && !kept;
        free(collected.text);
        if (failing.asked < failing_at) {
            assert_true(kept);
            break;
        }
    }
    assert_in_range(without, 1, 100);
}

static void allocations_test(void **state) {
    (void)state;
    static const struct happening everything[] = {
        {'C', GET("/a") GET("/b")}, {'S', OK_RESPONSE}, {'S', OK_RESPONSE}, {'C', GET("/c")}, {'S', OK_RESPONSE}, {'C', UPGRADE},
        {'S', SWITCHING},           {'C', "frames"},    {'f', NULL},        {0, NULL}};
    size_t lost = 0;
    for (size_t failing_at = 1;; failing_at++) {
        struct failing failing = {.failing = failing_at, .once = true};
        struct exchange_allocator allocator = failing_allocator(&failing);
        struct collected collected = {0};
        struct dialogue dialogue;
        dialogue_init(&dialogue, &allocator, collect_exchange, &collected);
        hear(&dialogue, everything, SIZE_MAX);
        dialogue_free(&dialogue);
        assert_int_equal(failing.live, 0);
        free(sent_by(&collected).text); /* what is handed out is whole */
        free(collected.text);
        if (failing.asked < failing_at) {
            assert_int_equal(dialogue.lost, 0);
            assert_int_equal(collected.count, 3);
            break;
        }
        lost++;
        assert_int_equal(dialogue.lost, 1);
        assert_in_range(collected.count, 0, 2);
    }
    assert_in_range(lost, 3, 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_after_the_other_test),
        cmocka_unit_test(pipelined_test),
        cmocka_unit_test(begun_test),
        cmocka_unit_test(interim_test),
        cmocka_unit_test(head_and_no_content_test),
        cmocka_unit_test(who_closes_test),
        cmocka_unit_test(client_that_leaves_test),
        cmocka_unit_test(what_is_no_exchange_test),
        cmocka_unit_test(no_http_test),
        cmocka_unit_test(websocket_test),
        cmocka_unit_test(connect_test),
        cmocka_unit_test(equal_lines_test),
        cmocka_unit_test(filled_reads_are_one_send_test),
        cmocka_unit_test(bounds_test),
        cmocka_unit_test(many_reads_test),
        cmocka_unit_test(whole_test),
        cmocka_unit_test(answers_test),
        cmocka_unit_test(interim_answers_test),
        cmocka_unit_test(long_answers_test),
        cmocka_unit_test(answers_without_memory_test),
        cmocka_unit_test(allocations_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
