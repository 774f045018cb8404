/* server_support.h: a server on real sockets, the loop that it is a guest of, its apps, and clients, in one thread.
 *
 * host_turn() is one turn of the host's loop, which does no more than server.h asks for: step when the server's descriptor is readable or
 * its time has come; then the apps; then, only if it was woken, the end of the turn. It asks for the time behind these only. Whoever waits
 * for something turns until it is there, or HOST_PATIENCE is over. host_end() holds that every cycle, connection, block of memory and
 * descriptor was given back.
 */
#ifndef BRIDGE_TEST_SERVER_SUPPORT_H
#define BRIDGE_TEST_SERVER_SUPPORT_H

#include "support.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "../server.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define GET(target) "GET " target " HTTP/1.1\r\nHost: h\r\n\r\n"
#define OK(length, content) "HTTP/1.1 200 OK\r\ncontent-length: " length "\r\n\r\n" content
#define OK_CLOSE(length, content) "HTTP/1.1 200 OK\r\ncontent-length: " length "\r\nconnection: close\r\n\r\n" content

enum { HOST_PATIENCE = 5000, BIG = 8 << 20, PIECE = 64 << 10 };

struct host;

/* A call of the app. By its target: /now is answered in `run`; /later by an app, behind the step; /big is BIG octets, in pieces, as the
 * client takes them; /never is not answered; /start has the head of a response, in `run`, and no more; /two-turns has the head in one turn,
 * and the end in the next. All others as /later. An app ends when its response is complete or the client is gone. */
struct call {
    struct cycle cycle; /* first */
    struct host *host;
    struct call *next; /* of those whose app runs, or is not yet released */
    char target[16];
    size_t sent;
    bool running, released;
    bool ready; /* to go on in this turn of the host */
};

struct host {
    struct server server;
    struct failing failing;
    bool woken;
    unsigned wakes;
    unsigned turns;         /* made so far */
    unsigned steps_in_vain; /* that were wanted at once, although nothing was readable */
    uint64_t due;           /* when the next step is; 0: at once, UINT64_MAX: never */
    bool refuses;           /* connections */
    unsigned accepted, refused, forgotten, exhausted;
    unsigned requested, run, released, over; /* over: calls whose app has heard that the client is gone */
    size_t waits_most;                       /* bytes that waited for a client */
    struct call *calls;
    int fds; /* open before it began */
    int port;
};

