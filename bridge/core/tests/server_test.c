/* server_test.c: a server as the guest of another loop: accepting, turns, waking, idle connections, ends; over real sockets. */
#include "server_support.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* --- accepting --- */

static void test_a_connection_is_served(void **state) {
    (void)state;
    struct host *host = host_new(60000);
    int client = client_new(host);
    client_says(client, GET("/now") GET("/later"));
    client_gets(host, client, OK("4", "/now") OK("6", "/later"));
    assert_int_equal(host->server.connections, 1);
    assert_int_equal(host->server.kit.total_requests, 2);
    host_settle(host);
    assert_int_equal(host->released, 2);
    close(client);
    HOST_UNTIL(host, host->forgotten == 1);
    assert_int_equal(host->server.connections, 0);
    host_end(host);
}

static void test_many_connections_at_once(void **state) {
    (void)state;
    enum { MANY = 300 }; /* more than are accepted in one go */
    struct host *host = host_new(60000);
    int clients[MANY];
    for (int i = 0; i < MANY; i++)
        client_says(clients[i] = client_new(host), i % 2 ? GET("/now") : GET("/later"));
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < MANY; i++) {
            client_gets(host, clients[i], i % 2 ? OK("4", "/now") : OK("6", "/later"));
            client_says(clients[i], i % 2 ? GET("/now") : GET("/later"));
        }
    assert_int_equal(host->accepted, MANY);
    assert_int_equal(host->server.connections, MANY);
    for (int i = 0; i < MANY; i++)
        close(clients[(i * 7) % MANY]);
    HOST_UNTIL(host, host->forgotten == MANY);
    assert_int_equal(host->server.connections, 0);
    assert_null(host->server.streams);
    host_end(host);
}

static void test_a_connection_that_is_refused_closes_at_once(void **state) {
    (void)state;
    struct host *host = host_new(60000);
    host->refuses = true;
    int client = client_new(host);
    client_gets_end(host, client);
    assert_int_equal(host->refused, 1);
    assert_int_equal(host->server.connections, 0);
    host_end(host);
}

static void test_a_unix_socket(void **state) {
    (void)state;
    struct host *host = host_new(60000);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "/tmp/bridge-server-test-%d", (int)getpid());
    unlink(address.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(server_listen(&host->server, fd, 10), 0);
    int client = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(fcntl(client, F_SETFL, O_NONBLOCK), 0);
    unlink(address.sun_path);
    client_says(client, GET("/later"));
    client_gets(host, client, OK("6", "/later"));
    struct address local, peer;
    assert_int_equal(connection_local_address(&host->server.streams->connection, &local), 0);
    assert_int_equal(connection_peer_address(&host->server.streams->connection, &peer), 0);
    assert_string_equal(local.host, address.sun_path);
    assert_int_equal(local.port, -1);
    assert_string_equal(peer.host, "");
    assert_int_equal(peer.port, -1);
    close(client);
    host_end(host);
}

static void test_the_addresses_of_a_connection(void **state) {
    (void)state;
    struct host *host = host_new(60000);
    int client = client_new(host);
    HOST_UNTIL(host, host->accepted == 1);
    struct sockaddr_in own;
    socklen_t size = sizeof own;
    struct address local, peer;
    assert_int_equal(getsockname(client, (struct sockaddr *)&own, &size), 0);
    assert_int_equal(connection_local_address(&host->server.streams->connection, &local), 0);
    assert_int_equal(connection_peer_address(&host->server.streams->connection, &peer), 0);
    assert_string_equal(local.host, "127.0.0.1");
    assert_int_equal(local.port, host->port);
    assert_string_equal(peer.host, "127.0.0.1");
    assert_int_equal(peer.port, ntohs(own.sin_port));
    close(client);
    host_end(host);
}

static void test_an_ipv6_address(void **state) {
    (void)state;
    struct host *host = host_new(60000);
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0) { /* a machine without IPv6 */
        close(fd);
        host_end(host);
        skip();
    }
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(server_listen(&host->server, fd, 10), 0);
    int client = socket(AF_INET6, SOCK_STREAM, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    HOST_UNTIL(host, host->accepted == 1);
    struct address local;
    assert_int_equal(connection_local_address(&host->server.streams->connection, &local), 0);
    assert_string_equal(local.host, "::1");
    assert_int_equal(local.port, ntohs(address.sin6_port));
    close(client);
    host_end(host);
}

