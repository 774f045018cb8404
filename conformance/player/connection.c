#define _GNU_SOURCE /* what uv.h and sockets need beyond C11 */
#include "connection.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "memory.h"
#include "peer.h"

#define READS_AT_ONCE 16 /* then the others have their turn */
#define PACE_MS 1

static const char EXTENSIONS[] = "sec-websocket-extensions";

static void on_poll(uv_poll_t *poll, int status, int events);

int connection_bind(const struct sockaddr *address, uint16_t port) {
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int on = 1, failed;
    struct sockaddr_storage source = {.ss_family = address->sa_family};
    socklen_t size;
    if (address->sa_family == AF_INET) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)&source;
        const struct sockaddr_in *to = (const struct sockaddr_in *)address;
        if (ntohl(to->sin_addr.s_addr) >> 24 == 127)
            v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        v4->sin_port = htons(port);
        size = sizeof *v4;
    } else {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&source;
        if (IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr))
            v6->sin6_addr = in6addr_loopback;
        v6->sin6_port = htons(port);
        size = sizeof *v6;
    }
    failed = setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!failed && port)
        failed = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) || bind(fd, (struct sockaddr *)&source, size);
    if (!failed)
        return fd;
    failed = -errno;
    close(fd);
    return failed;
}

static uint16_t bound_port(int fd) {
    struct sockaddr_storage own = {0};
    socklen_t size = sizeof own;
    if (getsockname(fd, (struct sockaddr *)&own, &size))
        return 0;
    /* The port stands at the same place in both families. */
    return ntohs(((const struct sockaddr_in *)&own)->sin_port);
}

struct connection *connection_new(struct connection_kit *kit, int fd, const struct sockaddr *address, socklen_t address_size,
                                  const char *token, void (*changed)(void *owner, struct connection *connection), void *owner) {
    struct connection *connection = memory_zeroed(&kit->allocator, 1, sizeof *connection);
    if (!connection)
        goto close_socket;
    if (uv_poll_init(kit->loop, &connection->poll, fd))
        goto free_connection;
    uv_timer_init(kit->loop, &connection->pace);
    connection->open_handles = 2;
    connection->poll.data = connection->pace.data = connection;
    connection->kit = kit;
    connection->fd = fd;
    connection->changed = changed;
    connection->owner = owner;
    connection->address_size = address_size;
    memcpy(&connection->address, address, address_size);
    connection->source_port = bound_port(fd);
    requests_init(&connection->requests, &kit->allocator);
    response_reader_init(&connection->responses, token, strlen(token), requests_answered_by, &connection->requests, &kit->allocator);
    return connection;

free_connection:
    memory_free(&kit->allocator, connection);
close_socket:
    close(fd);
    return NULL;
}

static void on_closed(uv_handle_t *handle) {
    struct connection *connection = handle->data;
    if (--connection->open_handles == 0)
        memory_free(&connection->kit->allocator, connection);
}

/* Ask the loop for what matters now and for nothing else: an ended socket would be readable for ever. Only where that has changed: each
 * time libuv is asked it takes the socket out of the kernel's set and puts it back. */
static void watch(struct connection *connection) {
    int events = 0;
    if (connection->state == CONNECTION_CONNECTING)
        events = UV_WRITABLE;
    if (connection->state == CONNECTION_OPEN && connection->peer == CONNECTION_PEER_OPEN && !connection->too_much)
        events |= UV_READABLE;
    if (connection->state == CONNECTION_OPEN && connection->unsent_from < connection->unsent_to)
        events |= UV_WRITABLE;
    if (connection->fd < 0 || events == connection->watched)
        return;
    if (events)
        uv_poll_start(&connection->poll, events, on_poll);
    else
        uv_poll_stop(&connection->poll);
    connection->watched = events;
}

/* The handle goes with the socket: it would take away the next socket's place in the loop, which may have the same number. */
static void close_socket(struct connection *connection, bool with_reset) {
    if (connection->fd < 0)
        return;
    connection_abandon_send(connection);
    uv_close((uv_handle_t *)&connection->poll, on_closed);
    if (with_reset)
        setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
    close(connection->fd);
    connection->fd = -1;
}

