/* connection_writing_test.c: responses as they go out: when, in how many writes, in every split, to a client that is slow or gone. */
#include "connection_support.h"

#define CHUNKED "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
#define HEAD "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"

static char large[1 << 20]; /* filled in main(), and not changed after */

/* --- how many writes --- */

static void test_head_and_content_go_out_in_one_write(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, GET("/a"));
    call_answer(call_number(&stage, 1), "hello", 5);
    assert_int_equal(stage.writes, 1);
    turn(&stage);
    assert_int_equal(stage.writes, 1); /* and nothing in vain */
    expect_wire(&stage, OK("5", "hello"));
    stage_end(&stage);
}

static void test_what_is_sent_in_one_turn_goes_out_at_its_end_in_one_write(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, GET("/a"));
    struct call *call = call_number(&stage, 1);
    call_start(call, NULL, NULL);
    call_content(call, "one", 3, false);
    call_content(call, "", 0, false);
    call_content(call, NULL, 0, false);
    call_content(call, "three", 5, false);
    assert_int_equal(stage.writes, 0);
    turn(&stage);
    assert_int_equal(stage.writes, 1);
    expect_wire(&stage, CHUNKED "3\r\none\r\n5\r\nthree\r\n");
    call_content(call, NULL, 0, false);
    assert_false(stage.flush_due);
    turn(&stage);
    assert_int_equal(stage.writes, 1);
    call_content(call, NULL, 0, true);
    expect_wire(&stage, CHUNKED "3\r\none\r\n5\r\nthree\r\n0\r\n\r\n");
    stage_end(&stage);
}

static void test_the_head_alone_goes_out_at_the_end_of_the_turn(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, GET("/a"));
    call_start_length(call_number(&stage, 1), 3);
    turn(&stage);
    expect_wire(&stage, OK("3", ""));
    stage_end(&stage);
}

static void test_much_content_does_not_wait_for_the_end_of_the_turn(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, GET("/a"));
    struct call *call = call_number(&stage, 1);
    call_start_length(call, sizeof large);
    size_t waits = stage.connection.out.size;
    call_content(call, large, HIGH_WATER - waits, false);
    assert_int_equal(stage.writes, 0);
    call_content(call, large, 1, false);
    assert_int_equal(stage.writes, 1);
    assert_int_equal(stage.wire.size, HIGH_WATER + 1);
    stage_end(&stage);
}

static void test_content_of_a_response_to_head_is_not_written(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, HEAD HEAD);
    call_start_length(call_number(&stage, 1), 5);
    call_content(call_number(&stage, 1), NULL, 0, false);
    call_content(call_number(&stage, 1), NULL, 0, true);
    call_answer(call_number(&stage, 2), "hello", 5);
    expect_wire(&stage, OK("5", "") OK("5", ""));
    expect_open(&stage);
    stage_end(&stage);
}

/* --- every split --- */

/* Requests whose responses have a head alone, pieces, no content, an interim response and an error behind. READS: whether the client reads
 * between what the app does. */
static void respond(struct stage *stage, bool reads) {
    client_says(stage, POST_EXPECT("/a", "2") "ok" GET("/b") HEAD "broken\r\n\r\n");
    size_t step = reads ? SIZE_MAX : 0;
    call_take(call_number(stage, 1));
    turn(stage);
    client_reads(stage, step);
    call_start(call_number(stage, 1), NULL, NULL);
    turn(stage);
    call_content(call_number(stage, 1), "one", 3, false);
    call_content(call_number(stage, 1), "two", 3, false);
    client_reads(stage, step);
    turn(stage);
    call_content(call_number(stage, 1), "three", 5, true);
    client_reads(stage, step);
    if (stage->run >= 2)
        call_answer(call_number(stage, 2), "", 0);
    client_reads(stage, step);
    if (stage->run >= 3) {
        call_start_length(call_number(stage, 3), 77);
        turn(stage);
        call_content(call_number(stage, 3), NULL, 0, true);
    }
    client_reads(stage, SIZE_MAX);
}

#define SPLIT_WIRE CONTINUE CHUNKED "3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n" OK("0", "") OK("77", "") INVALID

static void test_every_split_of_what_is_written_gives_the_same_bytes(void **state) {
    (void)state;
    for (size_t size = 0; size <= strlen(SPLIT_WIRE); size++)
        for (int how = 0; how < 4; how++) {
            struct stage stage;
            stage_init(&stage);
            if (how / 2 == 0)
                stage.room = size; /* so much, then nothing */
            else
                stage.portion = size + 1; /* so much at a time */
            respond(&stage, how % 2);
            expect_wire(&stage, SPLIT_WIRE);
            assert_true(stage.closed);
            stage_end(&stage);
        }
}

