#define _GNU_SOURCE /* what uv.h and sockets need beyond C11 */
#include "fence.h"

#include <stdio.h>
#include <string.h>

#include "memory.h"

struct fence {
    struct connection_kit *kit;
    struct sockaddr_storage address;
    socklen_t address_size;
    uint64_t patience;
    char token[RESPONSE_TOKEN_MAX];
    char request[RESPONSE_TOKEN_MAX + 200];
    struct exchange_piece piece; /* the request */
    struct connection *connection;
    bool asked;         /* the request was sent */
    bool out_of_memory; /* there is no connection to send it on */
    uv_timer_t timer;
    struct fence_asker *current, *waiting;
};

static void push(struct fence_asker **queue, struct fence_asker *asker) {
    asker->next = *queue;
    asker->in = queue;
    if (asker->next)
        asker->next->in = &asker->next;
    *queue = asker;
}

void fence_forget(struct fence_asker *asker) {
    if (!asker->in)
        return;
    *asker->in = asker->next;
    if (asker->next)
        asker->next->in = asker->in;
    asker->in = NULL;
}

static void start(struct fence *fence);

/* Tell those who asked, and begin again for those who asked meanwhile. */
static void finish(struct fence *fence, enum fence_answer answer) {
    uv_timer_stop(&fence->timer);
    connection_free(fence->connection);
    fence->connection = NULL;
    while (fence->current) {
        struct fence_asker *asker = fence->current;
        fence_forget(asker);
        asker->answered(asker, answer);
    }
    if (fence->waiting && !fence->connection)
        start(fence);
}

static void on_timer(uv_timer_t *timer) {
    struct fence *fence = timer->data;
    finish(fence, fence->out_of_memory ? FENCE_OUT_OF_MEMORY : FENCE_SILENT);
}

static void on_changed(void *owner, struct connection *connection) {
    struct fence *fence = owner;
    if (connection->state == CONNECTION_CONNECTING)
        return;
    if (connection->state == CONNECTION_OPEN && !fence->asked) {
        fence->asked = true;
        connection_send(connection, &fence->piece, 1, NULL, 0);
    }
    if (connection->responses.marked)
        finish(fence, FENCE_PASSED);
    else if (connection->state != CONNECTION_OPEN || connection->peer != CONNECTION_PEER_OPEN || connection->too_much ||
             connection->out_of_memory)
        finish(fence, connection->out_of_memory ? FENCE_OUT_OF_MEMORY : FENCE_SILENT);
}

static void start(struct fence *fence) {
    const struct sockaddr *address = (const struct sockaddr *)&fence->address;
    while (fence->waiting) {
        struct fence_asker *asker = fence->waiting;
        fence_forget(asker);
        push(&fence->current, asker);
    }
    fence->asked = false;
    int fd = connection_bind(address, 0);
    if (fd >= 0)
        fence->connection = connection_new(fence->kit, fd, address, fence->address_size, fence->token, on_changed, fence);
    fence->out_of_memory = fd >= 0 && !fence->connection;
    /* What fails at once is told by the timer too, never from within fence_ask(). */
    bool failed = !fence->connection || connection_open(fence->connection) || fence->connection->state == CONNECTION_REFUSED;
    uv_update_time(fence->kit->loop);
    uv_timer_start(&fence->timer, on_timer, failed ? 0 : fence->patience, 0);
    if (!failed)
        on_changed(fence, fence->connection);
}

struct fence *fence_new(struct connection_kit *kit, const struct sockaddr *address, socklen_t address_size, const char *token,
                        uint64_t patience) {
    struct fence *fence = memory_zeroed(&kit->allocator, 1, sizeof *fence);
    if (!fence)
        return NULL;
    fence->kit = kit;
    memcpy(&fence->address, address, address_size);
    fence->address_size = address_size;
    fence->patience = patience;
    snprintf(fence->token, sizeof fence->token, "%s", token);
    int size =
        snprintf(fence->request, sizeof fence->request,
                 "GET /bridgecheck-next HTTP/1.1\r\nHost: bridgecheck\r\nbridgecheck-next: %s\r\nConnection: close\r\n\r\n", fence->token);
    fence->piece = (struct exchange_piece){.bytes = {.data = fence->request, .size = (size_t)size}, .count = 1};
    uv_timer_init(kit->loop, &fence->timer);
    fence->timer.data = fence;
    return fence;
}

void fence_ask(struct fence *fence, struct fence_asker *asker) {
    push(&fence->waiting, asker);
    if (!fence->current && !fence->connection)
        start(fence);
}

static void on_closed(uv_handle_t *handle) {
    struct fence *fence = handle->data;
    memory_free(&fence->kit->allocator, fence);
}

void fence_free(struct fence *fence) {
    if (!fence)
        return;
    connection_free(fence->connection);
    uv_close((uv_handle_t *)&fence->timer, on_closed);
}