/* The handshake is answered: read frames, deflated ones where that was agreed. */
static void upgrade(struct connection *connection) {
    const struct response_reader *responses = &connection->responses;
    const struct response_head *head = &responses->responses[responses->count - 1].head;
    struct websocket_deflate deflate = {0};
    for (size_t i = 0; i < head->field_count && !deflate.agreed; i++) {
        const struct response_field *field = &head->fields[i];
        if (field->name_size == sizeof EXTENSIONS - 1 && !strncasecmp(response_text(head, field->name), EXTENSIONS, field->name_size))
            deflate = websocket_agreed(response_text(head, field->value), field->value_size);
    }
    websocket_reader_init(&connection->websocket, &deflate, responses->token, responses->token_size, &connection->kit->allocator);
    connection->upgraded = true;
}

static void take_in(struct connection *connection, const char *data, size_t size) {
    if (response_reader_feed(&connection->responses, data, size, uv_hrtime()))
        connection->out_of_memory = true;
    if (connection->responses.phase != RESPONSE_UPGRADED || !connection->responses.websocket)
        return;
    if (!connection->upgraded)
        upgrade(connection);
    size_t untaken = connection->responses.untaken;
    if (websocket_reader_feed(&connection->websocket, data + size - untaken, untaken))
        connection->out_of_memory = true;
}

void connection_read(struct connection *connection) {
    for (int i = 0; i < READS_AT_ONCE; i++) {
        if (connection->state != CONNECTION_OPEN || connection->peer != CONNECTION_PEER_OPEN || connection->too_much)
            return;
        ssize_t size = recv(connection->fd, connection->kit->incoming, CONNECTION_CHUNK, 0);
        if (size > 0) {
            connection->received += (uint64_t)size;
            connection->unheard = false;
            connection->too_much = connection->received > CONNECTION_READ_MAX;
            take_in(connection, connection->kit->incoming, (size_t)size);
            if (size < (ssize_t)CONNECTION_CHUNK)
                return; /* no more for now; an end is an event of its own */
        } else if (size == 0) {
            connection->peer = CONNECTION_PEER_FIN;
            response_reader_eof(&connection->responses);
            if (connection->upgraded)
                websocket_reader_eof(&connection->websocket);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno != EINTR) {
            connection->peer = CONNECTION_PEER_RESET;
        }
    }
}

static void opened(struct connection *connection, int failed) {
    connection->state = failed ? CONNECTION_REFUSED : CONNECTION_OPEN;
    connection->error = -failed;
    if (failed)
        close_socket(connection, true);
    watch(connection);
}

void connection_refuse(struct connection *connection, int failed) { opened(connection, failed); }

int connection_open(struct connection *connection) {
    const struct sockaddr *address = (const struct sockaddr *)&connection->address;
    int failed = connect(connection->fd, address, connection->address_size) ? errno : 0;
    if (failed == EINPROGRESS) /* on the loopback it is mostly done by now, which a second call tells without a turn of the loop */
        failed = connect(connection->fd, address, connection->address_size) ? errno : 0;
    if (failed == EADDRNOTAVAIL || failed == EADDRINUSE)
        return -EADDRNOTAVAIL;
    if (failed == EALREADY || failed == EINPROGRESS || failed == EINTR) {
        connection->state = CONNECTION_CONNECTING;
        watch(connection);
    } else {
        opened(connection, failed == EISCONN ? 0 : failed);
    }
    return 0;
}

/* Whether the peer has taken all that was sent. Where the kernel does not tell, what it has acknowledged stands for what it has read. */
static bool taken(struct connection *connection) {
    if (connection->peer != CONNECTION_PEER_OPEN || !connection->sent)
        return true;
    enum peer_answer answer = peer_has_taken(connection->kit->diagnosis, connection->fd, connection->sent);
    int queued = 0;
    return answer == PEER_TAKEN || (answer == PEER_UNKNOWN && (ioctl(connection->fd, SIOCOUTQ, &queued) || !queued));
}

