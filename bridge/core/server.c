#define _GNU_SOURCE /* accept4(), and what uv.h needs beyond C11 */
#include "server.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ACCEPT_PAUSE 1000 /* milliseconds */
#define ACCEPTS_MAX 128   /* connections taken in one go, so that those that are there are served too */

struct listener {
    struct listener *next;
    struct server *server;
    uv_poll_t poll;
    int fd; /* -1 once closed */
};

static uint64_t milliseconds(void) { return uv_hrtime() / 1000000u; }

/* --- what all connections share ------------------------------------------------------------------------------------------------------- */

static const struct response_defaults *defaults(void *owner) {
    struct server *server = owner;
    if (server->options.date_field) {
        server->defaults.date = date_text(&server->date, time(NULL));
        server->defaults.date_size = server->date.size;
    }
    return &server->defaults;
}

static const struct date *date(void *owner) {
    struct server *server = owner;
    date_text(&server->date, time(NULL));
    return &server->date;
}

void server_wake(struct server *server) {
    if (server->woken || server->stepping)
        return;
    server->woken = true;
    server->options.woken(server->options.owner);
}

void server_dirty(struct server *server, struct stream *stream) {
    if (stream->dirty)
        return;
    stream->dirty = true;
    stream->dirty_previous = NULL;
    stream->dirty_next = server->dirty;
    if (stream->dirty_next)
        stream->dirty_next->dirty_previous = stream;
    server->dirty = stream;
    server_wake(server);
}

static void clean(struct server *server, struct stream *stream) {
    if (!stream->dirty)
        return;
    stream->dirty = false;
    *(stream->dirty_previous ? &stream->dirty_previous->dirty_next : &server->dirty) = stream->dirty_next;
    if (stream->dirty_next)
        stream->dirty_next->dirty_previous = stream->dirty_previous;
}

static void flush(struct server *server) {
    while (server->dirty) {
        struct stream *stream = server->dirty;
        clean(server, stream);
        connection_flush(&stream->connection);
    }
}

/* --- idle connections: all wait equally long, so they expire in the order in which they came ------------------------------------------ */

static void on_idle_timer(uv_timer_t *timer);

static void arm_idle_timer(struct server *server, uint64_t now) {
    const struct stream *first = server->idle_first;
    if (first)
        uv_timer_start(&server->idle_timer, on_idle_timer, first->idle_until > now ? first->idle_until - now : 1, 0);
}

static void on_idle_timer(uv_timer_t *timer) {
    struct server *server = timer->data;
    uint64_t now = milliseconds();
    while (server->idle_first && server->idle_first->idle_until <= now) {
        struct stream *stream = server->idle_first;
        server_idle(server, stream, false);
        connection_expired(&stream->connection);
    }
    arm_idle_timer(server, now);
}

void server_idle(struct server *server, struct stream *stream, bool idle) {
    if (stream->idle_until != 0) {
        *(stream->idle_previous ? &stream->idle_previous->idle_next : &server->idle_first) = stream->idle_next;
        *(stream->idle_next ? &stream->idle_next->idle_previous : &server->idle_last) = stream->idle_previous;
        stream->idle_until = 0;
    }
    if (!idle)
        return;
    uint64_t now = milliseconds();
    stream->idle_until = now + server->options.keep_alive;
    stream->idle_next = NULL;
    stream->idle_previous = server->idle_last;
    *(server->idle_last ? &server->idle_last->idle_next : &server->idle_first) = stream;
    server->idle_last = stream;
    /* The timer is not stopped when its connection speaks again: it finds out what is due when it fires. */
    if (!uv_is_active((const uv_handle_t *)&server->idle_timer)) {
        uv_update_time(&server->loop); /* the host may have been away for long */
        arm_idle_timer(server, now);
        server_wake(server);
    }
}

/* --- listening ------------------------------------------------------------------------------------------------------------------------ */

static void on_connection(uv_poll_t *poll, int status, int events);

