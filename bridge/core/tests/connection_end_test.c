/* connection_end_test.c: how a connection stays or ends, who is told, and that nothing is left of it, whatever comes first. */
#include "connection_support.h"

/* --- who closes --- */

static void test_who_may_close_a_connection(void **state) {
    (void)state;
    static const struct {
        const char *input, *wire;
        bool app, closes;
    } cases[] = {
        {GET("/a"), OK("1", "x"), false, false},
        {GET("/a"), OK_CLOSE("1", "x"), true, true},
        {GET_CLOSE("/a"), OK_CLOSE("1", "x"), false, true},
        {GET_CLOSE("/a"), OK_CLOSE("1", "x"), true, true},
        {"GET /a HTTP/1.0\r\n\r\n", OK_CLOSE("1", "x"), false, true},
        {"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", OK_CLOSE("1", "x"), false, true},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct stage stage;
        stage_init(&stage);
        client_says(&stage, cases[i].input);
        if (cases[i].app)
            call_answer_closing(call_number(&stage, 1), "x", 1);
        else
            call_answer(call_number(&stage, 1), "x", 1);
        expect_wire(&stage, cases[i].wire);
        assert_int_equal(stage.closed, cases[i].closes);
        if (!cases[i].closes)
            expect_open(&stage);
        stage_end(&stage);
    }
}

static void test_content_to_an_old_client_ends_with_the_connection(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, "GET /a HTTP/1.0\r\n\r\n");
    call_start(call_number(&stage, 1), NULL, NULL);
    call_content(call_number(&stage, 1), "to the", 6, false);
    call_content(call_number(&stage, 1), " end", 4, true);
    expect_wire(&stage, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nto the end");
    assert_true(stage.closed);
    stage_end(&stage);
}

static void test_a_response_that_is_refused_closes_without_a_word(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, GET("/a"));
    assert_false(call_start(call_number(&stage, 1), "content-length", "many"));
    assert_true(stage.closed);
    expect_wire(&stage, "");
    stage_end(&stage);

    stage_init(&stage); /* refused before it came here; what is sent nevertheless completes it */
    client_says(&stage, GET("/a") GET("/b"));
    cycle_not_started(&call_number(&stage, 1)->cycle);
    call_content(call_number(&stage, 1), "", 0, true);
    assert_true(stage.closed);
    expect_wire(&stage, "");
    assert_int_equal(stage.run, 1);
    stage_end(&stage);
}

static void test_content_that_does_not_fit_its_length_is_refused(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, GET("/a"));
    struct call *call = call_number(&stage, 1);
    call_start_length(call, 4);
    assert_int_equal(cycle_content(&call->cycle, "hello", 5, true), RESPONSE_CONTENT_TOO_LONG);
    assert_int_equal(cycle_content(&call->cycle, "hel", 3, true), RESPONSE_CONTENT_TOO_SHORT);
    assert_false(cycle_is_over(&call->cycle));
    assert_false(stage.closed);
    expect_wire(&stage, OK("4", "hel"));
    assert_int_equal(cycle_content(&call->cycle, "l", 1, true), RESPONSE_OK);
    expect_wire(&stage, OK("4", "hell"));
    expect_open(&stage);
    stage_end(&stage);
}

/* --- the client leaves --- */

static void test_a_client_that_sends_no_more_is_taken_to_have_left(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, POST("/a", "5") "hel");
    unsigned arrived = stage.arrived[0];
    connection_ended(&stage.connection);
    assert_true(stage.closed);
    assert_int_equal(stage.arrived[0], arrived); /* one turn later, when apps that were started have had their turn */
    assert_false(cycle_is_over(&call_number(&stage, 1)->cycle));
    call_take(call_number(&stage, 1));
    assert_int_equal(call_number(&stage, 1)->received.size, 3);
    turn(&stage);
    assert_int_equal(stage.arrived[0], arrived + 1);
    assert_true(call_number(&stage, 1)->cycle.disconnected);
    assert_null(call_number(&stage, 1)->cycle.connection);
    expect_wire(&stage, "");
    stage_end(&stage);
}

