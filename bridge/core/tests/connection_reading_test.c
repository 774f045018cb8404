/* connection_reading_test.c: requests and their content as they come: in every cut, more than fits, waited for, too late, or broken. */
#include "connection_support.h"

static void fill(char *bytes, size_t size) {
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)('a' + (i * 7 + i / 251) % 26);
}

/* SIZE bytes of content; static, all calls fill it alike. */
static const char *content_of(size_t size) {
    static char bytes[4 * HIGH_WATER];
    assert_true(size <= sizeof bytes);
    fill(bytes, sizeof bytes);
    return bytes;
}

/* --- cuts --- */

static const struct {
    const char *sent, *told, *got;
} dialogue[] = {
    {GET("/now"), "GET /now\n", OK("4", "/now")},
    {POST("/echo", "11") "hello world", "POST /echo\n", OK("11", "hello world")},
    {POST_CHUNKED("/echo-raw") "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nT: 1\r\n\r\n", "POST /echo-raw\n", OK("7", "abcdefg")},
    {POST("/echo", "0") "\r\n", "POST /echo\n", OK("0", "")},
    {POST("/now", "6") "unread", "POST /now\n", OK("4", "/now")},
    {GET("/now"), "GET /now\n", OK("4", "/now")},
    {"HEAD /now HTTP/1.1\r\nHost: h\r\n\r\n", "HEAD /now\n", OK("4", "")},
    {POST_EXPECT("/echo", "2") "ok", "POST /echo\n", CONTINUE OK("2", "ok")},
    {GET_CLOSE("/now"), "GET /now\n", OK_CLOSE("4", "/now")},
    {"GET nothing of this is read", "close\n", ""},
};

static void cut(const char *input, size_t first, size_t then, const char *told, const char *wire) {
    struct stage stage;
    stage_init(&stage);
    client_queues(&stage, input, strlen(input));
    pump(&stage, first, then);
    expect_told(&stage, told);
    expect_wire(&stage, wire);
    stage_end(&stage);
}

static void test_every_cut_of_the_input_tells_and_sends_the_same(void **state) {
    (void)state;
    struct told sent = {.size = 0}, told = {.size = 0}, got = {.size = 0};
    for (size_t i = 0; i < COUNT(dialogue); i++) {
        tell(&sent, "%s", dialogue[i].sent);
        tell(&told, "%s", dialogue[i].told);
        tell(&got, "%s", dialogue[i].got);
    }
    for (size_t first = 1; first <= sent.size; first++)
        cut(sent.text, first, sent.size, told.text, got.text);
    for (size_t portion = 1; portion < 40; portion++)
        cut(sent.text, portion, portion, told.text, got.text);
}

static void test_every_cut_of_broken_input_is_answered_the_same(void **state) {
    (void)state;
    static const char input[] = GET("/now") POST_CHUNKED("/now") "3\r\nabc\r\nx";
    for (size_t first = 1; first < sizeof input; first++)
        cut(input, first, sizeof input, "GET /now\nPOST /now\ninvalid\nclose\n", OK("4", "/now") OK("4", "/now") INVALID);
}

/* --- content: a handler that does not take it --- */

static void test_reading_pauses_beyond_high_water_and_goes_on_when_content_is_wanted(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n");
    client_sends(&stage, content_of(HIGH_WATER), HIGH_WATER);
    assert_true(stage.readable); /* that much may wait */
    client_sends(&stage, content_of(HIGH_WATER) + HIGH_WATER, 1);
    assert_false(stage.readable);
    client_queues(&stage, content_of(2 * HIGH_WATER) + HIGH_WATER + 1, 999);
    pump(&stage, 999, 999);
    assert_int_equal(stage.input.size, 999);

    struct call *call = call_number(&stage, 1);
    call_take(call);
    assert_true(stage.readable);
    assert_int_equal(call->received.size, HIGH_WATER + 1);
    pump(&stage, 999, 999);
    call_take(call);
    assert_int_equal(call->received.size, HIGH_WATER + 1000);
    assert_memory_equal(buffer_bytes(&call->received), content_of(2 * HIGH_WATER), HIGH_WATER + 1000);
    assert_true(stage.arrived[0] >= 3);
    stage_end(&stage);
}

static void test_content_larger_than_memory_should_hold_passes_in_pieces(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 262144\r\n\r\n");
    client_queues(&stage, content_of(262144), 262144);
    for (unsigned wanted = 0; stage.input.size > 0; wanted++) {
        assert_true(wanted < 16);
        pump(&stage, 10000, 30000);
        assert_true(call_number(&stage, 1)->cycle.body.size <= HIGH_WATER + 30000);
        call_take(call_number(&stage, 1));
    }
    struct call *call = call_number(&stage, 1);
    assert_false(call->cycle.more_body);
    assert_int_equal(call->received.size, 262144);
    assert_memory_equal(buffer_bytes(&call->received), content_of(262144), 262144);
    call_answer(call, "all", 3);
    call_finish(call);
    expect_wire(&stage, OK("3", "all"));
    expect_open(&stage);
    stage_end(&stage);
}