static void test_a_descriptor_that_cannot_listen_is_closed(void **state) {
    (void)state;
    struct host *host = host_new(60000);
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(server_listen(&host->server, pair[0], 10), -EINVAL);
    assert_int_equal(fcntl(pair[0], F_GETFD), -1);
    close(pair[1]);
    assert_int_equal(server_listen(&host->server, open("/dev/null", O_RDONLY), 10), -ENOTSOCK);
    host_end(host);
}

/* In a process of its own, which then has no descriptor left. */
static void test_accepting_pauses_where_no_descriptor_is_left_and_goes_on(void **state) {
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct host *host = host_new(60000);
        int clients[2] = {client_new(host), -1};
        client_says(clients[0], GET("/later"));
        client_gets(host, clients[0], OK("6", "/later"));
        clients[1] = client_new(host);
        client_says(clients[1], GET("/later"));
        struct rlimit limit, low;
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        low = limit;
        low.rlim_cur = (rlim_t)clients[1] + 1; /* all below are taken */
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
        HOST_UNTIL(host, host->exhausted == 1);
        unsigned turns = host->turns;
        client_says(clients[0], GET("/later")); /* who is there is served */
        client_gets(host, clients[0], OK("6", "/later"));
        host_turns(host, 200);
        if (host->turns - turns > 60 || host->exhausted != 1 || host->accepted != 1)
            _exit(2); /* it does not try again and again */
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        client_gets(host, clients[1], OK("6", "/later"));
        close(clients[0]);
        close(clients[1]);
        host_end(host);
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* --- turns --- */

static void test_a_turn_ends_only_where_the_server_asked_for_it(void **state) {
    (void)state;
    struct host *host = host_new(60000);
    int client = client_new(host);
    HOST_UNTIL(host, host->accepted == 1);
    host_settle(host);
    unsigned wakes = host->wakes, vain = host->steps_in_vain, turns;
    client_says(client, GET("/now")); /* all of it within the step */
    client_gets(host, client, OK("4", "/now"));
    assert_int_equal(host->wakes, wakes);
    client_says(client, GET("/later")); /* the response comes behind the step */
    client_gets(host, client, OK("6", "/later"));
    assert_int_equal(host->wakes, wakes + 1);
    assert_int_equal(host->steps_in_vain, vain); /* what was registered is known to the system, too */
    host_settle(host);
    turns = host->turns;
    host_turns(host, 50);
    assert_true(host->turns - turns <= 2); /* there is nothing to do, and so nothing is done */
    assert_true(server_timeout(&host->server) > 1000);
    close(client);
    host_end(host);
}

static void test_a_response_that_begins_in_the_step_that_accepts_goes_out_with_it(void **state) {
    (void)state;
    struct host *host = host_new(60000);
    host_settle(host);
    int client = client_new(host);
    unsigned vain = host->steps_in_vain;
    client_says(client, GET("/start"));
    client_gets(host, client, OK("0", ""));
    assert_int_equal(host->steps_in_vain, vain);
    assert_int_equal(host->wakes, 1); /* to listen */
    close(client);
    host_end(host);
}

static void test_a_server_without_anything_to_watch_does_not_ask_to_be_stepped(void **state) {
    (void)state;
    struct host *host = host_new(60000);
    host_settle(host);
    assert_int_equal(server_timeout(&host->server), -1);
    int client = client_new(host);
    client_says(client, GET("/never") GET("/now")); /* so that reading pauses */
    HOST_UNTIL(host, host->requested == 2);
    server_stop_listening(&host->server);
    host_settle(host);
    assert_int_equal(server_timeout(&host->server), -1);
    client_says(client, GET("/now")); /* which is not looked for */
    unsigned turns = host->turns;
    host_turns(host, 50);
    assert_true(host->turns - turns <= 2);
    close(client);
    host_end(host);
}

static void test_the_end_of_a_connection_is_told_in_a_later_turn(void **state) {
    (void)state;
    struct host *host = host_new(60000);
    int client = client_new(host);
    HOST_UNTIL(host, host->accepted == 1);
    host_settle(host);
    client_says(client, GET("/never")); /* and leaves, in the same turn */
    shutdown(client, SHUT_WR);
    sleep_milliseconds(20);
    server_step(&host->server);
    server_step(&host->server);
    assert_int_equal(host->run, 1);
    assert_int_equal(host->server.connections, 0);
    assert_true(host->woken);
    host_finish(host);
    assert_false(cycle_is_over(&host->calls->cycle)); /* its app is to have a turn of its own before */
    assert_int_equal(host->forgotten, 0);
    host_finish(host);
    assert_true(cycle_is_over(&host->calls->cycle));
    assert_int_equal(host->forgotten, 1);
    HOST_UNTIL(host, host->over == 1);
    client_gets_end(host, client);
    host_end(host);
}

/* --- idle connections --- */

static void test_idle_connections_expire_in_their_order_and_not_before(void **state) {
    (void)state;
    struct host *host = host_new(400);
    int clients[4];
    uint64_t idle[4], closed[4];
    for (int i = 0; i < 3; i++) {
        client_says(clients[i] = client_new(host), GET("/later"));
        client_gets(host, clients[i], OK("6", "/later"));
        idle[i] = now_milliseconds();
        host_turns(host, 30);
    }
    clients[3] = client_new(host);          /* has never asked for anything */
    client_says(clients[0], GET("/later")); /* the first becomes the last */
    client_gets(host, clients[0], OK("6", "/later"));
    idle[0] = now_milliseconds();
    static const int order[] = {1, 2, 0};
    for (int i = 0; i < 3; i++) {
        client_gets_end(host, clients[order[i]]);
        closed[order[i]] = now_milliseconds();
        assert_true(closed[order[i]] - idle[order[i]] >= 399);
        assert_true(closed[order[i]] - idle[order[i]] < 2000);
    }
    assert_true(closed[1] <= closed[2] && closed[2] <= closed[0]);
    client_gets_nothing(clients[3]);
    client_says(clients[3], GET("/never")); /* nor does one that is answered */
    host_turns(host, 500);
    client_gets_nothing(clients[3]);
    assert_int_equal(host->server.connections, 1);
    close(clients[3]);
    host_end(host);
}

static void test_a_connection_expires_that_became_idle_without_a_word(void **state) {
    (void)state;
    struct host *host = host_new(200);
    int client = client_new(host);
    client_says(client, GET("/two-turns")); /* all octets are sent when the response is completed */
    client_gets(host, client, OK("0", ""));
    client_gets_end(host, client);
    host_end(host);
}

static void test_idle_connections_end_in_any_order(void **state) {
    (void)state;
    struct host *host = host_new(60000);
    int clients[6];
    for (size_t i = 0; i < COUNT(clients); i++) {
        client_says(clients[i] = client_new(host), GET("/now"));
        client_gets(host, clients[i], OK("4", "/now"));
    }
    client_says(clients[2], GET("/never")); /* no longer idle, between two that are */
    HOST_UNTIL(host, host->run == 7);
    static const int order[] = {1, 3, 2, 5, 0, 4};
    for (unsigned i = 0; i < COUNT(order); i++) {
        close(clients[order[i]]);
        HOST_UNTIL(host, host->forgotten == i + 1);
        host_settle(host); /* its memory is free */
    }
    host_end(host);
}

static void test_a_connection_that_speaks_in_time_stays(void **state) {
    (void)state;
    struct host *host = host_new(500);
    int client = client_new(host);
    for (int i = 0; i < 5; i++) {
        client_says(client, GET("/later"));
        client_gets(host, client, OK("6", "/later"));
        host_turns(host, 150);
    }
    client_gets_nothing(client);
    client_gets_end(host, client);
    host_end(host);
}

static void test_the_time_that_the_host_was_away_counts(void **state) {
    (void)state;
    struct host *host = host_new(1000);
    int client = client_new(host);
    client_says(client, GET("/later"));
    client_gets(host, client, OK("6", "/later"));
    host_settle(host);
    sleep_milliseconds(300); /* one of the apps takes its time */
    assert_true(server_timeout(&host->server) <= 750);
    close(client);
    host_end(host);

    host = host_new(1000);
    client = client_new(host);
    client_says(client, GET("/never"));
    HOST_UNTIL(host, host->run == 1);
    sleep_milliseconds(300);
    call_becomes(host->calls, "/later"); /* so the loop's own time is old when it becomes idle */
    client_gets(host, client, OK("6", "/later"));
    assert_true(server_timeout(&host->server) >= 900);
    close(client);
    host_end(host);
}

/* --- ends --- */

static void test_it_stops_listening_and_serves_who_is_there(void **state) {
    (void)state;
    struct host *host = host_new(60000);
    int client = client_new(host);
    client_says(client, GET("/now"));
    client_gets(host, client, OK("4", "/now"));
    server_stop_listening(&host->server);
    server_stop_listening(&host->server);
    int late = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)host->port)};
    assert_int_equal(connect(late, (struct sockaddr *)&address, sizeof address), -1);
    assert_int_equal(errno, ECONNREFUSED);
    close(late);
    client_says(client, GET("/later"));
    client_gets(host, client, OK("6", "/later"));
    close(client);
    host_end(host);
}