static void test_a_write_that_fails_ends_the_connection_wherever_it_comes(void **state) {
    (void)state;
    for (size_t portion = 1; portion < 40; portion += 7) {
        size_t failing = 1;
        for (bool failed = true; failed; failing++) {
            struct stage stage;
            stage_init(&stage);
            stage.portion = portion;
            stage.failing_write = failing;
            respond(&stage, failing % 2);
            assert_true(stage.closed);
            failed = stage.writes >= failing;
            if (failed) {
                assert_int_equal(stage.writes, failing); /* there is no other */
                assert_true(stage.wire.size < strlen(SPLIT_WIRE));
            }
            assert_memory_equal(buffer_bytes(&stage.wire), SPLIT_WIRE, stage.wire.size);
            stage_end(&stage);
        }
        assert_true(failing > strlen(SPLIT_WIRE) / portion);
    }
}

/* --- a client that does not read --- */

static void test_nothing_is_written_while_the_socket_is_full(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    stage.room = 10;
    client_says(&stage, GET("/a"));
    struct call *call = call_number(&stage, 1);
    call_start(call, NULL, NULL);
    turn(&stage);
    assert_true(stage.writable);
    assert_int_equal(stage.writes, 1);
    call_content(call, "one", 3, false);
    assert_false(stage.flush_due); /* it is known to be in vain */
    call_content(call, "two", 3, true);
    assert_int_equal(stage.writes, 1);
    client_reads(&stage, 5);
    assert_int_equal(stage.wire.size, 15);
    assert_true(stage.writable);
    client_reads(&stage, SIZE_MAX);
    assert_false(stage.writable);
    expect_wire(&stage, CHUNKED "3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n");
    expect_open(&stage);
    stage_end(&stage);
}

static void test_the_handler_waits_from_high_water_to_low_water(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, GET("/a"));
    struct call *call = call_number(&stage, 1);
    call_start_length(call, sizeof large);
    turn(&stage);
    stage.room = 0;
    call_content(call, large, HIGH_WATER, false);
    turn(&stage);
    assert_int_equal(stage.connection.out.size, HIGH_WATER);
    assert_false(cycle_is_congested(&call->cycle)); /* that much may wait */
    call_content(call, large, 1, false);
    assert_true(cycle_is_congested(&call->cycle));
    client_reads(&stage, HIGH_WATER - LOW_WATER);
    assert_int_equal(stage.connection.out.size, LOW_WATER + 1);
    assert_true(cycle_is_congested(&call->cycle));
    assert_int_equal(stage.drained[0], 0);
    client_reads(&stage, 1);
    assert_false(cycle_is_congested(&call->cycle));
    assert_int_equal(stage.drained[0], 1);
    client_reads(&stage, SIZE_MAX);
    assert_int_equal(stage.drained[0], 1);
    stage_end(&stage);
}

static void test_a_large_response_passes_in_pieces_when_its_handler_waits(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, GET("/a"));
    struct call *call = call_number(&stage, 1);
    call_start_length(call, sizeof large);
    turn(&stage);
    size_t head = stage.wire.size, sent = 0, most = 0;
    stage.room = 0;
    while (sent < sizeof large) {
        if (cycle_is_congested(&call->cycle)) {
            unsigned drained = stage.drained[0];
            client_reads(&stage, 50000);
            client_reads(&stage, 50000);
            assert_int_equal(stage.drained[0], drained + 1);
        }
        size_t size = sizeof large - sent < 30000 ? sizeof large - sent : 30000;
        call_content(call, large + sent, size, sent + size == sizeof large);
        sent += size;
        most = stage.connection.out.size > most ? stage.connection.out.size : most;
    }
    assert_true(most <= HIGH_WATER + 30000);
    client_reads(&stage, SIZE_MAX);
    assert_int_equal(stage.wire.size, head + sizeof large);
    assert_memory_equal(buffer_bytes(&stage.wire) + head, large, sizeof large);
    expect_open(&stage);
    stage_end(&stage);
}

static void test_the_next_request_waits_for_the_response_before_it_to_drain(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    stage.room = 0;
    client_says(&stage, GET("/a") GET("/b"));
    struct call *first = call_number(&stage, 1), *second = call_number(&stage, 2);
    call_answer(first, large, 2 * HIGH_WATER);
    assert_true(cycle_is_congested(&second->cycle));
    assert_false(cycle_is_congested(&first->cycle)); /* it has nothing more to send: who would tell it? */
    client_reads(&stage, SIZE_MAX);
    assert_false(cycle_is_congested(&second->cycle));
    assert_int_equal(stage.drained[1], 1);
    stage_end(&stage);
}

static void test_what_drains_when_nobody_sends_is_told_to_nobody(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    stage.room = 0;
    client_says(&stage, GET("/a"));
    call_answer(call_number(&stage, 1), large, 2 * HIGH_WATER);
    client_reads(&stage, SIZE_MAX);
    assert_int_equal(stage.drained[0], 0);
    assert_false(stage.connection.write_paused);
    expect_open(&stage);
    stage_end(&stage);
}