static void test_content_of_a_request_that_waits_is_bounded_whatever_the_one_before_it_wants(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, GET("/a") "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n");
    client_queues(&stage, content_of(200000), 200000);
    for (int i = 0; i < 30; i++) {
        cycle_wants_content(&call_number(&stage, 1)->cycle); /* it waits for the client to leave, again and again */
        pump(&stage, 20000, 20000);
    }
    assert_false(stage.readable);
    assert_int_equal(call_number(&stage, 2)->cycle.body.size, 80000);

    call_answer(call_number(&stage, 1), "a", 1);
    assert_false(stage.readable); /* now it is its turn, but it has not asked */
    for (int i = 0; i < 30; i++) {
        call_take(call_number(&stage, 2));
        pump(&stage, 20000, 20000);
    }
    call_take(call_number(&stage, 2));
    assert_int_equal(call_number(&stage, 2)->received.size, 200000);
    assert_memory_equal(buffer_bytes(&call_number(&stage, 2)->received), content_of(200000), 200000);
    call_answer(call_number(&stage, 2), "b", 1);
    expect_wire(&stage, OK("1", "a") OK("1", "b"));
    expect_open(&stage);
    stage_end(&stage);
}

static void test_content_that_comes_after_the_response_is_dropped_and_the_next_request_is_served(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\nbegin");
    client_sends(&stage, content_of(HIGH_WATER), HIGH_WATER);
    assert_false(stage.readable);
    call_answer(call_number(&stage, 1), "no", 2);
    assert_true(stage.readable);
    unsigned arrived = stage.arrived[0];
    size_t held = call_number(&stage, 1)->cycle.body.size;
    client_sends(&stage, content_of(200000), 200000 - 5 - HIGH_WATER);
    assert_int_equal(stage.arrived[0], arrived); /* and nobody hears of it */
    assert_int_equal(call_number(&stage, 1)->cycle.body.size, held);
    expect_wire(&stage, OK("2", "no"));
    assert_int_equal(stage.released, 0);
    call_finish(call_number(&stage, 1));
    assert_int_equal(stage.released, 1);
    expect_open(&stage);
    stage_end(&stage);
}

static void test_a_request_that_cannot_be_had_ends_the_connection(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    stage.refuses = true;
    client_says(&stage, GET("/now"));
    expect_told(&stage, "close\n");
    expect_wire(&stage, "");
    stage_end(&stage);
}

static void test_an_upgrade_that_is_not_taken_up_is_noticed_and_the_request_answered(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, "GET /now HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    expect_told(&stage, "GET /now\nupgrade\n");
    expect_wire(&stage, OK("4", "/now"));
    expect_open(&stage);
    stage_end(&stage);
}

/* --- 100 (Continue) --- */

static void test_continue_is_said_once_when_content_is_wanted(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, POST_EXPECT("/a", "4"));
    struct call *call = call_number(&stage, 1);
    turn(&stage);
    expect_wire(&stage, "");
    cycle_wants_content(&call->cycle);
    assert_true(stage.flush_due);
    turn(&stage);
    expect_wire(&stage, CONTINUE);
    cycle_wants_content(&call->cycle);
    client_says(&stage, "ab");
    cycle_wants_content(&call->cycle);
    client_says(&stage, "cd");
    call_answer(call, "x", 1);
    cycle_wants_content(&call->cycle);
    turn(&stage);
    expect_wire(&stage, CONTINUE OK("1", "x"));
    call_finish(call);
    expect_open(&stage);
    stage_end(&stage);
}

static void test_continue_is_not_said_when_nobody_waits_for_it(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, "POST /a HTTP/1.1\r\nHost: h\r\nExpect: 200-ok\r\nContent-Length: 1\r\n\r\n");
    cycle_wants_content(&call_number(&stage, 1)->cycle);
    turn(&stage);
    expect_wire(&stage, "");
    stage_end(&stage);
    stage_init(&stage);
    client_says(&stage, "POST /a HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
    cycle_wants_content(&call_number(&stage, 1)->cycle);
    turn(&stage);
    expect_wire(&stage, "");
    stage_end(&stage);
}

static void test_continue_is_not_said_once_the_response_has_begun(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, POST_EXPECT("/a", "4"));
    struct call *call = call_number(&stage, 1);
    call_start_length(call, 1);
    cycle_wants_content(&call->cycle);
    call_content(call, "x", 1, true);
    cycle_wants_content(&call->cycle);
    turn(&stage);
    expect_wire(&stage, OK("1", "x"));
    stage_end(&stage);
}