static void test_what_was_sent_before_the_client_left_still_goes_out(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    stage.room = 0;
    client_says(&stage, GET("/now") GET("/a"));
    connection_ended(&stage.connection);
    turn(&stage);
    assert_false(stage.closed);
    connection_ended(&stage.connection);
    size_t waits = stage.connection.out.size;
    call_start_length(call_number(&stage, 2), 8);
    assert_true(call_content(call_number(&stage, 2), "too ", 4, false));
    assert_true(call_content(call_number(&stage, 2), "late", 4, true));
    assert_int_equal(stage.connection.out.size, waits);
    assert_int_equal(stage.kit.total_requests, 2);
    client_reads(&stage, 10);
    assert_false(stage.closed);
    client_reads(&stage, SIZE_MAX);
    assert_true(stage.closed);
    expect_wire(&stage, OK("4", "/now"));
    stage_end(&stage);
}

static void test_a_reset_while_writing_is_blocked_drops_what_is_left(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    stage.room = 5;
    client_says(&stage, GET("/a") GET("/b"));
    call_start_length(call_number(&stage, 1), 10);
    call_content(call_number(&stage, 1), "half", 4, false);
    turn(&stage);
    assert_true(stage.writable);
    connection_lost(&stage.connection);
    assert_null(stage.connection.out.memory);
    assert_true(call_content(call_number(&stage, 1), " more", 5, false)); /* nobody knows yet */
    turn(&stage);
    assert_true(call_number(&stage, 1)->cycle.disconnected);
    assert_int_equal(stage.wire.size, 5);
    stage_end(&stage);
}

static void test_what_is_sent_once_it_is_closed_is_dropped_and_counted(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, GET("/a") GET("/b"));
    connection_lost(&stage.connection);
    struct call *call = call_number(&stage, 1);
    call_start(call, NULL, NULL);
    call_content(call, "piece", 5, false);
    call_content(call, "last", 4, true);
    assert_true(call->cycle.response.complete);
    assert_int_equal(stage.run, 1);
    assert_int_equal(stage.kit.total_requests, 1);
    assert_int_equal(stage.writes, 0);
    call_finish(call);
    assert_int_equal(stage.released, 1);
    connection_flush(&stage.connection); /* whatever still comes from below */
    connection_writable(&stage.connection);
    connection_ended(&stage.connection);
    connection_expired(&stage.connection);
    connection_shutdown(&stage.connection);
    connection_lost(&stage.connection);
    connection_received(&stage.connection, "x", 1);
    turn(&stage);
    expect_told(&stage, "GET /a\nGET /b\nclose\n");
    stage_end(&stage);
}

/* --- apps that end before and after --- */

enum step { STEP_ANSWER, STEP_FINISH, STEP_LOSE, STEP_CLOSE, STEP_LEAVE, STEP_TURN, STEP_CONTENT, STEP_SHUTDOWN, STEPS };

/* One request with content, and all that can happen to it, in this order; what is not possible any more is left out. */
static void in_order(const enum step *steps, bool finishes_in_arrived) {
    struct stage stage;
    stage_init(&stage);
    stage.finishes_in_arrived = finishes_in_arrived;
    client_says(&stage, POST("/a", "4") "ab");
    for (size_t i = 0; i < STEPS; i++) {
        struct call *call = stage.calls[0];
        switch (steps[i]) {
        case STEP_ANSWER:
            if (call && !call->done)
                call_answer(call, "x", 1);
            break;
        case STEP_FINISH:
            if (call && !call->done)
                call_finish(call);
            break;
        case STEP_LOSE:
            connection_lost(&stage.connection);
            break;
        case STEP_CLOSE:
            if (call && !call->done)
                cycle_close(&call->cycle);
            break;
        case STEP_LEAVE:
            connection_ended(&stage.connection);
            break;
        case STEP_TURN:
            turn(&stage);
            break;
        case STEP_CONTENT:
            if (stage.readable)
                connection_received(&stage.connection, "cd", 2);
            break;
        default:
            connection_shutdown(&stage.connection);
        }
    }
    stage_end(&stage);
}

static void permute(enum step *steps, size_t count, size_t *orders) {
    if (count == 1) {
        in_order(steps, false);
        in_order(steps, true);
        ++*orders;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        permute(steps, count - 1, orders);
        size_t other = count % 2 == 0 ? i : 0;
        enum step step = steps[other];
        steps[other] = steps[count - 1];
        steps[count - 1] = step;
    }
}

