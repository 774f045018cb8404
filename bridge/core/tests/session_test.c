/* session_test.c: a connection that becomes a WebSocket, between a transport, a clock and an app that do what a test says. */
#include "connection_support.h"

#include "../session.h"

#define SHAKE(target)                                                                                                                      \
    "GET " target " HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"   \
    "Sec-WebSocket-Version: 13\r\n\r\n"
#define SHAKEN                                                                                                                             \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "                              \
    "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
#define USUAL(length) "Date: D\r\nConnection: close\r\nContent-Length: " length "\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"

/* Frames with a mask of zeros, of up to 125 octets. */
#define MASKED(first, length) first length "\0\0\0\0"

struct app {
    struct stage stage; /* first: it is the handler's owner */
    struct session session;
    bool released;
    uint64_t clock; /* milliseconds */
    uint64_t alarm; /* when; 0: none */
    bool no_alarm;  /* the next cannot be had */
    bool accepts;   /* in `run` */
};

static struct app *app_of(struct session *session) { return (struct app *)((char *)session - offsetof(struct app, session)); }

static void on_offered(void *owner, struct connection *connection) {
    assert_ptr_equal(connection, &((struct app *)owner)->stage.connection);
}

static struct session *on_request(void *owner, struct connection *connection, const struct request_head *head) {
    struct app *app = owner;
    (void)connection;
    if (app->stage.refuses)
        return NULL;
    memset(&app->session, 0xaa, sizeof app->session);
    tell(&app->stage.told, "socket %.*s\n", (int)head->target.path_size, head->target.path);
    return &app->session;
}

static void on_refused(void *owner, unsigned status, const char *reason) {
    tell(&((struct app *)owner)->stage.told, "refused %u %s\n", status, reason);
}

static void accept_it(struct app *app) {
    size_t fault;
    assert_int_equal(session_accept(&app->session, NULL, 0, NULL, 0, &fault), RESPONSE_OK);
}

static void on_run(struct session *session) {
    tell(&app_of(session)->stage.told, "run\n");
    if (app_of(session)->accepts)
        accept_it(app_of(session));
}

static int on_message(struct session *session, bool text, const char *data, size_t size) {
    struct told *told = &app_of(session)->stage.told;
    if (size == 4 && memcmp(data, "full", 4) == 0)
        return -1;
    tell(told, text ? "text " : "binary ");
    tell_bytes(told, data, size < 50 ? size : 50);
    tell(told, "\n");
    return 0;
}

static void on_broken_text(struct session *session, const char *data, size_t size) {
    (void)data;
    tell(&app_of(session)->stage.told, "broken %zu\n", size);
}

static void on_closed(struct session *session, unsigned code, const char *reason, size_t size) {
    tell(&app_of(session)->stage.told, "closed %u %.*s\n", code, reason ? (int)size : 4, reason ? reason : "none");
}

static void on_drained(struct session *session) { tell(&app_of(session)->stage.told, "drained\n"); }

static void on_release(struct session *session) {
    assert_false(app_of(session)->released);
    app_of(session)->released = true;
}

static int stage_alarm(void *socket, uint64_t milliseconds) {
    struct app *app = socket;
    if (app->no_alarm)
        return -1;
    app->alarm = milliseconds > 0 ? app->clock + milliseconds : 0;
    return 0;
}

static uint64_t stage_now(void *socket) { return ((struct app *)socket)->clock * 1000000u; }

static const struct date *stage_date(void *owner) {
    static const struct date date = {.text = "D", .size = 1};
    (void)owner;
    return &date;
}

static void app_init(struct app *app, bool accepts) {
    static const struct session_handler sessions = {.offered = on_offered,
                                                    .request = on_request,
                                                    .refused = on_refused,
                                                    .run = on_run,
                                                    .message = on_message,
                                                    .broken_text = on_broken_text,
                                                    .closed = on_closed,
                                                    .drained = on_drained,
                                                    .release = on_release};
    static const struct transport transport = {.write = stage_write,
                                               .watch = stage_watch,
                                               .flush_later = stage_flush_later,
                                               .idle = stage_idle,
                                               .alarm = stage_alarm,
                                               .now = stage_now,
                                               .close = stage_close};
    memset(app, 0, sizeof *app);
    stage_init(&app->stage);
    app->accepts = accepts;
    app->clock = 1000;
    app->stage.kit.transport = &transport;
    app->stage.kit.sessions = &sessions;
    app->stage.kit.date = stage_date;
    app->stage.kit.session_options =
        (struct session_options){.max_size = 1000, .max_queue = 2, .ping_interval = 20000, .ping_timeout = 20000};
}