static void test_continue_is_not_said_when_the_head_of_the_response_was_refused(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, POST_EXPECT("/a", "4"));
    cycle_not_started(&call_number(&stage, 1)->cycle);
    cycle_wants_content(&call_number(&stage, 1)->cycle);
    turn(&stage);
    expect_wire(&stage, "");
    stage_end(&stage);
}

static void test_continue_is_not_said_once_it_closes(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, POST_EXPECT("/a", "4"));
    cycle_close(&call_number(&stage, 1)->cycle);
    cycle_wants_content(&call_number(&stage, 1)->cycle); /* closed, not told yet */
    turn(&stage);
    cycle_wants_content(&call_number(&stage, 1)->cycle); /* gone */
    expect_wire(&stage, "");
    stage_end(&stage);

    stage_init(&stage);
    stage.room = 0;
    client_says(&stage, GET("/now") POST_EXPECT("/a", "4"));
    cycle_close(&call_number(&stage, 2)->cycle);
    cycle_wants_content(&call_number(&stage, 2)->cycle); /* closing: the first response is under way */
    assert_false(stage.closed);
    client_reads(&stage, SIZE_MAX);
    expect_wire(&stage, OK("4", "/now"));
    assert_true(stage.closed);
    stage_end(&stage);
}

static void test_continue_of_a_request_that_waits_comes_in_its_turn(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, GET("/a") POST_EXPECT("/echo", "2"));
    cycle_wants_content(&call_number(&stage, 1)->cycle);
    turn(&stage);
    expect_wire(&stage, "");
    call_answer(call_number(&stage, 1), "a", 1);
    turn(&stage);
    expect_wire(&stage, OK("1", "a") CONTINUE);
    client_says(&stage, "ok");
    expect_wire(&stage, OK("1", "a") CONTINUE OK("2", "ok"));
    stage_end(&stage);
}

/* --- what is no request --- */

static void expect_end(const char *input, const char *told, const char *wire) { cut(input, strlen(input), 1, told, wire); }

static void test_what_is_no_request_is_answered_400_where_nothing_is_due(void **state) {
    (void)state;
    expect_end("\x16\x03\x01", "invalid\nclose\n", INVALID);
    expect_end("GET / HTTP/1.1\r\n\r\n" GET("/now"), "invalid\nclose\n", INVALID);
    expect_end(GET("/now") "no\r\n" GET("/now"), "GET /now\ninvalid\nclose\n", OK("4", "/now") INVALID);
    expect_end(POST_CHUNKED("/now") "x", "POST /now\ninvalid\nclose\n", OK("4", "/now") INVALID);
}

static void test_a_head_that_is_too_large_is_answered_431(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, "GET /a HTTP/1.1\r\nHost: h\r\nX: ");
    while (!stage.closed)
        client_sends(&stage, content_of(10000), 10000);
    expect_told(&stage, "invalid\nclose\n");
    expect_wire(&stage, TOO_LARGE);
    stage_end(&stage);
}

static void test_content_that_is_broken_is_answered_400_in_place_of_a_response_that_has_not_begun(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, POST_CHUNKED("/a") "1\r\nab");
    assert_int_equal(stage.requested, 1);
    expect_told(&stage, "POST /a\ninvalid\nclose\n");
    expect_wire(&stage, INVALID);
    assert_true(call_number(&stage, 1)->cycle.disconnected);
    stage_end(&stage);
}

static void test_content_that_is_broken_cuts_a_response_that_has_begun_and_puts_no_status_into_it(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, POST_CHUNKED("/a") "1\r\na\r\n");
    call_start_length(call_number(&stage, 1), 10);
    call_content(call_number(&stage, 1), "half", 4, false);
    client_says(&stage, "x\r\n");
    expect_told(&stage, "POST /a\ninvalid\nclose\n");
    expect_wire(&stage, OK("10", "half"));
    stage_end(&stage);

    stage_init(&stage); /* begun, but not yet on its way */
    client_says(&stage, POST_CHUNKED("/a") "1\r\na\r\n");
    stage.room = 0;
    call_start_length(call_number(&stage, 1), 10);
    client_says(&stage, "x\r\n");
    assert_false(stage.closed);
    assert_false(call_content(call_number(&stage, 1), "too late, and too long", 22, true));
    client_reads(&stage, SIZE_MAX);
    expect_wire(&stage, OK("10", ""));
    stage_end(&stage);
}

