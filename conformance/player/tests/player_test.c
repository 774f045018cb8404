/* player_test.c: exchanges played to servers whose trace is written by hand, observations told as text; once per allocation with that one
 * failing. */
#define _GNU_SOURCE /* SCHED_BATCH */
#include "server.h"

#include <sched.h>

#include "../player.h"

/* The file "bridgecheck-exchange 1" + TEXT. */
static struct exchange_file *parse(const char *text) {
    char whole[4096];
    struct exchange_error error;
    struct exchange_file *file;
    int size = snprintf(whole, sizeof whole, "bridgecheck-exchange 1\n%s", text);
    if (exchange_parse(whole, (size_t)size, NULL, &file, &error))
        fail_msg("%u:%u: %s", error.line, error.column, error.message);
    return file;
}

static const char OK[] = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/* Every request is a call and answered, with /close the last on its connection. */
static void serve_well(struct server *server, int fd) {
    char head[2048];
    while (server_read_head(fd, head, sizeof head)) {
        if (server_answer_marked(fd, head))
            continue;
        if (!strncmp(head, "GET /refused", 12)) {
            server_write(fd, "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
            continue;
        }
        server_trace_call(server, strncmp(head, "GET /unseen", 11) ? server_client_port(fd) : 0);
        if (!strncmp(head, "GET /socket", 11)) {
            server_write(fd, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
            continue;
        }
        server_write(fd, OK);
        if (!strncmp(head, "GET /close", 10))
            return;
    }
}

static const char *const ENDS[] = {"undecided", "open", "closed", "reset", "silent", "ours"};

/* What came of a script, in words. */
static void tell_script(struct told *told, const struct script *script) {
    tell(told, "  %s:", script->exchange->name.data);
    for (size_t i = 0; i < script->connection_count; i++) {
        const struct script_connection *at = &script->connections[i];
        size_t calls = 0;
        for (const struct call *call = script->claimant.calls.first; call; call = call->next)
            calls += call->connection == i;
        tell(told, " %.*s", (int)at->name->size, at->name->data);
        for (size_t j = 0; j < at->connection->responses.count; j++)
            tell(told, " %u", at->connection->responses.responses[j].head.status);
        tell(told, " %s, %zu calls;", ENDS[at->end], calls);
    }
    for (size_t i = 0; i < script->note_count; i++)
        tell(told, " line %u %s;", script->notes[i].line, script->notes[i].fault);
    tell(told, "%s\n", script->settled ? "" : " unsettled");
}

/* How many records each of its calls has. */
static void tell_records(struct told *told, const struct script *script) {
    for (const struct call *call = script->claimant.calls.first; call; call = call->next) {
        const char *payload;
        size_t records = 0, place = 0;
        while (call_next(call, &place, &payload))
            records++;
        tell(told, "  %zu records\n", records);
    }
}

struct run {
    struct told told;
    bool records; /* tell them, too */
    size_t targets;
    size_t ticks;
    int policy;   /* of the scheduler, while playing */
    size_t looks; /* at the process, until one says that it has ended */
};

static enum player_order on_played(void *context, size_t session, size_t exchange, struct script *const *scripts) {
    struct run *run = context;
    tell(&run->told, "%zu.%zu\n", session, exchange);
    for (size_t i = 0; i < run->targets; i++)
        tell_script(&run->told, scripts[i]);
    for (size_t i = 0; i < run->targets && run->records; i++)
        tell_records(&run->told, scripts[i]);
    return PLAYER_GO_ON;
}

static enum player_order on_tick(void *context, size_t played) {
    (void)played;
    ((struct run *)context)->ticks++;
    ((struct run *)context)->policy = sched_getscheduler(0);
    return PLAYER_GO_ON;
}

/* The server hears a signal, and has ended when it was looked at for the fourth time. */
static bool on_process(void *context, size_t target, const struct exchange_step *step) {
    struct run *run = context;
    if (!strcmp(step->name.data, "signal")) {
        tell(&run->told, "%zu hears %s\n", target, step->words[0].data);
        return true;
    }
    return ++run->looks > 3;
}

/* Play each exchange of the file as a session, or all as one. Returns what player_play() returned, -2 if the player did not open. */
static int play(struct server *servers, size_t targets, const struct exchange_file *file, bool one_session, bool alone, size_t jobs,
                uint64_t patience, const struct exchange_allocator *allocator, struct run *run, struct target_error *error) {
    struct target_place places[4];
    struct player_exchange exchanges[64];
    struct player_session sessions[64];
    assert_true(targets <= 4 && file->exchange_count <= 64);
    for (size_t i = 0; i < targets; i++)
        places[i] =
            (struct target_place){.host = "127.0.0.1", .port = servers[i].port, .trace = servers[i].trace, .doorbell = servers[i].doorbell};
    for (size_t i = 0; i < file->exchange_count; i++) {
        exchanges[i] = (struct player_exchange){.exchange = &file->exchanges[i], .alone = alone};
        sessions[i] = (struct player_session){.exchanges = &exchanges[i], .count = one_session ? file->exchange_count : 1};
    }
    struct player_watcher watcher = {.played = on_played, .tick = on_tick, .process = on_process, .context = run};
    struct player *player = player_open(places, targets, patience, allocator, error);
    run->targets = targets;
    if (!player)
        return -2;
    int failed = player_play(player, sessions, one_session ? 1 : file->exchange_count, jobs, &watcher, error);
    for (size_t i = 0; !failed && i < targets; i++) {
        struct calls *calls = player_calls(player, i, error);
        if (!calls)
            failed = -1;
        else
            assert_null(calls_unclaimed(calls)->first);
    }
    player_close(player);
    return failed;
}

#define GET(path) "send\n> GET " path " HTTP/1.1\n> Host: a\n>\n"

static const char SESSION[] =
    "session all\n"
    "exchange open\n" GET("/") "wait response\nsave value from body between \"o\" \"\"\nend next\n"
                               "exchange closed\n" GET(
                                   "/close") "end next\n"
                                             "exchange refused\n" GET(
                                                 "/refused") "end close\n"
                                                             "exchange named\nconnect a\n" GET("/${value}") "wait call\nconnect b\n" GET(
                                                                 "/") "wait response\nreset\non a\nwait response\n"
                                                                      "half-close\nend next\n";

static const char EXPECTED[] =
    "0.0\n  open: main 200 open, 1 calls;\n  open: main 200 open, 1 calls;\n"
    "0.1\n  closed: main 200 closed, 1 calls;\n  closed: main 200 closed, 1 calls;\n"
    "0.2\n  refused: main 400 open, 0 calls;\n  refused: main 400 open, 0 calls;\n"
    "0.3\n  named: a 200 closed, 1 calls; b 200 ours, 1 calls;\n  named: a 200 closed, 1 calls; b 200 ours, 1 calls;\n";

static void test_a_session_over_two_targets(void **state) {
    (void)state;
    struct server servers[2];
    struct target_error error;
    struct run *run = calloc(1, sizeof *run);
    struct exchange_file *file = parse(SESSION);
    int policy = sched_getscheduler(0);
    server_start(&servers[0], serve_well);
    server_start(&servers[1], serve_well);
    /* The refused exchange waits for a close that does not come: the patience is spent once. */
    assert_int_equal(play(servers, 2, file, true, false, 8, 300, NULL, run, &error), 0);
    assert_string_equal(run->told.text, EXPECTED);
    assert_true(run->ticks > 0);
    assert_int_equal(run->policy, policy == SCHED_OTHER ? SCHED_BATCH : policy);
    assert_int_equal(sched_getscheduler(0), policy);
    server_stop(&servers[0]);
    server_stop(&servers[1]);
    exchange_file_free(file);
    free(run);
}

/* One target, each exchange a session of its own unless said otherwise; what came of it. */
static void expect(void (*serve)(struct server *server, int fd), const char *text, bool one_session, bool alone, size_t jobs,
                   uint64_t patience, const char *expected) {
    struct server server;
    struct target_error error;
    struct run *run = calloc(1, sizeof *run);
    struct exchange_file *file = parse(text);
    server_start(&server, serve);
    int failed = play(&server, 1, file, one_session, alone, jobs, patience, NULL, run, &error);
    server_stop(&server);
    if (failed)
        fail_msg("%d %s", error.number, error.message);
    assert_string_equal(run->told.text, expected);
    exchange_file_free(file);
    free(run);
}

#define PATIENT 60000 /* what would wait for it fails by the time it takes */

/* More than are handed out at once. */
static void test_many_exchanges_come_in_their_order(void **state) {
    (void)state;
    struct told text = {0}, expected = {0};
    tell(&text, "session s\n");
    for (unsigned i = 0; i < 50; i++) {
        tell(&text, "exchange e%u\n%send next\n", i, GET("/"));
        tell(&expected, "0.%u\n  e%u: main 200 open, 1 calls;\n", i, i);
    }
    expect(serve_well, text.text, true, false, 1, PATIENT, expected.text);
}

/* What a call of the exchange before does after its end is traced while the next exchange is played. */
static void serve_afterthought(struct server *server, int fd) {
    static _Atomic uint16_t first;
    char head[2048];
    while (server_read_head(fd, head, sizeof head)) {
        if (server_answer_marked(fd, head))
            continue;
        if (!strncmp(head, "GET /first", 10))
            atomic_store(&first, server_client_port(fd));
        else
            server_trace(server, TRACE_SEND, 1, atomic_load(&first), "N", 1);
        server_trace_call(server, server_client_port(fd));
        server_write(fd, OK);
    }
}

static void test_nothing_is_added_to_the_calls_of_an_exchange_that_is_over(void **state) {
    (void)state;
    struct server server;
    struct target_error error;
    struct run *run = calloc(1, sizeof *run);
    struct exchange_file *file = parse("session s\nexchange a\n" GET("/first") "end next\nexchange b\n" GET("/") "end next\n");
    run->records = true;
    server_start(&server, serve_afterthought);
    assert_int_equal(play(&server, 1, file, true, false, 1, PATIENT, NULL, run, &error), 0);
    assert_string_equal(run->told.text, "0.0\n  a: main 200 open, 1 calls;\n  2 records\n0.1\n  b: main 200 open, 1 calls;\n  2 records\n");
    server_stop(&server);
    exchange_file_free(file);
    free(run);
}

static void test_a_call_whose_port_is_not_seen_is_the_only_exchanges(void **state) {
    (void)state;
    static const char text[] = "exchange a\n" GET("/unseen") "end next\nexchange b\n" GET("/unseen") "end next\n";
    static const char expected[] = "0.0\n  a: main 200 open, 1 calls;\n1.0\n  b: main 200 open, 1 calls;\n";
    expect(serve_well, text, false, true, 8, PATIENT, expected); /* alone, whatever jobs is */
    expect(serve_well, text, false, false, 1, PATIENT, expected);
}

/* The call begins, its response goes out, and it ends only when the player sleeps. */
static void serve_late_end(struct server *server, int fd) {
    char head[2048];
    while (server_read_head(fd, head, sizeof head)) {
        if (server_answer_marked(fd, head))
            continue;
        server_trace_begin(server, 1, server_client_port(fd));
        server_write(fd, OK);
        while (!atomic_load(&server->file->armed))
            sched_yield();
        server_trace_end(server, 1, server_client_port(fd));
    }
}

static void test_the_bell_wakes_for_the_end_of_a_call(void **state) {
    (void)state;
    expect(serve_late_end, "exchange late\n" GET("/") "wait response\nend open 1ms\n", false, false, 1, PATIENT,
           "0.0\n  late: main 200 open, 1 calls;\n");
}

/* The call begins only when the player asks, on another connection, whether one is still to come; the file is as new. */
static void serve_late_call(struct server *server, int fd) {
    static _Atomic uint16_t port;
    char head[2048];
    while (server_read_head(fd, head, sizeof head)) {
        if (strstr(head, "bridgecheck-next")) {
            server_trace_call(server, atomic_load(&port));
            server_answer_marked(fd, head);
            continue;
        }
        atomic_store(&port, server_client_port(fd));
        server_write(fd, OK);
        return;
    }
}

static void test_a_fence_brings_a_call_that_was_still_to_come(void **state) {
    (void)state;
    expect(serve_late_call, "exchange late\n" GET("/") "end close\n", false, false, 1, PATIENT, "0.0\n  late: main 200 closed, 1 calls;\n");
}

static void serve_running(struct server *server, int fd) {
    char head[2048];
    while (server_read_head(fd, head, sizeof head))
        if (!server_answer_marked(fd, head)) {
            server_trace_begin(server, 1, server_client_port(fd));
            server_write(fd, OK);
        }
}

static void test_a_call_that_does_not_end_is_unsettled(void **state) {
    (void)state;
    expect(serve_running, "exchange running\n" GET("/") "end next\n", false, false, 1, 50,
           "0.0\n  running: main 200 open, 1 calls; unsettled\n");
}

/* Keeps the port that the player will want next in use, from the first request on. */
static void serve_from_the_next_port(struct server *server, int fd) {
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, to = from;
    char head[2048];
    int taker = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    from.sin_port = htons((uint16_t)(server_client_port(fd) + 1));
    to.sin_port = htons(server->port);
    setsockopt(taker, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    bool first = server_read_head(fd, head, sizeof head) && strstr(head, "GET /first");
    if (first && (bind(taker, (struct sockaddr *)&from, sizeof from) || connect(taker, (struct sockaddr *)&to, sizeof to)))
        abort();
    if (first || strstr(head, "GET /second"))
        server_trace_call(server, server_client_port(fd));
    if (!server_answer_marked(fd, head))
        server_write(fd, OK);
    while (server_read_head(fd, head, sizeof head))
        server_answer_marked(fd, head);
    close(taker);
}

static void test_a_port_that_is_taken_is_passed_over(void **state) {
    (void)state;
    static const char text[] =
        "session s\nexchange first\n" GET("/first") "end next\nexchange second\nconnect x\n" GET("/second") "end next\n";
    static const char expected[] = "0.0\n  first: main 200 open, 1 calls;\n0.1\n  second: x 200 open, 1 calls;\n";
    expect(serve_from_the_next_port, text, true, false, 1, PATIENT, expected);
}

/* Connections go on while the process is waited for, and calls that did not settle are not waited for once it has ended. */
static void test_process_steps(void **state) {
    (void)state;
    expect(serve_running,
           "exchange ends\nprocess start --some option\n" GET(
               "/") "wait call\nprocess signal SIGTERM\nwait response\nprocess exit\nend next\n",
           false, false, 1, PATIENT, "0 hears SIGTERM\n0.0\n  ends: main 200 open, 1 calls; unsettled\n");
    expect(serve_well, "exchange stays\nprocess exit within 1ms\nprocess exit within 10s\n" GET("/close") "end next\n", false, false, 1,
           PATIENT, "0.0\n  stays: main 200 closed, 1 calls; line 3 timed out;\n");
}

static void test_a_refused_connect_ends_the_run(void **state) {
    (void)state;
    struct server server;
    struct target_error error;
    struct run *run = calloc(1, sizeof *run);
    struct exchange_file *file = parse("session s\nexchange a\n" GET("/") "wait response\nend next\nexchange b\n" GET("/") "end next\n");
    server_start(&server, NULL);
    close(server.listening);
    server.listening = -1;
    assert_int_equal(play(&server, 1, file, true, false, 1, PATIENT, NULL, run, &error), 0);
    assert_string_equal(run->told.text, "0.0\n  a: main closed, 0 calls; line 4 not connected; line 8 not connected;\n");
    server_stop(&server);
    exchange_file_free(file);
    free(run);
}

/* Tells lies in its trace. */
static void serve_lies(struct server *server, int fd) {
    char head[2048];
    while (server_read_head(fd, head, sizeof head))
        if (!server_answer_marked(fd, head)) {
            atomic_fetch_add(&server->file->committed, 4);
            server_ring(server, "1-0.trace");
            server_write(fd, OK);
        }
}

static void test_a_trace_that_lies_ends_the_run(void **state) {
    (void)state;
    struct server server;
    struct target_error error;
    struct run *run = calloc(1, sizeof *run);
    struct exchange_file *file = parse("exchange a\n" GET("/") "end next\n");
    server_start(&server, serve_lies);
    assert_int_equal(play(&server, 1, file, false, false, 1, PATIENT, NULL, run, &error), -1);
    assert_non_null(strstr(error.message, "1-0.trace"));
    assert_int_equal(run->told.size, 0);
    server_stop(&server);
    exchange_file_free(file);
    free(run);
}

static void test_each_allocation_failing(void **state) {
    (void)state;
    struct server server;
    struct exchange_file *file =
        parse("session all\n"
              "exchange open\n" GET("/") "wait response\nsave value from body between \"o\" \"\"\nend next\n"
                                         "exchange named\nconnect a\n" GET("/${value}") "wait call\nconnect b\n" GET(
                                             "/refused") "wait response\n"
                                                         "wait interim within 1ms\nreset\nend next\n"
                                                         "exchange socket\nsend\n> GET /socket HTTP/1.1\n> Host: a\n> Upgrade: websocket\n"
                                                         "> Connection: Upgrade\n> Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n"
                                                         "> Sec-WebSocket-Version: 13\n>\nframe text\n+ ${value}\nreset\nend next\n");
    for (size_t failing_at = 1;; failing_at++) {
        struct failing failing = {.failing = failing_at};
        struct exchange_allocator allocator = failing_allocator(&failing);
        struct target_error error = {0};
        struct run *run = calloc(1, sizeof *run);
        server_start(&server, serve_well); /* anew: what it traced before is read too */
        int failed = play(&server, 1, file, true, false, 1, PATIENT, &allocator, run, &error);
        server_stop(&server);
        free(run);
        assert_int_equal(failing.live, 0);
        if (failing.asked < failing_at) { /* it got by without */
            assert_int_equal(failed, 0);
            assert_true(failing_at > 20);
            break;
        }
        assert_true(failed != 0);
        assert_non_null(strstr(error.message, "out of memory"));
    }
    exchange_file_free(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_session_over_two_targets),
        cmocka_unit_test(test_many_exchanges_come_in_their_order),
        cmocka_unit_test(test_nothing_is_added_to_the_calls_of_an_exchange_that_is_over),
        cmocka_unit_test(test_a_call_whose_port_is_not_seen_is_the_only_exchanges),
        cmocka_unit_test(test_the_bell_wakes_for_the_end_of_a_call),
        cmocka_unit_test(test_a_fence_brings_a_call_that_was_still_to_come),
        cmocka_unit_test(test_a_call_that_does_not_end_is_unsettled),
        cmocka_unit_test(test_a_port_that_is_taken_is_passed_over),
        cmocka_unit_test(test_process_steps),
        cmocka_unit_test(test_a_refused_connect_ends_the_run),
        cmocka_unit_test(test_a_trace_that_lies_ends_the_run),
        cmocka_unit_test(test_each_allocation_failing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
