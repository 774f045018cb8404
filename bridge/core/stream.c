#define _GNU_SOURCE /* what uv.h and sockets need beyond C11 */
#include "stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "server.h"

#define SLICES_MAX 8u

/* Read once, if that is wanted. False: there was nothing. */
static bool receive(struct stream *stream) {
    char *incoming = stream->server->incoming;
    if (!(stream->events & UV_READABLE) || !connection_wants(&stream->connection))
        return false;
    ssize_t got;
    do
        got = recv(stream->fd, incoming, SERVER_READ_SIZE, 0);
    while (got < 0 && errno == EINTR);
    if (got > 0)
        connection_received(&stream->connection, incoming, (size_t)got);
    else if (got == 0)
        connection_ended(&stream->connection);
    else if (errno != EAGAIN && errno != EWOULDBLOCK)
        connection_lost(&stream->connection);
    return got > 0;
}

static void on_event(uv_poll_t *poll, int status, int events) {
    struct stream *stream = poll->data;
    if (status < 0) { /* the socket is broken, but what came before is to be read */
        while (receive(stream))
            ;
        connection_lost(&stream->connection);
        return;
    }
    if (events & UV_WRITABLE)
        connection_writable(&stream->connection);
    if (events & UV_READABLE)
        receive(stream);
}

static long stream_write(void *socket, const struct slice *slices, size_t count) {
    struct stream *stream = socket;
    struct iovec vector[SLICES_MAX];
    if (count > SLICES_MAX)
        count = SLICES_MAX;
    for (size_t i = 0; i < count; i++)
        vector[i] = (struct iovec){.iov_base = (void *)(uintptr_t)slices[i].bytes, .iov_len = slices[i].size};
    struct msghdr message = {.msg_iov = vector, .msg_iovlen = count};
    ssize_t sent;
    do
        sent = count == 1 ? send(stream->fd, vector[0].iov_base, vector[0].iov_len, MSG_NOSIGNAL)
                          : sendmsg(stream->fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0)
        return sent;
    return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
}

static void stream_watch(void *socket, bool readable, bool writable) {
    struct stream *stream = socket;
    int events = (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0);
    if (events == stream->events || stream->connection.closed)
        return;
    stream->events = events;
    if (events)
        uv_poll_start(&stream->poll, events, on_event);
    else
        uv_poll_stop(&stream->poll);
    server_wake(stream->server);
}

static void stream_flush_later(void *socket) {
    struct stream *stream = socket;
    server_dirty(stream->server, stream);
}

static void stream_idle(void *socket, bool idle) {
    struct stream *stream = socket;
    server_idle(stream->server, stream, idle);
}

/* --- alarms: of WebSockets only, so that other connections do not carry a timer ------------------------------------------------------- */

struct alarm {
    uv_timer_t timer;
    struct server *server;
    struct stream *stream;
};

static void on_alarm(uv_timer_t *timer) {
    struct alarm *alarm = timer->data;
    connection_alarmed(&alarm->stream->connection);
}

static void on_alarm_closed(uv_handle_t *handle) {
    struct alarm *alarm = handle->data;
    allocator_free(&alarm->server->options.allocator, alarm);
}

static int stream_alarm(void *socket, uint64_t milliseconds) {
    struct stream *stream = socket;
    struct server *server = stream->server;
    if (!stream->alarm && milliseconds > 0) {
        const struct allocator *allocator = &server->options.allocator;
        struct alarm *alarm = allocator->resize(allocator->context, NULL, sizeof *alarm);
        if (!alarm)
            return -1;
        uv_timer_init(&server->loop, &alarm->timer); /* never fails */
        alarm->timer.data = alarm;
        alarm->server = server;
        alarm->stream = stream;
        stream->alarm = alarm;
    }
    if (milliseconds > 0) {
        uv_update_time(&server->loop); /* the host may have been away for long */
        uv_timer_start(&stream->alarm->timer, on_alarm, milliseconds, 0);
        server_wake(server);
    } else if (stream->alarm) {
        uv_timer_stop(&stream->alarm->timer);
    }
    return 0;
}

static uint64_t stream_now(void *socket) {
    (void)socket;
    return uv_hrtime();
}

/* --- its end -------------------------------------------------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *handle) {
    struct stream *stream = handle->data;
    server_forget(stream->server, stream);
}

/* The descriptor stays until its handle is closed too: libuv would take another socket of that number for this one. */
static void stream_close(void *socket) {
    struct stream *stream = socket;
    uv_poll_stop(&stream->poll);
    stream->events = 0;
    if (stream->alarm)
        uv_timer_stop(&stream->alarm->timer);
    server_gone(stream->server, stream);
}

void stream_end(struct stream *stream) {
    connection_gone(&stream->connection);
    stream->server->options.forgotten(stream->server->options.owner, &stream->connection); /* before the client knows of its end */
    if (stream->alarm)
        uv_close((uv_handle_t *)&stream->alarm->timer, on_alarm_closed);
    uv_close((uv_handle_t *)&stream->poll, on_closed);
    close(stream->fd);
    stream->fd = -1;
}

const struct transport stream_transport = {
    .write = stream_write,
    .watch = stream_watch,
    .flush_later = stream_flush_later,
    .idle = stream_idle,
    .alarm = stream_alarm,
    .now = stream_now,
    .close = stream_close,
};

int stream_open(struct server *server, int fd) {
    const struct allocator *allocator = &server->options.allocator;
    struct stream *stream = allocator->resize(allocator->context, NULL, sizeof *stream);
    int error = stream ? 0 : -ENOMEM;
    if (error == 0) {
        memset(stream, 0, sizeof *stream);
        stream->server = server;
        stream->fd = fd;
        error = uv_poll_init(&server->loop, &stream->poll, fd);
        if (error != 0)
            allocator_free(allocator, stream);
    }
    if (error != 0) {
        close(fd);
        return error;
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* refused for a Unix socket, which has no such delay */
    stream->poll.data = stream;
    connection_init(&stream->connection, &server->kit, stream);
    stream->next = server->streams;
    if (stream->next)
        stream->next->previous = stream;
    server->streams = stream;
    server->connections++;
    if (server->options.accepted(server->options.owner, &stream->connection) != 0) {
        connection_lost(&stream->connection);
        return -ENOMEM;
    }
    stream_watch(stream, true, false);
    return 0;
}
