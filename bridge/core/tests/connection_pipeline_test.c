/* connection_pipeline_test.c: requests that come before the response to an earlier one: their order, how many, and what waits unread. */
#include "connection_support.h"

/* COUNT requests, of several kinds, that are answered when the test says so. */
static void requests_of(unsigned count, struct told *input, struct told *wire) {
    for (unsigned i = 1; i <= count; i++) {
        if (i % 3 == 0)
            tell(input, "POST /a%u HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n%04u\r\n0\r\n\r\n", i, i);
        else if (i % 3 == 1)
            tell(input, "POST /a%u HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n%04u", i, i);
        else
            tell(input, "GET /a%u HTTP/1.1\r\nHost: h\r\n\r\n", i);
        if (i % 3 == 2)
            tell(wire, OK("0", ""));
        else
            tell(wire, OK("4", "%04u"), i);
    }
}

/* The one that is due answers with its content. False: none is due. */
static bool answer_next(struct stage *stage) {
    if (!stage->connection.answering)
        return false;
    struct call *call = call_of(stage->connection.answering);
    if (call->cycle.more_body)
        return false;
    call_take(call);
    call_answer(call, buffer_bytes(&call->received), call->received.size);
    call_finish(call);
    turn(stage);
    return true;
}

static void test_responses_go_out_in_the_order_of_their_requests(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, GET("/a") GET("/b") GET("/c"));
    expect_told(&stage, "GET /a\nGET /b\nGET /c\n");
    assert_int_equal(stage.run, 1);
    assert_int_equal(stage.connection.waiting, 2);
    unsigned arrived = stage.arrived[0];
    call_answer(call_number(&stage, 1), "a", 1);
    assert_int_equal(stage.arrived[0], arrived + 1); /* that its response is complete */
    assert_int_equal(stage.run, 2);
    assert_int_equal(stage.connection.waiting, 1);
    call_finish(call_number(&stage, 1));
    assert_int_equal(stage.released, 1);
    call_answer(call_number(&stage, 2), "b", 1);
    assert_false(stage.idle);
    assert_int_equal(stage.connection.waiting, 0);
    call_answer(call_number(&stage, 3), "c", 1);
    assert_true(stage.idle);
    expect_wire(&stage, OK("1", "a") OK("1", "b") OK("1", "c"));
    assert_int_equal(stage.kit.total_requests, 3);
    assert_int_equal(stage.released, 1); /* apps that go on after their response */
    call_finish(call_number(&stage, 3));
    call_finish(call_number(&stage, 2));
    assert_int_equal(stage.released, 3);
    expect_open(&stage);
    stage_end(&stage);
}

static void test_reading_pauses_when_a_request_waits_and_goes_on_when_its_turn_comes(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, GET("/a") "GET /b HTTP/1.1\r\n");
    assert_true(stage.readable);
    client_says(&stage, "Host: h\r\n\r\n");
    assert_false(stage.readable);
    call_answer(call_number(&stage, 1), "a", 1);
    assert_true(stage.readable);
    stage_end(&stage);
}

static void test_reading_goes_on_when_the_handler_waits_for_the_client_to_leave(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, GET("/a") GET("/b"));
    assert_false(stage.readable);
    cycle_wants_content(&call_number(&stage, 1)->cycle);
    assert_true(stage.readable);
    connection_ended(&stage.connection);
    turn(&stage);
    assert_int_equal(stage.arrived[0], 2); /* the request's end, and its own */
    assert_int_equal(stage.run, 1);
    stage_end(&stage);
}

static void test_reading_does_not_go_on_for_who_has_sent_its_response(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, GET("/a"));
    call_answer(call_number(&stage, 1), "a", 1);
    client_says(&stage, GET("/b") GET("/c"));
    assert_false(stage.readable);
    cycle_wants_content(&call_number(&stage, 1)->cycle);
    assert_false(stage.readable);
    cycle_wants_content(&call_number(&stage, 2)->cycle);
    assert_true(stage.readable);
    stage_end(&stage);
}

static void test_no_more_than_so_many_requests_wait_and_what_is_behind_them_stays_unread(void **state) {
    (void)state;
    struct told input = {.size = 0}, wire = {.size = 0};
    requests_of(60, &input, &wire);
    struct stage stage;
    stage_init(&stage);
    client_sends(&stage, input.text, input.size);
    assert_int_equal(stage.requested, 1 + PIPELINE_MAX);
    assert_int_equal(stage.connection.waiting, PIPELINE_MAX);
    cycle_wants_content(&call_number(&stage, 1)->cycle);
    assert_false(stage.readable); /* whatever it wants */
    client_queues(&stage, GET("/a61"), strlen(GET("/a61")));
    for (unsigned answered = 1; answered <= 60; answered++) {
        pump(&stage, 1000, 1000);
        assert_true(answer_next(&stage));
        assert_true(stage.requested <= answered + 1 + PIPELINE_MAX);
        assert_true(stage.requested >= (answered + 1 + PIPELINE_MAX < 60 ? answered + 1 + PIPELINE_MAX : 60));
    }
    assert_int_equal(stage.wire.size, wire.size);
    assert_memory_equal(buffer_bytes(&stage.wire), wire.text, wire.size);
    pump(&stage, 1000, 1000);
    assert_int_equal(stage.requested, 61);
    assert_null(stage.connection.unread.memory);
    stage_end(&stage);
}

