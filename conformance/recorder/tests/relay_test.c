/* relay_test.c: bytes and ends pass between two sides of a fake transport, whatever it takes at once and whenever it fails. */
#include "support.h" /* first: it says what it needs of the system */

#include <errno.h>

#include "../relay.h"

#define NEVER SIZE_MAX

/* One side: what it will say, and what it was told. */
struct fake_side {
    const char *says;
    size_t size, said;
    size_t at_once;     /* bytes of one read */
    enum relay_end end; /* behind what it says */
    size_t takes;       /* bytes of one write, 0: -EAGAIN each second time */
    size_t breaks_at;   /* a write fails once so many bytes were taken */
    struct collected heard;
    bool finished, closed, reset;
    bool readable, writable;
    unsigned writes;
};

struct fake {
    struct fake_side sides[2];
    struct relay relay;
    struct collected recorded;
    char chunk[RELAY_CHUNK];
};

static ssize_t fake_receive(void *context, enum relay_side side, char *data, size_t size) {
    struct fake_side *fake = &((struct fake *)context)->sides[side];
    assert_false(fake->closed);
    size_t left = fake->size - fake->said;
    if (left == 0)
        return fake->end == RELAY_GOES_ON ? -EAGAIN : fake->end == RELAY_FIN ? 0 : -ECONNRESET;
    if (size > fake->at_once)
        size = fake->at_once;
    if (size > left)
        size = left;
    memcpy(data, fake->says + fake->said, size);
    fake->said += size;
    return (ssize_t)size;
}

static ssize_t fake_send(void *context, enum relay_side side, const char *data, size_t size) {
    struct fake_side *fake = &((struct fake *)context)->sides[side];
    assert_false(fake->closed || fake->finished);
    if (fake->heard.size >= fake->breaks_at)
        return -EPIPE;
    if (fake->takes == 0 && fake->writes++ % 2 == 0)
        return -EAGAIN;
    size_t takes = fake->takes ? fake->takes : 1;
    if (size > takes)
        size = takes;
    collect(&fake->heard, data, size);
    return (ssize_t)size;
}

static void fake_finish(void *context, enum relay_side side) {
    struct fake_side *fake = &((struct fake *)context)->sides[side];
    assert_false(fake->finished || fake->closed);
    fake->finished = true;
}

static void fake_close(void *context, enum relay_side side, bool reset) {
    struct fake_side *fake = &((struct fake *)context)->sides[side];
    assert_false(fake->closed);
    fake->closed = true;
    fake->reset = reset;
    fake->readable = fake->writable = false;
}

static void fake_watch(void *context, enum relay_side side, bool readable, bool writable) {
    struct fake_side *fake = &((struct fake *)context)->sides[side];
    assert_false(fake->closed);
    fake->readable = readable;
    fake->writable = writable;
}

static const struct relay_transport FAKE = {fake_receive, fake_send, fake_finish, fake_close, fake_watch};

static void record(void *owner, struct dialogue *dialogue, const struct dialogue_text *text) {
    collect_exchange(&((struct fake *)owner)->recorded, dialogue, text);
}

static struct fake *fake_new(const char *client, const char *server, const struct exchange_allocator *allocator) {
    struct fake *fake = calloc(1, sizeof *fake);
    assert_non_null(fake);
    const char *says[] = {client, server};
    for (int side = 0; side < 2; side++)
        fake->sides[side] =
            (struct fake_side){.says = says[side], .size = strlen(says[side]), .at_once = NEVER, .takes = NEVER, .breaks_at = NEVER};
    relay_init(&fake->relay, &FAKE, fake, fake->chunk, allocator, allocator, record);
    return fake;
}

static bool has_more(const struct fake_side *side) { return side->said < side->size || side->end != RELAY_GOES_ON; }