static void test_what_drains_when_its_app_has_left_is_told_to_nobody(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    stage.room = 0;
    client_says(&stage, GET("/a"));
    struct call *call = call_number(&stage, 1);
    call_start_length(call, sizeof large);
    call_content(call, large, 2 * HIGH_WATER, false);
    cycle_close(&call->cycle);
    call_finish(call);
    client_reads(&stage, 2 * HIGH_WATER);
    assert_false(stage.connection.write_paused);
    client_reads(&stage, SIZE_MAX);
    assert_true(stage.closed);
    turn(&stage);
    assert_int_equal(stage.arrived[0], 1); /* the request's end */
    assert_int_equal(stage.drained[0], 0);
    stage_end(&stage);
}

static void test_a_handler_that_waits_is_told_when_the_client_is_gone(void **state) {
    (void)state;
    for (int how = 0; how < 3; how++) {
        struct stage stage;
        stage_init(&stage);
        stage.room = 0;
        client_says(&stage, GET("/a"));
        struct call *call = call_number(&stage, 1);
        call_start_length(call, sizeof large);
        call_content(call, large, 2 * HIGH_WATER, false);
        assert_true(cycle_is_congested(&call->cycle));
        if (how == 0) {
            connection_lost(&stage.connection);
        } else if (how == 1) {
            stage.failing_write = stage.writes + 1;
            connection_writable(&stage.connection);
        } else {
            connection_ended(&stage.connection);
            turn(&stage);
            assert_false(stage.closed); /* what was sent may still be read */
            assert_true(cycle_is_congested(&call->cycle));
            client_reads(&stage, HIGH_WATER + HIGH_WATER / 2);
            assert_true(cycle_is_congested(&call->cycle));
            client_reads(&stage, SIZE_MAX);
        }
        assert_true(stage.closed);
        turn(&stage);
        assert_false(cycle_is_congested(&call->cycle));
        assert_true(cycle_is_over(&call->cycle));
        assert_int_equal(stage.drained[0], 1);
        stage_end(&stage);
    }
}

/* --- memory --- */

static void test_an_idle_connection_keeps_no_large_memory(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    struct told fields = {.size = 0};
    for (int i = 0; i < 200; i++)
        tell(&fields, "x-%d: a value of some length, so that it comes to something: %d\r\n", i, i * i);
    client_says(&stage, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n");
    client_says(&stage, fields.text);
    client_says(&stage, "\r\n");
    client_sends(&stage, large, 60000);
    for (unsigned i = 1; i < 120; i++)
        client_queues(&stage, GET("/a"), strlen(GET("/a")));
    pump(&stage, stage.input.size, 1);
    assert_true(stage.connection.unread.size > 0);
    for (unsigned i = 1; i <= 120; i++) {
        struct call *call = call_number(&stage, i);
        call_start(call, NULL, NULL);
        for (int piece = 0; piece < 4; piece++) {
            call_content(call, large, 3000, false); /* they gather until the turn ends */
            if (i % 2 == 0)
                turn(&stage);
        }
        stage.room = 100;
        turn(&stage);
        client_reads(&stage, SIZE_MAX);
        call_content(call, NULL, 0, true);
        call_finish(call);
    }
    assert_true(stage.idle);
    assert_int_equal(stage.released, 120);
    assert_null(stage.connection.first);
    assert_null(stage.connection.unread.memory);
    assert_true(stage.connection.out.capacity <= 4096);
    assert_true(stage.connection.parser.text.capacity <= 4096);
    assert_true(stage.connection.parser.field_capacity <= 64);
    stage_end(&stage);
}

static void test_a_small_response_costs_no_memory_anew(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, GET("/now"));
    size_t asked = stage.failing.asked;
    for (int i = 0; i < 10; i++)
        client_says(&stage, GET("/now"));
    assert_int_equal(stage.failing.asked, asked);
    stage_end(&stage);
}

int main(void) {
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (char)('a' + (i * 7 + i / 251) % 26);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head_and_content_go_out_in_one_write),
        cmocka_unit_test(test_what_is_sent_in_one_turn_goes_out_at_its_end_in_one_write),
        cmocka_unit_test(test_the_head_alone_goes_out_at_the_end_of_the_turn),
        cmocka_unit_test(test_much_content_does_not_wait_for_the_end_of_the_turn),
        cmocka_unit_test(test_content_of_a_response_to_head_is_not_written),
        cmocka_unit_test(test_every_split_of_what_is_written_gives_the_same_bytes),
        cmocka_unit_test(test_a_write_that_fails_ends_the_connection_wherever_it_comes),
        cmocka_unit_test(test_nothing_is_written_while_the_socket_is_full),
        cmocka_unit_test(test_the_handler_waits_from_high_water_to_low_water),
        cmocka_unit_test(test_a_large_response_passes_in_pieces_when_its_handler_waits),
        cmocka_unit_test(test_the_next_request_waits_for_the_response_before_it_to_drain),
        cmocka_unit_test(test_what_drains_when_nobody_sends_is_told_to_nobody),
        cmocka_unit_test(test_what_drains_when_its_app_has_left_is_told_to_nobody),
        cmocka_unit_test(test_a_handler_that_waits_is_told_when_the_client_is_gone),
        cmocka_unit_test(test_an_idle_connection_keeps_no_large_memory),
        cmocka_unit_test(test_a_small_response_costs_no_memory_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