/* Time goes by, and what is due is told. */
static void pass(struct app *app, uint64_t milliseconds) {
    app->clock += milliseconds;
    if (app->alarm != 0 && app->alarm <= app->clock && !app->stage.closed) {
        app->alarm = 0;
        connection_alarmed(&app->stage.connection);
        turn(&app->stage);
    }
}

static void sends(struct app *app, const char *bytes, size_t size) { client_sends(&app->stage, bytes, size); }

static void expect_sent(struct app *app, const char *bytes, size_t size) {
    assert_int_equal(app->stage.wire.size, size);
    assert_memory_equal(buffer_bytes(&app->stage.wire), bytes, size);
    buffer_take(&app->stage.wire, size);
}

static void app_end(struct app *app, const char *expected) {
    if (!app->stage.closed)
        connection_lost(&app->stage.connection);
    turn(&app->stage);
    assert_string_equal(app->stage.told.text, expected);
    struct allocator allocator = allocator_default();
    buffer_free(&app->stage.input, &allocator);
    buffer_free(&app->stage.wire, &allocator);
    connection_free(&app->stage.connection);
    assert_int_equal(app->stage.failing.live, 0);
}

static void open_app(struct app *app) {
    app_init(app, true);
    sends(app, BYTES(SHAKE("/a")));
    expect_sent(app, BYTES(SHAKEN));
    assert_true(app->session.open && app->session.complete && app->stage.readable);
}

static void test_messages_and_a_close(void **state) {
    (void)state;
    struct app app;
    open_app(&app);
    sends(&app, BYTES(MASKED("\x81", "\x82") "hi"));
    assert_int_equal(session_send(&app.session, true, "ho", 2), SESSION_OK);
    session_wants(&app.session);
    turn(&app.stage);
    expect_sent(&app, BYTES("\x81\x02ho"));
    sends(&app, BYTES(MASKED("\x89", "\x81") "p" MASKED("\x88", "\x84") "\x03\xe9ok"));
    expect_sent(&app, BYTES("\x8a\x01p\x88\x04\x03\xe9ok"));
    assert_int_equal(session_send(&app.session, true, "ho", 2), SESSION_CLOSED);
    assert_int_equal(session_close(&app.session, 1000, "", 0), SESSION_CLOSED);
    session_finished(&app.session);
    app_end(&app, "socket /a\nrun\ntext hi\nclosed 1001 ok\nclose\nclosed 1005 none\ndrained\n");
    assert_true(app.released);
}

static void test_an_app_that_listens_is_told_of_the_end(void **state) {
    (void)state;
    struct app app;
    open_app(&app);
    connection_ended(&app.stage.connection);
    turn(&app.stage);
    session_finished(&app.session);
    app_end(&app, "socket /a\nrun\nclose\nclosed 1005 none\ndrained\n");
}

static void test_before_it_is_accepted(void **state) {
    (void)state;
    struct app app;
    app_init(&app, false);
    sends(&app, BYTES(SHAKE("/a") MASKED("\x81", "\x81") "lost"));
    sends(&app, BYTES(MASKED("\x81", "\x81") "a" MASKED("\x89", "\x80")));
    sends(&app, BYTES(MASKED("\x81", "\x81") "b"));
    expect_sent(&app, BYTES(""));
    accept_it(&app);
    turn(&app.stage);
    expect_sent(&app, BYTES(SHAKEN "\x8a\x00"));
    app_end(&app, "socket /a\nrun\ntext a\ntext b\nclose\nclosed 1005 none\ndrained\n");

    app_init(&app, false);
    sends(&app, BYTES(SHAKE("/a")));
    app_end(&app, "socket /a\nrun\nclose\nclosed 1006 none\ndrained\n");
    assert_true(app.session.complete && app.session.disconnected);
}

