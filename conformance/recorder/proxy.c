/* proxy.c: see proxy.h. */
#define _GNU_SOURCE /* accept4, and what uv.h needs beyond C11 */
#include "proxy.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "relay.h"

#define CONNECT_PATIENCE_MS 10000
#define REFUSED_PATIENCE_MS 2000 /* for a client to take the answer and go */
#define ACCEPT_PAUSE_MS 100      /* where no more files can be opened */
#define ACCEPTS_AT_ONCE 16       /* then the others have their turn */

struct proxy;

struct side {
    struct session *session;
    int fd;
    int events; /* that are watched for */
    uv_poll_t poll;
};

/* One client's connection. It goes when its handles are closed. */
struct session {
    struct proxy *proxy;
    struct session *previous, *next;
    struct side sides[2];
    struct relay relay;
    struct recording_connection connection;
    uv_timer_t patience;
    unsigned open_handles;
};

struct proxy {
    uv_loop_t loop;
    uv_poll_t listener, stop;
    uv_timer_t accept_pause;
    const struct proxy_options *options;
    struct proxy_counts *counts;
    struct session *sessions;
    struct exchange_allocator allocator;
    size_t memory_used, memory_max;
    uint64_t connections;
    int listening;
    bool reached, told_refused, told_full, ending;
    char chunk[RELAY_CHUNK];
};

/* Each block has its size before it, so that all of them together are bounded. */
struct block {
    size_t size;
    _Alignas(max_align_t) char room[];
};

static void *resize(void *context, void *pointer, size_t size) {
    struct proxy *proxy = context;
    struct block *block = pointer ? (struct block *)((char *)pointer - offsetof(struct block, room)) : NULL;
    size_t before = block ? block->size : 0;
    if (size == 0) {
        proxy->memory_used -= before;
        free(block);
        return NULL;
    }
    if (size > before && size - before > proxy->memory_max - proxy->memory_used)
        return NULL;
    struct block *grown = realloc(block, sizeof *grown + size);
    if (!grown)
        return NULL;
    grown->size = size;
    proxy->memory_used += size - before;
    return grown->room;
}

static void tell(struct proxy *proxy, const char *line) { proxy->options->tell(proxy->options->context, line); }

/* --- The transport of a relay ----------------------------------------------------------------------------------------------------------
 */