static inline uint64_t now_milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static inline void sleep_milliseconds(long milliseconds) {
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static inline int count_fds(void) {
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

/* --- apps ---------------------------------------------------------------------------------------------------------------------------- */

static inline char big_octet(size_t at) { return (char)('a' + (at * 7 + at / 251 + at / 65536) % 26); }

static inline const char *big_piece(size_t at) {
    static char piece[PIECE];
    for (size_t i = 0; i < PIECE; i++)
        piece[i] = big_octet(at + i);
    return piece;
}

static inline void call_start(struct call *call, size_t size) {
    char length[24];
    int length_size = snprintf(length, sizeof length, "%zu", size);
    const struct response_field field = {"content-length", 14, length, (size_t)length_size};
    if (cycle_start(&call->cycle, 200, "OK", 2, &field, 1) != RESPONSE_OK)
        cycle_close(&call->cycle);
}

static inline void call_answer(struct call *call) {
    call_start(call, strlen(call->target));
    cycle_content(&call->cycle, call->target, strlen(call->target), true);
}

static inline void call_free(struct call *call) {
    struct call **at = &call->host->calls;
    while (*at != call)
        at = &(*at)->next;
    *at = call->next;
    free(call);
}

static inline void call_finish(struct call *call) {
    cycle_finished(&call->cycle);
    call->running = false;
    if (call->released)
        call_free(call);
}

/* What it waited for has come. */
static inline void call_becomes(struct call *call, const char *target) {
    snprintf(call->target, sizeof call->target, "%s", target);
    call->ready = true;
}

/* One turn of the app. */
static inline void call_continue(struct call *call) {
    if (cycle_is_over(&call->cycle)) {
        call->host->over += call->cycle.disconnected;
        call_finish(call);
    } else if (strcmp(call->target, "/big") == 0) {
        if (!call->cycle.response.started)
            call_start(call, BIG);
        for (; call->sent < BIG && !cycle_is_congested(&call->cycle); call->sent += PIECE) {
            cycle_content(&call->cycle, big_piece(call->sent), PIECE, call->sent + PIECE == BIG);
            if (call->cycle.connection && call->cycle.connection->out.size > call->host->waits_most)
                call->host->waits_most = call->cycle.connection->out.size;
        }
    } else if (strcmp(call->target, "/two-turns") == 0 && !call->cycle.response.started) {
        call_start(call, 0);
        call->ready = true;
    } else if (strcmp(call->target, "/two-turns") == 0) {
        cycle_content(&call->cycle, NULL, 0, true);
    } else if (strcmp(call->target, "/never") != 0 && strcmp(call->target, "/start") != 0) {
        call_answer(call);
    }
}

static inline bool host_apps_are_ready(const struct host *host) {
    for (const struct call *call = host->calls; call; call = call->next)
        if (call->running && call->ready)
            return true;
    return false;
}

static inline void host_apps(struct host *host) {
    for (struct call *call = host->calls, *next; call; call = next) {
        next = call->next;
        bool ready = call->running && call->ready;
        call->ready = false;
        if (ready)
            call_continue(call);
    }
}

/* --- what the server tells ----------------------------------------------------------------------------------------------------------- */

static inline struct cycle *host_request(void *owner, struct connection *connection, const struct request_head *head) {
    struct host *host = owner;
    assert_ptr_equal(connection->user, host);
    struct call *call = calloc(1, sizeof *call);
    assert_non_null(call);
    call->host = host;
    call->next = host->calls;
    host->calls = call;
    host->requested++;
    snprintf(call->target, sizeof call->target, "%.*s", (int)head->target.path_size, head->target.path);
    return &call->cycle;
}

static inline void host_run(struct cycle *cycle) {
    struct call *call = (struct call *)cycle;
    call->host->run++;
    call->running = call->ready = true;
    if (strcmp(call->target, "/now") == 0)
        call_answer(call);
    else if (strcmp(call->target, "/start") == 0)
        call_start(call, 0);
}

static inline void host_told(struct cycle *cycle) {
    struct call *call = (struct call *)cycle;
    assert_true(call->running);
    assert_true(cycle->body.size <= HIGH_WATER + SERVER_READ_SIZE);
    call->ready = true;
}

static inline void host_release(struct cycle *cycle) {
    struct call *call = (struct call *)cycle;
    assert_false(call->released);
    call->released = true;
    call->host->released++;
    if (!call->running)
        call_free(call);
}

static inline void host_notice(void *owner, struct connection *connection, enum connection_notice notice) {
    (void)owner;
    (void)connection;
    (void)notice;
}

static inline int host_accepted(void *owner, struct connection *connection) {
    struct host *host = owner;
    if (host->refuses) {
        host->refused++;
        return -1;
    }
    connection->user = host;
    host->accepted++;
    return 0;
}

static inline void host_forgotten(void *owner, struct connection *connection) {
    struct host *host = owner;
    host->forgotten += connection->user == host;
    assert_null(connection->first); /* all of its cycles know */
}

static inline void host_exhausted(void *owner) { ((struct host *)owner)->exhausted++; }

static inline void host_woken(void *owner) {
    struct host *host = owner;
    assert_false(host->woken); /* once, until the end of a turn */
    host->woken = true;
    host->wakes++;
}

/* --- the loop ------------------------------------------------------------------------------------------------------------------------ */

static inline struct server_options host_options(struct host *host) {
    static const struct handler handler = {.request = host_request,
                                           .run = host_run,
                                           .arrived = host_told,
                                           .drained = host_told,
                                           .release = host_release,
                                           .notice = host_notice};
    return (struct server_options){.allocator = failing_allocator(&host->failing),
                                   .handler = &handler,
                                   .owner = host,
                                   .accepted = host_accepted,
                                   .forgotten = host_forgotten,
                                   .exhausted = host_exhausted,
                                   .woken = host_woken,
                                   .keep_alive = 60000};
}

/* Listening on 127.0.0.1, at a port that the system chose. */
static inline struct host *host_new(uint64_t keep_alive) {
    struct host *host = calloc(1, sizeof *host);
    assert_non_null(host);
    host->fds = count_fds();
    host->due = UINT64_MAX;
    struct server_options options = host_options(host);
    options.keep_alive = keep_alive;
    assert_int_equal(server_init(&host->server, &options), 0);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    host->port = ntohs(address.sin_port);
    assert_int_equal(server_listen(&host->server, fd, 1024), 0);
    return host;
}

static inline void host_arm(struct host *host) {
    int timeout = server_timeout(&host->server);
    host->due = timeout < 0 ? UINT64_MAX : timeout == 0 ? 0 : now_milliseconds() + (uint64_t)timeout;
}

static inline void host_finish(struct host *host) {
    host->woken = false;
    server_finish_turn(&host->server);
    host_arm(host);
}

/* One turn that waits no longer than MILLISECONDS. */
static inline void host_turn(struct host *host, int milliseconds) {
    uint64_t now = now_milliseconds();
    if (host->woken || host->due <= now || host_apps_are_ready(host))
        milliseconds = 0;
    else if (host->due - now < (uint64_t)milliseconds)
        milliseconds = (int)(host->due - now);
    struct pollfd poller = {.fd = server_backend_fd(&host->server), .events = POLLIN};
    int ready = poll(&poller, 1, milliseconds);
    assert_true(ready >= 0);
    host->turns++;
    host->steps_in_vain += ready == 0 && host->due == 0;
    if (ready > 0 || host->due <= now_milliseconds()) {
        server_step(&host->server);
        host_arm(host);
    }
    host_apps(host);
    if (host->woken)
        host_finish(host);
}

static inline void host_turns(struct host *host, int milliseconds) {
    for (uint64_t now, until = now_milliseconds() + (uint64_t)milliseconds; (now = now_milliseconds()) < until;)
        host_turn(host, (int)(until - now));
}

/* Turn until nothing is to be done at once. */
static inline void host_settle(struct host *host) {
    for (unsigned quiet = 0; quiet < 3; quiet++) {
        host_turn(host, 1);
        if (host->woken || host->due == 0)
            quiet = 0;
        assert_true(host->turns < 1000000);
    }
}

/* Turn until the condition holds. */
#define HOST_UNTIL(host, condition)                                                                                                        \
    do {                                                                                                                                   \
        for (uint64_t until_ = now_milliseconds() + HOST_PATIENCE; !(condition) && now_milliseconds() < until_;)                           \
            host_turn(host, 100);                                                                                                          \
        assert_true(condition);                                                                                                            \
    } while (0)

static inline void host_end(struct host *host) {
    server_free(&host->server);
    host_apps(host);
    assert_null(host->calls);
    assert_int_equal(host->released, host->requested);
    assert_int_equal(host->forgotten, host->accepted);
    assert_int_equal(host->server.connections, 0);
    assert_int_equal(host->failing.live, 0);
    assert_int_equal(count_fds(), host->fds);
    free(host);
}

/* --- clients ------------------------------------------------------------------------------------------------------------------------- */

/* A socket that does not block; the connection is accepted when the host turns. */
static inline int client_new(const struct host *host) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)host->port)};
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