static void test_a_shutdown_closes_idle_connections_and_lets_the_others_end(void **state) {
    (void)state;
    struct host *host = host_new(60000);
    int fresh = client_new(host), idle = client_new(host), busy = client_new(host);
    client_says(idle, GET("/now"));
    client_gets(host, idle, OK("4", "/now"));
    client_says(busy, GET("/never"));
    HOST_UNTIL(host, host->accepted == 3 && host->run == 2);
    server_shutdown(&host->server);
    client_gets_end(host, fresh);
    client_gets_end(host, idle);
    client_gets_nothing(busy);
    assert_int_equal(host->server.connections, 1);
    call_becomes(host->calls, "/later");
    client_gets(host, busy, OK_CLOSE("6", "/later"));
    client_gets_end(host, busy);
    assert_int_equal(host->server.connections, 0);
    host_end(host);
}

static void test_a_server_is_freed_with_connections_in_every_state(void **state) {
    (void)state;
    for (int turns = 0; turns < 4; turns++) {
        struct host *host = host_new(60000);
        int clients[8];
        for (size_t i = 0; i < COUNT(clients); i++)
            clients[i] = client_new(host);
        client_says(clients[1], GET("/now"));
        client_says(clients[2], "GET /never HTT");
        client_says(clients[3], GET("/never"));
        client_says(clients[4], GET("/big") GET("/now"));
        client_says(clients[5], GET("/later"));
        client_says(clients[6], GET("/never") GET("/never") GET("/never"));
        client_says(clients[7], GET("/never"));
        HOST_UNTIL(host, host->accepted == COUNT(clients) && host->requested == 9);
        client_resets(clients[7]); /* gone, and perhaps told, and perhaps closed */
        shutdown(clients[0], SHUT_WR);
        for (int i = 0; i < turns; i++)
            host_turn(host, 5);
        host->fds += (int)COUNT(clients) - 1; /* the clients' own */
        host_end(host);
        for (size_t i = 1; i < COUNT(clients) - 1; i++)
            close(clients[i]);
        close(clients[0]);
    }
}