static ssize_t transport_receive(void *context, enum relay_side side, char *data, size_t size) {
    const struct session *session = context;
    ssize_t got;
    do
        got = recv(session->sides[side].fd, data, size, 0);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

static ssize_t transport_send(void *context, enum relay_side side, const char *data, size_t size) {
    const struct session *session = context;
    ssize_t took;
    do
        took = send(session->sides[side].fd, data, size, MSG_NOSIGNAL);
    while (took < 0 && errno == EINTR);
    return took < 0 ? -errno : took;
}

static void transport_finish(void *context, enum relay_side side) {
    const struct session *session = context;
    shutdown(session->sides[side].fd, SHUT_WR);
}

static void handle_closed(struct session *session) {
    if (--session->open_handles > 0)
        return;
    struct proxy *proxy = session->proxy;
    relay_free(&session->relay);
    *(session->previous ? &session->previous->next : &proxy->sessions) = session->next;
    if (session->next)
        session->next->previous = session->previous;
    free(session);
}

static void on_patience_closed(uv_handle_t *handle) { handle_closed(handle->data); }

static void on_side_closed(uv_handle_t *handle) { handle_closed(((struct side *)handle->data)->session); }

/* The handle goes with the socket: it would take away the next socket's place in the loop, which may have the same number. */
static void transport_close(void *context, enum relay_side side, bool reset) {
    struct session *session = context;
    struct side *at = &session->sides[side];
    uv_close((uv_handle_t *)&at->poll, on_side_closed);
    if (reset)
        setsockopt(at->fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
    close(at->fd);
}

static void on_ready(uv_poll_t *poll, int status, int events);

static void watch(struct side *side, int events) {
    if (events == side->events)
        return;
    side->events = events;
    if (events)
        uv_poll_start(&side->poll, events, on_ready);
    else
        uv_poll_stop(&side->poll);
}

static void transport_watch(void *context, enum relay_side side, bool readable, bool writable) {
    struct session *session = context;
    watch(&session->sides[side], (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0));
}

static const struct relay_transport TRANSPORT = {
    .receive = transport_receive,
    .send = transport_send,
    .finish = transport_finish,
    .close = transport_close,
    .watch = transport_watch,
};

/* --- Sessions --------------------------------------------------------------------------------------------------------------------------
 */

static void on_patience(uv_timer_t *timer);

static void end_proxy(struct proxy *proxy);

static void on_finished(void *owner, struct dialogue *dialogue, const struct dialogue_text *text) {
    (void)dialogue;
    struct session *session = owner;
    struct proxy *proxy = session->proxy;
    if (recording_write(proxy->options->recording, &session->connection, text))
        proxy->ending = true; /* from within a relay nothing is closed */
}

/* After anything was done to its relay. */
static void look_after(struct session *session) {
    struct proxy *proxy = session->proxy;
    if (session->relay.state == RELAY_OVER && !uv_is_closing((uv_handle_t *)&session->patience)) {
        if (session->relay.out_of_memory && !proxy->told_full) {
            proxy->told_full = true;
            tell(proxy, "out of memory: a connection was reset");
        }
        proxy->counts->lost += session->relay.dialogue.lost;
        uv_close((uv_handle_t *)&session->patience, on_patience_closed);
    }
    if (proxy->ending)
        end_proxy(proxy);
}

static void refuse(struct session *session, int failed) {
    struct proxy *proxy = session->proxy;
    char words[300], answer[600];
    int size = snprintf(words, sizeof words, "%s cannot be reached: %s", proxy->options->upstream_name, strerror(failed));
    size = snprintf(answer, sizeof answer,
                    "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
                    "bridgecheck record: %s\n",
                    size + 21, words);
    proxy->counts->refused++;
    if (!proxy->told_refused)
        tell(proxy, words);
    proxy->told_refused = true; /* once, until it has been reached again */
    relay_refused(&session->relay, answer, (size_t)size);
    uv_timer_start(&session->patience, on_patience, REFUSED_PATIENCE_MS, 0);
}

static void connected(struct session *session, int failed) {
    struct proxy *proxy = session->proxy;
    uv_timer_stop(&session->patience);
    watch(&session->sides[RELAY_SERVER], 0);
    if (failed) {
        refuse(session, failed);
        return;
    }
    proxy->told_refused = false;
    proxy->counts->connections++;
    session->connection.number = proxy->connections++;
    relay_connected(&session->relay);
}

static void on_patience(uv_timer_t *timer) {
    struct session *session = timer->data;
    if (session->relay.state == RELAY_CONNECTING)
        connected(session, ETIMEDOUT);
    else if (session->relay.state == RELAY_REFUSED)
        relay_stop(&session->relay);
    look_after(session);
}

static void on_ready(uv_poll_t *poll, int status, int events) {
    struct side *side = poll->data;
    struct session *session = side->session;
    enum relay_side which = side == &session->sides[RELAY_CLIENT] ? RELAY_CLIENT : RELAY_SERVER;
    if (session->relay.state == RELAY_CONNECTING) {
        int failed = 0;
        getsockopt(side->fd, SOL_SOCKET, SO_ERROR, &failed, &(socklen_t){sizeof failed});
        connected(session, failed);
    } else {
        /* An error is found by doing what it stands in the way of. */
        relay_ready(&session->relay, which, status || events & UV_READABLE, status || events & UV_WRITABLE);
    }
    look_after(session);
}

/* FD is the session's from here on, also when it fails. Returns 0 or a negative errno. */
static int add_side(struct session *session, enum relay_side side, int fd) {
    struct side *at = &session->sides[side];
    int on = 1, failed = uv_poll_init(&session->proxy->loop, &at->poll, fd);
    if (failed) {
        close(fd);
        return failed;
    }
    *at = (struct side){.session = session, .fd = fd, .poll = at->poll};
    at->poll.data = at;
    session->open_handles++;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* of a Unix socket it fails, which is right too */
    return 0;
}

/* A socket on its way to the server, or a negative errno; *FAILED says what connecting has come to. */
static int start_connecting(const struct proxy_options *options, int *failed) {
    const struct sockaddr *address = (const struct sockaddr *)&options->upstream;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    *failed = connect(fd, address, options->upstream_size) ? errno : 0;
    return fd;
}

/* Take over the socket of a client. Returns 0 or a negative errno; FD is closed then. */
static int begin_session(struct proxy *proxy, int fd) {
    struct session *session = calloc(1, sizeof *session);
    if (!session) {
        close(fd);
        return -ENOMEM;
    }
    session->proxy = proxy;
    session->next = proxy->sessions;
    if (proxy->sessions)
        proxy->sessions->previous = session;
    proxy->sessions = session;
    relay_init(&session->relay, &TRANSPORT, session, proxy->chunk, NULL, &proxy->allocator, on_finished);
    session->relay.dialogue.whole = proxy->options->whole;
    session->relay.dialogue.answers = proxy->options->answers;
    uv_timer_init(&proxy->loop, &session->patience);
    session->patience.data = session;
    session->open_handles = 1;

    int connecting = 0, failed = add_side(session, RELAY_CLIENT, fd);
    if (!failed) {
        int server = start_connecting(proxy->options, &connecting);
        failed = server < 0 ? server : add_side(session, RELAY_SERVER, server);
        if (failed)
            transport_close(session, RELAY_CLIENT, false);
    }
    if (failed) {
        session->relay.state = RELAY_OVER;
        uv_close((uv_handle_t *)&session->patience, on_patience_closed);
    } else if (connecting == EINPROGRESS) {
        uv_timer_start(&session->patience, on_patience, CONNECT_PATIENCE_MS, 0);
        watch(&session->sides[RELAY_SERVER], UV_WRITABLE);
    } else {
        connected(session, connecting);
        look_after(session);
    }
    return failed;
}

/* --- The proxy -------------------------------------------------------------------------------------------------------------------------
 */

static void on_listener(uv_poll_t *poll, int status, int events);

static void on_accept_pause(uv_timer_t *timer) {
    struct proxy *proxy = timer->data;
    uv_poll_start(&proxy->listener, UV_READABLE, on_listener);
}

static void on_listener(uv_poll_t *poll, int status, int events) {
    (void)status, (void)events;
    struct proxy *proxy = poll->data;
    for (int i = 0; i < ACCEPTS_AT_ONCE && !proxy->ending; i++) {
        int fd = accept4(proxy->listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        int failed = fd < 0 ? -errno : begin_session(proxy, fd);
        if (failed == -EAGAIN)
            return;
        if (failed == -EMFILE || failed == -ENFILE || failed == -ENOMEM || failed == -ENOBUFS) {
            if (!proxy->told_full)
                tell(proxy, "no more connections can be opened; clients have to wait");
            proxy->told_full = true;
            uv_poll_stop(&proxy->listener);
            uv_timer_start(&proxy->accept_pause, on_accept_pause, ACCEPT_PAUSE_MS, 0);
            return;
        }
    }
}

/* Close all there is; the loop ends with the last handle. */
static void end_proxy(struct proxy *proxy) {
    proxy->ending = true;
    if (uv_is_closing((uv_handle_t *)&proxy->listener))
        return;
    uv_close((uv_handle_t *)&proxy->listener, NULL);
    uv_close((uv_handle_t *)&proxy->stop, NULL);
    uv_close((uv_handle_t *)&proxy->accept_pause, NULL);
    for (struct session *session = proxy->sessions; session; session = session->next) {
        relay_stop(&session->relay);
        look_after(session);
    }
}

static void on_stop(uv_poll_t *poll, int status, int events) {
    (void)status, (void)events;
    end_proxy(poll->data);
}

int proxy_run(const struct proxy_options *options, struct proxy_counts *counts) {
    *counts = (struct proxy_counts){0};
    int failed = -ENOMEM;
    struct proxy *proxy = calloc(1, sizeof *proxy);
    if (!proxy)
        goto close_listener;
    proxy->options = options;
    proxy->counts = counts;
    proxy->listening = options->listener;
    proxy->connections = options->first_connection;
    proxy->memory_max = options->memory_max ? options->memory_max : PROXY_MEMORY_MAX;
    proxy->allocator = (struct exchange_allocator){.resize = resize, .context = proxy};
    proxy->listener.data = proxy->stop.data = proxy->accept_pause.data = proxy;
    failed = uv_loop_init(&proxy->loop);
    if (failed)
        goto free_proxy;
    uv_timer_init(&proxy->loop, &proxy->accept_pause);
    failed = uv_poll_init(&proxy->loop, &proxy->listener, options->listener);
    if (failed) {
        uv_close((uv_handle_t *)&proxy->accept_pause, NULL);
    } else if ((failed = uv_poll_init(&proxy->loop, &proxy->stop, options->stop))) {
        uv_close((uv_handle_t *)&proxy->accept_pause, NULL);
        uv_close((uv_handle_t *)&proxy->listener, NULL);
    } else {
        uv_poll_start(&proxy->listener, UV_READABLE, on_listener);
        uv_poll_start(&proxy->stop, UV_READABLE, on_stop);
    }
    uv_run(&proxy->loop, UV_RUN_DEFAULT);
    uv_loop_close(&proxy->loop);
free_proxy:
    free(proxy);
close_listener:
    close(options->listener);
    return failed;
}