static void test_refused(void **state) {
    (void)state;
    struct app app;
    size_t fault;
    app_init(&app, false);
    sends(&app, BYTES(SHAKE("/a")));
    assert_int_equal(session_refuse(&app.session, 403, "Forbidden", 9, NULL, 0, "no", 2, &fault), RESPONSE_OK);
    expect_sent(&app, BYTES("HTTP/1.1 403 Forbidden\r\n" USUAL("2") "no"));
    app_end(&app, "socket /a\nrun\nclose\nclosed 1006 none\ndrained\n");

    app_init(&app, false);
    client_says(&app.stage, "GOT / HTTP/1.1\r\n");
    app_end(&app, "invalid\nclose\n");

    app_init(&app, false);
    client_says(&app.stage, "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nleft over");
    expect_sent(&app, BYTES("HTTP/1.1 400 Bad Request\r\n" USUAL(
                          "73") "Failed to open a WebSocket connection: missing Sec-WebSocket-Key header.\n"));
    app_end(&app, "refused 400 Bad Request\nclose\n");
}

/* All that was read is told, up to max_queue; what comes then is read when all was taken. */
static void test_flow_to_the_app(void **state) {
    (void)state;
    struct app app;
    open_app(&app);
    sends(&app, BYTES(MASKED("\x81", "\x81") "1" MASKED("\x81", "\x81") "2" MASKED("\x81", "\x81") "3" MASKED("\x89", "\x80")));
    assert_string_equal(app.stage.told.text, "socket /a\nrun\ntext 1\ntext 2\n");
    assert_false(connection_wants(&app.stage.connection));
    assert_false(app.stage.readable);
    client_queues(&app.stage, BYTES(MASKED("\x81", "\x81") "4"));
    session_wants(&app.session);
    turn(&app.stage);
    expect_sent(&app, BYTES("\x8a\x00"));
    assert_false(app.stage.readable); /* 3 waits */
    session_wants(&app.session);
    assert_true(app.stage.readable);
    pump(&app.stage, 100, 100);
    app_end(&app, "socket /a\nrun\ntext 1\ntext 2\ntext 3\ntext 4\nclose\nclosed 1005 none\ndrained\n");
}

static void test_flow_to_the_client(void **state) {
    (void)state;
    struct app app;
    static char large[HIGH_WATER + 1];
    open_app(&app);
    app.stage.room = 10;
    assert_int_equal(session_send(&app.session, false, large, sizeof large), SESSION_OK);
    assert_true(session_is_congested(&app.session));
    sends(&app, BYTES(MASKED("\x89", "\x81") "a" MASKED("\x89", "\x81") "b"));
    client_reads(&app.stage, SIZE_MAX);
    turn(&app.stage);
    assert_false(session_is_congested(&app.session));
    assert_int_equal(app.stage.wire.size, 10 + sizeof large + 3);
    assert_memory_equal(buffer_bytes(&app.stage.wire) + app.stage.wire.size - 3,
                        "\x8a\x01"
                        "b",
                        3);
    app_end(&app, "socket /a\nrun\ndrained\nclose\nclosed 1005 none\ndrained\n");
}

static void test_closed_by_the_app(void **state) {
    (void)state;
    struct app app;
    open_app(&app);
    sends(&app, BYTES(MASKED("\x81", "\x81") "1"));
    assert_int_equal(session_close(&app.session, 3000, "x", 1), SESSION_OK);
    session_finished(&app.session);
    turn(&app.stage);
    expect_sent(&app, BYTES("\x88\x03\x0b\xb8x"));
    sends(&app, BYTES(MASKED("\x81", "\x81") "2" MASKED("\x89", "\x80")));
    expect_sent(&app, BYTES("\x8a\x00"));
    assert_false(app.stage.closed);
    sends(&app, BYTES(MASKED("\x88", "\x80")));
    expect_sent(&app, BYTES(""));
    app_end(&app, "socket /a\nrun\ntext 1\nclose\n");

    open_app(&app);
    assert_int_equal(session_close(&app.session, 1000, "", 0), SESSION_OK);
    turn(&app.stage);
    pass(&app, SESSION_CLOSE_TIMEOUT);
    assert_false(app.stage.closed);
    pass(&app, 1);
    app_end(&app, "socket /a\nrun\nclose\nclosed 1005 none\ndrained\n");
}

static void test_broken_after_the_app_has_closed(void **state) {
    (void)state;
    struct app app;
    open_app(&app);
    session_close(&app.session, 3000, "x", 1);
    turn(&app.stage);
    sends(&app, BYTES("\x83\x80"));
    app_end(&app, "socket /a\nrun\nclosed 3000 x\nclose\nclosed 1005 none\ndrained\n");
}