static void test_a_server_is_freed_before_its_first_turn(void **state) {
    (void)state;
    struct host *host = host_new(60000);
    host_end(host);
    host = host_new(60000);
    server_stop_listening(&host->server);
    host_end(host);
}

static void test_descriptors_that_are_used_again_at_once_do_no_harm(void **state) {
    (void)state;
    struct host *host = host_new(60000);
    int stays = client_new(host);
    for (int i = 0; i < 200; i++) {
        int first = client_new(host), second = client_new(host);
        client_says(first, i % 2 ? GET("/now") : GET("/never"));
        client_says(second, i % 3 ? GET("/later") : GET("/never"));
        host_turn(host, 10);
        if (i % 5 == 0)
            client_resets(first);
        else
            close(first);
        int third = client_new(host); /* its descriptor, here and perhaps there, is the first's */
        client_says(third, GET("/later"));
        client_gets(host, third, OK("6", "/later"));
        close(second);
        client_says(stays, GET("/later"));
        client_gets(host, stays, OK("6", "/later"));
        close(third);
    }
    HOST_UNTIL(host, host->server.connections == 1 && host->forgotten == 600);
    close(stays);
    host_end(host);
}

static void test_every_allocation_fails_in_turn_and_nothing_is_left(void **state) {
    (void)state;
    size_t asked = 0;
    for (size_t failing = 0; failing <= asked; failing++) {
        struct host *host = host_new(60000);
        size_t before = host->failing.asked;
        host->failing.failing = failing != 0 ? before + failing : 0;
        int client = client_new(host);
        client_says(client, GET("/later") GET("/now"));
        if (failing == 0) {
            client_gets(host, client, OK("6", "/later") OK("4", "/now"));
            asked = host->failing.asked - before;
            assert_true(asked >= 4);
            close(client);
        } else {
            char got[256];
            ssize_t size;
            do
                host_turn(host, 10);
            while ((size = recv(client, got, sizeof got, 0)) > 0 || (size < 0 && errno == EAGAIN));
            close(client);
        }
        HOST_UNTIL(host, host->forgotten == host->accepted);
        host->failing.failing = 0; /* and it goes on when there is memory again */
        client_says(client = client_new(host), GET("/later"));
        client_gets(host, client, OK("6", "/later"));
        close(client);
        host_end(host);
    }
    struct host host = {.failing = {.failing = 1}};
    struct server_options options = host_options(&host);
    assert_int_equal(server_init(&host.server, &options), 0);
    assert_int_equal(server_listen(&host.server, socket(AF_INET, SOCK_STREAM, 0), 1), -ENOMEM);
    server_free(&host.server);
    assert_int_equal(host.failing.live, 0);
}