static void on_accept_timer(uv_timer_t *timer) {
    struct server *server = timer->data;
    for (struct listener *listener = server->listeners; listener; listener = listener->next)
        uv_poll_start(&listener->poll, UV_READABLE, on_connection);
}

/* No descriptor or memory is left: those who wait would wake the loop for ever. They wait ACCEPT_PAUSE, as under asyncio. */
static void pause_accepting(struct server *server) {
    for (struct listener *listener = server->listeners; listener; listener = listener->next)
        uv_poll_stop(&listener->poll);
    uv_timer_start(&server->accept_timer, on_accept_timer, ACCEPT_PAUSE, 0);
    server->options.exhausted(server->options.owner);
}

static void on_connection(uv_poll_t *poll, int status, int events) {
    struct listener *listener = poll->data;
    struct server *server = listener->server;
    (void)events;
    if (status < 0)
        return;
    for (int i = 0; i < ACCEPTS_MAX && listener->fd >= 0; i++) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            stream_open(server, fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            pause_accepting(server);
            break;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            break;
        }
    }
}

int server_listen(struct server *server, int fd, int backlog) {
    const struct allocator *allocator = &server->options.allocator;
    struct listener *listener = allocator->resize(allocator->context, NULL, sizeof *listener);
    int error = listener ? 0 : -ENOMEM;
    if (error == 0 && listen(fd, backlog) != 0)
        error = -errno;
    if (error == 0)
        error = uv_poll_init(&server->loop, &listener->poll, fd); /* makes it non-blocking */
    if (error != 0) {
        allocator_free(allocator, listener);
        close(fd);
        return error;
    }
    listener->server = server;
    listener->fd = fd;
    listener->poll.data = listener;
    listener->next = server->listeners;
    server->listeners = listener;
    uv_poll_start(&listener->poll, UV_READABLE, on_connection);
    server_wake(server);
    return 0;
}

static void on_listener_closed(uv_handle_t *handle) {
    struct listener *listener = handle->data;
    allocator_free(&listener->server->options.allocator, listener);
}

void server_stop_listening(struct server *server) {
    while (server->listeners) {
        struct listener *listener = server->listeners;
        server->listeners = listener->next;
        uv_close((uv_handle_t *)&listener->poll, on_listener_closed);
        close(listener->fd);
        listener->fd = -1;
    }
    server_wake(server);
}

/* --- turns of the host's loop --------------------------------------------------------------------------------------------------------- */

int server_backend_fd(const struct server *server) { return uv_backend_fd(&server->loop); }

/* As uv_backend_timeout(); but that counts from when the loop last looked at the clock, and is 0 where nothing is watched: then there is
 * nothing to wait for. */
int server_timeout(const struct server *server) {
    int timeout = uv_loop_alive(&server->loop) ? uv_backend_timeout(&server->loop) : -1;
    if (timeout <= 0)
        return timeout;
    uint64_t passed = milliseconds() - uv_now(&server->loop);
    return passed < (uint64_t)timeout ? timeout - (int)passed : 1;
}

/* Interest that is registered in one run of libuv reaches its epoll only in the next: a response or an accepted connection would hang. */
static void settle(struct server *server) {
    flush(server);
    for (int i = 0; i < 4 && server_timeout(server) == 0; i++) {
        uv_run(&server->loop, UV_RUN_NOWAIT);
        flush(server);
    }
    server->stepping = false;
    if (server->gone || server->gone_ripe)
        server_wake(server);
}

void server_step(struct server *server) {
    server->stepping = true;
    uv_run(&server->loop, UV_RUN_NOWAIT);
    settle(server);
}

static void end_streams(struct server *server, struct stream *first) {
    while (first) {
        struct stream *stream = first;
        first = stream->gone_next;
        *(stream->previous ? &stream->previous->next : &server->streams) = stream->next;
        if (stream->next)
            stream->next->previous = stream->previous;
        stream_end(stream);
    }
}

/* The end of a turn may stand in the host's queue before a step of that same turn; what such a step began has to have its turn first. So
 * what is gone is told at the end of the turn behind the one that sees it. */