/* Serve what is watched for until nothing happens any more. FIRST has its turn first. */
static void serve(struct fake *fake, enum relay_side first) {
    for (int idle = 0, rounds = 0; idle < 4 && fake->relay.state != RELAY_OVER; rounds++) {
        assert_in_range(rounds, 0, 1000000);
        enum relay_side at = rounds % 2 ? 1 - first : first;
        struct fake_side *side = &fake->sides[at];
        bool readable = side->readable && has_more(side), writable = side->writable;
        for (int i = 0; i < 2; i++)
            assert_true(fake->relay.flows[i].to <= RELAY_CHUNK);
        idle = readable || writable ? 0 : idle + 1;
        if (readable || writable)
            relay_ready(&fake->relay, at, readable, writable);
    }
}

static void fake_free(struct fake *fake) {
    relay_stop(&fake->relay);
    assert_true(fake->sides[0].closed && fake->sides[1].closed);
    relay_free(&fake->relay);
    for (int side = 0; side < 2; side++)
        free(fake->sides[side].heard.text);
    free(fake->recorded.text);
    free(fake);
}

static void assert_heard(const struct fake *fake, enum relay_side side, const char *text) {
    assert_string_equal(fake->sides[side].heard.size ? fake->sides[side].heard.text : "", text);
}

#define REQUEST "PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789"
#define RESPONSE "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nHello, world"

/* Whatever is read and written at once, both hear all and what is recorded is what passed. */
static void every_cut_test(void **state) {
    (void)state;
    for (size_t cut = 1; cut <= sizeof REQUEST; cut++)
        for (size_t takes = 0; takes < 30; takes += 7) {
            struct fake *fake = fake_new(REQUEST, RESPONSE, NULL);
            fake->sides[0].at_once = fake->sides[1].at_once = cut;
            fake->sides[0].takes = fake->sides[1].takes = takes;
            relay_connected(&fake->relay);
            serve(fake, RELAY_CLIENT);
            fake->sides[RELAY_CLIENT].end = RELAY_FIN;
            serve(fake, RELAY_CLIENT);
            assert_true(fake->sides[RELAY_SERVER].finished);
            assert_false(fake->sides[RELAY_CLIENT].finished || fake->sides[RELAY_SERVER].closed);
            fake->sides[RELAY_SERVER].end = RELAY_FIN;
            serve(fake, RELAY_CLIENT);
            assert_int_equal(fake->relay.state, RELAY_OVER);
            assert_false(fake->sides[RELAY_CLIENT].reset || fake->sides[RELAY_SERVER].reset);
            assert_heard(fake, RELAY_SERVER, REQUEST);
            assert_heard(fake, RELAY_CLIENT, RESPONSE);
            assert_int_equal(fake->recorded.count, 1);
            struct collected sent = sent_by(&fake->recorded);
            assert_string_equal(sent.text, REQUEST);
            free(sent.text);
            fake_free(fake);
        }
}

static void nothing_is_read_before_it_is_connected_test(void **state) {
    (void)state;
    struct fake *fake = fake_new(REQUEST, "", NULL);
    relay_ready(&fake->relay, RELAY_CLIENT, true, true);
    assert_int_equal(fake->sides[RELAY_CLIENT].said, 0);
    fake_free(fake);
}

/* A side that takes nothing holds up the other, and only in that direction. */
static void backpressure_test(void **state) {
    (void)state;
    char *much = malloc(4 * RELAY_CHUNK + 1);
    assert_non_null(much);
    memset(much, 'x', 4 * RELAY_CHUNK);
    much[4 * RELAY_CHUNK] = '\0';
    struct fake *fake = fake_new(much, RESPONSE, NULL);
    fake->sides[RELAY_SERVER].takes = 1000;
    relay_connected(&fake->relay);
    relay_ready(&fake->relay, RELAY_CLIENT, true, false);
    assert_int_equal(fake->sides[RELAY_CLIENT].said, RELAY_CHUNK);
    assert_false(fake->sides[RELAY_CLIENT].readable);
    assert_true(fake->sides[RELAY_SERVER].writable && fake->sides[RELAY_SERVER].readable);
    relay_ready(&fake->relay, RELAY_CLIENT, true, false);
    assert_int_equal(fake->sides[RELAY_CLIENT].said, RELAY_CHUNK);
    relay_ready(&fake->relay, RELAY_SERVER, true, false);
    assert_heard(fake, RELAY_CLIENT, RESPONSE);
    serve(fake, RELAY_CLIENT);
    assert_int_equal(fake->sides[RELAY_SERVER].heard.size, 4 * RELAY_CHUNK);
    assert_null(fake->relay.flows[RELAY_CLIENT].held);
    fake_free(fake);
    free(much);
}