static void test_an_app_may_end_before_and_after_all_else_in_every_order(void **state) {
    (void)state;
    enum step steps[STEPS];
    size_t orders = 0;
    for (int i = 0; i < STEPS; i++)
        steps[i] = (enum step)i;
    permute(steps, STEPS, &orders);
    assert_int_equal(orders, 40320);
}

static void test_an_app_that_ends_when_it_hears_of_the_end_hears_no_more(void **state) {
    (void)state;
    for (int complete = 0; complete < 2; complete++) {
        struct stage stage;
        stage_init(&stage);
        client_says(&stage, GET("/a"));
        if (complete)
            call_answer(call_number(&stage, 1), "x", 1);
        stage.finishes_in_arrived = true;
        unsigned arrived = stage.arrived[0];
        connection_lost(&stage.connection);
        turn(&stage);
        assert_int_equal(stage.arrived[0], arrived + 1);
        assert_int_equal(stage.drained[0], 0);
        assert_null(stage.calls[0]);
        stage_end(&stage);
    }
}

static void test_an_app_that_ends_when_it_hears_that_its_response_is_complete_is_forgotten(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, GET("/a") GET("/b"));
    stage.finishes_in_arrived = true;
    call_answer(call_number(&stage, 1), "x", 1);
    assert_int_equal(stage.released, 1);
    call_answer(call_number(&stage, 2), "x", 1);
    assert_int_equal(stage.released, 2);
    expect_wire(&stage, OK("1", "x") OK("1", "x"));
    assert_true(stage.idle);
    stage_end(&stage);
}

static void test_an_app_goes_on_behind_its_response_while_others_are_served(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, GET("/a") GET("/b") GET("/c"));
    for (unsigned i = 1; i <= 3; i++)
        call_answer(call_number(&stage, i), "x", 1);
    call_finish(call_number(&stage, 2)); /* from the middle of three */
    assert_int_equal(stage.released, 1);
    unsigned arrived = stage.arrived[0];
    expect_open(&stage);
    connection_lost(&stage.connection);
    turn(&stage);
    assert_int_equal(stage.arrived[0], arrived + 1);
    assert_false(call_number(&stage, 1)->cycle.disconnected); /* its response was complete */
    assert_false(call_number(&stage, 3)->cycle.disconnected);
    stage_end(&stage);
}

/* --- the server stops, or has waited long enough --- */

static void test_the_server_stops(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage); /* nothing came yet */
    connection_shutdown(&stage.connection);
    expect_told(&stage, "close\n");
    stage_end(&stage);

    stage_init(&stage); /* a head is under way */
    client_says(&stage, "GET / HTTP/1.1\r\nHo");
    connection_shutdown(&stage.connection);
    expect_told(&stage, "close\n");
    stage_end(&stage);

    stage_init(&stage); /* between requests */
    client_says(&stage, GET("/now"));
    connection_shutdown(&stage.connection);
    expect_told(&stage, "GET /now\nclose\n");
    stage_end(&stage);

    stage_init(&stage); /* what was sent has not gone */
    stage.room = 0;
    client_says(&stage, GET("/now"));
    connection_shutdown(&stage.connection);
    assert_false(stage.closed);
    client_reads(&stage, SIZE_MAX);
    expect_wire(&stage, OK("4", "/now"));
    assert_true(stage.closed);
    stage_end(&stage);

    stage_init(&stage); /* a response is due */
    client_says(&stage, GET("/a"));
    connection_shutdown(&stage.connection);
    turn(&stage);
    assert_false(stage.closed);
    call_answer(call_number(&stage, 1), "x", 1);
    expect_wire(&stage, OK_CLOSE("1", "x"));
    assert_true(stage.closed);
    stage_end(&stage);

    stage_init(&stage); /* a response has begun */
    client_says(&stage, GET("/a"));
    call_start_length(call_number(&stage, 1), 1);
    connection_shutdown(&stage.connection);
    call_content(call_number(&stage, 1), "x", 1, true);
    expect_wire(&stage, OK("1", "x"));
    assert_true(stage.closed);
    stage_end(&stage);

    stage_init(&stage); /* several are due: the last one closes, and what comes later is not served */
    client_says(&stage, GET("/a") GET("/b"));
    connection_shutdown(&stage.connection);
    cycle_wants_content(&call_number(&stage, 1)->cycle);
    client_says(&stage, GET("/c"));
    call_answer(call_number(&stage, 1), "a", 1);
    call_answer(call_number(&stage, 2), "b", 1);
    expect_wire(&stage, OK("1", "a") OK_CLOSE("1", "b"));
    assert_true(stage.closed);
    assert_int_equal(stage.run, 2);
    connection_shutdown(&stage.connection);
    turn(&stage);
    connection_shutdown(&stage.connection);
    stage_end(&stage);

    stage_init(&stage); /* content of a request that was answered is under way */
    client_says(&stage, POST("/now", "9") "ab");
    connection_shutdown(&stage.connection);
    assert_true(stage.closed);
    stage_end(&stage);
}

