/* stream_test.c: one accepted socket: a client that is slow, half there, or gone while it is read from, waited for, or written to. */
#include "server_support.h"

#include <netinet/tcp.h>

/* Read what is there, which is to be the next octets of /big's response behind its head. Returns how many, 0 at the end. */
static size_t read_some(int client, size_t at, size_t limit) {
    static char got[1 << 18];
    ssize_t size = recv(client, got, limit < sizeof got ? limit : sizeof got, 0);
    if (size < 0 && errno == EAGAIN)
        return 0;
    assert_true(size > 0);
    for (ssize_t i = 0; i < size; i++)
        if (got[i] != big_octet(at + (size_t)i))
            fail_msg("another octet at %zu", at + (size_t)i);
    return (size_t)size;
}

static void test_a_large_response_reaches_a_slow_client_whole_and_does_not_gather_in_memory(void **state) {
    (void)state;
    struct host *host = host_new(60000);
    int client = client_new(host), small = 16384;
    assert_int_equal(setsockopt(client, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    client_says(client, GET("/big") GET("/later"));
    client_gets(host, client, "HTTP/1.1 200 OK\r\ncontent-length: 8388608\r\n\r\n");
    host_turns(host, 50);
    unsigned turns = host->turns;
    host_turns(host, 100);
    assert_true(host->turns - turns <= 5); /* who waits for the client does so quietly */
    assert_int_equal(host->run, 1);
    for (size_t at = 0, had; at < BIG; at += had) {
        had = read_some(client, at, BIG - at);
        if (had == 0)
            host_turn(host, 100);
    }
    assert_true(host->waits_most >= HIGH_WATER);
    assert_true(host->waits_most <= HIGH_WATER + PIECE + 64);
    client_gets(host, client, OK("6", "/later"));
    close(client);
    host_end(host);
}

static void test_a_client_that_leaves_a_large_response(void **state) {
    (void)state;
    for (int how = 0; how < 3; how++) {
        struct host *host = host_new(60000);
        int client = client_new(host);
        client_says(client, GET("/big") GET("/later"));
        client_gets(host, client, "HTTP/1.1 200 OK\r\n");
        host_turns(host, 30);
        assert_int_equal(host->over, 0);
        if (how == 0)
            client_resets(client);
        else if (how == 1)
            close(client); /* with octets unread: a reset, too */
        else
            shutdown(client, SHUT_RDWR);
        HOST_UNTIL(host, host->over == 1 && host->forgotten == 1);
        assert_int_equal(host->run, 1);
        if (how == 2)
            close(client);
        host_end(host);
    }
}

static void test_a_client_that_leaves_while_it_is_waited_for(void **state) {
    (void)state;
    for (int how = 0; how < 3; how++) {
        struct host *host = host_new(60000);
        int client = client_new(host);
        client_says(client, GET("/never"));
        HOST_UNTIL(host, host->run == 1);
        if (how == 0)
            client_resets(client);
        else if (how == 1)
            close(client);
        else
            shutdown(client, SHUT_WR); /* it would still read, but that is taken for its leaving */
        HOST_UNTIL(host, host->over == 1 && host->forgotten == 1);
        if (how == 2)
            client_gets_end(host, client);
        host_end(host);
    }
}

static void test_what_came_before_a_reset_is_read(void **state) {
    (void)state;
    struct host *host = host_new(60000);
    int client = client_new(host);
    HOST_UNTIL(host, host->accepted == 1);
    host_settle(host);
    client_says(client, GET("/never"));
    client_resets(client);
    sleep_milliseconds(20);
    HOST_UNTIL(host, host->over == 1);
    assert_int_equal(host->run, 1);
    host_end(host);
}

static void test_no_more_is_read_behind_a_reset_than_is_wanted(void **state) {
    (void)state;
    struct host *host = host_new(60000);
    int client = client_new(host);
    client_says(client, "POST /big HTTP/1.1\r\nHost: h\r\nContent-Length: 8388608\r\n\r\n"); /* so that it is written to, too */
    for (int quiet = 0; quiet < 3; quiet++) {
        if (send(client, big_piece(0), PIECE, MSG_NOSIGNAL) > 0)
            quiet = 0;
        host_turn(host, 10);
    }
    client_resets(client);
    HOST_UNTIL(host, host->over == 1); /* host_told() sees what waits for it */
    host_end(host);
}

static void test_what_is_no_socket_is_refused_and_closed(void **state) {
    (void)state;
    struct host *host = host_new(60000);
    int fd = open("/dev/null", O_RDWR);
    assert_int_equal(stream_open(&host->server, fd), -EPERM);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_int_equal(host->server.connections, 0);
    host_end(host);
}

static void test_a_socket_neither_waits_for_more_to_send_nor_is_inherited(void **state) {
    (void)state;
    struct host *host = host_new(60000);
    int client = client_new(host), on = 0;
    socklen_t size = sizeof on;
    HOST_UNTIL(host, host->accepted == 1);
    assert_int_equal(getsockopt(host->server.streams->fd, IPPROTO_TCP, TCP_NODELAY, &on, &size), 0);
    assert_true(on);
    assert_true(fcntl(host->server.streams->fd, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(host->server.streams->fd, F_GETFL) & O_NONBLOCK);
    close(client);
    host_end(host);
}

static void test_what_was_sent_before_it_closes_is_read_by_a_slow_client(void **state) {
    (void)state;
    struct host *host = host_new(60000);
    int client = client_new(host), small = 16384;
    assert_int_equal(setsockopt(client, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    client_says(client, "GET /big HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    client_gets(host, client, "HTTP/1.1 200 OK\r\ncontent-length: 8388608\r\nconnection: close\r\n\r\n");
    for (size_t at = 0, had; at < BIG; at += had) {
        had = read_some(client, at, 100000);
        host_turn(host, had == 0 ? 100 : 0);
    }
    client_gets_end(host, client);
    HOST_UNTIL(host, host->forgotten == 1);
    host_end(host);
}

static void test_content_waits_in_the_socket_while_nobody_takes_it(void **state) {
    (void)state;
    struct host *host = host_new(60000);
    int client = client_new(host);
    client_says(client, "POST /never HTTP/1.1\r\nHost: h\r\nContent-Length: 8388608\r\n\r\n");
    size_t sent = 0;
    for (int quiet = 0; quiet < 3;) {
        ssize_t more = send(client, big_piece(sent), PIECE, MSG_NOSIGNAL);
        if (more > 0)
            sent += (size_t)more;
        host_turn(host, 20);
        quiet = more > 0 ? 0 : quiet + 1;
    }
    assert_true(sent < BIG);
    struct cycle *cycle = &host->calls->cycle;
    assert_true(cycle->body.size > HIGH_WATER);
    assert_true(cycle->body.size <= HIGH_WATER + SERVER_READ_SIZE);
    for (size_t taken = 0; taken < BIG;) { /* as an app that receives */
        cycle_wants_content(cycle);
        for (size_t i = 0; i < cycle->body.size; i += 997)
            if (buffer_bytes(&cycle->body)[i] != big_octet((taken + i) / PIECE * PIECE + (taken + i) % PIECE))
                fail_msg("another octet at %zu", taken + i);
        taken += cycle->body.size;
        buffer_free(&cycle->body, host->server.kit.allocator);
        if (sent < BIG) {
            size_t size = BIG - sent < PIECE - sent % PIECE ? BIG - sent : PIECE - sent % PIECE;
            ssize_t more = send(client, big_piece(sent / PIECE * PIECE) + sent % PIECE, size, MSG_NOSIGNAL);
            sent += more > 0 ? (size_t)more : 0;
        }
        host_turn(host, 1);
        assert_true(host->turns < 100000);
    }
    assert_false(cycle->more_body);
    close(client);
    host_end(host);
}

static void test_many_small_requests_in_one_stream(void **state) {
    (void)state;
    enum { MANY = 5000 };
    struct host *host = host_new(60000);
    int client = client_new(host);
    char *input = malloc(MANY * sizeof GET("/later")), *got = malloc(MANY * sizeof OK("6", "/later"));
    assert_true(input && got);
    size_t size = 0, sent = 0, had = 0, expected = MANY * strlen(OK("6", "/later"));
    for (int i = 0; i < MANY; i++, size += strlen(GET("/later")))
        memcpy(input + size, GET("/later"), strlen(GET("/later")));
    while (had < expected) {
        ssize_t more = sent < size ? send(client, input + sent, size - sent, MSG_NOSIGNAL) : 0;
        sent += more > 0 ? (size_t)more : 0;
        more = recv(client, got + had, expected - had, 0);
        had += more > 0 ? (size_t)more : 0;
        host_turn(host, 10);
        assert_true(host->turns < 10 * MANY);
    }
    for (int i = 0; i < MANY; i++)
        assert_memory_equal(got + (size_t)i * strlen(OK("6", "/later")), OK("6", "/later"), strlen(OK("6", "/later")));
    assert_int_equal(host->run, MANY);
    free(input);
    free(got);
    close(client);
    host_end(host);
}

int main(void) {
    uv_loop_t first; /* what libuv opens once for a process is no leak */
    if (uv_loop_init(&first) != 0 || uv_loop_close(&first) != 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_large_response_reaches_a_slow_client_whole_and_does_not_gather_in_memory),
        cmocka_unit_test(test_a_client_that_leaves_a_large_response),
        cmocka_unit_test(test_a_client_that_leaves_while_it_is_waited_for),
        cmocka_unit_test(test_what_came_before_a_reset_is_read),
        cmocka_unit_test(test_no_more_is_read_behind_a_reset_than_is_wanted),
        cmocka_unit_test(test_what_is_no_socket_is_refused_and_closed),
        cmocka_unit_test(test_a_socket_neither_waits_for_more_to_send_nor_is_inherited),
        cmocka_unit_test(test_what_was_sent_before_it_closes_is_read_by_a_slow_client),
        cmocka_unit_test(test_content_waits_in_the_socket_while_nobody_takes_it),
        cmocka_unit_test(test_many_small_requests_in_one_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