/* Bytes first, then the end, as what it was. */
static void ends_behind_bytes_test(void **state) {
    (void)state;
    for (int side = 0; side < 2; side++)
        for (int end = RELAY_FIN; end <= RELAY_RESET; end++) {
            struct fake *fake = fake_new(REQUEST, RESPONSE, NULL);
            fake->sides[side].end = (enum relay_end)end;
            fake->sides[1 - side].takes = 3;
            relay_connected(&fake->relay);
            relay_ready(&fake->relay, (enum relay_side)side, true, false);
            relay_ready(&fake->relay, (enum relay_side)side, true, false);
            assert_false(fake->sides[1 - side].finished || fake->sides[1 - side].closed);
            serve(fake, RELAY_SERVER);
            assert_heard(fake, (enum relay_side)(1 - side), side ? RESPONSE : REQUEST);
            assert_true(end == RELAY_FIN ? fake->sides[1 - side].finished : fake->sides[1 - side].reset);
            assert_int_equal(fake->relay.state, end == RELAY_FIN ? RELAY_OPEN : RELAY_OVER);
            fake_free(fake);
        }
}

/* A server that refuses the rest of a request may have answered before: the client gets that, and then the reset. */
static void answer_of_a_side_that_takes_no_more_test(void **state) {
    (void)state;
    struct fake *fake = fake_new(REQUEST, RESPONSE, NULL);
    fake->sides[RELAY_SERVER].breaks_at = 0;
    fake->sides[RELAY_SERVER].end = RELAY_FIN;
    relay_connected(&fake->relay);
    serve(fake, RELAY_CLIENT);
    assert_heard(fake, RELAY_CLIENT, RESPONSE);
    assert_true(fake->sides[RELAY_CLIENT].reset);
    fake_free(fake);
}

/* Behind its FIN a client that takes nothing is gone, and the server is told by a reset. */
static void client_that_closed_test(void **state) {
    (void)state;
    struct fake *fake = fake_new("GET / HTTP/1.1\r\n\r\n", RESPONSE, NULL);
    fake->sides[RELAY_CLIENT].end = RELAY_FIN;
    fake->sides[RELAY_CLIENT].breaks_at = 0;
    fake->sides[RELAY_SERVER].size = 0;
    relay_connected(&fake->relay);
    serve(fake, RELAY_CLIENT);
    assert_true(fake->sides[RELAY_SERVER].finished);
    fake->sides[RELAY_SERVER].size = strlen(RESPONSE);
    serve(fake, RELAY_CLIENT);
    assert_true(fake->sides[RELAY_SERVER].reset);
    assert_non_null(strstr(fake->recorded.text, ">\nclose\nend next\n"));
    assert_null(strstr(fake->recorded.text, "status")); /* which nobody has seen */
    fake_free(fake);
}