static void end_gone(struct server *server) {
    struct stream *ripe = server->gone_ripe;
    server->gone_ripe = server->gone;
    server->gone = NULL;
    end_streams(server, ripe);
}

void server_finish_turn(struct server *server) {
    server->woken = false;
    server->stepping = true;
    end_gone(server);
    settle(server);
}

/* --- life ----------------------------------------------------------------------------------------------------------------------------- */

void server_gone(struct server *server, struct stream *stream) {
    server_idle(server, stream, false);
    clean(server, stream);
    server->connections--; /* at once: who comes in its place may be in the same turn */
    stream->gone_next = server->gone;
    server->gone = stream;
    server_wake(server);
}

void server_forget(struct server *server, struct stream *stream) {
    connection_free(&stream->connection);
    allocator_free(&server->options.allocator, stream);
}

int server_init(struct server *server, const struct server_options *options) {
    memset(server, 0, sizeof *server);
    server->options = *options;
    server->kit = (struct connection_kit){
        .allocator = &server->options.allocator,
        .transport = &stream_transport,
        .handler = options->handler,
        .owner = options->owner,
        .sessions = options->sessions,
        .session_options = options->session_options,
        .defaults = defaults,
        .date = date,
        .defaults_owner = server,
    };
    server->defaults = (struct response_defaults){.fields = options->fields, .field_count = options->field_count};
    int error = uv_loop_init(&server->loop);
    if (error != 0)
        return error;
    uv_timer_init(&server->loop, &server->idle_timer); /* never fails */
    uv_timer_init(&server->loop, &server->accept_timer);
    server->idle_timer.data = server->accept_timer.data = server;
    return 0;
}

void server_shutdown(struct server *server) {
    for (struct stream *stream = server->streams, *next; stream; stream = next) {
        next = stream->next;
        connection_shutdown(&stream->connection);
    }
}

void server_free(struct server *server) {
    server->stepping = true;
    server_stop_listening(server);
    for (struct stream *stream = server->streams; stream; stream = stream->next)
        connection_lost(&stream->connection);
    end_gone(server);
    end_gone(server);
    uv_close((uv_handle_t *)&server->idle_timer, NULL);
    uv_close((uv_handle_t *)&server->accept_timer, NULL);
    uv_run(&server->loop, UV_RUN_DEFAULT); /* nothing is left but close callbacks: it does not wait */
    uv_loop_close(&server->loop);
}

/* --- addresses ------------------------------------------------------------------------------------------------------------------------ */

static int address_text(const struct sockaddr_storage *storage, socklen_t size, struct address *address) {
    if (storage->ss_family == AF_UNIX) {
        const struct sockaddr_un *local = (const struct sockaddr_un *)storage;
        size_t room = size > offsetof(struct sockaddr_un, sun_path) ? size - offsetof(struct sockaddr_un, sun_path) : 0;
        snprintf(address->host, sizeof address->host, "%.*s", (int)(room < sizeof local->sun_path ? room : sizeof local->sun_path),
                 local->sun_path);
        address->port = -1;
        return 0;
    }
    if (getnameinfo((const struct sockaddr *)storage, size, address->host, sizeof address->host, NULL, 0, NI_NUMERICHOST) != 0)
        return -EAFNOSUPPORT;
    in_port_t port = storage->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)storage)->sin6_port
                                                    : ((const struct sockaddr_in *)storage)->sin_port;
    address->port = ntohs(port);
    return 0;
}

int connection_peer_address(const struct connection *connection, struct address *address) {
    const struct stream *stream = connection->socket;
    struct sockaddr_storage storage;
    socklen_t size = sizeof storage;
    return getpeername(stream->fd, (struct sockaddr *)&storage, &size) == 0 ? address_text(&storage, size, address) : -errno;
}

int connection_local_address(const struct connection *connection, struct address *address) {
    const struct stream *stream = connection->socket;
    struct sockaddr_storage storage;
    socklen_t size = sizeof storage;
    return getsockname(stream->fd, (struct sockaddr *)&storage, &size) == 0 ? address_text(&storage, size, address) : -errno;
}