/* Hand SIZE bytes to the kernel. Returns how many it took; what it did not take now is kept. */
static void hand_over(struct connection *connection, const char *data, size_t size) {
    ssize_t took = send(connection->fd, data, size, MSG_NOSIGNAL);
    if (took < 0 && errno != EAGAIN && errno != EINTR) {
        connection_abandon_send(connection);
        return;
    }
    if (took < 0)
        took = 0;
    connection->sent += (uint64_t)took;
    connection->unheard |= took > 0;
    if (requests_feed(&connection->requests, data, (size_t)took))
        connection->out_of_memory = true;
    if (data != connection->kit->outgoing) {
        connection->unsent_from += (size_t)took;
        return;
    }
    if ((size_t)took == size)
        return;
    if (!connection->unsent)
        connection->unsent = memory_zeroed(&connection->kit->allocator, 1, CONNECTION_CHUNK);
    if (!connection->unsent) {
        connection->out_of_memory = true;
        connection_abandon_send(connection);
        return;
    }
    memcpy(connection->unsent, data + took, size - (size_t)took);
    connection->unsent_from = 0;
    connection->unsent_to = size - (size_t)took;
}

static void on_pace(uv_timer_t *timer);

/* Write until all is handed over, the kernel has no room, or the peer has to read first. */
static void write_on(struct connection *connection) {
    while (connection->sending && connection->unsent_from == connection->unsent_to) {
        if (connection->paced && !taken(connection)) {
            uv_timer_start(&connection->pace, on_pace, PACE_MS, 0);
            break;
        }
        connection->paced = false;
        uint64_t size = CONNECTION_CHUNK;
        if (connection->split && connection->segment_left < size)
            size = connection->segment_left;
        size = outgoing_take(&connection->outgoing, connection->kit->outgoing, (size_t)size);
        if (!size) {
            connection->sending = false;
            break;
        }
        if (connection->split && !(connection->segment_left -= size)) {
            connection->segment_left = connection->split;
            connection->paced = true;
        }
        hand_over(connection, connection->kit->outgoing, (size_t)size);
    }
    watch(connection);
}

static void on_pace(uv_timer_t *timer) {
    struct connection *connection = timer->data;
    write_on(connection);
    if (!connection->sending)
        connection->changed(connection->owner, connection);
}

static void on_poll(uv_poll_t *poll, int status, int events) {
    struct connection *connection = poll->data;
    if (status)
        connection->watched = 0; /* libuv watches no more where it saw an error */
    if (connection->state == CONNECTION_CONNECTING) {
        int failed = 0;
        getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &failed, &(socklen_t){sizeof failed});
        opened(connection, failed);
    } else {
        if (status || events & UV_READABLE)
            connection_read(connection);
        if (connection->unsent_from < connection->unsent_to) {
            hand_over(connection, connection->unsent + connection->unsent_from, connection->unsent_to - connection->unsent_from);
            write_on(connection);
        }
        watch(connection);
    }
    connection->changed(connection->owner, connection);
}

void connection_send(struct connection *connection, const struct exchange_piece *pieces, size_t piece_count, const struct saved *saved,
                     uint64_t split) {
    outgoing_start(&connection->outgoing, pieces, piece_count, saved);
    connection->split = connection->segment_left = split;
    connection->paced = connection->unheard;
    connection->sending = true;
    write_on(connection);
}

bool connection_hurry(struct connection *connection) {
    if (!connection->paced)
        return false;
    connection->paced = false;
    connection->split = 0;
    uv_timer_stop(&connection->pace);
    write_on(connection);
    return true;
}

void connection_abandon_send(struct connection *connection) {
    uv_timer_stop(&connection->pace);
    connection->sending = false;
    connection->unsent_from = connection->unsent_to = 0;
}

void connection_half_close(struct connection *connection) {
    if (connection->state != CONNECTION_OPEN || connection->half_closed)
        return;
    shutdown(connection->fd, SHUT_WR);
    connection->half_closed = true;
    connection->closed_first = connection->peer == CONNECTION_PEER_OPEN;
}

/* What has come is read first: with bytes unread close() would be a reset. */
void connection_close(struct connection *connection) {
    connection_read(connection);
    connection->closed_first |= connection->peer == CONNECTION_PEER_OPEN;
    connection->state = CONNECTION_OURS;
    close_socket(connection, false);
}

void connection_reset(struct connection *connection) {
    connection->state = CONNECTION_OURS;
    close_socket(connection, true);
}

void connection_leave(struct connection *connection) { close_socket(connection, true); }

void connection_free(struct connection *connection) {
    if (!connection)
        return;
    connection_leave(connection);
    uv_close((uv_handle_t *)&connection->pace, on_closed);
    response_reader_free(&connection->responses);
    requests_free(&connection->requests);
    if (connection->upgraded)
        websocket_reader_free(&connection->websocket);
    memory_free(&connection->kit->allocator, connection->unsent);
}