static void refused_test(void **state) {
    (void)state;
    struct fake *fake = fake_new("", "", NULL);
    relay_refused(&fake->relay, "answer", 6);
    assert_true(fake->sides[RELAY_SERVER].closed);
    serve(fake, RELAY_CLIENT);
    assert_heard(fake, RELAY_CLIENT, ""); /* it has not asked yet */
    fake->sides[RELAY_CLIENT].says = REQUEST;
    fake->sides[RELAY_CLIENT].size = strlen(REQUEST);
    fake->sides[RELAY_CLIENT].at_once = 1;
    serve(fake, RELAY_CLIENT);
    assert_heard(fake, RELAY_CLIENT, "answer");
    assert_true(fake->sides[RELAY_CLIENT].finished && !fake->sides[RELAY_CLIENT].closed);
    assert_int_equal(fake->sides[RELAY_CLIENT].said, strlen(REQUEST));
    fake->sides[RELAY_CLIENT].end = RELAY_FIN;
    serve(fake, RELAY_CLIENT);
    assert_int_equal(fake->relay.state, RELAY_OVER);
    assert_int_equal(fake->recorded.count, 0);
    fake_free(fake);
}

static void refused_client_that_says_nothing_test(void **state) {
    (void)state;
    struct fake *fake = fake_new("", "", NULL);
    fake->sides[RELAY_CLIENT].end = RELAY_FIN;
    fake->sides[RELAY_CLIENT].breaks_at = 0;
    relay_refused(&fake->relay, "answer", 6);
    serve(fake, RELAY_CLIENT);
    assert_int_equal(fake->relay.state, RELAY_OVER);
    fake_free(fake);
}

static void write_that_fails_at_each_byte_test(void **state) {
    (void)state;
    for (int side = 0; side < 2; side++)
        for (size_t at = 0; at < sizeof REQUEST; at++) {
            struct fake *fake = fake_new(REQUEST, RESPONSE, NULL);
            fake->sides[side].breaks_at = at;
            fake->sides[side].takes = 1;
            relay_connected(&fake->relay);
            serve(fake, (enum relay_side)side);
            fake->sides[side].end = RELAY_RESET;
            serve(fake, (enum relay_side)side);
            assert_int_equal(fake->relay.state, RELAY_OVER);
            assert_true(fake->sides[1 - side].reset);
            fake_free(fake);
        }
}

/* Without memory for what cannot be written both are reset; without any for the record, nothing but the record is missing. */
static void allocations_test(void **state) {
    (void)state;
    bool reset = false, lost = false;
    for (size_t failing_at = 1;; failing_at++) {
        struct failing failing = {.failing = failing_at, .once = true};
        struct exchange_allocator allocator = failing_allocator(&failing);
        struct fake *fake = fake_new(REQUEST, RESPONSE, &allocator);
        fake->sides[0].takes = fake->sides[1].takes = 5;
        relay_connected(&fake->relay);
        serve(fake, RELAY_CLIENT);
        if (fake->relay.out_of_memory) {
            reset = true;
            assert_true(fake->sides[0].reset && fake->sides[1].reset);
        } else {
            assert_heard(fake, RELAY_SERVER, REQUEST);
            assert_heard(fake, RELAY_CLIENT, RESPONSE);
            lost |= fake->relay.dialogue.lost > 0;
        }
        size_t asked = failing.asked;
        fake_free(fake);
        assert_int_equal(failing.live, 0);
        if (asked < failing_at)
            break;
    }
    assert_true(reset && lost);
    struct failing failing = {.failing = 1, .once = true};
    struct exchange_allocator allocator = failing_allocator(&failing);
    struct fake *fake = fake_new("", "", &allocator);
    relay_refused(&fake->relay, "answer", 6);
    assert_true(fake->relay.out_of_memory && fake->relay.state == RELAY_OVER);
    fake_free(fake);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_test),
        cmocka_unit_test(nothing_is_read_before_it_is_connected_test),
        cmocka_unit_test(backpressure_test),
        cmocka_unit_test(ends_behind_bytes_test),
        cmocka_unit_test(answer_of_a_side_that_takes_no_more_test),
        cmocka_unit_test(client_that_closed_test),
        cmocka_unit_test(refused_test),
        cmocka_unit_test(refused_client_that_says_nothing_test),
        cmocka_unit_test(write_that_fails_at_each_byte_test),
        cmocka_unit_test(allocations_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