static void test_what_stays_unread_is_not_copied_again(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    for (int i = 0; i < 100; i++)
        client_queues(&stage, GET("/a"), strlen(GET("/a")));
    pump(&stage, stage.input.size, 1);
    assert_true(answer_next(&stage));
    size_t asked = stage.failing.asked;
    while (answer_next(&stage))
        ;
    assert_int_equal(stage.released, 100);
    assert_int_equal(stage.failing.asked, asked);
    assert_null(stage.connection.unread.memory);
    stage_end(&stage);
}

/* All input, in portions of FIRST and then THEN bytes; a response whenever nothing more is read. */
static void play(const struct told *input, const struct told *wire, size_t first, size_t then) {
    struct stage stage;
    stage_init(&stage);
    client_queues(&stage, input->text, input->size);
    do
        pump(&stage, stage.input.size == input->size ? first : then, then);
    while (answer_next(&stage));
    assert_int_equal(stage.input.size, 0);
    assert_int_equal(stage.wire.size, wire->size);
    assert_memory_equal(buffer_bytes(&stage.wire), wire->text, wire->size);
    assert_true(stage.idle && stage.readable);
    assert_int_equal(stage.released, stage.requested);
    stage_end(&stage);
}

static void test_every_cut_of_many_requests_brings_each_of_them_once_and_in_order(void **state) {
    (void)state;
    struct told input = {.size = 0}, wire = {.size = 0};
    requests_of(23, &input, &wire);
    for (size_t first = 1; first <= input.size; first++)
        play(&input, &wire, first, input.size);
    for (size_t portion = 1; portion < 100; portion++)
        play(&input, &wire, portion, portion);
}

static void test_requests_that_are_answered_at_once_do_not_wait(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    for (int i = 0; i < 60; i++)
        client_queues(&stage, GET("/now"), strlen(GET("/now")));
    pump(&stage, stage.input.size, 1);
    assert_int_equal(stage.kit.total_requests, 60);
    assert_int_equal(stage.released, 60);
    assert_int_equal(stage.wire.size, 60 * strlen(OK("4", "/now")));
    expect_open(&stage);
    stage_end(&stage);
}

static void test_many_that_wait_are_answered_at_once_when_the_first_is(void **state) {
    (void)state;
    struct stage stage;
    struct told input = {.size = 0};
    for (int i = 0; i < 60; i++)
        tell(&input, "%s", i % 20 == 0 ? GET("/later") : GET("/now"));
    tell(&input, "broken\r\n");
    stage_init(&stage);
    client_sends(&stage, input.text, input.size);
    assert_int_equal(stage.requested, 1 + PIPELINE_MAX);
    for (unsigned later = 1; later <= 41; later += 20) {
        assert_int_equal(stage.run, later);
        call_answer(call_number(&stage, later), "/now", 4);
    }
    assert_int_equal(stage.run, 60);
    assert_true(stage.closed);
    assert_int_equal(stage.wire.size, 60 * strlen(OK("4", "/now")) + strlen(INVALID));
    assert_memory_equal(buffer_bytes(&stage.wire) + stage.wire.size - strlen(INVALID), INVALID, strlen(INVALID));
    stage_end(&stage);
}

static void test_a_connection_is_not_idle_while_the_second_of_one_read_is_answered(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, GET("/now") GET("/later"));
    assert_false(stage.idle);
    call_answer(call_number(&stage, 2), "x", 1);
    assert_true(stage.idle);
    stage_end(&stage);
}

static void test_requests_behind_a_response_that_closes_are_not_served(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, GET("/a") GET("/b") GET("/c"));
    call_answer(call_number(&stage, 1), "a", 1);
    call_answer_closing(call_number(&stage, 2), "b", 1);
    expect_wire(&stage, OK("1", "a") OK_CLOSE("1", "b"));
    assert_true(stage.closed);
    turn(&stage);
    assert_int_equal(stage.run, 2);
    assert_int_equal(stage.released, 3);
    assert_int_equal(stage.drained[2] + stage.arrived[2], 0); /* it has no app that could hear of it */
    assert_int_equal(stage.kit.total_requests, 2);
    stage_end(&stage);
}