/* --- what all responses have --- */

static void test_default_fields_and_the_date(void **state) {
    (void)state;
    struct host *host = calloc(1, sizeof *host);
    assert_non_null(host);
    struct server_options options = host_options(host);
    static const struct response_field fields[] = {{"server", 6, "bridge", 6}};
    options.fields = fields;
    options.field_count = 1;
    options.date_field = true;
    assert_int_equal(server_init(&host->server, &options), 0);
    const struct response_defaults *defaults = host->server.kit.defaults(host->server.kit.defaults_owner);
    time_t now = time(NULL);
    struct tm parts = {0};
    assert_int_equal(defaults->field_count, 1);
    assert_ptr_equal(defaults->fields, fields);
    assert_int_equal(defaults->date_size, 29);
    assert_int_equal(sscanf(defaults->date, "%*3s, %d %*3s %d %d:%d:%d GMT", &parts.tm_mday, &parts.tm_year, &parts.tm_hour, &parts.tm_min,
                            &parts.tm_sec),
                     5);
    struct tm *here = gmtime(&now);
    int apart = here->tm_hour * 3600 + here->tm_min * 60 + here->tm_sec - parts.tm_hour * 3600 - parts.tm_min * 60 - parts.tm_sec;
    assert_true(abs(apart) <= 2 || abs(apart) >= 86398);
    assert_int_equal(parts.tm_year, here->tm_year + 1900);
    server_free(&host->server);
    options.date_field = false;
    assert_int_equal(server_init(&host->server, &options), 0);
    assert_null(host->server.kit.defaults(host->server.kit.defaults_owner)->date);
    server_free(&host->server);
    free(host);
}

int main(void) {
    uv_loop_t first; /* what libuv opens once for a process is no leak */
    if (uv_loop_init(&first) != 0 || uv_loop_close(&first) != 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_connection_is_served),
        cmocka_unit_test(test_many_connections_at_once),
        cmocka_unit_test(test_a_connection_that_is_refused_closes_at_once),
        cmocka_unit_test(test_a_unix_socket),
        cmocka_unit_test(test_the_addresses_of_a_connection),
        cmocka_unit_test(test_an_ipv6_address),
        cmocka_unit_test(test_a_descriptor_that_cannot_listen_is_closed),
        cmocka_unit_test(test_accepting_pauses_where_no_descriptor_is_left_and_goes_on),
        cmocka_unit_test(test_a_turn_ends_only_where_the_server_asked_for_it),
        cmocka_unit_test(test_a_response_that_begins_in_the_step_that_accepts_goes_out_with_it),
        cmocka_unit_test(test_a_server_without_anything_to_watch_does_not_ask_to_be_stepped),
        cmocka_unit_test(test_the_end_of_a_connection_is_told_in_a_later_turn),
        cmocka_unit_test(test_idle_connections_expire_in_their_order_and_not_before),
        cmocka_unit_test(test_a_connection_expires_that_became_idle_without_a_word),
        cmocka_unit_test(test_idle_connections_end_in_any_order),
        cmocka_unit_test(test_a_connection_that_speaks_in_time_stays),
        cmocka_unit_test(test_the_time_that_the_host_was_away_counts),
        cmocka_unit_test(test_it_stops_listening_and_serves_who_is_there),
        cmocka_unit_test(test_a_shutdown_closes_idle_connections_and_lets_the_others_end),
        cmocka_unit_test(test_a_server_is_freed_with_connections_in_every_state),
        cmocka_unit_test(test_a_server_is_freed_before_its_first_turn),
        cmocka_unit_test(test_descriptors_that_are_used_again_at_once_do_no_harm),
        cmocka_unit_test(test_every_allocation_fails_in_turn_and_nothing_is_left),
        cmocka_unit_test(test_default_fields_and_the_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