static void test_broken(void **state) {
    (void)state;
    struct app app;
    open_app(&app);
    sends(&app, BYTES(MASKED("\x81", "\x81") "1" MASKED("\x81", "\x81") "\xff"
                                                                        "\x83\x80"));
    expect_sent(&app, BYTES("\x88\x02\x03\xef"));
    app_end(&app, "socket /a\nrun\ntext 1\nbroken 1\nclosed 1007 \nclose\nclosed 1005 none\ndrained\n");

    open_app(&app);
    sends(&app, BYTES("\x82\x01"));
    expect_sent(&app, BYTES("\x88\x13\x03\xea"
                            "incorrect masking"));
    app_end(&app, "socket /a\nrun\nclosed 1002 incorrect masking\nclose\nclosed 1005 none\ndrained\n");
}

static void test_pings(void **state) {
    (void)state;
    struct app app;
    open_app(&app);
    for (unsigned round = 0; round < 2; round++) {
        pass(&app, 20000);
        expect_sent(&app, BYTES(""));
        pass(&app, 1);
        assert_int_equal(app.stage.wire.size, 6);
        char ping[6];
        memcpy(ping, buffer_bytes(&app.stage.wire), 6);
        assert_memory_equal(ping, "\x89\x04", 2);
        buffer_take(&app.stage.wire, 6);
        sends(&app, BYTES(MASKED("\x8a", "\x84") "none"));
        pass(&app, 100);
        char pong[10] = MASKED("\x8a", "\x84");
        memcpy(pong + 6, ping + 2, 4);
        sends(&app, pong, sizeof pong);
        app.clock -= round == 0 ? 100 : 0; /* the time that the answer took is no part of the next interval */
    }
    pass(&app, 20001 - 100);
    buffer_take(&app.stage.wire, 6);
    pass(&app, 20001);
    expect_sent(&app, BYTES("\x88\x18\x03\xf3keepalive ping timeout"));
    app_end(&app, "socket /a\nrun\nclose\nclosed 1005 none\ndrained\n");

    app_init(&app, true);
    app.stage.kit.session_options.ping_interval = 0;
    sends(&app, BYTES(SHAKE("/a")));
    assert_int_equal(app.alarm, 0);
    app_end(&app, "socket /a\nrun\nclose\nclosed 1005 none\ndrained\n");
}

static void test_shutdown(void **state) {
    (void)state;
    struct app app;
    open_app(&app);
    connection_shutdown(&app.stage.connection);
    expect_sent(&app, BYTES("\x88\x02\x03\xf4"));
    app_end(&app, "socket /a\nrun\nclosed 1012 none\nclose\nclosed 1005 none\ndrained\n");

    app_init(&app, false);
    sends(&app, BYTES(SHAKE("/a")));
    connection_shutdown(&app.stage.connection);
    expect_sent(&app, BYTES("HTTP/1.1 500 Internal Server Error\r\n" USUAL("21") "Internal Server Error"));
    app_end(&app, "socket /a\nrun\nclose\nrefused 500 Internal Server Error\nclosed 1006 none\ndrained\n");

    open_app(&app);
    session_close(&app.session, 1000, "", 0);
    turn(&app.stage);
    connection_shutdown(&app.stage.connection);
    app_end(&app, "socket /a\nrun\nclose\nclosed 1005 none\ndrained\n");
}

/* The requests before it are answered first. */
static void test_in_a_pipeline(void **state) {
    (void)state;
    struct app app;
    app_init(&app, true);
    sends(&app, BYTES(GET("/first") SHAKE("/a")));
    assert_string_equal(app.stage.told.text, "GET /first\nsocket /a\n");
    call_answer(call_number(&app.stage, 1), "1", 1);
    call_finish(call_number(&app.stage, 1));
    turn(&app.stage);
    expect_sent(&app, BYTES(OK("1", "1") SHAKEN));
    app_end(&app, "GET /first\nsocket /a\nrun\nclose\nclosed 1005 none\ndrained\n");

    for (int stops = 0; stops < 2; stops++) {
        app_init(&app, true);
        sends(&app, BYTES(GET("/first") SHAKE("/a")));
        if (stops)
            connection_shutdown(&app.stage.connection);
        else
            connection_ended(&app.stage.connection);
        if (stops)
            call_answer(call_number(&app.stage, 1), "1", 1);
        turn(&app.stage);
        call_finish(call_number(&app.stage, 1));
        app_end(&app, "GET /first\nsocket /a\nclose\n");
        assert_true(app.released);
    }

    app_init(&app, true);
    sends(&app, BYTES(GET("/first") "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"));
    expect_sent(&app, BYTES(""));
    call_answer(call_number(&app.stage, 1), "1", 1);
    call_finish(call_number(&app.stage, 1));
    turn(&app.stage);
    assert_memory_equal(buffer_bytes(&app.stage.wire), OK("1", "1") "HTTP/1.1 400", sizeof OK("1", "1") + 11);
    app_end(&app, "GET /first\nrefused 400 Bad Request\nclose\n");
}