static inline void client_says(int fd, const char *text) { assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text)); }

/* Ends with a reset. */
static inline void client_resets(int fd) {
    struct linger linger = {.l_onoff = 1};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    close(fd);
}

/* Turn until the client has got this text; no octet more is taken. */
static inline void client_gets(struct host *host, int fd, const char *text) {
    char got[1024] = "";
    size_t size = strlen(text), had = 0;
    assert_true(size < sizeof got);
    for (uint64_t until = now_milliseconds() + HOST_PATIENCE; had < size && now_milliseconds() < until;) {
        ssize_t more = recv(fd, got + had, size - had, 0);
        if (more == 0)
            break;
        if (more > 0)
            had += (size_t)more;
        else
            host_turn(host, 10);
    }
    assert_string_equal(got, text);
}

/* Turn until the client knows of the end, without an octet more. */
static inline void client_gets_end(struct host *host, int fd) {
    char octet;
    ssize_t got = -1;
    for (uint64_t until = now_milliseconds() + HOST_PATIENCE; got < 0 && now_milliseconds() < until;) {
        got = recv(fd, &octet, 1, 0);
        if (got < 0)
            host_turn(host, 10);
    }
    assert_int_equal(got, 0);
    close(fd);
}

/* Nothing is there, and the connection stays. */
static inline void client_gets_nothing(int fd) {
    char octet;
    assert_int_equal(recv(fd, &octet, 1, 0), -1);
    assert_int_equal(errno, EAGAIN);
}

#endif
