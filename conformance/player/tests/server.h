/* server.h: a server of a few lines for the player's tests: each connection is handed to a function, in a thread of its own; and an
 * observer that answers marked requests and writes a trace by hand.
 */
#ifndef BRIDGECHECK_TEST_SERVER_H
#define BRIDGECHECK_TEST_SERVER_H

#include "../../exchange/tests/support.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "../../../spec/observer/recorder/trace.h"

struct server {
    char folder[64], trace[96], doorbell[96];
    int listening;
    uint16_t port;
    void (*serve)(struct server *server, int fd); /* one connection; it is closed when this returns. NULL: nobody accepts */
    pthread_t thread;
    pthread_mutex_t lock; /* for the trace, which has one writer at a time, and all below */
    pthread_cond_t idle;
    unsigned busy; /* connections being served */
    struct trace_header *file;
    uint32_t calls;
};

#define SERVER_TRACE_SIZE (8u << 20)

static inline void server_write(int fd, const char *data) {
    size_t size = strlen(data);
    while (size) {
        ssize_t wrote = send(fd, data, size, MSG_NOSIGNAL);
        if (wrote <= 0)
            return; /* the player went away, as it may */
        data += wrote;
        size -= (size_t)wrote;
    }
}

/* Read up to the end of a request's fields, as a string; false when the player closed. */
static inline bool server_read_head(int fd, char *head, size_t room) {
    size_t size = 0;
    while (size + 1 < room) {
        if (recv(fd, head + size, 1, 0) != 1)
            return false;
        head[++size] = 0;
        if (strstr(head, "\r\n\r\n"))
            return true;
    }
    return false;
}

/* If the request is a marked one, answer it as an observer does. */
static inline bool server_answer_marked(int fd, const char *head) {
    const char *token = strstr(head, "bridgecheck-next: ");
    char answer[256];
    if (!token)
        return false;
    token += strlen("bridgecheck-next: ");
    snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nbridgecheck-next: %.*s\r\n\r\n", (int)strcspn(token, "\r"),
             token);
    server_write(fd, answer);
    return true;
}

static inline void server_ring(const struct server *server, const char *name) {
    struct sockaddr_un bell = {.sun_family = AF_UNIX};
    strcpy(bell.sun_path, server->doorbell);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    sendto(fd, name, strlen(name), MSG_DONTWAIT, (struct sockaddr *)&bell, sizeof bell);
    close(fd);
}

static inline void server_trace(struct server *server, enum trace_kind kind, uint32_t call, uint16_t port, const char *payload,
                                size_t size) {
    struct trace_record record = {
        .size = (uint32_t)(sizeof record + (size + 7) / 8 * 8), .kind = (uint16_t)kind, .client_port = port, .call = call};
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    record.nanoseconds = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    record.payload = (uint32_t)size;
    uint64_t end = atomic_load(&server->file->committed);
    if (end + record.size > SERVER_TRACE_SIZE)
        abort(); /* a test that writes so much is another test */
    memcpy((char *)server->file + end, &record, sizeof record);
    memcpy((char *)server->file + end + sizeof record, payload, size);
    atomic_store(&server->file->committed, end + record.size);
    if (atomic_exchange(&server->file->armed, 0))
        server_ring(server, "1-0.trace");
}

/* The client's port, as the scope would have it. */
static inline uint16_t server_client_port(int fd) {
    struct sockaddr_in client = {0};
    getpeername(fd, (struct sockaddr *)&client, &(socklen_t){sizeof client});
    return ntohs(client.sin_port);
}

static inline void server_trace_begin(struct server *server, uint32_t call, uint16_t port) {
    static const char scope[] = "D\1\0\0\0s\4\0\0\0types\4\0\0\0httpD\0\0\0";
    server_trace(server, TRACE_CALL, call, port, scope, sizeof scope); /* with its NUL, the last byte of a count */
}

static inline void server_trace_end(struct server *server, uint32_t call, uint16_t port) {
    server_trace(server, TRACE_RETURNED, call, port, "N", 1);
    server_trace(server, TRACE_SETTLED, call, port, "", 0);
}

/* A whole call. */
static inline void server_trace_call(struct server *server, uint16_t port) {
    pthread_mutex_lock(&server->lock);
    uint32_t call = ++server->calls;
    server_trace_begin(server, call, port);
    server_trace_end(server, call, port);
    pthread_mutex_unlock(&server->lock);
}

struct server_connection {
    struct server *server;
    int fd;
};

static inline void *server_connection(void *context) {
    struct server_connection connection = *(struct server_connection *)context;
    struct server *server = connection.server;
    free(context);
    server->serve(server, connection.fd);
    close(connection.fd);
    pthread_mutex_lock(&server->lock);
    if (--server->busy == 0)
        pthread_cond_signal(&server->idle);
    pthread_mutex_unlock(&server->lock);
    return NULL;
}

static inline void *server_run(void *context) {
    struct server *server = context;
    pthread_t thread;
    int fd;
    while ((fd = accept(server->listening, NULL, NULL)) >= 0) {
        struct server_connection *connection = malloc(sizeof *connection);
        if (!connection)
            abort();
        *connection = (struct server_connection){server, fd};
        pthread_mutex_lock(&server->lock);
        server->busy++;
        pthread_mutex_unlock(&server->lock);
        if (pthread_create(&thread, NULL, server_connection, connection))
            abort();
        pthread_detach(thread);
    }
    return NULL;
}

static inline void server_open_trace(struct server *server) {
    char path[128];
    snprintf(path, sizeof path, "%s/1-0.trace", server->trace);
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0 && ftruncate(fd, SERVER_TRACE_SIZE) == 0);
    server->file = mmap(NULL, SERVER_TRACE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(server->file != MAP_FAILED);
    close(fd);
    memcpy(server->file->magic, TRACE_MAGIC, sizeof server->file->magic);
    server->file->pid = 1;
    atomic_store(&server->file->committed, sizeof *server->file);
}

static inline void server_start(struct server *server, void (*serve)(struct server *server, int fd)) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    *server = (struct server){.serve = serve, .folder = "/tmp/player-test-XXXXXX"};
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->idle, NULL);
    assert_non_null(mkdtemp(server->folder));
    snprintf(server->trace, sizeof server->trace, "%s/trace", server->folder);
    snprintf(server->doorbell, sizeof server->doorbell, "%s/bell", server->folder);
    assert_int_equal(mkdir(server->trace, 0700), 0);
    server_open_trace(server);
    server->listening = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(server->listening, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(server->listening, 64), 0);
    assert_int_equal(getsockname(server->listening, (struct sockaddr *)&address, &(socklen_t){sizeof address}), 0);
    server->port = ntohs(address.sin_port);
    if (serve)
        assert_int_equal(pthread_create(&server->thread, NULL, server_run, server), 0);
}

/* The player has to be closed: its connections are what the threads may wait for. */
static inline void server_stop(struct server *server) {
    char path[128];
    shutdown(server->listening, SHUT_RDWR);
    if (server->serve)
        pthread_join(server->thread, NULL);
    pthread_mutex_lock(&server->lock);
    while (server->busy)
        pthread_cond_wait(&server->idle, &server->lock);
    pthread_mutex_unlock(&server->lock);
    close(server->listening);
    munmap(server->file, SERVER_TRACE_SIZE);
    snprintf(path, sizeof path, "%s/1-0.trace", server->trace);
    unlink(path);
    rmdir(server->trace);
    rmdir(server->folder);
}

#endif