/* More requests have come than may wait; those that are unread when it stops are answered, too, and the last of them closes. */
static void test_the_server_stops_while_requests_stay_unread(void **state) {
    (void)state;
    static const char *const behind[] = {"", GET("/now"), "GET /half HTTP/1.1\r\n"};
    for (size_t i = 0; i < COUNT(behind); i++) {
        struct stage stage;
        stage_init(&stage);
        for (unsigned count = 0; count < 60; count++)
            client_queues(&stage, GET("/a"), strlen(GET("/a")));
        client_queues(&stage, behind[i], strlen(behind[i]));
        pump(&stage, stage.input.size, 1);
        assert_true(stage.connection.unread.size > 0);
        connection_shutdown(&stage.connection);
        connection_shutdown(&stage.connection);
        for (unsigned number = 1; number <= 60; number++) {
            assert_false(stage.closed);
            call_answer(call_number(&stage, number), "a", 1);
            turn(&stage);
        }
        assert_true(stage.closed);
        const char *last = i == 1 ? OK("1", "a") OK_CLOSE("4", "/now") : OK("1", "a") OK_CLOSE("1", "a");
        assert_memory_equal(buffer_bytes(&stage.wire) + stage.wire.size - strlen(last), last, strlen(last));
        stage_end(&stage);
    }
}

static void test_the_server_stops_while_requests_stay_unread_that_are_answered_at_once(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_queues(&stage, GET("/a"), strlen(GET("/a")));
    for (unsigned count = 0; count < 59; count++)
        client_queues(&stage, GET("/now"), strlen(GET("/now")));
    pump(&stage, stage.input.size, 1);
    connection_shutdown(&stage.connection);
    call_answer(call_number(&stage, 1), "a", 1);
    assert_int_equal(stage.kit.total_requests, 60);
    assert_true(stage.closed);
    stage_end(&stage);
}