/* Those that are read with it, when nothing of the response has gone yet. */
static void test_requests_of_the_same_read_behind_a_response_that_closes_are_not_served(void **state) {
    (void)state;
    static const char *const behind[] = {GET("/now"), "broken\r\n\r\n", POST("/now", "5") "ab"};
    static const char *const broken[] = {POST_CHUNKED("/now-close") "1\r\nab", POST_CHUNKED("/now-leave") "1\r\nab",
                                         POST_CHUNKED("/arrived-leave") "1\r\nab"};
    for (size_t i = 0; i < COUNT(broken); i++) { /* or content of its request that is broken */
        struct stage stage;
        stage_init(&stage);
        stage.room = 1;
        client_queues(&stage, GET("/now"), strlen(GET("/now")));
        client_queues(&stage, broken[i], strlen(broken[i]));
        pump(&stage, stage.input.size, 1);
        assert_false(stage.closed);
        client_reads(&stage, SIZE_MAX);
        expect_wire(&stage, i == 0 ? OK("4", "/now") OK_CLOSE("10", "/now-close") : OK("4", "/now"));
        stage_end(&stage);
    }
    for (size_t i = 0; i < COUNT(behind); i++) {
        struct stage stage;
        stage_init(&stage);
        stage.room = 1;
        client_queues(&stage, GET("/now-close"), strlen(GET("/now-close")));
        client_queues(&stage, behind[i], strlen(behind[i]));
        pump(&stage, stage.input.size, 1);
        assert_false(stage.closed);
        client_reads(&stage, SIZE_MAX);
        expect_told(&stage, "GET /now-close\nclose\n");
        expect_wire(&stage, OK_CLOSE("10", "/now-close"));
        stage_end(&stage);

        stage_init(&stage); /* the same, where the content's end is what is answered */
        stage.room = 1;
        client_says(&stage, GET("/now") POST("/echo-close", "2"));
        client_queues(&stage, "ok", 2);
        client_queues(&stage, behind[i], strlen(behind[i]));
        pump(&stage, stage.input.size, 1);
        client_reads(&stage, SIZE_MAX);
        expect_told(&stage, "GET /now\nPOST /echo-close\nclose\n");
        expect_wire(&stage, OK("4", "/now") OK_CLOSE("2", "ok"));
        stage_end(&stage);
    }
}

static void test_unread_requests_behind_a_response_that_closes_are_not_looked_at(void **state) {
    (void)state;
    for (unsigned before = 0; before < 2 * PIPELINE_MAX; before++)
        for (int room = 0; room < 2; room++) {
            struct stage stage;
            stage_init(&stage);
            client_queues(&stage, GET("/a"), strlen(GET("/a")));
            for (unsigned i = 0; i < before; i++)
                client_queues(&stage, GET("/now"), strlen(GET("/now")));
            client_queues(&stage, GET("/now-close"), strlen(GET("/now-close")));
            for (unsigned i = 0; i < 2 * PIPELINE_MAX; i++)
                client_queues(&stage, GET("/b"), strlen(GET("/b")));
            pump(&stage, stage.input.size, 1);
            unsigned requested = stage.requested;
            stage.room = room == 0 ? 1 : SIZE_MAX;
            call_answer(call_number(&stage, 1), "a", 1);
            turn(&stage);
            client_reads(&stage, SIZE_MAX);
            assert_true(stage.closed);
            assert_int_equal(stage.requested, before + 2 > requested ? before + 2 : requested);
            assert_int_equal(stage.run, before + 2);
            stage_end(&stage);
        }
}

static void test_requests_of_the_same_read_behind_one_whose_app_leaves_are_not_served(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    stage.room = 1;
    client_says(&stage, GET("/now") GET("/now-leave") GET("/now"));
    assert_false(stage.closed);
    client_reads(&stage, SIZE_MAX);
    expect_told(&stage, "GET /now\nGET /now-leave\nclose\n");
    expect_wire(&stage, OK("4", "/now"));
    stage_end(&stage);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_responses_go_out_in_the_order_of_their_requests),
        cmocka_unit_test(test_reading_pauses_when_a_request_waits_and_goes_on_when_its_turn_comes),
        cmocka_unit_test(test_reading_goes_on_when_the_handler_waits_for_the_client_to_leave),
        cmocka_unit_test(test_reading_does_not_go_on_for_who_has_sent_its_response),
        cmocka_unit_test(test_no_more_than_so_many_requests_wait_and_what_is_behind_them_stays_unread),
        cmocka_unit_test(test_what_stays_unread_is_not_copied_again),
        cmocka_unit_test(test_every_cut_of_many_requests_brings_each_of_them_once_and_in_order),
        cmocka_unit_test(test_requests_that_are_answered_at_once_do_not_wait),
        cmocka_unit_test(test_many_that_wait_are_answered_at_once_when_the_first_is),
        cmocka_unit_test(test_a_connection_is_not_idle_while_the_second_of_one_read_is_answered),
        cmocka_unit_test(test_requests_behind_a_response_that_closes_are_not_served),
        cmocka_unit_test(test_requests_of_the_same_read_behind_a_response_that_closes_are_not_served),
        cmocka_unit_test(test_unread_requests_behind_a_response_that_closes_are_not_looked_at),
        cmocka_unit_test(test_requests_of_the_same_read_behind_one_whose_app_leaves_are_not_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