static void test_what_is_broken_behind_requests_is_answered_behind_their_responses(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, GET("/a") POST("/b", "2") "ok" GET("/c") "broken\r\n\r\n");
    expect_told(&stage, "GET /a\nPOST /b\nGET /c\ninvalid\n");
    assert_false(stage.readable);
    call_answer(call_number(&stage, 1), "a", 1);
    cycle_wants_content(&call_number(&stage, 2)->cycle);
    assert_false(stage.readable); /* nothing more is of interest */
    connection_received(&stage.connection, "more", 4);
    call_answer(call_number(&stage, 2), "b", 1);
    expect_wire(&stage, OK("1", "a") OK("1", "b"));
    assert_false(stage.closed);
    call_answer(call_number(&stage, 3), "c", 1);
    expect_wire(&stage, OK("1", "a") OK("1", "b") OK("1", "c") INVALID);
    expect_told(&stage, "GET /a\nPOST /b\nGET /c\ninvalid\nclose\n");
    stage_end(&stage);
}

static void test_too_large_a_head_behind_a_request_is_answered_behind_its_response(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, GET("/a") "GET /b HTTP/1.1\r\nHost: h\r\nX: ");
    while (!stage.connection.failure) {
        cycle_wants_content(&call_number(&stage, 1)->cycle);
        client_sends(&stage, content_of(10000), 10000);
    }
    expect_wire(&stage, "");
    call_answer(call_number(&stage, 1), "a", 1);
    expect_wire(&stage, OK("1", "a") TOO_LARGE);
    stage_end(&stage);
}

static void test_content_that_is_broken_before_its_request_has_its_turn_is_answered_400_in_its_place(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, GET("/a") GET("/b") POST_CHUNKED("/c") "1\r\nab");
    expect_told(&stage, "GET /a\nGET /b\nPOST /c\ninvalid\n");
    call_answer(call_number(&stage, 1), "a", 1);
    assert_false(stage.closed);
    call_answer(call_number(&stage, 2), "b", 1);
    assert_int_equal(stage.run, 2); /* its app would wait for content that never comes */
    expect_wire(&stage, OK("1", "a") OK("1", "b") INVALID);
    expect_told(&stage, "GET /a\nGET /b\nPOST /c\ninvalid\nclose\n");
    stage_end(&stage);
}

static void test_what_is_broken_behind_a_response_that_closes_is_not_answered(void **state) {
    (void)state;
    struct stage stage;
    stage_init(&stage);
    client_says(&stage, GET("/a") "broken\r\n\r\n");
    call_answer_closing(call_number(&stage, 1), "a", 1);
    expect_wire(&stage, OK_CLOSE("1", "a"));
    assert_true(stage.closed);
    stage_end(&stage);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cut_of_the_input_tells_and_sends_the_same),
        cmocka_unit_test(test_every_cut_of_broken_input_is_answered_the_same),
        cmocka_unit_test(test_reading_pauses_beyond_high_water_and_goes_on_when_content_is_wanted),
        cmocka_unit_test(test_content_larger_than_memory_should_hold_passes_in_pieces),
        cmocka_unit_test(test_content_of_a_request_that_waits_is_bounded_whatever_the_one_before_it_wants),
        cmocka_unit_test(test_content_that_comes_after_the_response_is_dropped_and_the_next_request_is_served),
        cmocka_unit_test(test_a_request_that_cannot_be_had_ends_the_connection),
        cmocka_unit_test(test_an_upgrade_that_is_not_taken_up_is_noticed_and_the_request_answered),
        cmocka_unit_test(test_continue_is_said_once_when_content_is_wanted),
        cmocka_unit_test(test_continue_is_not_said_when_nobody_waits_for_it),
        cmocka_unit_test(test_continue_is_not_said_once_the_response_has_begun),
        cmocka_unit_test(test_continue_is_not_said_when_the_head_of_the_response_was_refused),
        cmocka_unit_test(test_continue_is_not_said_once_it_closes),
        cmocka_unit_test(test_continue_of_a_request_that_waits_comes_in_its_turn),
        cmocka_unit_test(test_what_is_no_request_is_answered_400_where_nothing_is_due),
        cmocka_unit_test(test_a_head_that_is_too_large_is_answered_431),
        cmocka_unit_test(test_content_that_is_broken_is_answered_400_in_place_of_a_response_that_has_not_begun),
        cmocka_unit_test(test_content_that_is_broken_cuts_a_response_that_has_begun_and_puts_no_status_into_it),
        cmocka_unit_test(test_what_is_broken_behind_requests_is_answered_behind_their_responses),
        cmocka_unit_test(test_too_large_a_head_behind_a_request_is_answered_behind_its_response),
        cmocka_unit_test(test_content_that_is_broken_before_its_request_has_its_turn_is_answered_400_in_its_place),
        cmocka_unit_test(test_what_is_broken_behind_a_response_that_closes_is_not_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