static void test_where_none_is_served(void **state) {
    (void)state;
    struct app app;
    app_init(&app, true);
    app.stage.kit.sessions = NULL;
    sends(&app, BYTES(SHAKE("/now")));
    expect_sent(&app, BYTES(OK("4", "/now")));
    app_end(&app, "GET /now\nupgrade\nclose\n");
}

/* Each cut of a whole life, and each allocation failing. */
static void test_every_cut_and_each_allocation(void **state) {
    (void)state;
    static const char FRAMES[] =
        MASKED("\x01", "\x81") "a" MASKED("\x89", "\x81") "p" MASKED("\x80", "\x81") "b" MASKED("\x88", "\x82") "\x03\xe8";
    static const char EXPECTED[] = "socket /a\nrun\ntext ab\nclosed 1000 \nclose\nclosed 1005 none\ndrained\n";
    for (size_t cut = 1; cut < sizeof SHAKE("/a") + sizeof FRAMES - 2; cut++) {
        struct app app;
        app_init(&app, true);
        client_queues(&app.stage, BYTES(SHAKE("/a")));
        pump(&app.stage, cut, sizeof SHAKE("/a"));
        client_queues(&app.stage, FRAMES, sizeof FRAMES - 1);
        pump(&app.stage, cut < sizeof FRAMES ? cut : 1, sizeof FRAMES);
        expect_sent(&app, BYTES(SHAKEN "\x8a\x01p\x88\x02\x03\xe8"));
        app_end(&app, EXPECTED);
    }
    bool failed = true;
    for (size_t number = 1; failed; number++) {
        struct app app;
        app_init(&app, true);
        app.accepts = false;
        app.stage.failing.failing = number;
        client_queues(&app.stage, BYTES(SHAKE("/a")));
        pump(&app.stage, 20, sizeof SHAKE("/a"));
        client_queues(&app.stage, FRAMES, sizeof FRAMES - 1);
        pump(&app.stage, sizeof FRAMES, sizeof FRAMES);
        size_t fault;
        if (app.stage.told.size > 0 && !app.stage.closed)
            session_accept(&app.session, NULL, 0, NULL, 0, &fault);
        turn(&app.stage);
        failed = strcmp(app.stage.told.text, EXPECTED) != 0;
        if (!app.stage.closed)
            connection_lost(&app.stage.connection);
        turn(&app.stage);
        struct allocator allocator = allocator_default();
        buffer_free(&app.stage.input, &allocator);
        buffer_free(&app.stage.wire, &allocator);
        connection_free(&app.stage.connection);
        assert_int_equal(app.stage.failing.live, 0);
        assert_true(failed || number > 4);
    }
}

static void test_what_cannot_be_had_ends_it(void **state) {
    (void)state;
    struct app app;
    open_app(&app);
    sends(&app, BYTES(MASKED("\x81", "\x84") "full"));
    app_end(&app, "socket /a\nrun\nclose\nclosed 1005 none\ndrained\n");

    app_init(&app, true);
    app.no_alarm = true;
    sends(&app, BYTES(SHAKE("/a")));
    app_end(&app, "socket /a\nrun\nclose\nclosed 1005 none\ndrained\n");

    app_init(&app, true);
    app.stage.refuses = true;
    sends(&app, BYTES(SHAKE("/a")));
    app_end(&app, "close\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_and_a_close),
        cmocka_unit_test(test_an_app_that_listens_is_told_of_the_end),
        cmocka_unit_test(test_before_it_is_accepted),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_flow_to_the_app),
        cmocka_unit_test(test_flow_to_the_client),
        cmocka_unit_test(test_closed_by_the_app),
        cmocka_unit_test(test_broken_after_the_app_has_closed),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_pings),
        cmocka_unit_test(test_shutdown),
        cmocka_unit_test(test_in_a_pipeline),
        cmocka_unit_test(test_where_none_is_served),
        cmocka_unit_test(test_every_cut_and_each_allocation),
        cmocka_unit_test(test_what_cannot_be_had_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