static void test_a_connection_that_was_idle_for_too_long_closes(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    assert_false(stage.idle); /* the first request may take its time */
    client_says(&stage, GET("/a"));
    assert_false(stage.idle);
    call_answer(call_number(&stage, 1), "x", 1);
    assert_true(stage.idle);
    client_says(&stage, "G");
    assert_false(stage.idle);
    client_says(&stage, "ET /now HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(stage.idle);
    connection_expired(&stage.connection);
    expect_told(&stage, "GET /a\nGET /now\nclose\n");
    stage_end(&stage);

    stage_init(&stage); /* what was sent has not gone */
    stage.room = 3;
    client_says(&stage, GET("/now"));
    connection_expired(&stage.connection);
    assert_true(!stage.closed && !stage.readable && !stage.idle);
    client_reads(&stage, SIZE_MAX);
    expect_wire(&stage, OK("4", "/now"));
    assert_true(stage.closed);
    stage_end(&stage);
}

/* --- no memory --- */

/* All kinds of requests, so many that some stay unread, to a client that reads little; then what is left of it, until it is idle or gone.
 * Returns whether all of it went out. */
static bool scenario(struct stage *stage) {
    static char content[HIGH_WATER * 2];
    memset(content, 'c', sizeof content);
    struct told wire = {.size = 0};
    stage->room = 100;
    client_says(stage, POST_EXPECT("/a", "4"));
    if (stage->run >= 1 && !call_number(stage, 1)->released)
        call_take(call_number(stage, 1));
    tell(&wire, CONTINUE);
    turn(stage);
    client_queues(stage, "okay", 4);
    for (unsigned i = 2; i < 30; i++) {
        const char *request = i % 3 == 0 ? POST_CHUNKED("/a") "2\r\nxy\r\n0\r\n\r\n" : GET("/a");
        client_queues(stage, request, strlen(request));
    }
    client_queues(stage, "broken\r\n", 8);
    pump(stage, 50, 1000);
    for (unsigned i = 1; i < 30; i++) {
        pump(stage, 1000, 1000);
        if (stage->run < i)
            break;
        struct call *call = call_number(stage, i);
        if (!call->released && !cycle_is_over(&call->cycle))
            call_take(call);
        if (i % 4 == 0) {
            call_start(call, NULL, NULL);
            for (int piece = 0; piece < 10; piece++)
                call_content(call, content, 3000, false);
            turn(stage);
            client_reads(stage, SIZE_MAX);
            stage->room = 100;
            call_content(call, NULL, 0, true);
        } else {
            call_answer(call, content, i == 5 ? sizeof content : 50);
        }
        call_finish(call);
        turn(stage);
        if (i % 2 == 0)
            client_reads(stage, 2000);
    }
    client_reads(stage, SIZE_MAX);
    return stage->kit.total_requests == 29 && stage->wire.size > strlen(INVALID) &&
           memcmp(buffer_bytes(&stage->wire) + stage->wire.size - strlen(INVALID), INVALID, strlen(INVALID)) == 0;
}

static void test_every_allocation_fails_in_turn_and_nothing_is_left(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    assert_true(scenario(&stage));
    assert_true(stage.closed);
    size_t asked = stage.failing.asked;
    assert_true(asked > 30);
    stage_end(&stage);
    for (size_t failing = 1; failing <= asked; failing++)
        for (int once = 0; once < 2; once++) {
            stage_init(&stage);
            *(once ? &stage.failing_once : &stage.failing.failing) = failing;
            assert_false(scenario(&stage));
            assert_true(stage.closed); /* it does not go on with less than it needs */
            stage_end(&stage);
        }
}

static void test_a_piece_that_there_is_no_memory_for_ends_the_connection_at_once(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, GET("/a"));
    call_start_length(call_number(&stage, 1), 2000);
    turn(&stage);
    char piece[1000] = "";
    stage.failing_once = stage.failing.asked + 1;
    assert_int_equal(cycle_content(&call_number(&stage, 1)->cycle, piece, sizeof piece, false), RESPONSE_NO_MEMORY);
    expect_told(&stage, "GET /a\nclose\n"); /* half a piece might be all that went out */
    stage_end(&stage);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_may_close_a_connection),
        cmocka_unit_test(test_content_to_an_old_client_ends_with_the_connection),
        cmocka_unit_test(test_a_response_that_is_refused_closes_without_a_word),
        cmocka_unit_test(test_content_that_does_not_fit_its_length_is_refused),
        cmocka_unit_test(test_a_client_that_sends_no_more_is_taken_to_have_left),
        cmocka_unit_test(test_what_was_sent_before_the_client_left_still_goes_out),
        cmocka_unit_test(test_a_reset_while_writing_is_blocked_drops_what_is_left),
        cmocka_unit_test(test_what_is_sent_once_it_is_closed_is_dropped_and_counted),
        cmocka_unit_test(test_an_app_may_end_before_and_after_all_else_in_every_order),
        cmocka_unit_test(test_an_app_that_ends_when_it_hears_of_the_end_hears_no_more),
        cmocka_unit_test(test_an_app_that_ends_when_it_hears_that_its_response_is_complete_is_forgotten),
        cmocka_unit_test(test_an_app_goes_on_behind_its_response_while_others_are_served),
        cmocka_unit_test(test_the_server_stops),
        cmocka_unit_test(test_the_server_stops_while_requests_stay_unread),
        cmocka_unit_test(test_the_server_stops_while_requests_stay_unread_that_are_answered_at_once),
        cmocka_unit_test(test_a_connection_that_was_idle_for_too_long_closes),
        cmocka_unit_test(test_a_piece_that_there_is_no_memory_for_ends_the_connection_at_once),
        cmocka_unit_test(test_every_allocation_fails_in_turn_and_nothing_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
